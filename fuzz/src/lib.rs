//! One module a codec, each with a `run` that takes any bytes and panics when a promise is broken.
//! Must never depend on anything but those bytes: a failure that cannot be repeated is none.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "whatever cannot be is a finding")]

pub mod ask;
pub mod batch;
pub mod log_damage;
pub mod log_segment;
pub mod mqtt;
pub mod position;
pub mod topics;
pub mod v1;
pub mod websocket;

mod input;
mod logs;
mod machine;
