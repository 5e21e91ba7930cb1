//! Reads one value for one key: the same texts are understood in the file, the environment and
//! on the command line. Must never touch the field when the value is wrong.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::PortChoice;
use super::keys::{AUTO, Key, Kind, NONE, Table};
use super::units::{UnitError, format_size, format_span, parse_size, parse_span};

/// What is wrong with a value, as the middle of an error line: `not a size`.
pub(super) type Wrong = Cow<'static, str>;

/// Most texts in a list.
const ITEMS_MAX: usize = 1000;

/// Most origins in a list: each request with an `Origin` is compared with all of them.
const ORIGINS_MAX: usize = 1000;

impl<T> Key<T> {
    /// Sets this key's field in `target`, or says what is wrong with `value`.
    pub(super) fn set(&self, target: &mut T, value: &DeValue<'_>) -> Result<(), Wrong> {
        match &self.kind {
            Kind::Address(field) => {
                let text = text(value).unwrap_or_default();
                *field(target) = text.parse().map_err(|_| "not an IP address with a port")?;
            }
            Kind::Port(field) => {
                *field(target) = match text(value).unwrap_or_default() {
                    AUTO => PortChoice::Auto,
                    NONE => PortChoice::None,
                    text => {
                        PortChoice::At(text.parse().map_err(|_| "not an IP address with a port")?)
                    }
                };
            }
            Kind::Name(field) => match text(value) {
                Some("") | None => return Err("not a text".into()),
                Some(text) => *field(target) = (text != NONE).then(|| text.to_owned()),
            },
            Kind::Directory(field) | Kind::File(field) => match text(value) {
                Some("") => return Err("empty".into()),
                Some(NONE) => *field(target) = None,
                Some(text) => *field(target) = Some(text.into()),
                None => return Err("not a text".into()),
            },
            Kind::Count(range, field) => {
                let number = number(value).ok_or("not a whole number")?;
                *field(target) = in_range(number, range, "too small", "too large")?;
            }
            Kind::Size(range, field) => {
                let bytes = with_unit(value, parse_size, "not a size", "too large")?;
                *field(target) = in_range(bytes, range, "too small", "too large")?;
            }
            Kind::Span(range, field) => {
                let parse = |text: &str| parse_span(text).map(|span| span.as_secs());
                let seconds = with_unit(value, parse, "not a span", "too long")?;
                let seconds = in_range(seconds, range, "too short", "too long")?;
                *field(target) = Duration::from_secs(seconds);
            }
            Kind::Switch(field) => {
                *field(target) = switch(value).ok_or("neither true nor false")?;
            }
            Kind::Choice(names, set) => {
                let given = text(value).unwrap_or_default();
                let name = names.iter().find(|name| **name == given).ok_or("unknown")?;
                set(target, name);
            }
            Kind::Url(field) => match text(value) {
                Some(NONE) => *field(target) = None,
                Some(text) if is_url(text) => *field(target) = Some(text.to_owned()),
                _ => return Err("not a URL with a host".into()),
            },
            Kind::Origins(field) => *field(target) = origins(value)?,
            Kind::Text(set, _) => set(target, text(value).ok_or("not a text")?)?,
            Kind::List(add, _) => {
                let items = value.as_array().ok_or("not a list")?;
                if items.len() > ITEMS_MAX {
                    return Err(format!("more than {ITEMS_MAX} of them").into());
                }
                for item in items.iter() {
                    add(target, item.get_ref().as_str().ok_or("not a list of texts")?)?;
                }
            }
            // Their tables are read key by key instead.
            Kind::Tables(_) => return Err("not an array of tables".into()),
        }
        Ok(())
    }

    /// What the key takes, as the end of an error line: `a size from 1B to 64MiB, such as "1MiB"`.
    pub(super) fn expects(&self) -> String {
        let default = self.default;
        match &self.kind {
            Kind::Address(_) => {
                "one such as \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::]:8080\"".to_owned()
            }
            Kind::Port(_) => {
                format!("one such as \"0.0.0.0:1883\", \"{AUTO}\" or \"{NONE}\"")
            }
            Kind::Name(_) => format!("a text, or \"{NONE}\""),
            Kind::Directory(_) => format!("the path of a directory, or \"{NONE}\""),
            Kind::File(_) => format!("the path of a file, or \"{NONE}\""),
            Kind::Count(range, _) => {
                format!("a whole number from {} to {}", range.start(), range.end())
            }
            Kind::Size(range, _) => {
                let (from, to) = (format_size(*range.start()), format_size(*range.end()));
                format!("a size from {from} to {to}, such as \"{default}\"")
            }
            Kind::Span(range, _) => {
                let [from, to] = [range.start(), range.end()]
                    .map(|seconds| format_span(Duration::from_secs(*seconds)));
                format!("a span from {from} to {to}, such as \"{default}\"")
            }
            Kind::Switch(_) => "true or false".to_owned(),
            Kind::Choice(names, _) => {
                let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
                match quoted.split_last() {
                    Some((last, others)) => format!("{} or {last}", others.join(", ")),
                    None => String::new(),
                }
            }
            Kind::Url(_) => {
                format!("one such as \"https://push.example.com\", or \"{NONE}\"")
            }
            Kind::Origins(_) => {
                "origins such as [\"https://app.example.com\"], or [\"*\"] for all".to_owned()
            }
            Kind::Text(_, expects) | Kind::List(_, expects) => (*expects).to_owned(),
            Kind::Tables(Table::Namespace) => {
                "[[namespace]] in a file, [{ match = \"chat/**\" }] elsewhere".to_owned()
            }
            Kind::Tables(_) => format!("[[{}]] in a file, [{{ … }}] elsewhere", self.path),
        }
    }

