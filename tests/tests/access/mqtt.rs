//! MQTT: who the client is by CONNECT, by a token, by SCRAM; and that what it wants is asked about.

use std::net::SocketAddr;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::{Digest, Sha256};
use tidings_tests::{Server, Wire, until};

use super::support::{ALL, Guarded, as_header, basic, token};

/// Where MQTT listens.
#[track_caller]
fn address(server: &Server) -> SocketAddr {
    until("the server says where MQTT is", || {
        server.printed().iter().find_map(|line| {
            let (host, port) = line.split_once("-h ")?.1.split_once(" -p ")?;
            format!("{host}:{}", port.split(' ').next()?).parse().ok()
        })
    })
}

/// A field with its length before it.
fn field(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], bytes].concat()
}

/// A length, as short as it can be said; none of a test's takes more than two bytes.
fn varint(length: usize) -> Vec<u8> {
    assert!(length < 16_384);
    match length {
        0..128 => vec![length as u8],
        _ => vec![(length % 128) as u8 | 0x80, (length / 128) as u8],
    }
}

/// A packet.
fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &varint(body.len()), body].concat()
}

/// CONNECT of MQTT 5 with clean start.
fn connect(
    client: &str,
    user: Option<&str>,
    password: Option<&[u8]>,
    properties: &[u8],
) -> Vec<u8> {
    let flags = 2 | u8::from(user.is_some()) << 7 | u8::from(password.is_some()) << 6;
    let mut body = [&field(b"MQTT")[..], &[5, flags, 0, 0]].concat();
    body.extend(varint(properties.len()));
    body.extend(properties);
    body.extend(field(client.as_bytes()));
    body.extend(user.map(|user| field(user.as_bytes())).unwrap_or_default());
    body.extend(password.map(field).unwrap_or_default());
    packet(0x10, &body)
}

/// The next packet: its first byte, and what follows its length.
#[track_caller]
fn read(wire: &mut Wire) -> (u8, Vec<u8>) {
    let kind = wire.read_exact(1)[0];
    let (mut length, mut shift) = (0, 0);
    loop {
        let byte = wire.read_exact(1)[0];
        length |= usize::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return (kind, wire.read_exact(length));
        }
    }
}

/// Connects, and says how that is answered.
#[track_caller]
fn enter(server: &Server, connect: &[u8]) -> (Wire, u8) {
    let mut wire = Wire::connect(address(server));
    wire.send(connect);
    let (kind, body) = read(&mut wire);
    assert_eq!(kind, 0x20, "{body:?}");
    (wire, body[1])
}

fn guarded(rules: &str, settings: &[(&str, &str)]) -> Guarded {
    Guarded::with(rules, &[&[("MQTT_LISTEN", "127.0.0.1:0")], settings].concat())
}

#[test]
fn connect_says_who_it_is() {
    let Guarded { server, .. } = &guarded(ALL, &[("ACCESS_ANONYMOUS", "false")]);
    let token = token("carol", 600, json!({}));
    for (user, password, code) in [
        (Some("ann"), Some(&b"apple"[..]), 0),
        (None, Some(token.as_bytes()), 0),
        (Some(""), Some(token.as_bytes()), 0),
        (Some("ann"), Some(b"pear"), 0x86),
        (Some("ann"), None, 0x86),
        (Some("nobody"), Some(b"apple"), 0x86),
        (None, Some(b"a.b.c"), 0x86),
        (None, None, 0x87),
    ] {
        let (mut wire, answer) = enter(server, &connect("c", user, password, &[]));
        assert_eq!(answer, code, "{user:?}");
        if code != 0 {
            wire.expect_end();
        }
    }
    let line = until("the failure is told", || {
        server.complained().into_iter().find(|line| line.contains("login failed"))
    });
    assert!(line.contains("127.0.0.1:") && line.contains("ann"), "{line}");
}

