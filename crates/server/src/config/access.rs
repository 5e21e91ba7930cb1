//! The section `access`: users, rules and keys of tokens, and the tables they are read from. Must never
//! show a password or its hash, however wrong it is.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tidings_access::{Algorithm, PasswordHash, Pattern, Rule, ScramCredential, User, Users};

use super::error::{ConfigError, ConfigErrors, Shown};
use super::keys::Kind::{Choice, File, List, Span, Text};
use super::keys::{Key, key};
use super::raw::{self, Table};
use super::resolve::{advice, set};
use super::values::Wrong;

/// Most tables of each kind: rules are looked through at each login, keys are tried for each token,
/// users are read into memory.
const RULES_MAX: usize = 1000;
const TOKENS_MAX: usize = 32;
const USERS_MAX: usize = 10_000;

/// Keys of the section `access`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Access {
    /// Whether who brings no credentials may connect.
    pub anonymous: bool,
    /// Whether a client's certificate says which user it is.
    pub certificates: bool,
    /// A file of users.
    pub users_file: Option<PathBuf>,
    /// Users of the configuration itself.
    pub users: Vec<User>,
    /// Who may do what.
    pub rules: Vec<Rule>,
    /// Keys that tokens may be signed with.
    pub tokens: Vec<Token>,
}

impl Access {
    /// Whether the operator has said who may do what; else everybody may do everything.
    pub(crate) fn is_set(&self) -> bool {
        // What certificates say counts only where something else says what users may do.
        let Access { anonymous, certificates: _, users_file, users, rules, tokens } = self;
        !(*anonymous
            && users_file.is_none()
            && users.is_empty()
            && rules.is_empty()
            && tokens.is_empty())
    }
}

/// One `[[access.jwt]]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    /// How tokens are signed.
    pub algorithm: Option<Algorithm>,
    /// The file with the key or the secret.
    pub key: Option<PathBuf>,
    /// Who must have issued them.
    pub issuer: Option<Box<str>>,
    /// Whom they must be for.
    pub audience: Option<Box<str>>,
    /// The claim with the groups.
    pub groups_claim: Box<str>,
    /// How far clocks may differ.
    pub leeway: Duration,
}

/// The keys of an `[[access.rule]]` table, with examples for defaults.
#[rustfmt::skip] // it is read as a table
pub(super) static RULE_KEYS: &[Key<Rule>] = &[
    key("who", "[\"user:ann\", \"group:staff\"]", List(|rule, text| {
            rule.who.push(text.parse().map_err(|_| shown(text, "names nobody"))?);
            Ok(())
        }, "\"*\" for everybody, \"anonymous\", \"authenticated\", \"user:NAME\" or \"group:NAME\", in a list"),
        "Whom it is for: \"*\" is everybody, \"anonymous\" whoever brings no credentials, \"authenticated\" whoever does. Required."),
    key("publish", "[\"chat/**\"]", List(|rule, text| add(&mut rule.publish, text),
        "topic filters, such as [\"chat/**\", \"inbox/{user}\"]"),
        "Topics they may publish to. {user} and {client} stand for a level: the user's name, the client's own."),
    key("subscribe", "[\"chat/**\", \"inbox/{user}/**\"]", List(|rule, text| add(&mut rule.subscribe, text),
        "topic filters, such as [\"chat/**\", \"inbox/{user}\"]"),
        "Topics they may read."),
];

/// The keys of an `[[access.user]]` table, and of `[[user]]` in a file of users.
#[rustfmt::skip] // it is read as a table
pub(super) static USER_KEYS: &[Key<User>] = &[
    key("name", "ann", Text(|user, text| {
            Users::check_name(text).map_err(|error| error.to_string())?;
            user.name = text.into();
            Ok(())
        }, "a name such as \"ann\""),
        "The user's name. Required."),
    key("password", "$argon2id$v=19$m=19456,t=2,p=1$c2FsdCBmb3IgYW5u$W5cIGDbYsyvDpwZpjMJbZTfEbYxmlVhmI3L7yIo3XZM", Text(|user, text| {
            user.password = Some(PasswordHash::new(text).map_err(|error| error.to_string())?);
            Ok(())
        }, "what `tidings user hash NAME` prints"),
        "For logins by password: its hash, as `tidings user hash ann` prints it."),
    key("scram", "SCRAM-SHA-256$15000:c2FsdCBmb3IgYW5u$BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBA=:CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCA=", Text(|user, text| {
            let scram: ScramCredential = text.parse().map_err(|_| "no credential of SCRAM-SHA-256")?;
            user.scram = Some(scram);
            Ok(())
        }, "what `tidings user hash NAME` prints"),
        "For logins by SCRAM-SHA-256, which never send the password."),
    key("groups", "[\"staff\"]", List(|user, text| {
            let mut groups = std::mem::take(&mut user.groups).into_vec();
            groups.push(text.into());
            user.groups = groups.into();
            Ok(())
        }, "names in a list, such as [\"staff\"]"),
        "The groups that rules may name."),
];

