//! Tools of cargo's own: rustfmt, clippy, nextest and deny.
//!
//! It must never replace a tool that is there, whatever its version.

use anyhow::bail;

use crate::{say, shell};

/// A cargo subcommand that is built from source where it is missing.
struct Tool {
    subcommand: &'static str,
    package: &'static str,
    /// The version that the checks were last proven with.
    version: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool { subcommand: "nextest", package: "cargo-nextest", version: "0.9.143" },
    Tool { subcommand: "deny", package: "cargo-deny", version: "0.20.2" },
];

/// Parts of the toolchain, which rustup knows by these names.
const COMPONENTS: &[(&str, &str)] = &[("fmt", "rustfmt"), ("clippy", "clippy")];

/// Installs the tools that are missing.
pub(crate) fn install() -> anyhow::Result<()> {
    for (subcommand, component) in COMPONENTS {
        if let Some(version) = version_of(subcommand) {
            say::note(&format!("{component}: {version}"));
        } else if let Some(rustup) = shell::on_path("rustup") {
            shell::run(&mut shell::command(rustup, ["component", "add", component]))?;
        } else {
            bail!("{component} is missing, and rustup to add it; install it and run this again");
        }
    }
    TOOLS.iter().try_for_each(install_tool)
}

fn install_tool(tool: &Tool) -> anyhow::Result<()> {
    let Tool { subcommand, package, version: proven } = tool;
    let Some(found) = version_of(subcommand) else {
        say::note(&format!("{package} is built from source once; this takes some minutes"));
        return shell::run(&mut shell::cargo([
            "install",
            "--locked",
            package,
            "--version",
            proven,
        ]));
    };
    say::note(&format!("{package}: {found}"));
    if !compatible(proven, &found) {
        say::warning(&format!("{package} {found} is here; the checks were proven with {proven}"));
    }
    Ok(())
}

/// The version of a subcommand of cargo, if it is installed.
fn version_of(subcommand: &str) -> Option<String> {
    let answer = shell::answer(&mut shell::cargo([subcommand, "--version"]))?;
    let version = answer.split_whitespace().nth(1)?;
    Some(version.to_owned())
}

/// Whether two versions are of one line, by cargo's rules: `0.9.x` is one, `1.x` is one.
fn compatible(one: &str, other: &str) -> bool {
    let line = |version: &str| {
        let (major, rest) = version.split_once('.')?;
        let minor = rest.split('.').next()?;
        Some((major.to_owned(), if major == "0" { minor.to_owned() } else { String::new() }))
    };
    line(one).is_some() && line(one) == line(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_one_line_are_compatible() {
        assert!(compatible("0.9.143", "0.9.140"));
        assert!(compatible("1.2.3", "1.9.0"));
        assert!(!compatible("0.20.2", "0.21.0"));
        assert!(!compatible("0.9.1", "1.9.1"));
        assert!(!compatible("0.9.1", "unknown"));
    }
}
