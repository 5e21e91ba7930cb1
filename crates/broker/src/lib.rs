//! Topics, subscriptions, cursors and sessions: who may publish and read what, and who is to be
//! woken.
//!
//! Knows no protocol, no clock, no I/O and no runtime. A [`Broker`] is shared by all threads; each
//! thread that serves readers has one [`Shard`], which alone knows that thread's subscriptions.

mod broker;
mod idempotency;
mod index;
mod namespace;
mod retained;
mod sessions;
mod shard;
mod shares;
mod subscription;

pub use broker::{Broker, Done, Limits, Loader, Logs};
pub use namespace::{Namespace, Namespaces, RETAINED, SYSTEM};
pub use retained::{RecallDone, Recalled};
pub use sessions::{ManageDone, SaveDone, SessionLimits, Unsaved};
pub use shard::{Owner, Shard, SubKey, Subscribed};
pub use subscription::Read;
