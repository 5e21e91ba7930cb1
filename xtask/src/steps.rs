//! The steps of `cargo xtask ci`, in one visible list, each with what it runs.
//!
//! It must never decide which steps run or in what order; that is `ci.rs`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::{bench, fuzz, say, setup, shell, sim, tidy};

/// How much of the checks is wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Everything.
    Full,
    /// What can be had within the inner loop of a change.
    Fast,
}

/// One step.
pub(crate) struct Step {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// What it proves or makes.
    pub(crate) about: &'static str,
    /// The steps without which it cannot succeed; they stand before it in the list.
    pub(crate) needs: &'static [&'static str],
    /// The least mode it is part of.
    pub(crate) mode: Mode,
    /// Does it.
    pub(crate) run: fn(Mode) -> anyhow::Result<()>,
}

/// Every step. What is quick to fail comes first.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "setup",
        about: "what the tests need is installed",
        needs: &[],
        mode: Mode::Full,
        run: |_| setup::run(),
    },
    Step {
        name: "fmt",
        about: "rustfmt would change nothing",
        needs: &["setup"],
        mode: Mode::Fast,
        run: |_| shell::run(&mut shell::cargo(["fmt", "--all", "--", "--check"])),
    },
    Step {
        name: "tidy",
        about: "the rules of the house that can be read off the tree",
        needs: &[],
        mode: Mode::Fast,
        run: |_| tidy::run(),
    },
    Step {
        name: "deny",
        about: "bans, licences and sources of all dependencies",
        needs: &["setup"],
        mode: Mode::Fast,
        run: |_| deny(),
    },
    Step {
        name: "clippy",
        about: "every lint in every target",
        needs: &["setup"],
        mode: Mode::Fast,
        run: |_| {
            let words = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
            shell::run(&mut shell::cargo(words))
        },
    },
    Step {
        name: "build",
        about: "the server as it is released",
        needs: &[],
        mode: Mode::Full,
        run: |_| shell::run(&mut release_build()),
    },
    Step {
        name: "test",
        about: "unit tests, wire transcripts, and the end-to-end tests in Rust",
        needs: &["setup", "build"],
        mode: Mode::Fast,
        run: test,
    },
    Step {
        name: "doctest",
        about: "the examples in the documentation",
        needs: &[],
        mode: Mode::Fast,
        run: |_| shell::run(&mut shell::cargo(["test", "--quiet", "--workspace", "--doc"])),
    },
    Step {
        name: "e2e",
        about: "a browser, npm clients and curl against the released server",
        needs: &["setup", "build"],
        mode: Mode::Full,
        run: |_| e2e(),
    },
    Step {
        name: "bench",
        about: "the load generator loses nothing, on small loads",
        needs: &["build"],
        mode: Mode::Full,
        run: |_| bench::smoke(),
    },
    Step {
        name: "counts",
        about: "the innermost work takes no more instructions and allocations than it did",
        needs: &["setup"],
        mode: Mode::Full,
        run: |_| bench::counts(),
    },
    Step {
        name: "fuzz",
        about: "every codec under whatever bytes, for some seconds each",
        needs: &[],
        mode: Mode::Full,
        run: |_| fuzz(),
    },
    Step {
        name: "sim",
        about: "the whole house, simulated from some hundred seeds",
        needs: &[],
        mode: Mode::Fast,
        run: |_| sim::run(sim::seeds(None, None)),
    },
];

/// The names of all steps.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    STEPS.iter().map(|step| step.name)
}

fn deny() -> anyhow::Result<()> {
    say::note("advisories need the network: for them, `cargo deny check advisories`");
    shell::run(&mut shell::cargo(["deny", "check", "bans", "licenses", "sources"]))
}

fn test(mode: Mode) -> anyhow::Result<()> {
    let mut command = shell::cargo(["nextest", "run", "--workspace", "--no-fail-fast"]);
    match mode {
        Mode::Full => {
            command.env("TIDINGS_BIN", binary()?);
        }
        // The end-to-end tests need the released server, which is not built in this mode.
        Mode::Fast => {
            if let Some(name) = package(Path::new("tests/Cargo.toml"))? {
                command.args(["--exclude", &name]);
            }
        }
    }
    shell::run(&mut command)?;
    if mode == Mode::Full {
        for (tests, why) in tidings_tests::faults_not_possible() {
            say::warning(&format!("the tests of {tests} were skipped: {why}"));
        }
    }
    Ok(())
}

fn e2e() -> anyhow::Result<()> {
    let npm = shell::on_path("npm").context("npm is missing; see `cargo xtask setup`")?;
    // Otherwise a log gets a form that is made for programs.
    let mut command = shell::command(npm, ["test", "--", "--test-reporter=spec"]);
    shell::run(command.current_dir("tests/e2e").env("TIDINGS_BIN", binary()?))
}

fn fuzz() -> anyhow::Result<()> {
    // It is a workspace of its own, which no other step sees.
    let mut format = shell::cargo(["fmt", "--", "--check"]);
    shell::run(format.current_dir(fuzz::FOLDER))?;
    fuzz::run(&fuzz::Options { target: None, seconds: fuzz::SECONDS, input: None })
}

/// What builds the server as it is released.
pub(crate) fn release_build() -> Command {
    shell::cargo(["build", "--release", "--package", "tidings-server"])
}

/// Where that puts it.
pub(crate) fn binary() -> anyhow::Result<PathBuf> {
    let name = format!("tidings{}", std::env::consts::EXE_SUFFIX);
    Ok(shell::target_folder()?.join("release").join(name))
}

/// The name of the package that a manifest describes; nothing if there is no such manifest.
fn package(manifest: &Path) -> anyhow::Result<Option<String>> {
    if !manifest.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(manifest)
        .with_context(|| format!("cannot read {}", manifest.display()))?;
    let table: toml::Table =
        text.parse().with_context(|| format!("cannot parse {}", manifest.display()))?;
    Ok(table.get("package").and_then(|package| Some(package.get("name")?.as_str()?.to_owned())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_needs_stand_before_those_who_need_them() {
        let names: Vec<_> = names().collect();
        for (index, step) in STEPS.iter().enumerate() {
            assert!(!names[..index].contains(&step.name), "{}", step.name);
            for need in step.needs {
                assert!(names[..index].contains(need), "{} needs {need}", step.name);
            }
        }
    }
}
