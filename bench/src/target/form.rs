//! The form of a target's description: how to start it, and how to speak with it.
//!
//! Must never do either.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A description.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Form {
    /// One line: what it is.
    pub(crate) about: String,
    /// Debian packages that bring it.
    #[serde(default)]
    pub(crate) packages: Vec<String>,
    /// npm packages that bring it, with their versions; they are found in `{npm}`.
    #[serde(default)]
    pub(crate) npm: Vec<String>,
    /// Python packages that bring it, with their versions; an environment with them is at `{pypi}`.
    #[serde(default)]
    pub(crate) pypi: Vec<String>,
    /// The command that says its version.
    #[serde(default)]
    pub(crate) version: Vec<String>,
    /// Commands that prepare the folder of a run.
    #[serde(default)]
    pub(crate) prepare: Vec<Vec<String>>,
    /// The command that runs it, in the foreground.
    pub(crate) command: Vec<String>,
    /// Files to put into the folder of a run.
    #[serde(default)]
    pub(crate) files: BTreeMap<String, String>,
    /// The file in the folder of a run with the certificate to believe, where TLS is spoken.
    pub(crate) certificate: Option<String>,
    /// In what ways it can be run, such as with and without a disk.
    pub(crate) modes: BTreeMap<String, Mode>,
    /// How to listen to it, by the names of our own transports.
    #[serde(default)]
    pub(crate) subscribe: BTreeMap<String, Subscribe>,
    /// How to publish to it.
    pub(crate) publish: Publish,
}

/// What a mode adds.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mode {
    /// More arguments.
    #[serde(default)]
    pub(crate) arguments: Vec<String>,
    /// More environment.
    #[serde(default)]
    pub(crate) environment: BTreeMap<String, String>,
    /// How to publish to it, where that differs.
    pub(crate) publish: Option<Publish>,
}

/// Where a subscriber begins: what stands for `{from}` in its target.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct From {
    /// With what comes from now on.
    #[serde(default)]
    pub(crate) now: String,
    /// With everything there is; none if that cannot be had.
    pub(crate) start: Option<String>,
    /// Behind `{cursor}`; none if that cannot be had.
    pub(crate) cursor: Option<String>,
    /// What stands before and behind the newest cursor in what is read.
    pub(crate) found_between: Option<(String, String)>,
}

/// How to listen.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "carrier", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Subscribe {
    /// An HTTP answer that does not end.
    Stream {
        /// What is asked for.
        target: String,
        /// Header fields of the request.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// What is read when it has begun; left out: the answer's head.
        ready: Option<String>,
        /// Where it begins.
        #[serde(default)]
        from: From,
    },
    /// A WebSocket.
    Websocket {
        /// What is asked for.
        target: String,
        /// Header fields of the request.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// Text frames to send first, of `{topic}` or `{topic_segment}`.
        #[serde(default)]
        first: Vec<String>,
        /// What is read when it has begun; left out: the answer's head.
        ready: Option<String>,
        /// Where it begins.
        #[serde(default)]
        from: From,
    },
    /// HTTP requests that are each answered with what is new.
    Poll {
        /// What is asked for first, to have a cursor; left out: the same.
        first: Option<String>,
        /// What is asked for.
        target: String,
        /// Header fields of the request.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// The header field of the answer that is the next `{cursor}`.
        cursor: String,
        /// Whether the server holds the request until there is something.
        held: bool,
    },
    /// Bytes of its own kind.
    Tcp {
        /// What to send first.
        first: String,
        /// What is read when it has begun.
        ready: String,
    },
    /// MQTT 3.1.1, with quality of service 0.
    Mqtt {},
}

/// How to publish.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "carrier", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Publish {
    /// A POST for each message, answered before the next.
    Http {
        /// What is posted to.
        target: String,
        /// Header fields of the request.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// More header fields when each line is a message; left out: batches cannot be had.
        batch: Option<BTreeMap<String, String>>,
    },
    /// Text frames on a WebSocket.
    Websocket {
        /// What is asked for.
        target: String,
        /// Text frames to send first.
        #[serde(default)]
        first: Vec<String>,
        /// What is read when it has begun; left out: the answer's head.
        ready: Option<String>,
        /// The frame, of `{topic}`, `{topic_segment}`, `{length}` and `{payload}`.
        message: String,
    },
    /// Bytes of its own kind.
    Tcp {
        /// What to send first.
        #[serde(default)]
        first: String,
        /// What is read when it has begun; left out: nothing is waited for.
        ready: Option<String>,
        /// The bytes, of `{topic}`, `{length}` and `{payload}`.
        message: String,
        /// What stands in each answer once; left out: there is none.
        answer: Option<String>,
        /// What stands in the answer to a message that was refused.
        refusal: Option<String>,
    },
    /// MQTT 3.1.1.
    Mqtt {
        /// The quality of service: 0 or 1.
        qos: u8,
    },
    /// A prepared INSERT for each message, with the PostgreSQL protocol, version 3.
    Postgres {
        /// The user, who must need no password.
        user: String,
        /// The database.
        database: String,
        /// The statement; `$1` is the topic, `$2` the payload.
        statement: String,
    },
}

impl Form {
    /// Reads one.
    ///
    /// # Errors
    /// When it is not of this form.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Form> {
        Ok(toml::from_str(text)?)
    }

    /// The mode that is meant when none is named.
    pub(crate) fn usual_mode(&self, wanted: &str) -> Option<String> {
        self.modes.get_key_value(wanted).or(self.modes.iter().next()).map(|(name, _)| name.clone())
    }
}

/// Puts values in place of `{name}`s.
pub(crate) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let mut text = text.to_owned();
    for (name, value) in values {
        let place = ["{", name, "}"].concat();
        if text.contains(&place) {
            text = text.replace(&place, value);
        }
    }
    text
}

/// A topic as one segment of a path: what stands for `{topic_segment}`.
pub(crate) fn as_segment(topic: &str) -> String {
    topic.replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_named_places_are_filled() {
        let filled = fill("{a} {b} {{a}}", &[("a", "1"), ("c", "2")]);
        assert_eq!(filled, "1 {b} {1}");
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        let text = "about = ''\ncommand = []\nodd = 1\n[modes.x]\n[publish]\ncarrier = 'http'\ntarget = ''";
        assert!(Form::parse(text).unwrap_err().to_string().contains("odd"));
        assert!(Form::parse(&text.replace("odd = 1\n", "")).is_ok());
    }
}
