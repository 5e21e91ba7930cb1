//! The process itself: its configuration, its first words, its health, and its end.
//! Must never look at anything but the command line and the wire.

mod config;
mod data;
mod shutdown;
mod start;
