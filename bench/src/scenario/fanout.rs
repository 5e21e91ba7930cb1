//! `fanout`: one topic, many listeners. At five messages a second it is the time that matters; as
//! fast as messages are delivered it is how many.

use super::rig::{OPEN_WAIT, Rig, warn_if_client_bound};
use crate::bench::Bench;
use crate::load::{Begin, Pace, PublishPlan};
use crate::report::{Measures, Report};
use crate::target::Target;

/// Listeners of the one topic.
const LISTENERS: &[usize] = &[1, 10, 100, 1000, 8000];
/// The bytes of a message.
const MESSAGE_BYTES: usize = 128;
/// Messages a second when it is not as fast as it goes.
const RATE: f64 = 5.0;
/// Deliveries under way when it is, as far as these messages allow.
const UNDER_WAY: u64 = 1024;
/// Messages under way when it is: enough that what comes while a message is on its way to thousands
/// can go with it.
const MESSAGES_UNDER_WAY: u64 = 64;
/// Connections that publish when it is.
const PUBLISHERS: usize = 16;
const TOPIC: &str = "bench/fanout";

/// Runs the scenario.
pub(super) fn run(bench: &Bench, targets: &[Target], report: &mut Report) -> anyhow::Result<()> {
    report.note(format!(
        "messages of {MESSAGE_BYTES} bytes; at full speed {PUBLISHERS} connections publish, and at most \
         {UNDER_WAY} deliveries, or {MESSAGES_UNDER_WAY} messages, are under way, so those times are of \
         a queue that is never empty; CPU is for a million deliveries"
    ));
    let asked = Some(&bench.listeners[..]).filter(|asked| !asked.is_empty());
    let all = bench.size(asked.unwrap_or(LISTENERS), &[1, 20]);
    for via in bench.via(&["ws", "sse", "ndjson", "longpoll"]) {
        for &listeners in all {
            let window = (UNDER_WAY / listeners as u64).max(MESSAGES_UNDER_WAY);
            let full = Pace::Delivered { window, listeners: listeners as u64 };
            let paces = [(format!("{RATE}/s"), Pace::Rate(RATE)), ("full".to_owned(), full)];
            for (name, pace) in paces {
                let labels =
                    [("via", via.clone()), ("listeners", listeners.to_string()), ("pace", name)];
                let shape = Shape { listeners, bytes: MESSAGE_BYTES, pace };
                bench.alternate(report, &labels, targets, |target| {
                    measure(bench, target, &via, &shape)
                })?;
            }
        }
    }
    warn_if_client_bound(report);
    Ok(())
}

/// One load.
pub(super) struct Shape {
    pub(super) listeners: usize,
    /// Of a message.
    pub(super) bytes: usize,
    pub(super) pace: Pace,
}

/// Measures it.
pub(super) fn measure(
    bench: &Bench,
    target: &Target,
    via: &str,
    shape: &Shape,
) -> anyhow::Result<Measures> {
    let mut rig = Rig::start(bench, target)?;
    // Whoever waits for each answer is slower than what is measured.
    let connections = match shape.pace {
        Pace::Delivered { .. } => PUBLISHERS,
        Pace::Rate(_) | Pace::Answered => 1,
    };
    let (publishing, streams) = rig.speak(PublishPlan {
        topics: vec![TOPIC.to_owned()],
        connections,
        bytes: shape.bytes,
        batch: 1,
        pace: shape.pace,
    })?;
    let plan = rig.plan(via, Begin::Now, false)?;
    let group = rig.listen(&plan, TOPIC, &streams, shape.listeners)?;
    rig.load.until_open(OPEN_WAIT)?;
    rig.load.begin(publishing, u64::MAX);
    rig.span(bench.seconds() / 5.0)?;
    let cost = rig.span(bench.seconds())?;
    let mut measures = rig.heard(group, cost);
    rig.late(publishing, &mut measures);
    rig.end(publishing, group, &mut measures)?;
    Ok(measures)
}
