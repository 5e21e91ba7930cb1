//! The main job, at length: a few hundred thousand lines of real text through `tidings pub` arrive
//! complete and in order at `tidings sub` over every transport, also where a subscriber is killed
//! on the way and another goes on over another transport.

mod follower;
mod text;

use std::time::Duration;

use follower::Follower;
use tidings_tests::{Program, Server, until_within};

const TOPIC: &str = "corpus/text";

/// How long all of it may take: many times what it takes.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn a_corpus_arrives_whole_over_every_transport() {
    let lines = text::lines();
    let namespace = r#"[{match="corpus/**", max_messages=1000000, max_bytes="1GiB"}]"#;
    let server = Server::with(&[("NAMESPACE", namespace)]);
    let follow = |via, since| Follower::start(&server.url(), TOPIC, via, since, &lines);
    let mut followers = [
        follow("sse", "now"),
        follow("ws", "start"),
        follow("longpoll", "now"),
        follow("poll", "start"),
        follow("ndjson", "start"),
    ];
    // Nothing tells when those who begin now have begun; so they are called until all answer.
    let mut number = 0;
    until_within(PATIENCE, "everyone listens", || {
        server.publish(&format!("{TOPIC}?type={}", follower::PROBE), number.to_string());
        number += 1;
        followers.iter().all(Follower::listens).then_some(())
    });

    let mut publisher = Program::start(&["pub", "-n", TOPIC, "--url", &server.url()], &[]);
    let mut written = 0;
    let mut write_to = |percent: usize| {
        let to = lines.len() * percent / 100;
        let text: String = lines[written..to].iter().map(|line| format!("{line}\n")).collect();
        publisher.write(text.as_bytes());
        written = to;
    };
    // Whoever goes on does so where the killed one was seen last, over another transport. More is
    // written than it has to have by then, and never all, so that each is killed on the way.
    for (who, percent, via) in [(0, 15, "ws"), (3, 35, "sse"), (2, 60, "poll")] {
        write_to(percent + 10);
        let follower = &mut followers[who];
        until_within(PATIENCE, "it has got so far", || {
            (follower.count() >= lines.len() * percent / 100).then_some(())
        });
        follower.kill_and_resume(&server.url(), via);
    }
    write_to(100);
    publisher.close_input();
    let published = publisher.wait();
    assert_eq!(published.status.code(), Some(0), "{published:?}");
    server.publish(&format!("{TOPIC}?type={}", follower::END), "");
    for follower in &mut followers {
        until_within(PATIENCE, "it has everything", || follower.has_ended().then_some(()));
        assert_eq!(follower.count(), lines.len(), "{follower:?}");
    }
    let counts: Vec<_> = followers.iter().map(Follower::killed_at).collect();
    println!("{} lines; killed at {counts:?}; {:?}", lines.len(), published.complained);
    // Each of those killed was in the middle when it was.
    for (who, killed_at) in followers.iter().map(Follower::killed_at).enumerate() {
        assert_eq!(killed_at.is_some(), matches!(who, 0 | 2 | 3));
        assert!(killed_at.is_none_or(|count| count < lines.len()), "{who} had everything already");
    }
}
