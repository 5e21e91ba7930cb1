//! A target and the load on it, and measuring both over the same span.

use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::bench::Bench;
use crate::load::{Begin, ListenPlan, Load, PublishPlan, Streams, Trust};
use crate::machine::{Cpu, Memory, Processes};
use crate::report::metric::{
    ANON_BYTES, CLIENT_CPU_PERCENT, CLIENT_LATE_MS, CPU_PERCENT, CPU_S_PER_MILLION,
    CPU_USER_PERCENT, DELIVERED_PER_S, DUPLICATED, FAILED, LOST, PSS_BYTES, PUBLISHED_PER_S,
    REORDERED, RSS_BYTES,
};
use crate::report::{Measures, Report};
use crate::target::{Running, Target};

/// How long connections may take to open.
pub(super) const OPEN_WAIT: Duration = Duration::from_secs(120);
/// How long a load may take to come to its end.
pub(super) const END_WAIT: Duration = Duration::from_secs(300);
/// Nothing more comes when nothing came for so long.
pub(super) const SILENCE: Duration = Duration::from_secs(3);
/// From this share of its core on, it is the load generator that is measured.
const CLIENT_CPU_PERCENT_MAX: f64 = 90.0;

/// A running target and the load on it.
pub(super) struct Rig {
    /// Dropped first, so that the target has nobody to say goodbye to.
    pub(super) load: Load,
    pub(super) running: Running,
    target: Target,
}

/// What a span of time cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cost {
    pub(super) seconds: f64,
    /// The target's processor time.
    pub(super) target: Cpu,
    /// The load generator's.
    pub(super) own: Cpu,
}

impl Rig {
    /// Starts a target; there is no load yet.
    pub(super) fn start(bench: &Bench, target: &Target) -> anyhow::Result<Rig> {
        let running = bench.start(target)?;
        let trust = running.certificate().map(|path| Trust::of(&path)).transpose()?;
        let load = Load::new(running.address(), trust)?;
        Ok(Rig { running, load, target: target.clone() })
    }

    /// Adds publishers.
    pub(super) fn speak(&mut self, plan: PublishPlan) -> anyhow::Result<(usize, Streams)> {
        let publishing = self.load.speak(self.target.publish(), plan)?;
        Ok((publishing, self.load.streams(publishing)))
    }

    /// A plan for listeners of one kind.
    pub(super) fn plan(
        &self,
        via: &str,
        begin: Begin,
        resume: bool,
    ) -> anyhow::Result<Rc<ListenPlan>> {
        /// How often those poll whose requests are not held.
        const POLL_EVERY_NS: u64 = 1_000_000_000;
        let via = self.target.via.as_deref().unwrap_or(via);
        let form = self.target.form.subscribe.get(via).cloned();
        let form = form.with_context(|| format!("listening by `{via}` is not described"))?;
        let host = self.running.address().to_string();
        Ok(Rc::new(ListenPlan { form, host, begin, resume, poll_every: POLL_EVERY_NS }))
    }

    /// Adds a group of so many listeners to the first topic of a publishing.
    pub(super) fn listen(
        &mut self,
        plan: &Rc<ListenPlan>,
        topic: &str,
        streams: &Streams,
        count: usize,
    ) -> anyhow::Result<usize> {
        let group = self.load.group()?;
        for _ in 0..count {
            self.load.listen(group, plan, (0, topic), streams, None)?;
        }
        Ok(group)
    }

    /// Adds a group of so many listeners to each of these topics.
    pub(super) fn listen_to_each(
        &mut self,
        plan: &Rc<ListenPlan>,
        topics: &[String],
        streams: &Streams,
        count: usize,
    ) -> anyhow::Result<usize> {
        let group = self.load.group()?;
        for (index, topic) in topics.iter().enumerate() {
            for _ in 0..count {
                self.load.listen(group, plan, (index, topic), streams, None)?;
            }
        }
        Ok(group)
    }

    /// Measures what it costs while the load runs for a while.
    pub(super) fn span(&mut self, seconds: f64) -> anyhow::Result<Cost> {
        self.cost(|load| load.run(Duration::from_secs_f64(seconds)))
    }

    /// Measures what it costs while something is done with the load.
    pub(super) fn cost(
        &mut self,
        act: impl FnOnce(&mut Load) -> anyhow::Result<()>,
    ) -> anyhow::Result<Cost> {
        self.load.begin_measurement();
        let (processes, own) = (self.running.processes(), Processes::own());
        let (begin, target_before, own_before) = (Instant::now(), processes.cpu(), own.cpu());
        act(&mut self.load)?;
        Ok(Cost {
            seconds: begin.elapsed().as_secs_f64(),
            target: processes.cpu() - target_before,
            own: own.cpu() - own_before,
        })
    }

