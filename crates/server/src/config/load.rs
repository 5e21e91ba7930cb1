//! Brings the sources together: file, environment, flags. The only door to a [`Config`].
//! Must never look at the process itself: the environment is handed in.

use std::ffi::OsString;
use std::path::Path;

use toml::de::DeValue;

use super::Config;
use super::error::{ConfigErrors, Origin};
use super::hint::nearest;
use super::keys::{ENV_PREFIX, KEYS};
use super::raw::{self, Entry, Layer};
use super::resolve::resolve;

/// Environment variables that the command line reads itself.
const COMMAND_LINE_VARIABLES: [&str; 5] =
    ["TIDINGS_URL", "TIDINGS_CACERT", "TIDINGS_PASSWORD", "TIDINGS_TOKEN", "TIDINGS_CONFIG"];

/// A key given on the command line.
#[derive(Clone, Debug)]
pub(crate) struct Flag {
    /// The flag with its dashes, as errors name it.
    pub name: &'static str,
    /// The path of the key that it sets.
    pub key: &'static str,
    /// What was given.
    pub value: String,
}

/// A right configuration.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// The configuration.
    pub config: Config,
    /// One line for each environment variable that begins as ours do but is none. These are no
    /// errors: Kubernetes sets `TIDINGS_PORT` and more for a service of that name.
    pub warnings: Vec<String>,
}

/// Reads `file`, `environment` and `flags`; a later one wins. All mistakes are told together.
pub(crate) fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (OsString, OsString)>,
    flags: Vec<Flag>,
) -> Result<Loaded, ConfigErrors> {
    let (mut layers, mut errors, mut text) = (Vec::new(), Vec::new(), String::new());
    if let Some(path) = file {
        match raw::read(path) {
            Ok(read) => text = read,
            Err(error) => errors.push(error),
        }
        match raw::document(path, &text) {
            Ok(layer) => layers.push(layer),
            Err(error) => errors.push(error),
        }
    }
    let variables = raw::ours(environment);
    let (layer, unknown) = raw::environment(&variables, &mut errors);
    layers.push(layer);
    let flags = flags.into_iter().map(|flag| Entry {
        path: flag.key.to_owned(),
        value: DeValue::String(flag.value.into()),
        origin: Origin::Flag(flag.name),
    });
    layers.push(Layer { entries: flags.collect(), tables: Vec::new() });
    let config = resolve(layers, errors).map_err(ConfigErrors)?;
    let unknown = unknown.iter().filter(|name| !COMMAND_LINE_VARIABLES.contains(name));
    Ok(Loaded { config, warnings: unknown.map(|name| warning(name)).collect() })
}

fn warning(name: &str) -> String {
    let keys: Vec<String> = KEYS.iter().map(|key| key.path.replace('.', "_")).collect();
    let given = name.strip_prefix(ENV_PREFIX).unwrap_or(name);
    let hint = nearest(given, keys.iter().map(String::as_str)).map_or_else(String::new, |key| {
        format!("; did you mean {ENV_PREFIX}{}?", key.to_ascii_uppercase())
    });
    format!("environment variable {name} is no setting of Tidings and is ignored{hint}")
}
