//! Positions: one token for all transports, with nothing lost, nothing doubled, and every loss told.
//! Must never look inside a position, except to forge one.

mod epochs;
mod rounds;
mod tokens;
mod trims;
