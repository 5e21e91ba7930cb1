//! Makes a [`Config`] of what the sources say, or tells every mistake. Must never return a
//! configuration of which a part was wrong.

use std::collections::BTreeMap;

use tidings_model::{LogKind, TopicFilter};
use toml::de::DeValue;

use super::access;
use super::error::{ConfigError, Origin, Shown};
use super::hint::nearest;
use super::keys::{self, BLANK, KEYS, Key, Kind, MATCH, NAMESPACE_KEYS, NAMESPACES_MAX, NONE};
use super::raw::{Entry, Layer, Table};
use super::units::format_size;
use super::{Config, Namespace, PortChoice};

impl Default for Config {
    fn default() -> Config {
        let mut config = BLANK;
        set_defaults(KEYS, &mut config);
        set_defaults(NAMESPACE_KEYS, &mut config.otherwise);
        config
    }
}

/// Sets every key of `keys` to its default. A test proves that each default is a right value.
fn set_defaults<T>(keys: &[Key<T>], target: &mut T) {
    for key in keys.iter().filter(|key| key.default != "[]") {
        let set = key.set(target, &DeValue::String(key.default.into()));
        debug_assert_eq!(set, Ok(()), "default of {}", key.path);
    }
}

/// Resolves `layers` over the defaults, a later layer winning; `errors` are mistakes found before.
pub(super) fn resolve(
    layers: Vec<Layer<'_>>,
    errors: Vec<ConfigError>,
) -> Result<Config, Vec<ConfigError>> {
    let mut resolver =
        Resolver { config: Config::default(), given: BTreeMap::new(), durable: None, errors };
    for layer in layers {
        for entry in layer.entries {
            resolver.entry(entry);
        }
        for (kind, tables) in layer.tables {
            let (access, errors) = (&mut resolver.config.access, &mut resolver.errors);
            match kind {
                keys::Table::Namespace => resolver.namespaces(tables),
                keys::Table::Rule => access.rules = access::rules(tables, errors),
                keys::Table::User => access.users = access::users("access.user", tables, errors),
                keys::Table::Token => access.tokens = access::tokens(tables, errors),
            }
        }
    }
    // Two values are only compared when each is right by itself.
    if resolver.errors.is_empty() {
        resolver.compare();
    }
    if resolver.errors.is_empty() { Ok(resolver.config) } else { Err(resolver.errors) }
}

struct Resolver {
    config: Config,
    /// Where each key was last given.
    given: BTreeMap<&'static str, (Origin, Shown)>,
    /// Where the first durable namespace says so, its name, and what it says.
    durable: Option<(Origin, String, Shown)>,
    errors: Vec<ConfigError>,
}

impl Resolver {
    fn entry(&mut self, entry: Entry<'_>) {
        let Some(key) = KEYS.iter().find(|key| key.path == entry.path) else {
            let advice = advice_for_unknown(&entry.path);
            let value = Shown::new(&entry.value);
            let (origin, key) = (entry.origin, entry.path);
            self.errors.push(ConfigError::Unknown { origin, key, value, advice });
            return;
        };
        match set(key, &mut self.config, &entry, key.path) {
            Ok(()) => {
                self.given.insert(key.path, (entry.origin, Shown::new(&entry.value)));
            }
            Err(error) => self.errors.push(error),
        }
    }

    fn namespaces(&mut self, tables: Vec<Table<'_>>) {
        self.config.namespaces.clear();
        self.durable = None;
        for (index, table) in tables.into_iter().enumerate() {
            let name = format!("namespace {}", index + 1);
            if index == NAMESPACES_MAX {
                self.errors
                    .push(ConfigError::TooManyNamespaces { origin: table.origin, key: name });
                return;
            }
            self.namespace(table, &name);
        }
    }

    fn namespace(&mut self, table: Table<'_>, name: &str) {
        let (mut filter, mut rules) = (None, self.config.otherwise.clone());
        let mut has_match = false;
        for entry in table.entries {
            let path = format!("{name}: {}", entry.path);
            if entry.path == MATCH {
                has_match = true;
                match topics(&entry, &path, &self.config.namespaces) {
                    Ok(topics) => filter = Some(topics),
                    Err(error) => self.errors.push(error),
                }
            } else if let Some(key) = NAMESPACE_KEYS.iter().find(|key| key.path == entry.path) {
                self.errors.extend(set(key, &mut rules, &entry, &path).err());
                if entry.path == "durability"
                    && rules.durability.is_some_and(|level| level.log() == LogKind::Durable)
                    && self.durable.is_none()
                {
                    let value = Shown::new(&entry.value);
                    self.durable = Some((entry.origin, path, value));
                }
            } else {
                let names = NAMESPACE_KEYS.iter().map(|key| key.path).chain([MATCH]);
                let all = names.clone().collect::<Vec<_>>().join(", ");
                let advice = advice(&entry.path, names, || format!("a namespace has {all}"));
                let value = Shown::new(&entry.value);
                let origin = entry.origin;
                self.errors.push(ConfigError::Unknown { origin, key: path, value, advice });
            }
        }
        if !has_match {
            self.errors.push(ConfigError::NoMatch { origin: table.origin, key: name.to_owned() });
        }
        // Without a filter there is an error, and the configuration is of no use.
        if let Some(filter) = filter {
            self.config.namespaces.push(Namespace { filter, rules });
        }
    }

