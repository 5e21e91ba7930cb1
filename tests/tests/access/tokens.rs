//! JSON Web Tokens: where they may stand, and which are refused.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;
use tidings_tests::{Server, Socket, Stream};

use super::support::{ALL, Guarded, as_header, bearer, key, now, token};

#[test]
fn a_token_may_stand_in_the_header_or_in_the_query() {
    let Guarded { server, .. } = &Guarded::with(ALL, &[("ACCESS_ANONYMOUS", "false")]);
    let token = token("carol", 600, json!({}));
    let posted = server.post("a", &as_header(&bearer(&token)), "1");
    assert_eq!(posted.status, 201, "{posted:?}");
    assert_eq!(server.post(&format!("a?token={token}"), &[], "2").status, 201);
    let (mut stream, _) = Stream::sse(server, &format!("/t/a?since=start&token={token}"));
    for data in ["1", "2"] {
        let event = stream.next_sse().json();
        assert_eq!((event["data"].as_str(), event["from"].as_str()), (Some(data), Some("carol")));
    }
    let (mut socket, _) = Socket::on_topic(server, &format!("/t/a?token={token}"));
    socket.send_text("3");
    assert_eq!(socket.json()["from"], "carol");
    let mut v1 = Socket::open(server, &format!("/ws?token={token}"));
    assert_eq!(v1.json()["type"], "ready");
    let page = server.get(&format!("/t/a?via=page&token={token}"));
    assert_eq!(page.status, 200);
    assert!(!page.text().contains(&token), "a token is not repeated");
}

#[test]
fn tokens_that_are_refused() {
    let Guarded { server, .. } = &Guarded::with(ALL, &[]);
    let ask = |token: &str| server.ask("GET", "/t/a", &as_header(&bearer(token)), b"");
    assert_eq!(ask(&token("ann", 600, json!({}))).status, 200);
    let expired = ask(&token("ann", 0, json!({})));
    expired.expect_problem(401, "expired");
    let challenge = expired.header("www-authenticate").unwrap_or_default();
    assert!(challenge.contains("Bearer") && challenge.contains("invalid_token"), "{challenge}");
    for refused in [
        token("ann", 600, json!({"aud": "others"})),
        token("ann", 600, json!({"nbf": now() + 600})),
        token("ann", 600, json!({"exp": null})),
        token("", 600, json!({})),
        token("ann", 600, json!({})) + "x",
        String::new(),
        "a.b.c".to_owned(),
        // {"alg":"none"}
        format!("eyJhbGciOiJub25lIn0.{}.", token("ann", 600, json!({})).split('.').nth(1).unwrap()),
    ] {
        ask(&refused).expect_problem(401, "unauthorized");
    }
}

/// Who has the public key, which is everybody, must not be able to sign with it as a secret.
#[test]
fn a_public_key_is_no_secret() {
    let jwt = format!("[{{algorithm = \"RS256\", key = \"{}\"}}]", key("rs256.pub.pem").display());
    let settings = [("ACCESS_JWT", jwt.as_str()), ("ACCESS_RULE", ALL)];
    let server = Server::with(&settings);
    let claims = json!({ "sub": "ann", "exp": now() + 600 });
    let sign =
        |algorithm, key: &EncodingKey| encode(&Header::new(algorithm), &claims, key).unwrap();
    let read = |name| std::fs::read(key(name)).unwrap();
    let right = sign(Algorithm::RS256, &EncodingKey::from_rsa_pem(&read("rs256.pem")).unwrap());
    let forged = sign(Algorithm::HS256, &EncodingKey::from_secret(&read("rs256.pub.pem")));
    let ask = |token: &str| server.ask("GET", "/t/a", &as_header(&bearer(token)), b"");
    assert_eq!(ask(&right).status, 200);
    ask(&forged).expect_problem(401, "unauthorized");
}

#[test]
fn a_token_may_say_what_its_bearer_may_do() {
    let rules = "[{who = [\"group:crew\"], subscribe = [\"log\"]}]";
    let Guarded { server, .. } = &Guarded::with(rules, &[]);
    let claims = json!({"groups": ["crew"], "publish": ["in/*"], "subscribe": ["out/**"]});
    let crew = bearer(&token("carol", 600, claims));
    let crew = as_header(&crew);
    assert_eq!(server.post("in/a", &crew, "x").status, 201);
    server.post("out/a", &crew, "x").expect_problem(403, "forbidden");
    for (topic, status) in [("log", 200), ("out/a", 200), ("out", 200), ("in/a", 403)] {
        let answer = server.ask("GET", &format!("/t/{topic}"), &crew, b"");
        assert_eq!(answer.status, status, "{topic}");
    }
}
