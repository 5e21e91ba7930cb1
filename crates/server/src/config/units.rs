//! Sizes and spans as people write them: `64MiB`, `15m`. Pure text in, number out, and back.
//! Must never guess: a text that could mean two things is refused.

use std::time::Duration;

/// Why a text is neither a size nor a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UnitError {
    /// It does not read as a number with a unit.
    Malformed,
    /// It does, but the number does not fit 64 bits.
    TooLarge,
}

/// Size units in bytes, largest first, so that formatting takes the largest one that divides.
/// Letter case does not matter when reading.
const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

/// Span units in seconds, largest first.
const SPAN_UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];

/// Reads a size in bytes: `64MiB`, `1GB`, `512 KiB`, or digits alone.
pub(super) fn parse_size(text: &str) -> Result<u64, UnitError> {
    parse(text, |unit| SIZE_UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)))
}

/// Reads a span: `30s`, `15m`, `2h`, `7d`, or whole seconds as digits alone.
pub(crate) fn parse_span(text: &str) -> Result<Duration, UnitError> {
    parse(text, |unit| SPAN_UNITS.iter().find(|(name, _)| *name == unit)).map(Duration::from_secs)
}

/// Writes a size with the largest binary unit that loses nothing: `1MiB`, `1536KiB`, `1000B`.
pub(super) fn format_size(bytes: u64) -> String {
    let binary = |name: &str| name.contains('i') || name == "B";
    format(bytes, SIZE_UNITS.iter().filter(|(name, _)| binary(name)))
}

/// Writes a span with the largest unit that loses nothing: `15s`, `24h` is `1d`. Parts of a
/// second are dropped.
pub(crate) fn format_span(span: Duration) -> String {
    match span.as_secs() {
        0 => "0s".to_owned(),
        seconds => format(seconds, SPAN_UNITS.iter()),
    }
}

fn parse<'u>(
    text: &str,
    unit: impl Fn(&str) -> Option<&'u (&'u str, u64)>,
) -> Result<u64, UnitError> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, name) = text.split_at(digits);
    if number.is_empty() {
        return Err(UnitError::Malformed);
    }
    let factor = match name.trim_start() {
        "" => 1,
        name => unit(name).ok_or(UnitError::Malformed)?.1,
    };
    let number: u64 = number.parse().map_err(|_| UnitError::TooLarge)?;
    number.checked_mul(factor).ok_or(UnitError::TooLarge)
}

fn format<'u>(value: u64, mut units: impl Iterator<Item = &'u (&'u str, u64)>) -> String {
    match units.find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor)) {
        Some((name, factor)) => format!("{}{name}", value / factor),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in [
            ("0", Ok(0)),
            ("65536", Ok(65_536)),
            ("7B", Ok(7)),
            ("512KiB", Ok(512 << 10)),
            ("64MiB", Ok(64 << 20)),
            ("64 mib", Ok(64 << 20)),
            ("1GB", Ok(1_000_000_000)),
            (" 2TiB ", Ok(2 << 40)),
            ("", Err(UnitError::Malformed)),
            ("MiB", Err(UnitError::Malformed)),
            ("-1", Err(UnitError::Malformed)),
            ("1.5GiB", Err(UnitError::Malformed)),
            // A lone letter could be 1000 or 1024.
            ("64M", Err(UnitError::Malformed)),
            ("99999999999999999999", Err(UnitError::TooLarge)),
            ("99999999999TiB", Err(UnitError::TooLarge)),
        ] {
            assert_eq!(parse_size(text), bytes, "{text:?}");
        }
    }

    #[test]
    fn spans() {
        for (text, seconds) in [
            ("0", Ok(0)),
            ("90", Ok(90)),
            ("30s", Ok(30)),
            ("15m", Ok(900)),
            ("2h", Ok(7_200)),
            ("7d", Ok(604_800)),
            ("7 d", Ok(604_800)),
            ("15M", Err(UnitError::Malformed)),
            ("1h30m", Err(UnitError::Malformed)),
            ("500ms", Err(UnitError::Malformed)),
            ("999999999999999999d", Err(UnitError::TooLarge)),
        ] {
            assert_eq!(parse_span(text), seconds.map(Duration::from_secs), "{text:?}");
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        for (bytes, text) in
            [(0, "0"), (1, "1B"), (1000, "1000B"), (1 << 20, "1MiB"), (1536 << 10, "1536KiB")]
        {
            assert_eq!(format_size(bytes), text);
            assert_eq!(parse_size(text), Ok(bytes));
        }
        for (seconds, text) in [(0, "0s"), (15, "15s"), (90, "90s"), (3600, "1h"), (86_400, "1d")] {
            assert_eq!(format_span(Duration::from_secs(seconds)), text);
            assert_eq!(parse_span(text), Ok(Duration::from_secs(seconds)));
        }
    }
}
