//! The machine of one form that was sent: its text becomes a message, and the browser is sent back
//! to the page. Must never answer before the log has said that the message is stored.

use http::{StatusCode, header};
use tidings_model::{EventType, Headers, Manner, Message, Time};
use tidings_protocol::{
    Input, Output, Outputs, Problem, Protocol, Query, Request, Response, Ticket, ask, content,
};

use crate::html;
use crate::view::View;

/// The media type of a form (WHATWG URL section 5).
const FORM: &str = "application/x-www-form-urlencoded";

/// The form's one field.
pub(crate) const FIELD: &str = "data";

/// One form.
#[derive(Default)]
pub(crate) struct Form {
    view: View,
}

impl Form {
    fn opened(&mut self, request: &Request, now: Time) -> Result<Output, Problem> {
        self.view = View::parse(request)?;
        let topic = ask::topic(request)?;
        if request.header("content-type").map(content::essence).as_deref() != Some(FORM) {
            let message = format!("the content type is not {FORM}");
            return Err(Problem::bad("bad_request", message, "send the page's form"));
        }
        let fields = Query::parse(&String::from_utf8_lossy(&request.body));
        // A form's line breaks are CRLF, whatever was typed.
        let text = fields.get(FIELD).unwrap_or_default().replace("\r\n", "\n");
        if text.trim().is_empty() {
            return Err(Problem::bad("bad_request", "there is no text", "go back and write some"));
        }
        let message = Message {
            topic,
            payload: text.into(),
            content_type: content::TEXT.into(),
            event_type: EventType::MESSAGE,
            headers: Headers::default(),
            from: None,
            key: None,
            time: now,
            expires: None,
            manner: Manner::default(),
        };
        Ok(Output::Publish(Ticket(0), vec![message], None))
    }

    fn see_other(&self) -> Response {
        Response::new(StatusCode::SEE_OTHER)
            .with_text(header::LOCATION, &self.view.plain())
            .with(header::CACHE_CONTROL, "no-store")
    }
}

impl Protocol for Form {
    fn handle(&mut self, input: Input<'_>, now: Time, out: &mut Outputs) {
        match input {
            Input::Opened(request) => out.push(match self.opened(request, now) {
                Ok(output) => output,
                Err(problem) => Output::Respond(html::problem(&problem)),
            }),
            Input::Published(_, Ok(_)) => out.push(Output::Respond(self.see_other())),
            Input::Published(_, Err(refusal)) => {
                out.push(Output::Respond(html::problem(&Problem::from(&refusal))));
            }
            // A publish that is under way finishes, also when the server closes.
            _ => {}
        }
    }
}
