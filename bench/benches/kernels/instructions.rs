//! How many instructions the kernels take, and whether that is more than it was.
//!
//! A kernel is run twice, with few rounds and with many: the difference is the work itself, without
//! what comes before and behind it.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};
use toml::Table;

use crate::kernels::{KERNELS, Kernel};

/// By so much a kernel may cost more than was written down, in percent: what compilers, C
/// libraries and the hashes of maps change.
const TOLERANCE_PERCENT: f64 = 5.0;

/// Compares every kernel with what was written down.
pub(crate) fn check() -> anyhow::Result<()> {
    let path = path()?;
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let expected: Table = text.parse()?;
    let mut worse = Vec::new();
    for kernel in KERNELS {
        let count = count(kernel)?;
        let was = expected.get(kernel.name).and_then(toml::Value::as_integer);
        let was =
            was.with_context(|| format!("{} is not written down; see --bless", kernel.name))?;
        let change = (count as f64 / was as f64 - 1.0) * 100.0;
        println!("{:20} {count:8} instructions a {} ({change:+.1} %)", kernel.name, kernel.unit);
        if change > TOLERANCE_PERCENT {
            worse.push(kernel.name);
        }
    }
    ensure!(
        worse.is_empty(),
        "{} costs over {TOLERANCE_PERCENT} % more than was written down; make it cheaper, or keep it \
         with `cargo xtask bench instructions --bless` and say why",
        worse.join(", ")
    );
    Ok(())
}

/// Writes down what every kernel costs now.
pub(crate) fn bless() -> anyhow::Result<()> {
    let mut text = String::from(
        "# Instructions of one unit of each kernel, by `cargo xtask bench instructions --bless`.\n",
    );
    for kernel in KERNELS {
        let count = count(kernel)?;
        println!("{:20} {count:8} instructions a {}", kernel.name, kernel.unit);
        writeln!(text, "{} = {count} # a {}", kernel.name, kernel.unit)?;
    }
    Ok(std::fs::write(path()?, text)?)
}

fn path() -> anyhow::Result<PathBuf> {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").context("start this by cargo")?;
    Ok(PathBuf::from(own).join("instructions.toml"))
}

fn count(kernel: &Kernel) -> anyhow::Result<i64> {
    let (few, many) = (kernel.rounds, 3 * kernel.rounds);
    let work = total(kernel, many)?.saturating_sub(total(kernel, few)?);
    Ok((work / ((many - few) * kernel.units)).cast_signed())
}

/// The instructions of a whole run.
fn total(kernel: &Kernel, rounds: u64) -> anyhow::Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(std::env::current_exe()?)
        .args(["once", kernel.name, &rounds.to_string()])
        .stdin(Stdio::null())
        .output()
        .context("cannot start valgrind; install it to count instructions")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {}", kernel.name, text.trim());
    // `==7== Collected : 123`
    let count = text.lines().find_map(|line| line.split_once("Collected :"));
    let Some((_, count)) = count else { bail!("valgrind counted nothing: {text}") };
    count.trim().parse().with_context(|| format!("no number: {count}"))
}
