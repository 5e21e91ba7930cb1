//! How long sessions are kept, and how many.

use tidings_tests::{Server, Via, Visit, Wish, until};

/// Waits until a session is forgotten.
#[track_caller]
fn await_gone(server: &Server, name: &str) {
    until(&format!("session {name} is forgotten"), || {
        (server.get(&format!("/s/{name}")).status == 404).then_some(())
    });
}

#[test]
fn a_session_that_nobody_comes_back_to_is_forgotten() {
    let server = Server::start();
    let held = Wish::new("held").topics(&["t"]).with("expires", 1);
    let mut held = Visit::open(&server, Via::Sse, &held);
    let long = Wish::new("long").topics(&["t"]).with("expires", "1h");
    drop(Visit::open(&server, Via::Poll, &long));
    for via in Visit::WAYS {
        let brief = Wish::new(via.name()).topics(&["t"]).with("expires", "1s");
        drop(Visit::open(&server, via, &brief));
    }
    for via in Visit::WAYS {
        await_gone(&server, via.name());
        let again = Visit::try_open(&server, Via::Sse, &Wish::new(via.name()));
        assert_eq!(again.err().and_then(|refused| refused.code), Some(404), "{via:?}");
    }
    // It has been connected for longer than the others took to expire.
    assert_eq!(server.session("held")["connected"], true);
    assert_eq!(server.session("long")["connected"], false);
    server.publish_numbers("t", 0..1);
    assert_eq!(held.read()["data"], 0);
    drop(held);
    await_gone(&server, "held");
}

#[test]
fn how_long_is_said_in_several_ways_and_bounded() {
    let server = Server::with(&[("TIMES_SESSION", "2h"), ("TIMES_SESSION_MAX", "10d")]);
    for (said, seconds) in [
        ("90s", 90),
        ("90", 90),
        ("15m", 900),
        ("2h", 7200),
        ("1h30m", 5400),
        ("7d", 604_800),
        ("10d", 864_000),
        ("11d", 864_000),
        ("999999999", 864_000),
        ("18446744073709551615", 864_000),
    ] {
        for via in [Via::Poll, Via::V1] {
            let wish = Wish::new("s").topics(&["t"]).with("expires", said);
            drop(Visit::open(&server, via, &wish));
            assert_eq!(server.session("s")["keptSeconds"], seconds, "{said} over {via:?}");
        }
    }
    // A number in JSON, which needs no quotes.
    let mut socket = tidings_tests::Socket::v1(&server);
    let command = serde_json::json!({"do": "subscribe", "session": "s", "expires": 90});
    assert_eq!(socket.command(&command)["ok"], true);
    assert_eq!(server.session("s")["keptSeconds"], 90);
    // What is left out stays as it was; who never said gets the operator's.
    drop(Visit::open(&server, Via::Sse, &Wish::new("s").topics(&["u"])));
    assert_eq!(server.session("s")["keptSeconds"], 90);
    drop(Visit::open(&server, Via::Sse, &Wish::new("plain").topics(&["t"])));
    assert_eq!(server.session("plain")["keptSeconds"], 7200);
}

#[test]
fn the_operators_time_is_kept_as_well() {
    let server = Server::with(&[("TIMES_SESSION", "1s")]);
    drop(Visit::open(&server, Via::Sse, &Wish::new("s").topics(&["t"])));
    await_gone(&server, "s");
}

#[test]
fn there_are_at_most_as_many_as_the_operator_allows() {
    let server = Server::with(&[("LIMITS_SESSIONS", "3")]);
    for name in ["a", "b", "c"] {
        drop(Visit::open(
            &server,
            Via::Poll,
            &Wish::new(name).topics(&["t"]).with("expires", "1h"),
        ));
    }
    for via in Visit::WAYS {
        let wish = Wish::new("d").topics(&["t"]);
        let wish = if via == Via::V1 { wish } else { wish.with("wait", 0) };
        let refused = Visit::try_open(&server, via, &wish).err().unwrap();
        assert_eq!((refused.code, refused.reason()), (Some(507), "too_many_sessions"), "{via:?}");
        let hint = refused.said["hint"].as_str().unwrap_or_default();
        assert!(hint.contains("limits.sessions"), "{hint}");
        // Those that are there go on.
        drop(Visit::open(&server, via, &Wish::new("b")));
    }
    server.ask("DELETE", "/s/a", &[], b"");
    drop(Visit::open(&server, Via::Sse, &Wish::new("d").topics(&["t"]).with("expires", "1s")));
    assert_eq!(server.session_names(), ["b", "c", "d"]);
    await_gone(&server, "d");
    drop(Visit::open(&server, Via::Sse, &Wish::new("e").topics(&["t"])));
}
