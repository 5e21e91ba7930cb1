//! The server's URL, and the request targets below it. Must never leave a character in a target
//! that a server could read otherwise.

use std::fmt;
use std::str::FromStr;

use ::http::Uri;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Where the server is: `http://HOST[:PORT][/PREFIX]`, or `https://`; `ws` and `wss` are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerUrl {
    /// Whether it is encrypted.
    pub tls: bool,
    /// Host name or address to connect to; an IPv6 address without its brackets.
    pub host: String,
    /// Port to connect to.
    pub port: u16,
    /// Host and port as the `Host` field has them.
    pub authority: String,
    /// The path that everything is below; empty or `/…` without a slash at its end.
    prefix: String,
}

/// Why a text is not the URL of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UrlError {
    /// Not a way to reach a server.
    #[error("only http:// and https:// are spoken")]
    Scheme,
    /// Not a URL with a host.
    #[error("not a URL such as http://127.0.0.1:8080")]
    Malformed,
    /// A user name or password, which would end up in process lists.
    #[error("a user name in the URL is not supported")]
    UserInfo,
    /// A query, where only a path makes sense.
    #[error("a query does not belong here: give the URL the server is at")]
    Query,
}

impl FromStr for ServerUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<ServerUrl, UrlError> {
        let (tls, rest) = match text.split_once("://") {
            None => (false, text),
            Some((scheme, rest)) => match scheme.to_ascii_lowercase().as_str() {
                "http" | "ws" => (false, rest),
                "https" | "wss" => (true, rest),
                _ => return Err(UrlError::Scheme),
            },
        };
        let uri: Uri = format!("http://{rest}").parse().map_err(|_| UrlError::Malformed)?;
        let authority = uri.authority().ok_or(UrlError::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(UrlError::UserInfo);
        }
        if uri.query().is_some() {
            return Err(UrlError::Query);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => {
                if tls {
                    443
                } else {
                    80
                }
            }
            _ => authority.port_u16().ok_or(UrlError::Malformed)?,
        };
        if host.is_empty() {
            return Err(UrlError::Malformed);
        }
        Ok(ServerUrl {
            tls,
            host: host.to_owned(),
            port,
            authority: authority.as_str().to_owned(),
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.prefix)
    }
}

/// What stands for itself in a path and in a query (RFC 3986 section 2.3), and the two
/// characters that topics and filters are made with.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b'*');

impl ServerUrl {
    /// The target of a session's acknowledgements: `/s/NAME/ack`.
    pub(crate) fn ack_target(&self, session: &str) -> String {
        format!("{}/s/{}/ack", self.prefix, utf8_percent_encode(session, ENCODED))
    }

    /// The target of topics, which a session need not name: `/t/chat/room1?since=now`,
    /// `/t?topic=a&topic=b`, `/t?session=s`.
    pub(crate) fn target(&self, topics: &[impl AsRef<str>], query: &[(&str, &str)]) -> String {
        let mut target = format!("{}/t", self.prefix);
        let mut pairs = Vec::new();
        match topics {
            [topic] => {
                target.push('/');
                target.extend(utf8_percent_encode(topic.as_ref(), ENCODED));
            }
            _ => pairs.extend(topics.iter().map(|topic| ("topic", topic.as_ref()))),
        }
        pairs.extend(query);
        for (index, (name, value)) in pairs.into_iter().enumerate() {
            target.push(if index == 0 { '?' } else { '&' });
            target += name;
            target.push('=');
            target.extend(utf8_percent_encode(value, ENCODED));
        }
        target
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        for (text, host, port, shown) in [
            ("http://127.0.0.1:8080", "127.0.0.1", 8080, "http://127.0.0.1:8080"),
            ("localhost:8080/", "localhost", 8080, "http://localhost:8080"),
            ("HTTP://example.com/news/", "example.com", 80, "http://example.com/news"),
            ("http://[::1]:9", "::1", 9, "http://[::1]:9"),
            ("http://[::1]", "::1", 80, "http://[::1]"),
            ("https://example.com", "example.com", 443, "https://example.com"),
            ("WSS://example.com:8443/a", "example.com", 8443, "https://example.com:8443/a"),
            ("ws://example.com", "example.com", 80, "http://example.com"),
        ] {
            let url: ServerUrl = text.parse().unwrap();
            assert_eq!(
                (url.host.as_str(), url.port, url.to_string().as_str()),
                (host, port, shown)
            );
        }
        for (text, error) in [
            ("ftp://example.com", UrlError::Scheme),
            ("http://", UrlError::Malformed),
            ("", UrlError::Malformed),
            ("http://example.com:port", UrlError::Malformed),
            ("http://:80", UrlError::Malformed),
            ("http://a b", UrlError::Malformed),
            ("http://me:secret@example.com", UrlError::UserInfo),
            ("http://example.com/?a=b", UrlError::Query),
        ] {
            assert_eq!(text.parse::<ServerUrl>(), Err(error), "{text}");
        }
    }

    #[test]
    fn targets() {
        let url: ServerUrl = "http://h/pre".parse().unwrap();
        assert_eq!(url.target(&["chat/room1"], &[]), "/pre/t/chat/room1");
        assert_eq!(
            url.target(&["ä b/50%?#&+/**"], &[("since", "a=b&c")]),
            "/pre/t/%C3%A4%20b/50%25%3F%23%26%2B/**?since=a%3Db%26c"
        );
        assert_eq!(
            url.target(&["a", "b&topic=c/*"], &[("via", "sse")]),
            "/pre/t?topic=a&topic=b%26topic%3Dc/*&via=sse"
        );
        assert_eq!(url.target(&[""; 0], &[("session", "ä b")]), "/pre/t?session=%C3%A4%20b");
        assert_eq!(url.ack_target("ä?b"), "/pre/s/%C3%A4%3Fb/ack");
    }
}
