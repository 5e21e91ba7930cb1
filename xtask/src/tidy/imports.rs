//! Rule: imports go one way, `model <- protocol <- transports` and on to the server, so that a
//! transport can be read, tested and replaced alone.

use super::Finding;
use super::determinism::is_pure;
use super::manifest::{Dependency, Manifest, manifests};
use super::tree::Tree;

/// What a room may import of our own.
struct Room {
    /// Its folder.
    folder: &'static str,
    /// Packages for its code.
    code: Own,
    /// Packages for its tests, besides those for its code.
    tests: &'static [&'static str],
}

enum Own {
    Only(&'static [&'static str]),
    AllBut(&'static [&'static str]),
}

const MODEL: &str = "tidings-model";
const ACCESS: &str = "tidings-access";
const PROTOCOL: &str = "tidings-protocol";
const BROKER: &str = "tidings-broker";
const LOG: &str = "tidings-log";
const HOST: &str = "tidings-host";
const NET: &str = "tidings-net";
const CODEC: &str = "tidings-websocket-codec";
const MQTT: &str = "tidings-mqtt-codec";
const SERVER: &str = "tidings-server";
const TESTKIT: &str = "tidings-testkit";
const TESTS: &str = "tidings-tests";

/// Every room there is.
const ROOMS: &[Room] = &[
    Room { folder: "crates/model", code: Own::Only(&[]), tests: &[] },
    Room { folder: "crates/websocket", code: Own::Only(&[]), tests: &[] },
    Room { folder: "crates/mqtt", code: Own::Only(&[]), tests: &[] },
    Room { folder: "crates/access", code: Own::Only(&[MODEL]), tests: &[] },
    Room { folder: "crates/protocol", code: Own::Only(&[MODEL, ACCESS]), tests: &[] },
    Room { folder: "crates/log", code: Own::Only(&[MODEL]), tests: &[TESTKIT] },
    Room { folder: "crates/broker", code: Own::Only(&[MODEL, ACCESS, LOG]), tests: &[] },
    Room {
        folder: "crates/host",
        code: Own::Only(&[MODEL, ACCESS, PROTOCOL, BROKER, LOG]),
        tests: &[],
    },
    Room {
        folder: "crates/net",
        code: Own::Only(&[MODEL, ACCESS, PROTOCOL, BROKER, LOG, HOST, CODEC]),
        tests: &[TESTKIT],
    },
    Room { folder: "crates/server", code: Own::AllBut(&[TESTKIT]), tests: &[TESTKIT] },
    Room { folder: "crates/testkit", code: Own::AllBut(&[NET, SERVER]), tests: &[] },
    // Its codec is a room of its own, because clients need the other side of it.
    Room {
        folder: "transports/mqtt",
        code: Own::Only(&[MODEL, PROTOCOL, MQTT]),
        tests: &[TESTKIT],
    },
    Room { folder: "transports/*", code: Own::Only(&[MODEL, PROTOCOL]), tests: &[TESTKIT] },
    Room { folder: "tests", code: Own::AllBut(&[]), tests: &[] },
    Room {
        folder: "bench",
        code: Own::Only(&[MODEL, LOG, CODEC, MQTT]),
        // What is timed without sockets is the house itself.
        tests: &[HOST, PROTOCOL, TESTKIT, "tidings-mqtt", "tidings-sse", "tidings-websocket"],
    },
    Room { folder: "fuzz", code: Own::AllBut(&[NET, SERVER]), tests: &[] },
    Room { folder: "xtask", code: Own::Only(&[TESTKIT, TESTS]), tests: &[] },
];

/// Foreign crates that bring sockets, clocks, chance or a runtime; no pure room may have them,
/// nor those of their families, such as `tokio-util`.
const IMPURE: &[&str] = &["tokio", "hyper", "mio", "socket2", "rand", "tracing"];

/// The writer of the disk log has to tell the operator what is wrong with the disk when it happens.
const EXCUSED: &[(&str, &str)] = &[("crates/log", "tracing")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let manifests = manifests(tree);
    let own: Vec<&str> = manifests.iter().map(|manifest| manifest.name.as_str()).collect();
    manifests.iter().flat_map(|manifest| check_manifest(manifest, &own)).collect()
}

