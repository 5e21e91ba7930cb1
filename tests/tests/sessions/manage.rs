//! Looking at sessions, listing and deleting them.

use serde_json::{Value, json};
use tidings_tests::{Response, Server, Via, Visit, Wish};

/// Makes a session and leaves it.
#[track_caller]
fn make(server: &Server, name: &str) {
    Visit::open(server, Via::Sse, &Wish::new(name).topics(&["t"])).leave(server);
}

/// The names in a list, and its `next`.
#[track_caller]
fn listed(answer: &Response) -> (Vec<String>, Option<String>) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let json = answer.json();
    let name = |session: &Value| session["session"].as_str().map(str::to_owned);
    let names = json["sessions"].as_array().map(|list| list.iter().filter_map(name).collect());
    (names.unwrap_or_default(), json["next"].as_str().map(str::to_owned))
}

#[test]
fn a_session_is_shown_as_it_is() {
    let server = Server::start();
    let at = server.publish("a", "x");
    let wish = Wish::new("s").topics(&["a", "b/**"]).with("since", &at).with("expires", "90s");
    let visit = Visit::open(&server, Via::Sse, &wish.explicit());
    let shown = server.session("s");
    let expected = json!({
        "session": "s", "topics": ["a", "b/**"], "ack": "explicit", "position": at,
        "connected": true, "keptSeconds": 90,
    });
    assert_eq!(shown, expected, "whoever is connected does not expire");
    visit.leave(&server);
    let left = server.await_session("s", "will expire", |session| session["expires"].is_string());
    let expires = left["expires"].as_str().unwrap_or_default();
    assert!(expires.starts_with("20") && expires.ends_with('Z') && expires.contains('T'), "{left}");
    let mut without = left.clone();
    without.as_object_mut().unwrap().remove("expires");
    let mut expected = expected;
    expected["connected"] = json!(false);
    assert_eq!(without, expected);
    assert_eq!(server.get("/s").json(), json!({"sessions": [left]}));
    server.get("/s/other").expect_problem(404, "session_unknown");
    let head = server.ask("HEAD", "/s/s", &[], b"");
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn the_list_is_in_order_and_comes_in_parts() {
    let server = Server::start();
    assert_eq!(server.get("/s").json(), json!({"sessions": []}));
    let mut names: Vec<String> = (0..120).map(|n| format!("n{n:03}")).collect();
    names.extend(["A", "Z", "n", "n000x", "o", "ä", "~"].map(str::to_owned));
    for name in names.iter().rev() {
        let encoded = name.replace('ä', "%C3%A4");
        Visit::open(&server, Via::Poll, &Wish::new(&encoded).topics(&["t"]));
    }
    names.sort();
    // A hundred when nobody says how many.
    let (first, next) = listed(&server.get("/s"));
    assert_eq!((first.as_slice(), next.as_deref()), (&names[..100], Some(names[99].as_str())));
    let (rest, next) = listed(&server.get(&format!("/s?after={}", names[99])));
    assert_eq!((rest.as_slice(), next), (&names[100..], None));
    for limit in [1, 7, 126, 127, 1000] {
        let (mut all, mut after) = (Vec::new(), String::new());
        loop {
            let (part, next) = listed(&server.get(&format!("/s?limit={limit}{after}")));
            assert!(part.len() <= limit);
            all.extend(part);
            let Some(next) = next else { break };
            assert_eq!(Some(&next), all.last());
            after = format!("&after={}", next.replace('ä', "%C3%A4"));
        }
        assert_eq!(all, names, "in parts of {limit}");
    }
    // A name that is not there is as good a place as another.
    let (part, _) = listed(&server.get("/s?after=n000w&limit=1"));
    assert_eq!(part, ["n000x"]);
    assert_eq!(listed(&server.get("/s?after=%C3%BF")), (vec![], None));
    for query in ["limit=0", "limit=1001", "limit=many", "limit=-1", "limit="] {
        server.get(&format!("/s?{query}")).expect_problem(400, "bad_query");
    }
    server.get("/s?after=a%2Fb").expect_problem(400, "bad_session");
}

#[test]
fn a_deleted_session_is_gone_and_begins_anew() {
    let server = Server::start();
    make(&server, "s");
    server.publish_numbers("t", 0..3);
    let deleted = server.ask("DELETE", "/s/s", &[], b"");
    assert_eq!((deleted.status, deleted.body.len()), (204, 0), "{deleted:?}");
    for (method, target) in [("DELETE", "/s/s"), ("GET", "/s/s"), ("GET", "/t?session=s")] {
        server.ask(method, target, &[], b"").expect_problem(404, "session_unknown");
    }
    server.try_ack("s", "x").expect_problem(400, "bad_position");
    let last = server.publish_numbers("t", 3..4);
    server.try_ack("s", &last).expect_problem(404, "session_unknown");
    assert_eq!(server.session_names(), [""; 0]);
    // Nothing of the earlier one is left, neither its place nor its attempts.
    let again = Wish::new("s").topics(&["t"]).with("since", "start").explicit();
    let mut visit = Visit::open(&server, Via::Ndjson, &again);
    assert_eq!(visit.take(4), [0, 1, 2, 3].map(|number| (json!(number), 1)));
}

/// Whoever was deleted from under its connection, and whoever comes after under the same name.
#[test]
fn deleting_and_beginning_anew_in_quick_turns() {
    let server = Server::start();
    for turn in 0..40 {
        let via = Visit::WAYS[turn % Visit::WAYS.len()];
        let via = if matches!(via, Via::Poll | Via::LongPoll) { Via::Sse } else { via };
        let mut older = Visit::open(&server, via, &Wish::new("s").topics(&["t"]));
        assert_eq!(server.ask("DELETE", "/s/s", &[], b"").status, 204);
        let mut newer = Visit::open(&server, Via::Ndjson, &Wish::new("s").topics(&["t"]));
        server.publish_numbers("t", 0..1);
        assert_eq!(newer.take(1), [(json!(0), 1)], "{turn}");
        assert_eq!(older.parting().reason(), "session_deleted", "{turn}");
        assert_eq!(server.session("s")["connected"], true, "{turn}: the older one is nobody now");
        newer.leave(&server);
        assert_eq!(server.ask("DELETE", "/s/s", &[], b"").status, 204);
    }
}

#[test]
fn pages_of_allowed_origins_may_do_it_all_and_others_nothing() {
    let origin = "https://app.example";
    let server = Server::with(&[("HTTP_ALLOWED_ORIGINS", origin)]);
    make(&server, "s");
    let position = server.session("s")["position"].as_str().unwrap_or_default().to_owned();
    let doings = [("GET", "/s"), ("GET", "/s/s"), ("POST", "/s/s/ack"), ("DELETE", "/s/s")];
    for (method, target) in doings {
        let asked = [("Origin", "https://evil.example"), ("Access-Control-Request-Method", method)];
        for method in [method, "OPTIONS"] {
            let refused = server.ask(method, target, &asked, position.as_bytes());
            refused.expect_problem(403, "forbidden_origin");
            assert_eq!(refused.header("access-control-allow-origin"), None);
        }
    }
    for (method, target) in doings {
        let asked = [("Origin", origin), ("Access-Control-Request-Method", method)];
        let preflight = server.ask("OPTIONS", target, &asked, b"");
        assert_eq!(preflight.status, 204, "{preflight:?}");
        assert_eq!(preflight.header("access-control-allow-origin"), Some(origin));
        let methods = preflight.list("access-control-allow-methods");
        assert!(methods.contains(&method.to_ascii_lowercase()), "{method}: {methods:?}");
        let done = server.ask(method, target, &asked, position.as_bytes());
        assert!(done.status < 300, "{done:?}");
        assert_eq!(done.header("access-control-allow-origin"), Some(origin), "{done:?}");
    }
    assert_eq!(server.session_names(), [""; 0]);
}
