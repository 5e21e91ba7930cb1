//! The command line: `tidings serve | pub | sub | log | user | config`; without a command it is `serve`.
//! Must never do a command's work: each has its own file.

mod acks;
mod ask;
pub(crate) mod batches;
pub(crate) mod log;
pub(crate) mod notes;
pub(crate) mod output;
pub(crate) mod publish;
pub(crate) mod reader;
mod server;
pub(crate) mod stop;
pub(crate) mod subscribe;
pub(crate) mod user;

use std::path::PathBuf;
use std::time::Duration;

use ::http::{HeaderName, HeaderValue};
use clap::{Args, Parser, Subcommand};
use tidings_model::{Position, SessionName, Topic, TopicFilter, limits};

use crate::client::stream::Via;
use crate::config::{ConfigErrors, Flag, Loaded, load, parse_span};
use server::ServerArgs;

/// Takes a message once and gets it to everyone it is meant for.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: ServeArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server (also without a command)
    Serve(ServeArgs),
    /// Publish a message, or a message for each line
    Pub(PubArgs),
    /// Print the events of topics as they come
    Sub(SubArgs),
    /// Check, measure, export, import or back up what a server keeps on disk
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Make what a server is told of a user
    #[command(subcommand)]
    User(user::UserCommand),
    /// Print a configuration file with every key, its default and what it means
    Config,
}

impl Cli {
    /// The command that was given, or `serve`.
    pub(crate) fn command(self) -> Command {
        self.command.unwrap_or(Command::Serve(self.serve))
    }
}

/// Arguments of `tidings serve`.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ServeArgs {
    /// Address to listen on, such as 0.0.0.0:8080 [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Configuration file; `tidings config` prints one [env: TIDINGS_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory of everything that must outlive the process, or `none` [default: tidings-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Certificate in PEM, for https and wss; read again on SIGHUP
    #[arg(long, value_name = "FILE")]
    pub tls_cert: Option<String>,
    /// The certificate's private key in PEM
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<String>,
    /// Address to listen on for https and wss, with a certificate [default: port 8443 beside
    /// --listen]
    #[arg(long, value_name = "ADDRESS")]
    pub tls_listen: Option<String>,
}

impl ServeArgs {
    /// The configuration of this process: of its file, its environment and these flags.
    pub(crate) fn load(&self) -> Result<Loaded, ConfigErrors> {
        // As with all our variables, an empty one counts as not set.
        let from_env = std::env::var_os("TIDINGS_CONFIG").filter(|path| !path.is_empty());
        let file = self.config.clone().or(from_env.map(PathBuf::from));
        load(file.as_deref(), std::env::vars_os(), self.flags())
    }

    /// The flags that are configuration keys, those that were given.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        [
            ("--listen", "listen", &self.listen),
            ("--data", "data", &self.data),
            ("--tls-cert", "tls.certificate", &self.tls_cert),
            ("--tls-key", "tls.key", &self.tls_key),
            ("--tls-listen", "tls.listen", &self.tls_listen),
        ]
        .into_iter()
        .filter_map(|(name, key, value)| Some(Flag { name, key, value: value.clone()? }))
        .collect()
    }
}

/// Arguments of `tidings pub`.
#[derive(Clone, Debug, Args)]
pub(crate) struct PubArgs {
    /// Topic to publish to, such as chat/room1
    #[arg(value_parser = topic)]
    pub topic: Topic,
    /// The message; left out: standard input, to its end
    pub data: Option<String>,
    /// Take the message from a file
    #[arg(long, short, value_name = "FILE", conflicts_with = "data")]
    pub file: Option<PathBuf>,
    /// Each line of the input is a message of its own
    #[arg(long, short = 'n')]
    pub lines: bool,
    /// Event type [default: message]
    #[arg(long = "type", value_name = "TYPE")]
    pub event_type: Option<String>,
    /// Media type of the payload [default: JSON for a .json file, else text if it is UTF-8]
    #[arg(long, value_name = "TYPE", value_parser = header_value)]
    pub content_type: Option<HeaderValue>,
    /// How long the message is worth delivering, such as 90s, 15m, 2h
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub ttl: Option<Duration>,
    /// Conflation key: a reader that is behind may skip to the newest message of a key
    #[arg(long)]
    pub key: Option<String>,
    /// A header of the message; may be repeated
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = message_header)]
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Keep trying for so long when the server cannot answer [default: 30s with --lines, else 0s]
    #[arg(long, value_name = "SPAN", value_parser = span)]
    pub retry: Option<Duration>,
    /// Print nothing but errors
    #[arg(long, short)]
    pub quiet: bool,
    #[command(flatten)]
    /// Where the server is, and who asks it
    pub server: ServerArgs,
}

