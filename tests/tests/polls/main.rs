//! Every way to read that is one request and one answer: what it says, and what it refuses.
//! Must never know more of the server than its guide does.

#![expect(clippy::unwrap_used, reason = "a test that meets the impossible should stop there")]

mod conditional;
mod crowds;
mod feeds;
mod jsonp;
mod page;
mod piggyback;
mod pushlet;
