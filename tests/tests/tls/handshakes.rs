//! Handshakes that succeed, that go on with an earlier one, and that come to nothing.

use rustls::HandshakeKind;
use tidings_tests::{Authority, Program, Server, Stream, Wire, request, until};

/// What `/healthz` counts.
#[track_caller]
fn count(server: &Server, name: &str) -> u64 {
    let health = server.get("/healthz").json();
    health[name].as_u64().unwrap_or_else(|| panic!("no {name} in {health}"))
}

#[test]
fn a_client_that_comes_again_needs_no_signature() {
    let authority = Authority::new();
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        let client = authority.client_of(version);
        let server = Server::secure(&authority, &[]).over(&client);
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
            let mut wire = server.wire();
            // The ticket for the next time comes before the answer.
            assert_eq!(wire.ask("GET", "/t/t", &[], b"").status, 200);
            let shown = wire.tls().handshake_kind();
            // The first message of a new exchange of keys may be asked for again.
            let is_full = matches!(
                shown,
                Some(HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest)
            );
            assert_eq!(is_full, kind == HandshakeKind::Full, "{version:?}: {shown:?}");
        }
        assert!(count(&server, "handshakes_resumed") >= 2);
    }
}

#[test]
fn a_client_that_stops_in_the_middle_is_cut() {
    let server = Server::secure(&Authority::new(), &[("HTTP_HEAD_WAIT", "1s")]);
    let failed = count(&server, "handshakes_failed");
    let begun = [22, 3, 1, 2, 0, 1, 0];
    let mut silent = ["", "begun"].map(|kind| {
        let mut wire = Wire::connect(server.secure_address());
        wire.send(if kind == "begun" { &begun[..] } else { b"" });
        wire
    });
    for wire in &mut silent {
        wire.expect_end();
    }
    assert_eq!(count(&server, "handshakes_failed"), failed + 2);
    server.await_connections(0);
}

#[test]
fn what_is_no_handshake_is_refused() {
    let server = Server::secure(&Authority::new(), &[]);
    let mut wire = Wire::connect(server.secure_address());
    // A record of the right kind with a message of none.
    wire.send(b"\x16\x03\x01\x00\x04\x63\x00\x00\x00");
    let told = wire.read_to_end();
    assert_eq!(told.first(), Some(&21), "no alert, but {}", told.escape_ascii());
    let failed = count(&server, "handshakes_failed");
    assert_eq!(failed, 1);
}

#[test]
fn who_forgets_the_s_is_told() {
    let server = Server::secure(&Authority::new(), &[]);
    for method in ["GET", "POST"] {
        let mut wire = Wire::connect(server.secure_address());
        wire.send(request(method, "/t/t", &[], b"x"));
        wire.response(method).expect_problem(400, "tls_needed");
        wire.expect_end();
    }
    server.await_connections(0);
}

#[test]
fn a_handshake_does_not_hold_the_end_up() {
    let settings = [("HTTP_HEAD_WAIT", "5m"), ("TIMES_DRAIN", "1h")];
    let mut server = Server::secure(&Authority::new(), &settings);
    let mut wire = Wire::connect(server.secure_address());
    wire.send([22, 3, 1]);
    server.await_connections(1);
    server.terminate();
    assert!(server.wait().success());
    wire.read_to_end();
}

#[test]
fn one_too_many_gets_no_handshake() {
    let server = Server::secure(&Authority::new(), &[("LIMITS_CONNECTIONS", "2")]);
    let (mut stream, _) = Stream::sse(&server, "/t/t");
    let (_second, _) = Stream::sse(&server, "/t/t");
    assert!(server.try_wire().is_err());
    drop(_second);
    until("there is room", || server.try_wire().ok());
    until("there is room", || {
        let mut wire = server.try_wire().ok()?;
        wire.try_send(request("POST", "/t/t", &[], b"x")).ok()?;
        (wire.try_head()?.status == 201).then_some(())
    });
    assert_eq!(stream.next_sse().json()["data"], "x");
}

#[test]
fn why_a_handshake_failed_is_logged_for_who_asks() {
    let authority = Authority::new();
    let server = Server::secure(&authority, &[("LOGGING_LEVEL", "debug")]);
    let stranger = Authority::new().client();
    let server = server.over(&stranger);
    assert!(server.try_wire().is_err(), "a client took a certificate of nobody it knows");
    until("it is logged", || {
        let complained = server.complained();
        let told =
            |line: &String| line.contains("no TLS handshake") && line.contains("fatal alert");
        complained.iter().any(told).then_some(())
    });
}

#[test]
fn a_port_that_is_taken_is_told_as_that_of_tls() {
    let authority = Authority::new();
    let server = Server::start();
    let address = server.address().to_string();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--tls-listen", &address];
    let files = ["--tls-cert", &authority.certificate(), "--tls-key", &authority.key()];
    let finished = Program::start(&[&arguments[..], &files].concat(), &[]).wait();
    let complained = finished.complained.join("\n");
    assert!(complained.contains("--tls-listen"), "{complained}");
}
