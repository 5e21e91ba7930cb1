//! What a page's address says: how many messages, how often it refreshes, and what its reader has
//! seen. Everything a later page has to know stands in the links that are made here.

use std::time::Duration;

use tidings_protocol::{Problem, Request, Settings, encode_query};

/// What a page's address says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    /// The topics, where they do not stand in the path.
    topics: Vec<String>,
    /// How many messages, when the reader says so.
    last: Option<String>,
    /// Whether to skip what a newer message replaces.
    is_conflated: bool,
    /// How often to refresh while there is news, when the reader says so.
    every: Option<Duration>,
    /// Whether the page stays as it is, so that nothing is lost of what its reader types.
    pub(crate) is_still: bool,
    /// How long the page before was shown,
    shown: Option<Duration>,
    /// and the newest message it had.
    seen: Option<String>,
}

impl View {
    /// Reads an address.
    pub(crate) fn parse(request: &Request) -> Result<View, Problem> {
        let query = &request.query;
        let seconds = |name: &str| match query.get(name).map(str::parse) {
            None => Ok(None),
            Some(Ok(seconds)) => Ok(Some(seconds)),
            Some(Err(_)) => Err(bad(name, "a number of seconds")),
        };
        Ok(View {
            topics: query.all("topic").map(str::to_owned).collect(),
            last: query.get("last").map(str::to_owned),
            is_conflated: query.get("slow") == Some("latest"),
            every: seconds("refresh")?.map(Duration::from_secs),
            is_still: query.get("still").is_some(),
            shown: seconds("shown")?.map(Duration::from_secs),
            seen: query.get("seen").map(str::to_owned),
        })
    }

    /// How long this page is to be shown, `newest` being its newest message: as the reader
    /// wishes while there is news, and twice as long each time that there is none, within the
    /// operator's bounds. Nothing when it stays as it is.
    pub(crate) fn interval(&self, settings: &Settings, newest: &str) -> Option<Duration> {
        let (least, most) = (settings.poll_min, settings.poll_max.max(settings.poll_min));
        let least = self.every.unwrap_or(settings.refresh).clamp(least, most);
        let is_idle = self.seen.as_deref() == Some(newest);
        let shown = self.shown.filter(|_| is_idle).unwrap_or_default();
        (!self.is_still).then(|| shown.saturating_mul(2).clamp(least, most))
    }

    /// The address that a page refreshes to which is shown for `interval`.
    pub(crate) fn next(&self, interval: Duration, newest: &str) -> String {
        format!("{}&shown={}&seen={}", self.plain(), interval.as_secs(), encode_query(newest))
    }

    /// The address of the same page that stays as it is, with the form.
    pub(crate) fn still(&self) -> String {
        self.plain() + "&still"
    }

    /// The address of the same page, seen for the first time.
    ///
    /// Relative to the page itself, so that it also holds behind a proxy that adds to the path.
    pub(crate) fn plain(&self) -> String {
        let mut link = "?via=page".to_owned();
        for topic in &self.topics {
            link += &format!("&topic={}", encode_query(topic));
        }
        if let Some(last) = &self.last {
            link += &format!("&last={}", encode_query(last));
        }
        if self.is_conflated {
            link += "&slow=latest";
        }
        if let Some(every) = self.every {
            link += &format!("&refresh={}", every.as_secs());
        }
        link
    }
}

pub(crate) fn bad(name: &str, right: &str) -> Problem {
    Problem::bad("bad_query", format!("{name} must be {right}"), "see the guide on the page")
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use http::{HeaderMap, Method};

    fn view(query: &str) -> View {
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        View::parse(&Request::new(Method::GET, "/t/a", Some(query), headers, body)).unwrap()
    }

    fn interval(query: &str) -> Option<u64> {
        Some(view(query).interval(&Settings::default(), "new")?.as_secs())
    }

    #[test]
    fn the_interval_grows_while_nothing_is_new() {
        for (query, expected) in [
            ("", 5),
            ("shown=5&seen=old", 5),
            ("shown=5&seen=new", 10),
            ("shown=10&seen=new", 20),
            ("shown=40&seen=new", 60),
            ("shown=60&seen=new", 60),
            ("refresh=7", 7),
            ("refresh=7&shown=7&seen=new", 14),
            ("refresh=0", 1),
            ("refresh=100000", 60),
            ("shown=18446744073709551615&seen=new", 60),
        ] {
            assert_eq!(interval(query), Some(expected), "{query}");
        }
        assert_eq!(interval("still&shown=5&seen=new"), None);
    }

    #[test]
    fn links_carry_what_the_reader_chose_and_nothing_else() {
        let next = |query| view(query).next(Duration::from_secs(10), "EQ-_");
        assert_eq!(next("via=page"), "?via=page&shown=10&seen=EQ-_");
        assert_eq!(
            next("topic=a/b&topic=c%26d&last=5&slow=latest&refresh=3&x=%22%3E&shown=1&seen=%22"),
            "?via=page&topic=a/b&topic=c%26d&last=5&slow=latest&refresh=3&shown=10&seen=EQ-_"
        );
        assert_eq!(view("refresh=3&shown=6").still(), "?via=page&refresh=3&still");
        assert_eq!(view("refresh=3&still").plain(), "?via=page&refresh=3");
    }
}
