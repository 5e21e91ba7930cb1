//! How a request finds its transport: by path, method, `via`, `Upgrade` and `Accept`.

use std::sync::Arc;

use http::StatusCode;
use tidings_protocol::{Method, Mount, Problem, Protocol, Request, Settings, Transport, ask};

use crate::gate::Gate;
use crate::piggyback::Piggyback;

/// Every transport there is, and what they need to know.
#[derive(Clone)]
pub struct Registry {
    transports: &'static [&'static Transport],
    settings: Arc<Settings>,
    gate: Gate,
}

/// Where a request belongs.
#[derive(Debug)]
pub enum Route {
    /// A plain exchange with this transport.
    Exchange(&'static Transport),
    /// A WebSocket with this transport, and the subprotocol to confirm.
    Socket(&'static Transport, Option<&'static str>),
    /// `OPTIONS`: these methods are allowed.
    Options(&'static str),
    /// Only these methods are allowed.
    NotAllowed(&'static str),
    /// Not a transport's: the server's own pages may have it.
    Elsewhere,
}

/// What may be done with a topic's URL.
const TOPIC_METHODS: &str = "GET, HEAD, POST, OPTIONS";

/// What may be done with a socket's URL.
const SOCKET_METHODS: &str = "GET, OPTIONS";

impl Registry {
    /// These transports; the first that reads serves whoever asks for nothing special.
    pub fn new(transports: &'static [&'static Transport], settings: Settings) -> Registry {
        Registry { transports, settings: Arc::new(settings), gate: Gate::default() }
    }

    /// The same for who enters by `gate`; without one it is open.
    #[must_use]
    pub fn behind(mut self, gate: Gate) -> Registry {
        Arc::make_mut(&mut self.settings).access = gate.access().cloned();
        self.gate = gate;
        self
    }

    /// Where credentials are looked at.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// Every transport, in order.
    pub fn transports(&self) -> &'static [&'static Transport] {
        self.transports
    }

    /// A machine of a transport. Answers that are not what is read can take events along.
    pub fn open(&self, transport: &Transport) -> Box<dyn Protocol> {
        let machine = (transport.open)(&self.settings);
        match transport.mount {
            Mount::Publish | Mount::Under { .. } => Box::new(Piggyback::new(machine)),
            _ => machine,
        }
    }

    /// Finds the transport a request is for.
    pub fn route(&self, request: &Request) -> Result<Route, Problem> {
        let path = request.path.as_deref().unwrap_or(ask::TOPICS_PATH);
        let rest = path.strip_prefix(ask::TOPICS_PATH);
        if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return self.route_topic(request);
        }
        for transport in self.transports {
            let Mount::Under { path: mounted, methods } = transport.mount else { continue };
            let rest = path.strip_prefix(mounted);
            if rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
                return Ok(match request.method {
                    Method::OPTIONS => Route::Options(methods),
                    _ => Route::Exchange(transport),
                });
            }
        }
        let is_socket = |mount| matches!(mount, Mount::Socket { path: p, .. } if p == path);
        if self.transports.iter().any(|transport| is_socket(transport.mount)) {
            return self.route_socket(request, path);
        }
        Ok(Route::Elsewhere)
    }

    fn route_topic(&self, request: &Request) -> Result<Route, Problem> {
        match request.method {
            Method::OPTIONS => Ok(Route::Options(TOPIC_METHODS)),
            Method::POST => self.route_publish(request).map(Route::Exchange),
            Method::GET | Method::HEAD => self.route_read(request),
            _ => Ok(Route::NotAllowed(TOPIC_METHODS)),
        }
    }

    fn route_publish(&self, request: &Request) -> Result<&'static Transport, Problem> {
        let via = request.query.get("via");
        let form = self
            .transports
            .iter()
            .copied()
            .find(|transport| transport.mount == Mount::Form && via == Some(transport.name));
        form.map_or_else(|| self.find(|mount| mount == Mount::Publish), Ok)
    }

    fn route_read(&self, request: &Request) -> Result<Route, Problem> {
        let upgrade = wants_websocket(request);
        if let Some(via) = request.query.get("via") {
            let found = self.readers().find(|transport| transport.name == via);
            return match found {
                None => Err(self.unknown_via(via)),
                Some(transport) if transport.mount != Mount::TopicSocket => {
                    Ok(Route::Exchange(transport))
                }
                Some(transport) if upgrade => Ok(Route::Socket(transport, None)),
                Some(_) => Err(not_a_websocket()),
            };
        }
        if upgrade {
            return Ok(Route::Socket(self.find(|mount| mount == Mount::TopicSocket)?, None));
        }
        // The lines of a list are one list (RFC 9110 section 5.3).
        let lines = request.headers.get_all("accept").iter();
        let accept: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
        let accept = accept.join(",");
        let read = self.by_media_type(&accept);
        match read {
            Some((transport, quality)) if !prefers_page(&accept, quality) => {
                // Waiting is what tells a long poll from a poll; streams wait anyway.
                if request.query.get("wait").is_some() && self.is_default(transport) {
                    return self.find(|mount| mount == Mount::ReadHeld).map(Route::Exchange);
                }
                Ok(Route::Exchange(transport))
            }
            _ => Ok(Route::Elsewhere),
        }
    }

    fn route_socket(&self, request: &Request, path: &str) -> Result<Route, Problem> {
        match request.method {
            Method::OPTIONS => return Ok(Route::Options(SOCKET_METHODS)),
            Method::GET => {}
            _ => return Ok(Route::NotAllowed(SOCKET_METHODS)),
        }
        if !wants_websocket(request) {
            return Err(not_a_websocket());
        }
        let offered = request.headers.get_all("sec-websocket-protocol");
        let offered: Vec<&str> = offered
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect();
        for transport in self.transports {
            let Mount::Socket { path: p, subprotocol, .. } = transport.mount else { continue };
            if p == path && (offered.is_empty() || offered.contains(&subprotocol)) {
                let confirmed = (!offered.is_empty()).then_some(subprotocol);
                return Ok(Route::Socket(transport, confirmed));
            }
        }
        Err(Problem::bad(
            "bad_upgrade",
            format!("none of these subprotocols is spoken here: {}", offered.join(", ")),
            "offer tidings.v1, or none",
        ))
    }

    /// The transport whose media type `accept` likes best, and how much (RFC 9110 section 12.5.1).
    fn by_media_type(&self, accept: &str) -> Option<(&'static Transport, f32)> {
        let mut best: Option<(&'static Transport, f32)> = None;
        for &transport in self.transports {
            let Mount::Read(types) = transport.mount else { continue };
            for media_type in types {
                let quality = if accept.is_empty() { 1.0 } else { quality(accept, media_type) };
                // On a draw the earlier transport stays.
                if quality > best.map_or(0.0, |(_, most)| most) {
                    best = Some((transport, quality));
                }
            }
        }
        // Whoever accepts nothing that is read here still gets the plainest answer there is.
        best.or_else(|| self.find(|m| matches!(m, Mount::Read(_))).ok().map(|t| (t, 0.0)))
    }

    fn is_default(&self, transport: &Transport) -> bool {
        self.find(|mount| matches!(mount, Mount::Read(_)))
            .is_ok_and(|first| std::ptr::eq(first, transport))
    }

    /// The transports that read a topic's URL.
    fn readers(&self) -> impl Iterator<Item = &'static Transport> {
        self.transports.iter().copied().filter(|transport| {
            matches!(
                transport.mount,
                Mount::Read(_) | Mount::ReadHeld | Mount::Form | Mount::TopicSocket
            )
        })
    }

    fn find(&self, wanted: impl Fn(Mount) -> bool) -> Result<&'static Transport, Problem> {
        self.transports.iter().copied().find(|transport| wanted(transport.mount)).ok_or_else(|| {
            Problem::new(StatusCode::NOT_FOUND, "not_found", "no transport does this", "see /")
        })
    }

    fn unknown_via(&self, via: &str) -> Problem {
        let names: Vec<&str> = self.readers().map(|transport| transport.name).collect();
        let message = format!("`{via}` is no transport; there are {}", names.join(", "));
        Problem::bad("unknown_via", message, "leave via out to be served by your Accept header")
    }
}

