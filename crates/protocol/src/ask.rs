//! What a reader asks for: topics, where to begin, how much. The same on every transport.

use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::{SignedDuration, Span};
use tidings_model::{
    AckMode, Exposure, Position, Refusal, SessionName, SessionOptions, Since, Slow,
    SubscribeOptions, Topic, TopicFilter, limits,
};

use crate::machine::{Output, SubId};
use crate::problem::Problem;
use crate::request::Request;

/// Where topics hang in the URL space.
pub const TOPICS_PATH: &str = "/t";

/// Most events in one JSON answer, and the most `last=` reaches back.
pub const EVENTS_MAX: u32 = 1000;

/// A reader's wishes, from a URL's path and query and a few headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    /// What to read; at least one.
    pub filters: Vec<TopicFilter>,
    /// Where to begin, when the reader says so.
    pub since: Option<Since>,
    /// Whether to skip what a newer message replaces.
    pub slow: Slow,
    /// The most events wanted.
    pub limit: Option<u32>,
    /// How long to hold a request that finds nothing.
    pub wait: Option<Duration>,
    /// Payloads alone instead of the event form.
    pub raw: bool,
    /// The durable session that the reader wants to be.
    pub session: Option<SessionOptions>,
    /// Who can read along. Not the reader's to choose: a transport knows what its answers are.
    pub exposure: Exposure,
}

impl Ask {
    /// Reads the wishes out of a request.
    pub fn parse(request: &Request) -> Result<Ask, Problem> {
        let query = &request.query;
        let session = session(query.get("session"), query.get("ack"), query.get("expires"))?;
        Ok(Ask {
            filters: filters(request, session.is_some())?,
            session,
            exposure: Exposure::Private,
            // A browser repeats the URL of its first request whenever it comes back, and says
            // beside it how far it has come since: so that goes before `since` and `last`.
            since: match request.last_event_id() {
                Some(position) => since(Some(position), None)?,
                None => since(query.get("since"), query.get("last"))?,
            },
            slow: slow(query.get("slow"))?,
            limit: query
                .get("limit")
                .map(|text| number("limit", text, 1..=EVENTS_MAX))
                .transpose()?,
            wait: query.get("wait").map(wait).transpose()?,
            raw: match query.get("data") {
                None => false,
                Some("raw") => true,
                Some(_) => return Err(bad_query("data", "raw")),
            },
        })
    }

    /// The output that begins to read; `otherwise` is where, when the reader did not say.
    pub fn subscribe(&mut self, sub: SubId, otherwise: Since) -> Output {
        let options = SubscribeOptions {
            filters: std::mem::take(&mut self.filters),
            since: self.since,
            otherwise,
            slow: self.slow,
            window: None,
            limit: self.limit,
            session: self.session.take(),
            share: None,
            exposure: self.exposure,
        };
        Output::Subscribe(sub, options)
    }
}

/// The filters a request's URL names: `/t/{filter}`, or `/t?topic=…&topic=…`. A session that is
/// there may be asked for without.
fn filters(request: &Request, in_session: bool) -> Result<Vec<TopicFilter>, Problem> {
    if let Some(name) = topic_of(request)? {
        return Ok(vec![TopicFilter::new(name)?]);
    }
    let filters =
        request.query.all("topic").map(TopicFilter::new).collect::<Result<Vec<_>, _>>()?;
    match filters.len() {
        0 if in_session => Ok(filters),
        0 => Err(Problem::bad(
            "bad_topic",
            "no topic is named",
            "ask for /t/TOPIC, or /t?topic=A&topic=B",
        )),
        n if n > limits::SELECTION_MAX => Err(too_many_topics(n)),
        _ => Ok(filters),
    }
}

/// The one topic a request publishes to.
pub fn topic(request: &Request) -> Result<Topic, Problem> {
    match topic_of(request)? {
        Some(name) => Ok(Topic::new(name)?),
        None => Err(Problem::bad("bad_topic", "no topic is named", "publish to /t/TOPIC")),
    }
}

/// What stands behind `/t/`, or nothing when the path is `/t` itself.
fn topic_of(request: &Request) -> Result<Option<&str>, Problem> {
    let path = request.path.as_deref().ok_or_else(|| {
        Problem::bad("bad_topic", "the path is not UTF-8", "percent-encode the topic as UTF-8")
    })?;
    Ok(path.strip_prefix(TOPICS_PATH).and_then(|rest| rest.strip_prefix('/')))
}

/// `since` and `last`, as text; both at once are refused.
pub fn since(since: Option<&str>, last: Option<&str>) -> Result<Option<Since>, Problem> {
    match (since, last) {
        (Some(_), Some(_)) => Err(Problem::bad(
            "bad_query",
            "both since and last are given",
            "say where to begin in one way only",
        )),
        (None, Some(last)) => Ok(Some(Since::Last(number("last", last, 1..=EVENTS_MAX)?))),
        (None, None) => Ok(None),
        (Some("start"), None) => Ok(Some(Since::Start)),
        (Some("now"), None) => Ok(Some(Since::Now)),
        (Some(text), None) => match text.parse() {
            Ok(position) => Ok(Some(Since::After(position))),
            Err(error) => Err(Problem::bad(
                "bad_position",
                error,
                "give back a position exactly as it came, or say start or now",
            )),
        },
    }
}

