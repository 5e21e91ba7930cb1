//! A streamed answer that may be cut at any byte: the lines that came whole, and the last word.
//! Must never fail its test for a cut, nor take half a line for one.

use serde_json::Value;

use crate::visit::{Parting, parse};
use crate::wire::Wire;

/// A streamed answer, line by line, as far as it came.
pub(crate) struct Lines {
    wire: Wire,
    unread: Vec<u8>,
}

impl Lines {
    /// The body behind a head that was read.
    pub(crate) fn new(wire: Wire) -> Lines {
        Lines { wire, unread: Vec::new() }
    }

    /// The next whole line; nothing when the stream is over or was cut.
    #[track_caller]
    fn line(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.unread.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=at).collect();
                let line = String::from_utf8(line).unwrap_or_else(|error| panic!("{error}"));
                return Some(line.trim_end_matches('\n').to_owned());
            }
            let length = self.wire.try_read_until(b"\r\n")?;
            let text = String::from_utf8_lossy(&length);
            let length = usize::from_str_radix(text.trim_end(), 16);
            let length = length.unwrap_or_else(|_| panic!("not a chunk's length: {text:?}"));
            let chunk = self.wire.try_read_exact(length + 2)?;
            if length == 0 {
                return None;
            }
            self.unread.extend_from_slice(&chunk[..length]);
        }
    }

    /// The next line as JSON.
    #[track_caller]
    pub(crate) fn json(&mut self) -> Result<Value, Parting> {
        let line = self.line().ok_or_else(Parting::default)?;
        self.judge(parse(&line), None)
    }

    /// The next event of an event stream (WHATWG HTML section 9.2.6).
    #[track_caller]
    pub(crate) fn event(&mut self) -> Result<Value, Parting> {
        let (mut data, mut retry) = (String::new(), None);
        loop {
            let line = self.line().ok_or_else(Parting::default)?;
            match line.split_once(": ") {
                Some(("data", text)) => data += text,
                Some(("retry", text)) => retry = Some(text.to_owned()),
                Some(_) => {}
                None => return self.judge(parse(&data), retry),
            }
        }
    }

    /// A goodbye is the last word: behind it the stream ends in good order.
    #[track_caller]
    fn judge(&mut self, item: Value, retry: Option<String>) -> Result<Value, Parting> {
        if item["type"] != "goodbye" {
            return Ok(item);
        }
        assert_eq!(self.line(), None, "something came after {item}");
        self.wire.expect_end();
        Err(Parting { said: item, retry, code: None })
    }
}
