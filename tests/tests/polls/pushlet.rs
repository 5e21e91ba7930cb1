//! Pushlet clients: what they send and hear, over every mode, and what strangers cannot do.

use std::collections::BTreeMap;

use tidings_tests::{Response, Server, Wire, request, until};

const SERVLET: &str = "/pushlet/pushlet.srv?p_event=";

/// An event: its fields by name.
type Fields = BTreeMap<String, String>;

fn ask(server: &Server, query: &str) -> Response {
    server.get(&format!("{SERVLET}{query}"))
}

/// The events of an answer in XML, read strictly: nothing may stand between them.
#[track_caller]
fn events(text: &str) -> Vec<Fields> {
    let mut rest = text.trim_start_matches("<pushlet>").trim_end_matches("</pushlet>");
    let mut events = Vec::new();
    while let Some(inside) = rest.strip_prefix("<event ") {
        let (attributes, after) = inside.split_once("/>").unwrap_or_else(|| panic!("{text}"));
        let mut fields = Fields::new();
        let mut attributes = attributes.trim_end();
        while !attributes.is_empty() {
            let (name, value) = attributes.split_once("=\"").unwrap_or_else(|| panic!("{text}"));
            let (value, more) = value.split_once('"').unwrap_or_else(|| panic!("{text}"));
            assert!(!value.contains(['<', '>']), "{text}");
            fields.insert(name.to_owned(), unescaped(value));
            attributes = more.trim_start();
        }
        events.push(fields);
        rest = after;
    }
    assert_eq!(rest, "", "{text}");
    events
}

fn unescaped(value: &str) -> String {
    let named = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#10;", "\n"),
        ("&#9;", "\t"),
        ("&#13;", "\r"),
    ];
    let text = named.iter().fold(value.to_owned(), |text, (from, to)| text.replace(from, to));
    text.replace("&amp;", "&")
}

#[track_caller]
fn one(response: &Response, kind: &str) -> Fields {
    assert_eq!(response.status, 200, "{response:?}");
    let events = events(response.text());
    assert_eq!(events.len(), 1, "{response:?}");
    assert_eq!(events[0]["p_event"], kind, "{response:?}");
    events[0].clone()
}

#[track_caller]
fn join(server: &Server, format: &str) -> String {
    one(&ask(server, &format!("join&p_format={format}")), "join-ack")["p_id"].clone()
}

/// The fields `n` of the data among events.
fn numbers(events: &[Fields]) -> Vec<String> {
    let data = events.iter().filter(|event| event["p_event"] == "data");
    data.map(|event| event["n"].clone()).collect()
}

#[test]
fn a_session_lives_from_join_to_leave() {
    let server = Server::start();
    for format in ["xml", "xml-strict"] {
        let id = join(&server, format);
        assert_ne!(id, join(&server, format), "ids are nobody else's");
        one(&ask(&server, &format!("hb&p_id={id}")), "hb-ack");
        let ack = one(
            &ask(&server, &format!("subscribe&p_id={id}&p_subject=/a&p_label=l")),
            "subscribe-ack",
        );
        assert_eq!((ack["p_subject"].as_str(), ack["p_label"].as_str()), ("/a", "l"));
        one(&ask(&server, &format!("publish&p_id={id}&p_subject=/a/b&n=1")), "publish-ack");
        let polled = ask(&server, &format!("refresh&p_id={id}&p_mode=poll"));
        let heard = events(polled.text());
        let kinds: Vec<&str> = heard.iter().map(|event| event["p_event"].as_str()).collect();
        assert_eq!(kinds, ["refresh-ack", "data", "refresh"]);
        assert_eq!(heard[1]["p_sid"], ack["p_sid"]);
        assert_eq!((heard[1]["p_subject"].as_str(), heard[1]["n"].as_str()), ("/a/b", "1"));
        assert!(heard[1]["p_from"] != id && !polled.text().contains(&format!("p_from=\"{id}")));
        let gone = one(
            &ask(&server, &format!("unsubscribe&p_id={id}&p_sid={}", ack["p_sid"])),
            "unsubscribe-ack",
        );
        assert_eq!(gone["p_subject"], "/a");
        ask(&server, &format!("publish&p_id={id}&p_subject=/a&n=2"));
        let polled = events(ask(&server, &format!("refresh&p_id={id}&p_mode=poll")).text());
        assert!(numbers(&polled).is_empty(), "{polled:?}");
        one(&ask(&server, &format!("leave&p_id={id}")), "leave-ack");
        ask(&server, &format!("hb&p_id={id}")).expect_problem(404, "session_unknown");
    }
}