    /// The checks that look at two keys at once.
    fn compare(&mut self) {
        let limits = &self.config.limits;
        let [message, batch, memory] = [
            ("limits.message_bytes", limits.message_bytes),
            ("limits.batch_bytes", limits.batch_bytes),
            ("limits.memory", limits.memory),
        ];
        self.at_least(batch, message);
        self.at_least(memory, batch);
        self.tls_is_whole();
        if let (None, Some((origin, key, value))) = (&self.config.data, self.durable.take()) {
            self.errors.push(ConfigError::Value {
                origin,
                key,
                value,
                wrong: format!("data is \"{NONE}\", so there is no directory to keep it in"),
                advice: "name a directory with data or --data, or leave them out".to_owned(),
            });
        }
    }

    /// TLS needs a certificate and its key, and nothing else of it makes sense without.
    fn tls_is_whole(&mut self) {
        let tls = &self.config.tls;
        let (certificate, key) = ("tls.certificate", "tls.key");
        let is_port = |choice: &PortChoice| matches!(choice, PortChoice::At(_));
        let (given, missing) = match (&tls.certificate, &tls.key) {
            (Some(_), None) => (certificate, key),
            (None, Some(_)) => (key, certificate),
            (None, None) if tls.client_ca.is_some() => ("tls.client_ca", certificate),
            (None, None) if is_port(&tls.listen) => ("tls.listen", certificate),
            (None, None) if is_port(&self.config.mqtt.tls_listen) => {
                ("mqtt.tls_listen", certificate)
            }
            _ => return,
        };
        if let Some((origin, value)) = self.given.remove(given) {
            self.errors.push(ConfigError::Value {
                origin,
                key: given.to_owned(),
                value,
                wrong: format!("there is no {missing}"),
                advice: format!("name its PEM file with {missing}"),
            });
        }
    }

    /// One of two sizes must not be below the other. The error names the one that was given.
    fn at_least(&mut self, large: (&'static str, usize), small: (&'static str, usize)) {
        if large.1 >= small.1 {
            return;
        }
        let [large_size, small_size] = [large.1, small.1].map(|size| format_size(size as u64));
        let (key, wrong) = if self.given.contains_key(large.0) {
            (large.0, format!("less than {} ({small_size})", small.0))
        } else {
            (small.0, format!("more than {} ({large_size})", large.0))
        };
        // Defaults are in order, so one of the two was given.
        if let Some((origin, value)) = self.given.remove(key) {
            let advice = format!("set {} to at least \"{small_size}\"", large.0);
            self.errors.push(ConfigError::Value {
                origin,
                key: key.to_owned(),
                value,
                wrong,
                advice,
            });
        }
    }
}

pub(super) fn set<T>(
    key: &Key<T>,
    target: &mut T,
    entry: &Entry<'_>,
    name: &str,
) -> Result<(), ConfigError> {
    key.set(target, &entry.value).map_err(|wrong| {
        let is_section = entry.value.is_table() && !matches!(key.kind, Kind::Tables(_));
        ConfigError::Value {
            origin: entry.origin.clone(),
            key: name.to_owned(),
            value: if key.is_secret() { Shown::hidden() } else { Shown::new(&entry.value) },
            wrong: if is_section { "one value, not a section".to_owned() } else { wrong.into() },
            advice: format!("use {}", key.expects()),
        }
    })
}

fn topics(entry: &Entry<'_>, key: &str, earlier: &[Namespace]) -> Result<TopicFilter, ConfigError> {
    let error = |wrong: String, advice: &str| ConfigError::Value {
        origin: entry.origin.clone(),
        key: key.to_owned(),
        value: Shown::new(&entry.value),
        wrong,
        advice: advice.to_owned(),
    };
    const EXAMPLE: &str = "use a topic filter, such as \"chat/**\"";
    let Some(text) = entry.value.as_str() else {
        return Err(error("not a text".to_owned(), EXAMPLE));
    };
    let filter = TopicFilter::new(text).map_err(|why| error(why.to_string(), EXAMPLE))?;
    match earlier.iter().position(|namespace| namespace.filter.covers(&filter)) {
        Some(index) => {
            let wrong = format!(
                "namespace {} ({}) matches all of that already, and the first match wins",
                index + 1,
                earlier[index].filter
            );
            Err(error(wrong, "move this one before it, or remove it"))
        }
        None => Ok(filter),
    }
}

fn advice_for_unknown(path: &str) -> String {
    let paths = KEYS.iter().map(|key| key.path);
    let section = format!("{path}.");
    match paths.clone().find(|path| path.starts_with(&section)) {
        Some(inside) => format!("it is a section: write its keys below [{path}], such as {inside}"),
        None => advice(path, paths, || "`tidings config` prints all keys".to_owned()),
    }
}

pub(super) fn advice<'n>(
    given: &str,
    names: impl Iterator<Item = &'n str> + Clone,
    otherwise: impl FnOnce() -> String,
) -> String {
    nearest(given, names).map_or_else(otherwise, |name| format!("did you mean {name}?"))
}
