//! Who asks: what an HTTP request brings to prove it, taken out of the request before any machine sees
//! it (RFC 7617, RFC 6750). Must never let a secret stay where a log or an answer could repeat it.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use tidings_access::{Credentials, Denied};
use tidings_host::{Attempt, Route};
use tidings_protocol::{Mount, Problem, Request, Response};
use tokio::sync::oneshot;

use crate::connection::Connection;
use crate::local::Local;
use crate::tls::PeerCertificate;

/// The query's name for a token, where a client can set no header: `EventSource`, `WebSocket`,
/// pictures (RFC 6750 section 2.3 calls it otherwise, and wants it rare, too).
const TOKEN: &str = "token";

/// What is known of whoever asks besides what they say.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    /// Whose connection it is, where anybody may want to know.
    pub(crate) peer: Option<&'a Peer>,
    /// Whether what a browser sends by itself counts.
    pub(crate) may_act: bool,
}

/// Whose connection it is, for all its requests.
pub(crate) struct Peer {
    address: Option<SocketAddr>,
    certificate: Option<Arc<PeerCertificate>>,
}

impl Peer {
    /// The peer of a connection; nothing where nobody has to be anybody.
    pub(crate) fn of(local: &Local, stream: &Connection) -> Option<Rc<Peer>> {
        let certificate = stream.certificate().cloned();
        let is_open = local.registry.gate().is_open();
        (!is_open).then(|| Rc::new(Peer { address: stream.peer(), certificate }))
    }
}

/// Whether clients of this route may still say who they are when it is open.
fn logs_in(route: &Route) -> bool {
    matches!(route, Route::Socket(transport, _)
        if matches!(transport.mount, Mount::Socket { logs_in: true, .. }))
}

/// Finds out who asks. Where nobody has to be anybody, nothing is looked at.
///
/// # Errors
/// The answer to who is not let in.
pub(crate) async fn identify(
    local: &Local,
    request: &mut Request,
    route: &Route,
    Asker { peer, may_act }: Asker<'_>,
) -> Result<(), Response> {
    let gate = local.registry.gate();
    if gate.is_open() {
        return Ok(());
    }
    let certificate = peer.and_then(|peer| peer.certificate.as_ref());
    let credentials = take(request, certificate, may_act).map_err(|wrong| match wrong {
        Wrong::Denied(denied) => gate.refuse(denied),
        Wrong::Site => another_site().to_response(),
    })?;
    let attempt = Attempt::new(&credentials, peer.and_then(|peer| peer.address));
    let (sender, receiver) = oneshot::channel();
    gate.authenticate(credentials.into(), local.clock.now(), move |result| {
        // Whoever asked may have gone.
        let _ = sender.send(result);
    });
    match receiver.await.unwrap_or(Err(Denied::Busy)) {
        Ok(identity) => {
            request.identity = Some(identity);
            Ok(())
        }
        Err(Denied::Missing) if logs_in(route) => Ok(()),
        Err(denied) => {
            gate.report(&attempt, denied, local.clock.now());
            Err(gate.refuse(denied))
        }
    }
}

/// The same where that can be told at once and is right; says whether it was.
pub(crate) fn identify_at_once(
    local: &Local,
    request: &mut Request,
    certificate: Option<&Arc<PeerCertificate>>,
    may_act: bool,
) -> bool {
    let gate = local.registry.gate();
    if gate.is_open() {
        return true;
    }
    let Ok(credentials) = take(request, certificate, may_act) else { return false };
    let Some(Ok(identity)) = gate.at_once(credentials.into(), local.clock.now()) else {
        return false;
    };
    request.identity = Some(identity);
    true
}

/// What is wrong before anything is looked up.
#[derive(Debug, PartialEq)]
enum Wrong {
    /// The credentials.
    Denied(Denied),
    /// The page that they are sent for.
    Site,
}

