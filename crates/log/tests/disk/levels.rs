//! What is stored at the level `os` survives the process, and its loss with the system is told.

use std::time::Duration;

use tidings_log::{AppendError, Batch, Cursor, DiskLog, Level, Log};
use tidings_model::{GapReason, Mark, Time};

use crate::support::{FakeDisk, append_batch, chance, message, open, options, payloads, read};

/// More than this many messages are never visible without being synced.
const UNSYNCED_MAX: u64 = 65_536;

const MARK: &str = "unflushed";
const CLEAN: &[u8] = b"tidings-unflushed clean ";

fn batch(level: Level, payloads: &[&str]) -> Batch {
    let messages = payloads.iter().map(|payload| message("t", payload)).collect();
    Batch { messages, token: None, level }
}

fn put(log: &DiskLog, level: Level, payload: &str) -> Result<Mark, AppendError> {
    append_batch(log, batch(level, &[payload]))
}

fn reopen(disk: &FakeDisk, segment_bytes: u64) -> DiskLog {
    open(disk, 1000, segment_bytes)
}

fn after(offset: u64) -> Cursor {
    Cursor { offset, told: 0 }
}

fn is_marked(disk: &FakeDisk) -> bool {
    disk.names().contains(&MARK.to_owned())
}

#[test]
fn it_is_visible_without_a_sync_and_a_sync_of_others_makes_it_durable() {
    let disk = FakeDisk::default();
    let log = reopen(&disk, 1 << 20);
    put(&log, Level::Os, "1").unwrap();
    let syncs = disk.syncs();
    for payload in ["2", "3"] {
        put(&log, Level::Os, payload).unwrap();
    }
    assert_eq!((disk.syncs(), is_marked(&disk)), (syncs, true));
    assert_eq!(payloads(&read(&log, &["t"], after(0)).0), ["1", "2", "3"]);
    put(&log, Level::Fsync, "4").unwrap();
    assert_eq!(disk.syncs(), syncs + 1);
    let log = reopen(&disk.after_power_loss(|| false), 1 << 20);
    assert_eq!(payloads(&read(&log, &["t"], after(0)).0), ["1", "2", "3", "4"]);
}

#[test]
fn a_killed_process_loses_nothing_and_tells_of_nothing() {
    let disk = FakeDisk::default();
    let log = reopen(&disk, 1500);
    for number in 1..=40 {
        put(&log, Level::Os, &number.to_string()).unwrap();
    }
    let disk = disk.after_kill();
    let killed = reopen(&disk, 1500);
    let (records, end) = read(&killed, &["t"], after(0));
    assert_eq!((records.len(), end.lost, end.through), (40, None, 40));
    // What the process before had written was not synced, and now is.
    let again = reopen(&disk.after_power_loss(|| false), 1500);
    assert_eq!(read(&again, &["t"], after(0)).0.len(), 40);
    assert_eq!(put(&killed, Level::Os, "41").unwrap().offset, 41);
}

#[test]
fn a_clean_stop_syncs_everything_and_leaves_no_mark() {
    let disk = FakeDisk::default();
    let log = reopen(&disk, 1500);
    for number in 1..=10 {
        put(&log, Level::Os, &number.to_string()).unwrap();
    }
    drop(log);
    assert!(!is_marked(&disk));
    // The removal of the mark may be undone; even then it tells of no loss.
    for came_back in [false, true] {
        let log = reopen(&disk.after_power_loss(|| came_back), 1500);
        let (records, end) = read(&log, &["t"], after(0));
        assert_eq!((records.len(), end.lost, end.through), (10, None, 10));
    }
}

