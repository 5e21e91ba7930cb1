//! `tidings log`: what can be done with a log that no server uses. Must never change one.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use tidings_log::{Checked, Damage, Directory, check};

use super::LogCommand;

/// Runs the command. The exit code is 1 when something is damaged.
pub(crate) fn run(command: &LogCommand) -> anyhow::Result<ExitCode> {
    let LogCommand::Check { data } = command;
    let checked = look(&data.join("log"))
        .with_context(|| format!("cannot check the log in {}", data.display()))?;
    print(&checked);
    Ok(if checked.damages.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn look(folder: &Path) -> anyhow::Result<Checked> {
    // Making what is to be looked at would hide a mistyped name.
    anyhow::ensure!(folder.is_dir(), "there is no folder {}", folder.display());
    Ok(check(&Directory::lock(folder)?)?)
}

fn print(checked: &Checked) {
    let Checked { epoch, segments, topics, end, damages } = checked;
    for (name, messages, bytes) in segments {
        let mib = *bytes as f64 / f64::from(1 << 20);
        println!("{name}  {messages:>9} messages  {mib:>8.1} MiB");
    }
    let messages: u64 = segments.iter().map(|(_, messages, _)| messages).sum();
    println!("{messages} messages of {topics} topics, up to offset {end} of epoch {epoch}");
    for Damage { file, at, from, to } in damages {
        println!("damaged: {file} at byte {at}: offsets {from} to {to} cannot be read");
    }
    if damages.is_empty() {
        println!("nothing is damaged");
    }
}
