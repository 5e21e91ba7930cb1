//! `slow`: some listeners read far less than is sent to them. The others must not feel it, and the
//! server must not pay for it with memory.

use super::rig::{OPEN_WAIT, Rig, warn_if_client_bound};
use crate::bench::Bench;
use crate::load::{Begin, Pace, PublishPlan, Slow};
use crate::report::metric::ANON_MB;
use crate::report::{Measures, Report};
use crate::target::Target;

const LISTENERS: usize = 1000;
/// One in so many is slow.
const SLOW_ONE_IN: usize = 10;
/// How slow: a kilobyte a second, where a hundred times as much is sent.
const SLOW: Slow = Slow { bytes: 1024, every: 1_000_000_000 };
const MESSAGE_BYTES: usize = 512;
/// Messages a second.
const RATE: f64 = 100.0;
const TOPIC: &str = "bench/slow";

/// Runs the scenario.
pub(super) fn run(bench: &Bench, targets: &[Target], report: &mut Report) -> anyhow::Result<()> {
    let listeners = bench.listeners(LISTENERS, 20);
    report.note(format!(
        "{listeners} listeners of one topic with {RATE} messages of {MESSAGE_BYTES} bytes a second; \
         slow ones read {} bytes a second; the figures are those of the others, and of the target's \
         whole memory at the end",
        SLOW.bytes
    ));
    for via in bench.via(&["ws", "sse"]) {
        for slow in [0, listeners / SLOW_ONE_IN] {
            let labels = [("via", via.clone()), ("slow", slow.to_string())];
            bench.alternate(report, &labels, targets, |target| {
                measure(bench, target, &via, listeners, slow)
            })?;
        }
    }
    warn_if_client_bound(report);
    Ok(())
}

fn measure(
    bench: &Bench,
    target: &Target,
    via: &str,
    listeners: usize,
    slow: usize,
) -> anyhow::Result<Measures> {
    let mut rig = Rig::start(bench, target)?;
    let (publishing, streams) = rig.speak(PublishPlan {
        topics: vec![TOPIC.to_owned()],
        connections: 1,
        bytes: MESSAGE_BYTES,
        batch: 1,
        pace: Pace::Rate(RATE),
    })?;
    let plan = rig.plan(via, Begin::Now, false)?;
    let fast = rig.listen(&plan, TOPIC, &streams, listeners - slow)?;
    let group = rig.load.group()?;
    for _ in 0..slow {
        rig.load.listen(group, &plan, (0, TOPIC), &streams, Some(SLOW))?;
    }
    rig.load.until_open(OPEN_WAIT)?;
    rig.load.begin(publishing, u64::MAX);
    rig.span(bench.seconds() / 5.0)?;
    let cost = rig.span(bench.seconds())?;
    let mut measures = rig.heard(fast, cost);
    measures.put(&ANON_MB, rig.running.processes().memory().anonymous as f64 / 1e6);
    rig.late(publishing, &mut measures);
    rig.end(publishing, fast, &mut measures)?;
    Ok(measures)
}
