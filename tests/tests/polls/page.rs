//! The page without JavaScript: what its form takes, and that nobody's words become more than text.

use tidings_tests::{Response, Server};

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

#[track_caller]
fn page(response: &Response) -> &str {
    assert_eq!(response.header("content-type"), Some("text/html; charset=utf-8"), "{response:?}");
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    let policy = response.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    response.text()
}

fn send(server: &Server, target: &str, body: impl AsRef<[u8]>) -> Response {
    server.ask("POST", target, &[FORM], body.as_ref())
}

#[test]
fn a_form_is_answered_by_the_way_back() {
    let server = Server::start();
    let response =
        send(&server, "/t/a/b?via=page&last=7&refresh=9&shown=3&still", "data=h%C3%B6+1");
    assert_eq!(response.status, 303, "{response:?}");
    assert_eq!(response.header("location"), Some("?via=page&last=7&refresh=9"));
    assert_eq!(server.get("/t/a/b").data(), ["hö 1"]);
    assert!(page(&server.get("/t/a/b?via=page")).contains(">hö 1</pre>"));
}

#[test]
fn an_address_cannot_put_anything_into_head_or_page() {
    let server = Server::start();
    let poison = "%0d%0aSet-Cookie:%20a=b%0d%0a%0d%0a%3Cscript%3E%22'%3E%00";
    for name in ["last", "slow", "seen", "x", "still", "part"] {
        for target in
            [format!("/t/a?via=page&{name}={poison}"), format!("/t/a?via=page&{poison}={name}")]
        {
            let read = server.get(&target);
            let sent = send(&server, &target, "data=x");
            for response in [read, sent] {
                assert_eq!(response.header("set-cookie"), None, "{target}");
                assert!(!response.text().contains("<script>"), "{response:?}");
                assert!(!response.text().contains("\"'>"), "{response:?}");
            }
        }
    }
    let sent = send(&server, &format!("/t/a?via=page&last={poison}"), "data=x");
    let location = "?via=page&last=%0D%0ASet-Cookie%3A%20a%3Db%0D%0A%0D%0A%3Cscript%3E%22%27%3E%00";
    assert_eq!((sent.status, sent.header("location")), (303, Some(location)));
    for (target, status) in [
        (format!("/t/a{poison}?via=page"), 400),
        (format!("/t?via=page&topic={poison}"), 400),
        ("/t/%3Cscript%3E?via=page".to_owned(), 200),
        ("/t/\"'%3E%3Cscript%3E?via=page&still".to_owned(), 200),
        ("/t?via=page&topic=%22%3E%3Cscript%3E&topic=b".to_owned(), 200),
    ] {
        let response = server.get(&target);
        assert_eq!(response.status, status, "{target}");
        assert!(!page(&response).contains("<script>"), "{response:?}");
        assert_eq!(response.header("set-cookie"), None);
    }
}

#[test]
fn types_and_payloads_are_only_text() {
    let server = Server::start();
    let hostile = [
        ("text/plain", &b"</pre></li><script>alert(1)</script>"[..]),
        ("text/html", b"<img src=x onerror=alert(1)>"),
        ("application/json", b"\"</pre><script>\\u0000\""),
        ("text/plain", b"\0\x01\x1b[31m\x7f\r\n\xe2\x80\xa8"),
        ("image/svg+xml", b"<svg onload=alert(1)>"),
        ("\"><script>", b"\xff"),
    ];
    for (content_type, payload) in hostile {
        let headers = [("Content-Type", content_type), ("Tidings-Type", "\"><script>")];
        assert_eq!(server.post("a", &headers, payload).status, 201, "{content_type}");
    }
    let response = server.get("/t/a?via=page");
    let html = page(&response);
    for forbidden in ["<script", "<img", "<svg", "\0", "\x1b", "\"><s"] {
        assert!(!html.contains(forbidden), "{forbidden:?} in {html}");
    }
    assert_eq!(html.matches("<li>").count(), hostile.len());
}