/// Whether a request asks to become a WebSocket (RFC 6455 section 4.2.1).
fn wants_websocket(request: &Request) -> bool {
    request.header("upgrade").is_some_and(|upgrade| {
        upgrade.split(',').any(|token| token.trim().eq_ignore_ascii_case("websocket"))
    })
}

/// Whether the reader would rather have the page: a browser's address bar.
fn prefers_page(accept: &str, quality_of_data: f32) -> bool {
    let names_html = accept.to_ascii_lowercase().contains("text/html");
    names_html && quality(accept, "text/html") > quality_of_data
}

/// How much `accept` likes a media type: the quality of the most specific range that matches.
pub(crate) fn quality(accept: &str, media_type: &str) -> f32 {
    let main = media_type.split('/').next().unwrap_or_default();
    let mut best = (0, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let specific = match name.as_str() {
            "*/*" => 1,
            name if name == media_type => 3,
            name if name.strip_suffix("/*") == Some(main) => 2,
            _ => continue,
        };
        let quality = parts
            .find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
            .and_then(|text| text.parse().ok())
            .unwrap_or(1.0);
        if specific > best.0 {
            best = (specific, quality);
        }
    }
    best.1
}

fn not_a_websocket() -> Problem {
    Problem::new(
        StatusCode::UPGRADE_REQUIRED,
        "bad_upgrade",
        "this URL speaks WebSocket only",
        "connect with a WebSocket client",
    )
}
