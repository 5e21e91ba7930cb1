//! What topics say to whoever begins to read them: of each topic the newest message that was to be
//! retained (MQTT 5 section 3.3.1.3), kept as the only message of the topic `$retained/TOPIC`.
//!
//! Must never hold a message: here are only the names of topics that say something.

use std::collections::BTreeSet;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex};

use tidings_access::Identity;
use tidings_log::{Budget, Cursor};
use tidings_model::{
    Exposure, LogKind, Manner, Message, PerLog, Record, Refusal, Selection, Time, Topic,
    TopicFilter,
};

use crate::broker::{Broker, lock};
use crate::namespace::RETAINED;

/// Most topics looked up at once: what they say is read in one go, and others wait meanwhile.
const TOPICS_MAX: usize = 64;

/// Most payload bytes read at once; what does not fit is read the next time.
const BYTES_MAX: usize = 1 << 20;

/// Most topics that are looked at in one go, whether they match or not.
const LOOK_MAX: usize = 4096;

/// The topics that say something.
#[derive(Default)]
pub(crate) struct Retained(Mutex<BTreeSet<Topic>>);

/// What some topics say.
#[derive(Clone, Debug, Default)]
pub struct Recalled {
    /// The messages, in the order of their topics, each with the topic that it was published to.
    pub records: Vec<(Topic, Arc<Record>)>,
    /// The topic after which to go on; nothing when that was all.
    pub next: Option<Topic>,
}

/// Told what topics say, on whatever thread.
pub type RecallDone = Box<dyn FnOnce(Recalled) + Send>;

impl Retained {
    /// A topic says something, or did: one that says nothing any more is not forgotten before the
    /// process ends, since it may just be saying something again.
    pub(crate) fn add(&self, topic: Topic) {
        lock(&self.0).insert(topic);
    }

    pub(crate) fn len(&self) -> usize {
        lock(&self.0).len()
    }

    /// The next topics after one that a filter matches, and where to go on.
    fn find(&self, filter: &TopicFilter, after: Option<&Topic>) -> (Vec<Topic>, Option<Topic>) {
        let topics = lock(&self.0);
        if let Some(topic) = filter.as_topic() {
            let found = after.is_none().then(|| topics.get(&topic).cloned()).flatten();
            return (found.into_iter().collect(), None);
        }
        // Whatever matches begins like the filter up to its first wildcard.
        let prefix = filter.as_str().split('*').next().unwrap_or_default().trim_end_matches('/');
        let first = Topic::new(prefix).ok();
        let from = match (after, &first) {
            (Some(after), _) => Excluded(after),
            (None, Some(first)) => std::ops::Bound::Included(first),
            (None, None) => Unbounded,
        };
        let mut found = Vec::new();
        for (looked_at, topic) in topics.range::<Topic, _>((from, Unbounded)).enumerate() {
            if !topic.as_str().starts_with(prefix) {
                break;
            }
            if filter.matches(topic) {
                found.push(topic.clone());
            }
            if found.len() == TOPICS_MAX || looked_at == LOOK_MAX {
                return (found, Some(topic.clone()));
            }
        }
        (found, None)
    }
}

/// The topic that keeps what a topic says.
fn keeper(topic: &Topic) -> Option<Topic> {
    Topic::new(&format!("{RETAINED}{topic}")).ok()
}

/// What is stored beside a message that is to be retained. One without payload is worthless at
/// once, and leaves nothing.
pub(crate) fn copy(message: &Message, now: Time) -> Result<Message, Refusal> {
    let topic =
        keeper(&message.topic).ok_or_else(|| Refusal::PublishForbidden(message.topic.clone()))?;
    let expires = if message.payload.is_empty() { Some(now) } else { message.expires };
    let manner = Manner { retain: true, ..message.manner.clone() };
    Ok(Message { topic, expires, manner, ..message.clone() })
}

impl Broker {
    /// Reads what the topics say that a filter matches and `reader` may read, from the one after
    /// `after`; at most so much at once that others need not wait for it.
    pub fn recall(
        &self,
        filter: &TopicFilter,
        after: Option<&Topic>,
        reader: Option<&Arc<Identity>>,
        now: Time,
        done: RecallDone,
    ) {
        let exposure = Exposure::Private;
        let is_forbidden = reader.is_some_and(|reader| !reader.may_subscribe(filter));
        if is_forbidden || self.namespaces().check_subscribe(filter, exposure).is_err() {
            return done(Recalled::default());
        }
        let (mut topics, next) = self.retained().find(filter, after);
        if let Some(readable) = self.namespaces().readable(exposure) {
            topics.retain(|topic| topic.is_reserved() || readable(topic));
        }
        let granted = reader.and_then(|reader| reader.readable(std::slice::from_ref(filter)));
        if let Some(granted) = granted {
            topics.retain(|topic| granted(topic));
        }
        let of_log = PerLog::from_fn(|log| {
            let here = |topic: &&Topic| self.namespaces().of(topic).durability.log() == log;
            let keepers = topics.iter().filter(here).filter_map(keeper);
            let selection = Selection::new(keepers.map(|topic| TopicFilter::from(&topic)));
            let budget = Budget { records: TOPICS_MAX, bytes: usize::MAX };
            self.log(log).find(&selection, Cursor::default(), budget)
        });
        let is_hot = LogKind::ALL.into_iter().all(|log| of_log[log].is_hot());
        let work = move || {
            let mut records = Vec::new();
            for found in of_log.into_values() {
                found.load(now, &mut records);
            }
            done(arrange(records, next));
        };
        match is_hot {
            true => work(),
            false => self.load(Box::new(work)),
        }
    }

    /// Finds what topics said in an earlier life of the process.
    pub(crate) fn load_retained(&self) {
        self.read_own(RETAINED, &mut |message| {
            let topic = message.topic.as_str().strip_prefix(RETAINED).map(Topic::new);
            if let Some(Ok(topic)) = topic
                && !message.payload.is_empty()
            {
                self.retained().add(topic);
            }
        });
    }
}

/// Puts what was read into the order of the topics, and leaves out what is too much at once.
fn arrange(records: Vec<Arc<Record>>, mut next: Option<Topic>) -> Recalled {
    let named = |record: Arc<Record>| {
        let name = record.message.topic.as_str().strip_prefix(RETAINED)?;
        Some((Topic::new(name).ok()?, record))
    };
    let mut records: Vec<_> = records.into_iter().filter_map(named).collect();
    records.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut bytes = 0;
    let fits = records.iter().take_while(|(_, record)| {
        let fits = bytes < BYTES_MAX;
        bytes += record.message.payload.len();
        fits
    });
    let fits = fits.count();
    if fits < records.len() {
        records.truncate(fits);
        next = records.last().map(|(topic, _)| topic.clone());
    }
    Recalled { records, next }
}
