//! How a poll's answer, or its error, is written as a script.
//!
//! JSON is not quite JavaScript: two line separators end a line in old engines, and the key
//! `__proto__` is not a key like others. Must never write a body whose meaning depends on the
//! engine that reads it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, StatusCode, header};
use tidings_model::Exposure;
use tidings_protocol::ask::Ask;
use tidings_protocol::poll::{Answer, Format};
use tidings_protocol::{Problem, Request, Response, content, event};

use crate::callback::{BYTES_MAX, Callback};

const CONTENT_TYPE: &str = "text/javascript; charset=utf-8";

/// Writes scripts.
#[derive(Default)]
pub(crate) struct Script {
    /// The function to call, once it is known to be one.
    callback: Option<Callback>,
}

impl Format for Script {
    const CONTENT_TYPE: &'static str = CONTENT_TYPE;

    /// A browser parses a script whole, and stands still meanwhile.
    const BYTES_MAX: usize = 1 << 20;

    fn open(&mut self, request: &Request) -> Result<(), Problem> {
        let name = request.query.get("callback").unwrap_or_default();
        self.callback = Some(Callback::new(name).ok_or_else(|| {
            let message = format!(
                "callback must be at most {BYTES_MAX} letters, digits, _ and $, with dots between names"
            );
            Problem::bad("bad_callback", message, "name a function of your page: callback=app.news")
        })?);
        Ok(())
    }

    fn read(&mut self, ask: &mut Ask) -> Result<Option<Duration>, Problem> {
        ask.exposure = Exposure::AnyPage;
        if ask.raw {
            // A page could not go on from payloads alone: it sees no header.
            let message = "data=raw leaves out the position, which a script cannot see elsewhere";
            return Err(Problem::bad("bad_query", message, "leave data out"));
        }
        Ok(ask.wait)
    }

    fn body(&self, answer: &Answer<'_>) -> Bytes {
        let mut json = vec![b'{'];
        event::write_events(answer.items, answer.position, &mut json);
        if let Some(wait) = answer.retry_after {
            json.extend_from_slice(format!(",\"retryAfter\":{}", wait.as_secs()).as_bytes());
        }
        json.push(b'}');
        self.call(&json)
    }

    fn head(&self, _: &Answer<'_>, head: Response) -> Response {
        dress(head)
    }

    /// A page sees neither the status nor the body of a script that fails: so an error is a call, too.
    fn problem(&self, problem: &Problem) -> Response {
        if self.callback.is_none() {
            return dress(problem.to_response());
        }
        let mut error = problem.json();
        error.insert("status".to_owned(), problem.status.as_u16().into());
        let json = serde_json::Value::Object(error).to_string();
        let response = Response::new(StatusCode::OK)
            .with_body(CONTENT_TYPE, self.call(json.as_bytes()))
            .with(header::CACHE_CONTROL, "no-store, no-transform");
        dress(response)
    }
}

impl Script {
    /// The script that calls the function with a JSON text.
    fn call(&self, json: &[u8]) -> Bytes {
        let Some(callback) = &self.callback else { return Bytes::new() };
        // Nothing that begins with a comment is also a program for something else, such as a plug-in
        // that takes its file from here.
        let mut out = format!("/**/{callback}(").into_bytes();
        let text = String::from_utf8_lossy(json);
        if may_name_prototype(&text) {
            let mut quoted = Vec::with_capacity(json.len() + json.len() / 8);
            content::write_string(&text, &mut quoted);
            out.extend_from_slice(b"JSON.parse(");
            write_lines(&String::from_utf8_lossy(&quoted), &mut out);
            out.push(b')');
        } else {
            write_lines(&text, &mut out);
        }
        out.extend_from_slice(b");\n");
        out.into()
    }
}

fn dress(response: Response) -> Response {
    response.with(HeaderName::from_static("x-content-type-options"), "nosniff")
}

/// Writes JSON whose strings hold no line separator, which JavaScript had in no string before 2019
/// (ECMA-262 section 12.9.4).
fn write_lines(json: &str, out: &mut Vec<u8>) {
    for (index, part) in json.split('\u{2028}').enumerate() {
        if index > 0 {
            out.extend_from_slice(b"\\u2028");
        }
        for (index, part) in part.split('\u{2029}').enumerate() {
            if index > 0 {
                out.extend_from_slice(b"\\u2029");
            }
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// Whether a JSON text may have the key `__proto__`, however it is spelt. As a literal, such a key
/// would set an object's prototype, and twice of it would be no program (ECMA-262 section
/// B.3.1).
fn may_name_prototype(json: &str) -> bool {
    const LETTERS: [&str; 5] = ["5f", "70", "72", "6f", "74"];
    json.contains("__proto__")
        || json.match_indices("\\u00").any(|(at, escape)| {
            let code = json.get(at + escape.len()..at + escape.len() + 2);
            code.is_some_and(|code| LETTERS.iter().any(|letter| code.eq_ignore_ascii_case(letter)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(json: &str) -> String {
        let script = Script { callback: Callback::new("f") };
        String::from_utf8(script.call(json.as_bytes()).to_vec()).unwrap()
    }

    #[test]
    fn json_becomes_a_call() {
        assert_eq!(call("{\"a\":1}"), "/**/f({\"a\":1});\n");
        assert_eq!(call("\"\u{2028}\u{2029}x\u{2028}\""), "/**/f(\"\\u2028\\u2029x\\u2028\");\n");
    }

    #[test]
    fn prototypes_are_left_alone() {
        for key in ["__proto__", "\\u005f_proto__", "__pr\\u006Fto__"] {
            let quoted = key.replace('\\', "\\\\");
            let expected =
                format!("/**/f(JSON.parse(\"{{\\\"{quoted}\\\":\\\"\\u2028\\\"}}\"));\n");
            assert_eq!(call(&format!("{{\"{key}\":\"\u{2028}\"}}")), expected);
        }
        for text in ["\"_proto_\"", "\"\\u0000\\u2028\"", "\"\\u00", "\"\\u00\u{e4}\""] {
            assert!(!call(text).contains("JSON.parse"), "{text}");
        }
    }
}
