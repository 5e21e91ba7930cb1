//! `tidings log check`, `stats`, `export` and `import`.

use serde_json::{Value, json};
use tidings_tests::{Finished, Folder, Program, Server};

use super::{KEEP, log, server};

#[track_caller]
fn succeeded(finished: Finished) -> Finished {
    assert!(finished.status.success(), "{finished:?}");
    finished
}

/// Imports what is given on standard input.
#[track_caller]
fn import(lines: &[String], data: &str) -> Finished {
    let mut program = Program::start(&["log", "import", "--data", data], &[("NAMESPACE", KEEP)]);
    program.write(lines.join("\n").as_bytes());
    program.wait()
}

/// An export, without the positions, which are another log's.
#[track_caller]
fn exported(arguments: &[&str]) -> Vec<Value> {
    let finished = succeeded(log(&[&["export"], arguments].concat()));
    let events = finished.printed.iter().map(|line| serde_json::from_str(line));
    let events = events.map(|event| event.unwrap_or_else(|error| panic!("{error}: {finished:?}")));
    events.map(without_position).collect()
}

fn without_position(mut event: Value) -> Value {
    let position = event.as_object_mut().and_then(|event| event.remove("position"));
    assert!(position.is_some(), "no position: {event}");
    event
}

#[test]
fn a_log_can_be_looked_at() {
    let folder = Folder::new();
    let mut server = server(&folder);
    server.publish_numbers("a", 0..50);
    server.publish("b", "x");
    server.kill();
    let check = succeeded(log(&["check", "--data", &folder.text()]));
    let printed = check.printed.join("\n");
    assert!(printed.contains("51 messages of 2 topics, up to offset 51"), "{printed}");
    assert!(printed.contains("nothing is damaged"), "{printed}");
    let nowhere = folder.path().join("mistyped").display().to_string();
    for command in ["check", "stats", "export"] {
        let finished = log(&[command, "--data", &nowhere]);
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        assert!(finished.complained.join("\n").contains("there is no log in"), "{finished:?}");
        assert!(!std::path::Path::new(&nowhere).exists(), "looking makes nothing");
    }
}

#[test]
fn the_directory_is_the_one_that_serve_would_use() {
    let folder = Folder::new();
    let default = folder.path().join("tidings-data").display().to_string();
    let other = folder.path().join("other").display().to_string();
    let third = folder.path().join("third").display().to_string();
    for (data, topics) in [(&default, 1), (&other, 2), (&third, 3)] {
        let server = Server::with(&[("DATA", data)]);
        for topic in 0..topics {
            server.publish(&format!("t{topic}"), "x");
        }
    }
    let config = folder.path().join("tidings.toml");
    let text = format!("data = {third:?}");
    std::fs::write(&config, text).unwrap_or_else(|error| panic!("{error}"));
    let config = config.display().to_string();
    for (settings, arguments, topics) in [
        (&[("DATA", "")][..], &[][..], 1),
        (&[("DATA", other.as_str())], &[], 2),
        (&[("DATA", ""), ("CONFIG", config.as_str())], &[], 3),
        (&[("DATA", "")], &["--config", config.as_str()], 3),
        (&[("DATA", other.as_str())], &["--config", config.as_str(), "--data", &third], 3),
    ] {
        let arguments = [&["log", "stats", "--json"], arguments].concat();
        let finished = Program::start_in(folder.path(), &arguments, settings).wait();
        let printed = succeeded(finished).printed.join("\n");
        let stats: Value = serde_json::from_str(&printed).unwrap_or_default();
        assert_eq!(stats["topicCount"], topics, "{settings:?} {arguments:?}: {printed}");
    }
    let none = Program::start(&["log", "stats"], &[("DATA", "none")]).wait();
    assert_eq!(none.status.code(), Some(1));
    assert!(none.complained.join("\n").contains("--data DIR"), "{none:?}");
}

#[test]
fn stats_tell_what_takes_the_room() {
    let folder = Folder::new();
    let mut server = server(&folder);
    server.publish_numbers("many", 0..1000);
    server.publish("large", "x".repeat(100_000));
    server.publish("small", "x");
    server.kill();
    let data = folder.text();
    let table = succeeded(log(&["stats", "--top", "2", "--data", &data])).printed;
    let [head, first, second, rest, all] = table.as_slice() else { panic!("{table:?}") };
    assert!(head.starts_with("topic ") && head.contains("oldest"), "{table:?}");
    assert!(first.starts_with("large ") && first.contains(" 97."), "{table:?}");
    assert!(second.starts_with("many ") && second.contains(" 1,000 "), "{table:?}");
    assert_eq!(rest, "and 1 topic with less");
    assert!(all.starts_with("1,002 messages of 3 topics, "), "{table:?}");
    assert!(table.iter().all(|line| !line.contains('\u{1b}')), "colours in a pipe: {table:?}");
    let json = succeeded(log(&["stats", "--json", "--data", &data])).printed.join("");
    let stats: Value = serde_json::from_str(&json).unwrap_or_default();
    let names: Vec<_> = stats["topics"].as_array().into_iter().flatten().collect();
    let names: Vec<_> = names.iter().map(|topic| topic["topic"].as_str()).collect();
    assert_eq!(names, [Some("large"), Some("many"), Some("small")]);
    assert_eq!((&stats["messages"], &stats["topics"][1]["messages"]), (&1002.into(), &1000.into()));
    assert!(stats["topics"][0]["oldest"].as_str().is_some_and(|time| time.ends_with('Z')));
    assert!(stats["diskBytes"].as_u64() > stats["bytes"].as_u64(), "{stats}");
}

