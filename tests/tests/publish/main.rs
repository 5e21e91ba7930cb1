//! Publishing over HTTP: what is taken, how it comes back, and what is refused.
//! Must never look at anything but the wire.

mod batches;
mod idempotency;
mod messages;
mod refusals;
mod sizes;
