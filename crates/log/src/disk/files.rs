//! Files as the disk log needs them, behind a trait so that tests can make them fail.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory of files.
pub trait Disk: Send + Sync {
    /// The names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// Makes a file that was not there, and asks for room for so many bytes. Durable on return.
    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// Removes a file. Need not be durable on return.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Puts a whole file in place of whatever was there: all of it or nothing. Durable on return.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
    /// A whole file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// What the system has been called since it went up, if it has a name for that: what it was
    /// given to write before is still there as long as this is the same.
    fn boot_id(&self) -> Option<String>;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Its length in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Reads into `buffer` from `at`; returns how many bytes, which may be fewer than were asked
    /// for, and 0 only where the file ends.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize>;
    /// Writes all of `bytes` at `at`.
    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Returns when everything written is durable. When it fails, what was written since the last
    /// time may be lost, whatever a later call says.
    fn sync(&self) -> io::Result<()>;
    /// Cuts the file, or makes it longer by zeros.
    fn set_size(&self, bytes: u64) -> io::Result<()>;
}

/// Fills `buffer` from `at`, or as much of it as the file has; returns how much.
pub(super) fn read_fully(file: &dyn DiskFile, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut total = 0;
    while total < buffer.len() {
        match file.read_at(&mut buffer[total..], at + total as u64)? {
            0 => break,
            count => total += count,
        }
    }
    Ok(total)
}

/// A directory of the file system. But for one that is only watched, nobody else uses it for as
/// long as this lives.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Whether files are opened for writing.
    writes: bool,
    /// Locked; the system gives it back however the process ends. None when others may use it.
    _lock: Option<File>,
}

/// The file that is locked.
pub(super) const LOCK: &str = "lock";

impl Directory {
    /// The directory, made if it is not there.
    ///
    /// # Errors
    /// When it cannot be made or written, or another process has it (`ResourceBusy`).
    pub fn lock(path: &Path) -> io::Result<Directory> {
        make(path)?;
        let name = path.join(LOCK);
        let mut lock = OpenOptions::new().write(true).create(true).truncate(false).open(&name)?;
        take(&lock, &name)?;
        // Only for people who wonder who has it; without it nothing is wrong.
        let _ = lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Directory { path: path.to_owned(), writes: true, _lock: Some(lock) })
    }

    /// The directory to look at, such as one on a file system that cannot be written.
    ///
    /// # Errors
    /// When it is not there or cannot be read, or another process has it (`ResourceBusy`).
    pub fn look(path: &Path) -> io::Result<Directory> {
        fs::read_dir(path)?;
        let name = path.join(LOCK);
        let lock = match File::open(&name) {
            Ok(lock) => take(&lock, &name).map(|()| Some(lock))?,
            // Without that file no server was ever here.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        Ok(Directory { path: path.to_owned(), writes: false, _lock: lock })
    }

    /// The directory while another process may use it: its files come and go.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn watch(path: &Path) -> io::Result<Directory> {
        fs::read_dir(path)?;
        Ok(Directory { path: path.to_owned(), writes: false, _lock: None })
    }

    fn must_write(&self) -> io::Result<()> {
        let refused = || io::Error::new(io::ErrorKind::PermissionDenied, "it is only looked at");
        self.writes.then_some(()).ok_or_else(refused)
    }

    fn sync(&self) -> io::Result<()> {
        sync_folder(&self.path)
    }
}

/// Locks a file, or says who has it.
fn take(lock: &File, name: &Path) -> io::Result<()> {
    match lock.try_lock() {
        Ok(()) => Ok(()),
        Err(fs::TryLockError::WouldBlock) => {
            let holder = fs::read_to_string(name).unwrap_or_default();
            let holder = match holder.trim() {
                id if !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) => {
                    format!(" (its id is {id})")
                }
                _ => String::new(),
            };
            let text = format!("another process uses it{holder}");
            Err(io::Error::new(io::ErrorKind::ResourceBusy, text))
        }
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

/// Makes a directory and those above it that are missing. Durable on return: what is stored in it
/// must not vanish with it.
fn make(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    // The parent of a name alone is the empty path, which is where we are.
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    if let Some(parent) = parent {
        make(parent)?;
    }
    match fs::create_dir(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !path.is_dir() => Err(error),
        _ => sync_folder(parent.unwrap_or(Path::new("."))),
    }
}

/// Makes creations, renames and removals in a folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    // Windows has no such call, and needs none.
    #[cfg(unix)]
    File::open(path)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

impl Disk for Directory {
    fn list(&self) -> io::Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name()));
        let names: io::Result<Vec<_>> = names.collect();
        Ok(names?.into_iter().filter_map(|name| name.into_string().ok()).collect())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        self.must_write()?;
        let path = self.path.join(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        if let Err(error) = reserve(&file, bytes).and_then(|()| self.sync()) {
            // A half-made file would be in the way of the next try.
            let _ = fs::remove_file(&path);
            return Err(error);
        }
        Ok(Arc::new(file))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(self.writes).open(self.path.join(name))?;
        Ok(Arc::new(file))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.must_write()?;
        fs::remove_file(self.path.join(name))
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.must_write()?;
        let fresh = self.path.join(format!("{name}.new"));
        let written = File::create(&fresh).and_then(|mut file| {
            file.write_all(bytes)?;
            file.sync_all()
        });
        if let Err(error) = written.and_then(|()| fs::rename(&fresh, self.path.join(name))) {
            // Most likely there is no room; this takes some.
            let _ = fs::remove_file(&fresh);
            return Err(error);
        }
        self.sync()
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path.join(name))
    }

    fn boot_id(&self) -> Option<String> {
        // Of Linux (random(4)); elsewhere there is no such file.
        let id = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        Some(id.trim().to_owned()).filter(|id| !id.is_empty())
    }
}

/// Asks the file system for the room now, so that later writes need not change where the file
/// lies and cannot find the disk full. Where that is not offered, the file grows as it is written.
fn reserve(file: &File, bytes: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        match fallocate(file, FallocateFlags::empty(), 0, bytes) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            result => Ok(result?),
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, bytes);
        Ok(())
    }
}

impl DiskFile for File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        loop {
            match read_some(self, buffer, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    fn write_at(&self, mut bytes: &[u8], mut at: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            match write_some(self, bytes, at) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => (bytes, at) = (&bytes[count..], at + count as u64),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }
}

#[cfg(unix)]
fn read_some(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, at)
}

#[cfg(unix)]
fn write_some(file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::write_at(file, bytes, at)
}

#[cfg(windows)]
fn read_some(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, at)
}

#[cfg(windows)]
fn write_some(file: &File, bytes: &[u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_write(file, bytes, at)
}
