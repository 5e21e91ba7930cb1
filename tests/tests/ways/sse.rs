//! Server-Sent Events to the letter (WHATWG HTML section 9.2): coming back, being stopped, and
//! payloads that want to be fields.

use tidings_tests::{Server, Sse, Stream};

use super::{HOSTILE, ORIGINS};

/// The event's data as the standard has it: CR, LF and CRLF each end a line.
fn joined(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

#[test]
fn no_payload_is_anything_but_data() {
    let server = Server::start();
    let (mut stream, _) = Stream::sse(&server, "/t/a");
    let (mut raw, _) = Stream::sse(&server, "/t/a?data=raw");
    let types = ["message", "a: b", " x", "data", ":", "id", "ä\u{feff}"];
    for (payload, kind) in HOSTILE.into_iter().zip(types.into_iter().cycle()) {
        let response = server.post("a", &[("Tidings-Type", kind)], payload);
        let kind = kind.trim();
        let position = response.position();
        let (event, raw) = (stream.next_sse(), raw.next_sse());
        for event in [&event, &raw] {
            assert_eq!(event.id.as_deref(), Some(position.as_str()));
            assert_eq!((event.event.as_deref(), &event.retry), (Some(kind), &None));
        }
        match std::str::from_utf8(payload) {
            Ok(text) => {
                assert_eq!(event.json()["data"], text);
                assert_eq!(raw.data, joined(text), "{text:?}");
            }
            Err(_) => {
                assert_eq!(event.json()["encoding"], "base64");
                assert_eq!(event.json()["data"], raw.data);
            }
        }
    }
}

#[test]
fn types_that_would_break_a_field_are_refused() {
    let server = Server::start();
    for kind in ["a%0Ab", "a%0Db", "a%00b", "%0A", "a%C2%85b", "gap", "error"] {
        let response = server.ask("POST", &format!("/t/a?type={kind}"), &[], b"x");
        response.expect_problem(400, "bad_type");
    }
}

#[test]
fn what_a_stream_begins_with_is_no_byte_order_mark() {
    let server = Server::start();
    let mut stream = Stream::open(&server, "/t/a?via=sse", &[]);
    let content_type = stream.head.header("content-type");
    assert_eq!(content_type, Some("text/event-stream"));
    assert_eq!(stream.line().as_deref(), Some("retry: 1000"));
    let mut stream = Stream::open(&server, "/t/a?via=sse&padding=2048", &[]);
    assert_eq!(stream.line(), Some(format!(":{}", " ".repeat(2048))));
    assert_eq!(stream.line().as_deref(), Some("retry: 1000"));
}

#[test]
fn a_polyfill_says_in_the_query_what_it_saw_last() {
    let server = Server::start();
    let [first, second, _] = ["1", "2", "3"].map(|data| server.publish("a", data));
    let data = |query: &str, headers: &[(&str, &str)]| {
        let target = format!("/t/a?via=sse&{query}");
        let mut stream = Stream::open(&server, &target, headers);
        assert_eq!(stream.next_sse().event.as_deref(), Some("ready"));
        stream.next_sse().json()["data"].clone()
    };
    for name in ["lastEventId", "Last-Event-ID"] {
        assert_eq!(data(&format!("{name}={first}"), &[]), "2");
        assert_eq!(data(&format!("since=start&{name}={second}"), &[]), "3", "the URL is repeated");
        assert_eq!(data(&format!("last=3&{name}="), &[]), "1", "nothing was seen yet");
        let header = [("Last-Event-ID", second.as_str())];
        assert_eq!(data(&format!("{name}={first}"), &header), "3", "the header is newer");
        let target = format!("/t/a?via=sse&{name}=nonsense");
        server.get(&target).expect_problem(400, "bad_position");
    }
    assert_eq!(data("since=start", &[("Last-Event-ID", "")]), "1");
}

/// Comes back as a browser does, saying which id it saw last.
#[track_caller]
fn expect_stop(server: &Server, target: &str, last: &Sse) {
    let id = last.id.as_deref().unwrap_or_default();
    let headers = [("Accept", "text/event-stream"), ("Last-Event-ID", id)];
    let response = server.ask("GET", target, &headers, b"");
    assert_eq!((response.status, response.body.len()), (204, 0), "{response:?}");
    assert_eq!(response.header("cache-control"), Some("no-store, no-transform"));
    let response = server.get(&format!("{target}&via=sse&lastEventId={id}"));
    assert_eq!(response.status, 204, "{response:?}");
}

#[test]
fn a_reader_of_a_session_that_was_deleted_is_stopped() {
    let server = Server::start();
    let target = "/t/a?session=s";
    let (mut stream, ready) = Stream::sse(&server, target);
    assert_eq!(server.ask("DELETE", "/s/s", &[], b"").status, 204);
    let goodbye = stream.next_sse();
    assert_eq!(goodbye.json()["reason"], "session_deleted");
    stream.expect_end();
    expect_stop(&server, target, &goodbye);
    // Stopping it did not make the session again.
    server.get("/s/s").expect_problem(404, "session_unknown");
    // One that was away, and so was not told, begins it anew where it was.
    let id = ready.id.unwrap_or_default();
    let headers = [("Accept", "text/event-stream"), ("Last-Event-ID", id.as_str())];
    let mut stream = Stream::open(&server, target, &headers);
    assert_eq!(stream.next_sse().event.as_deref(), Some("ready"));
    assert_eq!(server.get("/s/s").status, 200);
}

#[test]
fn of_two_readers_of_one_session_the_first_is_stopped() {
    let server = Server::start();
    let target = "/t/a?session=s";
    let (mut first, _) = Stream::sse(&server, target);
    let (mut second, _) = Stream::sse(&server, target);
    let goodbye = first.next_sse();
    assert_eq!(goodbye.json()["reason"], "session_taken_over");
    assert_eq!(goodbye.retry, None);
    first.expect_end();
    expect_stop(&server, target, &goodbye);
    server.publish("a", "x");
    assert_eq!(second.next_sse().json()["data"], "x", "the second is not disturbed");
}

#[test]
fn only_origins_that_are_named_get_credentials() {
    let credentials = |settings: (&str, &str), origin: &str| {
        let server = Server::with(&[settings]);
        let preflight = [("Origin", origin), ("Access-Control-Request-Method", "GET")];
        let head = Stream::open(&server, "/t/a?via=sse", &preflight[..1]).head;
        let asked = server.ask("OPTIONS", "/t/a", &preflight, b"");
        let poll = server.ask("GET", "/t/a", &preflight[..1], b"");
        let [first, rest @ ..] = [head, asked, poll].map(|response| {
            assert_eq!(response.header("access-control-allow-origin"), Some(origin));
            response.header("access-control-allow-credentials").map(str::to_owned)
        });
        assert!(rest.iter().all(|one| *one == first), "{first:?} {rest:?}");
        first
    };
    let (key, all) = ("HTTP_ALLOWED_ORIGINS", "*");
    assert_eq!(credentials(ORIGINS, "https://app.example").as_deref(), Some("true"));
    assert_eq!(credentials((key, all), "https://app.example"), None);
    let both = (key, "*, https://app.example");
    assert_eq!(credentials(both, "https://app.example").as_deref(), Some("true"));
    assert_eq!(credentials(both, "https://evil.example"), None);
    // Its own pages need no leave, and so get none.
    let server = Server::with(&[ORIGINS]);
    let headers = [("Host", "h"), ("Origin", "http://h")];
    let own = server.ask("GET", "/t/a", &headers, b"");
    assert_eq!(own.header("access-control-allow-credentials"), None);
}
