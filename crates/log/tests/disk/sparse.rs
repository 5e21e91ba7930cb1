//! Segments of which little is kept are copied out, those of which nothing is kept are removed,
//! wherever they are; and whatever happens in between, nothing is lost, and nothing comes back.

use std::collections::BTreeMap;
use std::time::Duration;

use tidings_log::{Batch, Cursor, DiskLog, DiskOptions, Level, Log, Retention, Threads, check};
use tidings_model::{GapReason, Message, Time, Topic};

use crate::support::{
    ALL, FakeDisk, append_batch, chance, message, options, payloads, read, token, wanted,
};

/// How many messages of which topic are kept at least. Those of `last` are too old soon.
const TOPICS: [(&str, u64); 4] = [("one", 1), ("last", 1), ("many", 30), ("all", 1000)];

const SEGMENT_BYTES: u64 = 1600;

/// What a copy begins with.
const COPY_MAGIC: &[u8] = b"TIDSEG\x00\x02";

fn keep_of(topic: &str) -> u64 {
    TOPICS.iter().find(|(name, _)| *name == topic).map_or(1, |(_, keep)| *keep)
}

fn sparse_options() -> DiskOptions {
    let policy = |topic: &Topic| {
        if topic.as_str() == "last" {
            let age_max = Duration::from_millis(50);
            return Retention { age_max, keep_last: true, ..Retention::default() };
        }
        let messages_max = keep_of(topic.as_str());
        Retention { messages_max, ..Retention::default() }
    };
    let policy = Box::new(policy);
    DiskOptions { policy, threads: Threads::Callers, ..options(1, SEGMENT_BYTES) }
}

fn reopen(disk: &FakeDisk) -> DiskLog {
    let opened = DiskLog::open(Box::new(disk.clone()), sparse_options(), Time::from_millis(6_000));
    let (log, damages) = opened.unwrap();
    assert_eq!(damages, []);
    log
}

fn after(offset: u64) -> Cursor {
    Cursor { offset, told: 0 }
}

fn segments(disk: &FakeDisk) -> Vec<String> {
    disk.names().into_iter().filter(|name| name.ends_with(".segment")).collect()
}

fn is_copy(disk: &FakeDisk, name: &str) -> bool {
    disk.content(name).starts_with(COPY_MAGIC)
}

