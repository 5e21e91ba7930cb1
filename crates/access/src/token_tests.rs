//! Tests of tokens, signed with keys that are for nothing else. Must never be read by the code.

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use super::*;

const NOW: Time = Time::from_millis(1_800_000_000_000);
const NOW_SECONDS: u64 = 1_800_000_000;
const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef\n";

const RS256: (&[u8], &[u8]) =
    (include_bytes!("../tests/keys/rs256.pem"), include_bytes!("../tests/keys/rs256.pub.pem"));
const ES256: (&[u8], &[u8]) =
    (include_bytes!("../tests/keys/es256.pem"), include_bytes!("../tests/keys/es256.pub.pem"));
const EDDSA: (&[u8], &[u8]) =
    (include_bytes!("../tests/keys/eddsa.pem"), include_bytes!("../tests/keys/eddsa.pub.pem"));

fn rules() -> TokenRules {
    TokenRules {
        issuer: Some("https://issuer.example".into()),
        audience: Some("tidings".into()),
        groups_claim: "groups".into(),
        leeway: Duration::from_secs(30),
    }
}

fn key(algorithm: Algorithm) -> TokenKey {
    let bytes = match algorithm {
        Algorithm::Hs256 => SECRET,
        Algorithm::Rs256 => RS256.1,
        Algorithm::Es256 => ES256.1,
        Algorithm::EdDsa => EDDSA.1,
    };
    TokenKey::new(algorithm, bytes, rules()).unwrap()
}

fn signing(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::Hs256 => EncodingKey::from_secret(SECRET.trim_ascii_end()),
        Algorithm::Rs256 => EncodingKey::from_rsa_pem(RS256.0).unwrap(),
        Algorithm::Es256 => EncodingKey::from_ec_pem(ES256.0).unwrap(),
        Algorithm::EdDsa => EncodingKey::from_ed_pem(EDDSA.0).unwrap(),
    }
}

fn sign(algorithm: Algorithm, claims: &Value) -> String {
    encode(&Header::new(algorithm.theirs()), claims, &signing(algorithm)).unwrap()
}

/// Right claims, with some of them changed; one that is null is left out.
fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "sub": "ann",
        "iss": "https://issuer.example",
        "aud": "tidings",
        "exp": NOW_SECONDS + 60,
        "groups": ["staff"],
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => claims.as_object_mut().unwrap().remove(name),
            value => claims.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    claims
}

#[test]
fn every_algorithm_with_its_own_key() {
    let keys = Algorithm::ALL.map(key);
    for algorithm in Algorithm::ALL {
        let token = sign(algorithm, &claims(json!({ "publish": ["a/**"] })));
        let claims = verify(&keys, &token, NOW).unwrap();
        assert_eq!((&*claims.user, &*claims.groups), ("ann", &[Box::from("staff")][..]));
        assert_eq!(claims.publish, [TopicFilter::new("a/**").unwrap()]);
        assert_eq!(claims.subscribe, []);
        assert_eq!(claims.expires, NOW + Duration::from_secs(90));
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            let denied = verify(&[key(other)], &token, NOW);
            assert_eq!(denied, Err(Denied::Token("no key here is for its algorithm")));
        }
    }
}

/// A public key is no secret: who takes it for one can be fooled by everybody (RFC 8725 section 2.1).
#[test]
fn an_algorithm_cannot_be_confused_with_another() {
    let forged = encode(
        &Header::new(jsonwebtoken::Algorithm::HS256),
        &claims(json!({})),
        &EncodingKey::from_secret(RS256.1),
    );
    let forged = forged.unwrap();
    for keys in [&[key(Algorithm::Rs256)][..], &Algorithm::ALL.map(key)] {
        assert!(verify(keys, &forged, NOW).is_err());
    }
    assert_eq!(
        TokenKey::new(Algorithm::Hs256, RS256.1, rules()).unwrap_err(),
        KeyError::NotSecret("HS256")
    );
}

