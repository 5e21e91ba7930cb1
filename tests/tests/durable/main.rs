//! The log on disk, under a real process that is really killed, and real damage to its files.
//! Must never look into the files but to damage them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tidings_tests::{Folder, PATIENCE, Program, Reader, Server, Via, request, until};

/// How often the server is killed; more with `TIDINGS_TEST_KILLS` in the environment.
const KILLS: u32 = 12;

const KEEP: &str = r#"[{match = "**", max_messages = 10000000, max_bytes = "1GiB"}]"#;

fn server(folder: &Folder) -> Server {
    Server::with(&[("DATA", &folder.text()), ("NAMESPACE", KEEP)])
}

/// Every number of a topic, by polling it from the start.
fn stored(server: &Server, topic: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    let mut since = "start".to_owned();
    loop {
        let answer = server.get(&format!("/t/{topic}?since={since}&limit=1000"));
        let events = answer.events();
        numbers.extend(events.iter().map(|event| {
            let text = event["data"].as_str().unwrap_or_else(|| panic!("not a number: {event}"));
            text.parse::<u32>().unwrap_or_else(|error| panic!("{text}: {error}"))
        }));
        if events.is_empty() {
            return numbers;
        }
        since = answer.position();
    }
}

/// Publishers that go on until their server is gone, each on its own topic, numbering from where
/// it was. Returns what was acknowledged last on each.
fn publish_until_killed(server: &mut Server, from: &[u32], pause: Duration) -> Vec<u32> {
    let started = Arc::new(AtomicU32::new(0));
    let stop = Arc::new(AtomicBool::new(false));
    let acked = Arc::new(Mutex::new(from.to_vec()));
    let threads: Vec<_> = (0..from.len())
        .map(|topic| {
            let mut stream = connect(server);
            let (started, stop, acked) = (started.clone(), stop.clone(), acked.clone());
            let mut number = from[topic];
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    number += 1;
                    let body = number.to_string();
                    let post = request("POST", &format!("/t/load/{topic}"), &[], body.as_bytes());
                    if !is_acknowledged(&mut stream, &post) {
                        return;
                    }
                    acked.lock().unwrap_or_else(PoisonError::into_inner)[topic] = number;
                    started.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    until("publishes are under way", || (started.load(Ordering::Relaxed) > 20).then_some(()));
    // The moment is what varies; nothing is waited for.
    std::thread::sleep(pause);
    server.kill();
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        assert!(thread.join().is_ok(), "a publisher failed");
    }
    let acked = acked.lock().unwrap_or_else(PoisonError::into_inner);
    acked.clone()
}

fn connect(server: &Server) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(server.address()).unwrap_or_else(|error| panic!("{error}"));
    let bounded = stream.set_read_timeout(Some(PATIENCE));
    bounded.unwrap_or_else(|error| panic!("{error}"));
    BufReader::new(stream)
}

/// Sends a publish; says whether its whole answer came and was 201. Whatever else happens, the
/// server is gone: no other answer is right.
fn is_acknowledged(stream: &mut BufReader<TcpStream>, post: &[u8]) -> bool {
    let mut answer = || -> std::io::Result<bool> {
        stream.get_mut().write_all(post)?;
        let (mut line, mut length, mut created) = (String::new(), 0, false);
        loop {
            line.clear();
            if stream.read_line(&mut line)? == 0 {
                return Ok(false);
            }
            match line.trim_end().split_once(": ") {
                Some(("content-length", text)) => length = text.parse().unwrap_or(0),
                None if line.starts_with("HTTP/1.1 ") => created = line.contains(" 201 "),
                None => break,
                Some(_) => {}
            }
        }
        stream.read_exact(&mut vec![0; length])?;
        assert!(created, "a publish was refused");
        Ok(true)
    };
    answer().unwrap_or(false)
}

#[test]
fn killed_at_any_moment_it_has_every_acknowledged_message_once_and_in_order() {
    let kills = std::env::var("TIDINGS_TEST_KILLS").ok().and_then(|text| text.parse().ok());
    let folder = Folder::new();
    let mut last = vec![0; 6];
    for kill in 0..kills.unwrap_or(KILLS) {
        let mut running = server(&folder);
        let pause = Duration::from_millis(u64::from(kill * 7 % 40));
        let acked = publish_until_killed(&mut running, &last, pause);
        let mut restarted = server(&folder);
        for (topic, acked) in acked.iter().enumerate() {
            let there = stored(&restarted, &format!("load/{topic}"));
            let expected: Vec<u32> = (1..=there.len() as u32).collect();
            assert_eq!(there, expected, "kill {kill}: topic {topic} has holes or doubles");
            assert!(
                there.len() as u32 >= *acked,
                "kill {kill}: topic {topic} lost {acked}: {} there, {:?}",
                there.len(),
                restarted.complained()
            );
            last[topic] = there.len() as u32;
        }
        let complained = restarted.complained();
        assert!(!complained.iter().any(|line| line.contains("damaged")), "{complained:?}");
        restarted.kill();
    }
}

