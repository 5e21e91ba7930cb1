//! A log that works on its callers' threads does everything before it returns, and the same every
//! time: so it can be simulated.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tidings_log::{Batch, DiskLog, DiskOptions, Level, Log, Threads};
use tidings_model::Time;

use crate::support::{FakeDisk, chance, message, options};

fn open(disk: &FakeDisk) -> DiskLog {
    let salt = AtomicU32::new(0);
    let salt = Box::new(move || salt.fetch_add(1, Ordering::Relaxed));
    let options = DiskOptions { salt, threads: Threads::Callers, ..options(20, 1500) };
    DiskLog::open(Box::new(disk.clone()), options, Time::from_millis(6_000)).unwrap().0
}

fn batch(payload: &str, level: Level) -> Batch {
    Batch { messages: vec![message("t", payload)], token: None, level }
}

#[test]
fn an_append_is_answered_before_it_returns() {
    let disk = FakeDisk::default();
    let log = open(&disk);
    for number in 1..=100 {
        let answered = Arc::new(AtomicU64::new(0));
        let told = Arc::clone(&answered);
        let level = if number % 2 == 0 { Level::Os } else { Level::Fsync };
        log.append(
            batch("x", level),
            Box::new(move |mark| told.store(mark.unwrap().offset, Ordering::SeqCst)),
        );
        assert_eq!(answered.load(Ordering::SeqCst), number);
        // Trimmed segments are gone, too.
        let segments = disk.names().iter().filter(|name| name.ends_with(".segment")).count();
        assert!(segments <= 4, "{segments} segments after {number} messages");
    }
}

#[test]
fn it_can_be_called_by_what_it_calls() {
    let log = Arc::new(open(&FakeDisk::default()));
    let answers = Arc::new(Mutex::new(Vec::new()));
    let (inner, told) = (Arc::clone(&log), Arc::clone(&answers));
    log.append(
        batch("outer", Level::Fsync),
        Box::new(move |outer| {
            let also_told = Arc::clone(&told);
            let done = Box::new(move |mark| also_told.lock().unwrap().push(mark));
            inner.append(batch("inner", Level::Fsync), done);
            told.lock().unwrap().push(outer);
        }),
    );
    let offsets: Vec<u64> =
        answers.lock().unwrap().iter().map(|mark| mark.as_ref().unwrap().offset).collect();
    assert_eq!(offsets, [1, 2]);
}

#[test]
fn the_same_is_done_every_time() {
    let run = || {
        let disk = FakeDisk::default();
        let log = open(&disk);
        let mut below = chance(3);
        for number in 0..200 {
            let level = if below(2) == 0 { Level::Os } else { Level::Fsync };
            log.append(batch(&number.to_string(), level), Box::new(|mark| assert!(mark.is_ok())));
            if below(5) == 0 {
                log.tick(Time::from_millis(6_000 + 1_000 * number));
            }
        }
        drop(log);
        let names = disk.names();
        let contents: Vec<_> = names.iter().map(|name| disk.content(name)).collect();
        (disk.changes(), disk.reads(), names, contents)
    };
    assert!(run() == run());
}
