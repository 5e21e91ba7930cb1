//! `drop`: while messages flow, every listener's connection is cut once and comes back after two
//! seconds with what it was told last. A server that keeps nothing loses what was sent meanwhile.

use std::time::Duration;

use super::rig::{OPEN_WAIT, Rig, warn_if_client_bound};
use crate::bench::Bench;
use crate::load::{Begin, Pace, PublishPlan};
use crate::report::metric::{DELIVERY_PERCENT, LOST};
use crate::report::{Measures, Report};
use crate::target::Target;

const LISTENERS: usize = 1000;
/// They are cut in so many groups, one after another.
const WAVES: usize = 5;
/// How long each is away.
const AWAY: Duration = Duration::from_secs(2);
const MESSAGE_BYTES: usize = 128;
/// Messages a second.
const RATE: f64 = 50.0;
const TOPIC: &str = "bench/drop";

/// Runs the scenario.
pub(super) fn run(bench: &Bench, targets: &[Target], report: &mut Report) -> anyhow::Result<()> {
    let listeners = bench.listeners(LISTENERS, 20);
    let away = bench.size(AWAY, AWAY / 10);
    report.note(format!(
        "{listeners} listeners of one topic with {RATE} messages a second; each is cut once and \
         comes back after {} seconds; the times include those",
        away.as_secs_f64()
    ));
    for via in bench.via(&["ws", "sse", "ndjson", "longpoll"]) {
        let labels = [("via", via.clone())];
        bench.alternate(report, &labels, targets, |target| {
            measure(bench, target, &via, listeners, away)
        })?;
    }
    warn_if_client_bound(report);
    Ok(())
}

fn measure(
    bench: &Bench,
    target: &Target,
    via: &str,
    listeners: usize,
    away: Duration,
) -> anyhow::Result<Measures> {
    let mut rig = Rig::start(bench, target)?;
    let (publishing, streams) = rig.speak(PublishPlan {
        topics: vec![TOPIC.to_owned()],
        connections: 1,
        bytes: MESSAGE_BYTES,
        batch: 1,
        pace: Pace::Rate(RATE),
    })?;
    let plan = rig.plan(via, Begin::Now, true)?;
    let group = rig.listen(&plan, TOPIC, &streams, listeners)?;
    rig.load.until_open(OPEN_WAIT)?;
    rig.load.begin(publishing, u64::MAX);
    let pause = Duration::from_secs_f64(bench.seconds() / WAVES as f64);
    let size = listeners / WAVES;
    let cost = rig.cost(|load| {
        for wave in 0..WAVES {
            load.run(pause)?;
            load.cut(group, wave * size..(wave + 1) * size, away);
        }
        load.run(away)?;
        load.until_open(OPEN_WAIT)
    })?;
    let mut measures = rig.heard(group, cost);
    rig.end(publishing, group, &mut measures)?;
    let meant = (rig.load.published(publishing) * listeners as u64) as f64;
    let lost = measures.get(&LOST).unwrap_or(f64::NAN);
    measures.put(&DELIVERY_PERCENT, (meant - lost) * 100.0 / meant);
    Ok(measures)
}
