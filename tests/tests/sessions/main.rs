//! Durable sessions, over every transport, as the guide on them promises.
//! Must never look at anything but the wire and the command line.

mod acks;
mod automatic;
mod begin;
mod chance;
mod commandline;
mod gaps;
mod hostile;
mod lives;
mod manage;
mod names;
mod restart;
mod rounds;
mod takeover;

/// Where a reader stands behind an event.
#[track_caller]
fn position(event: &serde_json::Value) -> String {
    match &event["position"] {
        serde_json::Value::String(position) => position.clone(),
        _ => panic!("no position in {event}"),
    }
}
