//! Whose directory it is: the file that names the format and the log's epoch.

use std::io;

use super::files::Disk;

/// The file.
const NAME: &str = "tidings";

/// The format this version writes and reads.
const FORMAT: u32 = 1;

/// The epoch of the log that is there, or of one that is made now.
pub(super) fn read_or_make(disk: &dyn Disk, fresh_epoch: u32) -> io::Result<u32> {
    if let Some(epoch) = read(disk)? {
        return Ok(epoch);
    }
    disk.replace(NAME, format!("tidings-log {FORMAT} {fresh_epoch}\n").as_bytes())?;
    Ok(fresh_epoch)
}

/// The epoch of the log that is there; nothing when there is none.
pub(super) fn read(disk: &dyn Disk) -> io::Result<Option<u32>> {
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
    match format.parse::<u32>() {
        Ok(FORMAT) => {}
        Ok(newer) if newer > FORMAT => {
            let text =
                format!("it is of format {newer}; this version knows formats up to {FORMAT}");
            return Err(io::Error::new(io::ErrorKind::Unsupported, text));
        }
        _ => return Err(invalid(format!("the file {NAME} names no known format"))),
    }
    let epoch = epoch.parse().map_err(|_| invalid(format!("the file {NAME} names no epoch")))?;
    Ok(Some(epoch))
}