#[test]
fn what_a_client_wants_is_asked_about() {
    let rules = "[{who = [\"authenticated\"], publish = [\"in/{client}\"], \
        subscribe = [\"inbox/{user}\", \"**\"]}, {who = [\"group:staff\"], publish = [\"**\"]}]";
    let rules = rules.replace(", \"**\"]}, {who", "]}, {who");
    let Guarded { server, .. } = &guarded(&rules, &[]);
    let (mut wire, answer) = enter(server, &connect("c1", Some("ann"), Some(b"apple"), &[]));
    assert_eq!(answer, 0);
    let publish =
        |topic: &str| packet(0x32, &[&field(topic.as_bytes())[..], &[0, 1, 0], b"x"].concat());
    wire.send(publish("in/c1"));
    let (kind, body) = read(&mut wire);
    assert!(kind == 0x40 && body.get(2).is_none_or(|code| *code < 0x80), "{body:?}");
    for topic in ["in/c2", "inbox/ann"] {
        wire.send(publish(topic));
        let (kind, body) = read(&mut wire);
        assert_eq!((kind, body[2]), (0x40, 0x87), "{topic}");
    }
    // Three subscriptions, of which one reaches something, another a part, and one nothing.
    let filters = [&b"inbox/ann"[..], b"#", b"in/c1"];
    let filters: Vec<u8> = filters.iter().flat_map(|f| [field(f), vec![1]].concat()).collect();
    wire.send(packet(0x82, &[&[0, 2, 0][..], &filters].concat()));
    let (kind, body) = read(&mut wire);
    assert_eq!((kind, &body[3..]), (0x90, &[1, 1, 0x87][..]), "{body:?}");
    let bob = basic("bob", "berry");
    for topic in ["inbox/bob", "other", "inbox/ann"] {
        assert_eq!(server.post(topic, &as_header(&bob), "x").status, 201);
    }
    let (kind, body) = read(&mut wire);
    assert_eq!((kind & 0xf0, &body[2..11]), (0x30, &b"inbox/ann"[..]));
}

