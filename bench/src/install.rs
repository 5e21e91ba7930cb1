//! `install`: brings what the targets that are named need, from Debian, npm and PyPI.
//!
//! Must never start anything, remove anything, or replace a version that is there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::target::Target;

/// Installs what is missing.
///
/// # Errors
/// When apt-get, npm, python3 or pip is missing or fails.
pub(crate) fn install(targets: &[Target], out: &Path) -> anyhow::Result<()> {
    let wanted = targets.iter().flat_map(|target| &target.form.packages);
    let missing: Vec<&String> = wanted.filter(|package| !is_installed(package)).collect();
    if !missing.is_empty() {
        if !Path::new("/usr/sbin/policy-rc.d").exists() {
            eprintln!("Debian may start what is installed now; the load never goes to those");
        }
        let mut command = Command::new("apt-get");
        command.args(["install", "--yes", "--no-install-recommends"]).args(missing);
        run(command.env("DEBIAN_FRONTEND", "noninteractive"))?;
    }
    for target in targets.iter().filter(|target| !target.form.npm.is_empty()) {
        let folder = brought(target, out, "npm");
        std::fs::create_dir_all(&folder)?;
        let mut command = Command::new("npm");
        command.args(["install", "--no-audit", "--no-fund", "--save-exact", "--prefix"]);
        run(command.arg(&folder).args(&target.form.npm))?;
    }
    for target in targets.iter().filter(|target| !target.form.pypi.is_empty()) {
        let folder = brought(target, out, "pypi");
        run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
        let mut command = Command::new(folder.join("bin/pip"));
        command.args(["install", "--quiet", "--disable-pip-version-check"]);
        run(command.args(&target.form.pypi))?;
    }
    Ok(())
}

/// Where the packages of a target are that come from `source`.
pub(crate) fn brought(target: &Target, out: &Path, source: &str) -> PathBuf {
    let name = target.name.split([':', '@', '=', '/']).next().unwrap_or_default();
    out.join(source).join(name)
}

fn is_installed(package: &str) -> bool {
    let query = ["--show", "--showformat=${db:Status-Status}", package];
    let output = Command::new("dpkg-query").args(query).stderr(Stdio::null()).output();
    output.is_ok_and(|output| output.stdout == b"installed")
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    eprintln!("{command:?}");
    let status = command.status().with_context(|| format!("cannot start {name}"))?;
    ensure!(status.success(), "{name} ended with {status}");
    Ok(())
}
