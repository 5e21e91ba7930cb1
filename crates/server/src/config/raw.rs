//! What each source says, before anyone has looked whether it is right: a file, the environment
//! and the flags all become the same list of entries. Must never know what a key means.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Origin};
use super::keys::{self, ENV_PREFIX, KEYS, Kind};

/// Largest configuration file, in bytes: a thousand namespaces fit many times.
const FILE_BYTES_MAX: usize = 1 << 20;

/// Most parts of a key's path that are looked into; no key has more than two.
const PATH_PARTS_MAX: usize = 4;

/// One `key = value` of one source.
pub(super) struct Entry<'t> {
    /// The key's path, right or wrong.
    pub path: String,
    /// The value as given.
    pub value: DeValue<'t>,
    /// Where it was given.
    pub origin: Origin,
}

/// One table of those that have keys of their own.
pub(super) struct Table<'t> {
    /// Where it begins.
    pub origin: Origin,
    /// What it says.
    pub entries: Vec<Entry<'t>>,
}

/// Everything one source says.
#[derive(Default)]
pub(super) struct Layer<'t> {
    /// All but the tables, in the order of the source.
    pub entries: Vec<Entry<'t>>,
    /// The tables of each kind that the source says anything about.
    pub tables: Vec<(keys::Table, Vec<Table<'t>>)>,
}

/// The text of the file at `path`.
pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |why: String| ConfigError::Unreadable { path: path.to_owned(), why };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(error.to_string()))?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(unreadable("it is larger than 1MiB".to_owned()));
    }
    String::from_utf8(bytes).map_err(|_| unreadable("it is not UTF-8".to_owned()))
}

/// What `text`, read from `path`, says.
pub(super) fn document<'t>(path: &Path, text: &'t str) -> Result<Layer<'t>, ConfigError> {
    let origin = |span: Range<usize>| line_of(path, text, &span);
    let document = DeTable::parse(text)
        .map_err(|error| syntax(origin(error.span().unwrap_or_default()), &error))?;
    let mut layer = Layer::default();
    for (key, value) in in_order(document.into_inner()) {
        add(&mut layer, key, 1, value, &origin);
    }
    Ok(layer)
}

/// The variables of `environment` that begin as ours do and are not empty, in order.
pub(super) fn ours(
    environment: impl Iterator<Item = (OsString, OsString)>,
) -> Vec<(String, OsString)> {
    let mut ours: Vec<(String, OsString)> = environment
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, value)| name.starts_with(ENV_PREFIX) && !value.is_empty())
        .collect();
    ours.sort();
    ours
}

/// What `variables` say, and the names of those that are no key's.
pub(super) fn environment<'t>(
    variables: &'t [(String, OsString)],
    errors: &mut Vec<ConfigError>,
) -> (Layer<'t>, Vec<&'t str>) {
    let (mut layer, mut unknown) = (Layer::default(), Vec::new());
    for (name, value) in variables {
        let Some(key) = KEYS.iter().find(|key| key.env() == *name) else {
            unknown.push(name.as_str());
            continue;
        };
        let (path, origin) = (key.path.to_owned(), Origin::Env(name.clone()));
        // Files that set variables often leave blanks around their values.
        let Some(value) = value.to_str().map(str::trim) else {
            errors.push(ConfigError::NotUnicode { origin });
            continue;
        };
        if !matches!(key.kind, Kind::Tables(_)) {
            let value = DeValue::String(value.into());
            layer.entries.push(Entry { path, value, origin });
            continue;
        }
        match DeValue::parse(value) {
            Ok(value) => add(&mut layer, path, 1, value, &|_| origin.clone()),
            Err(error) => errors.push(syntax(origin, &error)),
        }
    }
    (layer, unknown)
}

/// Adds `path = value` to `layer`: a section as each of its entries, an array of tables where there
/// are such as these, all else as it is.
fn add<'t>(
    layer: &mut Layer<'t>,
    path: String,
    parts: usize,
    value: Spanned<DeValue<'t>>,
    origin: &dyn Fn(Range<usize>) -> Origin,
) {
    let at = origin(value.span());
    let is_key = KEYS.iter().any(|key| key.path == path);
    match value.into_inner() {
        DeValue::Table(table) if !is_key && parts < PATH_PARTS_MAX && !table.is_empty() => {
            for (key, value) in in_order(table) {
                add(layer, format!("{path}.{key}"), parts + 1, value, origin);
            }
        }
        DeValue::Array(items) if items.iter().all(|item| item.get_ref().is_table()) => {
            match kind(&path) {
                Some(kind) => {
                    let tables = items.into_iter().map(|item| table(item, origin)).collect();
                    layer.tables.push((kind, tables));
                }
                None => {
                    let value = DeValue::Array(items);
                    layer.entries.push(Entry { path, value, origin: at });
                }
            }
        }
        value => layer.entries.push(Entry { path, value, origin: at }),
    }
}

/// Which tables stand at a path, if any do.
fn kind(path: &str) -> Option<keys::Table> {
    KEYS.iter().find_map(|key| match key.kind {
        Kind::Tables(kind) if key.path == path => Some(kind),
        _ => None,
    })
}

/// The users of the file at `path`, which holds nothing else.
pub(super) fn users<'t>(
    path: &Path,
    text: &'t str,
) -> Result<(Vec<Table<'t>>, Vec<Entry<'t>>), ConfigError> {
    let (mut tables, mut others) = (Vec::new(), Vec::new());
    let origin = |span: Range<usize>| line_of(path, text, &span);
    let document = DeTable::parse(text)
        .map_err(|error| syntax(origin(error.span().unwrap_or_default()), &error))?;
    for (path, value) in in_order(document.into_inner()) {
        let at = origin(value.span());
        match value.into_inner() {
            DeValue::Array(items)
                if path == "user" && items.iter().all(|item| item.get_ref().is_table()) =>
            {
                tables = items.into_iter().map(|item| table(item, &origin)).collect();
            }
            value => others.push(Entry { path, value, origin: at }),
        }
    }
    Ok((tables, others))
}

fn line_of(path: &Path, text: &str, span: &Range<usize>) -> Origin {
    let before = text.as_bytes().iter().take(span.start);
    Origin::File(path.to_owned(), 1 + before.filter(|byte| **byte == b'\n').count())
}

fn table<'t>(item: Spanned<DeValue<'t>>, origin: &dyn Fn(Range<usize>) -> Origin) -> Table<'t> {
    let at = origin(item.span());
    let DeValue::Table(table) = item.into_inner() else {
        return Table { origin: at, entries: Vec::new() };
    };
    let entries = in_order(table).map(|(path, value)| {
        let origin = origin(value.span());
        Entry { path, value: value.into_inner(), origin }
    });
    Table { origin: at, entries: entries.collect() }
}

/// A table's entries in the order they were written, so that errors come in that order.
fn in_order(table: DeTable<'_>) -> impl Iterator<Item = (String, Spanned<DeValue<'_>>)> {
    let mut entries: Vec<_> = table.into_iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    entries.into_iter().map(|(key, value)| (key.into_inner().into_owned(), value))
}

fn syntax(origin: Origin, error: &toml::de::Error) -> ConfigError {
    let why = error.message().split('\n').map(str::trim).collect::<Vec<_>>().join("; ");
    ConfigError::Syntax { origin, why }
}
