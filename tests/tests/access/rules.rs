//! Rules: who may publish and read which topics.

use serde_json::json;
use tidings_tests::{Server, Socket, Stream};

use super::support::{Guarded, as_header, basic, bearer, token};

const RULES: &str = "[{who = [\"*\"], subscribe = [\"news/**\"]}, \
    {who = [\"authenticated\"], publish = [\"inbox/*\"], subscribe = [\"inbox/{user}\", \"room/*\"]}, \
    {who = [\"group:staff\"], publish = [\"**\"]}, \
    {who = [\"anonymous\"], publish = [\"guestbook\"]}]";

#[test]
fn each_may_do_what_some_rule_allows() {
    let Guarded { server, .. } = &Guarded::with(RULES, &[]);
    let (ann, bob) = (basic("ann", "apple"), basic("bob", "berry"));
    let carol = bearer(&token("carol", 600, json!({"groups": "staff"})));
    let (ann, bob, carol) = (as_header(&ann), as_header(&bob), as_header(&carol));
    for (who, topic, status) in [
        (&[][..], "guestbook", 201),
        (&[], "news/a", 403),
        (&[], "inbox/ann", 403),
        (&ann, "guestbook", 403),
        (&ann, "inbox/bob", 201),
        (&ann, "inbox/bob/x", 403),
        (&ann, "news/a", 403),
        (&bob, "news/a", 201),
        (&carol, "news/b", 201),
    ] {
        let answer = server.post(topic, who, "x");
        assert_eq!(answer.status, status, "{who:?} {topic}: {answer:?}");
    }
    for (who, filter, status) in [
        (&[][..], "news/**", 200),
        (&[], "inbox/ann", 403),
        (&[], "guestbook", 403),
        (&ann, "inbox/ann", 200),
        (&ann, "inbox/bob", 403),
        (&ann, "inbox/*", 200),
        (&bob, "inbox/bob", 200),
        (&bob, "**", 200),
        (&bob, "inbox/ann", 403),
        (&bob, "secret/*", 403),
        (&carol, "inbox/carol", 200),
    ] {
        let answer = server.ask("GET", &format!("/t/{filter}"), who, b"");
        assert_eq!(answer.status, status, "{who:?} {filter}: {answer:?}");
        if status == 403 {
            answer.expect_problem(403, "forbidden");
        }
    }
    assert_eq!(server.get("/t/guestbook").status, 403);
    // What nobody has named is not there by chance, either.
    assert_eq!(server.ask("GET", "/t/inbox/bob", &bob, b"").events()[0]["from"], "ann");
}

/// A wildcard that reaches more than its reader may have is not refused, and does not.
#[test]
fn wildcards_reach_granted_topics_only() {
    let Guarded { server, .. } = &Guarded::with(RULES, &[]);
    let (ann, bob) = (basic("ann", "apple"), basic("bob", "berry"));
    let (ann, bob) = (as_header(&ann), as_header(&bob));
    let mut stream = Stream::open(server, "/t/**?via=ndjson", &ann);
    assert_eq!(stream.next_json()["type"], "ready");
    let mut socket = Socket::try_open(server, "/t/inbox/*?data=raw", &ann).ok().unwrap();
    let topics = ["news/a", "inbox/bob", "inbox/ann", "room/1/2", "other", "room/1", "last"];
    for topic in topics.iter().chain(&["news/end"]) {
        assert_eq!(server.post(topic, &bob, *topic).status, 201);
    }
    let may = ["news/a", "inbox/ann", "room/1", "news/end"];
    for topic in may {
        assert_eq!(stream.next_json()["topic"], topic, "live");
    }
    assert_eq!(socket.text(), "inbox/ann");
    let read = |target: &str, who: &[(&str, &str)]| {
        server.ask("GET", target, who, b"").data().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(read("/t/**?since=start", &ann), may, "of what was stored");
    assert_eq!(read("/t/**?last=2", &ann), may[2..], "of the newest");
    assert_eq!(read("/t?topic=inbox/*&topic=news/a&since=start", &ann), may[..2]);
    assert_eq!(read("/t/**?since=start", &[]), ["news/a", "news/end"]);
}

#[test]
fn a_namespace_and_a_rule_must_both_allow() {
    let namespace = "[{match = \"news/secret/**\", subscribe = false}, \
        {match = \"inbox/**\", publish = false}]";
    let Guarded { server, .. } = &Guarded::with(RULES, &[("NAMESPACE", namespace)]);
    let bob = basic("bob", "berry");
    let bob = as_header(&bob);
    server.get("/t/news/secret/a").expect_problem(403, "forbidden");
    server.post("inbox/ann", &bob, "x").expect_problem(403, "forbidden");
    assert_eq!(server.post("news/secret/a", &bob, "hidden").status, 201);
    assert_eq!(server.post("news/b", &bob, "seen").status, 201);
    assert_eq!(server.get("/t/news/**").data(), ["seen"]);
}

/// Every command of a socket is asked about by itself.
#[test]
fn a_socket_asks_for_each_command() {
    let Guarded { server, .. } = &Guarded::with(RULES, &[]);
    let ann = basic("ann", "apple");
    let mut socket = Socket::try_open(server, "/ws", &as_header(&ann)).ok().unwrap();
    assert_eq!(socket.json()["type"], "ready");
    let publish = |topic: &str| json!({"do": "publish", "id": 1, "topic": topic, "data": "x"});
    assert_eq!(socket.command(&publish("inbox/bob"))["ok"], true);
    let refused = socket.command(&publish("news/a"));
    assert_eq!((&refused["ok"], &refused["error"]), (&json!(false), &json!("forbidden")));
    let subscribe = json!({"do": "subscribe", "id": 2, "sub": "s", "topics": ["inbox/bob"]});
    assert_eq!(socket.command(&subscribe)["error"], "forbidden");
}

/// What a cache keeps it gives to everybody, so only what everybody may have is for caches.
#[test]
fn caches_keep_only_what_everybody_may_read() {
    let namespace = "[{match = \"**\", cache = \"5s\"}]";
    let Guarded { server, .. } = &Guarded::with(RULES, &[("NAMESPACE", namespace)]);
    let bob = basic("bob", "berry");
    let bob = as_header(&bob);
    let caching = |target: &str| {
        server.ask("GET", target, &bob, b"").header("cache-control").map(str::to_owned).unwrap()
    };
    assert!(caching("/t/news/a").starts_with("public"), "{}", caching("/t/news/a"));
    for target in ["/t/inbox/bob", "/t/**", "/t/room/1"] {
        assert!(!caching(target).contains("public"), "{target}: {}", caching(target));
    }
}

#[test]
fn without_rules_everybody_may_do_everything() {
    let server = Server::start();
    let wrong = basic("ann", "pear");
    assert_eq!(server.post("a", &as_header(&wrong), "x").status, 201);
    let events = server.get("/t/a?token=nonsense").events();
    assert!(events[0]["from"].is_null(), "{events:?}");
}
