//! `cargo xtask bench`: builds the server and the load generator as they are released, and runs the
//! latter.
//!
//! It must never build both at once: cargo would then give the server what only the other needs.

use crate::shell;

/// What shows in seconds that the load generator and what it measures still work: small loads, of
/// which nothing may be lost, come twice or out of order. How long they take is not looked at.
const SMOKE: &[&[&str]] = &[
    &["log", "publish", "drop", "avalanche", "--small", "--strict"],
    &["catchup", "--small", "--strict", "--via", "ndjson"],
    &["fanout", "--small", "--strict", "--via", "ws,longpoll"],
];

/// Runs what shows that it works.
pub(crate) fn smoke() -> anyhow::Result<()> {
    SMOKE.iter().try_for_each(|words| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        run(&words)
    })
}

/// Runs the load generator with these arguments; or times the kernels, or counts their
/// instructions.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    let kernels = ["bench", "--quiet", "--package", "tidings-bench", "--bench", "kernels", "--"];
    match arguments.split_first() {
        Some((first, rest)) if first == "kernels" => {
            return shell::run(shell::cargo(kernels).args(rest));
        }
        Some((first, _)) if first == "instructions" => {
            return shell::run(shell::cargo(kernels).args(arguments));
        }
        _ => {}
    }
    for package in ["tidings-server", "tidings-bench"] {
        shell::run(&mut shell::cargo(["build", "--release", "--quiet", "--package", package]))?;
    }
    let program = shell::target_folder()?.join("release/tidings-bench");
    shell::run(&mut shell::command(program, arguments))
}
