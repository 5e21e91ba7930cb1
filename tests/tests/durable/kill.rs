//! A server that is killed, and what its clients notice of that: nothing.

use tidings_tests::{Folder, Reader, Via, crash};

use super::server;

/// How often the server is killed; more with `TIDINGS_TEST_KILLS` in the environment, or with
/// `cargo xtask crash`, which does the same.
const KILLS: u32 = 10;

#[test]
fn killed_at_any_moment_it_has_every_acknowledged_message_once_and_in_order() {
    let set = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let kills = set("TIDINGS_TEST_KILLS").map_or(KILLS, |kills| kills as u32);
    let seed = set("TIDINGS_TEST_SEED").unwrap_or_else(crash::any_seed);
    // Shown when the test fails.
    println!("the same again: cargo xtask crash --rounds {kills} --seed {seed}");
    let summary = crash::run(kills, seed, &mut |_| ());
    assert_eq!(summary.rounds, kills);
    assert!(summary.acknowledged > u64::from(kills) && summary.retried > 0, "{summary:?}");
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