/// Takes the credentials out of a request. Only where there are none, the connection's certificate
/// says who asks. A browser shows that for whatever any page has it load; where it may not act, that
/// is not for the page, which may still ask as anybody.
fn take(
    request: &mut Request,
    certificate: Option<&Arc<PeerCertificate>>,
    may_act: bool,
) -> Result<Credentials, Wrong> {
    let token = request.query.take(TOKEN);
    let Some(header) = request.headers.remove(AUTHORIZATION) else {
        return Ok(match token {
            Some(token) => Credentials::Token(token.into()),
            None => match certificate.and_then(|certificate| certificate.user()) {
                Some(user) if may_act => Credentials::Certificate(user.into()),
                _ => Credentials::Anonymous,
            },
        });
    };
    let text = header.to_str().ok().and_then(|text| text.split_once(' '));
    // A scheme that is none of these is answered with those that are.
    let (scheme, value) = text.ok_or(Wrong::Denied(Denied::Missing))?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Credentials::Token(value.trim().into()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Wrong::Denied(Denied::Missing));
    }
    // A browser adds a password that was typed once to whatever any page has it load.
    if !may_act {
        return Err(Wrong::Site);
    }
    let wrong = Wrong::Denied(Denied::Wrong);
    let Ok(pair) = STANDARD.decode(value.trim()) else { return Err(wrong) };
    let Some(colon) = pair.iter().position(|byte| *byte == b':') else { return Err(wrong) };
    let Ok(user) = std::str::from_utf8(&pair[..colon]) else { return Err(wrong) };
    Ok(Credentials::Password { user: user.into(), password: pair[colon + 1..].into() })
}

fn another_site() -> Problem {
    Problem::new(
        http::StatusCode::FORBIDDEN,
        "forbidden_origin",
        "a page of another site may not use the password that this browser knows",
        "use a token, or have the operator add the page's origin to http.allowed_origins",
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, Method};
    use tidings_access::Way;

    use super::*;

    fn taken(header: Option<&'static str>, query: &str, may_act: bool) -> Result<String, Wrong> {
        let mut headers = HeaderMap::new();
        headers.extend(header.map(|value| (AUTHORIZATION, HeaderValue::from_static(value))));
        let mut request = Request::new(Method::GET, "/t/a", Some(query), headers, Bytes::new());
        let taken = take(&mut request, None, may_act);
        assert!(!format!("{request:?}").contains("hush"), "{request:?}");
        taken.map(|credentials| match credentials {
            Credentials::Password { user, password } => {
                format!("{user} {}", String::from_utf8_lossy(&password))
            }
            Credentials::Token(token) => token.into(),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn what_requests_bring() {
        for (header, query, expected) in [
            (None, "", "anonymous of None"),
            (None, "token=hush&since=start", "hush"),
            (Some("Bearer hush"), "", "hush"),
            (Some("bearer  hush "), "token=hushed", "hush"),
            (Some("Basic YW5uOmh1c2g="), "", "ann hush"),
            (Some("Basic YW5uOmh1c2g6eA=="), "", "ann hush:x"),
        ] {
            assert_eq!(taken(header, query, true).as_deref(), Ok(expected), "{header:?} {query}");
        }
        for (header, denied) in [
            ("Basic", Denied::Missing),
            ("Digest x", Denied::Missing),
            ("Basic ****", Denied::Wrong),
            ("Basic YW5u", Denied::Wrong),
        ] {
            assert_eq!(taken(Some(header), "", true), Err(Wrong::Denied(denied)), "{header}");
        }
    }

    #[test]
    fn a_certificate_says_who_asks_where_nothing_else_does() {
        let common_name = Some("ann".to_owned());
        let named = Arc::new(PeerCertificate { common_name, ..PeerCertificate::default() });
        let nameless = Arc::default();
        for (certificate, query, may_act, way) in [
            (&named, "", true, Way::Certificate),
            (&named, "token=hush", true, Way::Token),
            (&named, "", false, Way::Anonymous),
            (&nameless, "", true, Way::Anonymous),
        ] {
            let headers = HeaderMap::new();
            let mut request = Request::new(Method::GET, "/t/a", Some(query), headers, Bytes::new());
            let taken = take(&mut request, Some(certificate), may_act);
            assert_eq!(taken.map(|credentials| credentials.way()), Ok(way), "{query}");
        }
    }

    #[test]
    fn a_password_that_the_browser_adds_is_not_for_other_sites() {
        assert_eq!(taken(Some("Basic YW5uOmh1c2g="), "", false), Err(Wrong::Site));
        assert!(taken(Some("Bearer hush"), "", false).is_ok());
        assert!(taken(None, "token=hush", false).is_ok());
    }
}
