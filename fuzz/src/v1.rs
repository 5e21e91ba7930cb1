//! The commands of `tidings.v1`: each line is a text frame, and each frame gets an answer.

use bytes::Bytes;
use http::HeaderMap;
use serde_json::Value;
use tidings_protocol::{Frame, Input, Method, Request, content};
use tidings_v1::TIDINGS_V1;

use crate::machine::Machine;

/// Most frames on one socket.
const FRAMES_MAX: usize = 32;

/// Sends each line as a frame; those that begin with a zero byte as binary ones.
pub fn run(data: &[u8]) {
    let mut machine = Machine::new(&TIDINGS_V1);
    let request = Request::new(Method::GET, "/ws", None, HeaderMap::new(), Bytes::new());
    machine.feed(Input::Opened(&request));
    for line in data.split(|&byte| byte == b'\n').take(FRAMES_MAX) {
        let before = machine.texts.len();
        match (line.strip_prefix(b"\0"), std::str::from_utf8(line)) {
            (None, Ok(text)) => machine.feed(Input::Frame(Frame::Text(text))),
            (binary, _) => machine.feed(Input::Frame(Frame::Binary(binary.unwrap_or(line)))),
        }
        assert!(machine.texts.len() > before, "no answer");
    }
    for text in &machine.texts {
        let json: Value = serde_json::from_str(text).expect("an answer is JSON");
        assert!(json.is_object() && !text.contains('\n'), "{text}");
    }
    for (messages, _) in &machine.published {
        let [message] = messages.as_slice() else { panic!("one command is one message") };
        assert!(!message.topic.is_reserved() || machine.texts.len() > 1);
        if content::is_json(&message.content_type) {
            let data = std::str::from_utf8(&message.payload).expect("JSON is UTF-8");
            assert!(is_json(data), "what says JSON is not: {data}");
        }
    }
}

/// Whether a text is JSON, however large its numbers are.
pub(crate) fn is_json(text: &str) -> bool {
    serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok()
}