/// `session`, `ack` and `expires`, as text.
pub fn session(
    name: Option<&str>,
    acks: Option<&str>,
    expires: Option<&str>,
) -> Result<Option<SessionOptions>, Problem> {
    let Some(name) = name else {
        return match acks.or(expires) {
            None => Ok(None),
            Some(_) => Err(Problem::bad(
                "bad_query",
                "ack and expires mean nothing without a session",
                "name one: session=NAME",
            )),
        };
    };
    let acks = match acks {
        None => None,
        Some("auto") => Some(AckMode::Automatic),
        Some("explicit") => Some(AckMode::Explicit),
        Some(_) => return Err(bad_query("ack", "auto or explicit")),
    };
    let expiry = match expires.map(span) {
        None => None,
        Some(Some(expiry)) if !expiry.is_zero() => Some(expiry),
        Some(_) => return Err(bad_query("expires", "a span such as 90s, 15m, 7d")),
    };
    Ok(Some(SessionOptions { name: session_name(name)?, acks, expiry, fresh: false, will: None }))
}

/// A session's name, as text.
pub fn session_name(text: &str) -> Result<SessionName, Problem> {
    SessionName::new(text).map_err(|error| {
        let message = format!("the session's name `{text}`: {error}");
        Problem::bad("bad_session", message, "a name is 1 to 128 bytes of text without / and *")
    })
}

/// `slow`, as text.
pub fn slow(text: Option<&str>) -> Result<Slow, Problem> {
    match text {
        None | Some("gap") => Ok(Slow::Gap),
        Some("latest") => Ok(Slow::Latest),
        Some(_) => Err(bad_query("slow", "gap or latest")),
    }
}

/// A span of time: whole seconds, or such as `90s`, `15m`, `2h`.
pub fn span(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let duration = text.parse::<SignedDuration>().ok().or_else(|| {
        // Days have no fixed length to jiff unless they are said to have 24 hours.
        let span = text.parse::<Span>().ok()?;
        span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok()
    })?;
    Duration::try_from(duration).ok()
}

/// What became of a subscription where one refused topic refuses the whole request.
pub fn all_or_nothing(
    result: Result<Position, Refusal>,
    refused: &[(TopicFilter, Refusal)],
) -> Result<Position, Problem> {
    match refused.first() {
        Some((_, refusal)) => Err(refusal.into()),
        None => result.map_err(|refusal| (&refusal).into()),
    }
}

/// The problem of asking for too many topics at once.
pub fn too_many_topics(count: usize) -> Problem {
    let message =
        format!("{count} topics are named; at most {} are allowed", limits::SELECTION_MAX);
    Problem::bad("too_many_topics", message, "use wildcards, or several subscriptions")
}

fn wait(text: &str) -> Result<Duration, Problem> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=1e6).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(bad_query("wait", "a number of seconds")),
    }
}

/// A whole number within bounds, as text.
pub fn number(name: &str, text: &str, bounds: RangeInclusive<u32>) -> Result<u32, Problem> {
    match text.parse() {
        Ok(number) if bounds.contains(&number) => Ok(number),
        _ => {
            let (least, most) = bounds.into_inner();
            Err(bad_query(name, &format!("a number from {least} to {most}")))
        }
    }
}

/// The problem of a query whose value is not `right`.
pub fn bad_query(name: &str, right: &str) -> Problem {
    Problem::bad(
        "bad_query",
        format!("{name} must be {right}"),
        "see the guide on topics over HTTP",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, Method};

    fn ask(target: &str) -> Result<Ask, Problem> {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let request = Request::new(Method::GET, path, Some(query), HeaderMap::new(), Bytes::new());
        Ask::parse(&request)
    }

    #[test]
    fn what_readers_may_ask() {
        let ask = ask("/t?topic=a&topic=b/**&since=start&limit=5&wait=1.5&slow=latest&data=raw");
        let ask = ask.unwrap();
        assert_eq!(ask.filters.iter().map(TopicFilter::as_str).collect::<Vec<_>>(), ["a", "b/**"]);
        assert_eq!(ask.since, Some(Since::Start));
        assert_eq!((ask.limit, ask.wait), (Some(5), Some(Duration::from_millis(1500))));
        assert_eq!((ask.slow, ask.raw), (Slow::Latest, true));
    }

    #[test]
    fn what_was_seen_last_goes_before_where_to_begin() {
        let mark = tidings_model::Mark { epoch: 1, offset: 7 };
        let position = Position::at(tidings_model::LogKind::Durable, mark);
        let since = |query: &str| ask(&format!("/t/a?{query}")).unwrap().since;
        let seen = format!("since=start&lastEventId={position}");
        assert_eq!(since(&seen), Some(Since::After(position)));
        assert_eq!(since("since=start&lastEventId="), Some(Since::Start));
        assert!(ask("/t/a?since=start&lastEventId=nonsense").is_err());
    }

    #[test]
    fn what_they_may_not() {
        for (target, error) in [
            ("/t", "bad_topic"),
            ("/t/", "bad_topic"),
            ("/t/a//b", "bad_topic"),
            ("/t/%ff", "bad_topic"),
            ("/t/a%0Ab", "bad_topic"),
            ("/t/a?since=yesterday", "bad_position"),
            ("/t/a?since=now&last=1", "bad_query"),
            ("/t/a?last=0", "bad_query"),
            ("/t/a?limit=1001", "bad_query"),
            ("/t/a?wait=-1", "bad_query"),
            ("/t/a?wait=NaN", "bad_query"),
            ("/t/a?slow=very", "bad_query"),
            ("/t/a?data=cooked", "bad_query"),
        ] {
            assert_eq!(ask(target).unwrap_err().error, error, "{target}");
        }
        let many = format!("/t?{}", "topic=a&".repeat(limits::SELECTION_MAX + 1));
        assert_eq!(ask(&many).unwrap_err().error, "too_many_topics");
    }

    #[test]
    fn spans() {
        for (text, seconds) in
            [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("7d", 604_800)]
        {
            assert_eq!(span(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "-5", "-5s", "soon", "1 fortnight"] {
            assert_eq!(span(text), None, "{text}");
        }
    }
}
