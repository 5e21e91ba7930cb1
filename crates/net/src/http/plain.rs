//! The next request on a connection whose last answer was held, where it is as plain as most: a
//! whole head, no body, nothing to be asked back.
//!
//! Whoever polls asks again and again, and a parser's connection with its buffers would be built
//! and torn down for each. The same library reads the head here. Must never judge what is not
//! plain: that is the parser's.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, TRANSFER_ENCODING, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tidings_protocol::Request;

/// Most header fields of one request, as in the library's own parser.
const FIELDS_MAX: usize = 100;

/// The request that `bytes` begin with, and how many of them it is; nothing where it is not plain.
pub(crate) fn request(bytes: &[u8], head_bytes_max: usize) -> Option<(Request, usize)> {
    let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
    let mut head = httparse::Request::new(&mut fields);
    let httparse::Status::Complete(length) = head.parse(bytes).ok()? else { return None };
    let target = head.path.filter(|target| target.starts_with('/'))?;
    if length > head_bytes_max || head.version != Some(1) || head.method != Some("GET") {
        return None;
    }
    let target = PathAndQuery::try_from(target).ok()?;
    // One copy, which all values share.
    let shared = Bytes::copy_from_slice(&bytes[..length]);
    let mut headers = HeaderMap::with_capacity(head.headers.len());
    // Where in the head a part of it is.
    let offset = |part: &[u8]| {
        let begin = part.as_ptr() as usize - bytes.as_ptr() as usize;
        begin..begin + part.len()
    };
    for field in head.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        let value = HeaderValue::from_maybe_shared(shared.slice(offset(field.value))).ok()?;
        headers.append(name, value);
    }
    let is_plain = headers.get_all(HOST).iter().count() == 1
        && [CONTENT_LENGTH, TRANSFER_ENCODING, UPGRADE, EXPECT, CONNECTION]
            .iter()
            .all(|name| !headers.contains_key(name) || *name == CONNECTION && keeps(&headers));
    is_plain.then(|| {
        let (path, query) = (target.path(), target.query());
        (Request::new(Method::GET, path, query, headers, Bytes::new()), length)
    })
}

/// Whether the client says no more of the connection than that it is to be kept.
fn keeps(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONNECTION).iter();
    values.all(|value| value.as_bytes().eq_ignore_ascii_case(b"keep-alive"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Option<(Request, usize)> {
        request(text.as_bytes(), 1000)
    }

    #[test]
    fn what_is_plain_is_read_as_it_is() {
        let head = "GET /t/a%20b?since=x HTTP/1.1\r\nHost: h\r\nX: 1\r\nx: 2\r\n\r\n";
        let (request, length) = plain(&format!("{head}GET /next")).unwrap();
        assert_eq!(length, head.len());
        assert_eq!(request.path.as_deref(), Some("/t/a b"));
        assert_eq!(request.query.get("since"), Some("x"));
        let values: Vec<_> = request.headers.get_all("x").iter().collect();
        assert_eq!(values, ["1", "2"]);
        assert!(plain("GET / HTTP/1.1\r\nHost: h\r\nConnection: Keep-Alive\r\n\r\n").is_some());
    }

    #[test]
    fn everything_else_is_the_parsers() {
        for text in [
            "",
            "GET / HTTP/1.1\r\nHost: h\r\n",
            "POST / HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: h\r\n\r\n",
            "GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
            "garbage\r\n\r\n",
        ] {
            assert!(plain(text).is_none(), "{text:?}");
        }
        let long = format!("GET / HTTP/1.1\r\nHost: h\r\nX: {}\r\n\r\n", "x".repeat(1000));
        assert!(plain(&long).is_none());
    }
}
