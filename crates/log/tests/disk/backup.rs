//! A backup is a log of its own with everything that was acknowledged before it began, whatever
//! the server does meanwhile; and one that was not finished is none.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use tidings_log::{
    BackedUp, BackupStep, Batch, Cursor, Damage, Disk, DiskFile, DiskLog, Level, Log, backup, check,
};
use tidings_model::{GapReason, Mark, Time};

use crate::support::{FakeDisk, append, append_batch, message, open, options, payloads, read};

const EPOCH: u32 = 77;

/// A backup of `from`, and where it is.
fn backed_up(from: &dyn Disk) -> (BackedUp, FakeDisk) {
    let to = FakeDisk::default();
    let result = backup(from, &to, EPOCH, &mut |_| ()).unwrap();
    (result, to)
}

fn numbers(range: std::ops::RangeInclusive<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

fn filled(disk: &FakeDisk, messages_max: u64, count: u32) -> DiskLog {
    let log = open(disk, messages_max, 500);
    for number in 1..=count {
        append(&log, vec![message("t", &number.to_string())]).unwrap();
    }
    log
}

/// A disk on which something happens whenever a file is opened or read whole.
struct Restless<'a, F> {
    disk: &'a FakeDisk,
    /// Told the file's name, before.
    event: F,
}

impl<F: Fn(&str) + Send + Sync> Disk for Restless<'_, F> {
    fn boot_id(&self) -> Option<String> {
        self.disk.boot_id()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn create(&self, _: &str, _: u64) -> io::Result<Arc<dyn DiskFile>> {
        panic!("the original is changed")
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        (self.event)(name);
        self.disk.open(name)
    }
    fn remove(&self, _: &str) -> io::Result<()> {
        panic!("the original is changed")
    }
    fn replace(&self, _: &str, _: &[u8]) -> io::Result<()> {
        panic!("the original is changed")
    }
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        (self.event)(name);
        self.disk.read(name)
    }
}

#[test]
fn it_is_a_log_of_its_own_with_all_that_was_there() {
    let disk = FakeDisk::default();
    let log = filled(&disk, 1000, 50);
    crate::support::append_with(
        &log,
        vec![message("u", "with a key")],
        Some(crate::support::token(9)),
    )
    .unwrap();
    let steps = Mutex::new(Vec::new());
    let to = FakeDisk::default();
    let result = backup(&disk, &to, EPOCH, &mut |step| steps.lock().unwrap().push(step)).unwrap();
    // The original goes on meanwhile, and knows nothing of it.
    append(&log, vec![message("t", "later")]).unwrap();
    assert_eq!((result.epoch, result.messages, result.end), (EPOCH, 51, 51));
    assert_eq!(result.damages, []);
    let steps = steps.into_inner().unwrap();
    let (last, copied) = steps.split_last().unwrap();
    assert_eq!(*last, BackupStep::Reading);
    assert_eq!(copied.last(), Some(&BackupStep::Copied(result.bytes, result.bytes)));
    assert_eq!(check(&to).unwrap().damages, []);

    let copy = open(&to, 1000, 500);
    assert_eq!(copy.end(), Mark { epoch: EPOCH, offset: 51 });
    let (records, end) = read(&copy, &["t"], Cursor::default());
    assert_eq!((payloads(&records), end.lost), (numbers(1..=50), None));
    assert_eq!(*records[6].message, message("t", "7"), "all of it comes back");
    let remembered = copy.remembered();
    assert_eq!(remembered.len(), 1, "a retry is still a retry");
    assert_eq!(remembered[0].last, Mark { epoch: EPOCH, offset: 51 });
    assert_eq!(append(&copy, vec![message("t", "51")]).unwrap().offset, 52);
    assert_eq!(append(&log, vec![message("t", "52")]).unwrap().offset, 53);
}

/// What the original's system may not have written yet, the copy's has.
#[test]
fn what_was_not_flushed_is_in_the_copy_for_good() {
    let disk = FakeDisk::default();
    let log = filled(&disk, 1000, 10);
    let messages = vec![message("t", "11")];
    append_batch(&log, Batch { messages, token: None, level: Level::Os }).unwrap();
    let (result, to) = backed_up(&disk);
    assert_eq!(result.end, 11);
    let (records, end) =
        read(&open(&to.after_power_loss(|| false), 1000, 500), &["t"], Cursor::default());
    assert_eq!((payloads(&records), end.lost), (numbers(1..=11), None));
}