/// The time of messages and ticks counts, and silence does.
#[test]
fn it_is_synced_in_time() {
    let disk = FakeDisk::default();
    let log = reopen(&disk, 1 << 20);
    put(&log, Level::Os, "1").unwrap();
    let syncs = disk.syncs();
    let minute = Duration::from_secs(60);
    log.tick(Time::from_millis(4_999) + minute);
    put(&log, Level::Os, "2").unwrap();
    assert_eq!(disk.syncs(), syncs);
    log.tick(Time::from_millis(5_000) + minute);
    disk.wait_for_syncs(syncs + 1);

    let disk = FakeDisk::default();
    let mut options = options(1000, 1 << 20);
    options.flush_within = Duration::from_millis(1);
    let log = DiskLog::open(Box::new(disk.clone()), options, Time::default()).unwrap().0;
    let syncs = disk.syncs();
    put(&log, Level::Os, "1").unwrap();
    disk.wait_for_syncs(syncs + 1);
}

#[test]
fn no_more_than_so_many_are_visible_and_not_synced() {
    let disk = FakeDisk::default();
    let log = reopen(&disk, 32 << 20);
    put(&log, Level::Os, "first").unwrap();
    let syncs = disk.syncs();
    let thousand = vec!["x"; 1000];
    for _ in 0..(UNSYNCED_MAX - 1) / 1000 {
        append_batch(&log, batch(Level::Os, &thousand)).unwrap();
    }
    assert_eq!(disk.syncs(), syncs);
    append_batch(&log, batch(Level::Os, &thousand)).unwrap();
    assert_eq!(disk.syncs(), syncs + 1);
}

#[test]
fn a_failed_sync_means_that_what_was_visible_may_be_lost() {
    let disk = FakeDisk::default();
    let log = reopen(&disk, 1 << 20);
    put(&log, Level::Fsync, "1").unwrap();
    put(&log, Level::Os, "2").unwrap();
    disk.fail_sync(1);
    assert!(matches!(put(&log, Level::Fsync, "3"), Err(AppendError::Storage(_))));
    assert!(matches!(put(&log, Level::Os, "4"), Err(AppendError::Storage(_))));
    drop(log);
    // The system still runs, but it has dropped what it could not write.
    let end = read(&reopen(&disk, 1 << 20), &["t"], after(2)).1;
    assert_eq!(end.lost.map(|(_, reason)| reason), Some(GapReason::Unflushed));
}

#[test]
fn without_a_boot_id_every_unclean_stop_may_have_lost_something() {
    let disk = FakeDisk::default();
    disk.hide_boot_id();
    let log = reopen(&disk, 1 << 20);
    put(&log, Level::Os, "1").unwrap();
    let killed = reopen(&disk.after_kill(), 1 << 20);
    let lost = read(&killed, &["t"], after(1)).1.lost;
    assert_eq!(lost, Some((1 + UNSYNCED_MAX, GapReason::Unflushed)));
    drop(log);
    assert_eq!(read(&reopen(&disk, 1 << 20), &["t"], after(1)).1.lost, None, "a clean stop");
}

/// A mark that was damaged still says that there was one.
#[test]
fn a_damaged_mark_is_believed_to_be_one() {
    let disk = FakeDisk::default();
    let log = reopen(&disk, 1 << 20);
    put(&log, Level::Os, "1").unwrap();
    let disk = disk.after_kill();
    drop(log);
    let whole = disk.content(MARK);
    for at in 0..whole.len() {
        let damaged = disk.after_kill();
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        damaged.set_content(MARK, bytes);
        let end = read(&reopen(&damaged, 1 << 20), &["t"], after(1)).1;
        assert!(end.lost.is_some(), "byte {at}");
    }
}

/// What readers saw in one life of the machine.
struct Seen {
    /// Payloads of visible messages in order.
    visible: Vec<String>,
    /// How many of them, from the first, are durable.
    durable: usize,
}