/// A client identifier is the name of a session, and that is its user's.
#[test]
fn a_client_identifier_is_its_users() {
    let Guarded { server, .. } = &guarded(ALL, &[]);
    let lasting = [0x11, 0, 0, 1, 0];
    let (_ann, answer) = enter(server, &connect("c", Some("ann"), Some(b"apple"), &lasting));
    assert_eq!(answer, 0);
    let (_, answer) = enter(server, &connect("c", Some("bob"), Some(b"berry"), &lasting));
    assert_eq!(answer, 0x87);
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mac = Hmac::<Sha256>::new_from_slice(key);
    let mut mac = mac.unwrap_or_else(|error| panic!("{error}"));
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// The properties that say SCRAM's name and next message.
fn scram(data: &str) -> Vec<u8> {
    let method = [&[0x15][..], &field(b"SCRAM-SHA-256")].concat();
    [method, [&[0x16][..], &field(data.as_bytes())].concat()].concat()
}

/// What SCRAM says in the properties of a packet.
fn said(body: &[u8]) -> String {
    let method = field(b"SCRAM-SHA-256");
    let at = body.windows(method.len()).position(|part| part == method);
    let at = at.unwrap_or_else(|| panic!("no method in {body:?}")) + method.len();
    let length = usize::from(u16::from_be_bytes([body[at + 1], body[at + 2]]));
    String::from_utf8_lossy(&body[at + 3..at + 3 + length]).into_owned()
}

/// The client's last message of SCRAM, and what the server has to say to it; nothing when what it said
/// first is not SCRAM's.
fn prove(password: &str, bare: &str, first: &str) -> Option<(String, String)> {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    let mut parts = first.split(',').map(|part| &part[2..]);
    let (nonce, salt, rounds) = (parts.next()?, parts.next()?, parts.next()?);
    assert!(nonce.starts_with("fyko") && nonce.len() > 20, "{first}");
    let salt = STANDARD.decode(salt).ok()?;
    let mut step = hmac(password.as_bytes(), &[&salt[..], &[0, 0, 0, 1]].concat());
    let mut salted = step;
    for _ in 1..rounds.parse::<u32>().ok()? {
        step = hmac(password.as_bytes(), &step);
        salted.iter_mut().zip(step).for_each(|(byte, other)| *byte ^= other);
    }
    let client_key = hmac(&salted, b"Client Key");
    let stored_key: [u8; 32] = Sha256::digest(client_key).into();
    let message = format!("{bare},{first},c=biws,r={nonce}");
    let signature = hmac(&stored_key, message.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    let server = hmac(&hmac(&salted, b"Server Key"), message.as_bytes());
    let last = format!("c=biws,r={nonce},p={}", STANDARD.encode(proof));
    Some((last, format!("v={}", STANDARD.encode(server))))
}

/// An AUTH of this reason.
fn auth(reason: u8, data: &str) -> Vec<u8> {
    let properties = scram(data);
    packet(0xf0, &[&[reason][..], &varint(properties.len()), &properties].concat())
}

#[test]
fn scram_proves_without_the_password() {
    let Guarded { server, .. } = &guarded(ALL, &[("ACCESS_ANONYMOUS", "false")]);
    for (user, password, code) in
        [("ann", "apple", 0), ("ann", "pear", 0x86), ("nobody", "apple", 0x86)]
    {
        let mut wire = Wire::connect(address(server));
        let bare = format!("n={user},r=fyko");
        wire.send(connect("c", None, None, &scram(&format!("n,,{bare}"))));
        let (kind, body) = read(&mut wire);
        assert_eq!((kind, body[0]), (0xf0, 0x18), "{body:?}");
        let (last, right) = prove(password, &bare, &said(&body)).unwrap();
        wire.send(auth(0x18, &last));
        let (kind, body) = read(&mut wire);
        assert_eq!((kind, body[1]), (0x20, code), "{user}");
        if code == 0 {
            assert_eq!(said(&body), right);
        }
    }
}

#[test]
fn whoever_came_by_scram_can_prove_it_again() {
    let Guarded { server, .. } = &guarded(ALL, &[("ACCESS_ANONYMOUS", "false")]);
    // The right one, a wrong password, and another user.
    for (user, password, reason) in [("ann", "apple", 0), ("ann", "pear", 0x87), ("bob", "x", 0x87)]
    {
        let mut wire = Wire::connect(address(server));
        let bare = "n=ann,r=fyko";
        wire.send(connect("c", None, None, &scram(&format!("n,,{bare}"))));
        let (last, _) = prove("apple", bare, &said(&read(&mut wire).1)).unwrap();
        wire.send(auth(0x18, &last));
        assert_eq!(read(&mut wire).1[1], 0);
        let bare = format!("n={user},r=fyko");
        wire.send(auth(0x19, &format!("n,,{bare}")));
        let (kind, body) = read(&mut wire);
        assert_eq!((kind, body[0]), (0xf0, 0x18), "{body:?}");
        let (last, right) = prove(password, &bare, &said(&body)).unwrap();
        wire.send(auth(0x18, &last));
        let (kind, body) = read(&mut wire);
        match reason {
            0 => assert_eq!((kind, said(&body)), (0xf0, right)),
            reason => assert_eq!((kind, body[0]), (0xe0, reason), "{user} {password}"),
        }
    }
    // Who came by a password has nothing to prove again.
    let mut wire = Wire::connect(address(server));
    wire.send(connect("c", Some("ann"), Some(b"apple"), &[]));
    assert_eq!(read(&mut wire).1[1], 0);
    wire.send(auth(0x19, "n,,n=ann,r=fyko"));
    let (kind, body) = read(&mut wire);
    assert_eq!((kind, body[0]), (0xe0, 0x82));
}
