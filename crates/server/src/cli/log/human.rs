//! Numbers and times as people read them. Must never be used where a machine reads.

use tidings_model::Time;
use tidings_protocol::event::rfc3339;

const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];

/// `1,234,567`.
pub(super) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `512 B`, `1.5 MiB`.
pub(super) fn bytes(number: u64) -> String {
    let (mut value, mut unit) = (number as f64, 0);
    // What would be rounded to 1024.0 is the next unit's.
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        (value, unit) = (value / 1024.0, unit + 1);
    }
    if unit == 0 { format!("{number} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

/// `2026-11-20 13:48:01`, in UTC.
pub(super) fn time(time: Time) -> String {
    let text = rfc3339(time);
    text.split('.').next().unwrap_or_default().replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")]
        {
            assert_eq!(thousands(number), text);
        }
        for (number, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1_048_575, "1.0 MiB"),
            (1536 << 10, "1.5 MiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(bytes(number), text);
        }
        assert_eq!(time(Time::from_millis(1_700_000_000_123)), "2023-11-14 22:13:20");
    }
}
