//! WebSockets: the handshake, frames good and bad, liveness, topic sockets and `tidings.v1`.
//! Must never look at anything but the wire.

mod commands;
mod compression;
mod echo;
mod handshakes;
mod liveness;
mod rules;
mod subscriptions;
mod topic;
mod windows;
