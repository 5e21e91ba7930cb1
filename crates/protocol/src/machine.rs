//! The whole contract of a protocol machine.
//!
//! The driver feeds one [`Input`], then carries out every [`Output`] in order before it feeds the
//! next. A variant is added here only when two transports need it.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tidings_access::{Denied, Identity, Login};
use tidings_model::{
    ComeBack, Delivery, IdempotencyKey, Keep, LogKind, Manage, Managed, Mark, Message, Position,
    Published, Record, Refusal, Resumed, SessionEnd, SubscribeOptions, Time, Topic, TopicFilter,
};

use crate::request::{Request, Response};

/// A transport's machine for one connection or one exchange.
pub trait Protocol {
    /// Takes one input at time `now` and pushes what is to be done about it.
    fn handle(&mut self, input: Input<'_>, now: Time, out: &mut Outputs);
}

/// A machine's own name for one of its subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubId(pub u32);

/// A machine's own name for one publish, login, or thing done with sessions, under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u32);

/// What a machine is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// The request that this machine is to answer, or that opens its WebSocket. Always first.
    Opened(&'a Request),
    /// A peer has connected to this machine by a raw stream of bytes. Always first there.
    Connected,
    /// A whole message came over the WebSocket.
    Frame(Frame<'a>),
    /// Bytes came by the raw stream.
    Bytes(&'a [u8]),
    /// The session that a subscription is to be was there before. Comes before
    /// `Input::Subscribed`.
    Resumed(SubId, &'a Resumed),
    /// What became of `Output::Subscribe`. Where it begins to read, and which filters were
    /// refused; with `Err` nothing was subscribed.
    Subscribed(SubId, Result<Position, Refusal>, &'a [(TopicFilter, Refusal)]),
    /// What became of `Output::Select`: from where on what was not read before is news, and which
    /// filters were refused.
    Selected(SubId, Position, &'a [(TopicFilter, Refusal)]),
    /// What there is to read. The first one of a subscription always comes, even when empty.
    Deliveries {
        /// Whose.
        sub: SubId,
        /// In order; may be empty, when only the position moved on.
        deliveries: &'a [Delivery],
        /// Where the subscription stands after them.
        position: Position,
        /// Whether nothing more is there to read now.
        caught_up: bool,
    },
    /// The subscription was a durable session's and is no more.
    Ended(SubId, SessionEnd),
    /// What became of `Output::Publish`. Only now is it true.
    Published(Ticket, Result<Published, Refusal>),
    /// What became of `Output::Manage`. Only now is it true.
    Managed(Ticket, Result<Managed, Refusal>),
    /// What came of `Output::Recall`: messages, each with its topic, and after which topic to go on,
    /// if that was not all.
    Recalled(Ticket, &'a [(Topic, Arc<Record>)], Option<Topic>),
    /// What became of `Output::Authenticate`. Who it is now counts for all that the machine wants;
    /// with `Err` they stay who they were.
    Authenticated(Ticket, Result<Arc<Identity>, Denied>),
    /// The credentials that were brought are worth nothing any more: say so in the protocol's words
    /// and close. A machine that does not is closed.
    Expired,
    /// The time asked for by `Output::WakeAt` has come.
    Deadline,
    /// The server shuts down: say so in the protocol's words and close.
    Closing(ComeBack),
}

/// A WebSocket message's kind and payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A text message; it is UTF-8.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

/// What a machine wants done.
#[derive(Debug)]
pub enum Output {
    /// Answer the request whole. Ends the machine's work.
    Respond(Response),
    /// Begin a streamed answer, or accept the WebSocket: `Send` or `Text`/`Binary` may follow.
    /// The response's body is empty.
    Begin(Response),
    /// Bytes of a streamed answer or of a raw stream; on a WebSocket, a binary message.
    Send(Bytes),
    /// A WebSocket text message in two parts, so that a part of one's own can go before one that
    /// is shared. Together they are UTF-8.
    Text(Bytes, Bytes),
    /// A WebSocket binary message.
    Binary(Bytes),
    /// Read from now on, under a name that is not in use; answered by `Input::Subscribed`, then
    /// `Input::Deliveries`.
    Subscribe(SubId, SubscribeOptions),
    /// Read these instead of what the subscription reads; answered by `Input::Selected`.
    Select(SubId, Vec<TopicFilter>),
    /// Hand over so many more events of the subscription, and then no more until this is said
    /// again.
    Allow(SubId, u32),
    /// Read no longer.
    Unsubscribe(SubId),
    /// Everything of the subscription up to this position has arrived for good.
    Ack(SubId, Position),
    /// A message that was dealt out to the subscription, which is a member of a share, has arrived.
    Settle(SubId, LogKind, Mark),
    /// Keep this of the session that the subscription is. With a ticket it is stored at once and
    /// answered by `Input::Managed`, otherwise when there is time.
    Keep(SubId, Keep, Option<Ticket>),
    /// Look up what the topics that match say to whoever begins to read them, from the one after
    /// this; answered by `Input::Recalled`.
    Recall(Ticket, TopicFilter, Option<Topic>),
    /// Store these messages, all or none; answered by `Input::Published`.
    Publish(Ticket, Vec<Message>, Option<IdempotencyKey>),
    /// Do something with sessions; answered by `Input::Managed`.
    Manage(Ticket, Manage),
    /// Find out who the peer is; answered by `Input::Authenticated`. What HTTP brings along has been
    /// looked at before the machine is opened.
    Authenticate(Ticket, Login),
    /// Send `Input::Deadline` at this time; replaces the time asked for before.
    WakeAt(Time),
    /// Nothing more will be sent: close in good order once everything before is out.
    Close(CloseReason),
}

impl Output {
    /// A WebSocket text message of one's own.
    pub fn text(text: impl Into<Bytes>) -> Output {
        Output::Text(Bytes::new(), text.into())
    }
}

/// Why a machine closes; each carrier has its own words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// All is said.
    Done,
    /// The server shuts down.
    Restart,
    /// The durable session that was read is another's now, or no more.
    SessionEnded(SessionEnd),
    /// The credentials that were brought are worth nothing any more.
    Expired,
}

/// Why a stream ends whose reader should not simply come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamEnd {
    /// Its durable session is another's now, or no more.
    Session(SessionEnd),
    /// The credentials that were brought are worth nothing any more.
    Expired,
}

impl StreamEnd {
    /// The word clients see.
    pub const fn as_str(self) -> &'static str {
        match self {
            StreamEnd::Session(end) => end.as_str(),
            StreamEnd::Expired => "expired",
        }
    }
}

/// The outputs of a machine, in order.
#[derive(Debug, Default)]
pub struct Outputs(VecDeque<Output>);

impl Outputs {
    /// Adds an output after those already there.
    pub fn push(&mut self, output: Output) {
        self.0.push_back(output);
    }

    /// Takes the first output.
    pub fn pop(&mut self) -> Option<Output> {
        self.0.pop_front()
    }
}
