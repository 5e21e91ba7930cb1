//! Short polling: ETags, and answers that are compressed where it is asked for and worth it.

use std::io::Read;

use flate2::read::GzDecoder;
use tidings_tests::Server;

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let server = Server::start();
    let first = server.publish("a", "1");
    let response = server.get("/t/a");
    let etag = response.header("etag").unwrap();
    assert_eq!(response.header("cache-control"), Some("no-cache, no-transform"));

    let list = format!("\"x\", {etag}, W/\"y\"");
    let strong = etag.trim_start_matches("W/").to_owned();
    for tags in [etag, "*", &list, &strong] {
        let again = server.ask("GET", "/t/a", &[("If-None-Match", tags)], b"");
        assert_eq!((again.status, again.header("etag")), (304, Some(etag)), "{tags}");
        assert_eq!(again.header("tidings-position"), Some(first.as_str()));
        assert_eq!(again.header("content-length"), None, "RFC 9110 section 8.6");
    }
    for tags in ["\"x\"", "W/\"x\"", ""] {
        let other = server.ask("GET", "/t/a", &[("If-None-Match", tags)], b"");
        assert_eq!(other.data(), ["1"], "{tags}");
    }
}

#[test]
fn the_tag_changes_with_the_events_and_only_with_them() {
    let server = Server::start();
    let none = server.get("/t/a");
    server.publish("b", "elsewhere");
    let still_none = server.get("/t/a");
    assert_eq!(none.header("etag"), still_none.header("etag"));
    server.publish("a", "1");
    let one = server.get("/t/a");
    assert_ne!(one.header("etag"), none.header("etag"));
    server.publish("a", "1");
    let two = server.get("/t/a");
    assert_ne!(two.header("etag"), one.header("etag"));
    let tag = [("If-None-Match", one.header("etag").unwrap())];
    assert_eq!(server.ask("GET", "/t/a", &tag, b"").data(), ["1", "1"]);
    let limited = server.get("/t/a?limit=1");
    assert_ne!(limited.header("etag"), two.header("etag"));
}

#[test]
fn a_304_leaves_the_connection_usable() {
    let server = Server::start();
    server.publish("a", "1");
    let mut wire = server.wire();
    let etag = wire.ask("GET", "/t/a", &[], b"").header("etag").unwrap().to_owned();
    for _ in 0..3 {
        assert_eq!(wire.ask("GET", "/t/a", &[("If-None-Match", &etag)], b"").status, 304);
    }
    assert_eq!(wire.ask("GET", "/t/a", &[], b"").data(), ["1"]);
}

#[test]
fn long_answers_are_compressed_where_it_is_asked_for() {
    let server = Server::start();
    server.publish("a", "long ".repeat(1000));
    let plain = server.get("/t/a");
    assert_eq!(plain.header("content-encoding"), None);
    assert!(plain.list("vary").contains(&"accept-encoding".to_owned()), "{plain:?}");
    for (coding, compressed) in [
        ("gzip", true),
        ("deflate, GZIP;q=0.5, br", true),
        ("gzip;q=0", false),
        ("identity", false),
        ("br", false),
    ] {
        let response = server.ask("GET", "/t/a", &[("Accept-Encoding", coding)], b"");
        let encoding = response.header("content-encoding");
        assert_eq!(encoding, compressed.then_some("gzip"), "{coding}");
        let mut body = Vec::new();
        if compressed {
            assert!(response.body.len() < plain.body.len() / 10);
            GzDecoder::new(&response.body[..]).read_to_end(&mut body).unwrap();
        } else {
            body = response.body;
        }
        assert_eq!(body, plain.body, "{coding}");
    }
    server.publish("short", "x");
    let short = server.ask("GET", "/t/short", &[("Accept-Encoding", "gzip")], b"");
    assert_eq!((short.header("content-encoding"), short.data()), (None, vec!["x".into()]));
}

#[test]
fn held_answers_are_compressed_too() {
    let server = Server::start();
    let mut wire = server.wire();
    let headers = [("Accept-Encoding", "gzip")];
    let position = server.get("/t/a").position();
    wire.send(tidings_tests::request(
        "GET",
        &format!("/t/a?wait=20&since={position}"),
        &headers,
        b"",
    ));
    server.await_connections(1);
    server.publish("a", "long ".repeat(1000));
    let response = wire.response("GET");
    assert_eq!(response.header("content-encoding"), Some("gzip"));
    let mut body = String::new();
    GzDecoder::new(&response.body[..]).read_to_string(&mut body).unwrap();
    assert!(body.contains("long long"), "{body}");
}
