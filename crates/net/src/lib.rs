//! The only sockets of the house: accepts connections, speaks their carriers, and drives one
//! machine on each.
//!
//! One thread accepts and hands connections out in turn; each serving thread has a runtime, a
//! [`tidings_broker::Shard`] and its connections to itself, so that nothing on the way of a
//! delivery is locked across threads but the log. This crate owns the clock.

mod clock;
mod connection;
mod drive;
mod held;
mod http;
mod http2;
mod listen;
mod loaders;
mod local;
mod options;
mod reactor;
mod seat;
mod timers;
mod tls;

pub use clock::Clock;
pub use connection::Stats;
pub use listen::{Server, ServerError};
pub use loaders::{start_loaders, start_workers};
pub use options::{Carries, Listener, Options, Site};
pub use tls::{PeerCertificate, Tls, TlsError, TlsFiles};
