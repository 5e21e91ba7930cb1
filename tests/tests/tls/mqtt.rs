//! MQTT over TLS: the same machine behind the same handshake.

use std::sync::Arc;

use tidings_tests::{Authority, Server, Stream, Wire};

/// CONNECT of MQTT 3.1.1 for the client `c` with a clean session, and without a keep-alive.
const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01c";

/// SUBSCRIBE to `t` with QoS 0.
const SUBSCRIBE: &[u8] = b"\x82\x06\x00\x01\x00\x01t\x00";

/// PUBLISH of `first` to `t` with QoS 0.
const PUBLISH: &[u8] = b"\x30\x08\x00\x01tfirst";

#[test]
fn it_comes_over_tls() {
    let authority = Authority::new();
    let server = Server::secure(&authority, &[("MQTT_TLS_LISTEN", "127.0.0.1:0")]);
    let (mut stream, _) = Stream::sse(&server, "/t/t");
    let plain = authority.client();
    let mut polite = rustls::ClientConfig::clone(&plain);
    polite.alpn_protocols = vec![b"mqtt".to_vec()];
    for client in [plain, Arc::new(polite)] {
        let mut wire = Wire::connect(server.secure_mqtt()).secured(&client).unwrap();
        // All of it in one record.
        wire.send([CONNECT, SUBSCRIBE, PUBLISH].concat());
        assert_eq!(wire.read_exact(4), b"\x20\x02\x00\x00");
        assert_eq!(wire.read_exact(5), b"\x90\x03\x00\x01\x00");
        assert_eq!(wire.read_exact(PUBLISH.len()), PUBLISH);
        assert_eq!(stream.next_sse().json()["data"], "first");
        let large = "x".repeat(500_000);
        server.publish("t", &large);
        let head = wire.read_exact(1 + 3 + 3);
        assert_eq!(head[0], 0x30);
        assert!(wire.read_exact(large.len()) == large.as_bytes());
        stream.next_sse();
        // DISCONNECT.
        wire.send(b"\xe0\x00");
        wire.expect_end();
    }
}
