//! Which web pages may use this server (WHATWG Fetch, section 3.3).
//!
//! A browser sends requests, and opens WebSockets, for any page its user happens to visit. So a
//! request that names an origin is served only when that origin is this server's own or one that
//! the operator allowed.

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use tidings_protocol::origin::{Welcome, welcome};
use tidings_protocol::{Problem, Response};

/// What a request's origin may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// No page asked, or one of this server's own.
    Own,
    /// A page of an allowed origin; its answers have to say so.
    Allowed(Box<Allowed>),
}

/// An origin that is allowed. Kept with every answer that is held, so it is kept small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    /// The origin.
    origin: HeaderValue,
    /// Whether it is allowed by its name, and so may send what the browser knows of its user
    /// (cookies, client certificates), or only because all are.
    by_name: bool,
}

/// Looks at a request's origin.
pub(crate) fn check(headers: &HeaderMap, allowed: &[String]) -> Result<Origin, Problem> {
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(Origin::Own) };
    let text = origin.to_str().unwrap_or_default();
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match welcome(text, host, allowed) {
        Some(Welcome::Own) => Ok(Origin::Own),
        Some(why) => {
            let (origin, by_name) = (origin.clone(), why == Welcome::Named);
            Ok(Origin::Allowed(Box::new(Allowed { origin, by_name })))
        }
        None => Err(Problem::forbidden_origin(text)),
    }
}

impl Origin {
    /// Whether a request may use what the browser sends of its user by itself, such as a password
    /// that was typed once: not on behalf of another site's page, unless that is allowed by name.
    /// Scripts, pictures and links name no origin, but browsers say where they come from (W3C Fetch
    /// Metadata, `Sec-Fetch-Site`).
    pub(crate) fn may_act(&self, headers: &HeaderMap) -> bool {
        match self {
            Origin::Allowed(allowed) => allowed.by_name,
            Origin::Own if headers.contains_key(header::ORIGIN) => true,
            Origin::Own => {
                let site = headers.get("sec-fetch-site").map(HeaderValue::as_bytes);
                !matches!(site, Some(b"cross-site" | b"same-site"))
            }
        }
    }

    /// Adds to an answer what lets a page of another origin read it.
    pub(crate) fn mark(&self, response: &mut Response) {
        // Answers differ by origin, also the one that a page of our own gets.
        response.headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Origin::Allowed(allowed) = self {
            let Allowed { origin, by_name } = &**allowed;
            response.headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            response.headers.insert(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("Tidings-Position, Tidings-Gap, ETag, Retry-After"),
            );
            // Where all pages are let in, none may act in its user's name (Fetch section 3.3.5).
            if *by_name {
                response.headers.insert(
                    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                    HeaderValue::from_static("true"),
                );
            }
        }
    }
}

/// The answer to `OPTIONS`: what may be done, and to a preflight that it may be.
pub(crate) fn options(request: &HeaderMap, methods: &'static str) -> Response {
    let mut response = Response::new(StatusCode::NO_CONTENT).with(header::ALLOW, methods);
    if request.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD) {
        let mut set = |name: HeaderName, value| {
            response.headers.insert(name, value);
        };
        set(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(methods));
        set(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        // Header names mean nothing here beyond what they are read for, so all are fine.
        if let Some(wanted) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            set(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(origin: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static("tidings.example:8080"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        headers
    }

    #[test]
    fn only_known_origins_are_served() {
        let allowed = ["https://app.example".to_owned()];
        for (origin, served) in [
            (None, true),
            (Some("http://tidings.example:8080"), true),
            (Some("https://app.example"), true),
            (Some("https://app.example.evil.example"), false),
            (Some("null"), false),
            (Some("file://"), false),
        ] {
            assert_eq!(check(&headers(origin), &allowed).is_ok(), served, "{origin:?}");
        }
    }

    #[test]
    fn what_browsers_send_by_themselves_is_not_for_other_sites() {
        let may_act = |origin, site: Option<&'static str>| {
            let allowed = ["*".to_owned(), "https://app.example".to_owned()];
            let mut headers = headers(origin);
            let site = site.map(HeaderValue::from_static);
            headers.extend(site.map(|s| (HeaderName::from_static("sec-fetch-site"), s)));
            check(&headers, &allowed).unwrap().may_act(&headers)
        };
        for (origin, site, expected) in [
            (None, None, true),
            (None, Some("none"), true),
            (None, Some("same-origin"), true),
            (None, Some("same-site"), false),
            (None, Some("cross-site"), false),
            (Some("http://tidings.example:8080"), Some("same-origin"), true),
            (Some("https://app.example"), Some("cross-site"), true),
            (Some("https://any.example"), Some("cross-site"), false),
        ] {
            assert_eq!(may_act(origin, site), expected, "{origin:?} {site:?}");
        }
    }

    #[test]
    fn credentials_are_for_origins_that_were_named() {
        let credentials = |origin, allowed: &[&str]| {
            let allowed: Vec<String> = allowed.iter().map(|&entry| entry.to_owned()).collect();
            let mut response = Response::default();
            check(&headers(Some(origin)), &allowed).unwrap().mark(&mut response);
            assert_ne!(response.headers.get(header::ACCESS_CONTROL_ALLOW_ORIGIN).unwrap(), "*");
            response.headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS)
        };
        let app = "https://app.example";
        assert!(credentials(app, &[app]));
        assert!(credentials(app, &["*", app]));
        assert!(!credentials(app, &["*"]));
        assert!(!credentials("https://any.example", &["*", app]));
    }
}
