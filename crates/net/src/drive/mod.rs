//! One driver for each shape of carrier that was taken over from the HTTP parser. A driver moves
//! bytes and time; what they mean is the machine's business.

pub(crate) mod deflated;
pub(crate) mod exchange;
pub(crate) mod frames;
pub(crate) mod outgoing;
pub(crate) mod stream;

use std::rc::Rc;

use tidings_host::Client;

use crate::local::Local;
use crate::seat::Seat;

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

impl Drop for Guest {
    fn drop(&mut self) {
        self.local.leave(&mut self.client);
    }
}
