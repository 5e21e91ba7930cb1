//! Durable sessions from outside: what a client wishes of one, and what is done with it over HTTP.
//! Must never read a session: that is a visit's part.

use serde_json::{Value, json};

use crate::http::Response;
use crate::reader::Via;
use crate::server::Server;
use crate::until;

/// What a connection asks for that is to be a session; the same on every transport.
#[derive(Clone, Debug)]
pub struct Wish {
    session: String,
    topics: Vec<String>,
    more: Vec<(&'static str, String)>,
}

impl Wish {
    /// To be this session, and nothing else. A name with characters that a URL has a use for is to
    /// be percent-encoded by whoever asks over HTTP.
    pub fn new(session: &str) -> Wish {
        Wish { session: session.to_owned(), topics: Vec::new(), more: Vec::new() }
    }

    /// To read these topics.
    #[must_use]
    pub fn topics(mut self, topics: &[&str]) -> Wish {
        self.topics = topics.iter().map(|topic| (*topic).to_owned()).collect();
        self
    }

    /// With this parameter besides, such as `("since", "start")`.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Wish {
        self.more.push((name, value.to_string()));
        self
    }

    /// To acknowledge explicitly.
    #[must_use]
    pub fn explicit(self) -> Wish {
        self.with("ack", "explicit")
    }

    /// The request's target over a transport that has one.
    pub fn target(&self, via: Via) -> String {
        let topics = self.topics.iter().map(|topic| ("topic", topic));
        let more = self.more.iter().map(|(name, value)| (*name, value));
        let query = topics.chain(more).map(|(name, value)| format!("&{name}={value}"));
        let query: String = query.collect();
        format!("/t?session={}&via={}{query}", self.session, via.name())
    }

    /// The command of `tidings.v1`; the subscription's name is `s`.
    pub fn command(&self) -> Value {
        let mut command =
            json!({"do": "subscribe", "id": "s", "sub": "s", "session": self.session});
        if !self.topics.is_empty() {
            command["topics"] = json!(self.topics);
        }
        for (name, value) in &self.more {
            let number = value.parse::<u64>().ok().filter(|_| *name != "expires");
            command[*name] = number.map_or_else(|| json!(value), |number| json!(number));
        }
        command
    }

    /// The session's name.
    pub(crate) fn session(&self) -> &str {
        &self.session
    }

    /// Whether it says how long to hold an answer.
    pub(crate) fn has_wait(&self) -> bool {
        self.more.iter().any(|(name, _)| *name == "wait")
    }
}

impl Server {
    /// How a session is, which must be there.
    #[track_caller]
    pub fn session(&self, name: &str) -> Value {
        let answer = self.get(&format!("/s/{name}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()
    }

    /// Waits until a session is there and as `wanted` says.
    #[track_caller]
    pub fn await_session(&self, name: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(&format!("session {name} {what}"), || {
            let answer = self.get(&format!("/s/{name}"));
            (answer.status == 200).then(|| answer.json()).filter(&wanted)
        })
    }

    /// Waits until somebody is connected to a session, or nobody.
    #[track_caller]
    pub fn await_connected(&self, name: &str, connected: bool) -> Value {
        let what = if connected { "is connected" } else { "is left" };
        self.await_session(name, what, |session| session["connected"] == connected)
    }

    /// Acknowledges; whatever it is answered.
    #[track_caller]
    pub fn try_ack(&self, name: &str, position: &str) -> Response {
        let body = json!({ "position": position }).to_string();
        self.ask("POST", &format!("/s/{name}/ack"), &[], body.as_bytes())
    }

    /// Acknowledges, which must be possible, and gives how far the session has come.
    #[track_caller]
    pub fn ack(&self, name: &str, position: &str) -> String {
        let answer = self.try_ack(name, position);
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.json()["session"], name, "{answer:?}");
        answer.position()
    }

    /// Names of all sessions there are, in their order.
    #[track_caller]
    pub fn session_names(&self) -> Vec<String> {
        let answer = self.get("/s?limit=1000").json();
        let Some(sessions) = answer["sessions"].as_array() else { panic!("no list: {answer}") };
        let name = |session: &Value| session["session"].as_str().unwrap_or_default().to_owned();
        sessions.iter().map(name).collect()
    }
}
