//! `cargo xtask bench`: builds the server and the load generator as they are released, and runs the
//! latter.
//!
//! It must never build both at once: cargo would then give the server what only the other needs.

use std::process::Command;

use anyhow::Context;

use crate::shell;

/// What shows in seconds that the load generator and what it measures still work: small loads, of
/// which nothing may be lost, come twice or out of order. How long they take is not looked at.
const SMOKE: &[&[&str]] = &[
    &["log", "publish", "drop", "avalanche", "--small", "--strict"],
    &["catchup", "--small", "--strict", "--via", "ndjson"],
    &["fanout", "--small", "--strict", "--via", "ws,longpoll"],
];

/// Every figure that is claimed, and what it is compared with.
const REPORT: &[&[&str]] = &[
    &["log"],
    &["publish"],
    &[
        "publish --name publish-peers --target tidings:fsync --target redis-streams:fsync",
        "--target postgresql:fsync",
    ],
    &["catchup"],
    &["fanout"],
    &[
        "fanout --name fanout-peers --via ws --listeners 10,1000,8000 --target tidings@ws-raw",
        "--target nchan --target nats --target socketio --target mosquitto@mqtt",
        "--target redis-pubsub@resp",
    ],
    &["rooms"],
    &["rooms --name rooms-peers --via ws --target tidings@ws-raw --target nchan --target nats"],
    &["idle"],
    &[
        "idle --name idle-peers --via ws --target tidings --target nchan --target nats",
        "--target socketio --target mosquitto@mqtt",
    ],
    &["fanout --name fanout-mqtt --via mqtt --target tidings-mqtt --target mosquitto"],
    &["publish --name publish-mqtt --target tidings-mqtt:fsync --target mosquitto"],
    &["idle --name idle-mqtt --via mqtt --target tidings-mqtt --target mosquitto"],
    &["fanout --name fanout-tls --via ws,sse --target tidings --target tidings-tls"],
    &["idle --name idle-tls --via ws,sse --target tidings --target tidings-tls"],
    &["slow"],
    &["avalanche"],
    &["drop"],
    &["drop --name drop-peers --via ws --target tidings --target nchan@sse --target nats"],
    &["sizes"],
    &["sizes --name sizes-peers --via ws --target tidings@ws-raw --target nchan --target nats"],
    &["topics"],
];

/// Measures everything, with these arguments besides. One failure does not spoil the rest.
fn report(more: &[String]) -> anyhow::Result<()> {
    build(&profile()?)?;
    let mut failed = Vec::new();
    for parts in REPORT {
        let words = parts.iter().flat_map(|part| part.split(' ')).map(str::to_owned);
        let words: Vec<String> = words.chain(more.iter().cloned()).collect();
        if let Err(error) = load(&words) {
            failed.push(error.to_string());
        }
    }
    anyhow::ensure!(failed.is_empty(), "some were not measured:\n{}", failed.join("\n"));
    Ok(())
}

/// Runs what shows that it works.
pub(crate) fn smoke() -> anyhow::Result<()> {
    // However they are built here: nothing is measured.
    build(&[])?;
    SMOKE.iter().try_for_each(|words| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        load(&words)
    })
}

/// Counts the instructions and allocations of the kernels.
///
/// They are built by cargo's profile `bench`, which is that of a release, because what is counted
/// must be what is released. So their dependencies are those that the step `build` made, where
/// nobody's own cargo configuration changed them.
pub(crate) fn counts() -> anyhow::Result<()> {
    kernels(&["instructions".to_owned()])
}

/// Runs the load generator with these arguments; or measures everything, times the kernels, or
/// counts their instructions.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    match arguments.split_first() {
        Some((first, rest)) if first == "report" => report(rest),
        Some((first, rest)) if first == "kernels" => kernels(rest),
        Some((first, _)) if first == "instructions" => kernels(arguments),
        _ => {
            build(&profile()?)?;
            load(arguments)
        }
    }
}

fn kernels(arguments: &[String]) -> anyhow::Result<()> {
    let words = ["bench", "--quiet", "--package", "tidings-bench", "--bench", "kernels", "--"];
    shell::run(with(shell::cargo(words).args(arguments), &profile()?))
}

fn build(profile: &[(String, String)]) -> anyhow::Result<()> {
    ["tidings-server", "tidings-bench"].into_iter().try_for_each(|package| {
        let words = ["build", "--release", "--quiet", "--package", package];
        shell::run(with(&mut shell::cargo(words), profile))
    })
}

fn load(arguments: &[String]) -> anyhow::Result<()> {
    let program = shell::target_folder()?.join("release/tidings-bench");
    shell::run(&mut shell::command(program, arguments))
}

fn with<'a>(command: &'a mut Command, profile: &[(String, String)]) -> &'a mut Command {
    command.envs(profile.iter().map(|(name, value)| (name, value)))
}

/// The profile of a release, as environment: someone's own cargo configuration may say otherwise,
/// to build sooner, and would be what is measured.
fn profile() -> anyhow::Result<Vec<(String, String)>> {
    let manifest: toml::Table = std::fs::read_to_string("Cargo.toml")?.parse()?;
    let release = manifest.get("profile").and_then(|profiles| profiles.get("release")?.as_table());
    Ok(settings(release.context("Cargo.toml has no [profile.release]")?))
}

fn settings(release: &toml::Table) -> Vec<(String, String)> {
    let usual = [("opt-level", "3"), ("incremental", "false")]
        .into_iter()
        .filter(|(key, _)| !release.contains_key(*key))
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
    let own = release.iter().map(|(key, value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (key.clone(), value)
    });
    let name =
        |key: String| format!("CARGO_PROFILE_RELEASE_{}", key.replace('-', "_").to_uppercase());
    usual.chain(own).map(|(key, value)| (name(key), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_of_a_release_becomes_environment() {
        let release = "lto = 'thin'\ncodegen-units = 4\nincremental = true".parse().unwrap();
        let expected = [
            ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3"),
            ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "4"),
            ("CARGO_PROFILE_RELEASE_INCREMENTAL", "true"),
            ("CARGO_PROFILE_RELEASE_LTO", "thin"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(settings(&release), expected);
    }
}
