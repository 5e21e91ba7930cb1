//! The scenarios, in one visible list. What a figure means stands in the scenario's own file.

mod avalanche;
mod catchup;
mod drops;
mod fanout;
mod idle;
pub(crate) mod log;
mod publish;
mod rig;
mod rooms;
mod sizes;
mod slow;
mod topics;

use anyhow::{Context, ensure};

use crate::bench::Bench;
use crate::machine::packets_dropped;
use crate::report::Report;
use crate::report::metric::{DUPLICATED, FAILED, LOST, REORDERED};
use crate::target::Target;

/// One thing to measure.
struct Scenario {
    /// Its name on the command line, and that of its report.
    name: &'static str,
    /// What it does.
    about: &'static str,
    /// The targets it usually loads.
    targets: &'static [&'static str],
    /// Does it.
    run: fn(&Bench, &[Target], &mut Report) -> anyhow::Result<()>,
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "log",
        about: "the log on disk alone: appends, what they cost, and how long it takes to open",
        targets: &[],
        run: log::run,
    },
    Scenario {
        name: "publish",
        about: "publishers that wait for their answers, in memory and on disk",
        targets: &["tidings:volatile", "tidings:os", "tidings:fsync"],
        run: publish::run,
    },
    Scenario {
        name: "catchup",
        about: "clients that come back and read a long cold history beside live traffic",
        targets: &["tidings:fsync"],
        run: catchup::run,
    },
    Scenario {
        name: "fanout",
        about: "one topic and many listeners, at five messages a second and as fast as it goes",
        targets: &["tidings"],
        run: fanout::run,
    },
    Scenario {
        name: "rooms",
        about: "2,000 topics with ten listeners each",
        targets: &["tidings"],
        run: rooms::run,
    },
    Scenario {
        name: "idle",
        about: "15,000 connections that only wait: memory, and what waiting costs",
        targets: &["tidings"],
        run: idle::run,
    },
    Scenario {
        name: "slow",
        about: "one listener in ten reads slowly: what the others feel, and what it costs",
        targets: &["tidings"],
        run: slow::run,
    },
    Scenario {
        name: "avalanche",
        about: "15,000 listeners are cut at once, by the network or because the server was killed",
        targets: &["tidings:fsync"],
        run: avalanche::run,
    },
    Scenario {
        name: "drop",
        about: "every listener is away for two seconds: how much of everything arrives",
        targets: &["tidings"],
        run: drops::run,
    },
    Scenario {
        name: "sizes",
        about: "large messages to a hundred listeners",
        targets: &["tidings"],
        run: sizes::run,
    },
    Scenario {
        name: "topics",
        about: "100,000 topics and one listener to all of them",
        targets: &["tidings", "tidings:fsync"],
        run: topics::run,
    },
];

/// Names all of them.
pub(crate) fn list() {
    for Scenario { name, about, .. } in SCENARIOS {
        println!("{name:12} {about}");
    }
}

/// Runs one and publishes its report.
///
/// # Errors
/// When there is none of this name, or it fails.
pub(crate) fn run(name: &str, bench: &Bench) -> anyhow::Result<()> {
    let scenario = SCENARIOS
        .iter()
        .find(|scenario| scenario.name == name)
        .with_context(|| format!("no scenario `{name}`; `list` names all"))?;
    let targets = bench.targets(scenario.targets)?;
    let mut facts = bench.facts(&targets);
    let dropped = packets_dropped();
    bench.load_cores.move_here()?;
    let mut report = Report::default();
    (scenario.run)(bench, &targets, &mut report).with_context(|| format!("in {name}"))?;
    let called = bench.name.as_deref().unwrap_or(name);
    facts.put_drops(dropped);
    report.publish(called, &facts, &bench.out)?;
    if let Some(page) = &bench.docs {
        report.put_into(page, called, &facts)?;
    }
    if bench.strict {
        for metric in [&LOST, &DUPLICATED, &REORDERED, &FAILED] {
            let total = report.total(metric);
            ensure!(total == 0.0, "{name}: {}: {total}", metric.title);
        }
    }
    Ok(())
}
