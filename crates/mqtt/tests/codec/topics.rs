//! Topic names, topic filters and shared subscriptions (sections 4.7 and 4.8), with the examples of
//! the standard.

use tidings_mqtt_codec::FIELD_BYTES_MAX;
use tidings_mqtt_codec::topic::{Shared, TopicError, check_topic_filter, check_topic_name};

#[test]
fn topic_names() {
    let longest = "a".repeat(FIELD_BYTES_MAX);
    for name in ["/", "//", "a", "/finance", "sport/tennis/player1", "a b", "$SYS/x", &longest] {
        assert_eq!(check_topic_name(name), Ok(()), "{name}");
    }
    let too_long = "a".repeat(FIELD_BYTES_MAX + 1);
    for (name, error) in [
        ("", TopicError::Empty),
        ("sport/+", TopicError::Wildcard),
        ("#", TopicError::Wildcard),
        ("a\0b", TopicError::NullCharacter),
        ("+\0", TopicError::NullCharacter),
        (&too_long, TopicError::TooLong),
    ] {
        assert_eq!(check_topic_name(name), Err(error));
    }
}

#[test]
fn topic_filters() {
    let longest = "a".repeat(FIELD_BYTES_MAX);
    for filter in [
        "sport/tennis/player1/#",
        "sport/#",
        "#",
        "sport/tennis/#",
        "+",
        "+/tennis/#",
        "sport/+/player1",
        "/+",
        "+/+",
        "/",
        "$SYS/#",
        "$share/g/#",
        &longest,
    ] {
        assert_eq!(check_topic_filter(filter), Ok(()), "{filter}");
    }
    let too_long = "a".repeat(FIELD_BYTES_MAX + 1);
    for (filter, error) in [
        ("", TopicError::Empty),
        ("sport/tennis#", TopicError::MultiLevelWildcard),
        ("sport/tennis/#/ranking", TopicError::MultiLevelWildcard),
        ("##", TopicError::MultiLevelWildcard),
        ("#/", TopicError::MultiLevelWildcard),
        ("a/+#", TopicError::MultiLevelWildcard),
        ("sport+", TopicError::SingleLevelWildcard),
        ("a/+b/c", TopicError::SingleLevelWildcard),
        ("++", TopicError::SingleLevelWildcard),
        ("a/\0", TopicError::NullCharacter),
        (&too_long, TopicError::TooLong),
    ] {
        assert_eq!(check_topic_filter(filter), Err(error));
    }
}

#[test]
fn shared_subscriptions() {
    for (filter, name, rest) in [
        ("$share/consumer1/sport/tennis/+", "consumer1", "sport/tennis/+"),
        ("$share/consumer2/sport/tennis/+", "consumer2", "sport/tennis/+"),
        ("$share/consumer1//finance", "consumer1", "/finance"),
        ("$share/g/#", "g", "#"),
        ("$share/ /a", " ", "a"),
    ] {
        assert_eq!(Shared::parse(filter), Ok(Some(Shared { name, filter: rest })));
    }
    for filter in ["sport/tennis/+", "$share", "$shared/g/a", "/$share/g/a", "$SHARE/g/a", ""] {
        assert_eq!(Shared::parse(filter), Ok(None), "{filter}");
    }
    for (filter, error) in [
        ("$share/", TopicError::NoShareName),
        ("$share//a", TopicError::NoShareName),
        ("$share/g", TopicError::NoSharedFilter),
        ("$share/g/", TopicError::NoSharedFilter),
        ("$share/+/a", TopicError::ShareNameWildcard),
        ("$share/a#/a", TopicError::ShareNameWildcard),
    ] {
        assert_eq!(Shared::parse(filter), Err(error));
    }
}