#[test]
fn a_reader_goes_on_after_a_restart_as_if_nothing_had_been() {
    let folder = Folder::new();
    let mut before = server(&folder);
    before.publish_numbers("t", 0..10);
    let mut reader = Reader::open(&before, Via::Sse, &["t"], "start");
    for number in 0..5 {
        assert_eq!(reader.read()["data"], number);
    }
    let position = reader.position().to_owned();
    before.kill();
    let after = server(&folder);
    after.publish_numbers("t", 10..12);
    for via in [Via::Ws, Via::LongPoll, Via::Ndjson] {
        let mut reader = Reader::open(&after, via, &["t"], &position);
        for number in 5..12 {
            assert_eq!(reader.read()["data"], number, "over {}", via.name());
        }
    }
}

#[test]
fn a_retry_after_a_restart_is_still_a_retry() {
    let folder = Folder::new();
    let mut before = server(&folder);
    let key = [("Idempotency-Key", "k")];
    let first = before.post("t", &key, "once").position();
    before.kill();
    let after = server(&folder);
    assert_eq!(after.post("t", &key, "once").position(), first);
    after.post("t", &key, "twice").expect_problem(422, "idempotency_key_reused");
    assert_eq!(after.get("/t/t").data(), ["once"]);
}

#[test]
fn a_flipped_bit_is_named_told_and_costs_nothing_else() {
    let folder = Folder::new();
    let mut before = server(&folder);
    let begin = before.get("/t/t?since=start").position();
    for number in 0..200 {
        before.publish("t", format!("message {number}"));
    }
    before.terminate();
    before.wait();
    let files = std::fs::read_dir(folder.path().join("log"));
    let segment = files
        .unwrap_or_else(|error| panic!("{error}"))
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|ending| ending == "segment"));
    let segment = segment.unwrap_or_else(|| panic!("no segment"));
    let mut bytes = std::fs::read(&segment).unwrap_or_else(|error| panic!("{error}"));
    let hit = bytes.windows(11).position(|window| window == b"message 100");
    bytes[hit.unwrap_or_else(|| panic!("the message is not there"))] ^= 1;
    std::fs::write(&segment, bytes).unwrap_or_else(|error| panic!("{error}"));

    let check = Program::start(&["log", "check", &folder.text()], &[]).wait();
    assert_eq!(check.status.code(), Some(1), "{check:?}");
    let found = check.printed.iter().any(|line| line.contains("offsets 101 to 101"));
    assert!(found, "{check:?}");

    let after = server(&folder);
    let complained = after.complained().join("\n");
    let name = segment.file_name().map(|name| name.to_string_lossy().into_owned());
    assert!(complained.contains(&name.unwrap_or_default()), "{complained}");
    let mut reader = Reader::open(&after, Via::Sse, &["t"], &begin);
    let gap = reader.read();
    assert_eq!((&gap["type"], &gap["reason"]), (&"gap".into(), &"damaged".into()), "{gap}");
    for number in (0..200).filter(|number| *number != 100) {
        assert_eq!(reader.read()["data"], format!("message {number}"));
    }
}

#[test]
fn a_second_server_on_the_same_directory_refuses() {
    let folder = Folder::new();
    let _first = server(&folder);
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", &folder.text()];
    let finished = Program::start(&arguments, &[]).wait();
    assert!(!finished.status.success());
    let complained = finished.complained.join("\n");
    assert!(complained.contains(&folder.text()), "{complained}");
    assert!(complained.contains("another process uses it"), "{complained}");
    assert!(complained.contains("stop that process"), "{complained}");
    let check = Program::start(&["log", "check", &folder.text()], &[]).wait();
    assert!(check.complained.join("\n").contains("another process uses it"), "{check:?}");
}

#[test]
fn a_log_can_be_looked_at() {
    let folder = Folder::new();
    let mut server = server(&folder);
    server.publish_numbers("a", 0..50);
    server.publish("b", "x");
    server.kill();
    let check = Program::start(&["log", "check", &folder.text()], &[]).wait();
    assert!(check.status.success(), "{check:?}");
    let printed = check.printed.join("\n");
    assert!(printed.contains("51 messages of 2 topics, up to offset 51"), "{printed}");
    assert!(printed.contains("nothing is damaged"), "{printed}");
    let nowhere = folder.path().join("mistyped").display().to_string();
    let check = Program::start(&["log", "check", &nowhere], &[]).wait();
    assert!(!check.status.success());
    assert!(check.complained.join("\n").contains("there is no folder"), "{check:?}");
}