/// Arguments of `tidings sub`.
#[derive(Clone, Debug, Args)]
pub(crate) struct SubArgs {
    /// Topics or filters: chat/room1, chat/* (one level), chat/** (all below)
    #[arg(value_name = "TOPIC", required_unless_present = "session", value_parser = filter)]
    pub topics: Vec<TopicFilter>,
    /// Be this durable session, which the server remembers: it goes on where it was, also without
    /// topics
    #[arg(long, value_name = "NAME", value_parser = session)]
    pub session: Option<SessionName>,
    /// With --session: what arrives counts as dealt with when it is sent (auto), or when it is
    /// printed (explicit) [default: as the session was; a new one: auto]
    #[arg(long, value_enum, value_name = "HOW", requires = "session")]
    pub ack: Option<Ack>,
    /// Where to begin: `start`, `now`, or the position after which to go on [default: now]
    #[arg(long, value_name = "WHERE", value_parser = since, conflicts_with = "last")]
    pub since: Option<String>,
    /// Begin with the newest N events
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub last: Option<u32>,
    /// How to read: sse, ws and ndjson are streams; longpoll and poll are requests
    #[arg(long, value_enum, default_value = "sse", hide_possible_values = true)]
    pub via: Via,
    /// With --via poll: how long to wait between requests
    #[arg(long, value_name = "SPAN", value_parser = span, default_value = "1s")]
    pub interval: Duration,
    /// Print each payload alone, exactly as published, and a line feed
    #[arg(long, conflicts_with = "json")]
    pub raw: bool,
    /// Print each event as JSON on one line, exactly as received
    #[arg(long)]
    pub json: bool,
    /// End after so many events
    #[arg(short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    #[command(flatten)]
    /// Where the server is, and who asks it
    pub server: ServerArgs,
}

/// How a session acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Ack {
    /// By itself.
    Auto,
    /// By what is printed.
    Explicit,
}

impl Ack {
    /// The name, as the query parameter `ack` has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Ack::Auto => "auto",
            Ack::Explicit => "explicit",
        }
    }
}

/// Runs a client command. What still waits for standard input or output at its end is left
/// behind: it could wait forever.
fn on_own_runtime<T>(work: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let result = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(result)
}

fn topic(text: &str) -> Result<Topic, String> {
    Topic::new(text).map_err(|error| error.to_string())
}

fn filter(text: &str) -> Result<TopicFilter, String> {
    TopicFilter::new(text).map_err(|error| error.to_string())
}

fn session(text: &str) -> Result<SessionName, String> {
    SessionName::new(text).map_err(|error| error.to_string())
}

fn span(text: &str) -> Result<Duration, String> {
    parse_span(text).map_err(|_| "not a span such as 30s, 15m, 2h or whole seconds".to_owned())
}

fn since(text: &str) -> Result<String, String> {
    if !matches!(text, "start" | "now") && text.parse::<Position>().is_err() {
        return Err("neither `start` nor `now` nor a position that a server gave out".to_owned());
    }
    Ok(text.to_owned())
}

fn header_value(text: &str) -> Result<HeaderValue, String> {
    // UTF-8 is sent as it is, which the server understands.
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| "it holds a control character".to_owned())
}

