//! HEAD, OPTIONS, and what does not work where.

use tidings_tests::{Response, Server, Wire, request};

/// Everything of a head that must not differ between GET and HEAD. The date may have moved on, and
/// how the body ends is told by none.
fn comparable(head: &Response) -> Vec<(String, String)> {
    let skipped = ["date", "connection", "transfer-encoding"];
    let kept = head.headers.iter().filter(|(name, _)| !skipped.contains(&name.as_str()));
    let mut kept: Vec<_> = kept.cloned().collect();
    kept.sort();
    kept
}

#[test]
fn head_is_the_get_without_its_body() {
    let server = Server::start();
    server.publish("a", "x");
    let long = server.publish("long", "x".repeat(5000));
    let since = format!("/t/long?since={long}&wait=0");
    for (target, accept) in [
        ("/t/a", "*/*"),
        ("/t/long", "*/*"),
        ("/t/a?since=start&limit=1", "application/json"),
        (since.as_str(), "*/*"),
        ("/t/a", "text/html"),
        ("/", "*/*"),
        ("/page.js", "*/*"),
        ("/healthz", "*/*"),
        ("/nothing", "*/*"),
        ("/t/a?since=x", "*/*"),
        ("/t/a", "text/event-stream"),
        ("/t/a", "application/x-ndjson"),
    ] {
        let headers = [("Accept", accept), ("Accept-Encoding", "gzip")];
        let mut get = server.wire();
        get.send(request("GET", target, &headers, b""));
        let get = get.head();
        let mut wire = server.wire();
        let head = wire.ask("HEAD", target, &headers, b"");
        assert_eq!(head.status, get.status, "{target}");
        if target != "/healthz" {
            assert_eq!(comparable(&head), comparable(&get), "{target} {accept}");
        }
        // Nothing came behind the head.
        assert_eq!(wire.ask("GET", "/healthz", &[], b"").status, 200, "{target}");
    }
}

#[test]
fn head_does_not_wait() {
    let server = Server::start();
    let response = server.ask("HEAD", "/t/a?wait=60", &[], b"");
    assert_eq!((response.status, response.body.len()), (200, 0));
}

#[test]
fn options_says_what_is_allowed() {
    let server = Server::start();
    for (target, allowed) in [
        ("/t/a", &["get", "head", "post", "options"][..]),
        ("/t?topic=a", &["get", "head", "post", "options"]),
        ("/ws", &["get", "options"]),
        ("/", &["get", "head", "options"]),
        ("/healthz", &["get", "head", "options"]),
    ] {
        let response = server.ask("OPTIONS", target, &[], b"");
        assert_eq!(
            (response.status, response.list("allow")),
            (204, allowed.iter().map(|m| (*m).to_owned()).collect()),
            "{target}"
        );
        assert_eq!(response.header("access-control-allow-methods"), None, "no preflight");
    }
}

#[test]
fn methods_that_do_not_work() {
    let server = Server::start();
    for (method, target) in [
        ("PUT", "/t/a"),
        ("DELETE", "/t/a"),
        ("PATCH", "/t/a"),
        ("BREW", "/t/a"),
        ("POST", "/ws"),
        ("HEAD", "/ws"),
        ("POST", "/"),
        ("DELETE", "/healthz"),
        ("POST", "/page.css"),
    ] {
        let mut wire = server.wire();
        let response = wire.ask(method, target, &[], b"");
        assert_eq!(response.status, 405, "{method} {target}");
        if method != "HEAD" {
            response.expect_problem(405, "method_not_allowed");
        }
        let allow = response.list("allow");
        assert!(allow.contains(&"get".to_owned()), "{method} {target}: {allow:?}");
        assert!(!allow.contains(&method.to_ascii_lowercase()), "{method} {target}: {allow:?}");
        assert_usable(&mut wire);
    }
}

#[track_caller]
fn assert_usable(wire: &mut Wire) {
    assert_eq!(wire.ask("GET", "/readyz", &[], b"").status, 200);
}

#[test]
fn where_nothing_is() {
    let server = Server::start();
    for (method, target) in [
        ("GET", "/nothing"),
        ("POST", "/nothing"),
        ("GET", "/tt"),
        ("GET", "/ws/x"),
        ("OPTIONS", "/nothing"),
    ] {
        server.ask(method, target, &[], b"").expect_problem(404, "not_found");
    }
}

#[test]
fn the_page_asks_for_nothing_from_outside() {
    let server = Server::start();
    let page = server.ask("GET", "/t/demo", &[("Accept", "text/html")], b"");
    assert_eq!((page.status, page.header("x-content-type-options")), (200, Some("nosniff")));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'self'"), "{policy}");
    // The same as the front page, but that browsers without JavaScript are led on.
    let own = |line: &&str| !line.starts_with("<noscript>") && *line != "<!--without-->";
    let front = server.get("/");
    assert!(page.text().lines().filter(own).eq(front.text().lines().filter(own)));
    let text = page.text();
    for name in ["src=\"", "href=\""] {
        for rest in text.split(name).skip(1) {
            let target = rest.split('"').next().unwrap();
            if target.starts_with('/') && !target.starts_with("//") && target != "/" {
                assert_eq!(server.get(target).status, 200, "{target}");
            } else {
                let inside =
                    target.starts_with("data:") || target.starts_with('#') || target == "/";
                assert!(inside, "{target} is not of this server");
            }
        }
    }
}
