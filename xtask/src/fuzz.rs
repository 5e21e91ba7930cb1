//! `cargo xtask fuzz`: builds the targets in `fuzz/` with coverage for libFuzzer, by the stable
//! compiler alone, and runs them.
//!
//! It must never know what a target does, nor add to the seeds that are kept with the sources.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};

use crate::{say, shell};

/// The crate, and what is built and found there.
pub(crate) const FOLDER: &str = "fuzz";
const BUILT: &str = "target/fuzz";

/// How long each target runs when nothing else is asked for.
pub(crate) const SECONDS: u64 = 5;

/// What has LLVM count which edges run, and compare what is compared: what `cargo fuzz` sets, but
/// for the sanitizers, which need a nightly compiler and find nothing where there is no `unsafe`.
const FLAGS: &[&str] = &[
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
];

/// What to run.
pub(crate) struct Options {
    /// One target; otherwise all.
    pub(crate) target: Option<String>,
    /// How long each.
    pub(crate) seconds: u64,
    /// One input to run it on instead.
    pub(crate) input: Option<PathBuf>,
}

/// Builds and runs.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let targets = match &options.target {
        Some(target) => vec![target.clone()],
        None => targets()?,
    };
    let host = host()?;
    build(&host, options.target.as_deref())?;
    let mut failed = Vec::new();
    for target in &targets {
        let binary = Path::new(BUILT).join(&host).join("release").join(target);
        if let Some(input) = &options.input {
            shell::run(&mut shell::command(&binary, [input]))?;
        } else if let Err(error) = one(&binary, target, options) {
            say::failure(&format!("{error:#}"));
            failed.push(target.as_str());
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => bail!("these targets found something: {}", failed.join(", ")),
    }
}

/// The names of all targets.
pub(crate) fn targets() -> anyhow::Result<Vec<String>> {
    let folder = Path::new(FOLDER).join("targets");
    let entries = folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))?;
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let names = paths.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()));
    let mut names: Vec<String> = names.collect();
    names.sort();
    Ok(names)
}

fn host() -> anyhow::Result<String> {
    let version = shell::answer(&mut shell::command("rustc", ["-vV"])).context("no rustc")?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

/// The target is named, so that build scripts and macros are built without the flags.
fn build(host: &str, only: Option<&str>) -> anyhow::Result<()> {
    let mut command = shell::cargo(["build", "--release", "--quiet", "--target", host]);
    match only {
        Some(target) => command.args(["--bin", target]),
        None => command.arg("--bins"),
    };
    let began = Instant::now();
    shell::run(command.current_dir(FOLDER).env("RUSTFLAGS", FLAGS.join(" ")))
        .context("the targets cannot be built; libFuzzer needs a C++ compiler")?;
    say::note(&format!("built in {}", say::duration(began.elapsed())));
    Ok(())
}

fn one(binary: &Path, target: &str, options: &Options) -> anyhow::Result<()> {
    // What is new goes to the first folder.
    let corpus = Path::new(BUILT).join("corpus").join(target);
    let found = Path::new(BUILT).join("found");
    for folder in [&corpus, &found] {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut command =
        shell::command(binary, [&corpus, &Path::new(FOLDER).join("seeds").join(target)]);
    command.args([
        format!("-max_total_time={}", options.seconds),
        format!("-artifact_prefix={}/{target}-", found.display()),
        "-timeout=20".to_owned(),
        "-rss_limit_mb=4096".to_owned(),
        "-max_len=8192".to_owned(),
        "-print_final_stats=1".to_owned(),
    ]);
    if options.target.is_some() {
        shell::run(&mut command).with_context(|| again(target))
    } else {
        // What thousands of lines say is in the last of them, unless something is found.
        let output = command.output().with_context(|| format!("cannot start {target}"))?;
        let text = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            println!("{text}");
            bail!("{}", again(target));
        }
        let number = |name| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.map_or("?", str::trim).to_owned()
        };
        let runs = number("stat::number_of_executed_units:");
        say::note(&format!("{target}: {runs} inputs, nothing found"));
        Ok(())
    }
}

fn again(target: &str) -> String {
    format!("{target} found something; again: cargo xtask fuzz {target} --input {BUILT}/found/FILE")
}
