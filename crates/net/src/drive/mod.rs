//! One driver for each shape of carrier that was taken over from the HTTP parser. A driver moves
//! bytes and time; what they mean is the machine's business.

pub(crate) mod deflated;
pub(crate) mod exchange;
pub(crate) mod frames;
pub(crate) mod outgoing;
pub(crate) mod raw;
pub(crate) mod stream;

use std::rc::Rc;

use tidings_broker::Owner;
use tidings_host::{Carrier, Client, Outcome};
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

/// Feeds a machine how something ended that it waited for.
fn hear(
    local: &Local,
    client: &mut Client,
    outcomes: Vec<Outcome>,
    now: Time,
    carrier: &mut dyn Carrier,
) {
    for outcome in outcomes {
        local.house_at(now, |house| client.ended(outcome, house, carrier));
    }
}

/// Feeds a machine that the server ends, once, that its time has come, and what there is to read;
/// says whether there is more of that.
fn go_on(
    local: &Local,
    client: &mut Client,
    closing_told: &mut bool,
    is_due: bool,
    now: Time,
    carrier: &mut dyn Carrier,
) -> bool {
    if local.shared.is_closing() && !*closing_told {
        *closing_told = true;
        let come_back = local.shared.come_back();
        local.house_at(now, |house| client.closing(come_back, house, carrier));
    }
    if is_due {
        local.house_at(now, |house| client.deadline(house, carrier));
    }
    local.house_at(now, |house| client.deliver(house, carrier))
}

/// Whether the time has come that a machine asked for; it will not be said again.
fn is_due(wake_at: &mut Option<Time>, now: Time) -> bool {
    wake_at.take_if(|time| *time <= now).is_some()
}

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
