//! A file system that cannot be written: from the start, or from one moment to the next.

use tidings_tests::{Kind, Program, Reader, Server, Via, Volume, skipped, until};

use super::KEEP;

fn serve(volume: &Volume) -> Server {
    let data = format!("{}/data", volume.path());
    Server::within(volume, &[("DATA", &data), ("NAMESPACE", KEEP)])
}

/// As a disk does that has errors: the system stops writing to it, whoever has files open there.
#[test]
fn when_it_becomes_read_only_publishes_are_refused_and_reads_go_on() {
    let mut volume = match Volume::mount(Kind::Disk, 150) {
        Ok(volume) => volume,
        Err(why) => return skipped("a disk that becomes read-only", &why),
    };
    let mut server = serve(&volume);
    server.publish_numbers("t", 0..100);
    let mut live = Reader::open(&server, Via::Sse, &["t"], "start");
    volume.run("mount -o remount,abort @");
    for _ in 0..3 {
        let refused = server.post("t", &[], "x");
        refused.expect_problem(507, "log_full");
        let message = refused.json()["message"].to_string();
        assert!(message.contains("error") || message.contains("Read-only"), "{message}");
    }
    for number in 0..100 {
        assert_eq!(live.read()["data"], number);
    }
    let mut late = Reader::open(&server, Via::Poll, &["t"], "start");
    for number in 0..100 {
        assert_eq!(late.read()["data"], number);
    }
    until("the operator is told", || {
        server.complained().join("\n").contains("publishes are refused").then_some(())
    });
    server.terminate();
    assert!(server.wait().success(), "it can still end in good order");
}

#[test]
fn it_does_not_start_where_it_cannot_write_but_can_be_looked_at() {
    let mut volume = match Volume::mount(Kind::Memory, 150) {
        Ok(volume) => volume,
        Err(why) => return skipped("a start on a read-only file system", &why),
    };
    let mut server = serve(&volume);
    server.publish_numbers("t", 0..100);
    server.kill();
    volume.run("mount -o remount,ro none @");
    let data = format!("{}/data", volume.path());
    let run = |arguments: &[&str]| {
        let arguments = [arguments, &["--data", &data]].concat();
        Program::start_through(&volume.entrance(), &arguments, &[]).wait()
    };
    let refused = run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let [line] = refused.complained.as_slice() else { panic!("not one line: {refused:?}") };
    for part in [data.as_str(), "Read-only file system", "mount it for writing", "--data DIR"] {
        assert!(line.contains(part), "{part:?} is missing: {line}");
    }
    let check = run(&["log", "check"]);
    assert!(check.printed.join("\n").contains("nothing is damaged"), "{check:?}");
    let exported = run(&["log", "export"]);
    assert_eq!(exported.printed.len(), 100, "{exported:?}");
    let imported = run(&["log", "import"]);
    assert_eq!(imported.status.code(), Some(1), "{imported:?}");
    assert!(imported.complained.join("\n").contains("Read-only file system"), "{imported:?}");
}
