//! The forms that answers have: scripts in a page, one XML document, or many.

use std::time::Duration;

use http::{HeaderName, StatusCode, header};
use tidings_protocol::Response;

use crate::fields::Fields;

/// The form of a session's answers (`p_format`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// `js`: a page in a frame, whose scripts call `parent.push`.
    Script,
    /// `xml`: one document after the other.
    Xml,
    /// `xml-strict`: one document.
    XmlStrict,
}

impl Format {
    /// By its name in the protocol. Serialized Java objects (`ser`) are not spoken here.
    pub(crate) fn named(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    const ALL: [Format; 3] = [Format::Script, Format::Xml, Format::XmlStrict];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Format::Script => "js",
            Format::Xml => "xml",
            Format::XmlStrict => "xml-strict",
        }
    }

    /// The head of every answer.
    pub(crate) fn head(self) -> Response {
        let response = Response::new(StatusCode::OK)
            .with(header::CACHE_CONTROL, "no-store, no-transform")
            .with(header::PRAGMA, "no-cache")
            .with(HeaderName::from_static("x-accel-buffering"), "no")
            .with(HeaderName::from_static("x-content-type-options"), "nosniff");
        match self {
            Format::Script => response
                .with(header::CONTENT_TYPE, "text/html;charset=UTF-8")
                // Its scripts are its own, and it is a frame of pages of this server.
                .with(
                    header::CONTENT_SECURITY_POLICY,
                    "default-src 'none'; script-src 'unsafe-inline'; frame-ancestors 'self'",
                ),
            Format::Xml => response.with(header::CONTENT_TYPE, "text/plain;charset=UTF-8"),
            Format::XmlStrict => response.with(header::CONTENT_TYPE, "text/xml;charset=UTF-8"),
        }
    }

    /// What every answer begins with.
    pub(crate) const fn begin(self) -> &'static str {
        match self {
            Format::Script => "<html><head></head><body>\n",
            Format::Xml => "",
            Format::XmlStrict => "<pushlet>",
        }
    }

    /// What every answer ends with.
    pub(crate) const fn end(self) -> &'static str {
        match self {
            Format::Script => "</body></html>\n",
            Format::Xml => "",
            Format::XmlStrict => "</pushlet>",
        }
    }

    /// Writes an event.
    pub(crate) fn write(self, fields: &Fields, out: &mut String) {
        match self {
            Format::Script => fields.write_script(out),
            Format::Xml | Format::XmlStrict => fields.write_xml(out),
        }
    }

    /// Tells the client to ask again at `url`, which holds nothing that a string or an attribute ends with, after
    /// `wait`. A frame does so by itself.
    pub(crate) fn write_refresh(self, url: &str, wait: Duration, out: &mut String) {
        let millis = wait.as_millis();
        match self {
            // No text that is evaluated: the policy of the page forbids that.
            Format::Script => out.push_str(&format!(
                "<script language=\"JavaScript\">setTimeout(function(){{document.location.href='{url}'}}, {millis});</script>\n"
            )),
            Format::Xml | Format::XmlStrict => {
                let fields = Fields::new("refresh").with("p_wait", millis).with("p_url", url);
                self.write(&fields, out);
            }
        }
    }

    /// A whole answer of one event.
    pub(crate) fn answer(self, fields: &Fields) -> Response {
        let mut body = self.begin().to_owned();
        self.write(fields, &mut body);
        body += self.end();
        let mut response = self.head();
        response.body = body.into();
        response
    }
}
