//! The text of a position: whatever is taken for one says the same when it is written again.

use tidings_model::{LogKind, Mark, Position};

use crate::input::Input;

/// Reads the bytes as a text, and as the marks of a position.
pub fn run(data: &[u8]) {
    if let Ok(position) = String::from_utf8_lossy(data).parse::<Position>() {
        check(position);
    }
    let mut input = Input(data);
    let kind = LogKind::ALL[usize::from(input.byte() % 2)];
    let epoch = input.long() as u32;
    // No log gives out an offset that does not fit 63 bits.
    check(Position::at(kind, Mark { epoch, offset: input.long() >> 1 }));
}

fn check(position: Position) {
    let text = position.to_string();
    let is_safe = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    assert!(text.chars().all(is_safe), "not safe in a URL: {text}");
    assert_eq!(text.parse(), Ok(position), "{text}");
}
