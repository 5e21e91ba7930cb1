//! Whatever is asked below `/s` that nobody should: refused in words, and nothing comes of it.

use tidings_tests::{Server, Via, Visit, Wish, request};

/// A server with the session `a`, and another whose name is that of an action.
fn server() -> Server {
    let server = Server::start();
    for name in ["a", "ack"] {
        drop(Visit::open(&server, Via::Poll, &Wish::new(name).topics(&["t"])));
    }
    server
}

#[track_caller]
fn expect_unharmed(server: &Server) {
    assert_eq!(server.session_names(), ["a", "ack"]);
}

#[test]
fn methods_that_mean_nothing_are_told_which_do() {
    let server = server();
    for (target, allowed) in [
        ("/s", "GET, HEAD, OPTIONS"),
        ("/s/a", "GET, HEAD, DELETE, OPTIONS"),
        ("/s/a/ack", "POST, OPTIONS"),
    ] {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW"] {
            if allowed.contains(method) {
                continue;
            }
            let answer = server.ask(method, target, &[], b"");
            assert_eq!(answer.status, 405, "{method} {target}");
            assert_eq!(answer.header("allow"), Some(allowed), "{method} {target}");
            if method != "HEAD" {
                answer.expect_problem(405, "method_not_allowed");
            }
        }
        let options = server.ask("OPTIONS", target, &[], b"");
        assert_eq!(options.status, 204, "{target}");
        let all = options.list("allow");
        for method in allowed.split(", ") {
            assert!(all.contains(&method.to_ascii_lowercase()), "{method} {target}: {all:?}");
        }
    }
    expect_unharmed(&server);
}

#[test]
fn paths_that_lead_nowhere() {
    let server = server();
    for target in ["/s/a/b", "/s/a/ack/b", "/s/a/ack/", "/s/a//ack", "/s/a/Ack", "/s/none/b"] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = server.ask(method, target, &[], b"x");
            assert_eq!(answer.status, 404, "{method} {target}: {answer:?}");
            answer.expect_problem(404, "not_found");
        }
    }
    for target in ["/sa", "/session", "/S", "/s;a"] {
        assert!(matches!(server.get(target).status, 404 | 400), "{target}");
    }
    expect_unharmed(&server);
}

#[test]
fn what_is_not_text_names_nothing() {
    let server = server();
    for target in ["/s/%ff", "/s/%ff/ack", "/s/a%00", "/s/%E4", "/s/a%2Fb", "/s/%2F%2F/b"] {
        for method in ["GET", "POST", "DELETE"] {
            let answer = server.ask(method, target, &[], b"x");
            assert!(matches!(answer.status, 400 | 404 | 405), "{method} {target}: {answer:?}");
        }
    }
    expect_unharmed(&server);
}

#[test]
fn bodies_that_are_too_much_or_make_no_sense() {
    let server = server();
    let large = "x".repeat(2 << 20);
    let nested = format!("{{\"position\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let padded = format!("{{\"position\":\"x\"{}}}", " ".repeat(1 << 20));
    for body in [large.as_bytes(), nested.as_bytes(), padded.as_bytes(), b"\xff\xfe", b"\0"] {
        let answer = server.ask("POST", "/s/a/ack", &[], body);
        answer.expect_problem(400, "bad_position");
        assert!(answer.body.len() < 1000, "it is not repeated: {}", answer.body.len());
    }
    let mut wire = server.wire();
    let length = [("Content-Length", "99999999999")];
    wire.send(request("POST", "/s/a/ack", &length, b""));
    wire.response("POST").expect_problem(413, "too_large");
    // Bodies where none is due are nobody's business.
    assert_eq!(server.ask("GET", "/s/a", &[], large.as_bytes()).status, 200);
    let long = "p".repeat(10_000);
    server
        .ask("POST", &format!("/s/a/ack?position={long}"), &[], b"")
        .expect_problem(400, "bad_position");
    expect_unharmed(&server);
}

#[test]
fn a_whole_name_of_another_topic_cannot_be_reached_through_sessions() {
    let server = server();
    for topic in ["$session/a", "$session/*", "$session/**", "$session"] {
        server.get(&format!("/t/{topic}")).expect_problem(403, "forbidden");
        if !topic.contains('*') {
            server.post(topic, &[], "{}").expect_problem(403, "forbidden");
        }
        let refused = Visit::try_open(
            &server,
            Via::Sse,
            &Wish::new("spy").topics(&["t", topic]).with("since", "start"),
        );
        assert_eq!(refused.err().and_then(|refused| refused.code), Some(403), "{topic}");
    }
    assert!(server.get("/t/**?since=start").events().is_empty(), "wildcards do not reach them");
    assert!(server.get("/t/*/a?since=start").events().is_empty());
    expect_unharmed(&server);
}
