//! The forever iframe: an HTML document that never ends, with a script for each message, for
//! browsers that can do nothing else.
//!
//! Its scripts hand what they hold to the page around it: by `postMessage` to the one origin that
//! the request named, or, where there is none, to that page's function `tidings`, which a browser
//! lets only a page of this server's own origin have; so Internet Explorer's `htmlfile` does it.
//! Must never let a message end its script or its string, nor let any other script run.

mod script;

use bytes::Bytes;
use http::{HeaderName, header};
use tidings_model::Encoding;
use tidings_protocol::ask::{Ask, bad_query};
use tidings_protocol::origin::{Welcome, is_origin, welcome};
use tidings_protocol::stream::{EventStream, JsonEncoder, PADDING, bytes_max, padding};
use tidings_protocol::{Mount, Problem, Request, Response, Settings, Transport};

/// The registry entry.
pub static IFRAME: Transport = Transport {
    name: "iframe",
    summary: "a document that never ends, a script for each message",
    standard: "WHATWG HTML section 9.3 (postMessage), CSP Level 3",
    // A page's address bar and an iframe accept the same.
    mount: Mount::Read(&[]),
    open: |settings| Box::new(EventStream::<Iframe>::new(settings)),
};

static EVENT: Encoding = Encoding { name: "iframe event" };
static RAW: Encoding = Encoding { name: "iframe raw" };

/// Writes scripts.
struct Iframe {
    raw: bool,
    padding: usize,
    bytes_max: usize,
    /// Whom the scripts tell.
    parent: Parent,
    /// What marks the scripts as ours, in hexadecimal.
    nonce: String,
}

/// The page around the iframe.
enum Parent {
    /// One of this server's own origin, by its function.
    Function,
    /// One of this server's own origin, named as the page knows it.
    Own(String),
    /// One of an origin that the operator allowed.
    Foreign(String),
}

impl Parent {
    fn of(request: &Request, settings: &Settings) -> Result<Parent, Problem> {
        let Some(origin) = request.query.get("origin") else { return Ok(Parent::Function) };
        if !is_origin(origin) {
            return Err(bad_query("origin", "an origin such as https://app.example"));
        }
        match welcome(origin, request.header("host"), &settings.allowed_origins) {
            Some(Welcome::Own) => Ok(Parent::Own(origin.to_owned())),
            Some(Welcome::Named | Welcome::Any) => Ok(Parent::Foreign(origin.to_owned())),
            None => Err(Problem::forbidden_origin(origin)),
        }
    }

    /// Who may have the document in a frame (CSP Level 3 section 6.4.2).
    fn ancestors(&self) -> &str {
        match self {
            Parent::Function | Parent::Own(_) => "'self'",
            Parent::Foreign(origin) => origin,
        }
    }

    /// What tells it. Old engines know no other JavaScript than of 1999.
    fn tell(&self) -> String {
        match self {
            Parent::Function => "parent.tidings(d)".to_owned(),
            Parent::Own(origin) | Parent::Foreign(origin) => {
                format!("parent.postMessage(d,\"{origin}\")")
            }
        }
    }
}

impl JsonEncoder for Iframe {
    const CONTENT_TYPE: &'static str = "text/html; charset=utf-8";
    const EVENT: &'static Encoding = &EVENT;
    const RAW: &'static Encoding = &RAW;

    fn new(request: &Request, ask: &Ask, settings: &Settings) -> Result<Iframe, Problem> {
        Ok(Iframe {
            raw: ask.raw,
            padding: padding(request, PADDING)?,
            bytes_max: bytes_max(request)?,
            parent: Parent::of(request, settings)?,
            nonce: format!("{:032x}", request.nonce),
        })
    }

    fn is_raw(&self) -> bool {
        self.raw
    }

    fn head(&self, head: Response) -> Response {
        let (nonce, ancestors) = (&self.nonce, self.parent.ancestors());
        let policy = format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; frame-ancestors {ancestors}; \
             base-uri 'none'; form-action 'none'"
        );
        head.with_text(header::CONTENT_SECURITY_POLICY, &policy)
            .with(header::REFERRER_POLICY, "no-referrer")
            .with(HeaderName::from_static("x-content-type-options"), "nosniff")
    }

    fn prelude(&self) -> Bytes {
        let Iframe { nonce, padding, parent, .. } = self;
        let (tell, padding) = (parent.tell(), " ".repeat(*padding));
        format!(
            "<!doctype html><html><head><title>Tidings</title></head><body>\n\
             <script nonce=\"{nonce}\">function t(d){{{tell}}}</script>\n{padding}\n"
        )
        .into()
    }

    fn set(json: Vec<u8>) -> Vec<u8> {
        script::string(&json)
    }

    fn wrap(&self, string: Bytes) -> Bytes {
        let mut out = Vec::with_capacity(string.len() + 64);
        out.extend_from_slice(b"<script nonce=\"");
        out.extend_from_slice(self.nonce.as_bytes());
        out.extend_from_slice(b"\">t(");
        out.extend_from_slice(&string);
        out.extend_from_slice(b")</script>\n");
        out.into()
    }

    fn bytes_max(&self) -> Option<usize> {
        Some(self.bytes_max)
    }
}