#[test]
fn unsigned_and_broken_tokens() {
    let token = sign(Algorithm::Es256, &claims(json!({})));
    let mut parts = token.split('.');
    let (header, payload) = (parts.next().unwrap(), parts.next().unwrap());
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"; // {"alg":"none","typ":"JWT"}
    let keys = Algorithm::ALL.map(key);
    for broken in [
        format!("{none}.{payload}."),
        format!("{none}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}.{}", "A".repeat(86)),
        format!("{header}.{none}.{}", token.rsplit('.').next().unwrap()),
        String::new(),
        "a.b.c".to_owned(),
        "x".repeat(20_000),
    ] {
        assert!(matches!(verify(&keys, &broken, NOW), Err(Denied::Token(_))), "{broken}");
    }
    let mut critical = Header::new(jsonwebtoken::Algorithm::ES256);
    critical.crit = Some(vec!["b64".to_owned()]);
    let critical = encode(&critical, &claims(json!({})), &signing(Algorithm::Es256)).unwrap();
    assert_eq!(verify(&keys, &critical, NOW), Err(Denied::Token("it has critical extensions")));
}

#[test]
fn claims_that_are_refused() {
    let refused = |changes: Value| {
        verify(&[key(Algorithm::EdDsa)], &sign(Algorithm::EdDsa, &claims(changes)), NOW).err()
    };
    assert_eq!(refused(json!({})), None);
    // Within the leeway, and just outside of it.
    assert_eq!(refused(json!({ "exp": NOW_SECONDS - 29 })), None);
    assert_eq!(refused(json!({ "exp": NOW_SECONDS - 30 })), Some(Denied::Expired));
    assert_eq!(refused(json!({ "nbf": NOW_SECONDS + 30 })), None);
    assert_eq!(refused(json!({ "aud": ["other", "tidings"] })), None);
    for (changes, why) in [
        (json!({ "nbf": NOW_SECONDS + 31 }), "it is not valid yet"),
        (json!({ "exp": null }), "it never expires"),
        (json!({ "exp": "tomorrow" }), "a time in it is no number"),
        (json!({ "iss": null }), "somebody else has issued it"),
        (json!({ "iss": "https://other.example" }), "somebody else has issued it"),
        (json!({ "aud": null }), "it is for another audience"),
        (json!({ "aud": "other" }), "it is for another audience"),
        (json!({ "aud": [] }), "it is for another audience"),
        (json!({ "sub": null }), "`sub` is no user's name"),
        (json!({ "sub": "a\nb" }), "`sub` is no user's name"),
        (json!({ "groups": 1 }), "its groups are no list"),
        (json!({ "publish": "a" }), "`publish` or `subscribe` is no list of topic filters"),
        (json!({ "subscribe": ["a//b"] }), "`publish` or `subscribe` is no list of topic filters"),
    ] {
        assert_eq!(refused(changes.clone()), Some(Denied::Token(why)), "{changes}");
    }
    // A token that is for somebody is not for a server that was not told who it is.
    let rules = TokenRules { audience: None, ..rules() };
    let key = TokenKey::new(Algorithm::EdDsa, EDDSA.1, rules).unwrap();
    let token = sign(Algorithm::EdDsa, &claims(json!({})));
    let why = Denied::Token("it is for another audience");
    assert_eq!(verify(&[key], &token, NOW), Err(why));
}

#[test]
fn keys_that_are_none() {
    let new = |algorithm, bytes| TokenKey::new(algorithm, bytes, rules()).err();
    assert_eq!(new(Algorithm::Hs256, &b"short"[..]), Some(KeyError::Short));
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        assert_eq!(new(algorithm, SECRET), Some(KeyError::Pem(algorithm.name())));
    }
    assert_eq!(new(Algorithm::Es256, RS256.1), Some(KeyError::Pem("ES256")));
    assert_eq!(new(Algorithm::Rs256, ES256.1), Some(KeyError::Pem("RS256")));
}
