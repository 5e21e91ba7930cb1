//! Clients' certificates: whom they name, on every way in, and when they say nothing.

use std::sync::Arc;

use rustls::ClientConfig;
use serde_json::{Value, json};
use tidings_mqtt_codec::{Connect, Packet, QoS, ReasonCode};
use tidings_tests::{
    Authority, Folder, Http2, Identity, Mqtt, Server, Socket, Wire, handshake, publish, request,
    until, v5, v311,
};
use tidings_websocket_codec::Opcode;

use super::support::{Guarded, as_header, basic, bearer, token};

/// What a device may, what its kind may, and what everybody may.
const RULES: &str = "[{who = [\"user:device-7\"], publish = [\"devices/{user}\"], subscribe = [\"held\"]}, \
    {who = [\"group:pumps\"], publish = [\"pumps\"]}, \
    {who = [\"user:ann\", \"user:carol\"], publish = [\"desk\"]}, \
    {who = [\"anonymous\"], publish = [\"guests\"]}, \
    {who = [\"*\"], subscribe = [\"devices/*\", \"pumps\", \"desk\", \"guests\"]}]";

const OPTIONAL: (&str, &str) = ("TLS_CLIENT_CERTIFICATES", "optional");

/// CONNECT of MQTT 3.1.1 for the client `c`, with a clean session.
const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x00\x00\x01c";

/// Everything that anybody may publish to.
const TOPICS: [&str; 4] = ["devices/device-7", "pumps", "desk", "guests"];

/// A server, and clients that show a certificate for `device-7` or none.
struct Devices {
    authority: Authority,
    server: Server,
    device: Identity,
    /// Its users are read from there.
    _users: Folder,
}

#[track_caller]
fn devices(settings: &[(&str, &str)]) -> Devices {
    let authority = Authority::new();
    let Guarded { server, folder } =
        Guarded::secure(&authority, RULES, &[&[OPTIONAL], settings].concat());
    let device = authority.identify("device-7");
    let server = server.over(&authority.client_as(Some(&device)));
    Devices { authority, server, device, _users: folder }
}

/// Where somebody who brings this may publish, and as whom.
#[track_caller]
fn may(server: &Server, query: &str, headers: &[(&str, &str)]) -> Vec<(&'static str, Value)> {
    let mut allowed = Vec::new();
    for topic in TOPICS {
        let posted = server.post(&format!("{topic}{query}"), headers, "x");
        if posted.status != 201 {
            posted.expect_problem(403, "forbidden");
            continue;
        }
        let last = server.ask("GET", &format!("/t/{topic}?last=1"), headers, b"").events();
        allowed.push((topic, last[0]["from"].clone()));
    }
    allowed
}

#[test]
fn a_certificate_is_a_user() {
    let Devices { authority, server, .. } = devices(&[]);
    assert_eq!(may(&server, "", &[]), [("devices/device-7", json!("device-7"))]);
    // Another name is another user, of whom no rule speaks.
    let other = authority.identify("device-8");
    let server = server.over(&authority.client_as(Some(&other)));
    assert_eq!(may(&server, "", &[]), []);
    let server = server.over(&authority.client());
    assert_eq!(may(&server, "", &[]), [("guests", Value::Null)]);
}

#[test]
fn it_has_the_groups_that_are_known_of_its_user() {
    let user = [("ACCESS_USER", "[{name = \"device-7\", groups = [\"pumps\"]}]")];
    let Devices { server, .. } = devices(&user);
    let both = [("devices/device-7", json!("device-7")), ("pumps", json!("device-7"))];
    assert_eq!(may(&server, "", &[]), both);
    // And no password lets anybody in as it.
    for password in ["", "apple"] {
        let login = basic("device-7", password);
        server.post("pumps", &as_header(&login), "x").expect_problem(401, "unauthorized");
    }
}

