//! `sizes`: as `fanout` at full speed, with messages that are not small.

use super::fanout::{Shape, measure};
use super::rig::warn_if_client_bound;
use crate::bench::Bench;
use crate::load::Pace;
use crate::report::Report;
use crate::target::Target;

/// The bytes of a message.
const SIZES: &[usize] = &[1 << 10, 64 << 10];
const LISTENERS: usize = 100;
/// Messages that are not at all of their listeners.
const WINDOW: u64 = 10;

/// Runs the scenario.
pub(super) fn run(bench: &Bench, targets: &[Target], report: &mut Report) -> anyhow::Result<()> {
    let listeners = bench.listeners(LISTENERS, 5);
    report.note(format!("{listeners} listeners of one topic, {WINDOW} messages under way"));
    for via in bench.via(&["ws", "sse"]) {
        for &bytes in SIZES {
            let labels = [("via", via.clone()), ("bytes", bytes.to_string())];
            let pace = Pace::Delivered { window: WINDOW, listeners: listeners as u64 };
            let shape = Shape { listeners, bytes, pace };
            bench.alternate(report, &labels, targets, |target| {
                measure(bench, target, &via, &shape)
            })?;
        }
    }
    warn_if_client_bound(report);
    Ok(())
}
