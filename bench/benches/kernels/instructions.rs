//! How many instructions and allocations the kernels take, and whether that is more than it was.
//!
//! Valgrind's callgrind sees both. The allocator's own instructions are left out: the server may have
//! another allocator than this program. A kernel is run twice, with few rounds and with many: the
//! difference is the work itself, without what comes before and behind it.
//!
//! It must never look at a clock.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde::Deserialize;

use crate::kernels::{KERNELS, Kernel};

/// By so much a kernel may cost more instructions than was written down, in percent. From run to
/// run they differ by six per mille at most; the rest is for what compilers, C libraries, and other
/// code in the same program change.
const TOLERANCE_PERCENT: f64 = 5.0;
/// By so many allocations a unit may have more: a thread that waits makes one now and then.
const TOLERANCE_ALLOCATIONS: f64 = 0.02;

/// The functions of the C library by which Rust's allocator takes memory: `std::alloc::System`.
const TAKES: &[&str] = &["malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc"];
/// By which it gives it back.
const GIVES: &str = "free";

/// What a unit of a kernel costs.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cost {
    /// Instructions outside of the allocator.
    instructions: f64,
    /// How often memory was asked for, or more of it.
    allocations: f64,
}

/// Compares every kernel with what was written down.
pub(crate) fn check() -> anyhow::Result<()> {
    let path = path()?;
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let expected: BTreeMap<String, Cost> =
        toml::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))?;
    let mut worse = Vec::new();
    for kernel in KERNELS {
        let was = expected.get(kernel.name);
        let was =
            was.with_context(|| format!("{} is not written down; see --bless", kernel.name))?;
        let cost = Cost::of(kernel)?;
        let change = (cost.instructions / was.instructions - 1.0) * 100.0;
        let more = cost.allocations - was.allocations;
        println!("{} ({change:+.1} %, {more:+.2})", cost.told(kernel));
        if change > TOLERANCE_PERCENT || more > TOLERANCE_ALLOCATIONS {
            worse.push(kernel.name);
        }
    }
    ensure!(
        worse.is_empty(),
        "{} costs over {TOLERANCE_PERCENT} % more instructions than was written down, or more \
         allocations; make it cheaper, or keep it with `cargo xtask bench instructions --bless` \
         and say why",
        worse.join(", ")
    );
    Ok(())
}

/// Writes down what every kernel costs now.
pub(crate) fn bless() -> anyhow::Result<()> {
    let mut text = String::from(
        "# What one unit of each kernel costs, by `cargo xtask bench instructions --bless`.\n",
    );
    for kernel in KERNELS {
        let cost = Cost::of(kernel)?;
        println!("{}", cost.told(kernel));
        let Cost { instructions, allocations } = cost;
        let costs = format!("instructions = {instructions:.0}, allocations = {allocations:.2}");
        writeln!(text, "{} = {{ {costs} }} # a {}", kernel.name, kernel.unit)?;
    }
    Ok(std::fs::write(path()?, text)?)
}

fn path() -> anyhow::Result<PathBuf> {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").context("start this by cargo")?;
    Ok(PathBuf::from(own).join("instructions.toml"))
}

impl Cost {
    fn of(kernel: &Kernel) -> anyhow::Result<Cost> {
        let (few, many) = (kernel.rounds, 3 * kernel.rounds);
        let (less, more) = (Run::of(kernel, few)?, Run::of(kernel, many)?);
        let units = ((many - few) * kernel.units) as f64;
        Ok(Cost {
            instructions: more.instructions.saturating_sub(less.instructions) as f64 / units,
            allocations: more.allocations.saturating_sub(less.allocations) as f64 / units,
        })
    }

    fn told(&self, kernel: &Kernel) -> String {
        let Cost { instructions, allocations } = self;
        let (name, unit) = (kernel.name, kernel.unit);
        format!("{name:18} {instructions:6.0} instructions, {allocations:5.2} allocations a {unit}")
    }
}

/// What callgrind saw in a whole run.
#[derive(Debug, Default, PartialEq)]
struct Run {
    /// Instructions, without those of the allocator.
    instructions: u64,
    /// Calls of the allocator for memory.
    allocations: u64,
}

impl Run {
    fn of(kernel: &Kernel, rounds: u64) -> anyhow::Result<Run> {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/stdout"])
            .arg(std::env::current_exe()?)
            .args(["once", kernel.name, &rounds.to_string()])
            .stdin(Stdio::null())
            .output()
            .context("cannot start valgrind; `cargo xtask setup` installs it")?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{} failed: {}", kernel.name, complaint.trim());
        Run::read(&String::from_utf8_lossy(&output.stdout))
    }

    /// Reads callgrind's format: <https://valgrind.org/docs/manual/cl-format.html>.
    fn read(profile: &str) -> anyhow::Result<Run> {
        // What a number stands for is told where it comes first.
        let mut names = HashMap::new();
        let mut function = |text: &'_ str| {
            let (number, name) = text.split_once(')').unwrap_or((text, ""));
            let known = names.entry(number.to_owned()).or_insert_with(|| name.trim().to_owned());
            // Callgrind marks what calls itself by the depth.
            known.split('\'').next().unwrap_or_default().to_owned()
        };
        let (mut run, mut caller, mut callee) = (Run::default(), String::new(), String::new());
        let mut allocator = 0;
        let mut lines = profile.lines();
        while let Some(line) = lines.next() {
            let Some((key, value)) = line.split_once(['=', ':']) else { continue };
            match key {
                "fn" => caller = function(value),
                "cfn" => callee = function(value),
                "totals" => run.instructions = value.trim().parse()?,
                "calls" => {
                    // The next line has the place of the call, and what all these calls took.
                    let cost = lines.next().and_then(|line| line.split(' ').nth(1));
                    let is_allocator = |name: &str| TAKES.contains(&name) || name == GIVES;
                    if is_allocator(&callee) && !is_allocator(&caller) {
                        allocator += cost.map_or(Ok(0), str::parse)?;
                        if callee != GIVES {
                            let calls = value.split(' ').next().unwrap_or_default();
                            run.allocations += calls.parse::<u64>()?;
                        }
                    }
                }
                _ => {}
            }
        }
        ensure!(run.instructions > allocator, "valgrind counted nothing: {profile}");
        run.instructions -= allocator;
        Ok(run)
    }
}
