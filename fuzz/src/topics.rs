//! Topics and filters: what they match, overlap and cover agrees.

use tidings_model::{Selection, Topic, TopicFilter};

/// Most names looked at; each is compared with each.
const NAMES_MAX: usize = 24;

/// Reads each line as a topic and as a filter.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<&str> = text.split('\n').take(NAMES_MAX).collect();
    let topics: Vec<Topic> = lines.iter().filter_map(|line| Topic::new(line).ok()).collect();
    let filters: Vec<TopicFilter> =
        lines.iter().filter_map(|line| TopicFilter::new(line).ok()).collect();
    for topic in &topics {
        let own = TopicFilter::from(topic);
        assert_eq!(TopicFilter::new(topic.as_str()).as_ref(), Ok(&own));
        assert!(own.matches(topic) && own.as_topic().as_ref() == Some(topic));
    }
    for a in &filters {
        assert_eq!(TopicFilter::new(a.as_str()).as_ref(), Ok(a));
        assert!(a.covers(a) && a.overlaps(a), "{a}");
        for b in &filters {
            assert_eq!(a.overlaps(b), b.overlaps(a), "{a} {b}");
            let both = |topic: &&Topic| a.matches(topic) && b.matches(topic);
            if let Some(topic) = topics.iter().find(both) {
                assert!(a.overlaps(b), "{a} and {b} both match {topic}");
            }
            // What begins with `$` is matched by no wildcard at the root, but ruled like others.
            let only_b =
                |topic: &&Topic| !topic.is_reserved() && b.matches(topic) && !a.matches(topic);
            if let Some(topic) = topics.iter().find(only_b) {
                assert!(!a.covers(b), "{a} covers {b}, which alone matches {topic}");
            }
        }
    }
    let selection = Selection::new(filters.iter().cloned());
    for topic in &topics {
        assert_eq!(selection.matches(topic), filters.iter().any(|f| f.matches(topic)), "{topic}");
    }
}
