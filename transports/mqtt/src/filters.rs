//! What a client is subscribed to. Must never decide who may be.

use tidings_model::{Position, Quality, Record, TopicFilter};
use tidings_mqtt_codec::{QoS, SubscribeFilter};

/// One subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    /// What it matches.
    pub(crate) filter: TopicFilter,
    /// The largest QoS that messages come with.
    pub(crate) qos: QoS,
    /// Not what this client published itself.
    pub(crate) no_local: bool,
    /// RETAIN as its publisher set it.
    pub(crate) retain_as_published: bool,
    /// What its messages are marked with.
    pub(crate) id: Option<u32>,
    /// From where on it is meant.
    pub(crate) since: From,
}

/// From where on a subscription is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// The broker has not heard of it yet.
    Unknown,
    /// After this place.
    After(Box<Position>),
    /// From wherever the client is by now.
    Here,
}

impl From {
    /// Whether a message is from before.
    fn is_after(&self, record: &Record) -> bool {
        match self {
            From::Unknown => true,
            From::After(since) => since.covers(record.log, record.mark),
            From::Here => false,
        }
    }
}

/// Every subscription of a client, in the order they were made.
#[derive(Default)]
pub(crate) struct Filters(Vec<Filter>);

/// How a message is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) ids: Vec<u32>,
}

impl Filter {
    /// A subscription as it was asked for.
    pub(crate) fn new(filter: TopicFilter, asked: &SubscribeFilter, id: Option<u32>) -> Filter {
        let &SubscribeFilter { qos, no_local, retain_as_published, .. } = asked;
        Filter { filter, qos, no_local, retain_as_published, id, since: From::Unknown }
    }
}

impl Filters {
    /// Those that were remembered.
    pub(crate) fn new(filters: Vec<Filter>) -> Filters {
        Filters(filters)
    }

    /// How many.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// All of them.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Filter> {
        self.0.iter()
    }

    /// What they match, for whoever reads the log.
    pub(crate) fn selected(&self) -> Vec<TopicFilter> {
        self.0.iter().map(|filter| filter.filter.clone()).collect()
    }

    /// Whether any message may need an acknowledgement.
    pub(crate) fn any_acked(&self) -> bool {
        self.0.iter().any(|filter| filter.qos > QoS::AtMostOnce)
    }

    /// Makes a subscription, or replaces the one of the same filter, which goes on where it is
    /// (section 3.8.4). Says whether it is a new one.
    pub(crate) fn set(&mut self, filter: Filter) -> bool {
        match self.0.iter_mut().find(|known| known.filter == filter.filter) {
            Some(known) => {
                let since = std::mem::replace(&mut known.since, From::Here);
                *known = Filter { since, ..filter };
                false
            }
            None => {
                // Most clients have few, and many clients have one.
                self.0.reserve_exact(1);
                self.0.push(filter);
                true
            }
        }
    }

    /// The broker reads what is new from here on.
    pub(crate) fn begin(&mut self, since: Position) {
        for filter in self.0.iter_mut().filter(|filter| filter.since == From::Unknown) {
            filter.since = From::After(Box::new(since));
        }
    }

    /// The client has been handed everything up to here.
    pub(crate) fn pass(&mut self, position: Position) {
        for filter in &mut self.0 {
            if matches!(&filter.since, From::After(since) if position.advanced_by(**since) == position)
            {
                filter.since = From::Here;
            }
        }
    }

    /// Ends a subscription. Says whether there was one.
    pub(crate) fn remove(&mut self, filter: &TopicFilter) -> bool {
        let before = self.0.len();
        self.0.retain(|known| known.filter != *filter);
        self.0.len() < before
    }

    /// How a message is to be sent to the client that has this number; nothing when not at all.
    /// What several subscriptions match comes once, as the best of them has it (section 3.3.4).
    pub(crate) fn delivered(&self, record: &Record, origin: u64) -> Option<Delivered> {
        let manner = &record.message.manner;
        let mut delivered: Option<Delivered> = None;
        for filter in &self.0 {
            let is_own = filter.no_local && manner.origin == origin;
            if is_own
                || filter.since.is_after(record)
                || !filter.filter.matches(&record.message.topic)
            {
                continue;
            }
            let one = delivered.get_or_insert(Delivered {
                qos: QoS::AtMostOnce,
                retain: false,
                ids: Vec::new(),
            });
            one.qos = one.qos.max(filter.qos);
            one.retain |= filter.retain_as_published && manner.retain;
            one.ids.extend(filter.id);
        }
        if let Some(one) = &mut delivered {
            one.qos = one.qos.min(qos(manner.quality));
        }
        delivered
    }
}

/// The QoS of a quality.
pub(crate) fn qos(quality: Quality) -> QoS {
    match quality {
        Quality::AtMostOnce => QoS::AtMostOnce,
        Quality::AtLeastOnce => QoS::AtLeastOnce,
        Quality::ExactlyOnce => QoS::ExactlyOnce,
    }
}
