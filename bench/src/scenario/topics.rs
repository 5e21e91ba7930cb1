//! `topics`: very many topics of one message each, then of two, and one listener to all of them.

use super::rig::{END_WAIT, OPEN_WAIT, Rig, warn_if_client_bound};
use crate::bench::Bench;
use crate::load::{Begin, Pace, PublishPlan};
use crate::report::metric::{ANON_BYTES, TOPIC_BYTES};
use crate::report::{Measures, Report};
use crate::target::Target;

const TOPICS: usize = 100_000;
/// Connections that publish.
const SPEAKERS: usize = 16;
const MESSAGE_BYTES: usize = 128;
/// What matches all of them.
const FILTER: &str = "bench/topics/*";

/// Runs the scenario.
pub(super) fn run(bench: &Bench, targets: &[Target], report: &mut Report) -> anyhow::Result<()> {
    let topics = bench.size(TOPICS, 500);
    report.note(format!(
        "one message of {MESSAGE_BYTES} bytes to each of {topics} topics, and then another, by \
         {SPEAKERS} publishers that wait for their answers; the times are those of an answer; memory \
         is what the target's grew by since it had none, the messages included"
    ));
    for via in bench.via(&["ws"]) {
        let labels = |what: &str| [("via", via.clone()), ("messages", what.to_owned())];
        let mut second = Vec::new();
        bench.alternate(report, &labels("first"), targets, |target| {
            let (one, two) = measure(bench, target, &via, topics)?;
            second.push((target.name.clone(), two));
            Ok(one)
        })?;
        for (target, measures) in second {
            report.add(&labels("second"), &target, measures);
        }
    }
    warn_if_client_bound(report);
    Ok(())
}

fn measure(
    bench: &Bench,
    target: &Target,
    via: &str,
    topics: usize,
) -> anyhow::Result<(Measures, Measures)> {
    let mut rig = Rig::start(bench, target)?;
    let (publishing, streams) = rig.speak(PublishPlan {
        topics: (0..topics).map(|number| format!("bench/topics/{number}")).collect(),
        connections: SPEAKERS,
        bytes: MESSAGE_BYTES,
        batch: 1,
        pace: Pace::Answered,
    })?;
    let plan = rig.plan(via, Begin::Now, false)?;
    let group = rig.listen(&plan, FILTER, &streams.as_one(topics), 1)?;
    rig.load.until_open(OPEN_WAIT)?;
    let before = rig.running.processes().memory();
    let mut pass = || {
        rig.load.begin(publishing, topics as u64);
        let cost = rig.cost(|load| {
            load.until("every topic has its message", END_WAIT, |load| {
                load.publishing(publishing).is_done()
            })
        })?;
        let mut measures = rig.spoken(publishing, 1, cost);
        let mut growth = Measures::default();
        rig.growth(before, topics, &mut growth);
        measures.put(&TOPIC_BYTES, growth.get(&ANON_BYTES).unwrap_or(f64::NAN));
        anyhow::Ok(measures)
    };
    let (first, mut second) = (pass()?, pass()?);
    rig.end(publishing, group, &mut second)?;
    Ok((first, second))
}
