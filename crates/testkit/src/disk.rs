//! A disk in memory that fails as disks do: the power goes, there is no more room, a sync fails, a
//! read gives less than was asked for, a place cannot be read, a bit flips.
//!
//! Must never be kinder than a disk: what was not synced is there or not as chance has it, sector
//! by sector, and what was removed may come back.

mod content;

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tidings_log::{Disk, DiskFile};

use content::Content;

/// A directory of files in memory; clones are the same directory.
#[derive(Clone, Default)]
pub struct FakeDisk {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    synced: Condvar,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, File>,
    /// Files that were removed, as long as the removal is not durable.
    removed: Vec<(String, File)>,
    /// Calls that change something, and at which of them everything begins to fail.
    changes: u64,
    fail_from: Option<u64>,
    /// Bytes that still fit.
    room: Option<u64>,
    /// How many syncs there are until one fails.
    fail_sync: Option<u64>,
    reads: u64,
    syncs: u64,
    /// Most bytes that one call reads.
    read_max: Option<usize>,
    unreadable: Option<(String, Range<usize>)>,
    /// How often the power came back.
    boots: u64,
    hides_boots: bool,
}

/// A file outlives its name as long as somebody has it open.
type File = Arc<Mutex<Content>>;

impl FakeDisk {
    /// How many calls have changed something.
    pub fn changes(&self) -> u64 {
        self.state().changes
    }

    /// From the `n`-th change on, nothing works any more, as if the power had gone.
    pub fn fail_from(&self, n: u64) {
        self.state().fail_from = Some(n);
    }

    /// How many more bytes can be written.
    pub fn set_room(&self, bytes: Option<u64>) {
        self.state().room = bytes;
    }

    /// The `n`-th sync of a file from now on fails, the next being the first. As with a true disk,
    /// what was written since the last one is lost, though it can still be read; and the sync after
    /// it says nothing of that.
    pub fn fail_sync(&self, n: u64) {
        self.state().fail_sync = Some(n);
    }

    /// How many calls have read.
    pub fn reads(&self) -> u64 {
        self.state().reads
    }

    /// How many files were synced.
    pub fn syncs(&self) -> u64 {
        self.state().syncs
    }

    /// Waits until so many files were synced.
    pub fn wait_for_syncs(&self, count: u64) {
        let state = self.state();
        drop(self.inner.synced.wait_while(state, |state| state.syncs < count).unwrap());
    }

    /// One call never reads more than this, though more may be there.
    pub fn set_read_max(&self, bytes: usize) {
        self.state().read_max = Some(bytes);
    }

    /// These bytes of a file can no longer be read.
    pub fn make_unreadable(&self, name: &str, bytes: Range<usize>) {
        self.state().unreadable = Some((name.to_owned(), bytes));
    }

    /// The system has no name for the time since it went up.
    pub fn hide_boot_id(&self) {
        self.state().hides_boots = true;
    }

    /// What another process finds when this one was killed.
    pub fn after_kill(&self) -> FakeDisk {
        self.copied(|content| content.clone(), false)
    }

    /// The disk after the power has come back: of each sector that was not synced, chance decides
    /// whether the old or the new content is there; and of each removal, whether it was.
    pub fn after_power_loss(&self, mut chance: impl FnMut() -> bool) -> FakeDisk {
        let disk = self.copied(|content| content.after_power_loss(&mut chance), true);
        for (name, file) in &self.state().removed {
            if chance() && !disk.state().files.contains_key(name) {
                let content = lock(file).after_power_loss(&mut chance);
                disk.state().files.insert(name.clone(), Arc::new(Mutex::new(content)));
            }
        }
        disk
    }

    fn copied(&self, mut copy: impl FnMut(&Content) -> Content, boots: bool) -> FakeDisk {
        let state = self.state();
        let files = state.files.iter();
        let files =
            files.map(|(name, file)| (name.clone(), Arc::new(Mutex::new(copy(&lock(file))))));
        let copy = State {
            files: files.collect(),
            boots: state.boots + u64::from(boots),
            hides_boots: state.hides_boots,
            ..State::default()
        };
        FakeDisk { inner: Arc::new(Inner { state: Mutex::new(copy), synced: Condvar::new() }) }
    }

