//! Rule: no file says on whose machine it was written or where packages were fetched from.

use super::Finding;
use super::tree::Tree;

/// What betrays a place, in halves, so that this file keeps its own rule.
const PLACES: &[&str] = &[
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("registry.", "npmjs.org"),
    concat!("py", "pi.org"),
    concat!("deb.", "debian.org"),
];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Cargo writes the registry into its lock file, whatever one does.
    for file in tree.files.iter().filter(|file| file.path != "Cargo.lock") {
        for (number, line) in file.lines() {
            if let Some(place) = PLACES.iter().find(|place| line.contains(**place)) {
                let text = format!("{place} names a machine or a registry; leave it out");
                findings.push(Finding::new(&file.path, number, text));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    #[test]
    fn places_are_found_everywhere_but_in_cargo_lock() {
        let path = format!("cd {}me/tidings\n", PLACES[0]);
        let host = format!("\n\"resolved\": \"https://{}/ws\"\n", PLACES[5]);
        let files = [("a.md", path.as_str()), ("package-lock.json", &host), ("Cargo.lock", &host)];
        assert_eq!(found(check, &files), ["a.md:1", "package-lock.json:2"]);
    }
}