    /// Whether the value is written in quotes in TOML.
    pub(super) fn is_text(&self) -> bool {
        !matches!(
            self.kind,
            Kind::Count(..) | Kind::Switch(_) | Kind::Origins(_) | Kind::List(..) | Kind::Tables(_)
        )
    }
}

fn text<'v>(value: &'v DeValue<'_>) -> Option<&'v str> {
    value.as_str().map(str::trim)
}

fn number(value: &DeValue<'_>) -> Option<u64> {
    match value {
        DeValue::Integer(integer) => u64::from_str_radix(integer.as_str(), integer.radix()).ok(),
        _ => text(value)?.parse().ok(),
    }
}

fn switch(value: &DeValue<'_>) -> Option<bool> {
    value.as_bool().or_else(|| text(value)?.parse().ok())
}

/// A number that may stand alone or, as a text, with its unit.
fn with_unit(
    value: &DeValue<'_>,
    parse: impl Fn(&str) -> Result<u64, UnitError>,
    malformed: &'static str,
    too_large: &'static str,
) -> Result<u64, Wrong> {
    if let Some(number) = number(value) {
        return Ok(number);
    }
    parse(text(value).ok_or(malformed)?).map_err(|error| match error {
        UnitError::Malformed => malformed.into(),
        UnitError::TooLarge => too_large.into(),
    })
}

/// `number`, if `range` and the field's own type have room for it.
fn in_range<N: TryFrom<u64>>(
    number: u64,
    range: &RangeInclusive<u64>,
    below: &'static str,
    above: &'static str,
) -> Result<N, Wrong> {
    match number {
        number if number < *range.start() => Err(below.into()),
        number if number > *range.end() => Err(above.into()),
        number => N::try_from(number).map_err(|_| above.into()),
    }
}

/// An array of texts, or one text with commas between them, as the environment has it.
fn origins(value: &DeValue<'_>) -> Result<Vec<String>, Wrong> {
    const NO_LIST: &str = "not a list of texts";
    if let Some(text) = text(value) {
        if text.starts_with('[') {
            return match DeValue::parse(text) {
                Ok(list) if list.get_ref().is_array() => origins(list.get_ref()),
                _ => Err(NO_LIST.into()),
            };
        }
        return checked_origins(text.split(',').map(str::trim).filter(|item| !item.is_empty()));
    }
    let items = value.as_array().ok_or(NO_LIST)?;
    let items: Option<Vec<&str>> = items.iter().map(|item| item.get_ref().as_str()).collect();
    checked_origins(items.ok_or(NO_LIST)?.into_iter())
}

fn checked_origins<'t>(items: impl Iterator<Item = &'t str>) -> Result<Vec<String>, Wrong> {
    let mut origins = Vec::new();
    for item in items {
        if !is_origin(item) {
            return Err(format!(
                "\"{}\" is not an origin (scheme://host[:port])",
                item.escape_debug()
            )
            .into());
        }
        if origins.len() == ORIGINS_MAX {
            return Err(format!("more than {ORIGINS_MAX} origins").into());
        }
        // Browsers send scheme and host in lower case (RFC 6454 section 4).
        origins.push(item.to_ascii_lowercase());
    }
    Ok(origins)
}

/// Whether `text` is a URL of the web that a path can be added to: scheme, host, perhaps a path
/// (RFC 3986 section 3), of characters that need no escaping wherever they stand.
fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
            && rest.chars().all(|c| c.is_ascii_alphanumeric() || "-._~:/[]%".contains(c))
    })
}

/// Whether `text` is an origin as browsers serialise it (RFC 6454 section 6.1), or `*`.
fn is_origin(text: &str) -> bool {
    if matches!(text, "*" | "null") {
        return true;
    }
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let in_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let in_host = |c: char| c.is_ascii_alphanumeric() || "-._:[]".contains(c);
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(in_scheme)
        && !host.is_empty()
        && host.chars().all(in_host)
}
