//! Connections: kept, pipelined, slow, stalled, half closed, too many, and from foreign pages.
//! Must never look at anything but the wire.

mod held;
mod limits;
mod nonsense;
mod old;
mod origins;
mod pipelining;
mod slow;
mod stalled;
