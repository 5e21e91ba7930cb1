//! Who may do what, over every way in, as the guide on it promises.
//! Must never look at anything but the wire, the log lines and the command line.

mod certificates;
mod clients;
mod commandline;
mod expiry;
mod mqtt;
mod passwords;
mod rules;
mod sessions;
mod support;
mod tokens;
