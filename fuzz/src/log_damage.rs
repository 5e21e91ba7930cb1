//! A log whose files were damaged: it never gives out anything but what was stored, and what is
//! missing is told, unless it is the end, where nobody can know.

use tidings_log::{Damage, Log};
use tidings_testkit::FakeDisk;

use crate::input::Input;
use crate::logs::{self, MESSAGES};

/// Most changes to the files.
const CHANGES_MAX: usize = 16;

/// Reads the bytes as changes to a good log's files.
pub fn run(data: &[u8]) {
    let (disk, mut input) = (logs::good(), Input(data));
    for _ in 0..CHANGES_MAX {
        if input.is_empty() {
            break;
        }
        change(&disk, &mut input);
    }
    let checked = tidings_log::check(&disk.after_kill());
    let opened = logs::open(&disk);
    let Ok((log, damages)) = opened else { return };
    assert!(checked.is_ok(), "it can be opened and not be checked: {checked:?}");
    let (records, end) = logs::read(&log);
    for record in &records {
        let expected = format!("message {}", record.mark.offset);
        assert_eq!(record.message.payload, expected, "made up");
    }
    let last = log.end().offset;
    if end.caught_up {
        let there: Vec<u64> = records.iter().map(|record| record.mark.offset).collect();
        for offset in (1..=MESSAGES.min(last)).filter(|offset| !there.contains(offset)) {
            let named =
                damages.iter().any(|Damage { from, to, .. }| (*from..=*to).contains(&offset));
            let told = end.lost.is_some_and(|(through, _)| through >= offset);
            assert!(
                named || told,
                "{offset} of {last} is missing, and nobody is told: {damages:?}"
            );
        }
    }
    if damages.is_empty() {
        logs::check_goes_on(log, &disk);
    }
}

fn change(disk: &FakeDisk, input: &mut Input<'_>) {
    let names = disk.names();
    let Some(name) = names.get(usize::from(input.byte()) % names.len().max(1)) else { return };
    // Without it, or with another one, it is another log.
    if name == "tidings" {
        return;
    }
    let mut bytes = disk.content(name);
    let at = usize::from(input.short()) % (bytes.len() + 1);
    match input.byte() % 8 {
        0 => bytes.truncate(at),
        1 if at < bytes.len() => bytes[at] ^= 1 << (input.byte() % 8),
        2 => {
            let length = usize::from(input.byte());
            let noise = input.take(length);
            let end = bytes.len().min(at + noise.len());
            bytes[at..end].copy_from_slice(&noise[..end - at]);
        }
        3 => {
            let end = bytes.len().min(at + usize::from(input.byte()) * 4);
            bytes[at..end].fill(0);
        }
        4 => {
            let length = usize::from(input.byte());
            let noise = input.take(length);
            bytes.splice(at..at, noise.iter().copied());
        }
        5 => {
            // A piece from elsewhere, as a confused file system may bring.
            let from = usize::from(input.short()) % (bytes.len() + 1);
            let length = usize::from(input.byte()).min(bytes.len() - from).min(bytes.len() - at);
            bytes.copy_within(from..from + length, at);
        }
        6 => {
            let other = &names[usize::from(input.byte()) % names.len()];
            bytes = disk.content(other);
        }
        // A segment that is gone as a whole cannot be told from one that was trimmed.
        _ if name.ends_with(".segment") => {}
        _ => return disk.lose(name),
    }
    disk.set_content(name, bytes);
}
