//! The machine of one request: by its method it reads or publishes.

use std::sync::Arc;

use http::{HeaderName, StatusCode, header};
use tidings_model::Time;
use tidings_protocol::poll::Poll;
use tidings_protocol::{
    Input, Method, Output, Outputs, Problem, Protocol, Request, Response, Settings,
};

use crate::form::Form;
use crate::html::{Html, problem};

/// How the page looks. It is a part of its own, so that the policy can forbid whatever is inline.
const STYLE: &str = include_str!("page.css");

/// One request.
pub(crate) enum Exchange {
    /// It has not come yet.
    New(Arc<Settings>),
    /// It reads.
    Read(Box<Poll<Html>>),
    /// It publishes.
    Publish(Form),
    /// It was answered at once.
    Done,
}

impl Exchange {
    pub(crate) fn new(settings: &Arc<Settings>) -> Exchange {
        Exchange::New(Arc::clone(settings))
    }

    /// Becomes what the request needs.
    fn open(&mut self, request: &Request, out: &mut Outputs) {
        let Exchange::New(settings) = self else { return };
        *self = match request.query.get("part") {
            _ if request.method == Method::POST => Exchange::Publish(Form::default()),
            None => Exchange::Read(Box::new(Poll::new(settings, Html::new(settings)))),
            Some("style") => {
                out.push(Output::Respond(style()));
                Exchange::Done
            }
            Some(_) => {
                let unknown =
                    Problem::bad("bad_query", "part must be style", "leave it out for the page");
                out.push(Output::Respond(problem(&unknown)));
                Exchange::Done
            }
        };
    }
}

impl Protocol for Exchange {
    fn handle(&mut self, input: Input<'_>, now: Time, out: &mut Outputs) {
        if let Input::Opened(request) = &input {
            self.open(request, out);
        }
        match self {
            Exchange::Read(poll) => poll.handle(input, now, out),
            Exchange::Publish(form) => form.handle(input, now, out),
            Exchange::New(_) | Exchange::Done => {}
        }
    }
}

fn style() -> Response {
    Response::new(StatusCode::OK)
        .with_body("text/css; charset=utf-8", STYLE)
        // Its address changes with the version.
        .with(header::CACHE_CONTROL, "public, max-age=3600")
        .with(HeaderName::from_static("x-content-type-options"), "nosniff")
}
