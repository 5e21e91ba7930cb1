//! Reading over HTTP: every query of the guide, every way to ask, and what an answer looks like.
//! Must never look at anything but the wire.

mod held;
mod methods;
mod negotiation;
mod polling;
mod queries;
mod raw;
mod streams;
mod topics;
