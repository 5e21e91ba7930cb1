//! `idle`: connections that only wait. What each of them holds in memory, in the server and in the
//! kernel, and what it costs to keep them, heartbeats included.

use std::time::Duration;

use super::rig::{OPEN_WAIT, Rig};
use crate::bench::Bench;
use crate::load::{Begin, Pace, PublishPlan};
use crate::machine::socket_bytes;
use crate::report::metric::{CPU_PERCENT, FAILED, OPENED_CPU_US, SOCKET_BYTES};
use crate::report::{Measures, Report};
use crate::target::Target;

const CONNECTIONS: usize = 15_000;
/// Twice the time after which our own server sends a heartbeat.
const SECONDS_MIN: f64 = 30.0;
/// Until what opening them needed is given back.
const SETTLE: Duration = Duration::from_secs(2);
const TOPIC: &str = "bench/idle";

/// Runs the scenario.
pub(super) fn run(bench: &Bench, targets: &[Target], report: &mut Report) -> anyhow::Result<()> {
    let connections = bench.listeners(CONNECTIONS, 200);
    report.note(format!(
        "{connections} listeners of a topic on which nothing is published; memory is what the \
         target's grew by; socket buffers are of both ends, since both are on this machine"
    ));
    for via in bench.via(&["ws", "sse", "ndjson", "longpoll"]) {
        let labels = [("via", via.clone()), ("connections", connections.to_string())];
        bench.alternate(report, &labels, targets, |target| {
            measure(bench, target, &via, connections)
        })?;
    }
    Ok(())
}

fn measure(
    bench: &Bench,
    target: &Target,
    via: &str,
    connections: usize,
) -> anyhow::Result<Measures> {
    let mut rig = Rig::start(bench, target)?;
    // It says nothing; it is there because listeners listen to a publishing.
    let (_, streams) = rig.speak(PublishPlan {
        topics: vec![TOPIC.to_owned()],
        connections: 1,
        bytes: 0,
        batch: 1,
        pace: Pace::Answered,
    })?;
    // What the first connection makes the server allocate once is none of the others'.
    let plan = rig.plan(via, Begin::Now, false)?;
    rig.listen(&plan, TOPIC, &streams, 1)?;
    rig.load.until_open(OPEN_WAIT)?;
    rig.load.run(SETTLE / 4)?;
    let (memory, sockets) = (rig.running.processes().memory(), socket_bytes());
    let group = rig.listen(&plan, TOPIC, &streams, connections)?;
    let opened = rig.cost(|load| load.until_open(OPEN_WAIT))?;
    rig.load.run(bench.size(SETTLE, SETTLE / 10))?;
    let mut measures = Measures::default();
    rig.growth(memory, connections, &mut measures);
    let sockets = socket_bytes().saturating_sub(sockets);
    measures.put(&SOCKET_BYTES, sockets as f64 / connections as f64);
    measures.put(&OPENED_CPU_US, opened.target.total() * 1e6 / connections as f64);
    let cost = rig.span(bench.seconds().max(bench.size(SECONDS_MIN, 0.0)))?;
    measures.put(&CPU_PERCENT, cost.target.total() * 100.0 / cost.seconds);
    measures.put(&FAILED, rig.load.heard(group).broken as f64);
    Ok(measures)
}
