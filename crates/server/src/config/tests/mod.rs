//! Precedence, every key from every source, and the table against its own output.

mod access;
mod errors;
mod namespaces;

use std::ffi::OsString;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tidings_model::Durability;

use super::keys::{KEYS, Kind, NAMESPACE_KEYS, Table};
use super::*;

/// A file of its own for each test, gone with it.
struct TempFile(PathBuf);

impl TempFile {
    fn new(text: impl AsRef<[u8]>) -> TempFile {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tidings-config-{}-{count}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::write(&path, text).unwrap();
        TempFile(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn env(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn flag(name: &'static str, key: &'static str, value: &str) -> Flag {
    Flag { name, key, value: value.to_owned() }
}

fn from_file(text: impl AsRef<[u8]>) -> Result<Config, String> {
    let file = TempFile::new(text);
    load(Some(&file.0), std::iter::empty(), Vec::new())
        .map(|loaded| loaded.config)
        .map_err(|errors| errors.to_string().replace(&file.0.display().to_string(), "tidings.toml"))
}

fn from_env(pairs: &[(&str, &str)]) -> Result<Config, String> {
    let loaded = load(None, env(pairs).into_iter(), Vec::new());
    loaded.map(|loaded| loaded.config).map_err(|errors| errors.to_string())
}

#[test]
fn a_later_source_wins() {
    let file = TempFile::new("listen = \"1.1.1.1:1\"\nthreads = 1\n[[namespace]]\nmatch = \"a\"");
    let variables = [("TIDINGS_LISTEN", "2.2.2.2:2"), ("TIDINGS_THREADS", "")];
    let flags = vec![flag("--listen", "listen", "3.3.3.3:3")];
    let listen = |file: Option<&TempFile>, variables: &[(&str, &str)], flags: &[Flag]| {
        let path = file.map(|file| file.0.as_path());
        load(path, env(variables).into_iter(), flags.to_vec()).unwrap().config
    };
    let address = |text: &str| text.parse::<SocketAddr>().unwrap();
    assert_eq!(listen(None, &[], &[]).listen, address("127.0.0.1:8080"));
    assert_eq!(listen(Some(&file), &[], &[]).listen, address("1.1.1.1:1"));
    assert_eq!(listen(Some(&file), &variables, &[]).listen, address("2.2.2.2:2"));
    assert_eq!(listen(Some(&file), &variables, &flags).listen, address("3.3.3.3:3"));
    // An empty variable is as good as none; an empty list is not.
    assert_eq!(listen(Some(&file), &variables, &[]).threads, 1);
    assert_eq!(listen(Some(&file), &[], &[]).namespaces.len(), 1);
    assert_eq!(listen(Some(&file), &[("TIDINGS_NAMESPACE", "[]")], &[]).namespaces, []);
    // Blanks around a value say nothing.
    let blank = [("TIDINGS_NAMESPACE", "  []\n"), ("TIDINGS_THREADS", " 5 ")];
    assert_eq!(listen(Some(&file), &blank, &[]).namespaces, []);
    assert_eq!(listen(Some(&file), &blank, &[]).threads, 5);
}

const USER: &str = "[{name = \"ann\", password = \"$argon2id$v=19$m=19456,t=2,p=1\
    $AQEBAQEBAQEBAQEBAQEBAQ$aAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]";

/// A value for each kind that is nobody's default, and as the file has it.
fn sample<T>(kind: &Kind<T>) -> &'static str {
    match kind {
        Kind::Address(_) => "[::1]:9",
        Kind::Port(_) => "[::1]:9",
        Kind::Name(_) => "other.example.com",
        Kind::Directory(_) => "/srv/tidings",
        Kind::File(_) => "/srv/file.pem",
        Kind::Count(..) => "321",
        Kind::Size(range, _) if *range.end() > 64 << 20 => "77MiB",
        Kind::Size(..) => "17KiB",
        Kind::Span(..) => "44s",
        Kind::Switch(_) => "false",
        Kind::Choice(names, _) => names[0],
        Kind::Url(_) => "https://push.example.com/live",
        Kind::Origins(_) => "https://A.example, http://localhost:3000",
        Kind::Text(..) | Kind::List(..) => panic!("only in tables"),
        Kind::Tables(Table::Namespace) => "[{match = \"chat/**\", publish = false}]",
        Kind::Tables(Table::Rule) => "[{who = [\"*\"], subscribe = [\"**\"]}]",
        Kind::Tables(Table::User) => USER,
        Kind::Tables(Table::Token) => "[{algorithm = \"EdDSA\", key = \"key.pem\"}]",
    }
}

#[test]
fn every_key_can_come_from_the_environment_and_the_file() {
    let default = Config::default();
    for key in KEYS {
        let value = match key.path {
            "logging.format" => "json",
            "access.certificates" => "none",
            "tls.client_certificates" => "optional",
            _ => sample(&key.kind),
        };
        // TLS has to be whole.
        let whole = [("TIDINGS_TLS_CERTIFICATE", "c"), ("TIDINGS_TLS_KEY", "k")];
        let env = key.env();
        let mut variables = vec![(env.as_str(), value)];
        let is_tls = key.path.contains("tls");
        variables.extend(whole.iter().filter(|(name, _)| is_tls && *name != env));
        let from_env = from_env(&variables).unwrap();
        assert_ne!(from_env, default, "{}", key.path);
        let quoted = match key.kind {
            Kind::Tables(_) => value.to_owned(),
            _ => format!("{value:?}"),
        };
        let rest = match (is_tls, key.path) {
            (false, _) => "",
            (true, "tls.certificate") => "tls.key = \"k\"",
            (true, "tls.key") => "tls.certificate = \"c\"",
            (true, _) => "tls.certificate = \"c\"\ntls.key = \"k\"",
        };
        assert_eq!(from_file(format!("{} = {quoted}\n{rest}", key.path)).unwrap(), from_env);
    }
}

#[test]
fn values_of_every_kind() {
    let config = from_file(
        "data = \"/srv/t\"\nhttp.allowed_origins = [\"https://A.example\", \"*\"]\n\
         http.header_bytes_max = 0x4000\nlimits.message_bytes = 70_000\ntimes.drain = 3\n\
         [logging]\nformat = \"json\"\n\
         [[namespace]]\nmatch = \"chat/*\"\ndurability = \"os\"\nmax_bytes = \"1GB\"\n\
         [[namespace]]\nmatch = \"chat/**\"\nsubscribe = false",
    )
    .unwrap();
    assert_eq!(config.data, Some("/srv/t".into()));
    assert_eq!(config.http.allowed_origins, ["https://a.example", "*"]);
    assert_eq!(config.http.header_bytes_max, 16 << 10);
    assert_eq!(config.limits.message_bytes, 70_000);
    assert_eq!(config.times.drain, Duration::from_secs(3));
    assert_eq!((config.logging.level, config.logging.format), ("info", LogFormat::Json));
    let [first, second] = &config.namespaces[..] else { panic!("{:?}", config.namespaces) };
    assert_eq!((first.filter.as_str(), second.filter.as_str()), ("chat/*", "chat/**"));
    let defaults = Config::default().otherwise;
    let durable = Rules { durability: Some(Durability::Os), max_bytes: 1_000_000_000, ..defaults };
    assert_eq!(first.rules, durable);
    assert_eq!(second.rules, Rules { subscribe: false, ..defaults });
    assert_eq!(config.otherwise, defaults);
}

#[test]
fn no_directory_is_a_word_of_its_own() {
    let data = |text: &str| from_file(format!("data = {text:?}")).unwrap().data;
    assert_eq!(data("none"), None);
    assert_eq!(data("./none"), Some("./none".into()));
    assert_eq!(from_env(&[("TIDINGS_DATA", " none ")]).unwrap().data, None);
    assert_eq!(from_env(&[("TIDINGS_DATA", "")]).unwrap().data, Config::default().data);
    let durable = "[[namespace]]\nmatch = \"a\"\ndurability = \"fsync\"";
    assert!(from_file(durable).is_ok(), "there is a directory unless it is taken away");
}

#[test]
fn a_public_url_has_a_host_and_nothing_behind_its_path() {
    let url = |text: &str| from_file(format!("http.public_url = {text:?}"));
    let set = |text: &str| url(text).unwrap().http.public_url;
    assert_eq!(set("https://push.example.com/"), Some("https://push.example.com/".into()));
    assert_eq!(set("http://[::1]:8080/a/b"), Some("http://[::1]:8080/a/b".into()));
    assert_eq!(set("none"), None);
    for wrong in ["", "push.example.com", "ftp://x", "https://", "https:///x", "https://a b"] {
        assert!(url(wrong).unwrap_err().contains("not a URL with a host"), "{wrong}");
    }
    for wrong in ["https://a?b", "https://a#b", "https://a\"b", "https://a<b", "javascript:x"] {
        assert!(url(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn the_defaults_as_promised() {
    let config = Config::default();
    assert_eq!(config.data, Some("tidings-data".into()), "durable unless told otherwise");
    assert_eq!(config.limits.memory, 1 << 30);
    assert_eq!(config.times.keep_alive, Duration::from_secs(75));
    assert_eq!(
        config.otherwise,
        Rules {
            durability: None,
            keep_last: false,
            max_messages: 100_000,
            max_bytes: 64 << 20,
            max_age: Duration::from_secs(86_400),
            publish: true,
            subscribe: true,
            jsonp: false,
            cache: Duration::ZERO,
        }
    );
}

#[test]
fn the_printed_configuration_is_the_default() {
    let text = render();
    assert_eq!(from_file(&text).unwrap(), Config::default());
    for key in KEYS {
        assert!(text.contains(&format!("# Environment: {}", key.env())), "{}", key.path);
        assert!(text.contains(key.doc), "{}", key.path);
        let name = match key.kind {
            Kind::Tables(_) => key.path,
            _ => key.path.rsplit('.').next().unwrap(),
        };
        assert!(
            text.lines().any(|line| line.trim_start_matches(['#', ' ', '[']).starts_with(name))
        );
    }
    // What is commented out is right, too.
    let all = text
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|_| !line.contains(": ")).unwrap_or(line))
        .filter(|line| line.contains(" = ") && !line.contains('{') || line.starts_with('['))
        .collect::<Vec<_>>()
        .join("\n");
    let config = from_file(&all).unwrap();
    assert_eq!(config.data, Some("tidings-data".into()), "{all}");
    assert_eq!(config.namespaces.len(), 1, "{all}");
    let access = &config.access;
    assert_eq!((access.rules.len(), access.users.len(), access.tokens.len()), (1, 1, 1), "{all}");
    assert_eq!(config.namespaces[0].rules, Config::default().otherwise);
}

#[test]
fn names_are_unique() {
    let mut names: Vec<String> = KEYS.iter().map(keys::Key::env).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), KEYS.len());
    assert_eq!(NAMESPACE_KEYS.len(), 9);
}

#[test]
fn strange_variables_are_only_warned_of() {
    let variables = env(&[
        ("TIDINGS_PORT", "tcp://10.0.0.1:8080"),
        ("TIDINGS_SERVICE_HOST", "10.0.0.1"),
        ("TIDINGS_LIMIT_MEMORY", "1GiB"),
        ("TIDINGS_URL", "http://localhost:8080"),
        ("TIDINGS_PASSWORD", "apple"),
        ("TIDINGS_TOKEN", "a.b.c"),
        ("TIDINGS_CONFIG", "tidings.toml"),
        ("PATH", "/bin"),
    ]);
    let loaded = load(None, variables.into_iter(), Vec::new()).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(
        loaded.warnings,
        [
            "environment variable TIDINGS_LIMIT_MEMORY is no setting of Tidings and is ignored; \
             did you mean TIDINGS_LIMITS_MEMORY?",
            "environment variable TIDINGS_PORT is no setting of Tidings and is ignored",
            "environment variable TIDINGS_SERVICE_HOST is no setting of Tidings and is ignored",
        ]
    );
}
