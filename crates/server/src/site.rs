//! The server's own pages: the front page, a topic as a page, and health.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use http::{HeaderName, StatusCode, header};
use serde_json::json;
use tidings_net::{Site, Stats};
use tidings_protocol::{Method, Problem, Request, Response, encode_query, json_response};

/// A file of the page, built into the binary.
struct File {
    path: &'static str,
    content_type: &'static str,
    content: &'static [u8],
}

const PAGE: File =
    File { path: "/", content_type: "text/html; charset=utf-8", content: PAGE_HTML.as_bytes() };

const PAGE_HTML: &str = include_str!("../../../web/index.html");

/// Where the page of a topic sends browsers without JavaScript elsewhere.
const WITHOUT: &str = "<!--without-->";

/// What may be done with a page.
const METHODS: &str = "GET, HEAD, OPTIONS";

const SCRIPT: &str = "text/javascript; charset=utf-8";

const FILES: [File; 4] = [
    File {
        path: "/page.css",
        content_type: "text/css; charset=utf-8",
        content: include_bytes!("../../../web/page.css"),
    },
    File {
        path: "/page.js",
        content_type: SCRIPT,
        content: include_bytes!("../../../web/page.js"),
    },
    File {
        path: "/cards.js",
        content_type: SCRIPT,
        content: include_bytes!("../../../web/cards.js"),
    },
    File {
        path: "/readers.js",
        content_type: SCRIPT,
        content: include_bytes!("../../../web/readers.js"),
    },
];

/// Nothing from elsewhere, nothing inline, no frames around it.
const POLICY: &str = "default-src 'self'; img-src 'self' data:; connect-src 'self' ws: wss:; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The site. `ready` says whether new clients are welcome.
pub(crate) fn site(stats: Arc<Stats>, ready: Arc<AtomicBool>) -> Site {
    Arc::new(move |request| answer(request, &stats, &ready))
}

fn answer(request: &Request, stats: &Stats, ready: &AtomicBool) -> Option<Response> {
    let path = request.path.as_deref()?;
    let is_page = path == PAGE.path || path == "/t" || path.starts_with("/t/");
    let known = is_page
        || matches!(path, "/healthz" | "/readyz")
        || FILES.iter().any(|file| file.path == path);
    match request.method {
        Method::GET | Method::HEAD => {}
        Method::OPTIONS if known => {
            let allowed = Response::new(StatusCode::NO_CONTENT);
            return Some(allowed.with(header::ALLOW, METHODS));
        }
        _ if known => return Some(Problem::method_not_allowed(METHODS)),
        _ => return None,
    }
    match path {
        "/healthz" => Some(health(StatusCode::OK, "ok", stats)),
        "/readyz" if ready.load(Ordering::Relaxed) => Some(health(StatusCode::OK, "ready", stats)),
        "/readyz" => Some(health(StatusCode::SERVICE_UNAVAILABLE, "shutting down", stats)),
        _ if is_page && path != PAGE.path => Some(topic_page(request)),
        _ if is_page => Some(serve_file(&PAGE)),
        _ => FILES.iter().find(|file| file.path == path).map(serve_file),
    }
}

/// The page of what a request names, which leads browsers without JavaScript to one that needs none.
fn topic_page(request: &Request) -> Response {
    let mut link = format!("?via={}", tidings_page::PAGE.name);
    for topic in request.query.all("topic") {
        link += &format!("&amp;topic={}", encode_query(topic));
    }
    let refresh = format!("<meta http-equiv=\"refresh\" content=\"0; url={link}\">");
    let page = PAGE_HTML.replacen(WITHOUT, &format!("<noscript>{refresh}</noscript>"), 1);
    let mut response = serve_file(&PAGE);
    response.body = page.into();
    response
}

fn serve_file(file: &File) -> Response {
    Response::new(StatusCode::OK)
        .with_body(file.content_type, Bytes::from_static(file.content))
        // The page belongs to the binary: after an update the old one must not linger.
        .with(header::CACHE_CONTROL, "no-cache")
        .with(header::VARY, "Accept")
        .with(header::CONTENT_SECURITY_POLICY, POLICY)
        .with(header::REFERRER_POLICY, "no-referrer")
        .with(HeaderName::from_static("x-content-type-options"), "nosniff")
}

fn health(status: StatusCode, word: &str, stats: &Stats) -> Response {
    let mut body = json!({
        "status": word,
        "version": env!("CARGO_PKG_VERSION"),
        "connections": stats.connections(),
        "streams": stats.streams(),
        "accepted": stats.accepted(),
        "refused": stats.refused(),
        "handshakes": stats.handshakes(),
        "handshakes_resumed": stats.resumed(),
        "handshakes_failed": stats.handshakes_failed(),
    })
    .to_string();
    body.push('\n');
    json_response(status, body)
}
