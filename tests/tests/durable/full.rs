//! A disk that is full: publishes are refused, everything else goes on, and it heals.

use tidings_tests::{
    Folder, Kind, Program, Reader, Response, Server, Via, Volume, faults_not_possible, skipped,
};

use super::KEEP;

/// A volume in memory, or none, which is told.
fn volume(test: &str, mebibytes: u32) -> Option<Volume> {
    Volume::mount(Kind::Memory, mebibytes).map_err(|why| skipped(test, &why)).ok()
}

fn serve(volume: &Volume) -> Server {
    let data = format!("{}/data", volume.path());
    Server::within(
        volume,
        &[("DATA", &data), ("NAMESPACE", KEEP), ("LIMITS_MESSAGE_BYTES", "4MiB")],
    )
}

/// Publishes messages of so many bytes, numbered from `first`, until one is refused; gives the
/// refusal and the number of it.
#[track_caller]
fn publish_until_refused(server: &Server, bytes: usize, first: u32) -> (Response, u32) {
    let filling = "x".repeat(bytes);
    let mut number = first;
    loop {
        let answer = server.post("t", &[], format!("{number} {filling}"));
        if answer.status != 201 {
            return (answer, number);
        }
        number += 1;
        assert!(number < 100_000, "the disk is never full");
    }
}

#[track_caller]
fn expect_full(answer: &Response) {
    answer.expect_problem(507, "log_full");
    let message = answer.json()["message"].to_string();
    assert!(message.contains("No space left on device"), "{message}");
}

/// Expects the messages with these numbers, from the start, over every transport.
#[track_caller]
fn expect_there(server: &Server, numbers: std::ops::Range<u32>, topic: &str) {
    for via in [Via::Sse, Via::LongPoll] {
        let mut reader = Reader::open(server, via, &[topic], "start");
        for number in numbers.clone() {
            let event = reader.read();
            let data = event["data"].as_str().unwrap_or_default();
            assert_eq!(data.split(' ').next(), Some(number.to_string().as_str()), "{via:?}");
        }
    }
}

/// There is no room for another segment.
#[test]
fn publishes_are_refused_until_there_is_room_and_nothing_is_lost() {
    let Some(mut volume) = volume("full, at a new segment", 90) else { return };
    let mut server = serve(&volume);
    let (answer, refused) = publish_until_refused(&server, 2 << 20, 0);
    expect_full(&answer);
    assert!(refused > 20, "the first segment is there: {refused}");
    // It does not get worse, and what is small is treated no better.
    for _ in 0..3 {
        let (answer, _) = publish_until_refused(&server, 2 << 20, refused);
        expect_full(&answer);
    }
    expect_there(&server, 0..refused, "t");
    assert_eq!(server.get("/readyz").status, 200);

    volume.run("mount -o remount,size=200m none @");
    let more = publish_until_refused_or(&server, refused + 20, refused);
    expect_there(&server, 0..more, "t");
    server.kill();
    let server = serve(&volume);
    expect_there(&server, 0..more, "t");
    assert!(server.complained().iter().all(|line| !line.contains("damaged")));
}

/// Publishes small messages up to a number.
#[track_caller]
fn publish_until_refused_or(server: &Server, end: u32, first: u32) -> u32 {
    for number in first..end {
        let answer = server.post("t", &[], format!("{number} small"));
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    end
}

/// A group of messages does not fit: what was written of it is taken back.
#[test]
fn a_write_that_does_not_fit_is_taken_back() {
    let Some(mut volume) = volume("full, in a write", 90) else { return };
    // A copy has no room reserved, so that it can be short of it in the middle of a segment.
    let folder = Folder::new();
    Server::with(&[("DATA", &folder.text()), ("NAMESPACE", KEEP)]).publish("first", "0 copied");
    let data = format!("{}/data", volume.path());
    let arguments = ["log", "backup", &data, "--data", &folder.text()];
    let copied = Program::start_through(&volume.entrance(), &arguments, &[]).wait();
    assert!(copied.status.success(), "{copied:?}");
    volume.run("head -c 87M /dev/zero > @/ballast");

    let mut server = serve(&volume);
    let (answer, refused) = publish_until_refused(&server, 100_000, 0);
    expect_full(&answer);
    assert!((10..60).contains(&refused), "{refused}");
    expect_there(&server, 0..1, "first");
    expect_there(&server, 0..refused, "t");
    let mut live = Reader::open(&server, Via::Ws, &["t"], "now");
    volume.run("rm @/ballast");
    let (mut number, position) = (refused, server.publish("t", format!("{refused} after")));
    let event = live.read();
    assert_eq!(event["position"], position.as_str(), "what was refused is not there: {event}");
    number += 1;
    server.kill();
    let server = serve(&volume);
    expect_there(&server, 0..number, "t");
    assert!(server.complained().iter().all(|line| !line.contains("damaged")));
}

#[test]
fn where_there_is_no_room_to_begin_it_says_how_much_it_needs() {
    let Some(volume) = volume("full, at the start", 10) else { return };
    let data = format!("{}/data", volume.path());
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", &data];
    let finished = Program::start_through(&volume.entrance(), &arguments, &[]).wait();
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    let [line] = finished.complained.as_slice() else { panic!("not one line: {finished:?}") };
    for part in [data.as_str(), "No space left on device", "make room", "--data DIR"] {
        assert!(line.contains(part), "{part:?} is missing: {line}");
    }
}

/// The disk that a copy goes to is full.
#[test]
fn a_backup_that_does_not_fit_is_no_backup() {
    let Some(volume) = volume("full, at a backup", 10) else { return };
    let folder = Folder::new();
    let server = Server::with(&[("DATA", &folder.text()), ("NAMESPACE", KEEP)]);
    for number in 0..20 {
        server.publish("t", format!("{number} {}", "x".repeat(1_000_000)));
    }
    let copy = format!("{}/copy", volume.path());
    let arguments = ["log", "backup", &copy, "--data", &folder.text()];
    let finished = Program::start_through(&volume.entrance(), &arguments, &[]).wait();
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    let complained = finished.complained.join("\n");
    for part in ["is no whole backup; remove it", "No space left on device", ".segment"] {
        assert!(complained.contains(part), "{part:?} is missing: {complained}");
    }
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data", &copy];
    let served = Program::start_through(&volume.entrance(), &arguments, &[]).wait();
    assert!(served.complained.join("\n").contains("never finished"), "{served:?}");
    server.publish("t", "the server knows nothing of it");
}

/// Whoever reads a passing run's last lines sees whether the tests of full and read-only disks did
/// anything: `.config/nextest.toml` has the words of this one shown.
#[test]
fn whether_faults_can_be_made_is_said() {
    for (tests, why) in faults_not_possible() {
        skipped(tests, &why);
    }
}
