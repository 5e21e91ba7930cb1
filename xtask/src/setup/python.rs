//! The Python packages of the end-to-end tests, exactly as their list of hashes says.
//!
//! It must never install anything for other programs.

use std::path::Path;

use anyhow::{Context, bail};

use crate::{say, shell};

/// What lists the packages.
const LIST: &str = "tests/e2e/requirements.txt";

/// Where they go; `tests/e2e/mqtt-paho.test.mjs` looks there.
const PLACE: &str = "target/python";

/// Beside the packages: the list that they were installed from.
const STAMP: &str = ".installed-from";

/// Installs the packages where they are not what the list says.
pub(crate) fn install() -> anyhow::Result<()> {
    let wanted = std::fs::read(LIST).with_context(|| format!("cannot read {LIST}"))?;
    let stamp = Path::new(PLACE).join(STAMP);
    if std::fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        say::note(&format!("{PLACE}: as {LIST} says"));
        return Ok(());
    }
    if shell::answer(&mut shell::command("python3", ["-m", "pip", "--version"])).is_none() {
        bail!("python3 with pip is missing; install it and run this again");
    }
    let from = ["--require-hashes", "--requirement", LIST];
    let to = ["--upgrade", "--target", PLACE];
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
    shell::run(&mut shell::command("python3", pip.into_iter().chain(from).chain(to)))?;
    std::fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}
