//! What the configuration says of topics, as the broker and the logs understand it. Must be the
//! same for the server and for the tools that look at its log.

use tidings_broker::{Namespace, Namespaces};
use tidings_log::{Policy, Retention};
use tidings_model::{Durability, FilterError, TopicFilter};

use crate::config::{Config, Rules};

/// The namespaces of a configuration.
pub(crate) fn namespaces(config: &Config) -> Result<Namespaces, FilterError> {
    let auto = if config.data.is_some() { Durability::Fsync } else { Durability::Volatile };
    let namespace = |topics: TopicFilter, rules: &Rules| Namespace {
        topics,
        durability: rules.durability.unwrap_or(auto),
        retention: Retention {
            messages_max: rules.max_messages as u64,
            bytes_max: rules.max_bytes as u64,
            age_max: rules.max_age,
            keep_last: rules.keep_last,
        },
        publish: rules.publish,
        subscribe: rules.subscribe,
        jsonp: rules.jsonp,
        cache: rules.cache,
    };
    let listed = config.namespaces.iter().map(|ns| namespace(ns.filter.clone(), &ns.rules));
    let otherwise = namespace(TopicFilter::new("**")?, &config.otherwise);
    Ok(Namespaces::new(listed.collect(), otherwise))
}

/// What is kept of which topic.
pub(crate) fn policy(namespaces: &Namespaces) -> Policy {
    let namespaces = namespaces.clone();
    Box::new(move |topic| namespaces.of(topic).retention)
}