#[test]
fn a_pull_is_held_and_loses_nothing_in_between() {
    let server = Server::start();
    let first = ask(&server, "join-listen&p_format=xml-strict&p_mode=pull&p_subject=/news");
    let heard = events(first.text());
    assert_eq!(
        (heard[0]["p_event"].as_str(), heard[1]["p_wait"].as_str()),
        ("join-listen-ack", "0")
    );
    let id = heard[0]["p_id"].clone();
    let mut seen = Vec::new();
    let mut wire = server.wire();
    for number in 0..20 {
        // Sometimes the client is waiting, sometimes it comes later.
        if number % 3 == 0 {
            server.post(
                "news",
                &[("Content-Type", "application/json")],
                format!("{{\"n\":{number}}}"),
            );
        }
        wire.send(request("GET", &format!("{SERVLET}refresh&p_id={id}"), &[], b""));
        if number % 3 != 0 {
            server.post(
                "news",
                &[("Content-Type", "application/json")],
                format!("{{\"n\":{number}}}"),
            );
        }
        let heard = events(wire.response("GET").text());
        assert_eq!(heard[0]["p_event"], "refresh-ack");
        assert_eq!(heard.last().unwrap()["p_event"], "refresh");
        seen.extend(numbers(&heard));
    }
    while seen.len() < 20 {
        let heard = events(ask(&server, &format!("refresh&p_id={id}")).text());
        seen.extend(numbers(&heard));
    }
    let expected: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(seen, expected, "each once, and in order");
}