#[test]
fn a_password_or_a_token_goes_first() {
    let Devices { server, .. } = devices(&[]);
    let token = token("carol", 600, json!({}));
    let (ann, carol) = (basic("ann", "apple"), bearer(&token));
    assert_eq!(may(&server, "", &as_header(&ann)), [("desk", json!("ann"))]);
    assert_eq!(may(&server, "", &as_header(&carol)), [("desk", json!("carol"))]);
    let posted = server.post(&format!("desk?token={token}"), &[], "x");
    assert_eq!(posted.status, 201, "{posted:?}");
    // Who brings a wrong one is not somebody else instead.
    let wrong = basic("ann", "pear");
    server.post("devices/device-7", &as_header(&wrong), "x").expect_problem(401, "unauthorized");
}

/// A connection on which a request was answered at once, one whose answer was held, and what comes
/// after it: the name stays with the connection wherever it goes.
#[test]
fn it_counts_for_every_request_of_a_connection() {
    let Devices { server, .. } = devices(&[]);
    let mut wire = server.wire();
    for _ in 0..2 {
        assert_eq!(wire.ask("POST", "/t/devices/device-7", &[], b"x").status, 201);
        for _ in 0..2 {
            // Held, and then one that is read without a parser.
            assert_eq!(wire.ask("GET", "/t/held?wait=0.01", &[], b"").status, 200);
        }
    }
    assert_eq!(wire.ask("POST", "/t/desk", &[], b"x").status, 403);
    wire.send(handshake("/ws", &[]));
    let mut socket = Socket::begin(wire).ok().unwrap();
    assert_eq!(socket.json()["type"], "ready");
    for (topic, ok) in [("devices/device-7", true), ("desk", false)] {
        let publish = json!({"do": "publish", "id": 1, "topic": topic, "data": "x"});
        assert_eq!(socket.command(&publish)["ok"], ok, "{topic}");
    }
}

#[test]
fn it_counts_for_every_stream_of_http2() {
    let Devices { authority, mut server, device, .. } = devices(&[]);
    for (shown, own, guests) in [(Some(&device), 201, 403), (None, 403, 201)] {
        server = server.over(&authority.client_as(shown));
        let mut http2 = Http2::connect(&server);
        for _ in 0..2 {
            assert_eq!(http2.ask("POST", "/t/devices/device-7", &[], b"x").status, own);
            assert_eq!(http2.ask("POST", "/t/guests", &[], b"x").status, guests);
        }
    }
}

/// A browser shows a certificate for whatever any page has it load.
#[test]
fn it_does_not_count_for_pages_of_other_sites() {
    let origins = ("HTTP_ALLOWED_ORIGINS", "*");
    let Devices { server, .. } = devices(&[origins]);
    let (device, guest) = ([("devices/device-7", json!("device-7"))], [("guests", Value::Null)]);
    assert_eq!(may(&server, "", &[("Origin", "https://elsewhere.example")]), guest);
    assert_eq!(may(&server, "", &[("Sec-Fetch-Site", "cross-site")]), guest);
    assert_eq!(may(&server, "", &[("Sec-Fetch-Site", "same-origin")]), device);
    let Devices { server, .. } = devices(&[("HTTP_ALLOWED_ORIGINS", "https://our.example")]);
    assert_eq!(may(&server, "", &[("Origin", "https://our.example")]), device);
}

#[test]
fn it_may_be_no_name() {
    let Devices { server, .. } = devices(&[("ACCESS_CERTIFICATES", "none")]);
    assert_eq!(may(&server, "", &[]), [("guests", Value::Null)]);
    let anonymous = ("ACCESS_ANONYMOUS", "false");
    let Devices { server, .. } = devices(&[("ACCESS_CERTIFICATES", "none"), anonymous]);
    server.post("devices/device-7", &[], "x").expect_problem(401, "unauthorized");
}

