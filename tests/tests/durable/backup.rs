//! `tidings log backup`: copies of a log that is being written to.

use std::path::{Path, PathBuf};

use tidings_tests::{Folder, Ledger, Load, Manner, Program, Publisher, Reader, Server, Via, until};

use super::{KEEP, log, server};

/// A server on a copy.
#[track_caller]
fn restored(copy: &Path) -> Server {
    Server::with(&[("DATA", &copy.display().to_string()), ("NAMESPACE", KEEP)])
}

#[track_caller]
fn back_up(folder: &Folder, copy: &Path) {
    let finished = log(&["backup", &copy.display().to_string(), "--data", &folder.text()]);
    assert!(finished.status.success(), "{finished:?}");
    assert!(finished.printed[0].starts_with("copied "), "{finished:?}");
}

/// Publishes numbers until the end, takes copies meanwhile, and gives each with what was
/// acknowledged when it was begun.
fn copies_under_load(folder: &Folder, to: &Folder, count: u32) -> Vec<(PathBuf, Vec<u32>)> {
    let server = server(folder);
    let publishers = [
        Publisher::new("load/a", Manner::Single, 1),
        Publisher::new("load/b", Manner::Batch, 2),
        Publisher::new("load/c", Manner::Keyed, 3),
    ];
    let load = Load::start(server.address(), publishers.into());
    let take = |number: u32| {
        until("there is more to copy", || (load.acknowledged() > number * 500).then_some(()));
        let (copy, acknowledged) = (to.path().join(number.to_string()), load.now());
        back_up(folder, &copy);
        (copy, acknowledged)
    };
    let copies = (1..=count).map(take).collect();
    for publisher in load.stop() {
        assert!(publisher.acknowledged() > 0);
    }
    copies
}

#[test]
fn a_copy_has_everything_that_was_acknowledged_before_it_began() {
    let (folder, to) = (Folder::new(), Folder::new());
    for (copy, acknowledged) in copies_under_load(&folder, &to, 4) {
        let data = copy.display().to_string();
        let check = log(&["check", "--data", &data]);
        assert!(check.status.success(), "{check:?}");
        let server = restored(&copy);
        // Everything before this is what the copy brought with it.
        server.publish("load/end", "1");
        let (mut ledger, mut reader) =
            (Ledger::default(), Reader::open(&server, Via::Sse, &["load/**"], "start"));
        while ledger.last("load/end") == 0 {
            ledger.take(&reader.read()).unwrap_or_else(|why| panic!("{data}: {why}"));
        }
        for (topic, acknowledged) in ["load/a", "load/b", "load/c"].into_iter().zip(acknowledged) {
            let there = ledger.last(topic);
            assert!(there >= acknowledged, "{data}: {topic}: {there} of {acknowledged}");
        }
        assert!(server.complained().iter().all(|line| !line.contains("damaged")));
    }
}

#[test]
fn a_copy_lives_a_life_of_its_own() {
    let (folder, to) = (Folder::new(), Folder::new());
    let original = server(&folder);
    original.publish_numbers("t", 0..10);
    let key = [("Idempotency-Key", "k")];
    original.post("u", &key, "once");
    assert_eq!(original.get("/t/u?session=s&since=start").data(), ["once"]);
    let copy = to.path().join("copy");
    back_up(&folder, &copy);
    let before = original.publish("t", "only in the original");
    let copied = restored(&copy);
    copied.publish("t", "only in the copy");
    for via in Via::ALL {
        // By its number alone the position could be one of the copy's.
        let mut reader = Reader::open(&copied, via, &["t"], &before);
        let gap = reader.read();
        assert_eq!((&gap["type"], &gap["reason"]), (&"gap".into(), &"epoch".into()), "{gap}");
        for number in 0..10 {
            assert_eq!(reader.read()["data"], number);
        }
        assert_eq!(reader.read()["data"], "only in the copy");
    }
    assert_eq!(copied.get("/s/s").json()["topics"], serde_json::json!(["u"]), "sessions, too");
    copied.post("u", &key, "twice").expect_problem(422, "idempotency_key_reused");
    assert_eq!(original.get("/t/t?last=1").data(), ["only in the original"]);
}

#[test]
fn a_copy_never_goes_where_something_is() {
    let (folder, to) = (Folder::new(), Folder::new());
    let server = server(&folder);
    server.publish("t", "x");
    std::fs::write(to.path().join("mine"), "x").unwrap_or_else(|error| panic!("{error}"));
    let inside = folder.path().join("copy").display().to_string();
    for (place, part) in [(to.text(), "is not empty"), (inside, "inside of what is copied")] {
        let finished = log(&["backup", &place, "--data", &folder.text()]);
        assert_eq!(finished.status.code(), Some(1), "{finished:?}");
        assert!(finished.complained.join("\n").contains(part), "{finished:?}");
    }
    let left = std::fs::read_dir(to.path()).map(Iterator::count);
    assert_eq!(left.ok(), Some(1), "nothing is added");
    let nowhere = to.path().join("no data").display().to_string();
    let copy = to.path().join("copy").display().to_string();
    let finished = log(&["backup", &copy, "--data", &nowhere]);
    assert!(finished.complained.join("\n").contains("there is no log in"), "{finished:?}");
}

#[test]
fn a_copy_that_was_not_finished_is_not_served() {
    let (folder, to) = (Folder::new(), Folder::new());
    let server = server(&folder);
    let filling = "x".repeat(1000);
    for batch in 0..20 {
        let lines: Vec<String> = (0..1000).map(|n| format!("{batch} {n} {filling}")).collect();
        let answer = server.post("t", &[("Tidings-Batch", "lines")], lines.join("\n"));
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let mut refused = 0;
    for number in 0..8 {
        let copy = to.path().join(number.to_string());
        let place = copy.display().to_string();
        let mut program = Program::start(&["log", "backup", &place, "--data", &folder.text()], &[]);
        let begun = copy.join("log/tidings");
        until("the copy is begun", || begun.exists().then_some(()));
        program.kill();
        let mut served =
            Program::start(&["serve", "--listen", "127.0.0.1:0", "--data", &place], &[]);
        until("it serves or refuses", || {
            (served.has_ended() || !served.printed().is_empty()).then_some(())
        });
        if served.has_ended() {
            let complained = served.wait().complained.join("\n");
            assert!(complained.contains("a backup that was never finished"), "{complained}");
            refused += 1;
        } else {
            served.kill();
            let check = log(&["check", "--data", &place]);
            assert!(check.printed.join("\n").contains("20,000 messages of 1 topic,"), "{check:?}");
        }
    }
    assert!(refused > 0, "none was caught in the middle");
}
