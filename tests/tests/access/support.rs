//! Servers with users and keys, and what proves to them who one is.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tidings_tests::{Authority, Folder, Program, Server};

/// Everybody may do everything who is somebody.
pub(crate) const ALL: &str =
    "[{who = [\"authenticated\"], publish = [\"**\"], subscribe = [\"**\"]}]";

/// A server, and the folder with what it was told of users and keys.
pub(crate) struct Guarded {
    pub(crate) server: Server,
    pub(crate) folder: Folder,
}

impl Guarded {
    /// A server with these rules, and these settings besides; it knows ann, whose password is
    /// `apple`, bob, whose is `berry` and who is staff, and tokens that are signed by [`token`].
    #[track_caller]
    pub(crate) fn with(rules: &str, settings: &[(&str, &str)]) -> Guarded {
        Guarded::start(rules, settings, Server::with)
    }

    /// The same, over TLS with certificates of this authority.
    #[track_caller]
    pub(crate) fn secure(authority: &Authority, rules: &str, settings: &[(&str, &str)]) -> Guarded {
        let ca = authority.ca();
        let own = [("TLS_CLIENT_CA", ca.as_str()), ("MQTT_TLS_LISTEN", "127.0.0.1:0")];
        let settings = [&own[..], settings].concat();
        Guarded::start(rules, &settings, |settings| Server::secure(authority, settings))
    }

    #[track_caller]
    fn start(
        rules: &str,
        settings: &[(&str, &str)],
        start: impl FnOnce(&[(&str, &str)]) -> Server,
    ) -> Guarded {
        let folder = Folder::new();
        let users = [user("ann", "apple", &[]), user("bob", "berry", &["staff"])].concat();
        let file = folder.path().join("users.toml").display().to_string();
        std::fs::write(&file, users).unwrap_or_else(|error| panic!("{file}: {error}"));
        let jwt = format!(
            "[{{algorithm = \"EdDSA\", key = \"{}\", audience = \"tidings\", leeway = \"0s\"}}]",
            key("eddsa.pub.pem").display()
        );
        let own = [("ACCESS_USERS", file.as_str()), ("ACCESS_JWT", &jwt), ("ACCESS_RULE", rules)];
        let settings: Vec<_> = own.iter().chain(settings).copied().collect();
        Guarded { server: start(&settings), folder }
    }
}

/// The `[[user]]` block of a user, as the command makes it.
#[track_caller]
pub(crate) fn user(name: &str, password: &str, groups: &[&str]) -> String {
    let groups = groups.iter().flat_map(|group| ["--group", group]);
    let arguments: Vec<&str> = ["user", "hash", name].into_iter().chain(groups).collect();
    let mut program = Program::start(&arguments, &[]);
    program.write(format!("{password}\n").as_bytes());
    program.close_input();
    let finished = program.wait();
    assert!(finished.status.success(), "{finished:?}");
    finished.printed.join("\n") + "\n"
}

/// A key of the tests, which is for nothing else.
pub(crate) fn key(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../crates/access/tests/keys", name].iter().collect()
}

/// The header that brings a name and a password.
pub(crate) fn basic(user: &str, password: &str) -> (&'static str, String) {
    ("Authorization", format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
}

/// The header that brings a token.
pub(crate) fn bearer(token: &str) -> (&'static str, String) {
    ("Authorization", format!("Bearer {token}"))
}

/// A header as requests take it.
pub(crate) fn as_header<'a>(header: &'a (&'static str, String)) -> [(&'static str, &'a str); 1] {
    [(header.0, &header.1)]
}

/// Seconds since the Unix epoch.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A token of a user that lasts so many seconds, with these claims besides.
#[track_caller]
pub(crate) fn token(user: &str, seconds: u64, more: Value) -> String {
    let mut claims = json!({ "sub": user, "aud": "tidings", "exp": now() + seconds });
    if let (Value::Object(claims), Value::Object(more)) = (&mut claims, more) {
        claims.extend(more);
    }
    let pem = std::fs::read(key("eddsa.pem")).unwrap_or_else(|error| panic!("{error}"));
    EncodingKey::from_ed_pem(&pem)
        .and_then(|signing| encode(&Header::new(Algorithm::EdDSA), &claims, &signing))
        .unwrap_or_else(|error| panic!("{error}"))
}
