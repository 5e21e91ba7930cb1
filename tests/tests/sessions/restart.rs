//! Sessions over restarts: killed or told to end, the server knows afterwards what it has promised.

use serde_json::json;
use tidings_tests::{Folder, Server, Via, Visit, Wish};

use crate::position;

#[track_caller]
fn server(folder: &Folder) -> Server {
    Server::with(&[("DATA", &folder.text())])
}

#[test]
fn what_is_acknowledged_stays_so_and_the_rest_comes_again() {
    let folder = Folder::new();
    let mut server = server(&folder);
    Visit::open(&server, Via::Sse, &Wish::new("s").topics(&["t"]).explicit()).leave(&server);
    let mut acked = 0;
    for round in 0..12 {
        server.publish_numbers("t", round * 5..round * 5 + 5);
        let via = Visit::WAYS[round as usize % Visit::WAYS.len()];
        let mut visit = Visit::open(&server, via, &Wish::new("s"));
        let mut last = String::new();
        for number in acked..round * 5 + 5 {
            let event = visit.read();
            assert_eq!(event["data"], number, "{via:?}, round {round}");
            if number == acked + round % 4 {
                last = position(&event);
            }
        }
        let at = acked + round % 4;
        if via == Via::V1 {
            assert_eq!(visit.ack(&last).unwrap()["ok"], true);
        } else {
            server.ack("s", &last);
        }
        // It was answered: from here on it is so, whatever happens.
        server.kill();
        server = self::server(&folder);
        acked = at + 1;
        assert_eq!(server.session("s")["position"], last.as_str());
    }
    let mut visit = Visit::open(&server, Via::Ndjson, &Wish::new("s"));
    for number in acked..60 {
        let event = visit.read();
        assert_eq!(event["data"], number);
        // What was sent before says so; how often may be counted too low.
        assert!(event["attempt"].as_u64().unwrap_or(1) <= 13, "{event}");
    }
}

#[test]
fn an_automatic_session_loses_nothing_and_gets_little_again() {
    let folder = Folder::new();
    let mut server = server(&folder);
    Visit::open(&server, Via::Sse, &Wish::new("s").topics(&["t"])).leave(&server);
    let mut taken = 0;
    for round in 0..6 {
        server.publish_numbers("t", round * 5..round * 5 + 5);
        let via = Visit::WAYS[round as usize];
        let mut visit = Visit::open(&server, via, &Wish::new("s"));
        let first = visit.read()["data"].as_u64().unwrap();
        assert!(first <= taken, "{via:?}: {taken} was next, and {first} comes");
        for number in first + 1..u64::from(round * 5 + 5) {
            assert_eq!(visit.read()["data"], number, "{via:?}");
        }
        taken = u64::from(round * 5 + 5);
        server.kill();
        server = self::server(&folder);
    }
    // Once how far it has come is stored, a kill changes nothing.
    let position = server.publish_numbers("t", 30..31);
    let mut visit = Visit::open(&server, Via::Ws, &Wish::new("s"));
    while visit.read()["data"] != 30 {}
    visit.leave(&server);
    assert_eq!(server.session("s")["position"], position.as_str());
    server.await_session("s", "is stored", |session| session["expires"].is_string());
    server.publish_numbers("t", 31..32);
    server.kill();
    let server = self::server(&folder);
    assert_eq!(Visit::open(&server, Via::Sse, &Wish::new("s")).take(1), [(json!(31), 1)]);
}

#[test]
fn a_client_that_says_where_it_is_gets_nothing_again() {
    let folder = Folder::new();
    let mut server = server(&folder);
    let mut position = server.publish("other", "x");
    for round in 0..6_u32 {
        let via = Visit::WAYS[round as usize];
        let wish = Wish::new("s").topics(&["t"]).with("since", &position);
        server.publish_numbers("t", round * 3..round * 3 + 3);
        let mut visit = Visit::open(&server, via, &wish);
        for number in round * 3..round * 3 + 3 {
            let event = visit.read();
            assert_eq!(event["data"], number, "{via:?}");
            position = self::position(&event);
        }
        server.kill();
        server = self::server(&folder);
    }
}

/// What was answered is so: made, changed, deleted.
#[test]
fn what_was_answered_is_known_after_a_kill() {
    let folder = Folder::new();
    let mut server = server(&folder);
    for (number, via) in Visit::WAYS.into_iter().enumerate() {
        let name = via.name();
        let wish = Wish::new(name).topics(&["a"]).explicit().with("expires", "1h");
        let wish = if via == Via::LongPoll { wish.with("wait", 0) } else { wish };
        let visit = Visit::open(&server, via, &wish);
        server.kill();
        drop(visit);
        server = self::server(&folder);
        let made = server.session(name);
        assert_eq!(made["topics"], json!(["a"]), "{via:?}");
        assert_eq!((&made["ack"], &made["keptSeconds"]), (&json!("explicit"), &json!(3600)));
        let wish = Wish::new(name).topics(&["b", "c/*"]).with("ack", "auto").with("expires", "2h");
        let wish = if via == Via::LongPoll { wish.with("wait", 0) } else { wish };
        let visit = Visit::open(&server, via, &wish);
        server.kill();
        drop(visit);
        server = self::server(&folder);
        let changed = server.session(name);
        assert_eq!(changed["topics"], json!(["b", "c/*"]), "{via:?}");
        assert_eq!((&changed["ack"], &changed["keptSeconds"]), (&json!("auto"), &json!(7200)));
        if number % 2 == 0 {
            assert_eq!(server.ask("DELETE", &format!("/s/{name}"), &[], b"").status, 204);
            server.kill();
            server = self::server(&folder);
            server.get(&format!("/s/{name}")).expect_problem(404, "session_unknown");
        }
    }
    let mut left: Vec<&str> = Visit::WAYS.iter().map(|via| via.name()).skip(1).step_by(2).collect();
    left.sort_unstable();
    assert_eq!(server.session_names(), left);
    // Nothing comes back that went, however often it is started.
    server.kill();
    assert_eq!(self::server(&folder).session_names(), left);
}
/// What many connections took up to the very end is stored before the process is gone.
#[test]
fn told_to_end_it_stores_how_far_everyone_has_come() {
    let folder = Folder::new();
    let mut server = server(&folder);
    let names: Vec<String> = (0..60).map(|number| format!("s{number:02}")).collect();
    let ways = [Via::Sse, Via::Ndjson, Via::Ws, Via::V1];
    let mut visits: Vec<Visit> = names
        .iter()
        .zip(ways.into_iter().cycle())
        .map(|(name, via)| Visit::open(&server, via, &Wish::new(name).topics(&["t"])))
        .collect();
    let last = server.publish_numbers("t", 0..3);
    for visit in &mut visits {
        visit.take(3);
    }
    server.terminate();
    for visit in &mut visits {
        assert!(visit.parting().said["retryMs"].is_u64());
    }
    drop(visits);
    assert!(server.wait().success());
    let server = self::server(&folder);
    for name in &names {
        assert_eq!(server.session(name)["position"], last.as_str(), "{name}");
        assert!(server.get(&format!("/t?session={name}")).events().is_empty(), "{name}");
    }
}
