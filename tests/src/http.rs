//! HTTP/1.1 as a client writes and reads it, byte by byte (RFC 9112).
//! Must never be more lenient than a strict client would be.

use serde_json::Value;

use crate::wire::Wire;

/// What a client asked for decides how an answer ends: HEAD has no body.
const HEAD: &str = "HEAD";

/// The bytes of a request. `Host` is set unless `headers` has one; a `Content-Length` is added
/// when there is a body or the method is POST or PUT, unless `headers` tells the body's framing.
pub fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let has = |name: &str| headers.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
    let mut out = format!("{method} {target} HTTP/1.1\r\n");
    if !has("host") {
        out += "Host: tidings.test\r\n";
    }
    for (name, value) in headers {
        out += &format!("{name}: {value}\r\n");
    }
    let sends = !body.is_empty() || matches!(method, "POST" | "PUT");
    if sends && !has("content-length") && !has("transfer-encoding") {
        out += &format!("Content-Length: {}\r\n", body.len());
    }
    out += "\r\n";
    [out.as_bytes(), body].concat()
}

/// An answer, or the head of one.
#[derive(Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The header fields as they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, its chunks put together. Empty in a head.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All values of a header as one list (RFC 9110 section 5.3), in lower case.
    pub fn list(&self, name: &str) -> Vec<String> {
        let values = self.headers.iter().filter(|(n, _)| n == name);
        let items = values.flat_map(|(_, value)| value.split(','));
        items.map(|item| item.trim().to_ascii_lowercase()).collect()
    }

    /// The body as text.
    #[track_caller]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The `events` of a poll's answer.
    #[track_caller]
    pub fn events(&self) -> Vec<Value> {
        assert_eq!(self.status, 200, "{self:?}");
        let mut json = self.json();
        match json["events"].take() {
            Value::Array(events) => events,
            _ => panic!("no events in {self:?}"),
        }
    }

    /// The `data` of each of a poll's events.
    #[track_caller]
    pub fn data(&self) -> Vec<Value> {
        self.events().into_iter().map(|mut event| event["data"].take()).collect()
    }

    /// The `position` of an answer.
    #[track_caller]
    pub fn position(&self) -> String {
        match &self.json()["position"] {
            Value::String(position) => position.clone(),
            _ => panic!("no position in {self:?}"),
        }
    }

    /// Checks that this is an error as every error must be: one line of JSON with `error`,
    /// `message` and `hint`.
    #[track_caller]
    pub fn expect_problem(&self, status: u16, error: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let text = self.text();
        assert_eq!(text.find('\n'), Some(text.len() - 1), "not one line: {text:?}");
        let json = self.json();
        assert_eq!(json["error"], error, "{self:?}");
        for field in ["message", "hint"] {
            assert!(json[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {text}");
        }
    }
}

impl std::fmt::Debug for Response {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, self.body.escape_ascii())
    }
}

impl Wire {
    /// Sends a request and reads the whole answer.
    #[track_caller]
    pub fn ask(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        self.send(request(method, target, headers, body));
        self.response(method)
    }

    /// Reads an answer's head; the body stays unread.
    #[track_caller]
    pub fn head(&mut self) -> Response {
        self.try_head()
            .unwrap_or_else(|| panic!("the server closed instead of answering; {self:?}"))
    }

    /// Reads an answer's head, or nothing when the server closed before its end.
    #[track_caller]
    pub fn try_head(&mut self) -> Option<Response> {
        let head = self.try_read_until(b"\r\n\r\n")?;
        let head = String::from_utf8(head).unwrap_or_else(|error| panic!("{error}"));
        let mut lines = head.trim_end().split("\r\n");
        let first = lines.next().unwrap_or_default();
        let rest = first.strip_prefix("HTTP/1.1 ").or_else(|| first.strip_prefix("HTTP/1.0 "));
        let status = rest.and_then(|rest| rest.get(..3)?.parse().ok());
        let status = status.unwrap_or_else(|| panic!("not a status line: {first:?}"));
        let headers = lines
            .map(|line| match line.split_once(':') {
                Some((name, value)) => (name.to_ascii_lowercase(), value.trim().to_owned()),
                None => panic!("not a header line: {line:?}"),
            })
            .collect();
        Some(Response { status, headers, body: Vec::new() })
    }

    /// Reads a whole answer to a request of `method` (RFC 9112 section 6.3).
    #[track_caller]
    pub fn response(&mut self, method: &str) -> Response {
        let mut response = self.head();
        let length = response.header("content-length").map(|text| text.parse::<usize>());
        let bodiless = method == HEAD || matches!(response.status, 100..200 | 204 | 304);
        response.body = match length {
            _ if bodiless => Vec::new(),
            Some(Ok(length)) => self.read_exact(length),
            Some(Err(_)) => panic!("not a length: {response:?}"),
            None if response.list("transfer-encoding") == ["chunked"] => {
                let mut body = Vec::new();
                while let Some(chunk) = self.chunk() {
                    body.extend(chunk);
                }
                body
            }
            None => self.read_to_end(),
        };
        response
    }

    /// One chunk of a body (RFC 9112 section 7.1), or nothing at the body's end.
    #[track_caller]
    pub(crate) fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = self.read_until(b"\r\n");
        let text = String::from_utf8_lossy(&line);
        let length = usize::from_str_radix(text.trim_end(), 16);
        let length = length.unwrap_or_else(|_| panic!("not a chunk's length: {text:?}"));
        let chunk = self.read_exact(length);
        assert_eq!(self.read_exact(2), b"\r\n", "after a chunk of {length} bytes");
        (length > 0).then_some(chunk)
    }
}
