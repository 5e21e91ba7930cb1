//! From a request's body to messages: one, or one a line.

use bytes::Bytes;
use serde::de::IgnoredAny;
use tidings_protocol::{Problem, content};

/// How a body is taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Batch {
    /// The whole body is one message.
    Whole,
    /// Each line is one message with this content type.
    Lines,
    /// Each line is one JSON value.
    JsonLines,
}

/// The payloads of a body. Empty lines say nothing and are skipped; more than `most` are refused.
pub(crate) fn split(body: &Bytes, batch: Batch, most: usize) -> Result<Vec<Bytes>, Problem> {
    if batch == Batch::Whole {
        return Ok(vec![body.clone()]);
    }
    let mut payloads = Vec::new();
    for line in body.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        if payloads.len() == most {
            return Err(Problem::new(
                http::StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                format!("the batch has more than {most} messages"),
                "send it in several requests",
            ));
        }
        // Each message keeps only its own bytes: a slice would keep the whole body alive for as
        // long as any one of them is retained.
        payloads.push(Bytes::copy_from_slice(line));
    }
    if payloads.is_empty() {
        return Err(Problem::bad(
            "bad_batch",
            "the batch has no message",
            "send one message a line",
        ));
    }
    Ok(payloads)
}

/// Checks that what claims to be JSON is; `line` is named where the body is a batch.
pub(crate) fn check_json(payload: &[u8], line: Option<usize>) -> Result<(), Problem> {
    // JSON is UTF-8 (RFC 8259 section 8.1), and the parser does not look into strings it skips.
    let checked = std::str::from_utf8(payload)
        .map_err(|error| error.to_string())
        .and_then(|text| serde_json::from_str::<IgnoredAny>(text).map_err(|e| e.to_string()));
    match checked {
        Ok(_) => Ok(()),
        Err(error) => {
            let at = line.map_or_else(String::new, |line| format!("message {line} of the batch: "));
            Err(Problem::bad(
                "bad_json",
                format!("{at}the content type says JSON, but the body is not: {error}"),
                "mend the JSON, or send it as text/plain",
            ))
        }
    }
}

/// The content type of each message of a batch.
pub(crate) fn content_type(declared: Option<&str>, batch: Batch, payload: &[u8]) -> Box<str> {
    match (batch, declared) {
        (Batch::JsonLines, _) => content::JSON.into(),
        (_, Some(declared)) => declared.into(),
        (_, None) => content::sniff(payload).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_messages() {
        let body = Bytes::from_static(b"one\n\ntwo\r\nthree");
        assert_eq!(split(&body, Batch::Lines, 3).unwrap(), ["one", "two", "three"]);
        assert_eq!(split(&body, Batch::Lines, 2).unwrap_err().error, "too_large");
        assert_eq!(split(&body, Batch::Whole, 1).unwrap(), [body]);
        assert_eq!(
            split(&Bytes::from_static(b"\n\n"), Batch::Lines, 1).unwrap_err().error,
            "bad_batch"
        );
    }
}
