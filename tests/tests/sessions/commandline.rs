//! `tidings sub --session`: the command line as a durable session.

use std::sync::{Arc, Mutex, PoisonError};

use tidings_tests::{Finished, Program, Server, Via, Visit, Wish, until};

/// The ways that the command line knows.
const WAYS: [&str; 5] = ["sse", "ws", "ndjson", "longpoll", "poll"];

/// Runs `tidings sub` with these arguments to its end.
#[track_caller]
fn sub(server: &Server, arguments: &[&str]) -> Finished {
    start(server, arguments).wait()
}

#[track_caller]
fn start(server: &Server, arguments: &[&str]) -> Program {
    let url = server.url();
    Program::start(&[&["sub", "--raw", "--url", &url], arguments].concat(), &[])
}

#[test]
fn each_run_goes_on_where_the_last_one_was() {
    let server = Server::start();
    for via in WAYS {
        let topic = format!("t/{via}");
        server.publish_numbers(&topic, 0..10);
        let session = ["--via", via, "--session", via];
        let first =
            sub(&server, &[&session[..], &[&topic, "--since", "start", "-n", "3"]].concat());
        assert_eq!(first.printed, ["0", "1", "2"], "{via}: {first:?}");
        let second = sub(&server, &[&session[..], &["-n", "4"]].concat());
        assert_eq!(second.printed, ["3", "4", "5", "6"], "{via}: {second:?}");
        let explicit = ["-n", "2", "--ack", "explicit"];
        for expected in [["7", "8"], ["9", "10"]] {
            server.publish_numbers(&topic, 10..11);
            let next = sub(&server, &[&session[..], &explicit].concat());
            assert_eq!(next.printed, expected, "{via}: {next:?}");
            assert_eq!(next.status.code(), Some(0), "{via}: {next:?}");
        }
    }
}

#[test]
fn what_is_printed_is_acknowledged_while_it_runs() {
    let server = Server::start();
    for via in WAYS {
        let mut program =
            start(&server, &["t", "--session", via, "--ack", "explicit", "--via", via]);
        server.await_session(via, "is there", |_| true);
        for _ in 0..3 {
            let last = server.publish_numbers("t", 0..5);
            server.await_session(via, "is acknowledged", |session| {
                // A poll stands behind what it was answered, perhaps further on.
                session["position"] == last.as_str() || via.ends_with("poll")
            });
        }
        until("all is printed", || (program.printed().len() == 15).then_some(()));
        program.signal("TERM");
        let ended = program.wait();
        assert_eq!(ended.status.code(), Some(0), "{ended:?}");
        server.publish_numbers("t", 5..6);
        let mut visit = Visit::open(&server, Via::Sse, &Wish::new(via));
        assert_eq!(visit.take(1), [(serde_json::json!(5), 1)], "{via}: nothing is left before it");
    }
}

/// Killed at any moment it has lost nothing, and prints again no more than was not acknowledged.
#[test]
fn killing_it_loses_nothing() {
    let server = Server::start();
    for (turn, via) in WAYS.into_iter().enumerate() {
        let (name, topic) = (format!("s{turn}"), format!("t/{via}"));
        let mut positions = vec![server.publish(&topic, "before")];
        let wish = Wish::new(&name).topics(&[&topic]).explicit();
        Visit::open(&server, Via::Sse, &wish).leave(&server);
        let mut printed = 0;
        for run in 0..5 {
            let acked = server.session(&name)["position"].clone();
            let acked = positions.iter().position(|position| acked == position.as_str());
            let lines = Arc::new(Mutex::new(Vec::<usize>::new()));
            let keep = Arc::clone(&lines);
            let url = server.url();
            let arguments = ["sub", "--raw", "--session", &name, "--ack", "explicit", "--via", via];
            let arguments = [&arguments[..], &["--interval", "0s", "--url", &url]].concat();
            let mut program = Program::follow(&arguments, &[], move |line| {
                let number = line.parse().unwrap_or_else(|_| panic!("not a number: {line}"));
                keep.lock().unwrap_or_else(PoisonError::into_inner).push(number);
            });
            let count = || lines.lock().unwrap_or_else(PoisonError::into_inner).len();
            // Something comes before it is killed, and more while it is.
            while count() < 10 + 7 * run {
                positions.push(server.publish(&topic, positions.len().to_string()));
            }
            program.kill();
            let lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            let expected: Vec<usize> = (lines[0]..lines[0] + lines.len()).collect();
            assert_eq!(*lines, expected, "{via}, run {run}: in order and none twice");
            assert!(
                lines[0] <= printed + 1,
                "{via}, run {run}: behind {printed} came {}",
                lines[0]
            );
            if let Some(acked) = acked {
                assert_eq!(lines[0], acked + 1, "{via}, run {run}: what is acknowledged stays so");
            }
            printed = printed.max(lines[lines.len() - 1]);
        }
    }
}

#[test]
fn it_ends_when_another_becomes_the_session_or_it_is_deleted() {
    let server = Server::start();
    for via in ["sse", "ws", "ndjson", "longpoll"] {
        for (error, word) in [("taken over", "another connection"), ("deleted", "deleted")] {
            let name = format!("{via}-{}", &word[..3]);
            let arguments = ["t", "--session", &name, "--ack", "explicit", "--via", via];
            let mut program = start(&server, &arguments);
            server.await_connected(&name, true);
            let _other = if error == "deleted" {
                assert_eq!(server.ask("DELETE", &format!("/s/{name}"), &[], b"").status, 204);
                None
            } else {
                Some(Visit::open(&server, Via::Sse, &Wish::new(&name)))
            };
            let ended = program.wait();
            assert_eq!(ended.status.code(), Some(1), "{via}: {ended:?}");
            let [line] = ended.complained.as_slice() else {
                panic!("{via}: not one line: {ended:?}")
            };
            assert!(line.starts_with("error: ") && line.contains(word), "{via}: {line}");
        }
    }
}

#[test]
fn what_it_cannot_be_is_told() {
    let server = Server::start();
    for (arguments, code, part) in [
        (&["--session", "none"][..], 1, "there is no session `none`"),
        (&["--session", "a/b"], 2, "it holds `/` or `*`"),
        (&["t", "--ack", "explicit"], 2, "--session <NAME>"),
        (&["t", "--session", "s", "--ack", "never"], 2, "possible values: auto, explicit"),
        (&[], 2, "<TOPIC>"),
    ] {
        let ended = sub(&server, arguments);
        assert_eq!(ended.status.code(), Some(code), "{ended:?}");
        assert!(ended.complained.join("\n").contains(part), "{part}: {ended:?}");
    }
    assert_eq!(server.session_names(), [""; 0]);
}