    /// The names of all files.
    pub fn names(&self) -> Vec<String> {
        self.state().files.keys().cloned().collect()
    }

    /// What a reader of a file sees.
    ///
    /// # Panics
    /// When there is no such file.
    pub fn content(&self, name: &str) -> Vec<u8> {
        lock(&self.state().files[name]).seen().to_vec()
    }

    /// Puts something else in place of a file, as damage would.
    pub fn set_content(&self, name: &str, bytes: Vec<u8>) {
        let content = Content::durable(bytes);
        self.state().files.insert(name.to_owned(), Arc::new(Mutex::new(content)));
    }

    /// A file is gone that nobody has removed.
    pub fn lose(&self, name: &str) {
        self.state().files.remove(name);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.inner.state)
    }

    fn change<T>(&self, work: impl FnOnce(&mut State) -> io::Result<T>) -> io::Result<T> {
        let mut state = self.state();
        state.changes += 1;
        if state.fail_from.is_some_and(|from| state.changes > from) {
            return Err(io::Error::other("the power is gone"));
        }
        work(&mut state)
    }
}

impl Disk for FakeDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.names())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        self.change(|state| {
            if state.files.contains_key(name) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            let mut content = Content::default();
            content.resize(bytes as usize);
            state.files.insert(name.to_owned(), Arc::new(Mutex::new(content)));
            // The directory is synced, and with it whatever was removed before.
            state.removed.clear();
            Ok(())
        })?;
        self.open(name)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.state().files.get(name).cloned().ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(FakeFile { disk: self.clone(), name: name.to_owned(), file }))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.change(|state| {
            let file = state.files.remove(name).ok_or(io::ErrorKind::NotFound)?;
            state.removed.push((name.to_owned(), file));
            Ok(())
        })
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.change(|state| {
            take_room(&mut state.room, bytes.len())?;
            let content = Content::durable(bytes.to_vec());
            state.files.insert(name.to_owned(), Arc::new(Mutex::new(content)));
            state.removed.clear();
            Ok(())
        })
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut state = self.state();
        state.reads += 1;
        let file = state.files.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(lock(file).seen().to_vec())
    }

    fn boot_id(&self) -> Option<String> {
        let state = self.state();
        (!state.hides_boots).then(|| state.boots.to_string())
    }
}

/// All of it fits, or it is an error.
fn take_room(room: &mut Option<u64>, bytes: usize) -> io::Result<()> {
    if let Some(room) = room {
        *room = room.checked_sub(bytes as u64).ok_or(io::ErrorKind::StorageFull)?;
    }
    Ok(())
}

struct FakeFile {
    disk: FakeDisk,
    name: String,
    file: File,
}

impl DiskFile for FakeFile {
    fn size(&self) -> io::Result<u64> {
        Ok(lock(&self.file).seen().len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let mut state = self.disk.state();
        state.reads += 1;
        let at = at as usize;
        if let Some((name, bytes)) = &state.unreadable
            && *name == self.name
            && bytes.start < at + buffer.len()
            && bytes.end > at
        {
            return Err(io::Error::other("the disk cannot read this"));
        }
        let content = lock(&self.file);
        let from = &content.seen()[at.min(content.seen().len())..];
        let count = from.len().min(buffer.len()).min(state.read_max.unwrap_or(usize::MAX));
        buffer[..count].copy_from_slice(&from[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.disk.change(|state| {
            // A disk that fills up takes the beginning.
            let fits = state.room.map_or(bytes.len(), |room| bytes.len().min(room as usize));
            take_room(&mut state.room, fits)?;
            lock(&self.file).write(&bytes[..fits], at as usize);
            if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
        })
    }

    fn sync(&self) -> io::Result<()> {
        self.disk.change(|state| {
            state.fail_sync = state.fail_sync.and_then(|left| left.checked_sub(1));
            if state.fail_sync == Some(0) {
                lock(&self.file).forget();
                return Err(io::Error::other("the disk is ill"));
            }
            lock(&self.file).sync();
            state.syncs += 1;
            self.disk.inner.synced.notify_all();
            Ok(())
        })
    }

    fn set_size(&self, bytes: u64) -> io::Result<()> {
        self.disk.change(|_| {
            lock(&self.file).resize(bytes as usize);
            Ok(())
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
