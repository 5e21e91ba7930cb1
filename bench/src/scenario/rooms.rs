//! `rooms`: many topics with a few listeners each, as a chat has them.

use super::rig::{OPEN_WAIT, Rig, warn_if_client_bound};
use crate::bench::Bench;
use crate::load::{Begin, Pace, PublishPlan};
use crate::machine::open_files_max;
use crate::report::{Measures, Report};
use crate::target::Target;

const ROOMS: usize = 2000;
/// In each room.
const LISTENERS: usize = 10;
/// Connections that publish, to all rooms in turns.
const SPEAKERS: usize = 8;
const MESSAGE_BYTES: usize = 128;
/// Files that a process has open besides its connections, with room to spare.
const OTHER_FILES: usize = 200;
/// Messages a second over all rooms.
const RATE: f64 = 1000.0;
/// Messages that are not at all of their listeners, at full speed.
const WINDOW: u64 = 128;

/// Runs the scenario.
pub(super) fn run(bench: &Bench, targets: &[Target], report: &mut Report) -> anyhow::Result<()> {
    let possible = open_files_max().saturating_sub(OTHER_FILES) / LISTENERS;
    let rooms = bench.size(ROOMS.min(possible), 20);
    report.note(format!(
        "{rooms} topics with {LISTENERS} listeners each, {SPEAKERS} publishers, messages of \
         {MESSAGE_BYTES} bytes; a process may have {} files open",
        open_files_max()
    ));
    let full = Pace::Delivered { window: WINDOW, listeners: LISTENERS as u64 };
    for via in bench.via(&["ws", "sse"]) {
        for (name, pace) in [(format!("{RATE}/s"), Pace::Rate(RATE)), ("full".to_owned(), full)] {
            let labels = [("via", via.clone()), ("pace", name)];
            bench.alternate(report, &labels, targets, |target| {
                measure(bench, target, &via, rooms, pace)
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
    rooms: usize,
    pace: Pace,
) -> anyhow::Result<Measures> {
    let mut rig = Rig::start(bench, target)?;
    let topics: Vec<String> = (0..rooms).map(|room| format!("bench/room/{room}")).collect();
    let (publishing, streams) = rig.speak(PublishPlan {
        topics: topics.clone(),
        connections: SPEAKERS,
        bytes: MESSAGE_BYTES,
        batch: 1,
        pace,
    })?;
    let plan = rig.plan(via, Begin::Now, false)?;
    let group = rig.listen_to_each(&plan, &topics, &streams, LISTENERS)?;
    rig.load.until_open(OPEN_WAIT)?;
    rig.load.begin(publishing, u64::MAX);
    rig.span(bench.seconds() / 5.0)?;
    let cost = rig.span(bench.seconds())?;
    let mut measures = rig.heard(group, cost);
    rig.late(publishing, &mut measures);
    rig.end(publishing, group, &mut measures)?;
    Ok(measures)
}
