//! `catchup`: clients come back after long and read a history that is no longer in memory, while
//! live traffic goes to others. What the live ones feel of it is what is measured.

use std::time::Duration;

use super::rig::{END_WAIT, OPEN_WAIT, Rig, forget_files, warn_if_client_bound};
use crate::bench::{Bench, Size};
use crate::load::{Begin, Pace, PublishPlan};
use crate::report::metric::{CLIENT_CPU_PERCENT, DELIVERED_PER_S, HISTORY_PER_S, SECONDS};
use crate::report::metric::{CPU_PERCENT, FAILED, MAX_MS, P50_MS, P99_MS, P999_MS};
use crate::report::{Measures, Report};
use crate::target::Target;

/// The bytes of a message.
const MESSAGE_BYTES: usize = 200;
/// Messages of one publish of the history.
const BATCH: usize = 1000;
/// Live messages a second, each to all live listeners.
const LIVE_RATE: f64 = 20.0;
const LIVE_TOPIC: &str = "bench/live";
const HISTORY_TOPIC: &str = "bench/history";

/// Listeners to what is live.
const LIVE: usize = 1000;

/// Who comes back, and to how many messages: few to a long history, and many to a short one.
const RETURNING: [Returning; 2] =
    [Returning { clients: 50, history: 200_000 }, Returning { clients: 5000, history: 2000 }];
const FEW_RETURNING: [Returning; 1] = [Returning { clients: 3, history: 20_000 }];

#[derive(Clone, Copy)]
struct Returning {
    clients: usize,
    history: usize,
}

/// Runs the scenario.
pub(super) fn run(bench: &Bench, targets: &[Target], report: &mut Report) -> anyhow::Result<()> {
    let (live, returning): (usize, &[Returning]) = match bench.size {
        Size::Full => (LIVE, &RETURNING),
        Size::Small => (20, &FEW_RETURNING),
    };
    report.note(format!(
        "a history of messages of {MESSAGE_BYTES} bytes on one topic, dropped from the page cache; the \
         clients all read all of it, while {live} others get {LIVE_RATE} live messages a second on \
         another topic; the times and delivered/s are those of the live ones"
    ));
    for via in bench.via(&["ws", "sse", "ndjson"]) {
        for returning in returning {
            let Returning { clients, history } = returning;
            let labels = |what: &str| {
                let crowd = format!("{clients} of {history}");
                [("via", via.clone()), ("clients", crowd), ("what", what.to_owned())]
            };
            // Both halves belong to one run of the target, so they are told apart by hand.
            let mut with = Vec::new();
            bench.alternate(report, &labels("live alone"), targets, |target| {
                let (alone, together) = measure(bench, target, &via, live, *returning)?;
                with.push((target.name.clone(), together));
                Ok(alone)
            })?;
            for (target, measures) in with {
                report.add(&labels("live beside catch-up"), &target, measures);
            }
        }
    }
    warn_if_client_bound(report);
    Ok(())
}

fn measure(
    bench: &Bench,
    target: &Target,
    via: &str,
    live_listeners: usize,
    returning: Returning,
) -> anyhow::Result<(Measures, Measures)> {
    let Returning { clients, history } = returning;
    let mut rig = Rig::start(bench, target)?;
    let plan = |topic: &str, connections, batch, pace| PublishPlan {
        topics: vec![topic.to_owned()],
        connections,
        bytes: MESSAGE_BYTES,
        batch,
        pace,
    };
    let (old, old_streams) = rig.speak(plan(HISTORY_TOPIC, 1, BATCH, Pace::Answered))?;
    let (live, live_streams) = rig.speak(plan(LIVE_TOPIC, 1, 1, Pace::Rate(LIVE_RATE)))?;
    rig.load.until_open(OPEN_WAIT)?;
    rig.load.begin(old, (history / BATCH) as u64);
    rig.load.until("the history is written", END_WAIT, |load| load.publishing(old).is_done())?;
    let now = rig.plan(via, Begin::Now, false)?;
    let listeners = rig.listen(&now, LIVE_TOPIC, &live_streams, live_listeners)?;
    rig.load.until_open(OPEN_WAIT)?;
    rig.load.begin(live, u64::MAX);
    rig.load.run(Duration::from_secs_f64(bench.seconds() / 5.0))?;
    let cost = rig.span(bench.seconds())?;
    let mut alone = of_the_live(&rig.heard(listeners, cost));
    rig.late(live, &mut alone);

    forget_files(rig.running.folder().path())?;
    let start = rig.plan(via, Begin::Start, false)?;
    let returning = rig.listen(&start, HISTORY_TOPIC, &old_streams, clients)?;
    let wanted = (history * clients) as u64;
    let cost = rig.cost(|load| {
        load.until("the history is read", END_WAIT, |load| {
            load.heard(returning).delivered >= wanted
        })
    })?;
    let mut together = of_the_live(&rig.heard(listeners, cost));
    together.put(&SECONDS, cost.seconds).put(&HISTORY_PER_S, wanted as f64 / cost.seconds);
    rig.late(live, &mut together);
    rig.end(live, listeners, &mut alone)?;
    rig.faults(returning, &mut together);
    together.put(&FAILED, rig.load.heard(returning).broken as f64);
    Ok((alone, together))
}

/// The figures of the live listeners; processor time is everyone's, and not for each delivery.
fn of_the_live(all: &Measures) -> Measures {
    let mut measures = Measures::default();
    for metric in
        [&DELIVERED_PER_S, &P50_MS, &P99_MS, &P999_MS, &MAX_MS, &CPU_PERCENT, &CLIENT_CPU_PERCENT]
    {
        measures.put(metric, all.get(metric).unwrap_or(f64::NAN));
    }
    measures
}
