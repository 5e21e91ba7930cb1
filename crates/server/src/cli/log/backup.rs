//! `tidings log backup`: a copy of the log, taken while a server may be writing to it.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use tidings_log::{BackedUp, BackupStep, Directory, backup};

use super::bar::Bar;
use super::{BackupArgs, Data, human, messages};
use crate::data::{log_folder, shown};

/// Runs the command. The exit code is 1 when the copy is damaged, as the original must be.
pub(super) fn run(mut data: Data, args: &BackupArgs) -> anyhow::Result<ExitCode> {
    let place = shown(&args.to);
    check_place(&data, &args.to)?;
    let from = Directory::watch(&data.log()).map_err(|error| data.cannot("read", &error))?;
    let to = Directory::lock(&log_folder(&args.to))
        .with_context(|| format!("cannot write the copy in {place}"))?;
    let mut bar = Bar::new(&mut data.notes, "copying");
    let mut told = |step| match step {
        BackupStep::Copied(done, all) => bar.show(done, Some(all), || human::bytes(done)),
        BackupStep::Reading => bar.say("reading the copy"),
    };
    let copied = backup(&from, &to, rand::random(), &mut told);
    let BackedUp { messages: count, bytes, damages, .. } = copied.map_err(|error| {
        let error = data.cannot("copy", &error);
        error.context(format!("{place} is no whole backup; remove it"))
    })?;
    data.notes.clear();
    println!("copied {}, {}, to {place}", messages(count), human::bytes(bytes));
    println!("a server uses it with: tidings serve --data {place}");
    if damages.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    data.notes.line("the log is damaged, and so is the copy; see `tidings log check`");
    data.tell(&damages);
    Ok(ExitCode::FAILURE)
}

/// A backup must not be mixed with anything, least of all with another log.
fn check_place(data: &Data, to: &Path) -> anyhow::Result<()> {
    let whole = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if whole(to).starts_with(whole(&data.directory)) {
        anyhow::bail!("{} is inside of what is copied; name another directory", shown(to));
    }
    match fs::read_dir(to) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                anyhow::bail!("{} is not empty; name a directory that is not there", shown(to));
            }
            Ok(())
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot use {}", shown(to))),
    }
}
