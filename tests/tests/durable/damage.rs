//! Files that are not what they were, and a directory that somebody else uses.

use tidings_tests::{Folder, Program, Reader, Via, until};

use super::{log, server};

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

    let check = log(&["check", "--data", &folder.text()]);
    assert_eq!(check.status.code(), Some(1), "{check:?}");
    let found = check.complained.iter().any(|line| line.contains("offsets 101 to 101"));
    assert!(found, "{check:?}");

    let after = server(&folder);
    let name = segment.file_name().map(|name| name.to_string_lossy().into_owned());
    until("the file is named", || {
        after.complained().join("\n").contains(name.as_deref()?).then_some(())
    });
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
    let check = log(&["check", "--data", &folder.text()]);
    assert!(check.complained.join("\n").contains("another process uses it"), "{check:?}");
}
