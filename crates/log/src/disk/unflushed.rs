//! The mark that messages are visible which the system may not have written to the disk yet. While
//! it is there and the system has gone down, nobody knows how many of them there were; so offsets
//! are skipped, that none of theirs is ever given to another message.
//!
//! Must never be read as "nothing is missing" unless that is known.

use std::io;

use super::files::Disk;
use super::marks::{Lost, Marks};
use super::state::State;
use tidings_model::GapReason;

/// Most messages that are visible and not synced: one more, and they are synced first. So many
/// offsets are skipped when the system has gone down; and so many messages may be lost then.
pub(super) const UNSYNCED_MAX: u64 = 65_536;

/// The file, and what it begins with.
pub(super) const NAME: &str = "unflushed";
const MAGIC: &str = "tidings-unflushed";

/// In place of a boot id: the system has none, or what it had to write is lost in any case.
const UNKNOWN: &str = "-";

/// What the file says.
#[derive(Debug, PartialEq, Eq)]
enum Mark {
    /// Nothing is missing.
    Clean,
    /// Whatever was visible is there as long as the system has not gone down since this boot.
    Since(String),
    /// These offsets are to be skipped.
    Skip(u64, u64),
}

/// Writes the mark: from now on messages may be visible that are not synced. Durable on return.
pub(super) fn set(disk: &dyn Disk) -> io::Result<()> {
    let boot = disk.boot_id().filter(|id| !id.contains(char::is_whitespace));
    write(disk, &Mark::Since(boot.unwrap_or_else(|| UNKNOWN.to_owned())))
}

/// What was visible and not synced may be lost though the system goes on.
pub(super) fn set_lost(disk: &dyn Disk) -> io::Result<()> {
    write(disk, &Mark::Since(UNKNOWN.to_owned()))
}

/// Everything is synced, and the log is closed.
pub(super) fn clear(disk: &dyn Disk) -> io::Result<()> {
    // A removal may be undone when the power goes; what it brings back must say the truth.
    write(disk, &Mark::Clean)?;
    disk.remove(NAME)
}

/// After everything was loaded: skips the offsets of messages that may have been lost, and sees to
/// it that their loss is told. Returns whether the mark is still there and holds for this boot, and
/// whether offsets were skipped.
///
/// Whatever step of it is the last before the power goes again, the next start comes to the same.
pub(super) fn settle(disk: &dyn Disk, marks: &mut Marks, state: &mut State) -> io::Result<Settled> {
    let mark = read(disk)?;
    let (from, to) = match &mark {
        None | Some(Mark::Clean) => return Ok(Settled::Nothing),
        Some(Mark::Since(boot)) if boot != UNKNOWN && disk.boot_id().as_ref() == Some(boot) => {
            return Ok(Settled::Marked);
        }
        Some(Mark::Since(_)) => {
            let end = state.end().offset;
            (end + 1, end + UNSYNCED_MAX)
        }
        Some(Mark::Skip(from, to)) => (*from, *to),
    };
    if matches!(mark, Some(Mark::Since(_))) {
        write(disk, &Mark::Skip(from, to))?;
    }
    let lost = Lost { from, to, reason: GapReason::Unflushed };
    if !marks.lost.contains(&lost) {
        marks.lose(lost);
        marks.save(disk)?;
        state.lose(to, GapReason::Unflushed);
        state.skip_to(to);
    }
    Ok(Settled::Skipped)
}

/// What came of a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// There was none.
    Nothing,
    /// There is one, and it still holds.
    Marked,
    /// Offsets were skipped. As soon as a segment begins after them, the mark can go.
    Skipped,
}

fn write(disk: &dyn Disk, mark: &Mark) -> io::Result<()> {
    let text = match mark {
        Mark::Clean => format!("{MAGIC} clean"),
        Mark::Since(boot) => format!("{MAGIC} since {boot}"),
        Mark::Skip(from, to) => format!("{MAGIC} skip {from} {to}"),
    };
    let crc = crc32c::crc32c(text.as_bytes());
    disk.replace(NAME, format!("{text} {crc:08x}\n").as_bytes())
}

fn read(disk: &dyn Disk) -> io::Result<Option<Mark>> {
    match disk.read(NAME) {
        // One that cannot be understood says at least that there was one.
        Ok(bytes) => Ok(Some(parse(&bytes).unwrap_or(Mark::Since(UNKNOWN.to_owned())))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(bytes: &[u8]) -> Option<Mark> {
    let (text, crc) = std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?.rsplit_once(' ')?;
    if format!("{:08x}", crc32c::crc32c(text.as_bytes())) != crc {
        return None;
    }
    let words: Vec<&str> = text.strip_prefix(MAGIC)?.split_whitespace().collect();
    match words[..] {
        ["clean"] => Some(Mark::Clean),
        ["since", boot] => Some(Mark::Since(boot.to_owned())),
        ["skip", from, to] => Some(Mark::Skip(from.parse().ok()?, to.parse().ok()?)),
        _ => None,
    }
}
