//! Errors as peers see them: a status, a word for programs, a sentence and a hint for people.

use http::{StatusCode, header};
use serde_json::json;
use tidings_access::Denied;
use tidings_model::{FilterError, Refusal, TopicError};

use crate::request::{Response, json_response};

/// One thing that is wrong with what a peer sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status, also the `code` of commands.
    pub status: StatusCode,
    /// A word that programs can compare.
    pub error: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: &'static str,
}

impl Problem {
    /// A problem of any kind.
    pub fn new(
        status: StatusCode,
        error: &'static str,
        message: impl ToString,
        hint: &'static str,
    ) -> Problem {
        Problem { status, error, message: message.to_string(), hint }
    }

    /// A request that cannot be understood: status 400.
    pub fn bad(error: &'static str, message: impl ToString, hint: &'static str) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, error, message, hint)
    }

    /// A page of this origin is not welcome: status 403.
    pub fn forbidden_origin(origin: &str) -> Problem {
        Problem::new(
            StatusCode::FORBIDDEN,
            "forbidden_origin",
            format!("pages of {origin} may not use this server"),
            "have the operator add the origin to http.allowed_origins",
        )
    }

    /// The answer to a method that a URL does not take (RFC 9110 section 15.5.6).
    pub fn method_not_allowed(allowed: &'static str) -> Response {
        let message = format!("only these methods work here: {allowed}");
        let hint = "use one of them; OPTIONS says them too";
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", message, hint)
            .to_response()
            .with(header::ALLOW, allowed)
    }

    /// The parts for a JSON object: `error`, `message`, `hint`.
    pub fn json(&self) -> serde_json::Map<String, serde_json::Value> {
        let mut object = serde_json::Map::new();
        object.insert("error".to_owned(), json!(self.error));
        object.insert("message".to_owned(), json!(self.message));
        object.insert("hint".to_owned(), json!(self.hint));
        object
    }

    /// The problem as an HTTP answer: one line of JSON.
    pub fn to_response(&self) -> Response {
        let mut body = serde_json::Value::Object(self.json()).to_string();
        body.push('\n');
        let response = json_response(self.status, body);
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => response.with(header::RETRY_AFTER, "2"),
            // What would be right (RFC 9110 section 15.5.22, RFC 6455 section 4.4).
            StatusCode::UPGRADE_REQUIRED => response
                .with(header::CONNECTION, "upgrade")
                .with(header::UPGRADE, "websocket")
                .with(header::SEC_WEBSOCKET_VERSION, "13"),
            _ => response,
        }
    }
}

impl From<TopicError> for Problem {
    fn from(error: TopicError) -> Problem {
        let hint = match error {
            TopicError::Wildcard => "publish to one topic; wildcards are for reading",
            _ => "a topic is levels of text with one `/` between them, such as chat/room1",
        };
        Problem::bad("bad_topic", error, hint)
    }
}

impl From<FilterError> for Problem {
    fn from(error: FilterError) -> Problem {
        match error {
            FilterError::Levels(error) => error.into(),
            error => Problem::bad(
                "bad_topic",
                error,
                "`*` stands for one whole level, `**` at the end for all the rest",
            ),
        }
    }
}

impl From<&Denied> for Problem {
    fn from(denied: &Denied) -> Problem {
        let (status, error, hint) = match denied {
            Denied::Missing => (
                StatusCode::UNAUTHORIZED,
                "unauthorized",
                "send Authorization, or token= in the query where no header can be set",
            ),
            Denied::Wrong => (StatusCode::UNAUTHORIZED, "unauthorized", "check both"),
            Denied::Token(_) => (StatusCode::UNAUTHORIZED, "unauthorized", "get another token"),
            Denied::Expired => (StatusCode::UNAUTHORIZED, "expired", "get a new token"),
            Denied::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", "try again in a moment"),
        };
        Problem::new(status, error, denied, hint)
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Problem {
        let (status, error, hint) = match refusal {
            Refusal::PublishForbidden(_) => (
                403,
                "forbidden",
                "names with `$` are the server's own; the operator decides the rest",
            ),
            Refusal::SubscribeForbidden(_) => {
                (403, "forbidden", "the operator decides what may be read, and by whom")
            }
            Refusal::ScriptForbidden(_) => (
                403,
                "forbidden",
                "the operator has to set jsonp = true for their namespace, since any page may load a script",
            ),
            Refusal::PositionAhead => {
                (400, "bad_position", "use a position this server gave you, or since=start or now")
            }
            Refusal::MessageTooLarge(..) => {
                (413, "too_large", "send less, or have the operator raise limits.message_bytes")
            }
            Refusal::BatchTooLong(..) => (413, "too_large", "send the batch in several requests"),
            Refusal::IdempotencyKeyReused => {
                (422, "idempotency_key_reused", "use a new key for every new message")
            }
            Refusal::TooManySubscriptions(_) => {
                (400, "too_many_topics", "put more topics into one subscription, or use wildcards")
            }
            Refusal::TooManyTopics(_) => {
                (507, "too_many_topics_stored", "have the operator raise limits.topics")
            }
            Refusal::SessionUnknown(_) => {
                (404, "session_unknown", "name topics to begin it, or see GET /s")
            }
            Refusal::SessionForbidden(_) => (403, "forbidden", "use a name of your own"),
            Refusal::TooManySessions(_) => (
                507,
                "too_many_sessions",
                "delete some, or have the operator raise limits.sessions",
            ),
            Refusal::PositionForeign => {
                (400, "bad_position", "acknowledge a position that this session was sent")
            }
            Refusal::LogFailed(_) => (507, "log_full", "nothing was stored; try again later"),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
        Problem::new(status, error, refusal, hint)
    }
}
