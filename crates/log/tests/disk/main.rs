//! The log on disk keeps what it acknowledged, whatever happens to it, and says what it lost.

#![expect(clippy::unwrap_used, reason = "a test that meets the impossible should stop there")]

mod backup;
mod callers;
mod levels;
mod sparse;
mod support;
mod wildcards;

use tidings_log::{
    AppendError, Cursor, DiskLog, DiskOptions, Log, MemoryLimits, MemoryLog, Retention, Threads,
};
use tidings_model::{GapReason, LogKind, Mark, Time, Topic};

use support::{ALL, FakeDisk, append, message, open, options, payloads, read};

fn numbers(range: std::ops::RangeInclusive<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

#[test]
fn everything_is_there_after_a_restart() {
    let disk = FakeDisk::default();
    let log = open(&disk, 1000, 2000);
    for number in 1..=50 {
        let topic = if number % 2 == 0 { "even" } else { "odd" };
        let mark = append(&log, vec![message(topic, &number.to_string())]).unwrap();
        assert_eq!(mark, Mark { epoch: 7, offset: number });
    }
    drop(log);
    assert!(disk.names().len() > 5, "several segments: {:?}", disk.names());
    // A disk may give less than it was asked for, though more is there.
    disk.set_read_max(7);
    let log = open(&disk, 1000, 2000);
    let (records, end) = read(&log, &["**"], Cursor::default());
    assert_eq!(payloads(&records), numbers(1..=50));
    assert_eq!((end.lost, end.through), (None, 50));
    let even = read(&log, &["even"], Cursor { offset: 45, told: 0 }).0;
    assert_eq!(payloads(&even), ["46", "48", "50"]);
    let record = &even[0];
    assert_eq!((record.previous, record.mark.epoch), (44, 7));
    assert_eq!(*record.message, message("even", "46"), "all of it comes back");
    assert_eq!(append(&log, vec![message("odd", "51")]).unwrap().offset, 51);
}

#[test]
fn the_index_of_a_sealed_segment_is_not_needed() {
    let disk = FakeDisk::default();
    let log = open(&disk, 1000, 2000);
    for number in 1..=50 {
        append(&log, vec![message("t", &number.to_string())]).unwrap();
    }
    drop(log);
    for name in disk.names().iter().filter(|name| name.ends_with(".index")) {
        disk.set_content(name, b"nonsense".to_vec());
    }
    let (records, end) = read(&open(&disk, 1000, 2000), &["t"], Cursor::default());
    assert_eq!((payloads(&records), end.lost), (numbers(1..=50), None));
}

#[test]
fn tokens_are_remembered_for_their_time() {
    let disk = FakeDisk::default();
    let log = open(&disk, 1000, 1500);
    for number in 1..=30 {
        let token = (number % 3 == 0).then(|| support::token(number));
        support::append_with(&log, vec![message("t", "a"), message("t", "b")], token).unwrap();
    }
    assert_eq!(log.remembered(), [], "they are of this life");
    drop(log);
    for _ in 0..2 {
        let log = open(&disk, 1000, 1500);
        let remembered = log.remembered();
        let numbers: Vec<u64> = remembered.iter().map(|r| r.last.offset).collect();
        assert_eq!(numbers, (1..=10).map(|n| 6 * n).collect::<Vec<_>>());
        assert_eq!((&remembered[0].token, remembered[0].count), (&support::token(3), 2));
        assert_eq!(log.remembered(), [], "once is enough");
    }
    let much_later = Time::from_millis(5_000 + 601_000);
    let log = DiskLog::open(Box::new(disk), options(1000, 1500), much_later).unwrap().0;
    assert_eq!(log.remembered(), [], "their time is over");
}

/// The power goes at every single change of the disk, several times each, with other sectors lost.
#[test]
fn no_loss_of_power_loses_what_was_acknowledged() {
    let run = |disk: &FakeDisk| -> u32 {
        let opened = DiskLog::open(Box::new(disk.clone()), options(1000, 1500), Time::default());
        let Ok((log, _)) = opened else { return 0 };
        for number in 1..=30 {
            let batch = vec![
                message("t", &(2 * number - 1).to_string()),
                message("t", &(2 * number).to_string()),
            ];
            if append(&log, batch).is_err() {
                return 2 * (number - 1);
            }
        }
        60
    };
    let whole = FakeDisk::default();
    run(&whole);
    let mut below = support::chance(1);
    for fail_from in 0..whole.changes() {
        for _ in 0..4 {
            let disk = FakeDisk::default();
            disk.fail_from(fail_from);
            let acknowledged = run(&disk);
            let disk = disk.after_power_loss(|| below(2) == 1);
            let what = format!("power gone at change {fail_from}, {acknowledged} acknowledged");
            let opened = DiskLog::open(Box::new(disk), options(1000, 1500), Time::default());
            let (log, damages) = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_eq!(damages, [], "{what}: a torn end is no damage");
            let (records, end) = read(&log, &["**"], Cursor::default());
            let there = records.len() as u32;
            assert_eq!(payloads(&records), numbers(1..=there), "{what}");
            assert!(there >= acknowledged, "{what}: only {there} are there");
            assert!(there.is_multiple_of(2), "{what}: half a batch is there");
            assert_eq!(end.lost, None, "{what}");
            let next = append(&log, vec![message("t", "next")]).unwrap();
            assert_eq!(next.offset, u64::from(there) + 1, "{what}");
        }
    }
}

/// One bit flips at every byte of every file in turn.
#[test]
fn a_flipped_bit_costs_what_it_hit_and_is_told() {
    let disk = FakeDisk::default();
    let log = open(&disk, 1000, 1500);
    for number in 1..=20 {
        append(&log, vec![message("t", &number.to_string())]).unwrap();
    }
    drop(log);
    let last = disk.names().into_iter().rfind(|name| name.ends_with(".segment")).unwrap();
    for name in disk.names().iter().filter(|name| name.ends_with(".segment")) {
        let content = disk.content(name);
        for at in 0..content.len() {
            let flipped = disk.after_kill();
            let mut bytes = content.clone();
            bytes[at] ^= 1 << (at % 8);
            flipped.set_content(name, bytes);
            let what = format!("{name} at {at}");
            let untouched = flipped.after_kill();
            let checked = tidings_log::check(&flipped).unwrap();
            assert_eq!(
                flipped.content(name),
                untouched.content(name),
                "{what}: checking changed it"
            );
            let log = open(&flipped, 1000, 1500);
            let (records, end) = read(&log, &["t"], Cursor::default());
            let there = payloads(&records);
            let expected = numbers(1..=20);
            let missing: Vec<u64> = (1..=20_u64)
                .filter(|number| !there.contains(&expected[*number as usize - 1]))
                .collect();
            assert!(there.iter().all(|payload| expected.contains(payload)), "{what}");
            // The very last group cannot be told from one that was never finished.
            let told = end.lost.map(|(offset, _)| offset);
            let tail = name == &last && missing == [20];
            if !missing.is_empty() && !tail {
                assert_ne!(checked.damages, [], "{what}: a check does not see it");
                assert!(told >= missing.last().copied(), "{what}: {missing:?} told {told:?}");
                assert_eq!(end.lost.map(|(_, reason)| reason), Some(GapReason::Damaged), "{what}");
            }
        }
    }
}

#[test]
fn a_failed_sync_means_not_stored_and_never_later() {
    let disk = FakeDisk::default();
    let log = open(&disk, 1000, 1 << 20);
    append(&log, vec![message("t", "1")]).unwrap();
    disk.fail_sync(1);
    assert!(matches!(append(&log, vec![message("t", "2")]), Err(AppendError::Storage(_))));
    assert!(matches!(append(&log, vec![message("t", "3")]), Err(AppendError::Storage(_))));
    assert_eq!(payloads(&read(&log, &["t"], Cursor::default()).0), ["1"], "reading goes on");
}

#[test]
fn a_full_disk_refuses_and_recovers_when_there_is_room() {
    let disk = FakeDisk::default();
    let log = open(&disk, 1000, 1 << 20);
    append(&log, vec![message("t", "1")]).unwrap();
    disk.set_room(Some(50));
    for payload in ["2", "3"] {
        assert!(matches!(append(&log, vec![message("t", payload)]), Err(AppendError::Storage(_))));
    }
    assert_eq!(payloads(&read(&log, &["t"], Cursor::default()).0), ["1"]);
    disk.set_room(None);
    assert_eq!(append(&log, vec![message("t", "4")]).unwrap().offset, 2);
    drop(log);
    let (records, end) = read(&open(&disk, 1000, 1 << 20), &["t"], Cursor::default());
    assert_eq!((payloads(&records), end.lost), (vec!["1".to_owned(), "4".to_owned()], None));
}

#[test]
fn what_was_trimmed_before_a_restart_is_told_after_it() {
    let disk = FakeDisk::default();
    let log = open(&disk, 5, 1500);
    for number in 1..=60 {
        append(&log, vec![message("busy", &number.to_string())]).unwrap();
    }
    log.tick(Time::from_millis(6_000));
    append(&log, vec![message("other", "61")]).unwrap();
    drop(log);
    assert!(!disk.names().contains(&format!("{:020}.segment", 1)), "old segments are gone");
    let log = open(&disk, 5, 1500);
    let (records, end) = read(&log, &["busy"], Cursor { offset: 10, told: 0 });
    assert_eq!(payloads(&records), numbers(56..=60));
    assert_eq!(end.lost, Some((55, GapReason::Trimmed)));
    assert_eq!(read(&log, &["busy"], Cursor { offset: 55, told: 0 }).1.lost, None);
    assert_eq!(read(&log, &["other"], Cursor::default()).1.lost, None);
}

#[test]
fn a_newer_format_and_a_foreign_directory_are_refused() {
    let disk = FakeDisk::default();
    drop(open(&disk, 10, 1500));
    disk.set_content("tidings", b"tidings-log 3 7\n".to_vec());
    let refused = |disk: &FakeDisk| {
        let opened = DiskLog::open(Box::new(disk.clone()), options(10, 1500), Time::default());
        opened.err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused(&disk).contains("format 3"), "{}", refused(&disk));
    disk.set_content("tidings", b"what?".to_vec());
    assert!(refused(&disk).contains("damaged"), "{}", refused(&disk));
}

#[test]
fn finding_reads_no_file_and_loading_reads_neighbours_at_once() {
    let disk = FakeDisk::default();
    let log = open(&disk, 1000, 1 << 20);
    for number in 1..=50 {
        append(&log, vec![message(if number % 2 == 0 { "even" } else { "odd" }, "x")]).unwrap();
    }
    let find = |log: &DiskLog| log.find(&support::wanted(&["even"]), Cursor::default(), ALL);
    assert!(find(&log).is_hot(), "what was just stored is in memory");
    drop(log);
    let log = open(&disk, 1000, 1 << 20);
    let reads = disk.reads();
    let found = find(&log);
    let newest = log.last(&support::wanted(&["even"]), 1, Time::default());
    assert_eq!(newest, [(Mark { epoch: 7, offset: 50 }, Time::from_millis(5_000))]);
    assert_eq!((found.is_hot(), disk.reads()), (false, reads));
    // It is a thing of its own: neither the log nor this thread is needed.
    drop(log);
    let load = move || {
        let mut records = Vec::new();
        let end = found.load(Time::default(), &mut records);
        (records.iter().map(|record| record.mark.offset).collect(), end.through)
    };
    let (offsets, through): (Vec<u64>, _) = std::thread::spawn(load).join().unwrap();
    assert_eq!((offsets, through), ((1..=25).map(|n| 2 * n).collect(), 50));
    assert_eq!(disk.reads(), reads + 1, "all of them at once");
}

/// A place that the disk cannot read costs what lies there, and nothing of what lies beside it.
#[test]
fn an_unreadable_place_costs_its_message_only() {
    let disk = FakeDisk::default();
    let log = open(&disk, 1000, 1 << 20);
    for number in 1..=5 {
        append(&log, vec![message("t", &format!("number {number}"))]).unwrap();
    }
    drop(log);
    let log = open(&disk, 1000, 1 << 20);
    let file = format!("{:020}.segment", 1);
    let third = disk.content(&file).windows(8).position(|bytes| bytes == b"number 3").unwrap();
    disk.make_unreadable(&file, third..third + 1);
    let (records, end) = read(&log, &["t"], Cursor::default());
    let offsets: Vec<u64> = records.iter().map(|record| record.mark.offset).collect();
    assert_eq!((offsets, end.lost), (vec![1, 2, 4, 5], Some((3, GapReason::Damaged))));
}

#[test]
fn places_of_the_newest_leave_out_what_has_expired() {
    let disk = FakeDisk::default();
    let log = open(&disk, 1000, 1 << 20);
    for (number, ttl) in [(1, None), (2, None), (3, Some(1)), (4, None), (5, Some(1))] {
        let mut message = message("t", &number.to_string());
        message.expires = ttl.map(|ttl| Time::from_millis(5_000 + ttl));
        append(&log, vec![message]).unwrap();
    }
    for log in [log, open(&disk, 1000, 1 << 20)] {
        for filter in ["t", "**"] {
            let last = |count, now| -> Vec<u64> {
                let places = log.last(&support::wanted(&[filter]), count, Time::from_millis(now));
                places.iter().map(|(mark, _)| mark.offset).collect()
            };
            assert_eq!((last(2, 5_000), last(2, 5_001)), (vec![4, 5], vec![2, 4]), "{filter}");
        }
    }
}

/// Random appends and reads: the disk log says exactly what the memory log says.
#[test]
fn it_agrees_with_the_log_in_memory() {
    for seed in 0..30_u64 {
        let mut below = support::chance(seed);
        let (rarely, often) = (1 + below(10), 1 + below(40));
        let policy = move |topic: &Topic| {
            let messages_max = if topic.as_str() == "b" { often } else { rarely };
            Retention { messages_max, ..Retention::default() }
        };
        let limits = MemoryLimits::default();
        let memory = MemoryLog::new(LogKind::Durable, 7, limits, Box::new(policy));
        let disk = FakeDisk::default();
        let threads = if seed % 2 == 0 { Threads::Own } else { Threads::Callers };
        let reopen = || {
            let policy = Box::new(policy);
            let options = DiskOptions { policy, threads, ..options(1, 1500) };
            DiskLog::open(Box::new(disk.clone()), options, Time::from_millis(6_000)).unwrap().0
        };
        let mut log = reopen();
        for step in 0..300 {
            let topics = ["a", "b", "c/1", "c/2"];
            let count = 1 + below(3);
            let batch: Vec<_> = (0..count)
                .map(|part| message(topics[below(4) as usize], &format!("{step}.{part}")))
                .collect();
            let there = append(&log, batch.clone()).unwrap();
            assert_eq!(append(&memory, batch).unwrap(), there);
            if below(40) == 0 {
                drop(log);
                log = reopen();
            }
            let filters: &[&str] =
                [&["a"][..], &["a", "b"], &["c/*"], &["**"], &["b", "c/*"]][below(5) as usize];
            let from = Cursor { offset: below(there.offset + 1), told: 0 };
            let [ours, theirs] = [read(&log, filters, from), read(&memory, filters, from)];
            assert_eq!(payloads(&ours.0), payloads(&theirs.0), "seed {seed}, step {step}");
            assert_eq!(
                (ours.1.lost, ours.1.through),
                (theirs.1.lost, theirs.1.through),
                "seed {seed}, step {step}, {filters:?} from {from:?}"
            );
            let now = Time::from_millis(6_000);
            let last = |log: &dyn Log| log.last(&support::wanted(filters), 3, now);
            assert_eq!(last(&log), last(&memory), "seed {seed}, step {step}");
        }
    }
}
