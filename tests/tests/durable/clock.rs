//! A log whose messages were stored when the machine's clock was ahead: what is stored now has
//! earlier times than what lies before it.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tidings_tests::{Folder, Program, Reader, Server, Via, until};

const AHEAD: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A time that this machine's clock will show.
fn future_time() -> String {
    let time = Timestamp::now().checked_add(AHEAD).unwrap_or(Timestamp::MAX);
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// A folder with numbered messages of the future, in `future` and `mixed`.
fn future() -> Folder {
    let folder = Folder::new();
    let lines: Vec<String> = (0..10)
        .map(|number| {
            let topic = if number % 2 == 0 { "future" } else { "mixed" };
            json!({"topic": topic, "time": future_time(), "data": number.to_string()}).to_string()
        })
        .collect();
    let arguments = ["log", "import", "--data", &folder.text()];
    let mut import = Program::start(&arguments, &[]);
    import.write(lines.join("\n").as_bytes());
    let imported = import.wait();
    assert!(imported.status.success(), "{imported:?}");
    folder
}

fn serve(folder: &Folder, more: &[(&str, &str)]) -> Server {
    Server::with(&[&[("DATA", folder.text().as_str())], more].concat())
}

#[test]
fn order_is_that_of_storing_whatever_the_clock_says() {
    let folder = future();
    for life in 0..3 {
        let mut server = serve(&folder, &[]);
        let live = Reader::open(&server, Via::Sse, &["mixed"], "now");
        let position = server.publish("mixed", format!("life {life}"));
        for via in Via::ALL {
            let mut reader = Reader::open(&server, via, &["mixed"], "start");
            let data = (0..5).map(|n| (2 * n + 1).to_string());
            for expected in data.chain((0..=life).map(|life| format!("life {life}"))) {
                assert_eq!(reader.read()["data"], expected, "{via:?} in life {life}");
            }
            assert_eq!(reader.position(), position);
        }
        let mut live = live;
        assert_eq!(live.read()["position"], position.as_str());
        server.kill();
    }
}

#[test]
fn what_is_worth_a_second_is_gone_after_it() {
    let folder = future();
    let server = serve(&folder, &[]);
    server.post("mixed", &[("Tidings-TTL", "1s")], "short");
    let there = || server.get("/t/mixed?since=start").data();
    until("it is no longer delivered", || (!there().contains(&json!("short"))).then_some(()));
    assert_eq!(there().len(), 5, "what was there before still is");
}

#[test]
fn a_retry_is_still_a_retry_and_keys_are_forgotten() {
    let folder = future();
    let settings = [("TIMES_IDEMPOTENCY", "1s")];
    let mut server = serve(&folder, &settings);
    let key = [("Idempotency-Key", "k")];
    let first = server.post("mixed", &key, "once").position();
    assert_eq!(server.post("mixed", &key, "once").position(), first);
    server.kill();
    let server = serve(&folder, &settings);
    until("the key is forgotten", || {
        (server.post("mixed", &key, "other").status == 201).then_some(())
    });
}

#[test]
fn limits_by_number_hold() {
    let folder = future();
    let server = serve(&folder, &[("NAMESPACE", r#"[{match = "**", max_messages = 3}]"#)]);
    assert_eq!(server.get("/t/future?since=start").data().last(), Some(&json!("8")));
    server.publish("mixed", "now");
    let data = || -> Vec<Value> {
        let events = server.get("/t/mixed?since=start").events();
        events.iter().filter(|event| event["type"] != "gap").map(|e| e["data"].clone()).collect()
    };
    assert_eq!(data(), ["7", "9", "now"]);
}
