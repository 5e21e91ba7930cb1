//! NDJSON: each line one event. Must never hold more than one unfinished line.

use super::item::{Decode, DecodeError, EVENT_BYTES_MAX, Event, Item};

/// Takes events out of lines.
#[derive(Default)]
pub(crate) struct NdjsonDecoder {
    /// The line so far, where a read cut it.
    line: Vec<u8>,
}

impl Decode for NdjsonDecoder {
    fn feed(
        &mut self,
        mut bytes: &[u8],
        take: &mut dyn FnMut(Item<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            if self.line.is_empty() {
                line(&bytes[..end], take)?;
            } else {
                self.line.extend_from_slice(&bytes[..end]);
                line(&self.line, take)?;
                self.line = Vec::new();
            }
            bytes = &bytes[end + 1..];
        }
        if self.line.len() + bytes.len() > EVENT_BYTES_MAX {
            return Err(DecodeError::TooLarge(EVENT_BYTES_MAX));
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }
}

fn line(
    line: &[u8],
    take: &mut dyn FnMut(Item<'_>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let text = std::str::from_utf8(line)
        .map_err(|error| DecodeError::NotAnEvent(error.to_string()))?
        .trim_ascii();
    match text {
        "" => Ok(()),
        text => take(Item::Event(&Event::parse(text)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::item::tests::{check_cuts, items};
    use super::*;

    #[test]
    fn lines_however_they_are_cut() {
        let text = "{\"type\":\"ready\",\"position\":\"A\"}\n\n\
            {\"topic\":\"t\",\"position\":\"B\",\"type\":\"message\",\"contentType\":\"text/plain\",\"data\":\"ä\\n\"}\r\n\
            {\"topic\":\"t\",\"position\":\"C\",\"type\":\"x\",\"contentType\":\"application/json\",\"data\":[1]}\n\
            {\"topic\":\"t\",\"position\":\"D\"";
        let expected = ["ready A ", "message B ä\n", "x C [1]"];
        check_cuts(NdjsonDecoder::default, text.as_bytes(), &expected);
    }

    #[test]
    fn what_is_no_ndjson() {
        let error = items(NdjsonDecoder::default(), [&b"\xff\n"[..]].into_iter()).unwrap_err();
        assert!(error.to_string().starts_with("the server sent something that is no event: inv"));
        let full = NdjsonDecoder { line: vec![b' '; EVENT_BYTES_MAX] };
        let error = items(full, [&b" "[..]].into_iter()).unwrap_err();
        assert_eq!(error.to_string(), "the server sent more than 96 MiB at once");
    }
}
