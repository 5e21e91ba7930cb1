//! A segment whose records all have right checksums, and say anything at all.

use tidings_testkit::FakeDisk;

use crate::input::Input;
use crate::logs;

const SALT: u32 = 0x1234_5678;

/// Most records in the segment.
const RECORDS_MAX: usize = 64;

/// Reads the bytes as the records of the last segment of a log.
pub fn run(data: &[u8]) {
    let disk = disk(data);
    let checked = tidings_log::check(&disk.after_kill());
    if let Ok((log, damages)) = logs::open(&disk) {
        assert!(checked.is_ok(), "it can be opened and not be checked: {checked:?}");
        match damages.as_slice() {
            [] => logs::check_goes_on(log, &disk),
            _ => drop(logs::read(&log)),
        }
    }
}

/// A log of that one segment.
fn disk(data: &[u8]) -> FakeDisk {
    let mut input = Input(data);
    let base = 1 + u64::from(input.byte());
    let mut file = header(base);
    let mut offset = base;
    for _ in 0..RECORDS_MAX {
        if input.is_empty() {
            break;
        }
        let (flags, length) = (input.byte(), usize::from(input.short() % 2048));
        // Mostly the next one.
        let jump = if flags & 0x80 != 0 { input.short() } else { 0 };
        offset = offset.wrapping_add(jump.into());
        let group = if flags & 0x40 != 0 { input.long() as u32 } else { 64 };
        let body = if flags & 0x20 != 0 { input.take(length).to_vec() } else { body(&mut input) };
        record(&mut file, flags & 3, offset, group, &body);
        offset = offset.wrapping_add(1);
    }
    file.extend_from_slice(input.0);
    let disk = FakeDisk::default();
    disk.set_content("tidings", b"tidings-log 2 7\n".to_vec());
    disk.set_content(&format!("{base:020}.segment"), file);
    disk
}

/// A segment's header, twice.
fn header(base: u64) -> Vec<u8> {
    let mut copy = b"TIDSEG\x00\x01".to_vec();
    copy.extend(SALT.to_le_bytes());
    copy.extend(base.to_le_bytes());
    copy.extend(1_700_000_000_000_u64.to_le_bytes());
    copy.extend(crc32c::crc32c(&copy).to_le_bytes());
    copy.repeat(2)
}

/// Adds a record with the right checksum.
fn record(file: &mut Vec<u8>, flags: u8, offset: u64, group: u32, body: &[u8]) {
    let at = file.len() as u64;
    let mut header = 0x5CED_u16.to_le_bytes().to_vec();
    header.extend([flags, 0]);
    header.extend((body.len() as u32).to_le_bytes());
    header.extend(offset.to_le_bytes());
    header.extend(group.to_le_bytes());
    let seed = crc32c::crc32c_append(crc32c::crc32c(&SALT.to_le_bytes()), &at.to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c_append(seed, &header), body);
    file.extend(header);
    file.extend(crc.to_le_bytes());
    file.extend(body);
}

/// A body that is nearly right: its fields are there, and say what the input says.
fn body(input: &mut Input<'_>) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..3 {
        let value = if input.byte().is_multiple_of(4) { input.long() } else { 1_700_000_000_000 };
        body.extend(value.to_le_bytes());
    }
    let mut text = |body: &mut Vec<u8>, usual: &[u8]| match input.byte() % 8 {
        0 => body.extend(u16::MAX.to_le_bytes()),
        1 => {
            let length = usize::from(input.byte());
            let text = input.take(length);
            body.extend((text.len() as u16).to_le_bytes());
            body.extend(text);
        }
        2 => body.extend(input.short().to_le_bytes()),
        _ => {
            body.extend((usual.len() as u16).to_le_bytes());
            body.extend(usual);
        }
    };
    body.extend(u16::MAX.to_le_bytes());
    for usual in [&b"topic"[..], b"text/plain", b"message", b"me", b"key"] {
        text(&mut body, usual);
    }
    body.extend([1, 0]);
    text(&mut body, b"name");
    text(&mut body, b"value");
    body.extend(b"payload");
    body
}
