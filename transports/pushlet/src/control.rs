//! Requests that do something with a session: join, leave, subscribe, unsubscribe, publish, and
//! heartbeat. Must never acknowledge what is not stored.

use tidings_model::{Manage, Managed, Message, SessionInfo, Time, TopicFilter};
use tidings_protocol::ask::all_or_nothing;
use tidings_protocol::{Input, Output, Outputs, Problem, Protocol, Request, Ticket};

use crate::data;
use crate::exchange::{SUB, bad, id, options};
use crate::fields::Fields;
use crate::format::Format;
use crate::names::{self, Id, sid, sids};

/// Longest label that is repeated, in bytes.
const LABEL_MAX: usize = 128;

/// One such request.
pub(crate) struct Control {
    id: Id,
    action: Action,
    /// Whether the session is known to be there.
    is_known: bool,
}

enum Action {
    Join,
    Leave,
    Heartbeat,
    Publish(Option<Result<Message, Problem>>),
    Subscribe {
        subject: Option<String>,
        label: Option<String>,
    },
    Unsubscribe {
        sids: Option<String>,
    },
    /// What is answered once the session has changed.
    Answer(Fields),
}

impl Control {
    pub(crate) fn new(event: &str, request: &Request) -> Result<Control, Problem> {
        let query = &request.query;
        let text = |name: &str| query.get(name).map(str::to_owned);
        let action = match event {
            "join" => {
                let id = Id::new(format(request)?, request.nonce);
                return Ok(Control { id, action: Action::Join, is_known: false });
            }
            "leave" => Action::Leave,
            "hb" => Action::Heartbeat,
            "publish" => Action::Publish(None),
            "subscribe" => Action::Subscribe { subject: text("p_subject"), label: label(request)? },
            "unsubscribe" => Action::Unsubscribe { sids: text("p_sid") },
            _ => return Err(bad("this p_event is not one that clients send")),
        };
        Ok(Control { id: id(request)?, action, is_known: false })
    }

    fn opened(&mut self, request: &Request, now: Time) -> Result<Output, Problem> {
        if matches!(self.action, Action::Join) {
            return Ok(Output::Subscribe(SUB, options(&self.id, vec![self.id.inbox()?])?));
        }
        if let Action::Publish(message) = &mut self.action {
            *message = Some(data::message(&self.id, &request.query, now));
        }
        Ok(Output::Manage(Ticket(0), Manage::Show(self.id.session()?)))
    }

    /// The session is there: does what is asked of it.
    fn act(&mut self, session: &SessionInfo) -> Result<Output, Problem> {
        self.is_known = true;
        let (filters, fields) = match &mut self.action {
            Action::Leave => {
                return Ok(Output::Manage(Ticket(0), Manage::Delete(self.id.session()?)));
            }
            Action::Publish(message) => {
                // Whoever only publishes is there, too. Nobody is taken anything who listens.
                if !session.connected {
                    return Ok(Output::Subscribe(SUB, options(&self.id, Vec::new())?));
                }
                return publish(message);
            }
            Action::Heartbeat if session.connected => {
                return Ok(Output::Respond(self.id.format().answer(&Fields::new("hb-ack"))));
            }
            Action::Heartbeat => (Vec::new(), Fields::new("hb-ack")),
            Action::Subscribe { subject, label } => {
                let subject = subject.take().ok_or_else(|| bad("no subject provided"))?;
                let more = names::filters(&subject)?;
                let fields = Fields::new("subscribe-ack")
                    .with("p_id", self.id.as_str())
                    .with("p_subject", subject)
                    .with("p_sid", sids(&more))
                    .with_some("p_label", label.take());
                (joined(&session.filters, more)?, fields)
            }
            Action::Unsubscribe { sids } => left(&self.id, session, sids.as_deref())?,
            Action::Join | Action::Answer(_) => return Err(bad("this is no request")),
        };
        self.action = Action::Answer(fields);
        Ok(Output::Subscribe(SUB, options(&self.id, filters)?))
    }

    /// The session has changed, or was only touched.
    fn changed(&mut self) -> Result<Output, Problem> {
        let format = self.id.format();
        let fields = match &mut self.action {
            Action::Publish(message) => return publish(message),
            Action::Answer(fields) => fields.clone(),
            _ => Fields::new("join-ack")
                .with("p_id", self.id.as_str())
                .with("p_format", format.name()),
        };
        Ok(Output::Respond(format.answer(&fields)))
    }

