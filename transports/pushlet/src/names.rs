//! Names: of sessions, subscriptions, and subjects; and what they are called here.

use std::fmt::Write as _;
use std::time::Duration;

use sha1::{Digest, Sha1};
use tidings_model::{SessionName, SessionOptions, Topic, TopicFilter};
use tidings_protocol::{Problem, ask};

use crate::format::Format;

/// How long a session is kept of which nothing is heard: what the protocol's own server has.
const EXPIRY: Duration = Duration::from_secs(5 * 60);

/// Most subjects that one request may name.
const SUBJECTS_MAX: usize = 64;

/// Where messages to one client go.
const INBOX: &str = "pushlet/inbox";

/// A session's id (`p_id`): a letter for its format, and a number that nobody can guess. Whoever
/// knows it is the session, so it is never told to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Id(String);

impl Id {
    /// A new one.
    pub(crate) fn new(format: Format, nonce: u128) -> Id {
        let letter = match format {
            Format::Script => 'j',
            Format::Xml => 'x',
            Format::XmlStrict => 's',
        };
        Id(format!("{letter}{nonce:032x}"))
    }

    /// Checks one that a client says.
    pub(crate) fn parse(text: &str) -> Option<Id> {
        let digits = text.strip_prefix(['j', 'x', 's'])?;
        let is_id =
            digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_id.then(|| Id(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The form that the session's answers have.
    pub(crate) fn format(&self) -> Format {
        match self.0.as_bytes().first() {
            Some(b'x') => Format::Xml,
            Some(b's') => Format::XmlStrict,
            _ => Format::Script,
        }
    }

    /// What others are told of the session (`p_from`), and may answer to (`p_to`): it does not
    /// lead back to the id.
    pub(crate) fn alias(&self) -> String {
        let hash = Sha1::new().chain_update("pushlet ").chain_update(&self.0).finalize();
        hash.iter().take(10).fold("f".to_owned(), |mut alias, byte| {
            let _ = write!(alias, "{byte:02x}");
            alias
        })
    }

    /// The session that this is.
    pub(crate) fn session(&self) -> Result<SessionName, Problem> {
        ask::session_name(&self.0)
    }

    /// How a connection becomes it.
    pub(crate) fn options(&self) -> Result<SessionOptions, Problem> {
        Ok(SessionOptions {
            name: self.session()?,
            acks: None,
            expiry: Some(EXPIRY),
            fresh: false,
            will: None,
        })
    }

    /// What the session reads in any case: a session reads something as long as it is there.
    pub(crate) fn inbox(&self) -> Result<TopicFilter, Problem> {
        Ok(TopicFilter::from(&inbox(&self.alias())?))
    }
}

/// Where messages to one client go, by what others call it, or by its id.
pub(crate) fn inbox_of(to: &str) -> Result<Topic, Problem> {
    if let Some(id) = Id::parse(to) {
        return inbox(&id.alias());
    }
    let digits = to.strip_prefix('f').unwrap_or_default();
    if digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return inbox(to);
    }
    Err(Problem::bad("bad_request", "p_to is nobody", "answer to what p_from says"))
}

/// Whether a topic is where messages to one client go.
pub(crate) fn is_inbox(name: &str) -> bool {
    name.strip_prefix(INBOX).is_some_and(|rest| rest.starts_with('/'))
}

fn inbox(alias: &str) -> Result<Topic, Problem> {
    Ok(Topic::new(&format!("{INBOX}/{alias}"))?)
}

/// The topic that a subject names: `/stocks/aex` is `stocks/aex`.
pub(crate) fn topic(subject: &str) -> Result<Topic, Problem> {
    Ok(Topic::new(subject.trim_matches('/'))?)
}

/// The subject that a topic is called.
pub(crate) fn subject(topic: &str) -> String {
    format!("/{topic}")
}

/// The filters of one or more subjects with commas between them: each means itself and all below it.
pub(crate) fn filters(subjects: &str) -> Result<Vec<TopicFilter>, Problem> {
    let subjects: Vec<&str> = subjects.split(',').take(SUBJECTS_MAX + 1).collect();
    if subjects.len() > SUBJECTS_MAX {
        return Err(ask::too_many_topics(subjects.len()));
    }
    subjects.into_iter().map(filter).collect()
}

fn filter(subject: &str) -> Result<TopicFilter, Problem> {
    let subject = subject.trim_matches(' ');
    if subject == "/" {
        return Ok(TopicFilter::new("**")?);
    }
    // A subject has no wildcards; what looks like one is a name that no topic can have.
    let topic = topic(subject)?;
    Ok(TopicFilter::new(&format!("{topic}/**"))?)
}

/// What a subscription is called (`p_sid`): the same name for the same subject, so that nothing has to
/// be remembered.
pub(crate) fn sid(filter: &TopicFilter) -> String {
    let hash = filter.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// The subject that a subscription is to.
pub(crate) fn subject_of(filter: &TopicFilter) -> String {
    subject(filter.as_str().trim_end_matches("**").trim_end_matches('/'))
}

/// What several subscriptions are called.
pub(crate) fn sids(filters: &[TopicFilter]) -> String {
    filters.iter().map(sid).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_say_their_format_and_their_alias_does_not_say_them() {
        for format in [Format::Script, Format::Xml, Format::XmlStrict] {
            let id = Id::new(format, 7);
            assert_eq!(Id::parse(id.as_str()), Some(id.clone()));
            assert_eq!(id.format(), format);
            assert!(!id.alias().contains(&id.as_str()[1..]) && id.alias().len() == 21);
            assert_eq!(inbox_of(&id.alias()).unwrap(), inbox_of(id.as_str()).unwrap());
        }
        assert_ne!(Id::new(Format::Xml, 1).alias(), Id::new(Format::Xml, 2).alias());
        let long = "x".repeat(34);
        for text in ["", "x", "billing", &long, &format!("x{:032X}", 0xa), &format!("y{:032x}", 1)]
        {
            assert_eq!(Id::parse(text), None, "{text}");
        }
    }

    #[test]
    fn subjects_are_topics_and_what_is_below_them() {
        let filters = |text: &str| {
            filters(text).map(|filters| {
                filters.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            })
        };
        assert_eq!(filters("/stocks/aex").unwrap(), "stocks/aex/**");
        assert_eq!(filters("stocks/, /a").unwrap(), "stocks/** a/**");
        assert_eq!(filters("/").unwrap(), "**");
        for text in ["", "/a,", "/a//b", "/*", "/a\n", "/../a"] {
            assert_eq!(filters(text).unwrap_err().error, "bad_topic", "{text:?}");
        }
        assert_eq!(filters(&"/a,".repeat(65)).unwrap_err().error, "too_many_topics");
        assert_eq!(subject(topic("/a/b/").unwrap().as_str()), "/a/b");
    }
}
