//! The server's files, and the certificates of clients.

use tidings_tests::{Authority, Program, Server, Stream, Wire, request, until};

/// What a server says that does not start with these files.
#[track_caller]
fn refusal(certificate: &str, key: &str) -> String {
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--tls-listen", "127.0.0.1:0"];
    let files = ["--tls-cert", certificate, "--tls-key", key];
    let finished = Program::start(&[&arguments[..], &files].concat(), &[]).wait();
    assert!(!finished.status.success() && finished.printed.is_empty(), "{finished:?}");
    assert_eq!(finished.complained.len(), 1, "{finished:?}");
    finished.complained.join("\n")
}

#[test]
fn files_that_are_not_right_are_named() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (certificate, key) = (authority.certificate(), authority.key());
    let empty = authority.write("empty.pem", "nothing here\n");
    let damaged = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    let damaged = authority.write("damaged.pem", damaged);
    let open = "-----BEGIN CERTIFICATE-----\nMIIB\n";
    let open = authority.write("open.pem", open);
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let locked = authority.write("locked.pem", locked);
    for (certificate, key, named, why) in [
        ("/nowhere/cert.pem", key.as_str(), "/nowhere/cert.pem", "cannot read"),
        (&certificate, "/nowhere/key.pem", "/nowhere/key.pem", "cannot read"),
        (&empty, &key, &empty, "no certificate in"),
        (&certificate, &empty, &empty, "no private key in"),
        (&certificate, &certificate, &certificate, "no private key in"),
        (&key, &key, &key, "no certificate in"),
        (&certificate, &locked, &locked, "is encrypted"),
        (&damaged, &key, &damaged, "is not right"),
        (&open, &key, &open, "is not right"),
        (&certificate, &other.key(), &other.key(), "does not belong to"),
    ] {
        let said = refusal(certificate, key);
        assert!(said.contains(named) && said.contains(why), "{why}: {said}");
    }
}

#[test]
fn a_certificate_that_has_expired_is_warned_about() {
    let authority = Authority::new();
    authority.renew_until(2020);
    let server = Server::secure(&authority, &[]);
    until("it is warned about", || {
        let told = |line: &String| line.contains("has expired") && line.contains("2020");
        server.complained().iter().any(told).then_some(())
    });
    assert!(server.try_wire().is_err(), "a client took it");
}

/// The certificate that a server shows.
#[track_caller]
fn shown(wire: &mut Wire) -> Vec<u8> {
    let shown = wire.tls().peer_certificates().unwrap_or_default();
    shown.iter().flat_map(|certificate| certificate.to_vec()).collect()
}

/// A connection of a new client: one that comes again is shown nothing.
#[track_caller]
fn fresh(server: &Server, authority: &Authority) -> Wire {
    let wire = Wire::connect(server.secure_address()).secured(&authority.client());
    wire.unwrap_or_else(|error| panic!("no connection: {error}"))
}

#[test]
fn certificates_are_read_again() {
    let authority = Authority::new();
    let server = Server::secure(&authority, &[]);
    let (mut stream, _) = Stream::sse(&server, "/t/t");
    let before = shown(&mut fresh(&server, &authority));
    authority.renew();
    assert_eq!(shown(&mut fresh(&server, &authority)), before, "nobody has said so");
    server.reload();
    until("the new one is shown", || {
        (shown(&mut fresh(&server, &authority)) != before).then_some(())
    });
    let renewed = shown(&mut fresh(&server, &authority));
    authority.write("cert.pem", "half of a certificate");
    server.reload();
    until("it says that the new one is not right", || {
        let told = |line: &String| line.contains("cert.pem") && line.contains("remain in use");
        server.complained().iter().any(told).then_some(())
    });
    assert_eq!(shown(&mut fresh(&server, &authority)), renewed);
    server.publish("t", "x");
    assert_eq!(stream.next_sse().json()["data"], "x", "what is open goes on");
}

/// Whether a server answers this client. One without a certificate finds out when it reads.
#[track_caller]
fn is_served(server: &Server) -> bool {
    server.try_wire().is_ok_and(|mut wire| {
        let sent = wire.try_send(request("GET", "/t/t", &[], b""));
        sent.is_ok() && wire.try_head().is_some_and(|head| head.status == 200)
    })
}

#[test]
fn clients_may_be_asked_who_they_are() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (known, stranger) = (authority.identify("sensor-7"), other.identify("sensor-7"));
    for (client_certificates, without) in [("required", false), ("optional", true)] {
        let ca = authority.ca();
        let settings = [
            ("TLS_CLIENT_CA", ca.as_str()),
            ("TLS_CLIENT_CERTIFICATES", client_certificates),
            ("LOGGING_LEVEL", "debug"),
        ];
        let mut server = Server::secure(&authority, &settings);
        for (identity, served) in [(Some(&known), true), (None, without), (Some(&stranger), false)]
        {
            server = server.over(&authority.client_as(identity));
            assert_eq!(is_served(&server), served, "{client_certificates}");
        }
        until("its name is known", || {
            let told = |line: &String| line.contains("TLS client") && line.contains("CN=sensor-7");
            server.complained().iter().any(told).then_some(())
        });
    }
}

#[test]
fn half_of_it_is_no_tls() {
    let authority = Authority::new();
    let (certificate, key) = (authority.certificate(), authority.key());
    for (name, value, missing) in [
        ("TLS_CERTIFICATE", &certificate, "tls.key"),
        ("TLS_KEY", &key, "tls.certificate"),
        ("TLS_CLIENT_CA", &certificate, "tls.certificate"),
        ("TLS_LISTEN", &"127.0.0.1:1".to_owned(), "tls.certificate"),
    ] {
        let mut program = Program::start(&["serve", "--listen", "127.0.0.1:0"], &[(name, value)]);
        let finished = program.wait();
        assert_eq!(finished.status.code(), Some(2));
        let said = finished.complained.join("\n");
        assert!(said.contains(&format!("there is no {missing}")), "{said}");
    }
}
