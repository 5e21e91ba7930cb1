//! What all scenarios share: the options, starting targets, and rounds in turns.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;

use crate::install::brought;
use crate::machine::{Cores, Facts, version_of};
use crate::report::{Measures, Report};
use crate::target::{Place, Running, Target, fill};

/// How long a small load lasts.
const SECONDS_SMALL: f64 = 0.4;

/// How big a load is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// What the scenario is about.
    Full,
    /// Enough to see that it works.
    Small,
}

/// The options of a run.
#[derive(Debug)]
pub(crate) struct Bench {
    /// What to load; empty: what the scenario usually loads.
    pub(crate) targets: Vec<Target>,
    /// The ways to listen; empty: those of the scenario.
    pub(crate) via: Vec<String>,
    /// How many listeners there are; empty: as many as the scenario has.
    pub(crate) listeners: Vec<usize>,
    /// How often each measurement is made.
    pub(crate) rounds: usize,
    /// How long each lasts.
    pub(crate) seconds: f64,
    /// How big the load is.
    pub(crate) size: Size,
    /// Whether anything that goes wrong is an error.
    pub(crate) strict: bool,
    /// Cores of the target.
    pub(crate) target_cores: Cores,
    /// Cores of the load generator.
    pub(crate) load_cores: Cores,
    /// The server's program.
    pub(crate) binary: PathBuf,
    /// Where targets keep their data.
    pub(crate) folder: PathBuf,
    /// Where reports go.
    pub(crate) out: PathBuf,
    /// The name of the report, when it is not the scenario's.
    pub(crate) name: Option<String>,
    /// A page that shows the report.
    pub(crate) docs: Option<PathBuf>,
    /// Environment for every target.
    pub(crate) settings: Vec<(String, String)>,
}

/// Names and values that tell one load from another.
pub(crate) type Labels<'a> = &'a [(&'static str, String)];

impl Bench {
    /// How often each measurement is made.
    pub(crate) fn rounds(&self) -> usize {
        if self.size == Size::Small { 1 } else { self.rounds.max(1) }
    }

    /// How long each lasts.
    pub(crate) fn seconds(&self) -> f64 {
        if self.size == Size::Small { SECONDS_SMALL } else { self.seconds }
    }

    /// A number of the scenario in the size that is wanted.
    pub(crate) fn size<T>(&self, full: T, small: T) -> T {
        if self.size == Size::Small { small } else { full }
    }

    /// How many listeners there are: as asked for, else so many, or fewer when it is small.
    pub(crate) fn listeners(&self, full: usize, small: usize) -> usize {
        self.size(self.listeners.first().copied().unwrap_or(full), small)
    }

    /// What to load: as asked for, else these.
    ///
    /// # Errors
    /// When one of these is no target.
    pub(crate) fn targets(&self, usual: &[&str]) -> anyhow::Result<Vec<Target>> {
        let settled = |target: Target| target.with(&self.settings);
        if self.targets.is_empty() {
            usual.iter().map(|text| Target::parse(text).map(settled)).collect()
        } else {
            Ok(self.targets.iter().cloned().map(settled).collect())
        }
    }

    /// The ways to listen: as asked for, else these.
    pub(crate) fn via(&self, usual: &[&str]) -> Vec<String> {
        if self.via.is_empty() {
            usual.iter().map(|name| (*name).to_owned()).collect()
        } else {
            self.via.clone()
        }
    }

    /// Starts a target on its cores.
    ///
    /// # Errors
    /// When it does not start.
    pub(crate) fn start(&self, target: &Target) -> anyhow::Result<Running> {
        let place = Place {
            cores: &self.target_cores,
            folder: &self.folder,
            binary: &self.binary,
            npm: &brought(target, &self.out, "npm"),
            pypi: &brought(target, &self.out, "pypi"),
        };
        Running::start(target, place)
            .with_context(|| format!("cannot run {}; is it installed?", target.name))
    }

    /// Measures every target in each round: forth in one, back in the next, so that what changes
    /// slowly on the machine favours none.
    ///
    /// # Errors
    /// When a measurement fails.
    pub(crate) fn alternate(
        &self,
        report: &mut Report,
        labels: Labels<'_>,
        targets: &[Target],
        mut measure: impl FnMut(&Target) -> anyhow::Result<Measures>,
    ) -> anyhow::Result<()> {
        let shown: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        for round in 0..self.rounds() {
            let mut order: Vec<&Target> = targets.iter().collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for target in order {
                let (number, all) = (round + 1, self.rounds());
                eprintln!("{} {} (round {number} of {all})", target.name, shown.join(" "));
                let measures = measure(target).map_err(|error| {
                    error.context(format!("{} {}", target.name, shown.join(" ")))
                })?;
                report.add(labels, &target.name, measures);
            }
        }
        Ok(())
    }

    /// What has to be known to judge the figures.
    pub(crate) fn facts(&self, targets: &[Target]) -> Facts {
        let mut facts = Facts::of_this_machine();
        facts.put("source", source());
        let shared = self.target_cores.overlap(&self.load_cores);
        facts.put("target on cores", self.target_cores.to_string());
        let note = if shared { " (shared with the target)" } else { "" };
        facts.put("load on cores", format!("{}{note}", self.load_cores));
        facts.put("rounds", self.rounds());
        facts.put("seconds of each", self.seconds());
        if self.size == Size::Small {
            facts.put("size", "small: this shows that it works, and measures nothing");
        }
        for target in targets {
            let binary = target.binary.as_ref().unwrap_or(&self.binary).display().to_string();
            let pypi = brought(target, &self.out, "pypi").display().to_string();
            let values = [("binary", binary.as_str()), ("pypi", &pypi)];
            let command: Vec<String> =
                target.form.version.iter().map(|word| fill(word, &values)).collect();
            let version = version_of(&command);
            facts.put(target.name.clone(), format!("{}, {version}", target.form.about));
        }
        if !self.settings.is_empty() {
            let all = self.settings.iter().map(|(name, value)| format!("{name}={value}"));
            facts.put("settings", all.collect::<Vec<_>>().join(" "));
        }
        facts
    }
}

/// Which commit the tree is at, and whether it was changed since.
fn source() -> String {
    let git = |words: &[&str]| {
        let output = Command::new("git").args(words).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let commit = git(&["rev-parse", "--short", "HEAD"]).unwrap_or_else(|| "unknown".to_owned());
    let changed = git(&["status", "--porcelain"]).is_some_and(|text| !text.is_empty());
    if changed { format!("{commit}, changed since") } else { commit }
}
