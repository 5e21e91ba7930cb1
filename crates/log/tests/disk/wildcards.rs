//! Reading with wildcards finds all that matches, passes over what cannot, and never does too much
//! at once.

use tidings_log::{Batch, Budget, Cursor, DiskLog, DiskOptions, Level, Log, Threads};
use tidings_model::{Message, Time};

use crate::support::{FakeDisk, append_batch, chance, message, options, wanted};

/// More than this is not looked at in one call.
const LOOK_MAX: usize = 16_384;

fn open(disk: &FakeDisk, messages_max: u64) -> DiskLog {
    open_with(disk, messages_max, 100_000)
}

fn open_with(disk: &FakeDisk, messages_max: u64, segment_bytes: u64) -> DiskLog {
    let options = DiskOptions {
        topics_max: 1_000_000,
        threads: Threads::Callers,
        ..options(messages_max, segment_bytes)
    };
    DiskLog::open(Box::new(disk.clone()), options, Time::from_millis(6_000)).unwrap().0
}

fn fill(log: &DiskLog, topics: impl Iterator<Item = String>) {
    let mut messages: Vec<Message> = topics.map(|topic| message(&topic, "x")).collect();
    while !messages.is_empty() {
        let rest = messages.split_off(messages.len().min(1000));
        append_batch(log, Batch { messages, token: None, level: Level::Fsync }).unwrap();
        messages = rest;
    }
}

/// Reads to the end; returns what was found, and how many calls it took.
fn read_all(log: &DiskLog, filters: &[&str], records: usize) -> (Vec<u64>, usize) {
    let budget = Budget { records, bytes: usize::MAX };
    let (mut offsets, mut from, mut calls) = (Vec::new(), Cursor::default(), 0);
    loop {
        let mut found = Vec::new();
        let end = log.read(&wanted(filters), from, Time::default(), budget, &mut found);
        assert!(found.len() <= records);
        offsets.extend(found.iter().map(|record| record.mark.offset));
        calls += 1;
        if end.caught_up {
            return (offsets, calls);
        }
        assert!(end.through > from.offset, "stands still at {}", from.offset);
        from = Cursor { offset: end.through, told: end.told };
    }
}

#[test]
fn what_has_no_matching_topic_is_passed_over() {
    let disk = FakeDisk::default();
    let log = open(&disk, 1_000_000);
    fill(&log, (0..3 * LOOK_MAX).map(|number| format!("often/{}", number % 10)));
    fill(&log, ["rare/1".to_owned()].into_iter());
    fill(&log, (0..3 * LOOK_MAX).map(|number| format!("often/{}", number % 10)));
    let there = 3 * LOOK_MAX as u64 + 1;
    for log in [&log, &open(&disk.after_kill(), 1_000_000)] {
        assert_eq!(read_all(log, &["none/*"], 100), (vec![], 1));
        assert_eq!(read_all(log, &["rare/*"], 100), (vec![there], 1));
        assert_eq!(read_all(log, &["rare/*", "often/none"], 100), (vec![there], 1));
        let last = log.last(&wanted(&["rare/*"]), 5, Time::default());
        assert_eq!(last.iter().map(|place| place.0.offset).collect::<Vec<_>>(), [there]);
    }
}

/// Where each message has a topic of its own there is nothing to pass over, and one call must not
/// look at all of them.
#[test]
fn one_call_is_bounded_however_many_topics_there_are() {
    let disk = FakeDisk::default();
    let log = open(&disk, 1_000_000);
    let count = 4 * LOOK_MAX;
    fill(&log, (0..count).map(|number| format!("{}/{number}", number % 2)));
    let (offsets, calls) = read_all(&log, &["none/*"], 100);
    assert!(offsets.is_empty());
    assert!((4..=12).contains(&calls), "{calls} calls for {count} messages");
    let (offsets, _) = read_all(&log, &["1/*"], 5000);
    assert_eq!(offsets, (1..=count as u64 / 2).map(|n| 2 * n).collect::<Vec<_>>());
}

/// The segment that is written to has no list of its topics, and each message is looked at.
#[test]
fn one_call_is_bounded_in_the_last_segment() {
    let log = open_with(&FakeDisk::default(), 1_000_000, 16 << 20);
    fill(&log, (0..4 * LOOK_MAX).map(|number| format!("often/{}", number % 10)));
    let calls = read_all(&log, &["none/*"], 100).1;
    assert!((4..=5).contains(&calls), "{calls} calls");
}

/// Having looked at very many topics in vain, a call may end just where there is something.
#[test]
fn a_call_that_ends_between_segments_does_not_stand_still() {
    let disk = FakeDisk::default();
    let log = open_with(&disk, 1_000_000, 650_000);
    let topics = |name: &'static str, count| (0..count).map(move |n| format!("{name}/{n}"));
    fill(&log, topics("a", 12_000).chain(topics("b", 12_000)));
    let log = open_with(&disk.after_kill(), 1_000_000, 650_000);
    assert_eq!(read_all(&log, &["b/*"], 5000).0, (12_001..=24_000).collect::<Vec<_>>());
}

/// However many match, and however little is kept: the same as looking at each message.
#[test]
fn everything_that_matches_is_found_once() {
    for seed in 0..6 {
        let mut below = chance(seed);
        let disk = FakeDisk::default();
        let (groups, keep) = (1 + below(200), 1 + below(40));
        let mut log = open(&disk, keep);
        let mut topics = Vec::new();
        for _ in 0..12_000 {
            // Some groups are much rarer than others.
            let group = below(groups) * below(groups) / groups;
            topics.push(format!("{group}/{}", below(5)));
        }
        fill(&log, topics.iter().cloned());
        if seed % 2 == 0 {
            drop(log);
            log = open(&disk, keep);
        }
        for _ in 0..20 {
            let group = below(groups).to_string();
            let filters = [format!("{group}/*"), "*/3".to_owned(), format!("{group}/1")];
            let filters: Vec<&str> =
                filters[below(3) as usize..].iter().map(String::as_str).collect();
            let selection = wanted(&filters);
            let mut expected: Vec<u64> = Vec::new();
            let mut left = std::collections::HashMap::new();
            for (index, topic) in topics.iter().enumerate().rev() {
                let newer = left.entry(topic).or_insert(0);
                *newer += 1;
                if *newer <= keep && selection.matches(&message(topic, "").topic) {
                    expected.push(index as u64 + 1);
                }
            }
            expected.reverse();
            let records = [1, 7, 100, 100_000][below(4) as usize];
            let found = read_all(&log, &filters, records).0;
            assert_eq!(found, expected, "seed {seed}, {filters:?} by {records}");
            let last = log.last(&selection, 9, Time::default());
            let last: Vec<u64> = last.iter().map(|place| place.0.offset).collect();
            assert!(expected.ends_with(&last) && last.len() == expected.len().min(9));
        }
    }
}
