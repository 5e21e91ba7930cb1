//! What is no publish, and that nothing of it is stored.

use tidings_tests::{Server, request};

#[test]
fn topics_that_are_none() {
    let server = Server::start();
    let (long, deep) = ("x".repeat(513), vec!["x"; 33].join("/"));
    let topics = [
        "", "a//b", "a/", "/a", "a/../b", ".", "a/*", "a/**", "a*b", "a%0Ab", "a%00", "a%7Fb",
        "%C2%85", "a%FF", "a%2F%2Fb", &long, &deep,
    ];
    for topic in topics {
        server.post(topic, &[], "x").expect_problem(400, "bad_topic");
    }
    server.ask("POST", "/t", &[], b"x").expect_problem(400, "bad_topic");
    server.ask("POST", "/t?topic=a", &[], b"x").expect_problem(400, "bad_topic");
    assert!(server.get("/t/**?since=start").events().is_empty());

    let (longest, deepest) = ("x".repeat(512), vec!["x"; 32].join("/"));
    for topic in [longest.as_str(), deepest.as_str(), "...", "a%2Fb", "c++/%C3%A4", "a:b;c=d"] {
        assert_eq!(server.post(topic, &[], "x").status, 201, "{topic}");
    }
}

#[test]
fn topics_that_are_not_the_senders() {
    let namespace = r#"[{match="closed/**", publish=false}]"#;
    let server = Server::with(&[("NAMESPACE", namespace)]);
    for topic in ["$server", "$server/load", "$x", "closed", "closed/x", "closed/x/y"] {
        server.post(topic, &[], "x").expect_problem(403, "forbidden");
        server.post(&format!("{topic}?batch=lines"), &[], "x\ny").expect_problem(403, "forbidden");
    }
    for topic in ["a/$server", "closed-not", "a/closed"] {
        assert_eq!(server.post(topic, &[], "x").status, 201, "{topic}");
    }
    assert_eq!(server.get("/t/**?since=start").events().len(), 3);
    assert_eq!(server.get("/t/closed/**?since=start").events().len(), 0);
}

#[test]
fn types_that_are_the_servers_own_or_none() {
    let server = Server::start();
    for kind in ["ready", "heartbeat", "gap", "goodbye", "open", "error"] {
        server.post("a", &[("Tidings-Type", kind)], "x").expect_problem(400, "bad_type");
        server.post(&format!("a?type={kind}"), &[], "x").expect_problem(400, "bad_type");
    }
    let long = "t".repeat(65);
    for query in ["type=", "type=a%0Ab", "type=a%0Dev", &format!("type={long}")] {
        server.post(&format!("a?{query}"), &[], "x").expect_problem(400, "bad_type");
    }
    assert!(server.get("/t/a").events().is_empty());
    let longest = "t".repeat(64);
    assert_eq!(server.post("a", &[("Tidings-Type", &longest)], "x").status, 201);
}

#[test]
fn json_that_is_none() {
    let server = Server::start();
    for kind in ["application/json", "Application/JSON; charset=utf-8", "application/ld+json"] {
        for body in ["", "{", "{} {}", "'x'", "\"a\nb\""] {
            server.post("a", &[("Content-Type", kind)], body).expect_problem(400, "bad_json");
        }
    }
    assert!(server.get("/t/a").events().is_empty());
}

#[test]
fn json_is_utf_8() {
    let server = Server::start();
    let bad: [&[u8]; 3] = [b"\"\xff\"", b"{\"a\": [\"\xc3\x28\"]}", b"{\"\xff\": 1}"];
    for body in bad {
        let json = [("Content-Type", "application/json")];
        server.post("a", &json, body).expect_problem(400, "bad_json");
        let ndjson = [("Content-Type", "application/x-ndjson")];
        server.post("a", &ndjson, body).expect_problem(400, "bad_json");
    }
    assert!(server.get("/t/a").events().is_empty());
}

#[test]
fn headers_that_are_none() {
    let server = Server::start();
    let long = "x".repeat(1025);
    for (name, value) in [
        ("Tidings-TTL", "0"),
        ("Tidings-TTL", "soon"),
        ("Tidings-TTL", "-5"),
        ("Tidings-TTL", "1 fortnight"),
        ("Tidings-Key", ""),
        ("Tidings-Key", &"k".repeat(129)),
        ("Tidings-Header-Long", &long),
        ("Tidings-Header-", "no name"),
        ("Content-Type", &"t".repeat(129)),
    ] {
        server.post("a", &[(name, value)], "x").expect_problem(400, "bad_header");
    }
    let many: Vec<String> = (0..33).map(|n| format!("Tidings-Header-{n}")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "x")).collect();
    server.post("a", &many, "x").expect_problem(400, "bad_header");
    for name in ["Tidings-Type", "Tidings-Key", "Tidings-Header-X", "Idempotency-Key"] {
        let mut wire = server.wire();
        let bytes = request("POST", "/t/a", &[(name, "@")], b"x");
        let bytes: Vec<u8> = bytes.iter().map(|&b| if b == b'@' { 0xff } else { b }).collect();
        wire.send(bytes);
        wire.response("POST").expect_problem(400, "bad_header");
    }
    assert!(server.get("/t/a").events().is_empty());
    assert_eq!(server.post("a", &many[..32], "x").status, 201);
}
