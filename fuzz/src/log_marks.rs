//! The small files of a log: `marks` and `unflushed` with right checksums, and `tidings`, which say
//! anything at all.

use crate::input::Input;
use crate::logs;

/// Reads the first byte as the file, and the rest as what it says.
pub fn run(data: &[u8]) {
    let (disk, mut input) = (logs::good(), Input(data));
    match input.byte() % 4 {
        0 => {
            let mut marks = b"TIDMRK\x00\x02".to_vec();
            write_marks(&mut marks, &mut input);
            marks.extend(crc32c::crc32c(&marks).to_le_bytes());
            disk.set_content("marks", marks);
        }
        1 => {
            let mut marks = b"TIDMRK\x00\x01".to_vec();
            marks.extend_from_slice(input.0);
            marks.extend(crc32c::crc32c(&marks).to_le_bytes());
            disk.set_content("marks", marks);
        }
        2 => {
            let text = format!("tidings-unflushed {}", input.line());
            let crc = crc32c::crc32c(text.as_bytes());
            disk.set_content("unflushed", format!("{text} {crc:08x}\n").into_bytes());
        }
        _ => disk.set_content("tidings", input.0.to_vec()),
    }
    let Ok((log, _)) = logs::open(&disk) else { return };
    for record in logs::read(&log).0 {
        let expected = format!("message {}", record.mark.offset);
        assert_eq!(record.message.payload, expected, "made up");
    }
    logs::check_goes_on(log, &disk);
}

/// Marks of the right form. For each offset that is skipped the log keeps something, so they are
/// small ones.
fn write_marks(marks: &mut Vec<u8>, input: &mut Input<'_>) {
    let mut counted = |marks: &mut Vec<u8>, write: &mut dyn FnMut(&mut Vec<u8>, &mut Input<'_>)| {
        let count = input.byte() % 8;
        marks.extend(u32::from(count).to_le_bytes());
        (0..count).for_each(|_| write(marks, input));
    };
    let offset = |marks: &mut Vec<u8>, input: &mut Input<'_>| {
        marks.extend(u64::from(input.short()).to_le_bytes());
    };
    counted(marks, &mut |marks, input| {
        let topics = [&b"few"[..], b"many/a", b"other", b"a//b"];
        let topic = topics[usize::from(input.byte() % 4)];
        marks.extend((topic.len() as u16).to_le_bytes());
        marks.extend(topic);
        offset(marks, input);
    });
    counted(marks, &mut |marks, input| (0..2).for_each(|_| offset(marks, input)));
    counted(marks, &mut |marks, input| {
        (0..2).for_each(|_| offset(marks, input));
        marks.push(input.byte() % 4);
    });
}