#[test]
fn a_long_message_is_cut_and_never_within_a_character() {
    let server = Server::start();
    server.publish("a", "ä".repeat(300_000));
    let response = server.get("/t/a?via=page");
    let html = page(&response);
    assert_eq!(html.matches('ä').count(), 2048);
    assert!(html.contains("<p class=\"bytes\">and 595904 bytes more</p>"));
}

#[test]
fn what_is_no_form_is_refused_in_words() {
    let server = Server::start();
    for (target, headers, body, status) in [
        ("/t/a?via=page", &[][..], "data=x", 400),
        ("/t/a?via=page", &[("Content-Type", "text/plain")], "data=x", 400),
        ("/t/a?via=page", &[FORM], "", 400),
        ("/t/a?via=page", &[FORM], "data", 400),
        ("/t/a?via=page", &[FORM], "data=%20%0A", 400),
        ("/t/a?via=page", &[FORM], "DATA=x", 400),
        ("/t/a/**?via=page", &[FORM], "data=x", 400),
        ("/t?via=page&topic=a", &[FORM], "data=x", 400),
        ("/t/$session?via=page", &[FORM], "data=x", 403),
        ("/t/a?via=page&refresh=x", &[FORM], "data=x", 400),
    ] {
        let response = server.ask("POST", target, headers, body.as_bytes());
        assert_eq!(response.status, status, "{target} {body}");
        page(&response);
    }
    let long = format!("data={}", "x".repeat((1 << 20) + 1));
    let response = send(&server, "/t/a?via=page", long);
    assert_eq!(response.status, 413);
    page(&response);
    assert_eq!(server.get("/t/a").events().len(), 0, "nothing of it was stored");
    // Bytes that are no text are shown as what they are not, and break nothing.
    assert_eq!(send(&server, "/t/b?via=page", b"data=\xff%FF%").status, 303);
    assert_eq!(server.get("/t/b").data(), ["\u{fffd}\u{fffd}%"]);
    let origin = [FORM, ("Origin", "http://elsewhere.test")];
    let forged = server.ask("POST", "/t/a?via=page", &origin, b"data=x");
    forged.expect_problem(403, "forbidden_origin");
    let null = [FORM, ("Origin", "null")];
    server.ask("POST", "/t/a?via=page", &null, b"data=x").expect_problem(403, "forbidden_origin");
}

#[test]
fn a_namespace_rules_the_page_as_everything_else() {
    let rules =
        "[{match = \"closed/**\", publish = false}, {match = \"secret/**\", subscribe = false}]";
    let server = Server::with(&[("NAMESPACE", rules)]);
    assert_eq!(send(&server, "/t/closed/a?via=page", "data=x").status, 403);
    assert_eq!(send(&server, "/t/secret/a?via=page", "data=hidden").status, 303);
    let response = server.get("/t/secret/a?via=page");
    assert_eq!(response.status, 403);
    page(&response);
    assert!(!page(&server.get("/t/**?via=page")).contains("hidden"));
}

#[test]
fn the_topics_own_page_leads_there() {
    let server = Server::start();
    let html = [("Accept", "text/html")];
    let refresh = |target: &str| {
        let response = server.ask("GET", target, &html, b"");
        let text = response.text().to_owned();
        let tag = text.split("<noscript>").find(|part| part.starts_with("<meta"));
        tag.map(|tag| tag.split('>').next().unwrap_or_default().to_owned())
    };
    let expected =
        |url: &str| Some(format!("<meta http-equiv=\"refresh\" content=\"0; url={url}\""));
    assert_eq!(refresh("/t/a/b"), expected("?via=page"));
    let hostile = "/t?topic=a&topic=%22%3E%3Cscript%3E";
    assert_eq!(refresh(hostile), expected("?via=page&amp;topic=a&amp;topic=%22%3E%3Cscript%3E"));
    assert_eq!(refresh("/"), None, "there it would lead to itself");
}

#[test]
fn the_style_is_a_part_of_its_own() {
    let server = Server::start();
    let response = server.get("/t/a?via=page&part=style");
    assert_eq!(response.header("content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    let unknown = server.get("/t/a?via=page&part=script");
    assert_eq!(unknown.status, 400);
    page(&unknown);
}
