//! Names, types and topics that want to be more than a value: to be headers, on every way there is.

use tidings_tests::{Response, Server};

use super::HOSTILE;

/// Every way that a plain request gets by its name.
const WAYS: [&str; 11] = [
    "poll",
    "longpoll",
    "sse",
    "ndjson",
    "xhr",
    "iframe",
    "multipart",
    "feed",
    "rss",
    "page",
    "jsonp&callback=f",
];

/// What would stand in an answer that somebody could write a line of its head into.
#[track_caller]
fn expect_no_header(response: &Response, what: &str) {
    assert_eq!(response.header("x-evil"), None, "{what}: {response:?}");
    assert_eq!(response.header("set-cookie"), None, "{what}: {response:?}");
}

#[test]
fn an_address_writes_no_line_of_a_head() {
    let server = Server::with(&[("NAMESPACE", "[{match = \"**\", jsonp = true}]")]);
    for evil in ["%0d%0aX-Evil:%201", "%0aX-Evil:%201", "%0dSet-Cookie:%20a=b", "%00", "%7f"] {
        for way in WAYS {
            for target in [
                format!("/t/a{evil}?via={way}"),
                format!("/t?topic=a{evil}&via={way}"),
                format!("/t/a?since={evil}&via={way}"),
                format!("/t/a?session=a{evil}&via={way}"),
            ] {
                let response = server.get(&target);
                expect_no_header(&response, &target);
                // A script tells what is wrong by a call, since a page sees no status.
                let is_told = response.status == 400 || way.starts_with("jsonp");
                assert!(is_told, "{target}: {response:?}");
                assert!(!response.text().contains("\"events\""), "{target}: {response:?}");
            }
        }
        for way in [format!("sse{evil}"), evil.to_owned()] {
            let response = server.get(&format!("/t/a?via={way}"));
            expect_no_header(&response, &way);
            response.expect_problem(400, "unknown_via");
        }
        for target in [format!("/t/a{evil}?via=page"), format!("/t/a{evil}")] {
            let form = [("Content-Type", "application/x-www-form-urlencoded")];
            let response = server.ask("POST", &target, &form, b"data=x");
            expect_no_header(&response, &target);
            assert_eq!(response.status, 400, "{target}: {response:?}");
        }
    }
}

/// A topic may hold whatever a header may not; where a header says it, it is percent-encoded.
#[test]
fn a_topic_stands_encoded_in_a_head() {
    let server = Server::start();
    let topic = "%C3%A4%20%22%3B:%C2%A0%E2%80%A8";
    assert_eq!(server.post(topic, &[], "x").status, 201);
    let mut stream =
        tidings_tests::Stream::open(&server, &format!("/t/{topic}?via=multipart"), &[]);
    let line = std::iter::from_fn(|| stream.line()).find(|line| line.starts_with("Tidings-Topic"));
    let line = line.unwrap_or_default();
    assert!(line.is_ascii() && line.contains("%C3%A4") && line.contains("%E2%80%A8"), "{line}");
}

/// What a sender sets is carried to every reader, and to nobody as a header of the answer.
#[test]
fn what_a_sender_sets_is_nobodys_header() {
    let server = Server::start();
    for (number, payload) in HOSTILE.into_iter().enumerate() {
        let headers = [
            ("Tidings-Header-X-Evil", "1"),
            ("Tidings-Type", "X-Evil: 1"),
            ("Content-Type", "text/plain; x-evil=\"X-Evil: 1\""),
            ("Tidings-Key", "X-Evil: 1"),
        ];
        let topic = format!("a/{number}");
        assert_eq!(server.post(&topic, &headers, payload).status, 201);
        for way in ["poll", "longpoll", "feed", "rss", "page"] {
            let response = server.get(&format!("/t/{topic}?last=1&via={way}"));
            assert_eq!(response.status, 200, "{way}: {response:?}");
            expect_no_header(&response, way);
        }
        for way in ["sse", "ndjson", "xhr", "iframe", "multipart"] {
            let target = format!("/t/{topic}?last=1&limit=1&via={way}");
            expect_no_header(&tidings_tests::Stream::open(&server, &target, &[]).head, way);
        }
    }
}
