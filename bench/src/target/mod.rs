//! What can be loaded: the server and its peers, each described by a file in `bench/peers`.
//!
//! Must never know a peer by name: what is special about one stands in its file.

mod folder;
mod form;
mod running;

use std::path::PathBuf;

use anyhow::{Context, bail};

pub(crate) use folder::Folder;
pub(crate) use form::{Form, From, Publish, Subscribe, as_segment, fill};
pub(crate) use running::{Place, Running};

/// The descriptions that are built in; a path to another file may be given instead of a name.
const BUILT_IN: &[(&str, &str)] = &[
    ("tidings", include_str!("../../peers/tidings.toml")),
    ("tidings-tls", include_str!("../../peers/tidings-tls.toml")),
    ("tidings-mqtt", include_str!("../../peers/tidings-mqtt.toml")),
    ("nchan", include_str!("../../peers/nchan.toml")),
    ("mosquitto", include_str!("../../peers/mosquitto.toml")),
    ("nats", include_str!("../../peers/nats.toml")),
    ("socketio", include_str!("../../peers/socketio.toml")),
    ("uwebsockets", include_str!("../../peers/uwebsockets.toml")),
    ("rabbitmq", include_str!("../../peers/rabbitmq.toml")),
    ("redis-streams", include_str!("../../peers/redis-streams.toml")),
    ("redis-pubsub", include_str!("../../peers/redis-pubsub.toml")),
    ("postgresql", include_str!("../../peers/postgresql.toml")),
];

/// The mode of a target that is named without one, where it has it.
const MODE_DEFAULT: &str = "volatile";

/// Something to load: a description, in one of its modes, perhaps with a program of its own.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// As it is told in reports.
    pub(crate) name: String,
    /// Its description.
    pub(crate) form: Form,
    /// Which of its modes.
    pub(crate) mode: String,
    /// How it is listened to, whatever the scenario says: where it calls that otherwise.
    pub(crate) via: Option<String>,
    /// The program to start instead of the usual one.
    pub(crate) binary: Option<PathBuf>,
    /// More environment: the settings of a scenario.
    pub(crate) settings: Vec<(String, String)>,
}

impl Target {
    /// Reads `NAME[:MODE][@VIA][=PROGRAM]`, where the name may be the path of a description.
    ///
    /// # Errors
    /// When there is no such description or mode.
    pub(crate) fn parse(text: &str) -> anyhow::Result<Target> {
        let (head, binary) = match text.split_once('=') {
            Some((head, path)) => (head, Some(PathBuf::from(path))),
            None => (text, None),
        };
        let (head, via) = match head.split_once('@') {
            Some((head, via)) => (head, Some(via.to_owned())),
            None => (head, None),
        };
        let (name, mode) = match head.split_once(':') {
            Some((name, mode)) => (name, Some(mode)),
            None => (head, None),
        };
        let built_in = BUILT_IN.iter().find(|(known, _)| *known == name);
        let description = match built_in {
            Some((_, description)) => (*description).to_owned(),
            None if name.ends_with(".toml") => std::fs::read_to_string(name)
                .with_context(|| format!("cannot read the description {name}"))?,
            None => {
                let known: Vec<&str> = BUILT_IN.iter().map(|(known, _)| *known).collect();
                bail!("no target `{name}`; there are {}, or a path to a .toml", known.join(", "));
            }
        };
        let form = Form::parse(&description).with_context(|| format!("in {name}"))?;
        let mode = mode.map(str::to_owned).or_else(|| form.usual_mode(MODE_DEFAULT));
        if let Some(via) = via.as_ref().filter(|via| !form.subscribe.contains_key(*via)) {
            let known: Vec<&str> = form.subscribe.keys().map(String::as_str).collect();
            bail!("{name} is not listened to by `{via}`; it is by {}", known.join(", "));
        }
        let target = Target {
            name: name.to_owned(),
            via,
            mode: mode.context("its description has no [modes]")?,
            form,
            binary,
            settings: Vec::new(),
        };
        target.in_mode(&target.mode)
    }

    /// The same in another mode.
    ///
    /// # Errors
    /// When it has no such mode.
    pub(crate) fn in_mode(&self, mode: &str) -> anyhow::Result<Target> {
        if !self.form.modes.contains_key(mode) {
            let known: Vec<&str> = self.form.modes.keys().map(String::as_str).collect();
            bail!("{} has no mode `{mode}`; it has {}", self.name, known.join(", "));
        }
        let via = self.via.as_ref().map(|via| format!("@{via}")).unwrap_or_default();
        let program = self.binary.as_ref().map(|path| format!("={}", path.display()));
        let base = self.name.split([':', '@', '=']).next().unwrap_or_default();
        let name = format!("{base}:{mode}{via}{}", program.unwrap_or_default());
        Ok(Target { name, mode: mode.to_owned(), ..self.clone() })
    }

    /// How it is published to in its mode.
    pub(crate) fn publish(&self) -> &Publish {
        let own = self.form.modes.get(&self.mode).and_then(|mode| mode.publish.as_ref());
        own.unwrap_or(&self.form.publish)
    }

    /// The same with more settings; those that are not known to it must not be given.
    pub(crate) fn with(mut self, settings: &[(String, String)]) -> Target {
        self.settings.extend_from_slice(settings);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_description_that_is_built_in_can_be_read() {
        for (name, _) in BUILT_IN {
            let target = Target::parse(name).unwrap();
            for mode in target.form.modes.keys() {
                assert_eq!(target.in_mode(mode).unwrap().name, format!("{name}:{mode}"));
            }
        }
    }

    #[test]
    fn a_target_is_a_name_a_mode_and_a_program() {
        let target = Target::parse("tidings:fsync=old/tidings").unwrap();
        assert_eq!(target.name, "tidings:fsync=old/tidings");
        assert_eq!(target.mode, "fsync");
        assert_eq!(target.binary, Some(PathBuf::from("old/tidings")));
        assert_eq!(Target::parse("tidings").unwrap().mode, "volatile");
        let target = Target::parse("tidings@sse-raw").unwrap();
        assert_eq!(target.name, "tidings:volatile@sse-raw");
        assert_eq!(target.via.as_deref(), Some("sse-raw"));
        let target = Target::parse("rabbitmq:mqtt").unwrap();
        assert!(matches!(target.publish(), Publish::Mqtt { .. }));
        let target = target.in_mode("volatile").unwrap();
        assert!(matches!(target.publish(), Publish::Websocket { .. }));
        assert!(Target::parse("nats@sse").unwrap_err().to_string().contains("it is by ws"));
        assert!(Target::parse("tidings:odd").unwrap_err().to_string().contains("it has"));
        assert!(Target::parse("odd").unwrap_err().to_string().contains("no target"));
    }
}
