//! Where messages are kept when nobody says so, and a directory that cannot be used.

use std::path::Path;

use tidings_tests::{Finished, Folder, Program, request, until};

/// A server in `folder` that is told nothing of its data, or only by these arguments.
fn serve(folder: &Path, arguments: &[&str]) -> Program {
    let arguments = [&["serve", "--listen", "127.0.0.1:0"], arguments].concat();
    Program::start_in(folder, &arguments, &[("DATA", "")])
}

/// What follows `data` in the greeting.
fn greeted(program: &Program) -> String {
    until("it greets", || {
        let printed = program.printed();
        printed.iter().find_map(|line| Some(line.trim().strip_prefix("data ")?.trim().to_owned()))
    })
}

fn entries(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    names.collect()
}

/// Expects that it does not start and says why in one line.
fn expect_refusal(finished: &Finished, parts: &[&str]) {
    assert_eq!(finished.status.code(), Some(1), "{finished:?}");
    let [line] = finished.complained.as_slice() else { panic!("not one line: {finished:?}") };
    for part in parts.iter().chain(&["--data DIR", "TIDINGS_DATA", "--data none"]) {
        assert!(line.contains(part), "{part:?} is missing: {line}");
    }
}

#[test]
fn messages_are_kept_where_it_is_started_unless_told_otherwise() {
    let folder = Folder::new();
    let mut program = serve(folder.path(), &[]);
    let data = folder.path().join("tidings-data");
    // The folder for temporary files may be reached over a link.
    let shown = std::fs::canonicalize(greeted(&program));
    let shown = shown.unwrap_or_else(|error| panic!("{error}: {program:?}"));
    assert_eq!(Some(shown), std::fs::canonicalize(&data).ok());
    assert_eq!(entries(folder.path()), ["tidings-data"]);
    let mut wire = tidings_tests::Wire::connect(address(&program));
    wire.send(request("POST", "/t/a", &[], b"kept"));
    assert_eq!(wire.response("POST").status, 201);
    program.kill();
    let again = serve(folder.path(), &[]);
    greeted(&again);
    let mut wire = tidings_tests::Wire::connect(address(&again));
    assert_eq!(wire.ask("GET", "/t/a", &[], b"").data(), ["kept"]);
}

fn address(program: &Program) -> std::net::SocketAddr {
    let printed = program.printed();
    let url = printed.iter().find_map(|line| line.split_once("http://")?.1.strip_suffix('/'));
    url.and_then(|url| url.parse().ok()).unwrap_or_else(|| panic!("no address: {program:?}"))
}

#[test]
fn none_is_no_directory() {
    let folder = Folder::new();
    let program = serve(folder.path(), &["--data", "none"]);
    assert!(greeted(&program).contains("in memory only"), "{program:?}");
    assert_eq!(entries(folder.path()), [""; 0]);
    let named = serve(folder.path(), &["--data", "./none"]);
    assert!(greeted(&named).ends_with("none"), "{named:?}");
    assert_eq!(entries(folder.path()), ["none"]);
}

#[test]
fn a_file_in_the_place_of_the_directory_is_told() {
    let folder = Folder::new();
    let path = folder.path().join("tidings-data");
    std::fs::write(&path, "mine").unwrap_or_else(|error| panic!("{error}"));
    let finished = serve(folder.path(), &[]).wait();
    expect_refusal(&finished, &["tidings-data", "move that away"]);
    assert_eq!(std::fs::read(&path).ok(), Some(b"mine".to_vec()));
}

#[test]
fn a_directory_of_a_newer_version_or_a_damaged_one_is_told() {
    let folder = Folder::new();
    let mut program = serve(folder.path(), &[]);
    greeted(&program);
    program.kill();
    let identity = folder.path().join("tidings-data/log/tidings");
    for (text, parts) in [
        ("tidings-log 99 1\n", &["format 99", "newer tidings"][..]),
        ("x", &["damaged", "restore a backup"]),
    ] {
        std::fs::write(&identity, text).unwrap_or_else(|error| panic!("{error}"));
        let finished = serve(folder.path(), &[]).wait();
        expect_refusal(&finished, parts);
    }
}
