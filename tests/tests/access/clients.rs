//! `tidings pub` and `tidings sub` as somebody: by a password, by a token; and what they make of not
//! being let in.

use serde_json::{Value, json};
use tidings_tests::{Finished, Program, Server};

use super::support::{ALL, Guarded, token};

const WAYS: [&str; 5] = ["sse", "ws", "longpoll", "poll", "ndjson"];

#[track_caller]
fn guarded() -> Guarded {
    Guarded::with(ALL, &[("ACCESS_ANONYMOUS", "false")])
}

/// What a client command makes of a server.
#[track_caller]
fn run(server: &Server, words: &[&str], settings: &[(&str, &str)]) -> Finished {
    Program::start(&[words, &["--url", &server.url()]].concat(), settings).wait()
}

#[test]
fn both_commands_log_in() {
    let Guarded { server, .. } = &guarded();
    let token = token("carol", 600, json!({}));
    let password = [("PASSWORD", "apple")];
    let variable = [("TOKEN", token.as_str())];
    // Who is named on the command line goes before whose token is in the environment.
    let two = [password[0], variable[0]];
    for (login, settings, user) in [
        (&["--user", "ann"][..], &password[..], "ann"),
        (&["--token", &token], &[], "carol"),
        (&[], &variable, "carol"),
        (&["--user", "ann"], &two, "ann"),
    ] {
        let published = run(server, &[&["pub", "t", user], login].concat(), settings);
        assert!(published.status.success(), "{published:?}");
        for via in WAYS {
            let read = ["sub", "t", "--last", "1", "-n", "1", "--json", "--via", via];
            let read = run(server, &[&read, login].concat(), settings);
            assert!(read.status.success(), "{via}: {read:?}");
            let event: Value = serde_json::from_str(&read.printed[0]).unwrap();
            assert_eq!((&event["data"], &event["from"]), (&json!(user), &json!(user)), "{via}");
        }
    }
}

/// Trying again would only make a wrong password look like an attack.
#[test]
fn who_is_not_let_in_is_told_and_does_not_come_back() {
    let Guarded { server, .. } = &guarded();
    let expired = token("carol", 0, json!({}));
    for (login, settings, why) in [
        (&[][..], &[][..], "credentials are needed"),
        (&["--user", "ann"], &[("PASSWORD", "pear")], "the user's name or the password is wrong"),
        (&["--token", &expired], &[], "the token has expired"),
    ] {
        let mut commands = vec![vec!["pub", "t", "x", "--retry", "1h"]];
        commands.extend(WAYS.map(|via| vec!["sub", "t", "--via", via]));
        for command in commands {
            let refused = run(server, &[&command, login].concat(), settings);
            assert_eq!(refused.status.code(), Some(1), "{command:?}: {refused:?}");
            let said = format!("error: {why} (see --user and --token)");
            assert_eq!(refused.complained, [said], "{command:?}");
        }
    }
}

#[test]
fn a_token_that_expires_ends_the_subscription() {
    let Guarded { server, .. } = &guarded();
    for via in ["sse", "ws", "ndjson"] {
        let token = token("carol", 2, json!({}));
        let ended = run(server, &["sub", "t", "--via", via, "--token", &token], &[]);
        assert_eq!(ended.status.code(), Some(1), "{via}: {ended:?}");
        let said = &ended.complained;
        assert!(said.iter().any(|line| line == "error: the token has expired"), "{via}: {said:?}");
        assert!(!said.iter().any(|line| line.contains("again")), "{via}: {said:?}");
    }
}