/// Publishes at both levels until the power goes.
fn run(disk: &FakeDisk, below: &mut impl FnMut(u64) -> u64) -> Seen {
    let mut seen = Seen { visible: Vec::new(), durable: 0 };
    let opened = DiskLog::open(Box::new(disk.clone()), options(1000, 1500), Time::default());
    let Ok((log, _)) = opened else { return seen };
    for number in 0..20 {
        let level = if below(4) == 0 { Level::Fsync } else { Level::Os };
        let both = [format!("{number}a"), format!("{number}b")];
        if append_batch(&log, batch(level, &[&both[0], &both[1]])).is_err() {
            break;
        }
        seen.visible.extend(both);
        if level == Level::Fsync {
            seen.durable = seen.visible.len();
        }
    }
    seen
}

/// Every reader, wherever it stands, is told if something it had not seen is gone, or if it has
/// seen what is gone; and no offset ever stands for two messages.
fn check(disk: &FakeDisk, seen: &Seen, what: &str) {
    let (log, damages) =
        DiskLog::open(Box::new(disk.clone()), options(1000, 1500), Time::default())
            .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert_eq!(damages, [], "{what}: a lost end is no damage");
    let fresh = put(&log, Level::Fsync, "fresh").unwrap().offset;
    for position in 0..=seen.visible.len() {
        let (records, end) = read(&log, &["t"], after(position as u64));
        let mut there = payloads(&records);
        assert_eq!(there.last().map(String::as_str), Some("fresh"), "{what}");
        there.retain(|payload| payload != "fresh");
        let unseen = &seen.visible[position..];
        let lost = seen.visible.len() > there.len() + position;
        assert!(unseen.starts_with(&there) || there.starts_with(unseen), "{what}: {there:?}");
        assert!(position + there.len() >= seen.durable, "{what}: durable messages are gone");
        if lost {
            let (through, reason) = end.lost.unwrap_or_else(|| panic!("{what}: not told"));
            assert_eq!(reason, GapReason::Unflushed, "{what}");
            assert!(through >= seen.visible.len() as u64 && through < fresh, "{what}");
        }
    }
    assert!(fresh > seen.visible.len() as u64, "{what}: an offset is given twice");
}

/// The power goes at every single change, other sectors lost each time.
#[test]
fn a_loss_of_power_loses_a_tail_that_is_told() {
    let whole = FakeDisk::default();
    run(&whole, &mut chance(7));
    let mut below = chance(1);
    for fail_from in 0..whole.changes() {
        for try_number in 0..3 {
            let disk = FakeDisk::default();
            disk.fail_from(fail_from);
            let seen = run(&disk, &mut chance(7));
            let lost = disk.after_power_loss(|| below(2) == 1);
            let what = format!("power gone at change {fail_from}, try {try_number}");
            check(&lost, &seen, &what);
            check(&lost, &seen, &format!("{what}, and a restart"));
        }
    }
}

/// The power goes again at every change of the start after it went.
#[test]
fn a_start_after_a_loss_that_is_cut_short_comes_to_the_same() {
    let whole = FakeDisk::default();
    run(&whole, &mut chance(3));
    let disk = FakeDisk::default();
    // Not in the middle of the clean stop.
    disk.fail_from(whole.changes() - 5);
    let seen = run(&disk, &mut chance(3));
    let mut below = chance(2);
    let lost = disk.after_power_loss(|| below(2) == 1);
    let whole = lost.after_kill();
    drop(reopen(&whole, 1500));
    for fail_from in 0..whole.changes() {
        for power in [false, true] {
            let again = lost.after_kill();
            again.fail_from(fail_from);
            let opened =
                DiskLog::open(Box::new(again.clone()), options(1000, 1500), Time::default());
            drop(opened);
            let again =
                if power { again.after_power_loss(|| below(2) == 1) } else { again.after_kill() };
            check(&again, &seen, &format!("cut short at change {fail_from}"));
            let log = reopen(&again, 1500);
            assert!(log.end().offset <= 40 + UNSYNCED_MAX + 10, "skipped once, not twice");
            drop(log);
            let is_settled = !is_marked(&again) || again.content(MARK).starts_with(CLEAN);
            assert!(is_settled, "settled for good");
        }
    }
}
