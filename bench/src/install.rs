//! `install`: brings what the targets that are named need, from Debian and from npm.
//!
//! Must never start anything, remove anything, or replace a version that is there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::target::Target;

/// Installs what is missing.
///
/// # Errors
/// When apt-get or npm is missing or fails.
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
        let folder = npm_folder(target, out);
        std::fs::create_dir_all(&folder)?;
        let mut command = Command::new("npm");
        command.args(["install", "--no-audit", "--no-fund", "--save-exact", "--prefix"]);
        run(command.arg(&folder).args(&target.form.npm))?;
    }
    Ok(())
}

/// Where the npm packages of a target are.
pub(crate) fn npm_folder(target: &Target, out: &Path) -> PathBuf {
    let name = target.name.split([':', '@', '=', '/']).next().unwrap_or_default();
    out.join("npm").join(name)
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