#[test]
fn indexes_are_copied() {
    let disk = FakeDisk::default();
    let _log = filled(&disk, 1000, 50);
    let (_, to) = backed_up(&disk);
    let indexes = |disk: &FakeDisk| -> Vec<_> {
        disk.names().into_iter().filter(|name| name.ends_with(".index")).collect()
    };
    assert!(indexes(&disk).len() > 3);
    assert_eq!(indexes(&to), indexes(&disk));
    for name in indexes(&disk) {
        assert_eq!(to.content(&name), disk.content(&name));
    }
}

#[test]
fn what_is_appended_meanwhile_does_no_harm() {
    let disk = FakeDisk::default();
    let log = Mutex::new(filled(&disk, 1000, 30));
    let number = AtomicU32::new(30);
    let event = |_: &str| {
        for _ in 0..3 {
            let next = number.fetch_add(1, Ordering::Relaxed) + 1;
            append(&*log.lock().unwrap(), vec![message("t", &next.to_string())]).unwrap();
        }
    };
    let (result, to) = backed_up(&Restless { disk: &disk, event });
    assert_eq!(result.damages, []);
    let (records, end) = read(&open(&to, 1000, 500), &["t"], Cursor::default());
    let there = records.len() as u32;
    assert!(there >= 30, "what was acknowledged before is missing: {there}");
    assert_eq!((payloads(&records), end.lost), (numbers(1..=there), None));
}

/// The first segments vanish between the list and the copy: they were trimmed, and that is told.
#[test]
fn what_vanishes_meanwhile_was_trimmed() {
    let disk = FakeDisk::default();
    let log = Mutex::new(filled(&disk, 20, 40));
    let number = AtomicU32::new(40);
    let opened = AtomicU32::new(0);
    let before = disk.names();
    let first = before.iter().find(|name| name.ends_with(".segment")).unwrap();
    let event = |name: &str| {
        // Once the files have been listed and looked at, the server is quicker than the copy.
        if name == first && opened.fetch_add(1, Ordering::Relaxed) == 1 {
            for _ in 0..15 {
                let next = number.fetch_add(1, Ordering::Relaxed) + 1;
                append(&*log.lock().unwrap(), vec![message("t", &next.to_string())]).unwrap();
            }
            // A message that is stored later finds what is dead removed.
            append(&*log.lock().unwrap(), vec![message("other", "x")]).unwrap();
        }
    };
    let (result, to) = backed_up(&Restless { disk: &disk, event });
    let vanished = before.iter().filter(|name| name.ends_with(".segment"));
    let vanished = vanished.filter(|name| !to.names().contains(name)).count();
    assert!(vanished > 0, "nothing vanished: {before:?} {:?}", to.names());
    assert_eq!(result.damages, []);
    let (records, end) = read(&open(&to, 20, 500), &["t"], Cursor::default());
    let first: u32 = payloads(&records)[0].parse().unwrap();
    let last = first + records.len() as u32 - 1;
    assert_eq!(payloads(&records), numbers(first..=last), "no holes");
    assert!(last >= 40, "what was acknowledged before is missing");
    assert!(end.lost.is_some_and(|(offset, _)| offset >= u64::from(first) - 1), "{end:?}");
}

/// A segment is replaced between the copies of it and of its index: the index is then of no use.
#[test]
fn an_index_of_another_segment_does_no_harm() {
    let disk = FakeDisk::default();
    let log = filled(&disk, 1000, 50);
    let (_, other) = backed_up(&disk);
    drop(log);
    let strange = FakeDisk::default();
    drop(open(&strange, 1000, 500));
    drop(filled(&strange, 1000, 50));
    let index = disk.names().into_iter().find(|name| name.ends_with(".index")).unwrap();
    let event = |name: &str| {
        if name == index {
            disk.set_content(name, strange.content(&strange.names()[1]));
        }
    };
    let (result, to) = backed_up(&Restless { disk: &disk, event });
    assert_eq!(result.damages, []);
    assert_ne!(to.content(&index), other.content(&index));
    let (records, end) = read(&open(&to, 1000, 500), &["t"], Cursor::default());
    assert_eq!((payloads(&records), end.lost), (numbers(1..=50), None));
}

/// A file of which some bytes are not there yet, for so many reads.
struct Torn {
    file: Arc<dyn DiskFile>,
    at: u64,
    left: Arc<AtomicU32>,
}