#[test]
fn a_name_that_is_none_is_refused_and_told() {
    let Devices { authority, server, .. } = devices(&[]);
    let long = authority.identify(&"x".repeat(129));
    let server = server.over(&authority.client_as(Some(&long)));
    server.post("guests", &[], "x").expect_problem(401, "unauthorized");
    let line = until("the failure is told", || {
        server.complained().into_iter().find(|line| line.contains("login failed"))
    });
    assert!(line.contains("certificate") && line.contains("127.0.0.1:"), "{line}");
    // Without any, it is as good as no certificate.
    let nameless = authority.identify("");
    let server = server.over(&authority.client_as(Some(&nameless)));
    server.post("guests", &[], "x").expect_problem(401, "unauthorized");
}

/// What a name is worth is what its authority is: TLS lets no other one in, whatever it calls
/// itself.
#[test]
fn the_certificate_of_a_stranger_opens_nothing() {
    let Devices { authority, server, .. } = devices(&[("MQTT_LISTEN", "none")]);
    let stranger = Authority::new().identify("device-7");
    let client = authority.client_as(Some(&stranger));
    let get = request("GET", "/t/guests", &[], b"");
    for (address, hello) in [(server.secure_address(), &get[..]), (server.secure_mqtt(), CONNECT)] {
        // It is told when it reads.
        let answer = Wire::connect(address).secured(&client).ok().and_then(|mut wire| {
            wire.try_send(hello).ok()?;
            wire.try_read_exact(1)
        });
        assert_eq!(answer, None);
    }
}

/// Begins over TLS as this client.
#[track_caller]
fn enter(server: &Server, client: &Arc<ClientConfig>, connect: Connect) -> Mqtt {
    let wire = Wire::connect(server.secure_mqtt()).secured(client);
    Mqtt::open_on(wire.unwrap_or_else(|error| panic!("no connection: {error}")), connect)
}

#[test]
fn mqtt_needs_no_user_name_then() {
    let Devices { authority, server, device, .. } = devices(&[("ACCESS_ANONYMOUS", "false")]);
    let client = authority.client_as(Some(&device));
    for connect in [v5("c"), v311("c")] {
        let mut mqtt = enter(&server, &client, connect);
        assert_eq!(mqtt.connack.reason, ReasonCode::Success);
        mqtt.publish(publish("devices/device-7", "x", QoS::AtLeastOnce, 1));
        let last = server.get("/t/devices/device-7?last=1").events();
        assert_eq!(last[0]["from"], "device-7");
    }
    let mut mqtt = enter(&server, &client, v5("c"));
    mqtt.send(Packet::Publish(publish("desk", "x", QoS::AtLeastOnce, 1)));
    let Packet::PubAck(answer) = mqtt.expect() else { panic!("no PUBACK") };
    assert_eq!(answer.reason, ReasonCode::NotAuthorized);
    // Neither a password nor the lack of a certificate is made up for.
    let named = |password: &[u8]| Connect {
        username: Some("ann".into()),
        password: Some(password.to_vec().into()),
        ..v5("another")
    };
    let mut ann = enter(&server, &client, named(b"apple"));
    ann.publish(publish("desk", "x", QoS::AtLeastOnce, 1));
    assert_eq!(server.get("/t/desk?last=1").events()[0]["from"], "ann");
    let wrong = enter(&server, &client, named(b"pear"));
    assert_eq!(wrong.connack.reason, ReasonCode::BadUserNameOrPassword);
    let nobody = enter(&server, &authority.client(), v5("third"));
    assert_eq!(nobody.connack.reason, ReasonCode::NotAuthorized);
}

#[test]
fn mqtt_over_websocket_needs_none_either() {
    let Devices { server, .. } = devices(&[("ACCESS_ANONYMOUS", "false")]);
    let mqtt = [("Sec-WebSocket-Protocol", "mqtt")];
    let mut socket = Socket::try_open(&server, "/mqtt", &mqtt).ok().unwrap();
    socket.send_frame(Opcode::Binary, CONNECT);
    // CONNACK in a frame.
    assert_eq!(socket.wire().read_exact(6), b"\x82\x04\x20\x02\x00\x00");
}
