//! Rule: every transport is registered with the server and told of in the README.

use super::Finding;
use super::code::{bare, uses};
use super::manifest::{Manifest, manifests};
use super::tree::Tree;

const TRANSPORTS: &str = "transports/";
const REGISTRY: &str = "crates/server/src/transports.rs";
const SERVER: &str = "crates/server/Cargo.toml";
const README: &str = "README.md";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let manifests = manifests(tree);
    let is_transport = |manifest: &&Manifest<'_>| {
        // A folder that opens with `_` is a pattern to copy, not a transport.
        let folder = manifest.file.room().strip_prefix(TRANSPORTS);
        folder.is_some_and(|folder| !folder.starts_with('_'))
    };
    let transports: Vec<_> = manifests.iter().filter(is_transport).collect();
    let registry = tree.file(REGISTRY).map(|file| bare(&file.text)).unwrap_or_default();
    let server = manifests.iter().find(|manifest| manifest.file.path == SERVER);
    let depends = |name: &str| {
        server.is_some_and(|server| server.dependencies.iter().any(|found| found.package == name))
    };
    let mut findings = Vec::new();
    for transport in transports {
        let (path, name) = (&transport.file.path, &transport.name);
        let mut complain = |text: String| findings.push(Finding::new(path, 1, text));
        if uses(&registry, &format!("{}::", name.replace('-', "_"))).next().is_none() {
            complain(format!("the transport is not registered; add its line to {REGISTRY}"));
        }
        if !depends(name) {
            complain(format!("the server does not depend on {name}; add its line to {SERVER}"));
        }
        let room = transport.file.room();
        let folder = room.strip_prefix(TRANSPORTS).unwrap_or(room);
        let row = |line: &str| first_cell(line).is_some_and(|cell| names(cell, folder));
        if tree.file(README).is_some_and(|readme| !readme.text.lines().any(row)) {
            complain(format!("{README} does not tell of it; add a row that opens with `{folder}`"));
        }
    }
    findings
}

/// What stands before the second bar of a table's row.
fn first_cell(line: &str) -> Option<&str> {
    line.strip_prefix('|')?.split('|').next()
}

/// Whether a text has a name in backticks.
fn names(text: &str, name: &str) -> bool {
    text.split('`').skip(1).step_by(2).any(|quoted| quoted == name)
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    const FILES: &[(&str, &str)] = &[
        ("transports/sse/Cargo.toml", "[package]\nname = \"tidings-sse\""),
        ("transports/_template/Cargo.toml", "[package]\nname = \"tidings-template\""),
        (REGISTRY, "&tidings_sse::SSE,"),
        (SERVER, "[package]\nname = \"s\"\n[dependencies]\ntidings-sse = \"1\""),
        (README, "| SSE (folder `sse`) | streams |"),
    ];

    #[test]
    fn a_transport_must_stand_in_each_of_three_places() {
        assert!(found(check, FILES).is_empty());
        for (index, text) in
            [(2, "// tidings_sse::SSE"), (3, "[package]\nname = \"s\""), (4, "| other | `sse` |")]
        {
            let mut files = FILES.to_vec();
            files[index].1 = text;
            assert_eq!(found(check, &files), ["transports/sse/Cargo.toml:1"], "{text}");
        }
    }

    #[test]
    fn there_may_be_no_readme_yet() {
        assert!(found(check, &FILES[..4]).is_empty());
    }
}
