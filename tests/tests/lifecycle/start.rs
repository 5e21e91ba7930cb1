//! The first words, a port that is taken, and health.

use tidings_tests::{Program, Server};

#[test]
fn it_says_where_it_is_and_what_to_type() {
    let server = Server::start();
    let (url, printed) = (server.url(), server.printed());
    let publish = format!("curl -d 'hello' {url}/t/demo");
    let subscribe = format!("curl -N -H 'Accept: text/event-stream' {url}/t/demo");
    for part in ["Tidings", &format!("{url}/"), &publish, &subscribe, "data"] {
        tidings_tests::until(&format!("it prints {part:?}"), || {
            server.printed().iter().any(|line| line.contains(part)).then_some(())
        });
    }
    assert!(printed.iter().all(|line| !line.contains('\u{1b}')), "colours in a pipe: {printed:?}");
}

#[test]
fn without_a_command_it_serves() {
    let program = Program::start(&["--listen", "127.0.0.1:0"], &[]);
    tidings_tests::until("it serves", || {
        program.printed().iter().any(|line| line.contains("http://127.0.0.1:")).then_some(())
    });
}

#[test]
fn every_interface_is_told_as_one_that_can_be_reached() {
    let program = Program::start(&["serve", "--listen", "0.0.0.0:0"], &[]);
    tidings_tests::until("it serves", || {
        program.printed().iter().any(|line| line.contains("http://127.0.0.1:")).then_some(())
    });
    assert!(program.printed().iter().all(|line| !line.contains("0.0.0.0")));
}

#[test]
fn a_port_that_is_taken_is_told_in_one_line() {
    let server = Server::start();
    let address = server.address().to_string();
    let finished = Program::start(&["serve", "--listen", &address], &[]).wait();
    assert!(finished.status.code().is_some_and(|code| code != 0), "{finished:?}");
    let [line] = finished.complained.as_slice() else { panic!("not one line: {finished:?}") };
    for part in [&address, "in use", "--listen", "TIDINGS_LISTEN"] {
        assert!(line.contains(part), "{part:?} is missing: {line}");
    }
    assert!(finished.printed.is_empty(), "{finished:?}");
    assert_eq!(server.get("/readyz").status, 200, "the first is untouched");
}

#[test]
fn it_tells_of_its_health() {
    let server = Server::start();
    let health = server.get("/healthz");
    assert_eq!((health.status, health.header("content-type")), (200, Some("application/json")));
    assert_eq!(health.header("cache-control"), Some("no-store, no-transform"));
    let json = health.json();
    assert_eq!(json["status"], "ok");
    assert!(json["version"].is_string() && json["connections"] == 1, "{json}");
    assert!(json["accepted"].is_u64() && json["refused"] == 0, "{json}");
    let ready = server.get("/readyz");
    assert_eq!((ready.status, &ready.json()["status"]), (200, &"ready".into()));
}
