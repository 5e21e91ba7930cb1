//! Names and passwords: who is let in, who is not, and what the operator sees of it.

use tidings_tests::{Http2, Socket, Stream, request, until};

use super::support::{ALL, Guarded, as_header, basic, user};

#[test]
fn a_password_lets_in_and_names_who_published() {
    let Guarded { server, .. } = &Guarded::with(ALL, &[]);
    let ann = basic("ann", "apple");
    let ann = as_header(&ann);
    let posted = server.post("chat/a", &ann, "hello");
    assert_eq!(posted.status, 201, "{posted:?}");
    let read = server.ask("GET", "/t/chat/a", &ann, b"");
    assert_eq!(read.events()[0]["from"], "ann", "{read:?}");
    // Whatever the client claims.
    let claiming = [ann[0], ("Tidings-From", "bob"), ("From", "bob")];
    assert_eq!(server.post("chat/b?from=bob", &claiming, "hello").status, 201);
    assert_eq!(server.ask("GET", "/t/chat/b", &ann, b"").events()[0]["from"], "ann");
}

#[test]
fn every_way_in_asks() {
    let Guarded { server, .. } = &Guarded::with(ALL, &[("ACCESS_ANONYMOUS", "false")]);
    let ann = basic("ann", "apple");
    let ann = as_header(&ann);
    let wrong = basic("ann", "pear");
    let wrong = as_header(&wrong);
    assert_eq!(server.post("a", &ann, "1").status, 201);
    for via in
        ["poll", "longpoll", "sse", "ndjson", "xhr", "iframe", "multipart", "feed", "rss", "page"]
    {
        let end = if matches!(via, "feed" | "rss" | "page") { "" } else { "&since=start&limit=1" };
        let target = format!("/t/a?via={via}{end}");
        let answer = server.ask("GET", &target, &ann, b"");
        assert_eq!(answer.status, 200, "{via}: {answer:?}");
        for headers in [&[][..], &wrong] {
            server.ask("GET", &target, headers, b"").expect_problem(401, "unauthorized");
        }
    }
    for target in ["/t/a", "/ws"] {
        let refused = Socket::try_open(server, target, &wrong).err().map(|head| head.status);
        assert_eq!(refused, Some(401), "{target}");
    }
    let mut socket = Socket::try_open(server, "/t/a?since=start", &ann).ok().unwrap();
    assert_eq!(socket.json()["type"], "ready");
    assert_eq!(socket.json()["from"], "ann");
    let mut http2 = Http2::connect(server);
    assert_eq!(http2.ask("GET", "/t/a", &ann, b"").status, 200);
    http2.ask("GET", "/t/a", &wrong, b"").expect_problem(401, "unauthorized");
    http2.get("/t/a").expect_problem(401, "unauthorized");
    for target in ["/s", "/s/x"] {
        server.get(target).expect_problem(401, "unauthorized");
    }
}

#[test]
fn what_is_for_everybody_asks_nobody() {
    let Guarded { server, .. } = &Guarded::with(ALL, &[("ACCESS_ANONYMOUS", "false")]);
    for target in ["/", "/page.js", "/healthz", "/readyz"] {
        assert_eq!(server.get(target).status, 200, "{target}");
    }
    assert_eq!(server.ask("GET", "/t/a", &[("Accept", "text/html")], b"").status, 200);
    assert_eq!(server.ask("OPTIONS", "/t/a", &[], b"").status, 204);
}

#[test]
fn a_wrong_password_and_an_unknown_user_look_the_same() {
    let Guarded { server, .. } = &Guarded::with(ALL, &[]);
    let ask = |user: &str, password: &str| {
        let header = basic(user, password);
        server.ask("GET", "/t/a", &as_header(&header), b"")
    };
    let (wrong, unknown) = (ask("ann", "pear"), ask("nobody", "apple"));
    wrong.expect_problem(401, "unauthorized");
    assert_eq!(wrong.body, unknown.body);
    let challenges = wrong.list("www-authenticate");
    assert!(challenges[0].starts_with("basic realm="), "{challenges:?}");
    for header in ["Basic", "Basic ???", "Basic YW5u", "Digest x", "x"] {
        let answer = server.ask("GET", "/t/a", &[("Authorization", header)], b"");
        answer.expect_problem(401, "unauthorized");
    }
}

