//! `publish`: publishers that each wait for the answer before they send the next message.
//!
//! The times are those of an answer. The server cannot be asked for more than it answers, so there
//! is no intended time to measure from.

use super::rig::{END_WAIT, OPEN_WAIT, Rig, warn_if_client_bound};
use crate::bench::Bench;
use crate::load::{Pace, PublishPlan};
use crate::report::{Measures, Report};
use crate::target::Target;

/// Connections that publish.
const CONNECTIONS: &[usize] = &[1, 16, 64, 1024];
/// The bytes of a message.
const MESSAGE_BYTES: usize = 200;
/// Messages are spread over so many topics.
const TOPICS: usize = 1000;

/// Runs the scenario.
pub(super) fn run(bench: &Bench, targets: &[Target], report: &mut Report) -> anyhow::Result<()> {
    report.note(format!(
        "messages of {MESSAGE_BYTES} bytes over {TOPICS} topics, one in a request; the times are \
         those of its answer, and CPU is for a million messages"
    ));
    for &connections in bench.size(CONNECTIONS, &[1, 16]) {
        let labels = [("connections", connections.to_string())];
        bench.alternate(report, &labels, targets, |target| measure(bench, target, connections))?;
    }
    warn_if_client_bound(report);
    Ok(())
}

fn measure(bench: &Bench, target: &Target, connections: usize) -> anyhow::Result<Measures> {
    let mut rig = Rig::start(bench, target)?;
    let topics = (0..TOPICS).map(|number| format!("bench/{number}")).collect();
    let (publishing, _) = rig.speak(PublishPlan {
        topics,
        connections,
        bytes: MESSAGE_BYTES,
        batch: 1,
        pace: Pace::Answered,
    })?;
    rig.load.until_open(OPEN_WAIT)?;
    rig.load.begin(publishing, u64::MAX);
    // Topics and buffers are made once; that is not what is measured.
    rig.span(bench.seconds() / 5.0)?;
    let cost = rig.span(bench.seconds())?;
    let measures = rig.spoken(publishing, 1, cost);
    rig.load.stop(publishing);
    rig.load.until("all is answered", END_WAIT, |load| load.publishing(publishing).is_done())?;
    Ok(measures)
}