    fn answer(&self, kind: &str) -> Output {
        let fields = Fields::new(kind).with("p_id", self.id.as_str());
        Output::Respond(self.id.format().answer(&fields))
    }

    /// An error: of the request as such with a status, later in the protocol's own words.
    fn refuse(&self, problem: &Problem) -> Output {
        if !self.is_known {
            return Output::Respond(problem.to_response());
        }
        Output::Respond(self.id.format().answer(&nack(&self.id, problem)))
    }
}

impl Protocol for Control {
    fn handle(&mut self, input: Input<'_>, now: Time, out: &mut Outputs) {
        let next = match input {
            Input::Opened(request) => self.opened(request, now),
            Input::Managed(_, Ok(Managed::Session(session))) => self.act(&session),
            Input::Managed(_, Ok(_)) => Ok(self.answer("leave-ack")),
            Input::Published(_, Ok(_)) => Ok(self.answer("publish-ack")),
            Input::Managed(_, Err(refusal)) | Input::Published(_, Err(refusal)) => {
                Err((&refusal).into())
            }
            Input::Subscribed(_, Ok(_), []) => {
                out.push(Output::Unsubscribe(SUB));
                self.changed()
            }
            Input::Subscribed(_, result, refused) => {
                Err(all_or_nothing(result, refused).err().unwrap_or_else(|| bad("it was refused")))
            }
            // What is under way finishes, also when the server closes.
            _ => return,
        };
        out.push(next.unwrap_or_else(|problem| self.refuse(&problem)));
    }
}

/// The format that a client that joins asks for.
pub(crate) fn format(request: &Request) -> Result<Format, Problem> {
    let name = request.query.get("p_format").unwrap_or("js");
    Format::named(name).ok_or_else(|| {
        let hint = "have the client ask for js, xml or xml-strict";
        Problem::bad("bad_request", "p_format is not one that is spoken here", hint)
    })
}

/// The label that a client wants to be told again.
pub(crate) fn label(request: &Request) -> Result<Option<String>, Problem> {
    match request.query.get("p_label") {
        Some(label) if label.len() > LABEL_MAX => {
            Err(bad(format!("p_label is longer than {LABEL_MAX} bytes")))
        }
        label => Ok(label.map(str::to_owned)),
    }
}

/// An error in the protocol's own words.
pub(crate) fn nack(id: &Id, problem: &Problem) -> Fields {
    Fields::new("nack").with("p_id", id.as_str()).with("p_reason", &problem.message)
}

/// What a session reads that subscribes to more.
pub(crate) fn joined(
    before: &[TopicFilter],
    more: Vec<TopicFilter>,
) -> Result<Vec<TopicFilter>, Problem> {
    let mut all = before.to_vec();
    for filter in more {
        if !all.contains(&filter) {
            all.push(filter);
        }
    }
    if all.len() > tidings_model::limits::SELECTION_MAX {
        return Err(tidings_protocol::ask::too_many_topics(all.len()));
    }
    Ok(all)
}

/// What a session reads that unsubscribes from some or all, and what it is answered.
fn left(
    id: &Id,
    session: &SessionInfo,
    wanted: Option<&str>,
) -> Result<(Vec<TopicFilter>, Fields), Problem> {
    let fields = Fields::new("unsubscribe-ack").with("p_id", id.as_str());
    let Some(wanted) = wanted else { return Ok((vec![id.inbox()?], fields)) };
    let is_wanted = |filter: &TopicFilter| wanted.split(',').any(|text| text == sid(filter));
    let (gone, rest): (Vec<_>, Vec<_>) = session.filters.iter().cloned().partition(is_wanted);
    if gone.is_empty() {
        return Err(bad(format!("no subscription for sid={wanted}")));
    }
    let subjects: Vec<String> = gone.iter().map(names::subject_of).collect();
    let fields = fields.with("p_sid", wanted).with("p_subject", subjects.join(","));
    // A session always reads something.
    Ok((joined(&[id.inbox()?], rest)?, fields))
}

fn publish(message: &mut Option<Result<Message, Problem>>) -> Result<Output, Problem> {
    let message = message.take().unwrap_or_else(|| Err(bad("there is nothing to publish")))?;
    Ok(Output::Publish(Ticket(0), vec![message], None))
}
