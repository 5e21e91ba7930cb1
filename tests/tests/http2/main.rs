//! HTTP/2 by prior knowledge: all that HTTP/1.1 serves, many clients on one connection, and peers
//! that do not behave. Must never look at anything but the wire.

mod ends;
mod frames;
mod limits;
mod nonsense;
mod same;
mod sessions;
mod ways;
mod windows;

use tidings_tests::{Server, until};

/// Waits until the server has that many requests under way over HTTP/2.
#[track_caller]
fn await_streams(server: &Server, count: u64) {
    until(&format!("there are {count} streams"), || {
        (server.get("/healthz").json()["streams"] == count).then_some(())
    });
}