/// A message that was published: its topic and payload.
type Published = (&'static str, String);

/// What was published, by its offset; the ones that were acknowledged as durable are below `durable`.
#[derive(Default)]
struct Story {
    published: BTreeMap<u64, Published>,
    visible: u64,
    durable: u64,
}

/// Mostly `one` and `last`, so that segments soon hold little that is kept.
fn tell(disk: &FakeDisk, seed: u64, batches: u64, os: bool) -> Story {
    let mut below = chance(seed);
    let mut story = Story::default();
    let opened = DiskLog::open(Box::new(disk.clone()), sparse_options(), Time::from_millis(6_000));
    let Ok((log, _)) = opened else { return story };
    for batch in 0..batches {
        let topic = TOPICS[[0, 0, 0, 0, 1, 1, 1, 2, 2, 3][below(10) as usize]].0;
        let count = 1 + below(3);
        let level = if os && below(3) > 0 { Level::Os } else { Level::Fsync };
        let payload = |part: u64| format!("{topic} {batch}.{part}");
        let time = Time::from_millis(5_000 + 10 * batch);
        let dated = |part| Message { time, ..message(topic, &payload(part)) };
        let messages = (0..count).map(dated).collect();
        let first = log.end().offset + 1;
        // What is refused may be there all the same.
        for part in 0..count {
            story.published.insert(first + part, (topic, payload(part)));
        }
        let token = (below(3) == 0).then(|| token(batch));
        if append_batch(&log, Batch { messages, token, level }).is_err() {
            break;
        }
        story.visible = first + count - 1;
        if level == Level::Fsync {
            story.durable = story.visible;
        }
        if below(8) == 0 {
            log.tick(time);
        }
    }
    story
}

impl Story {
    /// Every reader, wherever it stands, gets what is there in order and is told what is not.
    fn check(&self, disk: &FakeDisk, what: &str) {
        match check(disk) {
            Ok(checked) => assert_eq!(checked.damages, [], "{what}: nothing is damaged"),
            // The power went before there was a log.
            Err(error) => assert!(self.visible == 0, "{what}: {error}"),
        }
        let opened =
            DiskLog::open(Box::new(disk.clone()), sparse_options(), Time::from_millis(6_000));
        let (log, damages) = opened.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(damages, [], "{what}: nothing is damaged");
        let end = log.end().offset;
        assert!(end >= self.visible, "{what}: an offset would be given twice");
        for (filter, topics) in [
            (&["one"][..], &["one"][..]),
            (&["last"], &["last"]),
            (&["many"], &["many"]),
            (&["all", "last"], &["all", "last"]),
            (&["*"], &["one", "last", "many", "all"]),
        ] {
            // Some positions, and all near the end.
            let is_looked_at =
                |position: &u64| position.is_multiple_of(13) || position + 4 > self.visible;
            for position in (0..=self.visible).filter(is_looked_at) {
                self.check_reader(&log, filter, topics, position, &format!("{what}, {filter:?}"));
            }
        }
    }

    fn check_reader(
        &self,
        log: &DiskLog,
        filter: &[&str],
        topics: &[&str],
        position: u64,
        what: &str,
    ) {
        let (records, end) = read(log, filter, after(position));
        let mut there: Vec<u64> = Vec::new();
        for record in &records {
            let payload = String::from_utf8(record.message.payload.to_vec()).unwrap();
            let topic = record.message.topic.as_str();
            let (of, published) = &self.published[&record.mark.offset];
            assert_eq!((topic, &payload), (*of, published), "{what} from {position}");
            assert!(there.last() < Some(&record.mark.offset), "{what}: out of order");
            there.push(record.mark.offset);
        }
        let wanted = |offset: &u64| topics.contains(&self.published[offset].0);
        let missing: Vec<u64> =
            (position + 1..=self.visible).filter(wanted).filter(|o| !there.contains(o)).collect();
        if let Some(&last) = missing.last() {
            let told = end.lost.map(|(offset, _)| offset);
            assert!(told >= Some(last), "{what} from {position}: {last} is missing, told {told:?}");
        }
        // Of what was durable, only what the policy takes is missing.
        for &topic in topics {
            let of_topic = |offset: &&u64| self.published[offset].0 == topic;
            let durable: Vec<u64> = (1..=self.durable).filter(|o| of_topic(&o)).collect();
            let kept = durable.len().saturating_sub(keep_of(topic) as usize);
            let newer = there.iter().filter(of_topic).filter(|&&o| o > self.durable).count();
            for (index, offset) in durable[kept..].iter().enumerate() {
                let pushed_out = index < newer || *offset <= position;
                assert!(
                    pushed_out || there.contains(offset),
                    "{what} from {position}: {offset} of {topic} is gone, there are {there:?}"
                );
            }
        }
    }
}

#[test]
fn one_message_does_not_pin_its_segment_nor_those_after_it() {
    let disk = FakeDisk::default();
    let log = reopen(&disk);
    let put = |topic, payload: &str| {
        let batch =
            Batch { messages: vec![message(topic, payload)], token: None, level: Level::Fsync };
        append_batch(&log, batch).unwrap().offset
    };
    let mut all = Vec::new();
    for number in 0..300 {
        if number % 60 == 0 {
            all.push(put("all", &format!("rare {number}")));
        }
        put("one", &number.to_string());
    }
    let names = segments(&disk);
    let bytes: usize = names.iter().map(|name| disk.content(name).len()).sum();
    assert!(names.len() < 5 && bytes < 4000, "{bytes} bytes in {names:?}");
    assert!(names.iter().any(|name| is_copy(&disk, name)));
    drop(log);
    for _ in 0..2 {
        let log = reopen(&disk);
        let (records, end) = read(&log, &["all"], Cursor::default());
        let offsets: Vec<u64> = records.iter().map(|record| record.mark.offset).collect();
        assert_eq!((offsets, end.lost), (all.clone(), None));
        assert_eq!(payloads(&read(&log, &["one"], Cursor::default()).0), ["299"]);
        let lost = read(&log, &["one"], after(10)).1.lost;
        assert_eq!(lost, Some((304, GapReason::Trimmed)));
    }
}

/// A topic's newest message is kept for as long as its publisher wished, in whatever is left of its
/// segment.
#[test]
fn the_newest_of_a_topic_may_be_kept_whatever_its_age() {
    let disk = FakeDisk::default();
    let reopen = |now| {
        let policy = |topic: &Topic| {
            let keep_last = topic.as_str().starts_with("last");
            Retention { age_max: Duration::from_secs(10), keep_last, ..Retention::default() }
        };
        let policy = Box::new(policy);
        let options = sparse_options();
        let options = DiskOptions { policy, ..options };
        DiskLog::open(Box::new(disk.clone()), options, Time::from_millis(now)).unwrap().0
    };
    let log = reopen(0);
    let put = |topic: &str, payload: &str, expires: Option<u64>| {
        let mut message = message(topic, payload);
        message.expires = expires.map(Time::from_millis);
        let messages = vec![message];
        append_batch(&log, Batch { messages, token: None, level: Level::Fsync }).unwrap();
    };
    for number in 0..60 {
        put(["last/1", "other"][number % 2], &number.to_string(), None);
    }
    put("last/expiring", "x", Some(30_000));
    for number in 0..60 {
        put("other", &number.to_string(), None);
    }
    let kept = |log: &DiskLog| payloads(&read(log, &["**"], Cursor::default()).0);
    log.tick(Time::from_millis(20_000));
    assert_eq!(kept(&log), ["58", "x"]);
    let bytes = |disk: &FakeDisk| -> usize {
        let names = segments(disk);
        names[..names.len() - 1].iter().map(|name| disk.content(name).len()).sum()
    };
    assert!(bytes(&disk) < 500, "{} bytes pin two messages", bytes(&disk));
    drop(log);
    let log = reopen(20_000);
    assert_eq!(kept(&log), ["58", "x"]);
    let lost = read(&log, &["last/1"], after(5)).1.lost;
    assert_eq!(lost, Some((57, GapReason::Trimmed)));
    log.tick(Time::from_millis(30_000));
    assert_eq!(kept(&log), ["58"], "its own time is over");
    assert_eq!(read(&log, &["last/expiring"], after(5)).1.lost, None);
    assert_eq!(kept(&reopen(1_000_000_000)), ["58"]);
}

/// What a reader has found stays readable, whatever becomes of its segments meanwhile.
#[test]
fn what_was_found_can_be_loaded_after_its_segment_was_copied_or_removed() {
    let disk = FakeDisk::default();
    tell(&disk, 5, 60, false);
    let log = reopen(&disk);
    let before = segments(&disk);
    let found = log.find(&wanted(&["*"]), Cursor::default(), ALL);
    let there = read(&log, &["*"], Cursor::default()).0.len();
    for number in 0..100 {
        for topic in ["one", "last", "many"] {
            let messages = vec![message(topic, &number.to_string())];
            append_batch(&log, Batch { messages, token: None, level: Level::Fsync }).unwrap();
        }
    }
    let now = segments(&disk);
    assert!(before.iter().filter(|name| !now.contains(name)).count() > 2);
    let mut records = Vec::new();
    let end = found.load(Time::default(), &mut records);
    let is_damaged = matches!(end.lost, Some((_, GapReason::Damaged)));
    assert_eq!((records.len(), is_damaged), (there, false));
}

#[test]
fn a_copy_is_read_without_its_index_too() {
    let disk = FakeDisk::default();
    let story = tell(&disk, 5, 150, false);
    assert!(segments(&disk).iter().any(|name| is_copy(&disk, name)));
    for name in disk.names().iter().filter(|name| name.ends_with(".index")) {
        disk.lose(name);
    }
    story.check(&disk, "without indexes");
}

/// The power goes at every single change: while copying, removing, remembering, indexing.
#[test]
fn no_loss_of_power_brings_back_or_takes_anything() {
    for (seed, os) in [(1, false), (2, true)] {
        let whole = FakeDisk::default();
        tell(&whole, seed, 60, os);
        assert!(segments(&whole).iter().any(|name| is_copy(&whole, name)), "seed {seed}");
        let mut below = chance(seed);
        for fail_from in 0..whole.changes() {
            let disk = FakeDisk::default();
            disk.fail_from(fail_from);
            let story = tell(&disk, seed, 60, os);
            let what = format!("seed {seed}, change {fail_from}");
            if !os {
                story.check(&disk.after_kill(), &format!("{what}, killed"));
            }
            let disk = disk.after_power_loss(|| below(2) == 1);
            story.check(&disk, &format!("{what}, power gone"));
            story.check(&disk, &format!("{what}, power gone, opened again"));
        }
    }
}

/// Any one sync fails; then nothing more is stored, and nothing that was durable is gone.
#[test]
fn no_failed_sync_takes_anything() {
    for (seed, os) in [(1, false), (2, true)] {
        let whole = FakeDisk::default();
        tell(&whole, seed, 60, os);
        let mut below = chance(seed);
        for failing in 1..=whole.syncs() {
            let disk = FakeDisk::default();
            disk.fail_sync(failing);
            let story = tell(&disk, seed, 60, os);
            let what = format!("seed {seed}, sync {failing}");
            story.check(&disk.after_power_loss(|| below(2) == 1), &what);
        }
    }
}

/// A disk that fills up while a segment is copied costs nothing but the room.
#[test]
fn a_disk_that_is_full_while_copying_loses_nothing() {
    for room in (0..4000).step_by(50) {
        let disk = FakeDisk::default();
        let before = tell(&disk, 9, 60, false);
        let log = reopen(&disk);
        disk.set_room(Some(room));
        let put = |payload: String| {
            let messages = vec![message("one", &payload)];
            append_batch(&log, Batch { messages, token: None, level: Level::Fsync })
        };
        let mut number = 0;
        while number < 200 && put(format!("one {number}")).is_ok() {
            number += 1;
        }
        disk.set_room(None);
        let last = put("the last".to_owned()).unwrap().offset;
        drop(log);
        let log = reopen(&disk);
        let (records, _) = read(&log, &["one"], after(before.visible));
        assert_eq!(payloads(&records), ["the last"], "room {room}");
        assert_eq!(records[0].mark.offset, last);
        assert_eq!(
            payloads(&read(&log, &["all"], Cursor::default()).0),
            before
                .published
                .values()
                .filter(|(t, _)| *t == "all")
                .map(|(_, p)| p.clone())
                .collect::<Vec<_>>()
        );
    }
}

/// One bit flips at every byte of every segment in turn.
#[test]
fn a_flipped_bit_in_a_copy_costs_what_it_hit_and_is_told() {
    let disk = FakeDisk::default();
    let story = tell(&disk, 4, 150, false);
    let all = read(&reopen(&disk.after_kill()), &["*"], Cursor::default()).0;
    let all: Vec<u64> = all.iter().map(|record| record.mark.offset).collect();
    let copies: Vec<String> =
        segments(&disk).into_iter().filter(|name| is_copy(&disk, name)).collect();
    assert!(!copies.is_empty());
    for name in &copies {
        for at in 0..disk.content(name).len() {
            for without_index in [false, true] {
                let what = format!("{name} at {at}, without index: {without_index}");
                let flipped = disk.after_kill();
                let mut bytes = disk.content(name);
                bytes[at] ^= 1 << (at % 8);
                flipped.set_content(name, bytes);
                if without_index {
                    flipped.lose(&name.replace("segment", "index"));
                }
                let checked = check(&flipped).unwrap();
                let opened = DiskLog::open(
                    Box::new(flipped.clone()),
                    sparse_options(),
                    Time::from_millis(6_000),
                );
                let log = opened.unwrap().0;
                let (records, end) = read(&log, &["*"], after(0));
                let there: Vec<u64> = records.iter().map(|record| record.mark.offset).collect();
                let missing: Vec<u64> =
                    all.iter().copied().filter(|offset| !there.contains(offset)).collect();
                for record in &records {
                    let payload = payloads(std::slice::from_ref(record)).remove(0);
                    assert_eq!(story.published[&record.mark.offset].1, payload, "{what}");
                }
                if let Some(&last) = missing.last() {
                    assert_ne!(checked.damages, [], "{what}: a check does not see it");
                    let (told, reason) = end.lost.unwrap();
                    assert!(told >= last, "{what}: {missing:?} told {told}");
                    assert_eq!(reason, GapReason::Damaged, "{what}");
                }
            }
        }
    }
}

/// Without what is remembered nobody could be told what is gone: so it is not guessed.
#[test]
fn damaged_marks_are_refused() {
    let disk = FakeDisk::default();
    tell(&disk, 4, 60, false);
    let marks = disk.content("marks");
    for at in 0..marks.len() {
        let flipped = disk.after_kill();
        let mut bytes = marks.clone();
        bytes[at] ^= 1 << (at % 8);
        flipped.set_content("marks", bytes);
        let opened = DiskLog::open(Box::new(flipped), sparse_options(), Time::default());
        assert!(opened.is_err(), "byte {at}");
    }
}

/// A file that somebody removed is damage, whichever it is; one that the log removed is not.
#[test]
fn a_segment_that_vanished_is_told() {
    let disk = FakeDisk::default();
    let story = tell(&disk, 6, 150, false);
    let names = segments(&disk);
    assert!(names.len() > 3);
    for name in &names {
        let without = disk.after_kill();
        without.lose(name);
        let base: u64 = name.trim_end_matches(".segment").parse().unwrap();
        let checked = check(&without).unwrap().damages;
        assert_eq!(checked[0].from, base, "{name}: {checked:?}");
        for _ in 0..2 {
            let opened = DiskLog::open(
                Box::new(without.clone()),
                sparse_options(),
                Time::from_millis(6_000),
            );
            let (log, damages) = opened.unwrap();
            assert_eq!(damages, checked, "{name}");
            let lost = read(&log, &["*"], after(base - 1)).1.lost;
            assert_eq!(lost.map(|(_, reason)| reason), Some(GapReason::Damaged), "{name}");
            assert!(log.end().offset >= story.visible, "{name}: an offset would be given twice");
        }
    }
}

/// What is copied from both sides of a vanished segment does not hide it.
#[test]
fn small_neighbours_become_one_but_not_over_a_hole() {
    let disk = FakeDisk::default();
    let everything = || DiskOptions { threads: Threads::Callers, ..options(1000, SEGMENT_BYTES) };
    let log = DiskLog::open(Box::new(disk.clone()), everything(), Time::default()).unwrap().0;
    for number in 0..160 {
        let topic = if number % 20 == 10 { "all" } else { "one" };
        let messages = vec![message(topic, &number.to_string())];
        append_batch(&log, Batch { messages, token: None, level: Level::Fsync }).unwrap();
    }
    drop(log);
    let names = segments(&disk);
    assert!(names.len() > 5);
    let whole = disk.after_kill();
    drop(reopen(&whole));
    assert!(segments(&whole).len() < names.len() / 2, "neighbours become one");
    for name in &names[1..names.len() - 1] {
        let without = disk.after_kill();
        without.lose(name);
        let checked = check(&without).unwrap().damages;
        for _ in 0..2 {
            let opened =
                DiskLog::open(Box::new(without.clone()), sparse_options(), Time::default());
            assert_eq!(opened.unwrap().1, checked, "{name}");
        }
    }
}

/// What was trimmed may come back when more is to be kept, but only as far as all of it is there.
#[test]
fn what_comes_back_has_no_holes() {
    for seed in 0..20 {
        let disk = FakeDisk::default();
        let story = tell(&disk, seed, 150, false);
        let options = DiskOptions { threads: Threads::Callers, ..options(1000, SEGMENT_BYTES) };
        let log = DiskLog::open(Box::new(disk), options, Time::from_millis(6_000)).unwrap().0;
        for (topic, keep) in TOPICS {
            let records = read(&log, &[topic], Cursor::default()).0;
            let there: Vec<u64> = records.iter().map(|record| record.mark.offset).collect();
            let all = story.published.iter().filter(|(_, (of, _))| *of == topic);
            let all: Vec<u64> = all.map(|(offset, _)| *offset).collect();
            assert!(all.ends_with(&there), "seed {seed}, {topic}: {there:?} of {all:?}");
            assert!(there.len() as u64 >= keep.min(all.len() as u64));
        }
    }
}

#[test]
fn tokens_outlive_their_messages() {
    let disk = FakeDisk::default();
    let log = reopen(&disk);
    for number in 0..200 {
        // Of the first half segments are removed, of the second something is copied.
        let topic = if number > 100 && number % 30 == 0 { "all" } else { "one" };
        let messages = vec![message(topic, &number.to_string())];
        let token = (number % 8 == 0).then(|| token(number));
        append_batch(&log, Batch { messages, token, level: Level::Fsync }).unwrap();
    }
    drop(log);
    assert!(segments(&disk).len() < 4, "most is gone");
    for _ in 0..2 {
        let keys: Vec<u64> =
            reopen(&disk).remembered().iter().map(|r| r.token.fingerprint).collect();
        assert_eq!(keys, (0..25).map(|number| 8 * number).collect::<Vec<_>>());
    }
    let later = Time::from_millis(6_000) + Duration::from_secs(700);
    let (log, _) = DiskLog::open(Box::new(disk), sparse_options(), later).unwrap();
    assert_eq!(log.remembered(), [], "their time is over");
}

#[test]
fn a_log_of_the_first_format_is_read() {
    let disk = FakeDisk::default();
    let log = reopen(&disk);
    for number in 0..100 {
        let messages = vec![message("all", &number.to_string())];
        append_batch(&log, Batch { messages, token: None, level: Level::Fsync }).unwrap();
    }
    drop(log);
    // As that format had it: only the oldest segments are ever gone, and nothing says so.
    let names = segments(&disk);
    disk.lose(&names[0]);
    disk.lose(&names[0].replace("segment", "index"));
    disk.lose("marks");
    disk.set_content("tidings", b"tidings-log 1 7\n".to_vec());
    let first: u64 = names[1].trim_end_matches(".segment").parse().unwrap();
    for _ in 0..2 {
        let log = reopen(&disk);
        let (records, end) = read(&log, &["all"], Cursor::default());
        assert_eq!((records[0].mark.offset, records.len() as u64), (first, 101 - first));
        assert_eq!(end.lost, None);
        drop(log);
        assert_eq!(disk.content("tidings"), b"tidings-log 2 7\n");
    }
}
