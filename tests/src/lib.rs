//! What the black-box tests share: a server process, raw sockets, and readers of every transport.
//!
//! Must never link the server's own crates: all that is known of the server here is its wire and
//! its command line, as `docs/guide` tells them. The codecs of WebSocket and MQTT are the exceptions,
//! in their clients' roles. Every wait has a deadline; a helper that cannot go on fails its test.

pub mod crash;
mod folder;
mod frame;
mod http;
mod http2;
mod lines;
mod load;
mod mqtt;
mod parts;
mod position;
mod program;
mod random;
mod reader;
mod server;
mod session;
mod socket;
mod stream;
mod tls;
mod visit;
mod volume;
mod wire;

pub use folder::Folder;
pub use frame::Frame;
pub use http::{Response, request};
pub use http2::{Asked, Flow, Http2};
pub use load::{Ledger, Load, Manner, Publisher};
pub use mqtt::{Mqtt, filter, lasting, packet_id, publish, v5, v311};
pub use parts::{Parts, Said, line};
pub use position::{ahead, flipped};
pub use program::{Finished, Program, use_binary};
pub use random::Random;
pub use reader::{Reader, Via};
pub use server::Server;
pub use session::Wish;
pub use socket::{Socket, handshake, masked};
pub use stream::{Sse, Stream};
pub use tls::{Authority, Identity};
pub use visit::{Parting, Visit};
pub use volume::{Kind, Volume, faults_not_possible, skipped};
pub use wire::Wire;

use std::time::{Duration, Instant};

/// How long anything that must happen may take. Far above what it takes on a busy machine, so
/// that only something that never happens fails.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// How often a condition that nothing tells of is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Waits until `look` finds something. Fails the test when that takes longer than [`PATIENCE`];
/// `what` completes the sentence "waited in vain until …".
#[track_caller]
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look)
}

/// [`until`], for what may take longer.
#[track_caller]
pub fn until_within<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(LOOK_AGAIN);
    }
}
