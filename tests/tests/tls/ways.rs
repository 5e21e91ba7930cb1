//! Every way of reading and publishing, over TLS as without.

use tidings_tests::{Authority, Http2, Reader, Server, Via};

#[test]
fn every_way_of_reading_comes_over_it() {
    let server = Server::secure(&Authority::new(), &[]);
    let first = server.publish("t", "before");
    for via in Via::ALL {
        let mut reader = Reader::open(&server, via, &["t"], "now");
        for payload in [via.name(), "last"] {
            server.publish("t", payload);
            assert_eq!(reader.read()["data"], payload, "{via:?}");
        }
        let mut reader = Reader::open(&server, via, &["t"], &first);
        assert_eq!(reader.read()["data"], Via::ALL[0].name(), "{via:?}");
    }
}

#[test]
fn http2_is_agreed_on() {
    let server = Server::secure(&Authority::new(), &[]);
    let mut http2 = Http2::connect(&server);
    let (mut stream, _) = http2.sse("/t/t");
    for number in 0..100 {
        let path = if number % 2 == 0 { "/t/t" } else { "/t/u" };
        let response = http2.ask("POST", path, &[], number.to_string().as_bytes());
        assert_eq!(response.status, 201, "{response:?}");
    }
    for number in 0..50 {
        assert_eq!(stream.next_sse().json()["data"], (number * 2).to_string());
    }
    // A body and an answer that are many records and many windows.
    let large = "x".repeat(1 << 20);
    for _ in 0..5 {
        assert_eq!(http2.ask("POST", "/t/large", &[], large.as_bytes()).status, 201);
    }
    let events = http2.get("/t/large?since=start").events();
    assert!(events.len() == 5 && events.iter().all(|event| event["data"] == large.as_str()));
}

#[test]
fn a_client_that_wants_no_http2_gets_none() {
    let authority = Authority::new();
    let mut client = rustls::ClientConfig::clone(&authority.client());
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    let server = Server::secure(&authority, &[]).over(&client.into());
    let mut wire = server.wire();
    assert_eq!(wire.tls().alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(wire.ask("GET", "/t/t", &[], b"").status, 200);
}

/// A client that agrees on nothing that is spoken here is told so in the handshake (RFC 7301
/// section 3.2).
#[test]
fn a_client_that_wants_something_else_gets_nothing() {
    let authority = Authority::new();
    let mut client = rustls::ClientConfig::clone(&authority.client());
    client.alpn_protocols = vec![b"xmpp-client".to_vec()];
    let server = Server::secure(&authority, &[]);
    let server = server.over(&client.into());
    let error = server.try_wire().err().map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("NoApplicationProtocol"), "{error}");
}
