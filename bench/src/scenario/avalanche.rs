//! `avalanche`: all listeners lose their connections in the same moment and come back at once with
//! what they were told last. The network cuts them, or the server is killed and started again.

use std::time::{Duration, Instant};

use super::rig::{END_WAIT, OPEN_WAIT, Rig};
use crate::bench::Bench;
use crate::load::{Begin, Pace, PublishPlan};
use crate::report::metric::{CPU_S_PER_MILLION, FAILED, SECONDS};
use crate::report::{Measures, Report};
use crate::target::Target;

const LISTENERS: usize = 15_000;
const MESSAGE_BYTES: usize = 128;
/// Messages before the cut, and again behind it.
const MESSAGES: u64 = 10;
const RATE: f64 = 20.0;
const TOPIC: &str = "bench/avalanche";

/// What cuts them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Network,
    Kill,
}

/// Runs the scenario.
pub(super) fn run(bench: &Bench, targets: &[Target], report: &mut Report) -> anyhow::Result<()> {
    let listeners = bench.listeners(LISTENERS, 50);
    report.note(format!(
        "{listeners} listeners of one topic; seconds are from the cut until all listen again, the \
         start of a killed target included; CPU is for a million listeners that come back"
    ));
    for via in bench.via(&["ws", "sse"]) {
        for (name, cause) in [("network", Cause::Network), ("kill", Cause::Kill)] {
            let labels = [("via", via.clone()), ("cause", name.to_owned())];
            // What keeps nothing has nothing to come back to when it was killed.
            let keeps = |target: &&Target| cause == Cause::Network || target.mode != "volatile";
            let targets: Vec<Target> = targets.iter().filter(keeps).cloned().collect();
            bench.alternate(report, &labels, &targets, |target| {
                measure(bench, target, &via, listeners, cause)
            })?;
        }
    }
    Ok(())
}

fn measure(
    bench: &Bench,
    target: &Target,
    via: &str,
    listeners: usize,
    cause: Cause,
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
    publish(&mut rig, publishing)?;
    let mut measures = Measures::default();
    let begin = Instant::now();
    let processes = rig.running.processes();
    let before = processes.cpu();
    match cause {
        Cause::Network => rig.load.cut(group, 0..listeners, Duration::ZERO),
        Cause::Kill => {
            rig.running.kill_and_restart()?;
        }
    }
    // Those whose server was killed learn it only when they look.
    let learn = if cause == Cause::Kill { listeners as u64 } else { 0 };
    rig.load.until("all listen again", END_WAIT, |load| {
        load.heard(group).broken >= learn && load.is_open()
    })?;
    measures.put(&SECONDS, begin.elapsed().as_secs_f64());
    if cause == Cause::Network {
        let cpu = (processes.cpu() - before).total();
        measures.put(&CPU_S_PER_MILLION, cpu * 1e6 / listeners as f64);
    }
    publish(&mut rig, publishing)?;
    rig.end(publishing, group, &mut measures)?;
    // That connections broke is the point here; that messages were refused is not.
    measures.set(&FAILED, rig.load.publishing(publishing).refused as f64);
    Ok(measures)
}

fn publish(rig: &mut Rig, publishing: usize) -> anyhow::Result<()> {
    rig.load.begin(publishing, MESSAGES);
    rig.load
        .until("the messages are published", END_WAIT, |load| load.publishing(publishing).is_done())
}
