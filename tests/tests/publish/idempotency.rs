//! A retry with the same key is the same message, however often and from wherever it comes.

use tidings_tests::{Server, until};

#[test]
fn a_retry_gets_the_first_answer() {
    let server = Server::start();
    let key = [("Idempotency-Key", "k-1")];
    let first = server.post("a", &key, "hello");
    assert_eq!(first.status, 201);
    server.publish("a", "between");
    let again = server.post("a", &key, "hello");
    assert_eq!((again.status, again.position()), (201, first.position()));
    assert_eq!(server.get("/t/a").data(), ["hello", "between"]);
}

#[test]
fn the_same_key_with_another_message_is_refused() {
    let server = Server::start();
    let key = ("Idempotency-Key", "k");
    assert_eq!(server.post("a", &[key], "1").status, 201);
    let refused = "idempotency_key_reused";
    server.post("a", &[key], "2").expect_problem(422, refused);
    server.post("a", &[key, ("Tidings-Type", "x")], "1").expect_problem(422, refused);
    server.post("a", &[key, ("Tidings-Key", "x")], "1").expect_problem(422, refused);
    server.post("a", &[key, ("Tidings-Header-X", "x")], "1").expect_problem(422, refused);
    server.post("a", &[key, ("Content-Type", "text/html")], "1").expect_problem(422, refused);
    server.post("a", &[key, ("Tidings-Batch", "lines")], "1\n1").expect_problem(422, refused);
    assert_eq!(server.get("/t/a").data(), ["1"]);
}

#[test]
fn keys_belong_to_their_topic() {
    let server = Server::start();
    for topic in ["a", "b"] {
        let response = server.post(topic, &[("Idempotency-Key", "k")], topic);
        assert_eq!(response.status, 201);
        assert_eq!(server.get(&format!("/t/{topic}")).data(), [topic]);
    }
}

#[test]
fn a_refused_publish_does_not_use_the_key_up() {
    let server = Server::start();
    let headers = [("Idempotency-Key", "k"), ("Content-Type", "application/json")];
    server.post("a", &headers, "{").expect_problem(400, "bad_json");
    assert_eq!(server.post("a", &headers, "{}").status, 201);
}

#[test]
fn a_batch_is_retried_as_one() {
    let server = Server::start();
    let headers = [("Idempotency-Key", "k"), ("Tidings-Batch", "lines")];
    let answers: Vec<_> = (0..3).map(|_| server.post("a", &headers, "1\n2\n").json()).collect();
    assert_eq!(answers[0]["count"], 2);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    assert_eq!(server.get("/t/a").data(), ["1", "2"]);
}

#[test]
fn retries_at_the_same_moment_are_one_message() {
    let server = Server::start();
    let positions: Vec<String> = std::thread::scope(|scope| {
        let publish = || server.post("a", &[("Idempotency-Key", "k")], "once").position();
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(publish)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(positions.iter().all(|position| *position == positions[0]), "{positions:?}");
    assert_eq!(server.get("/t/a").data(), ["once"]);
}

#[test]
fn keys_that_are_none() {
    let server = Server::start();
    let long = "k".repeat(129);
    for key in ["", long.as_str()] {
        server.post("a", &[("Idempotency-Key", key)], "x").expect_problem(400, "bad_header");
    }
    assert!(server.get("/t/a").events().is_empty());
}

#[test]
fn keys_are_forgotten_in_time_and_in_number() {
    let server = Server::with(&[("TIMES_IDEMPOTENCY", "1s")]);
    let publish = |key: &str| server.post("a", &[("Idempotency-Key", key)], "x").position();
    let first = publish("k");
    until("the key is forgotten", || (publish("k") != first).then_some(()));
    assert_eq!(server.get("/t/a").events().len(), 2);

    let server = Server::with(&[("LIMITS_IDEMPOTENCY_KEYS", "2")]);
    let publish = |key: &str| server.post("a", &[("Idempotency-Key", key)], "x").position();
    let (one, two) = (publish("1"), publish("2"));
    let three = publish("3");
    assert_eq!((publish("2"), publish("3")), (two, three));
    assert_ne!(publish("1"), one, "the oldest made room");
}
