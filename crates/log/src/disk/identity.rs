//! Whose directory it is: the file that names the format and the log's epoch.

use std::io;

use super::files::Disk;

/// The file.
pub(super) const NAME: &str = "tidings";

/// The format this version writes. It reads the first one too, and makes this of it.
pub(super) const FORMAT: u32 = 2;

/// What stands in place of the epoch while a copy is being made: such a copy is no log yet.
const UNFINISHED: &str = "unfinished-backup";

/// Makes the directory such a log. Durable on return.
pub(super) fn write(disk: &dyn Disk, identity: Identity) -> io::Result<()> {
    let Identity { format, epoch } = identity;
    disk.replace(NAME, format!("tidings-log {format} {epoch}\n").as_bytes())
}

/// Says of a directory that it is going to be a log, and none yet. Durable on return.
pub(super) fn write_unfinished(disk: &dyn Disk) -> io::Result<()> {
    disk.replace(NAME, format!("tidings-log {FORMAT} {UNFINISHED}\n").as_bytes())
}

/// There is no log where there should be one.
pub(super) fn missing() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "there is no log here")
}

/// What the file says.
#[derive(Clone, Copy)]
pub(super) struct Identity {
    pub(super) format: u32,
    pub(super) epoch: u32,
}

/// What the log is that is there; nothing when there is none.
pub(super) fn read(disk: &dyn Disk) -> io::Result<Option<Identity>> {
    let invalid = |message: String| io::Error::new(io::ErrorKind::InvalidData, message);
    let bytes = match disk.read(NAME) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if disk.list()?.iter().any(|name| name.ends_with(".segment")) {
                return Err(invalid(format!("there are segments, but the file {NAME} is gone")));
            }
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let text = String::from_utf8_lossy(&bytes);
    let mut words = text.split_whitespace();
    let (Some("tidings-log"), Some(format), Some(epoch)) =
        (words.next(), words.next(), words.next())
    else {
        return Err(invalid(format!("the file {NAME} is damaged")));
    };
    let format = match format.parse::<u32>() {
        Ok(format @ 1..=FORMAT) => format,
        Ok(newer) if newer > FORMAT => {
            let text =
                format!("it is of format {newer}; this version knows formats up to {FORMAT}");
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        _ => return Err(invalid(format!("the file {NAME} names no known format"))),
    };
    if epoch == UNFINISHED {
        return Err(invalid("it is a backup that was never finished".to_owned()));
    }
    let epoch = epoch.parse().map_err(|_| invalid(format!("the file {NAME} names no epoch")))?;
    Ok(Some(Identity { format, epoch }))
}
