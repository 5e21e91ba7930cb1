//! A directory that tells which of its segments is being read. Must never change what it gives.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tidings_log::{Directory, Disk, DiskFile};

use super::bar::Bar;
use crate::cli::notes::Notes;

/// Such a directory.
pub(super) struct Told<'a> {
    disk: &'a Directory,
    bar: Mutex<Bar<'a>>,
    opened: AtomicU64,
    segments: u64,
}

impl<'a> Told<'a> {
    /// `disk`, told to `notes`.
    pub(super) fn new(disk: &'a Directory, notes: &'a mut Notes) -> Told<'a> {
        // A directory that cannot be listed is told by whoever lists it next.
        let names = disk.list().unwrap_or_default();
        let segments = names.iter().filter(|name| name.ends_with(".segment")).count() as u64;
        let bar = Mutex::new(Bar::new(notes, "reading"));
        Told { disk, bar, opened: AtomicU64::new(0), segments }
    }
}

impl Disk for Told<'_> {
    fn boot_id(&self) -> Option<String> {
        self.disk.boot_id()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        self.disk.create(name, bytes)
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        if name.ends_with(".segment") {
            let opened = self.opened.fetch_add(1, Ordering::Relaxed);
            let mut bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
            let (number, all) = (opened + 1, self.segments);
            bar.show(opened, Some(all), || format!("segment {number} of {all}"));
        }
        self.disk.open(name)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.disk.remove(name)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.disk.replace(name, bytes)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.disk.read(name)
    }
}
