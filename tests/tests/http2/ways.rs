//! Every way to read, many at once on one connection, and coming back.

use h2::client::Builder;
use tidings_tests::{Folder, Http2, Parts, Server, Stream};

use super::await_streams;

#[test]
fn all_ways_of_reading_share_one_connection() {
    let server = Server::start();
    let mut http2 = Http2::connect(&server);
    let first = http2.ask("POST", "/t/a", &[], b"first");
    assert_eq!(first.status, 201);
    let since = first.position();
    let ways = ["sse", "ndjson", "xhr", "iframe"];
    let mut streams = ways.map(|via| http2.open(&format!("/t/a?via={via}&since={since}"), &[]));
    let parts = http2.open(&format!("/t/a?via=multipart&since={since}"), &[]);
    let mut parts = Parts::begin(parts);
    // What its scripts call.
    streams[3].until(b"</script>\n");
    let held = http2.send("GET", &format!("/t/a?wait=60&since={since}"), &[], b"");
    await_streams(&server, 6);
    server.await_connections(1);
    http2.ask("POST", "/t/a", &[], b"second");
    let [sse, ndjson, xhr, iframe] = &mut streams;
    assert_eq!(sse.next_sse().event.as_deref(), Some("ready"));
    assert_eq!(sse.next_sse().json()["data"], "second");
    for stream in [ndjson, xhr] {
        assert_eq!(stream.next_json()["type"], "ready");
        assert_eq!(stream.next_json()["data"], "second");
    }
    assert_eq!(iframe.next_script()["type"], "ready");
    assert_eq!(iframe.next_script()["data"], "second");
    assert_eq!(parts.part().1, b"second");
    assert_eq!(held.response().data(), ["second"]);
}

#[test]
fn a_hundred_streams_on_one_connection_are_a_hundred_clients() {
    let server = Server::start();
    let mut http2 = Http2::connect(&server);
    let mut streams: Vec<Stream> =
        (0..100).map(|number| http2.sse(&format!("/t?topic=all&topic=one/{number}")).0).collect();
    await_streams(&server, 100);
    server.publish("all", "to all");
    for number in 0..100 {
        server.publish(&format!("one/{number}"), number.to_string());
    }
    for (number, stream) in streams.iter_mut().enumerate() {
        assert_eq!(stream.next_sse().json()["data"], "to all");
        assert_eq!(stream.next_sse().json()["data"], number.to_string());
    }
    server.await_connections(1);
}

#[test]
fn a_long_history_comes_whole_and_in_order() {
    let server = Server::start();
    server.publish_numbers("a", 0..5000);
    // What one stream has sent and nobody has read yet is not to hold up the others.
    let mut http2 = Http2::with(&server, Builder::new().initial_connection_window_size(64 << 20));
    let mut streams: Vec<Stream> = (0..3).map(|_| http2.sse("/t/a?since=start").0).collect();
    for stream in &mut streams {
        for number in 0..5000 {
            assert_eq!(stream.next_sse().json()["data"], number);
        }
    }
}

#[test]
fn a_reader_goes_on_by_last_event_id_also_after_the_server_was_killed() {
    let folder = Folder::new();
    let path = folder.path().to_str().unwrap().to_owned();
    let mut server = Server::with(&[("DATA", &path)]);
    server.publish_numbers("a", 0..10);
    let mut http2 = Http2::connect(&server);
    let (mut stream, _) = http2.sse("/t/a?since=start");
    let mut last = String::new();
    for number in 0..5 {
        let event = stream.next_sse();
        assert_eq!(event.json()["data"], number);
        last = event.id.unwrap();
    }
    drop(stream);
    let resumed = |http2: &mut Http2, numbers: std::ops::Range<u32>| {
        let headers = [("accept", "text/event-stream"), ("last-event-id", &last)];
        let mut stream = http2.open("/t/a", &headers);
        assert_eq!(stream.next_sse().event.as_deref(), Some("ready"));
        for number in numbers {
            assert_eq!(stream.next_sse().json()["data"], number);
        }
    };
    resumed(&mut http2, 5..10);
    server.kill();
    let server = Server::with(&[("DATA", &path)]);
    server.publish_numbers("a", 10..12);
    resumed(&mut Http2::connect(&server), 5..12);
}

#[test]
fn a_session_goes_on_where_its_stream_was() {
    let server = Server::start();
    let mut http2 = Http2::connect(&server);
    let target = "/t/a?session=s&since=start&via=ndjson";
    let mut stream = http2.open(target, &[]);
    assert_eq!(stream.next_json()["type"], "ready");
    server.publish_numbers("a", 0..3);
    for number in 0..3 {
        assert_eq!(stream.next_json()["data"], number);
    }
    drop(stream);
    await_streams(&server, 0);
    server.publish_numbers("a", 3..5);
    let answer = http2.get("/t?session=s&via=longpoll&wait=10");
    assert_eq!(answer.data(), [3, 4]);
    let answer = http2.get("/t?session=s&via=longpoll&wait=0.1");
    assert!(answer.events().is_empty(), "the poll before was taken: {answer:?}");
}

/// What a machine waits for may end while its stream is open.
#[test]
fn a_pushlet_stream_goes_on_while_its_session_subscribes_to_more() {
    let server = Server::start();
    let mut http2 = Http2::connect(&server);
    let servlet = "/pushlet/pushlet.srv?p_event=";
    let joined = http2.get(&format!("{servlet}join&p_format=xml"));
    let id = joined.text().split("p_id=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let listen = format!("{servlet}listen&p_id={id}&p_mode=stream&p_subject=/a");
    let mut stream = http2.open(&listen, &[]);
    for number in 0..4 {
        let ask = |event: &str| format!("{servlet}{event}&p_id={id}&p_subject=/a/{number}");
        assert_eq!(http2.get(&ask("subscribe")).status, 200);
        assert_eq!(http2.get(&(ask("publish") + &format!("&n={number}"))).status, 200);
        let heard = stream.until(format!(" n=\"{number}\"").as_bytes());
        assert!(heard.is_some(), "the stream has ended before {number}");
    }
}