#[test]
fn a_kept_connection_asks_for_every_request() {
    let Guarded { server, .. } = &Guarded::with(ALL, &[("ACCESS_ANONYMOUS", "false")]);
    let (ann, bob, wrong) = (basic("ann", "apple"), basic("bob", "berry"), basic("ann", "pear"));
    let mut wire = server.wire();
    // A held answer takes the connection over; what follows it is read elsewhere than what did not.
    let held = "/t/a?wait=0.2";
    for _ in 0..2 {
        assert_eq!(wire.ask("GET", held, &as_header(&ann), b"").status, 200);
        assert_eq!(wire.ask("GET", held, &as_header(&bob), b"").status, 200);
        let refused = wire.ask("GET", held, &as_header(&wrong), b"");
        refused.expect_problem(401, "unauthorized");
        wire.ask("GET", held, &[], b"").expect_problem(401, "unauthorized");
    }
}

#[test]
fn other_sites_cannot_use_the_password_that_a_browser_knows() {
    let settings = [("HTTP_ALLOWED_ORIGINS", "https://app.example")];
    let Guarded { server, .. } = &Guarded::with(ALL, &settings);
    let ann = basic("ann", "apple");
    let with = |more: &[(&'static str, &'static str)]| {
        let headers = [&as_header(&ann), more].concat();
        server.ask("GET", "/t/a", &headers, b"")
    };
    assert_eq!(with(&[("Sec-Fetch-Site", "same-origin")]).status, 200);
    assert_eq!(with(&[("Sec-Fetch-Site", "none")]).status, 200);
    with(&[("Sec-Fetch-Site", "cross-site")]).expect_problem(403, "forbidden_origin");
    let named = [("Origin", "https://app.example"), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(with(&named).status, 200);
}

#[test]
fn the_operator_sees_who_failed_and_no_secret() {
    let Guarded { server, .. } = &Guarded::with(ALL, &[("LOGGING_LEVEL", "trace")]);
    let (right, wrong) = (basic("ann", "apple"), basic("an\tn", "hushhush"));
    assert_eq!(server.post("a", &as_header(&right), "x").status, 201);
    server.ask("GET", "/t/a?token=hush.hush.hush", &as_header(&wrong), b"");
    let line = until("the failure is told", || {
        server.complained().into_iter().find(|line| line.contains("login failed"))
    });
    for part in ["WARN", "way=\"password\"", "an\\\\tn", "127.0.0.1:"] {
        assert!(line.contains(part), "{part} is missing: {line}");
    }
    let told = server.complained().join("\n");
    for secret in ["apple", "hush", right.1.as_str(), wrong.1.as_str()] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
}

#[test]
fn who_guesses_does_not_fill_the_log() {
    let Guarded { mut server, .. } = Guarded::with(ALL, &[]);
    let wrong = basic("ann", "pear");
    for _ in 0..30 {
        server.ask("GET", "/t/a", &as_header(&wrong), b"").expect_problem(401, "unauthorized");
    }
    // All that is told has been told by then.
    server.terminate();
    server.wait();
    let told = server.complained().iter().filter(|line| line.contains("login failed")).count();
    // Ten in ten seconds; a machine that is slow may begin to count anew, but not each time.
    assert!((10..30).contains(&told), "{told}");
}

#[test]
fn users_are_read_again_on_a_hangup() {
    let Guarded { server, folder } = &Guarded::with(ALL, &[]);
    let status = |password: &str| {
        let header = basic("ann", password);
        server.ask("GET", "/t/a", &as_header(&header), b"").status
    };
    assert_eq!((status("apple"), status("cherry")), (200, 401));
    let header = basic("ann", "apple");
    let mut stream = Stream::begin({
        let mut wire = server.wire();
        wire.send(request("GET", "/t/a?via=ndjson", &as_header(&header), b""));
        wire
    });
    assert_eq!(stream.next_json()["type"], "ready");
    std::fs::write(folder.path().join("users.toml"), user("ann", "cherry", &[])).unwrap();
    server.hang_up();
    until("the new password counts", || (status("cherry") == 200).then_some(()));
    assert_eq!(status("apple"), 401);
    // Who is connected stays who they are.
    let header = basic("ann", "cherry");
    assert_eq!(server.post("a", &as_header(&header), "still").status, 201);
    assert_eq!(stream.next_json()["data"], "still");
    // A file that is wrong changes nothing.
    std::fs::write(folder.path().join("users.toml"), "[[user]]\nname = 1").unwrap();
    server.hang_up();
    until("the mistake is told", || {
        server.complained().iter().any(|line| line.contains("users.toml:2")).then_some(())
    });
    assert_eq!(status("cherry"), 200);
}
