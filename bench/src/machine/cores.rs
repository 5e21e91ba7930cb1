//! Which processor cores the target has and which the load generator, so that neither takes from
//! the other.

use std::fmt;

use anyhow::{Context, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Some cores, by their numbers, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cores(Vec<usize>);

impl Cores {
    /// The cores that this process may use.
    ///
    /// # Errors
    /// When the system does not say.
    pub(crate) fn ours() -> anyhow::Result<Cores> {
        let set = sched_getaffinity(None).context("cannot see which cores there are")?;
        Ok(Cores((0..CpuSet::MAX_CPU).filter(|core| set.is_set(*core)).collect()))
    }

    /// Some of them for the target and the others for the load; all for both where there is one.
    pub(crate) fn split(&self) -> (Cores, Cores) {
        if self.0.len() < 2 {
            return (self.clone(), self.clone());
        }
        let (target, load) = self.0.split_at(self.0.len() / 2);
        (Cores(target.to_vec()), Cores(load.to_vec()))
    }

    /// Reads `0,2-3`.
    ///
    /// # Errors
    /// When it is not of that form.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Cores> {
        let mut cores = Vec::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let number = |text: &str| {
                text.parse::<usize>().with_context(|| format!("`{text}` is no core; try 0,2-3"))
            };
            let (first, last) = (number(first)?, number(last)?);
            ensure!(first <= last && last < CpuSet::MAX_CPU, "`{part}` is no range of cores");
            cores.extend(first..=last);
        }
        Ok(Cores(cores))
    }

    /// Whether there is a core in both.
    pub(crate) fn overlap(&self, other: &Cores) -> bool {
        self.0.iter().any(|core| other.0.contains(core))
    }

    /// Moves the calling thread, and those it will start, onto them.
    ///
    /// # Errors
    /// When there are no such cores.
    pub(crate) fn move_here(&self) -> anyhow::Result<()> {
        let mut set = CpuSet::new();
        self.0.iter().for_each(|core| set.set(*core));
        sched_setaffinity(None, &set).with_context(|| format!("cannot run on the cores {self}"))
    }
}

impl fmt::Display for Cores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let numbers: Vec<String> = self.0.iter().map(usize::to_string).collect();
        f.write_str(&numbers.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_read_and_split() {
        let cores = Cores::parse("0,2-4").unwrap();
        assert_eq!(cores.to_string(), "0,2,3,4");
        let (target, load) = cores.split();
        assert_eq!((target.to_string(), load.to_string()), ("0,2".into(), "3,4".into()));
        assert!(!target.overlap(&load));
        let one = Cores::parse("5").unwrap();
        assert_eq!(one.split(), (one.clone(), one));
        for wrong in ["", "a", "3-1", "0,", "0-99999999"] {
            assert!(Cores::parse(wrong).is_err(), "{wrong}");
        }
    }
}
