//! Topic names and filters of MQTT as those of the house, and back: the only place where `+` and
//! `#` are read.
//!
//! MQTT lets a level be empty, be `.` or `..`, and hold `*`; topics here do not, since they are
//! URLs. Such a level is escaped: an empty one is `%00`, and `.` and `*` are `%2E` and `%2A`.

use std::borrow::Cow;
use std::fmt::Write as _;

use tidings_model::{FilterError, Topic, TopicError, TopicFilter};

/// What a level is escaped to that says nothing.
const EMPTY: &str = "%00";

/// The topic of a name that the codec has found to be valid.
///
/// # Errors
/// It is longer or deeper than topics may be, or holds a control character.
pub(crate) fn topic(name: &str) -> Result<Topic, TopicError> {
    if !name.contains('%')
        && let Ok(topic) = Topic::new(name)
    {
        return Ok(topic);
    }
    Topic::new(&levels(name, |_| None))
}

/// The filter of a topic filter that the codec has found to be valid.
///
/// # Errors
/// As [`topic`].
pub(crate) fn filter(text: &str) -> Result<TopicFilter, FilterError> {
    TopicFilter::new(&levels(text, |level| match level {
        "+" => Some("*"),
        "#" => Some("**"),
        _ => None,
    }))
}

/// The name that MQTT has for a topic.
pub(crate) fn name(topic: &Topic) -> Cow<'_, str> {
    let text = topic.as_str();
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let levels = text.split('/').map(|level| match level {
        EMPTY => Cow::Borrowed(""),
        "%2E" => Cow::Borrowed("."),
        "%2E%2E" => Cow::Borrowed(".."),
        level => Cow::Owned(level.replace("%2A", "*").replace("%25", "%")),
    });
    Cow::Owned(levels.collect::<Vec<_>>().join("/"))
}

fn levels(text: &str, wildcard: impl Fn(&str) -> Option<&'static str>) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for (index, level) in text.split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        match (level, wildcard(level)) {
            (_, Some(wildcard)) => out.push_str(wildcard),
            ("", _) => out.push_str(EMPTY),
            (".", _) => out.push_str("%2E"),
            ("..", _) => out.push_str("%2E%2E"),
            (level, None) => escape(level, &mut out),
        }
    }
    out
}

/// Escapes what a level may not hold, and what would look as if it had been escaped.
fn escape(level: &str, out: &mut String) {
    for (at, character) in level.char_indices() {
        let looks_escaped = || {
            let rest = &level[at + 1..];
            rest.starts_with("2A")
                || rest.starts_with("25")
                || matches!(level, EMPTY | "%2E" | "%2E%2E")
        };
        match character {
            '*' => out.push_str("%2A"),
            '%' if looks_escaped() => out.push_str("%25"),
            character => {
                // Writing to a string cannot fail.
                let _ = out.write_char(character);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_names_stay_and_odd_ones_are_escaped() {
        for (name, topic_is) in [
            ("a/b", "a/b"),
            ("/a", "%00/a"),
            ("a//", "a/%00/%00"),
            ("./..", "%2E/%2E%2E"),
            ("a*b", "a%2Ab"),
            ("100%", "100%"),
            ("a%2Ab", "a%252Ab"),
            ("%00", "%2500"),
            ("$SYS/x", "$SYS/x"),
        ] {
            let topic = topic(name).unwrap();
            assert_eq!(topic.as_str(), topic_is);
            assert_eq!(super::name(&topic), name);
        }
    }

    #[test]
    fn wildcards_match_as_the_standard_has_it() {
        // Sections 4.7.1.2, 4.7.1.3 and 4.7.2.
        for (filter, name, matches) in [
            ("sport/tennis/player1/#", "sport/tennis/player1", true),
            ("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true),
            ("sport/#", "sport", true),
            ("sport/tennis/+", "sport/tennis/player1/ranking", false),
            ("sport/+", "sport", false),
            ("sport/+", "sport/", true),
            ("+/+", "/finance", true),
            ("/+", "/finance", true),
            ("+", "/finance", false),
            ("#", "$SYS/monitor", false),
            ("+/monitor/Clients", "$SYS/monitor/Clients", false),
            ("$SYS/#", "$SYS/monitor", true),
            ("#", "/", true),
            ("a*", "ab", false),
            ("a*", "a*", true),
        ] {
            let matched = super::filter(filter).unwrap().matches(&topic(name).unwrap());
            assert_eq!(matched, matches, "{filter} {name}");
        }
    }

    proptest! {
        #[test]
        fn every_name_comes_back(name in "[a-c%./*025AE]{1,24}") {
            let topic = topic(&name).unwrap();
            prop_assert_eq!(super::name(&topic), name);
        }
    }
}
