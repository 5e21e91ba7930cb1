//! The section `access`: what it takes, and errors in full.

use super::errors::check_file;
use super::{TempFile, from_file};
use crate::config::{Config, read_users};

#[test]
fn a_whole_section() {
    let config = from_file(
        "[access]\nanonymous = false\nusers = \"users.toml\"\n\
         [[access.rule]]\nwho = [\"user:ann\", \"group:staff\"]\npublish = [\"chat/**\"]\n\
         subscribe = [\"**\", \"inbox/{user}/**\"]\n\
         [[access.jwt]]\nalgorithm = \"ES256\"\nkey = \"k.pem\"\naudience = \"us\"\nleeway = \"5s\"",
    );
    let access = config.unwrap().access;
    assert!(!access.anonymous && access.is_set());
    assert_eq!(access.users_file.as_deref(), Some("users.toml".as_ref()));
    assert_eq!((access.rules.len(), access.rules[0].who.len()), (1, 2));
    assert_eq!((access.rules[0].publish.len(), access.rules[0].subscribe.len()), (1, 2));
    assert_eq!(access.tokens[0].audience.as_deref(), Some("us"));
    assert_eq!((access.tokens[0].issuer.as_deref(), access.tokens[0].leeway.as_secs()), (None, 5));
    assert!(!Config::default().access.is_set());
}

#[test]
fn errors_in_access() {
    for (text, error) in [
        (
            "[[access.rule]]\nwho = [\"ann\"]\npublish = [\"a\"]",
            "tidings.toml:2: access.rule 1: who = [\"ann\"]: \"ann\": names nobody; use \"*\" for \
             everybody, \"anonymous\", \"authenticated\", \"user:NAME\" or \"group:NAME\", in a list",
        ),
        (
            "[[access.rule]]\nwho = \"*\"\npublish = [\"a\"]",
            "tidings.toml:2: access.rule 1: who = \"*\": not a list; use \"*\" for everybody, \
             \"anonymous\", \"authenticated\", \"user:NAME\" or \"group:NAME\", in a list",
        ),
        (
            "[[access.rule]]\nwho = [\"*\"]\npublish = [\"inbox-{user}\"]",
            "tidings.toml:3: access.rule 1: publish = [\"inbox-{user}\"]: \"inbox-{user}\": `{user}` \
             must be a whole level: `inbox/{user}`, not `inbox-{user}`; use topic filters, such as \
             [\"chat/**\", \"inbox/{user}\"]",
        ),
        (
            "[[access.rule]]\npublish = [\"a\"]",
            "tidings.toml:1: access.rule 1: who is missing; \
             add whom it is for, such as who = [\"*\"]",
        ),
        (
            "\n[[access.rule]]\nwho = [\"*\"]",
            "tidings.toml:2: access.rule 1: publish or subscribe is missing; \
             add topics, such as subscribe = [\"**\"]",
        ),
        (
            "[[access.rule]]\nwho = [\"*\"]\nsubscribes = [\"a\"]\npublish = [\"a\"]",
            "tidings.toml:3: access.rule 1: subscribes = [\"a\"]: there is no such key; \
             did you mean subscribe?",
        ),
        (
            "[[access.jwt]]\nalgorithm = \"none\"\nkey = \"k\"",
            "tidings.toml:2: access.jwt 1: algorithm = \"none\": unknown; \
             use \"HS256\", \"RS256\", \"ES256\" or \"EdDSA\"",
        ),
        (
            "[[access.jwt]]\nalgorithm = \"ES256\"",
            "tidings.toml:1: access.jwt 1: key is missing; \
             add the path of the public key or secret, such as key = \"issuer.pem\"",
        ),
        (
            "[access]\nrules = 1",
            "tidings.toml:2: access.rules = 1: there is no such key; did you mean access.rule?",
        ),
    ] {
        check_file(text, error);
    }
}

#[test]
fn a_password_in_the_open_is_refused_and_not_repeated() {
    check_file(
        "[[access.user]]\nname = \"ann\"\npassword = \"hush\"",
        "tidings.toml:3: access.user 1: password = …: it is no PHC string of argon2; \
         use what `tidings user hash NAME` prints",
    );
}

#[test]
fn a_file_of_users() {
    let read = |text: &str| {
        let file = TempFile::new(text);
        let users = read_users(&file.0);
        users.map_err(|e| e.to_string().replace(&file.0.display().to_string(), "users.toml"))
    };
    assert_eq!(read("").unwrap(), []);
    let vouched = read("[[user]]\nname = \"device-7\"\ngroups = [\"pumps\"]").unwrap();
    assert_eq!((&*vouched[0].name, &*vouched[0].groups[0]), ("device-7", "pumps"));
    for (text, error) in [
        (
            "[[user]]\nname = \"ann\"",
            "users.toml:1: user 1: password is missing; use what `tidings user hash NAME` prints",
        ),
        (
            "[[users]]\nname = \"ann\"",
            "users.toml:1: users = …: there is no such key; a file of users has [[user]] tables only",
        ),
        (
            "[[user]]\nscram = 1",
            "users.toml:2: user 1: scram = …: not a text; use what `tidings user hash NAME` prints",
        ),
    ] {
        assert_eq!(read(text).unwrap_err(), error);
    }
}
