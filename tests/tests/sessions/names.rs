//! Names of sessions: any text of one level, percent-encoded in a URL.

use serde_json::json;
use tidings_tests::{Server, Via, Visit, Wish};

/// Everything of a URL's query and path that is not a letter or digit, percent-encoded.
fn encoded(name: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    name.bytes().map(byte).collect()
}

#[test]
fn any_text_of_one_level_is_a_name() {
    let server = Server::start();
    let long = "ä".repeat(64);
    let names = [
        "me",
        "phone of Käthe",
        "$session",
        "a.b",
        "...",
        "a+b?c#d&e=f;g",
        "100%",
        "%2F",
        "\\",
        "\"quoted\"",
        "日本語🦀",
        "e\u{301}",
        "é",
        " ",
        "ack",
        "<script>",
        &long,
        &"x".repeat(128),
    ];
    for (number, name) in names.iter().enumerate() {
        let name_in_url = encoded(name);
        let via = Visit::WAYS[number % Visit::WAYS.len()];
        let via = if via == Via::LongPoll { Via::Ws } else { via };
        let wish = Wish::new(if via == Via::V1 { name } else { &name_in_url });
        drop(Visit::open(&server, via, &wish.topics(&["t"])));
        let shown = server.session(&name_in_url);
        assert_eq!(
            (&shown["session"], &shown["topics"]),
            (&json!(name), &json!(["t"])),
            "{name:?}"
        );
        let position = shown["position"].as_str().unwrap_or_default();
        let acked = server.try_ack(&name_in_url, position);
        assert_eq!((acked.status, &acked.json()["session"]), (200, &json!(name)), "{name:?}");
    }
    let mut sorted: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    sorted.sort();
    assert_eq!(server.session_names(), sorted, "each is another one");
    for name in names {
        assert_eq!(server.ask("DELETE", &format!("/s/{}", encoded(name)), &[], b"").status, 204);
    }
    assert_eq!(server.session_names(), [""; 0]);
}

#[test]
fn what_is_no_name_is_refused_everywhere() {
    let server = Server::start();
    let long = ["x".repeat(129), "ä".repeat(65)];
    let names =
        ["a/b", "/", "*", "a*", "**", ".", "..", "a\nb", "\0", "\u{7f}", &long[0], &long[1]];
    for name in names.into_iter().chain([""]) {
        let name_in_url = encoded(name);
        for via in Visit::WAYS {
            let wish = Wish::new(if via == Via::V1 { name } else { &name_in_url }).topics(&["t"]);
            let wish = if via == Via::V1 { wish } else { wish.with("wait", 0) };
            let refused = Visit::try_open(&server, via, &wish).err();
            let refused = refused.unwrap_or_else(|| panic!("{name:?} over {via:?}"));
            assert_eq!((refused.code, refused.reason()), (Some(400), "bad_session"), "{name:?}");
            assert!(refused.said["message"].is_string() && refused.said["hint"].is_string());
        }
        if name.contains('/') || name.is_empty() {
            continue;
        }
        for (method, rest) in [("GET", ""), ("DELETE", ""), ("POST", "/ack")] {
            let target = format!("/s/{name_in_url}{rest}");
            server.ask(method, &target, &[], b"x").expect_problem(400, "bad_session");
        }
    }
    assert_eq!(server.session_names(), [""; 0]);
}

#[test]
fn what_belongs_to_a_session_is_refused_without_one() {
    let server = Server::start();
    for query in ["ack=explicit", "ack=auto", "expires=1h"] {
        server.get(&format!("/t/t?{query}")).expect_problem(400, "bad_query");
    }
    for query in ["ack=", "ack=Explicit", "expires=", "expires=0", "expires=-5s", "expires=soon"] {
        server.get(&format!("/t/t?session=s&{query}")).expect_problem(400, "bad_query");
    }
    assert_eq!(server.session_names(), [""; 0]);
}
