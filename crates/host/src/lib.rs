//! Runs protocol machines against the broker: the one place where what a machine wants becomes
//! what the broker does.
//!
//! Knows no socket, clock or runtime, so that `net` and the simulator run exactly the same code.
//! A driver owns one [`Client`] for each machine, feeds it, and is told through its [`Carrier`]
//! what to write.

mod client;
mod gate;
mod negotiate;
mod parcel;
mod piggyback;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tidings_access::{Denied, Identity};
use tidings_broker::{Broker, Owner, Recalled, Shard};
use tidings_model::{Delivery, Managed, Published, Refusal, Time};
use tidings_protocol::{CloseReason, Outputs, Response, SubId, Ticket};

pub use client::Client;
pub use gate::{Attempt, Gate, Report};
pub use negotiate::{Registry, Route};

/// What a driver does with what a machine says. All of it is in order.
pub trait Carrier {
    /// The whole answer.
    fn respond(&mut self, response: Response);
    /// The head of a streamed answer, or the acceptance of a WebSocket.
    fn begin(&mut self, head: Response);
    /// Bytes of a streamed answer or a raw stream; on a WebSocket, a binary message.
    fn send(&mut self, bytes: Bytes);
    /// A WebSocket text message in two parts.
    fn text(&mut self, head: Bytes, body: Bytes);
    /// A WebSocket binary message.
    fn binary(&mut self, payload: Bytes);
    /// Feed a deadline at this time; replaces the one before.
    fn wake_at(&mut self, time: Time);
    /// The time at which a deadline is to be fed, as it was asked for last.
    fn wakes_at(&self) -> Option<Time>;
    /// Where the peer is, if that is known.
    fn peer(&self) -> Option<SocketAddr> {
        None
    }
    /// The name in the certificate that the peer of a raw stream has shown, if it has.
    fn certificate(&self) -> Option<&str> {
        None
    }
    /// Close once everything before is out.
    fn close(&mut self, reason: CloseReason);
    /// Whether so much waits to be written that no more should be read from the log for now.
    fn is_full(&self) -> bool;
}

/// How something ended that a client waited for.
#[derive(Debug)]
pub enum Outcome {
    /// A publish.
    Published(Ticket, Result<Published, Refusal>),
    /// A login; what of it may be told to the operator is kept for when it fails.
    Authenticated(Ticket, Box<Attempt>, Result<Arc<Identity>, Denied>),
    /// Something done with sessions.
    Managed(Ticket, Result<Managed, Refusal>),
    /// A subscription's session was to be stored.
    Stored(SubId, Result<(), Refusal>),
    /// What topics say was looked up.
    Recalled(Ticket, Recalled),
}

/// Takes outcomes, on whatever thread they come.
pub trait Outcomes: Send + Sync {
    /// Something has ended that this owner's client waits for.
    fn ended(&self, owner: Owner, outcome: Outcome);
}

/// What a client works with, lent by its driver for the length of one call.
pub struct House<'a> {
    /// The core.
    pub broker: &'a Broker,
    /// The thread's subscriptions.
    pub shard: &'a mut Shard,
    /// Where credentials are looked at.
    pub gate: &'a Gate,
    /// Where outcomes go.
    pub outcomes: &'a Arc<dyn Outcomes>,
    /// The time.
    pub now: Time,
    /// Space for deliveries, kept from call to call so that reading allocates nothing.
    pub deliveries: &'a mut Vec<Delivery>,
    /// Space for what machines say, likewise. Empty between calls.
    pub outputs: &'a mut Outputs,
}
