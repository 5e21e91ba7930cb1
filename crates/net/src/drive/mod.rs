//! One driver for each shape of carrier that was taken over from the HTTP parser. A driver moves
//! bytes and time; what they mean is the machine's business.

pub(crate) mod deflated;
pub(crate) mod exchange;
pub(crate) mod frames;
pub(crate) mod outgoing;
pub(crate) mod stream;

use std::rc::Rc;

use tidings_broker::Owner;
use tidings_host::Client;
use tidings_model::Time;

use crate::local::Local;
use crate::seat::{News, Seat};

/// A connection that its thread runs without a task: it has turns.
pub(crate) trait Drive {
    /// One turn: hear what happened, read, deliver, write. Must not wait.
    fn turn(&mut self, local: &Rc<Local>, owner: Owner, news: News) -> Next;

    /// Ends its client's subscriptions. Called once, before it is dropped.
    fn leave(&mut self, local: &Local);

    /// Gives its connection back to the parser, after [`Next::Request`].
    fn give_back(self: Box<Self>, local: &Rc<Local>);
}

/// What follows a turn.
pub(crate) enum Next {
    /// Something has to happen, or this time has to come.
    Wait(Option<Time>),
    /// Another turn, after those of others.
    Again,
    /// The connection is over.
    Over,
    /// The client's next request.
    Request,
}

/// Bytes waiting to be written over which a connection reads no further, neither from its log nor
/// from its peer: enough to fill a fast network, little enough for many slow ones.
const QUEUE_BYTES_MAX: usize = 256 * 1024;

/// Most reads of one connection in one turn, so that one that sends without end leaves the others
/// theirs.
const READS_MAX: usize = 4;

/// How long a connection may take to close in good order before it is cut.
pub(crate) const LINGER: std::time::Duration = std::time::Duration::from_secs(2);

/// A client on its seat; leaves the shard when it is dropped, however that comes about.
pub(crate) struct Guest {
    pub(crate) client: Client,
    pub(crate) seat: Seat,
    pub(crate) local: Rc<Local>,
}

impl Guest {
    /// The client, and its seat's number: whoever takes them sees to it that both are given back.
    fn take(mut self) -> (Client, Owner) {
        self.seat.keep();
        (std::mem::replace(&mut self.client, Client::gone()), self.seat.owner())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.local.leave(&mut self.client);
    }
}
