//! `tidings log check`: reads all of a log, and says what is damaged.

use std::process::ExitCode;

use tidings_log::{Checked, check};

use super::reading::Told;
use super::{Data, human, messages};
use crate::cli::notes::count;

/// Runs the command. The exit code is 1 when something is damaged.
pub(super) fn run(mut data: Data) -> anyhow::Result<ExitCode> {
    let disk = data.look()?;
    let checked = check(&Told::new(&disk, &mut data.notes));
    let Checked { epoch, segments, topics, end, damages } =
        checked.map_err(|error| data.cannot("read", &error))?;
    data.notes.clear();
    for (name, number, bytes) in &segments {
        let (number, bytes) = (human::thousands(*number), human::bytes(*bytes));
        println!("{name}  {number:>12} messages  {bytes:>12}");
    }
    let all = messages(segments.iter().map(|(_, messages, _)| messages).sum());
    let topics = count(topics as u64, "topic");
    println!("{all} of {topics}, up to offset {end} of epoch {epoch}");
    data.tell(&damages);
    if damages.is_empty() {
        println!("nothing is damaged");
    }
    Ok(if damages.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
