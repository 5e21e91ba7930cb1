//! TLS: what a handshake takes, that everything comes over it as without, and what a socket that
//! takes little, or a peer that ends early, makes of it.
//!
//! The other tests can be run over TLS, too: with `TIDINGS_TESTS_TLS=1` in their environment.

mod certificates;
mod clients;
mod handshakes;
mod mqtt;
mod records;
mod slow;
mod ways;