fn message_header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) = text.split_once('=').ok_or("write it as NAME=VALUE")?;
    if name.is_empty() || name.len() > limits::HEADER_BYTES_MAX {
        return Err(format!("the name must be 1 to {} bytes long", limits::HEADER_BYTES_MAX));
    }
    let name = HeaderName::from_bytes(format!("tidings-header-{name}").as_bytes())
        .map_err(|_| "the name may only have letters, digits and !#$%&'*+-.^_`|~".to_owned())?;
    Ok((name, header_value(value)?))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(words: &str) -> Result<Command, String> {
        let words = std::iter::once("tidings").chain(words.split_whitespace());
        let cli = Cli::try_parse_from(words);
        cli.map(Cli::command).map_err(|error| error.to_string())
    }

    #[test]
    fn the_definition_is_sound() {
        <Cli as CommandFactory>::command().debug_assert();
    }

    #[test]
    fn no_command_is_serve() {
        for words in ["--listen 1.2.3.4:5 --data d", "serve --listen 1.2.3.4:5 --data d"] {
            let Ok(Command::Serve(args)) = parse(words) else { panic!("{words}") };
            let flags: Vec<_> = args
                .flags()
                .into_iter()
                .map(|f| format!("{} {}={}", f.name, f.key, f.value))
                .collect();
            assert_eq!(flags, ["--listen listen=1.2.3.4:5", "--data data=d"]);
        }
        let Ok(Command::Serve(args)) = parse("") else { panic!() };
        assert!(args.flags().is_empty());
    }

    #[test]
    fn what_a_wrong_argument_is_told() {
        for (words, first_line) in [
            (
                "pub a//b x",
                "error: invalid value 'a//b' for '<TOPIC>': the topic has an empty level \
                 (a `/` at an end, or two in a row)",
            ),
            (
                "pub a/* x",
                "error: invalid value 'a/*' for '<TOPIC>': the topic holds `*`, which is a \
                 wildcard and names no single topic",
            ),
            (
                "pub a --ttl soon",
                "error: invalid value 'soon' for '--ttl <SPAN>': not a span such as 30s, 15m, \
                 2h or whole seconds",
            ),
            (
                "pub a --header x",
                "error: invalid value 'x' for '--header <NAME=VALUE>': write it as NAME=VALUE",
            ),
            (
                "pub a --header ä=1",
                "error: invalid value 'ä=1' for '--header <NAME=VALUE>': the name may only have \
                 letters, digits and !#$%&'*+-.^_`|~",
            ),
            (
                "pub a x --file y",
                "error: the argument '[DATA]' cannot be used with '--file <FILE>'",
            ),
            (
                "sub a --since yesterday",
                "error: invalid value 'yesterday' for '--since <WHERE>': neither `start` nor \
                 `now` nor a position that a server gave out",
            ),
            (
                "sub a --url ftp://example.com",
                "error: invalid value 'ftp://example.com' for '--url <URL>': only http:// and \
                 https:// are spoken",
            ),
            (
                "sub a --since now --last 3",
                "error: the argument '--since <WHERE>' cannot be used with '--last <N>'",
            ),
            (
                "sub a --last 5000",
                "error: invalid value '5000' for '--last <N>': 5000 is not in 1..=1000",
            ),
            ("sub", "error: the following required arguments were not provided:"),
            ("sub a --ack explicit", "error: the following required arguments were not provided:"),
            (
                "sub --session a/b",
                "error: invalid value 'a/b' for '--session <NAME>': it holds `/` or `*`, or is \
                 `.` or `..`",
            ),
            (
                "sub a --user ann:b",
                "error: invalid value 'ann:b' for '--user <NAME>': no password can be sent for a \
                 name with a colon",
            ),
            (
                "pub a x --user ann --token t",
                "error: the argument '--user <NAME>' cannot be used with '--token <TOKEN>'",
            ),
            ("sub a --via pigeon", "error: invalid value 'pigeon' for '--via <VIA>'"),
        ] {
            let error = parse(words).unwrap_err();
            assert_eq!(error.lines().next(), Some(first_line), "{words}");
        }
    }
}
