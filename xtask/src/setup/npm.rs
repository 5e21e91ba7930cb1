//! The npm packages of the end-to-end tests, exactly as their lock file says.
//!
//! It must never change a lock file.

use std::path::Path;

use anyhow::{Context, bail};

use crate::{say, shell};

/// Folders with a `package.json` and a `package-lock.json`.
const FOLDERS: &[&str] = &["tests/e2e"];

/// The oldest major version of Node that the tests run on: its test runner reports each test,
/// and `fetch` is its own.
const NODE_MAJOR_MIN: u32 = 20;

/// Beside the packages: the lock file that they were installed from.
const STAMP: &str = "node_modules/.installed-from";

/// Installs the packages of each folder where they are not what the lock file says.
pub(crate) fn install() -> anyhow::Result<()> {
    let version = shell::answer(&mut shell::command("node", ["--version"])).unwrap_or_default();
    if node_major(&version).is_none_or(|major| major < NODE_MAJOR_MIN) {
        let found = if version.is_empty() { "no Node" } else { &version };
        bail!("{found} here; install Node {NODE_MAJOR_MIN} or newer, with npm, and run this again");
    }
    say::note(&format!("node: {version}"));
    for folder in FOLDERS {
        install_in(Path::new(folder))?;
    }
    Ok(())
}

fn install_in(folder: &Path) -> anyhow::Result<()> {
    let lock = folder.join("package-lock.json");
    let wanted = std::fs::read(&lock).with_context(|| format!("cannot read {}", lock.display()))?;
    let stamp = folder.join(STAMP);
    if std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        say::note(&format!("{}: as its lock file says", folder.display()));
        return Ok(());
    }
    let npm = shell::on_path("npm").context("npm is missing; install it and run this again")?;
    let arguments = ["ci", "--no-audit", "--no-fund"];
    shell::run(shell::command(npm, arguments).current_dir(folder))?;
    std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}

/// The first number of `v20.20.2`.
fn node_major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions() {
        assert_eq!(node_major("v20.20.2"), Some(20));
        assert_eq!(node_major("v8.0.0"), Some(8));
        assert_eq!(node_major(""), None);
    }
}
