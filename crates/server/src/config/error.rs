//! What can be wrong with a configuration. Every error is one line that names where it was
//! given, the key, the value, and what to do. Must never span lines, whatever the value holds.

use std::fmt;
use std::path::PathBuf;

use toml::de::DeValue;

use super::keys::NAMESPACES_MAX;

/// Longest part of a value that an error repeats, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// Every mistake in a configuration; never empty. Shown one line each.
#[derive(Debug, thiserror::Error)]
pub(crate) struct ConfigErrors(pub Vec<ConfigError>);

/// One mistake in a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    /// The file is not there, not text, or absurdly large.
    #[error("{}: cannot be read: {why}; give --config the path of a TOML file", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The file, or a variable that holds TOML, is not TOML.
    #[error("{origin}: not valid TOML: {why}; `tidings config` prints an example")]
    Syntax {
        /// Where.
        origin: Origin,
        /// What the parser said.
        why: String,
    },
    /// An environment variable is not Unicode.
    #[error("{origin}: not valid UTF-8; write it again without special characters")]
    NotUnicode {
        /// Which variable.
        origin: Origin,
    },
    /// No such key.
    #[error("{origin}: {key} = {value}: there is no such key; {advice}")]
    Unknown {
        /// Where.
        origin: Origin,
        /// The key as it was given.
        key: String,
        /// Its value.
        value: Shown,
        /// The nearest name there is, or how to see all.
        advice: String,
    },
    /// The key is right and its value is not.
    #[error("{origin}: {key} = {value}: {wrong}; {advice}")]
    Value {
        /// Where.
        origin: Origin,
        /// The key.
        key: String,
        /// Its value.
        value: Shown,
        /// What is wrong.
        wrong: String,
        /// What to write instead.
        advice: String,
    },
    /// More `[[namespace]]` tables than are compared with each new topic.
    #[error(
        "{origin}: {key}: there are more than {NAMESPACES_MAX}; \
         join some with wildcards, such as match = \"chat/**\""
    )]
    TooManyNamespaces {
        /// Where.
        origin: Origin,
        /// The first one too many.
        key: String,
    },
    /// More tables of a kind than there may be.
    #[error("{origin}: {key}: there are more than {most}; leave some out")]
    TooMany {
        /// Where.
        origin: Origin,
        /// The first one too many.
        key: String,
        /// How many there may be.
        most: usize,
    },
    /// A table does not say what it must.
    #[error("{origin}: {key}: {what} is missing; {advice}")]
    Missing {
        /// Where.
        origin: Origin,
        /// Which table.
        key: String,
        /// What.
        what: &'static str,
        /// What to write.
        advice: &'static str,
    },
    /// A `[[namespace]]` table does not say which topics it is for.
    #[error("{origin}: {key}: match is missing; add a topic filter, such as match = \"chat/**\"")]
    NoMatch {
        /// Where.
        origin: Origin,
        /// Which table.
        key: String,
    },
}

/// Where something was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A line of a file, counted from 1.
    File(PathBuf, usize),
    /// An environment variable.
    Env(String),
    /// A command line flag, with its dashes.
    Flag(&'static str),
}

/// A value as an error shows it: as TOML, on one line, not too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown(Box<str>);

impl Shown {
    /// How `value` is shown.
    pub(crate) fn new(value: &DeValue<'_>) -> Shown {
        let mut text = String::new();
        write(&mut text, value);
        if let Some((end, _)) = text.char_indices().nth(SHOWN_CHARS_MAX) {
            text.truncate(end);
            text.push('…');
        }
        Shown(text.into())
    }
}

impl Shown {
    /// A value that nobody is to see.
    pub(crate) fn hidden() -> Shown {
        Shown("…".into())
    }
}

/// Appends `value` as TOML. Stops soon after enough is written, however large the value is.
fn write(text: &mut String, value: &DeValue<'_>) {
    match value {
        DeValue::String(string) => {
            text.push('"');
            text.extend(string.chars().take(SHOWN_CHARS_MAX).flat_map(char::escape_debug));
            text.push('"');
        }
        DeValue::Integer(integer) => *text += &integer.to_string(),
        DeValue::Float(float) => *text += float.as_str(),
        DeValue::Boolean(value) => *text += if *value { "true" } else { "false" },
        DeValue::Datetime(datetime) => *text += &datetime.to_string(),
        DeValue::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if text.len() > SHOWN_CHARS_MAX {
                    break;
                }
                *text += if index > 0 { ", " } else { "" };
                write(text, item.get_ref());
            }
            text.push(']');
        }
        DeValue::Table(_) => *text += "{…}",
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path, line) => write!(f, "{}:{line}", path.display()),
            Origin::Env(name) => write!(f, "environment variable {name}"),
            Origin::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if index > 0 { "\n" } else { "" })?;
        }
        Ok(())
    }
}