impl DiskFile for Torn {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<usize> {
        let count = self.file.read_at(buffer, at)?;
        if self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
            .is_ok()
        {
            let begin = (self.at - at) as usize;
            buffer[begin..begin + 100].fill(0);
        }
        Ok(count)
    }
    fn write_at(&self, _: &[u8], _: u64) -> io::Result<()> {
        panic!("the original is changed")
    }
    fn sync(&self) -> io::Result<()> {
        panic!("the original is changed")
    }
    fn set_size(&self, _: u64) -> io::Result<()> {
        panic!("the original is changed")
    }
}

/// A disk whose only segment is caught in the middle of a write, for so many reads.
struct BeingWritten {
    disk: FakeDisk,
    left: Arc<AtomicU32>,
}

impl Disk for BeingWritten {
    fn boot_id(&self) -> Option<String> {
        self.disk.boot_id()
    }

    fn list(&self) -> io::Result<Vec<String>> {
        self.disk.list()
    }
    fn create(&self, _: &str, _: u64) -> io::Result<Arc<dyn DiskFile>> {
        panic!("the original is changed")
    }
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.disk.open(name)?;
        Ok(Arc::new(Torn { file, at: 300, left: Arc::clone(&self.left) }))
    }
    fn remove(&self, _: &str) -> io::Result<()> {
        panic!("the original is changed")
    }
    fn replace(&self, _: &str, _: &[u8]) -> io::Result<()> {
        panic!("the original is changed")
    }
    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.disk.read(name)
    }
}

#[test]
fn a_segment_that_is_caught_in_a_write_is_read_again() {
    let disk = FakeDisk::default();
    let log = open(&disk, 1000, 1 << 20);
    for number in 1..=20 {
        append(&log, vec![message("t", &number.to_string())]).unwrap();
    }
    for (times, is_damaged) in [(0, false), (3, false), (1000, true)] {
        let left = Arc::new(AtomicU32::new(times));
        let (result, to) = backed_up(&BeingWritten { disk: disk.clone(), left });
        let (records, end) = read(&open(&to, 1000, 1 << 20), &["t"], Cursor::default());
        assert_eq!(!result.damages.is_empty(), is_damaged, "{times}: {result:?}");
        if is_damaged {
            let Damage { from, to, .. } = result.damages[0];
            assert_eq!(records.len() as u64, 20 - (to - from + 1), "the rest is as good as ever");
            assert_eq!(end.lost, Some((to, GapReason::Damaged)));
        } else {
            assert_eq!(payloads(&records), numbers(1..=20), "{times}");
        }
    }
}

/// Whatever the moment at which the copy's disk fails, or its power, the copy is whole or none.
#[test]
fn what_is_not_finished_is_no_log() {
    let disk = FakeDisk::default();
    let log = filled(&disk, 30, 60);
    drop(log);
    let whole = FakeDisk::default();
    backup(&disk, &whole, EPOCH, &mut |_| ()).unwrap();
    let mut state = 1_u64;
    let mut chance = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        state >> 63 == 1
    };
    for fail_from in 1..=whole.changes() {
        let to = FakeDisk::default();
        to.fail_from(fail_from);
        let result = backup(&disk, &to, EPOCH, &mut |_| ());
        let to = to.after_power_loss(&mut chance);
        let opened = DiskLog::open(Box::new(to), options(30, 500), Time::from_millis(6_000));
        match result {
            Ok(_) => {
                let (log, damages) = opened.unwrap();
                assert_eq!(damages, []);
                let records = read(&log, &["t"], Cursor::default()).0;
                assert_eq!(payloads(&records), numbers(31..=60));
            }
            Err(_) => {
                let error = opened.err().map(|error| error.to_string()).unwrap_or_default();
                assert!(error.contains("never finished"), "at change {fail_from}: {error}");
            }
        }
    }
}

#[test]
fn where_there_is_no_log_there_is_nothing_to_copy() {
    let error = backup(&FakeDisk::default(), &FakeDisk::default(), EPOCH, &mut |_| ()).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
    // An epoch that is the original's by chance would make its positions look right.
    let disk = FakeDisk::default();
    drop(open(&disk, 10, 500));
    let result = backup(&disk, &FakeDisk::default(), 7, &mut |_| ()).unwrap();
    assert_ne!(result.epoch, 7);
}
