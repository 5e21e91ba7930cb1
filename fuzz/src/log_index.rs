//! Indexes of sealed segments that have right checksums, and say anything at all.

use crate::input::Input;
use crate::logs;

/// Reads the first byte as the number of an index, and the rest as what it says.
pub fn run(data: &[u8]) {
    let (disk, mut input) = (logs::good(), Input(data));
    let names = disk.names();
    let names: Vec<_> = names.iter().filter(|name| name.ends_with(".index")).collect();
    let name = names[usize::from(input.byte()) % names.len()];
    let good = disk.content(name);
    // Of which segment it is and where its records lie stays; then some of what was there, and
    // what the input has for the rest.
    let begin = places_end(&good);
    let kept = begin + usize::from(input.short()) % (good.len() - begin);
    let mut index = good[..kept].to_vec();
    index.extend_from_slice(input.0);
    let end = kept + input.0.len();
    if end < good.len() - 4 && input.0.first().is_some_and(|byte| byte % 2 == 0) {
        index.extend_from_slice(&good[end..good.len() - 4]);
    }
    index.extend(crc32c::crc32c(&index).to_le_bytes());
    disk.set_content(name, index);
    let Ok((log, _)) = logs::open(&disk) else { return };
    // It may name any topic for a record; but what is read is what was stored.
    for record in logs::read_by_wildcard(&log).0 {
        let expected = format!("message {}", record.mark.offset);
        assert_eq!(record.message.payload, expected, "made up");
    }
}

/// Where in an index the places of the records end.
fn places_end(index: &[u8]) -> usize {
    let number = |at: usize| u32::from_le_bytes(index[at..at + 4].try_into().unwrap()) as usize;
    let (records, topics) = (number(12), number(20));
    let mut at = 24;
    for _ in 0..topics {
        at += 2 + usize::from(u16::from_le_bytes([index[at], index[at + 1]]));
    }
    at + 4 * records
}