/// Reads a stream of events until there are `count` data events.
#[track_caller]
fn stream_data(wire: &mut Wire, heard: &mut String, count: usize) -> Vec<String> {
    until("the stream has brought them", || {
        let chunk = wire.read_some().unwrap_or_else(|| panic!("the stream has ended: {heard}"));
        heard.push_str(&String::from_utf8_lossy(&chunk));
        let found = heard.matches(" n=\"").count();
        assert!(found <= count, "more than {count}: {heard}");
        (found == count).then_some(())
    });
    heard.split(" n=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

#[test]
fn a_stream_goes_on_while_its_session_subscribes_to_more() {
    let server = Server::start();
    let id = join(&server, "xml");
    let mut wire = server.wire();
    wire.send(request(
        "GET",
        &format!("{SERVLET}listen&p_id={id}&p_mode=stream&p_subject=/a"),
        &[],
        b"",
    ));
    let head = wire.head();
    assert_eq!(head.header("content-type"), Some("text/plain;charset=UTF-8"));
    assert_eq!(head.header("cache-control"), Some("no-store, no-transform"));
    let mut heard = String::new();
    ask(&server, &format!("publish&p_id={id}&p_subject=/a&n=0"));
    stream_data(&mut wire, &mut heard, 1);
    for number in 1..8 {
        one(
            &ask(&server, &format!("subscribe&p_id={id}&p_subject=/more/{number}")),
            "subscribe-ack",
        );
        ask(&server, &format!("publish&p_id={id}&p_subject=/more/{number}&n={number}"));
        let numbers = stream_data(&mut wire, &mut heard, number + 1);
        assert_eq!(numbers.last(), Some(&number.to_string()), "{heard}");
    }
    assert!(heard.starts_with(|c: char| c.is_ascii_hexdigit()) && heard.contains("listen-ack"));
    one(&ask(&server, &format!("leave&p_id={id}")), "leave-ack");
    let rest = String::from_utf8(wire.read_to_end()).unwrap();
    assert!(rest.contains("p_event=\"abort\""), "{rest}");
}

#[test]
fn two_listeners_of_one_session_do_not_chase_each_other() {
    let server = Server::start();
    let id = join(&server, "xml");
    let listen = format!("{SERVLET}listen&p_id={id}&p_mode=stream");
    let mut first = server.wire();
    first.send(request("GET", &listen, &[], b""));
    first.head();
    let mut second = server.wire();
    second.send(request("GET", &listen, &[], b""));
    second.head();
    let rest = String::from_utf8(first.read_to_end()).unwrap();
    assert!(rest.contains("another client listens with this id"), "{rest}");
    // Two that pull are told to come back later, so neither spins.
    let mut third = server.wire();
    third.send(request("GET", &format!("{SERVLET}refresh&p_id={id}"), &[], b""));
    let rest = String::from_utf8(second.read_to_end()).unwrap();
    assert!(rest.contains("another client listens with this id"), "{rest}");
    let mut fourth = server.wire();
    fourth.send(request("GET", &format!("{SERVLET}refresh&p_id={id}"), &[], b""));
    let heard = events(third.response("GET").text());
    assert_eq!(heard.last().unwrap()["p_wait"], "1000");
}

#[test]
fn a_message_to_one_client_reaches_no_other() {
    let server = Server::start();
    let (me, you, them) = (join(&server, "xml"), join(&server, "xml"), join(&server, "xml"));
    for id in [&me, &you, &them] {
        one(&ask(&server, &format!("subscribe&p_id={id}&p_subject=/room")), "subscribe-ack");
    }
    one(&ask(&server, &format!("publish&p_id={you}&p_subject=/room&n=all")), "publish-ack");
    let heard = events(ask(&server, &format!("refresh&p_id={me}&p_mode=poll")).text());
    let from = heard[1]["p_from"].clone();
    one(
        &ask(&server, &format!("publish&p_id={me}&p_subject=/room&p_to={from}&n=you")),
        "publish-ack",
    );
    let poll =
        |id: &str| numbers(&events(ask(&server, &format!("refresh&p_id={id}&p_mode=poll")).text()));
    assert_eq!(poll(&you), ["all", "you"]);
    assert_eq!(poll(&them), ["all"]);
    for nobody in ["x", "..", "f%0a", "f00000000000000000000/..", "%00"] {
        let answer = ask(&server, &format!("publish&p_id={me}&p_subject=/room&p_to={nobody}&n=1"));
        one(&answer, "nack");
    }
}

#[test]
fn what_pushlets_publish_others_read_and_the_other_way_around() {
    let server = Server::start();
    let id = join(&server, "xml");
    one(
        &ask(&server, &format!("publish&p_id={id}&p_subject=/prices/aex&value=8&name=%C3%A4+%26")),
        "publish-ack",
    );
    let data = server.get("/t/prices/aex").data();
    assert_eq!(data, [serde_json::json!({"value": "8", "name": "ä &"})]);
    one(&ask(&server, &format!("subscribe&p_id={id}&p_subject=/prices")), "subscribe-ack");
    for (content_type, payload) in [
        ("application/json", "{\"value\":9,\"deep\":{\"x\":[1]},\"n\":null}"),
        ("application/json", "{\"p_id\":\"forged\"}"),
        ("application/json", "{\"a b\":1}"),
        ("application/json", "[1,\"\\u0000<\"]"),
        ("text/plain", "</event>\n\"'&\t\r\0\u{85}"),
    ] {
        assert_eq!(server.post("prices/x", &[("Content-Type", content_type)], payload).status, 201);
    }
    let heard = events(ask(&server, &format!("refresh&p_id={id}&p_mode=poll")).text());
    let data: Vec<&Fields> = heard.iter().filter(|event| event["p_event"] == "data").collect();
    // A session goes on from where it listened last, also with what it subscribes to then.
    let (first, data) = data.split_first().unwrap();
    assert_eq!((first["value"].as_str(), first["name"].as_str()), ("8", "ä &"));
    assert_eq!((data[0]["value"].as_str(), data[0]["deep"].as_str()), ("9", "{\"x\":[1]}"));
    assert_eq!(data[0]["n"], "null");
    assert_eq!(data[1]["data"], "{\"p_id\":\"forged\"}");
    assert_eq!(data[2]["data"], "{\"a b\":1}");
    assert_eq!(data[3]["data"], "[1,\"\\u0000<\"]");
    assert_eq!(data[4]["data"], "</event>\n\"'&\t\r\u{fffd}\u{85}");
}

#[test]
fn a_page_in_a_frame_cannot_be_broken_out_of() {
    let server = Server::start();
    let first =
        ask(&server, "join-listen&p_mode=pull&p_subject=/news&p_label=%3C/script%3E%22)%3B");
    assert_eq!(first.header("content-type"), Some("text/html;charset=UTF-8"));
    let policy = first.header("content-security-policy").unwrap();
    assert!(policy.contains("frame-ancestors 'self'"), "{policy}");
    let text = first.text();
    let id = text.split("'p_id', \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    for payload in
        ["</script><script>alert(1)</script>", "\"); alert(1); (\"", "\u{2028}\\", "\0\r\n<!--"]
    {
        server.publish("news", payload);
    }
    let page = ask(&server, &format!("refresh&p_id={id}"));
    for text in [text, page.text()] {
        let scripts = text.matches("<script").count();
        assert_eq!(scripts, text.matches("</script>").count(), "{text}");
        assert_eq!(
            scripts,
            text.matches("<script language=\"JavaScript\">parent.push(").count() + 1,
            "{text}"
        );
        for forbidden in ["<!--", "\u{2028}", "\0"] {
            assert!(!text.contains(forbidden), "{text}");
        }
    }
    assert!(page.text().contains("\\\"); alert(1); (\\\""), "{page:?}");
}

#[test]
fn strangers_and_nonsense_are_refused() {
    let server = Server::with(&[(
        "NAMESPACE",
        "[{match = \"secret/**\", subscribe = false, publish = false}]",
    )]);
    let id = join(&server, "xml");
    for (query, status) in [
        ("", 400),
        ("join&p_format=ser", 400),
        ("join&p_format=%3Cx%3E", 400),
        ("hb", 400),
        ("hb&p_id=", 400),
        ("hb&p_id=../../x", 400),
        ("refresh&p_id=billing", 400),
        ("publish&p_id=x00000000000000000000000000000000&p_subject=/a", 404),
        ("join-listen&p_format=xml&p_mode=telepathy", 400),
    ] {
        let response = ask(&server, query);
        assert_eq!(response.status, status, "{query}: {response:?}");
        assert!(!response.text().contains("<x>"), "{response:?}");
    }
    let many = "/a,".repeat(100);
    let label = "l".repeat(200);
    for query in [
        format!("subscribe&p_id={id}&p_subject=/secret"),
        format!("subscribe&p_id={id}&p_subject=/a%0d%0ax"),
        format!("subscribe&p_id={id}&p_subject={many}"),
        format!("publish&p_id={id}&p_subject=/secret/a&n=1"),
        format!("publish&p_id={id}&p_subject=/a&%3Cx%3E=1"),
        format!("publish&p_id={id}&n=1"),
        format!("unsubscribe&p_id={id}&p_sid=%22/%3E"),
    ] {
        one(&ask(&server, &query), "nack");
    }
    ask(&server, &format!("subscribe&p_id={id}&p_subject=/a&p_label={label}"))
        .expect_problem(400, "bad_request");
    server
        .ask("POST", "/pushlet/pushlet.srv?p_event=join", &[], b"")
        .expect_problem(405, "method_not_allowed");
    server.get("/pushlet/").expect_problem(404, "not_found");
    // A session that is none of these clients' is out of their reach.
    assert_eq!(server.get("/t/a?session=billing").status, 200);
    ask(&server, "leave&p_id=billing").expect_problem(400, "bad_request");
    assert_eq!(server.get("/s/billing").status, 200);
}

#[test]
fn a_restart_ends_pulls_and_streams_with_a_word() {
    let mut server = Server::start();
    let id = join(&server, "xml");
    let other = join(&server, "xml-strict");
    let mut stream = server.wire();
    stream.send(request("GET", &format!("{SERVLET}listen&p_id={id}&p_mode=stream"), &[], b""));
    stream.head();
    let mut pull = server.wire();
    pull.send(request("GET", &format!("{SERVLET}refresh&p_id={other}"), &[], b""));
    server.await_connections(2);
    server.terminate();
    let rest = String::from_utf8(stream.read_to_end()).unwrap();
    assert!(rest.contains("p_event=\"refresh\""), "{rest}");
    let heard = events(pull.response("GET").text());
    let wait: u64 = heard.last().unwrap()["p_wait"].parse().unwrap();
    assert!(wait > 0, "{heard:?}");
    server.wait();
}
