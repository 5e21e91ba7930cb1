//! The contract between transports and the house, and what transports share.
//!
//! A transport is a pure machine: it is fed [`Input`]s and answers with [`Output`]s. Nothing in
//! here, and nothing in a transport, may touch a socket, a runtime, a clock or randomness.

pub mod ask;
pub mod content;
pub mod event;
pub mod markup;
pub mod origin;
pub mod poll;
pub mod stream;

mod machine;
mod problem;
mod request;
mod transport;

pub use machine::{CloseReason, Frame, Input, Output, Outputs, Protocol, StreamEnd, SubId, Ticket};
pub use problem::Problem;
pub use request::{Method, Query, Request, Response, encode_query, json_response};
pub use tidings_access::{
    Access, Credentials, Denied, Identity, Login, ScramError, ScramProof, ScramServer,
};
pub use transport::{Caching, Mount, Random, Settings, Transport};
