//! The machine of one request about sessions.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tidings_model::{Manage, Managed, Position, SessionInfo, SessionName};
use tidings_protocol::{
    Input, Output, Outputs, Problem, Protocol, Request, Response, Ticket, ask, event, json_response,
};

/// Where sessions hang in the URL space.
pub(crate) const PATH: &str = "/s";

/// Sessions in one list, when the client names no limit, and the most it may name.
const LIST_DEFAULT: usize = 100;
const LIST_MAX: usize = 1000;

/// Longest body of an acknowledgement, in bytes: a position and what is around it.
const BODY_MAX: usize = 1024;

/// One request.
#[derive(Default)]
pub(crate) struct Exchange {
    /// The session it is about.
    name: Option<SessionName>,
}

impl Exchange {
    fn opened(&mut self, request: &Request) -> Result<Output, Problem> {
        let path = request.path.as_deref().unwrap_or(PATH);
        let rest = path.strip_prefix(PATH).unwrap_or_default().trim_start_matches('/');
        let (name, action) = rest.split_once('/').unwrap_or((rest, ""));
        let method = &request.method;
        let reads = matches!(*method, Method::GET | Method::HEAD);
        if name.is_empty() {
            return if reads {
                list(request).map(order)
            } else {
                not_allowed("GET, HEAD, OPTIONS")
            };
        }
        let name = ask::session_name(name)?;
        self.name = Some(name.clone());
        match action {
            "" if reads => Ok(order(Manage::Show(name))),
            "" if method == Method::DELETE => Ok(order(Manage::Delete(name))),
            "" => not_allowed("GET, HEAD, DELETE, OPTIONS"),
            "ack" if method == Method::POST => Ok(order(Manage::Ack(name, position(request)?))),
            "ack" => not_allowed("POST, OPTIONS"),
            _ => Err(Problem::new(
                StatusCode::NOT_FOUND,
                "not_found",
                "there is nothing here",
                "a session is at /s/NAME, its acknowledgements go to /s/NAME/ack",
            )),
        }
    }

    fn managed(&self, managed: &Managed) -> Response {
        match managed {
            Managed::Deleted | Managed::Kept => Response::new(StatusCode::NO_CONTENT),
            Managed::Session(session) => line(&shown(session)),
            Managed::List(sessions, more) => {
                let list: Vec<Value> = sessions.iter().map(shown).collect();
                let mut body = json!({ "sessions": list });
                if let (true, Some(last)) = (*more, sessions.last()) {
                    body["next"] = last.name.as_str().into();
                }
                line(&body)
            }
            Managed::Acked(position) => {
                let name = self.name.as_ref().map(SessionName::as_str);
                line(&json!({ "session": name, "position": position.to_string() }))
            }
        }
    }
}

impl Protocol for Exchange {
    fn handle(&mut self, input: Input<'_>, _: tidings_model::Time, out: &mut Outputs) {
        match input {
            Input::Opened(request) => out.push(match self.opened(request) {
                Ok(output) => output,
                Err(problem) => Output::Respond(problem.to_response()),
            }),
            Input::Managed(_, Ok(managed)) => out.push(Output::Respond(self.managed(&managed))),
            Input::Managed(_, Err(refusal)) => {
                out.push(Output::Respond(Problem::from(&refusal).to_response()));
            }
            // What is under way finishes, also when the server closes.
            _ => {}
        }
    }
}

fn order(manage: Manage) -> Output {
    Output::Manage(Ticket(0), manage)
}

fn not_allowed(allowed: &'static str) -> Result<Output, Problem> {
    Ok(Output::Respond(Problem::method_not_allowed(allowed)))
}

fn list(request: &Request) -> Result<Manage, Problem> {
    let most = match request.query.get("limit").map(str::parse) {
        None => LIST_DEFAULT,
        Some(Ok(most)) if (1..=LIST_MAX).contains(&most) => most,
        Some(_) => {
            let message = format!("limit must be a number from 1 to {LIST_MAX}");
            return Err(Problem::bad("bad_query", message, "ask for the rest with after=NAME"));
        }
    };
    let after = request.query.get("after").map(ask::session_name).transpose()?;
    Ok(Manage::List(after, most))
}

/// The position that is acknowledged: in the query, or as the body, alone or in JSON.
fn position(request: &Request) -> Result<Position, Problem> {
    let body = std::str::from_utf8(&request.body).unwrap_or_default().trim();
    let json: Option<Value> = (body.starts_with('{') && body.len() <= BODY_MAX)
        .then(|| serde_json::from_str(body).ok())
        .flatten();
    let in_json = json.as_ref().and_then(|json| json["position"].as_str());
    let text = request.query.get("position").or(in_json).unwrap_or(body);
    text.parse().map_err(|error| {
        Problem::bad(
            "bad_position",
            error,
            "send {\"position\":\"…\"} with the position of the last event you have",
        )
    })
}

fn shown(session: &SessionInfo) -> Value {
    let SessionInfo { name, filters, acks, position, expiry, connected, expires } = session;
    let topics: Vec<&str> = filters.iter().map(|filter| filter.as_str()).collect();
    let mut shown = json!({
        "session": name.as_str(),
        "topics": topics,
        "ack": acks.as_str(),
        "position": position.to_string(),
        "connected": connected,
        "keptSeconds": expiry.as_secs(),
    });
    if let Some(expires) = expires {
        shown["expires"] = event::rfc3339(*expires).into();
    }
    shown
}

fn line(body: &Value) -> Response {
    json_response(StatusCode::OK, format!("{body}\n"))
}
