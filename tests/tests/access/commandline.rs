//! `tidings user hash`, and servers that are told wrong things of users and keys.

use tidings_tests::{Folder, Program};

use super::support::{key, user};

#[test]
fn a_user_is_printed_without_the_password() {
    let block = user("ann \"x\"", "apple pie", &["staff"]);
    let lines: Vec<&str> = block.lines().collect();
    assert_eq!(lines[0], "[[user]]");
    assert_eq!(lines[1], "name = 'ann \"x\"'");
    assert!(lines[2].starts_with("password = \"$argon2id$v=19$m=19456,t=2,p=1$"), "{block}");
    assert!(lines[3].starts_with("scram = \"SCRAM-SHA-256$15000:"), "{block}");
    assert_eq!(lines[4], "groups = [\"staff\"]");
    assert!(!block.contains("apple"));
    assert_ne!(block, user("ann \"x\"", "apple pie", &["staff"]), "salts are random");
}

#[test]
fn what_is_no_password_is_refused() {
    for (input, part) in [("", "1 to 1024 bytes"), ("\n", "1 to 1024 bytes")] {
        let mut program = Program::start(&["user", "hash", "ann"], &[]);
        program.write(input.as_bytes());
        program.close_input();
        let finished = program.wait();
        assert!(!finished.status.success() && finished.printed.is_empty(), "{finished:?}");
        assert!(finished.complained.join(" ").contains(part), "{finished:?}");
    }
    let finished = Program::start(&["user", "hash", ""], &[]).wait();
    assert!(!finished.status.success(), "{finished:?}");
}

#[test]
fn a_server_does_not_start_with_less_than_was_asked_for() {
    let folder = Folder::new();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name).display().to_string();
        std::fs::write(&path, text).unwrap();
        path
    };
    let twice = file("twice.toml", &[user("ann", "a", &[]), user("ann", "b", &[])].concat());
    let open = file("open.toml", "[[user]]\nname = \"ann\"\npassword = \"hush\"\n");
    let short = file("short.key", "secret\n");
    let missing = folder.path().join("missing").display().to_string();
    let rule = ("ACCESS_RULE", "[{who = [\"*\"], subscribe = [\"**\"]}]");
    let public = key("es256.pub.pem").display().to_string();
    let jwt =
        |algorithm: &str, key: &str| format!("[{{algorithm = \"{algorithm}\", key = \"{key}\"}}]");
    for (settings, parts) in [
        (vec![rule, ("ACCESS_USERS", &missing)], vec!["missing", "cannot be read"]),
        (vec![rule, ("ACCESS_USERS", &twice)], vec!["two users `ann`"]),
        (vec![rule, ("ACCESS_USERS", &open)], vec!["open.toml:3", "password", "tidings user hash"]),
        (vec![("ACCESS_ANONYMOUS", "false")], vec!["access.anonymous", "nobody could connect"]),
        (vec![("ACCESS_USERS", &file("none.toml", ""))], vec!["no rule", "[[access.rule]]"]),
        (vec![("ACCESS_JWT", &jwt("HS256", &short))], vec!["access.jwt 1", "32 bytes"]),
        (vec![("ACCESS_JWT", &jwt("HS256", &public))], vec!["access.jwt 1", "PEM", "secret"]),
        (
            vec![("ACCESS_JWT", &jwt("RS256", &public))],
            vec!["access.jwt 1", "no public key of RS256"],
        ),
        (vec![("ACCESS_JWT", &jwt("ES256", &missing))], vec!["access.jwt 1", "cannot be read"]),
    ] {
        let finished = Program::start(&["serve", "--listen", "127.0.0.1:0"], &settings).wait();
        assert_eq!(finished.status.code(), Some(2), "{settings:?}: {finished:?}");
        let complained = finished.complained.join("\n");
        for part in parts {
            assert!(complained.contains(part), "{part:?} is missing: {complained}");
        }
        assert!(!complained.contains("hush"), "{complained}");
    }
}
