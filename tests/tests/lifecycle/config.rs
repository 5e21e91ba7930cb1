//! Configuration: what is wrong is told in one line each, and what is right counts in its order.

use tidings_tests::{Finished, Folder, Program, Server, Socket};

/// A configuration file, in a folder of its own that goes with it.
struct File {
    path: String,
    _folder: Folder,
}

impl File {
    fn new(text: &str) -> File {
        let folder = Folder::new();
        let path = folder.path().join("tidings.toml").display().to_string();
        std::fs::write(&path, text).unwrap_or_else(|error| panic!("{path}: {error}"));
        File { path, _folder: folder }
    }
}

#[track_caller]
fn run(arguments: &[&str], settings: &[(&str, &str)]) -> Finished {
    let arguments = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
    Program::start(&arguments, settings).wait()
}

/// Expects one line on standard error with all of `parts`, nothing on standard output, and an
/// exit code that is not 0.
#[track_caller]
fn expect_complaint(finished: &Finished, parts: &[&str]) {
    assert!(finished.status.code().is_some_and(|code| code != 0), "{finished:?}");
    assert!(finished.printed.is_empty(), "{finished:?}");
    let [line] = finished.complained.as_slice() else { panic!("not one line: {finished:?}") };
    for part in parts {
        assert!(line.contains(part), "{part:?} is missing: {line}");
    }
}

#[test]
fn a_mistake_in_a_file_is_told_with_its_line() {
    for (text, line, parts) in [
        (
            "\n[limits]\nmessage_byte = \"1MiB\"\n",
            3,
            &["limits.message_byte", "\"1MiB\"", "limits.message_bytes"][..],
        ),
        ("[times]\n\n\nheartbeat = \"soon\"", 4, &["times.heartbeat", "\"soon\"", "15s"]),
        ("threads = 5000\n", 1, &["threads", "5000", "1024"]),
        ("\nlimits = 5\n", 2, &["limits", "5"]),
        ("[[namespace]]\nmatch = \"a/**\"\nmax_mesages = 1\n", 3, &["max_mesages", "max_messages"]),
        ("\n[[namespace]]\nmax_messages = 1\n", 2, &["match"]),
        ("[[namespace]]\nmatch = \"a//b\"\n", 2, &["match", "\"a//b\""]),
        (
            "[[namespace]]\nmatch = \"a\"\ndurability = \"fsync\"",
            3,
            &["durability", "fsync", "none", "--data"],
        ),
        ("listen = \"x\"\n[http\n", 2, &["TOML"]),
        ("listen = \"\"\"\na\nb\"\"\"\n", 1, &["listen"]),
    ] {
        let file = File::new(text);
        let finished = run(&["--config", &file.path], &[]);
        let place = format!("{}:{line}:", file.path);
        expect_complaint(&finished, &[&[place.as_str()], parts].concat());
    }
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let finished = run(&["--config", "/nowhere/tidings.toml"], &[]);
    expect_complaint(&finished, &["/nowhere/tidings.toml", "--config"]);
}

#[test]
fn a_mistake_in_the_environment_is_told_with_its_name() {
    for (name, value, parts) in [
        ("TIMES_HEARTBEAT", "0s", &["times.heartbeat", "0s"][..]),
        ("LIMITS_MEMORY", "lots", &["limits.memory", "lots"]),
        ("HTTP_ALLOWED_ORIGINS", "example.com", &["http.allowed_origins", "example.com"]),
        ("NAMESPACE", "[{match=\"a\", keep=1}]", &["keep"]),
        ("NAMESPACE", "chat", &["TOML"]),
        ("LOGGING_LEVEL", "loud", &["logging.level", "loud", "debug"]),
        ("LIMITS_BATCH_BYTES", "1KiB", &["limits.batch_bytes", "limits.message_bytes"]),
    ] {
        let finished = run(&[], &[(name, value)]);
        expect_complaint(&finished, &[&[format!("TIDINGS_{name}").as_str()], parts].concat());
    }
}

#[test]
fn a_mistake_on_the_command_line_is_told_with_its_flag() {
    let finished = Program::start(&["serve", "--listen", "nowhere"], &[]).wait();
    expect_complaint(&finished, &["--listen", "\"nowhere\"", "127.0.0.1:8080"]);
}

#[test]
fn all_mistakes_are_told_at_once() {
    let file = File::new("threads = -1\nfoo = 1\n");
    let finished = run(&["--config", &file.path], &[("TIMES_DRAIN", "never")]);
    assert_ne!(finished.status.code(), Some(0));
    assert_eq!(finished.complained.len(), 3, "{finished:?}");
    for (line, part) in
        finished.complained.iter().zip([":1: threads", ":2: foo", "TIDINGS_TIMES_DRAIN"])
    {
        assert!(line.contains(part), "{line}");
    }
}

#[test]
fn a_later_source_wins() {
    let heartbeat = |settings: &[(&str, &str)]| {
        let server = Server::with(settings);
        Socket::open(&server, "/ws").json()["heartbeatMs"].clone()
    };
    let file = File::new("listen = \"256.0.0.1:1\"\n[times]\nheartbeat = \"7s\"\n");
    let file = [("CONFIG", file.path.as_str())];
    assert_eq!(heartbeat(&[]), 15_000);
    // The flag wins over the file's address, which is none, only if that is not looked at.
    let broken = run(&[], &file);
    assert_ne!(broken.status.code(), Some(0), "a wrong value is told even where another wins");
    let good = File::new("listen = \"127.0.0.1:1\"\n[times]\nheartbeat = \"7s\"\n");
    let good = ("CONFIG", good.path.as_str());
    assert_eq!(heartbeat(&[good]), 7_000);
    assert_eq!(heartbeat(&[good, ("TIMES_HEARTBEAT", "9s"), ("LISTEN", "127.0.0.1:2")]), 9_000);
}

/// Kubernetes sets `TIDINGS_PORT` and more for a service of that name.
#[test]
fn variables_that_are_none_of_ours_do_no_harm() {
    let server = Server::with(&[("PORT", "tcp://10.0.0.1:80"), ("TIMES_HARTBEAT", "1s")]);
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn what_config_prints_is_a_configuration() {
    let finished = Program::start(&["config"], &[]).wait();
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    for part in ["[limits]", "message_bytes", "[times]", "heartbeat"] {
        assert!(finished.printed.iter().any(|line| line.contains(part)), "{part}: {finished:?}");
    }
    let file = File::new(&finished.printed.join("\n"));
    let server = Server::with(&[("CONFIG", file.path.as_str())]);
    assert_eq!(server.get("/readyz").status, 200);
}
