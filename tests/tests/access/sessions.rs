//! Durable sessions belong to whoever made them.

use serde_json::json;
use tidings_tests::{Folder, Response, Server, Socket};

use super::support::{ALL, Guarded, as_header, basic, bearer, token};

/// All that can be done with a session by somebody who only knows its name.
#[track_caller]
fn all_ways(
    server: &Server,
    who: &[(&str, &str)],
    position: &str,
) -> Vec<(&'static str, Response)> {
    let ask = |method: &str, target: &str| server.ask(method, target, who, b"");
    let ack = json!({ "position": position }).to_string();
    vec![
        ("take over", ask("GET", "/t?session=mine")),
        ("take over with topics", ask("GET", "/t/a?session=mine")),
        ("look at", ask("GET", "/s/mine")),
        ("acknowledge", server.ask("POST", "/s/mine/ack", who, ack.as_bytes())),
        ("delete", ask("DELETE", "/s/mine")),
    ]
}

#[test]
fn a_session_is_its_users_alone() {
    let folder = Folder::new();
    let guarded = Guarded::with(ALL, &[("DATA", &folder.text())]);
    let (ann, bob) = (basic("ann", "apple"), basic("bob", "berry"));
    let (ann, bob) = (as_header(&ann), as_header(&bob));
    let server = &guarded.server;
    let position = server.post("a", &ann, "x").position();
    let made = server.ask("GET", "/t/a?session=mine&since=start", &ann, b"");
    assert_eq!(made.status, 200, "{made:?}");
    let anonymous: &[(&str, &str)] = &[];
    let check = |server: &Server| {
        for who in [&bob[..], anonymous] {
            for (what, answer) in all_ways(server, who, &position) {
                assert_eq!(answer.status, 403, "{what}: {answer:?}");
                answer.expect_problem(403, "forbidden");
            }
            let list = server.ask("GET", "/s", who, b"").json();
            assert_eq!(list, json!({"sessions": []}));
        }
        assert_eq!(server.ask("GET", "/s/mine", &ann, b"").json()["session"], "mine");
        let list = server.ask("GET", "/s", &ann, b"").json();
        assert_eq!(list["sessions"][0]["session"], "mine");
    };
    check(server);
    let mut socket = Socket::try_open(server, "/ws", &bob).ok().unwrap();
    socket.json();
    let subscribe = json!({"do": "subscribe", "id": 2, "sub": "s", "session": "mine"});
    assert_eq!(socket.command(&subscribe)["error"], "forbidden");
    // Also by another way of being the same user, and after the server has begun anew.
    let same = bearer(&token("ann", 600, json!({})));
    assert_eq!(server.ask("GET", "/s/mine", &as_header(&same), b"").status, 200);
    let users = guarded.folder.path().join("users.toml").display().to_string();
    let Guarded { mut server, folder: _kept } = guarded;
    server.terminate();
    server.wait();
    let settings = [("DATA", folder.text()), ("ACCESS_USERS", users), ("ACCESS_RULE", ALL.into())];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let server = Server::with(&settings);
    check(&server);
    assert_eq!(server.ask("DELETE", "/s/mine", &ann, b"").status, 204);
    assert_eq!(server.ask("GET", "/t/a?session=mine", &bob, b"").status, 200, "it is free again");
}