/// What a publisher may say, and payloads that are easily spoiled.
fn publish_everything(server: &Server) {
    let json = ("Content-Type", "application/json");
    for (headers, body) in [
        (&[][..], &b"plain"[..]),
        (&[], "two\nlines \u{0}\" ä".as_bytes()),
        (&[], b""),
        (&[json], b" {\"a\": 1.50,\n\"a\": \"\\u00e4\"}\n"),
        (&[json], b"[1,2]"),
        (&[("Content-Type", "image/png")], b"\xff\x00\xfe"),
        (&[("Tidings-Type", "price"), ("Tidings-Key", "EUR")], b"1"),
        (&[("Tidings-TTL", "1h"), ("Tidings-Header-Trace", "1"), ("Tidings-Header-B", "")], b"2"),
    ] {
        let answer = server.post("chat/r%C3%B6om 1".replace(' ', "%20").as_str(), headers, body);
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    server.publish_numbers("numbers", 0..2000);
}

#[test]
fn what_is_exported_and_imported_is_the_same() {
    let (folder, other) = (Folder::new(), Folder::new());
    let mut original = server(&folder);
    publish_everything(&original);
    let events = |server: &Server| -> Vec<Value> {
        let events = server.get("/t?topic=**&since=start&limit=1000").events();
        events.into_iter().map(without_position).collect()
    };
    let before = events(&original);
    original.kill();
    let lines = succeeded(log(&["export", "--data", &folder.text()])).printed;
    assert_eq!(lines.len(), 2008);
    let file = folder.path().join("export").display().to_string();
    std::fs::write(&file, lines.join("\n")).unwrap_or_else(|error| panic!("{error}"));
    let imported = succeeded(log(&["import", &file, "--data", &other.text()]));
    assert_eq!(imported.complained, [format!("imported 2,008 messages into {}", other.text())]);
    assert_eq!(exported(&["--data", &other.text()]), exported(&["--data", &folder.text()]));
    let expires = exported(&["--data", &other.text()])[7]["expires"].clone();
    assert!(expires.is_string(), "the hour it has is not begun anew: {expires}");
    assert_eq!(events(&server(&other)), before);
}

#[test]
fn an_import_adds_to_what_is_there() {
    let folder = Folder::new();
    let mut before = server(&folder);
    let position = before.publish("t", "first");
    before.terminate();
    before.wait();
    let line = json!({"topic": "t", "data": "second", "time": "2026-11-20T13:48:01.123Z"});
    let lines = [line.to_string(), String::new(), "{\"topic\":\"t\",\"data\":[3]}".to_owned()];
    succeeded(import(&lines, &folder.text()));
    let after = server(&folder);
    let answer = after.get(&format!("/t/t?since={position}"));
    assert_eq!(answer.data(), [json!("second"), json!([3])], "positions go on being right");
    assert_eq!(answer.events()[0]["time"], "2026-11-20T13:48:01.123Z");
}

#[test]
fn a_wrong_line_is_told_and_what_is_before_it_is_stored() {
    let folder = Folder::new();
    let mut lines: Vec<String> =
        (1..=5000).map(|n| json!({"topic": "t", "data": n.to_string()}).to_string()).collect();
    lines[4567] = "{\"topic\":\"t\",\"dada\":1}".to_owned();
    let finished = import(&lines, &folder.text());
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    let complained = finished.complained.join("\n");
    assert!(
        complained.contains("error: line 4568: column 19: unknown field `dada`"),
        "{complained}"
    );
    assert!(complained.contains("imported 4,567 messages: the lines before line 4568"));
    let there = exported(&["--data", &folder.text()]);
    assert_eq!(there.len(), 4567);
    assert_eq!(there[4566]["data"], "4567");
}

#[test]
fn an_export_may_be_a_part() {
    let folder = Folder::new();
    let mut server = server(&folder);
    for topic in ["chat/a", "chat/b", "chat/b/c", "other"] {
        server.publish_numbers(topic, 0..10);
    }
    server.post("other", &[("Tidings-TTL", "1s")], "soon gone");
    server.kill();
    let data = folder.text();
    let count = |arguments: &[&str]| exported(&[arguments, &["--data", &data]].concat()).len();
    assert_eq!(count(&["--topic", "chat/*"]), 20);
    assert_eq!(count(&["--topic", "chat/**", "--topic", "other", "--all"]), 41);
    assert_eq!(count(&["--topic", "nothing"]), 0);
    // What the server would no longer keep is passed over, and that is told.
    let few = [("NAMESPACE", r#"[{match = "**", max_messages = 3}]"#)];
    let finished = Program::start(&["log", "export", "--data", &data], &few).wait();
    let complained = succeeded(finished).complained.join("\n");
    assert!(complained.contains("exported 12 messages"), "{complained}");
    assert!(complained.contains("--all"), "{complained}");
}

#[test]
fn a_log_that_a_server_uses_is_left_alone() {
    let folder = Folder::new();
    let server = server(&folder);
    server.publish("t", "x");
    let data = folder.text();
    for (command, advice) in [
        ("check", "log backup"),
        ("stats", "log backup"),
        ("export", "log backup"),
        ("import", "stop it"),
    ] {
        let finished = log(&[command, "--data", &data]);
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        let complained = finished.complained.join("\n");
        for part in [&data, "another process uses it (its id is ", advice] {
            assert!(complained.contains(part), "{part:?} is missing: {complained}");
        }
        assert_eq!(finished.printed, [""; 0]);
    }
    assert_eq!(server.get("/t/t").data(), ["x"]);
}