/// The keys of an `[[access.jwt]]` table.
#[rustfmt::skip] // it is read as a table
pub(super) static TOKEN_KEYS: &[Key<Token>] = &[
    key("algorithm", "ES256", Choice(&["HS256", "RS256", "ES256", "EdDSA"], |token, name| {
            token.algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        }),
        "How tokens are signed; no token can choose another. Required."),
    key("key", "issuer.pem", File(|token| &mut token.key),
        "The file with the public key in PEM, or with the secret of HS256. Required."),
    key("issuer", "https://login.example.com", Text(|token, text| {
            token.issuer = Some(text.into());
            Ok(())
        }, "a text such as \"https://login.example.com\""),
        "Who must have issued it (iss); left out: anybody who has the key."),
    key("audience", "tidings", Text(|token, text| {
            token.audience = Some(text.into());
            Ok(())
        }, "a text such as \"tidings\""),
        "Whom it must be for (aud); left out: nobody in particular."),
    key("groups_claim", "groups", Text(|token, text| {
            token.groups_claim = text.into();
            Ok(())
        }, "the name of a claim, such as \"groups\""),
        "The claim with the list of the user's groups."),
    key("leeway", "60s", Span(0..=600, |token| &mut token.leeway),
        "How far the clocks of issuer and server may differ."),
];

fn add(patterns: &mut Vec<Pattern>, text: &str) -> Result<(), Wrong> {
    patterns.push(Pattern::new(text).map_err(|error| shown(text, &error.to_string()))?);
    Ok(())
}

fn shown(text: &str, wrong: &str) -> Wrong {
    format!("\"{}\": {wrong}", text.escape_debug()).into()
}

/// What `[[access.rule]]` tables say.
pub(super) fn rules(tables: Vec<Table<'_>>, errors: &mut Vec<ConfigError>) -> Vec<Rule> {
    read("access.rule", RULES_MAX, tables, RULE_KEYS, errors, Rule::default, |rule| match rule {
        Rule { who, .. } if who.is_empty() => {
            Some(("who", "add whom it is for, such as who = [\"*\"]"))
        }
        Rule { publish, subscribe, .. } if publish.is_empty() && subscribe.is_empty() => {
            Some(("publish or subscribe", "add topics, such as subscribe = [\"**\"]"))
        }
        _ => None,
    })
}

/// What `[[access.user]]` tables say, or those of a file.
pub(super) fn users(
    what: &str,
    tables: Vec<Table<'_>>,
    errors: &mut Vec<ConfigError>,
) -> Vec<User> {
    const HASH: &str = "use what `tidings user hash NAME` prints";
    let new = || User { name: "".into(), password: None, scram: None, groups: Box::default() };
    read(what, USERS_MAX, tables, USER_KEYS, errors, new, |user| match user {
        User { name, .. } if name.is_empty() => Some(("name", HASH)),
        // Whoever others vouch for needs no password here to be in a group.
        User { password: None, scram: None, groups, .. } if groups.is_empty() => {
            Some(("password", HASH))
        }
        _ => None,
    })
}

/// What `[[access.jwt]]` tables say.
pub(super) fn tokens(tables: Vec<Table<'_>>, errors: &mut Vec<ConfigError>) -> Vec<Token> {
    let new = || Token {
        algorithm: None,
        key: None,
        issuer: None,
        audience: None,
        groups_claim: "groups".into(),
        leeway: Duration::from_secs(60),
    };
    read("access.jwt", TOKENS_MAX, tables, TOKEN_KEYS, errors, new, |token| match token {
        Token { algorithm: None, .. } => {
            Some(("algorithm", "add how tokens are signed, such as algorithm = \"ES256\""))
        }
        Token { key: None, .. } => {
            Some(("key", "add the path of the public key or secret, such as key = \"issuer.pem\""))
        }
        _ => None,
    })
}

/// The users in the file at `path`.
///
/// # Errors
/// Every mistake in it.
pub(crate) fn read_users(path: &Path) -> Result<Vec<User>, ConfigErrors> {
    let one = |error| ConfigErrors(vec![error]);
    let text = raw::read(path).map_err(one)?;
    let (tables, others) = raw::users(path, &text).map_err(one)?;
    let unknown = |entry: raw::Entry<'_>| ConfigError::Unknown {
        origin: entry.origin,
        key: entry.path,
        value: Shown::hidden(),
        advice: "a file of users has [[user]] tables only".to_owned(),
    };
    let mut errors: Vec<ConfigError> = others.into_iter().map(unknown).collect();
    let users = users("user", tables, &mut errors);
    if errors.is_empty() { Ok(users) } else { Err(ConfigErrors(errors)) }
}

/// What tables of one kind say, each checked for what it lacks.
fn read<T>(
    what: &str,
    most: usize,
    tables: Vec<Table<'_>>,
    keys: &'static [Key<T>],
    errors: &mut Vec<ConfigError>,
    new: impl Fn() -> T,
    lacks: impl Fn(&T) -> Option<(&'static str, &'static str)>,
) -> Vec<T> {
    let mut all = Vec::new();
    for (index, table) in tables.into_iter().enumerate() {
        let name = format!("{what} {}", index + 1);
        if index == most {
            errors.push(ConfigError::TooMany { origin: table.origin, key: name, most });
            break;
        }
        let (mut one, before) = (new(), errors.len());
        for entry in table.entries {
            let path = format!("{name}: {}", entry.path);
            match keys.iter().find(|key| key.path == entry.path) {
                Some(key) => errors.extend(set(key, &mut one, &entry, &path).err()),
                None => {
                    let names = keys.iter().map(|key| key.path);
                    let all = names.clone().collect::<Vec<_>>().join(", ");
                    let advice = advice(&entry.path, names, || format!("it has {all}"));
                    let (origin, value) = (entry.origin, Shown::new(&entry.value));
                    errors.push(ConfigError::Unknown { origin, key: path, value, advice });
                }
            }
        }
        // What is there and wrong is not missing.
        if errors.len() == before
            && let Some((what, advice)) = lacks(&one)
        {
            errors.push(ConfigError::Missing { origin: table.origin, key: name, what, advice });
        }
        all.push(one);
    }
    all
}
