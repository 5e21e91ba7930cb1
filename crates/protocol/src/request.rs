//! HTTP requests and responses as machines see them: already parsed, whole, without a socket.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{StatusCode, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use tidings_access::Identity;

pub use http::Method;

/// A whole request.
#[derive(Clone, Debug)]
pub struct Request {
    /// GET, HEAD, POST, …
    pub method: Method,
    /// The path, percent-decoded, or nothing when it is not UTF-8.
    pub path: Option<String>,
    /// The query's pairs.
    pub query: Query,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body; empty when there is none.
    pub body: Bytes,
    /// A number that is this request's alone and that nobody can guess, since machines have no
    /// chance of their own. 0 unless the driver gave one.
    pub nonce: u128,
    /// Who asks, where the operator has said who may do what.
    pub identity: Option<Arc<Identity>>,
}

impl Request {
    /// A request as it came: the target's path and query still percent-encoded. Its nonce is 0.
    pub fn new(
        method: Method,
        path: &str,
        query: Option<&str>,
        headers: HeaderMap,
        body: Bytes,
    ) -> Request {
        Request {
            method,
            path: percent_decode_str(path).decode_utf8().ok().map(Into::into),
            query: Query::parse(query.unwrap_or_default()),
            headers,
            body,
            nonce: 0,
            identity: None,
        }
    }

    /// A header's value, when it is there once or more and the first is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What an `EventSource` says it saw last (WHATWG HTML section 9.2.4): in the header, or, where
    /// one cannot be set, in the query. An empty one says that nothing was seen yet.
    pub fn last_event_id(&self) -> Option<&str> {
        let query = ["lastEventId", "Last-Event-ID"].map(|name| self.query.get(name));
        let ids = [self.header("last-event-id")].into_iter().chain(query);
        ids.flatten().find(|id| !id.is_empty())
    }

    /// Whether only the head of an answer is wanted.
    pub fn is_head(&self) -> bool {
        self.method == Method::HEAD
    }
}

/// A query string's pairs, decoded as `application/x-www-form-urlencoded` (WHATWG URL section 5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Most pairs that are looked at; a request line that long is bounded anyway.
    const PAIRS_MAX: usize = 1024;

    /// Splits and decodes; text that is not UTF-8 is replaced, as browsers do.
    pub fn parse(text: &str) -> Query {
        let decode = |part: &str| {
            let spaced = part.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
        };
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).take(Query::PAIRS_MAX);
        Query(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }

    /// The first value of `name`.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Takes the values of `name` out; returns the first.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let taken = self.0.iter().position(|(n, _)| n == name).map(|place| self.0.remove(place).1);
        self.0.retain(|(n, _)| n != name);
        taken
    }

    /// Every pair, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Every value of `name`, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// What stands for itself in a query: unreserved characters and the slash of topics (RFC 3986
/// sections 2.3 and 3.4).
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// Text as a name or a value of a query.
pub fn encode_query(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

/// A whole response, or the head of a streamed one.
#[derive(Clone, Debug, Default)]
pub struct Response {
    /// The status code.
    pub status: StatusCode,
    /// The header fields, without those of the carrier (length, date, connection).
    pub headers: HeaderMap,
    /// The body; empty in a head.
    pub body: Bytes,
}

impl Response {
    /// A response with a status and nothing else.
    pub fn new(status: StatusCode) -> Response {
        Response { status, ..Response::default() }
    }

    /// Sets a header whose value is known to be right.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: &'static str) -> Response {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    /// Sets a header; a value that no header can carry is left out.
    #[must_use]
    pub fn with_text(mut self, name: HeaderName, value: &str) -> Response {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    /// Sets the body and its media type.
    #[must_use]
    pub fn with_body(self, content_type: &'static str, body: impl Into<Bytes>) -> Response {
        let mut response = self.with(CONTENT_TYPE, content_type);
        response.body = body.into();
        response
    }
}

/// A JSON answer that no cache keeps.
pub fn json_response(status: StatusCode, body: impl Into<Bytes>) -> Response {
    Response::new(status)
        .with_body("application/json", body)
        .with(header::CACHE_CONTROL, "no-store, no-transform")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_last_is_in_the_header_or_in_the_query() {
        let seen = |header: Option<&'static str>, query: &str| {
            let mut headers = HeaderMap::new();
            headers.extend(header.map(|id| {
                (HeaderName::from_static("last-event-id"), HeaderValue::from_static(id))
            }));
            let request = Request::new(Method::GET, "/t/a", Some(query), headers, Bytes::new());
            request.last_event_id().map(str::to_owned)
        };
        assert_eq!(seen(Some("a"), "lastEventId=b").as_deref(), Some("a"));
        assert_eq!(seen(Some(""), "lastEventId=b").as_deref(), Some("b"));
        assert_eq!(seen(None, "lastEventId=&Last-Event-ID=c").as_deref(), Some("c"));
        assert_eq!(seen(Some(""), "lasteventid=b"), None);
    }

    #[test]
    fn a_query_is_decoded_like_a_form() {
        let query = Query::parse("topic=a%2Fb&topic=c+d&raw&&x=1=2");
        assert_eq!(query.all("topic").collect::<Vec<_>>(), ["a/b", "c d"]);
        assert_eq!(query.get("raw"), Some(""));
        assert_eq!(query.get("x"), Some("1=2"));
        assert_eq!(query.get("none"), None);
    }

    #[test]
    fn what_is_encoded_is_decoded_to_itself() {
        let text = "a/b c&d=e+f%?#\"'<>\u{e4}\r\n\0";
        let encoded = encode_query(text);
        assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/%".contains(&b)));
        assert_eq!(Query::parse(&format!("x={encoded}")).get("x"), Some(text));
    }
}