fn check_manifest(manifest: &Manifest<'_>, own: &[&str]) -> Vec<Finding> {
    let (path, folder) = (&manifest.file.path, manifest.file.room());
    let same = |room: &&Room| match room.folder.strip_suffix('*') {
        Some(prefix) => folder.starts_with(prefix),
        None => folder == room.folder,
    };
    let Some(room) = ROOMS.iter().find(same) else {
        let text = format!("{folder} is a new room; say in {} what it may import", file!());
        return vec![Finding::new(path, 1, text)];
    };
    let mut findings = Vec::new();
    for dependency in &manifest.dependencies {
        let Dependency { package, line, .. } = dependency;
        if own.contains(&package.as_str()) && !allows(room, dependency) {
            let kind = if dependency.dev { "the tests of " } else { "" };
            let text = format!("{kind}{folder} must not import {package}; see ARCHITECTURE.md");
            findings.push(Finding::new(path, *line, text));
        }
        let excused = EXCUSED.contains(&(folder, package.as_str()));
        if is_pure(folder) && !excused && IMPURE.iter().any(|name| is_of_family(package, name)) {
            let text = format!("{folder} is pure and must not see {package}; leave it to net");
            findings.push(Finding::new(path, *line, text));
        }
    }
    findings
}

fn allows(room: &Room, dependency: &Dependency) -> bool {
    let package = dependency.package.as_str();
    if dependency.dev && room.tests.contains(&package) {
        return true;
    }
    match room.code {
        Own::Only(packages) => packages.contains(&package),
        Own::AllBut(packages) => !packages.contains(&package),
    }
}

fn is_of_family(package: &str, name: &str) -> bool {
    package.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    fn manifest(name: &str, dependencies: &str) -> String {
        format!("[package]\nname = \"{name}\"\n[dependencies]\n{dependencies}")
    }

    /// What is found in a room, beside the crates it could import.
    fn check_room(folder: &str, dependencies: &str) -> Vec<String> {
        let own = manifest("tidings-room", dependencies);
        let others = [MODEL, PROTOCOL, NET, SERVER, TESTKIT, MQTT, "tidings-sse"];
        let others = others.map(|name| (format!("tests/{name}/Cargo.toml"), manifest(name, "")));
        let path = format!("{folder}/Cargo.toml");
        let mut files = vec![(path.as_str(), own.as_str())];
        files.extend(others.iter().map(|(path, text)| (path.as_str(), text.as_str())));
        found(check, &files)
    }

    #[test]
    fn an_import_against_the_direction_is_found() {
        assert_eq!(
            check_room("crates/model", "tidings-protocol = \"1\""),
            ["crates/model/Cargo.toml:4"]
        );
        assert!(check_room("crates/protocol", "tidings-model = \"1\"").is_empty());
        assert!(check_room("crates/server", "tidings-net = \"1\"\ntidings-sse = \"1\"").is_empty());
        assert!(check_room("crates/testkit", "tidings-sse = \"1\"").is_empty());
        assert_eq!(check_room("crates/testkit", "tidings-net = \"1\"").len(), 1);
        assert_eq!(check_room("crates/server", "tidings-testkit = \"1\"").len(), 1);
        assert_eq!(check_room("crates/host", "x = { package = \"tidings-net\" }").len(), 1);
    }

    #[test]
    fn a_transport_sees_model_and_protocol_only() {
        let check = |dependencies| check_room("transports/x", dependencies);
        assert!(check("tidings-model = \"1\"\ntidings-protocol = \"1\"\nbytes = \"1\"").is_empty());
        assert_eq!(check("bytes = \"1\"\ntidings-sse = \"1\""), ["transports/x/Cargo.toml:5"]);
        assert_eq!(check("tidings-testkit = \"1\"").len(), 1);
        assert!(check("[dev-dependencies]\ntidings-testkit = \"1\"").is_empty());
        assert_eq!(check("[dev-dependencies]\ntidings-net = \"1\"").len(), 1);
        assert_eq!(check("[target.'cfg(unix)'.dependencies]\ntokio-util = \"1\"").len(), 1);
        assert_eq!(check("[dev-dependencies]\nrand = \"1\"").len(), 1);
        assert!(check("miow = \"1\"").is_empty());
    }

    #[test]
    fn a_codec_is_for_its_own_transport() {
        let check = |folder| check_room(folder, "tidings-mqtt-codec = \"1\"");
        assert!(check("transports/mqtt").is_empty());
        assert_eq!(check("transports/x").len(), 1);
        assert_eq!(check_room("transports/mqtt", "tidings-sse = \"1\"").len(), 1);
    }

    #[test]
    fn a_room_that_is_not_in_the_table_is_found() {
        assert_eq!(check_room("crates/cellar", ""), ["crates/cellar/Cargo.toml:1"]);
    }
}
