//! One request: by its event it is about a session, or a data channel.

use std::sync::Arc;

use http::StatusCode;
use tidings_model::{Exposure, Since, Slow, Time};
use tidings_model::{SubscribeOptions, TopicFilter};
use tidings_protocol::{
    Input, Method, Output, Outputs, Problem, Protocol, Request, Settings, SubId,
};

use crate::control::Control;
use crate::listen::Listen;
use crate::names::Id;

/// Where it hangs in the URL space, and the one address that clients know below it.
pub(crate) const PATH: &str = "/pushlet";
const SERVLET: &str = "/pushlet/pushlet.srv";

/// What may be done there. Its clients publish by `GET`, too.
pub(crate) const METHODS: &str = "GET, OPTIONS";

/// The one subscription of a machine.
pub(crate) const SUB: SubId = SubId(0);

/// One request.
pub(crate) enum Exchange {
    /// It has not come yet.
    New(Arc<Settings>),
    /// It does something with a session, and is answered at once.
    Control(Box<Control>),
    /// It reads.
    Listen(Box<Listen>),
    /// It was refused.
    Done,
}

impl Exchange {
    pub(crate) fn new(settings: &Arc<Settings>) -> Exchange {
        Exchange::New(Arc::clone(settings))
    }

    /// The machine that a request needs.
    fn machine(&self, request: &Request) -> Result<Exchange, Problem> {
        let Exchange::New(settings) = self else { return Ok(Exchange::Done) };
        if request.path.as_deref() != Some(SERVLET) {
            let hint = "Pushlet clients speak to /pushlet/pushlet.srv";
            return Err(Problem::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "there is nothing here",
                hint,
            ));
        }
        match request.query.get("p_event") {
            None => Err(bad("no p_event is given")),
            Some("join-listen" | "listen" | "refresh") => {
                Ok(Exchange::Listen(Box::new(Listen::new(settings, request)?)))
            }
            Some(event) => Ok(Exchange::Control(Box::new(Control::new(event, request)?))),
        }
    }
}

impl Protocol for Exchange {
    fn handle(&mut self, input: Input<'_>, now: Time, out: &mut Outputs) {
        if let (Exchange::New(_), Input::Opened(request)) = (&*self, &input) {
            if request.method != Method::GET {
                *self = Exchange::Done;
                return out.push(Output::Respond(Problem::method_not_allowed(METHODS)));
            }
            *self = self.machine(request).unwrap_or_else(|problem| {
                out.push(Output::Respond(problem.to_response()));
                Exchange::Done
            });
        }
        match self {
            Exchange::Control(control) => control.handle(input, now, out),
            Exchange::Listen(listen) => listen.handle(input, now, out),
            Exchange::New(_) | Exchange::Done => {}
        }
    }
}

/// The session that a request says it is.
pub(crate) fn id(request: &Request) -> Result<Id, Problem> {
    let text = request.query.get("p_id").ok_or_else(|| bad("no p_id is given"))?;
    Id::parse(text).ok_or_else(|| bad("p_id is not one that a join was answered with"))
}

/// A subscription that is a session, from where it was; without filters it reads what it did.
pub(crate) fn options(id: &Id, filters: Vec<TopicFilter>) -> Result<SubscribeOptions, Problem> {
    Ok(SubscribeOptions {
        filters,
        since: None,
        otherwise: Since::Now,
        slow: Slow::Gap,
        window: None,
        limit: None,
        session: Some(id.options()?),
        share: None,
        exposure: Exposure::Private,
    })
}

/// A request that no client of this protocol makes.
pub(crate) fn bad(message: impl ToString) -> Problem {
    Problem::bad("bad_request", message, "see the guide on Pushlets")
}