    /// What a group heard in the span that was measured last.
    pub(super) fn heard(&self, group: usize, cost: Cost) -> Measures {
        let heard = self.load.heard(group);
        let mut measures = Measures::default();
        measures.put(&DELIVERED_PER_S, heard.delivered as f64 / cost.seconds);
        heard.latency.put(&mut measures);
        cost.put(&mut measures, heard.delivered);
        measures
    }

    /// What a publishing did in the span that was measured last.
    pub(super) fn spoken(&self, publishing: usize, batch: usize, cost: Cost) -> Measures {
        let publishing = self.load.publishing(publishing);
        let messages = publishing.accepted * batch as u64;
        let mut measures = Measures::default();
        measures.put(&PUBLISHED_PER_S, messages as f64 / cost.seconds);
        publishing.answers.put(&mut measures);
        cost.put(&mut measures, messages);
        measures.put(&FAILED, publishing.refused as f64);
        measures
    }

    /// Puts how late the load generator was itself.
    pub(super) fn late(&self, publishing: usize, measures: &mut Measures) {
        let late = self.load.publishing(publishing).late_max;
        measures.put(&CLIENT_LATE_MS, late as f64 / 1e6);
    }

    /// Stops a publishing, waits until everything has arrived that will, and puts what did not.
    pub(super) fn end(
        &mut self,
        publishing: usize,
        group: usize,
        measures: &mut Measures,
    ) -> anyhow::Result<()> {
        self.load.stop(publishing);
        self.load.until("publishing has ended", END_WAIT, |load| {
            load.publishing(publishing).is_done()
        })?;
        self.load.settle(group, SILENCE)?;
        self.faults(group, measures);
        let refused = self.load.publishing(publishing).refused;
        let broken = self.load.heard(group).broken;
        measures.set(&FAILED, (refused + broken) as f64);
        Ok(())
    }

    /// Puts what the target's memory grew by for each of so many things.
    pub(super) fn growth(&self, before: Memory, count: usize, measures: &mut Measures) {
        let now = self.running.processes().memory();
        let each = |now: u64, before: u64| now.saturating_sub(before) as f64 / count as f64;
        measures
            .put(&ANON_BYTES, each(now.anonymous, before.anonymous))
            .put(&RSS_BYTES, each(now.resident, before.resident))
            .put(&PSS_BYTES, each(now.proportional, before.proportional));
    }

    /// Puts what was wrong with what a group heard.
    pub(super) fn faults(&self, group: usize, measures: &mut Measures) {
        let faults = self.load.heard(group).faults;
        measures
            .put(&LOST, self.load.lost(group) as f64)
            .put(&DUPLICATED, (faults.duplicated + faults.foreign) as f64)
            .put(&REORDERED, faults.reordered as f64);
    }
}

impl Cost {
    /// Puts the target's processor time for so many deliveries or messages, and our own.
    pub(super) fn put(self, measures: &mut Measures, count: u64) {
        let total = self.target.total();
        measures
            .put(&CPU_S_PER_MILLION, if count > 0 { total * 1e6 / count as f64 } else { f64::NAN })
            .put(&CPU_USER_PERCENT, self.target.user * 100.0 / total)
            .put(&CPU_PERCENT, total * 100.0 / self.seconds)
            .put(&CLIENT_CPU_PERCENT, self.own.total() * 100.0 / self.seconds);
    }
}

/// Tells when it was the load generator that was measured.
pub(super) fn warn_if_client_bound(report: &mut Report) {
    let bound = |round: &Measures| {
        round.get(&CLIENT_CPU_PERCENT).is_some_and(|percent| percent > CLIENT_CPU_PERCENT_MAX)
    };
    if report.rows.iter().flat_map(|row| &row.rounds).any(bound) {
        report.note(
            "where client CPU is above 90 %, the load generator was the limit, and the target may \
             be faster than shown",
        );
    }
}

/// Has the system forget what it keeps of the files below a folder, so that they are read from
/// the disk.
pub(super) fn forget_files(folder: &Path) -> anyhow::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            forget_files(&path)?;
        } else if let Ok(file) = std::fs::File::open(&path) {
            file.sync_all()?;
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed)?;
        }
    }
    Ok(())
}
