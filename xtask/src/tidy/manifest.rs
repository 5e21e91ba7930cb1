//! What the rules need to know of a `Cargo.toml`: its name and its dependencies.
//!
//! It must never judge them; the rules do.

use toml::{Table, Value};

use super::tree::{File, Tree};

/// A crate of the tree.
pub(super) struct Manifest<'a> {
    pub(super) file: &'a File,
    /// The package's name.
    pub(super) name: String,
    pub(super) dependencies: Vec<Dependency>,
}

/// One dependency, of any kind.
pub(super) struct Dependency {
    /// The package's own name, whatever it is called here.
    pub(super) package: String,
    /// Whether only tests see it.
    pub(super) dev: bool,
    /// The line of the manifest.
    pub(super) line: usize,
}

/// Every crate of the tree. A manifest that cannot be parsed is not tidy's to report: nothing in
/// this workspace builds then, this program included.
pub(super) fn manifests(tree: &Tree) -> Vec<Manifest<'_>> {
    let root = tree.file("Cargo.toml").and_then(|file| file.text.parse::<Table>().ok());
    let shared = root.as_ref().and_then(|root| root.get("workspace")?.get("dependencies"));
    let files = tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml"));
    files.filter_map(|file| manifest(file, shared)).collect()
}

fn manifest<'a>(file: &'a File, shared: Option<&Value>) -> Option<Manifest<'a>> {
    let table: Table = file.text.parse().ok()?;
    let name = table.get("package")?.get("name")?.as_str()?.to_owned();
    let conditional = table.get("target").and_then(Value::as_table).into_iter().flatten();
    let tables = conditional.filter_map(|(_, table)| table.as_table()).chain([&table]);
    let mut dependencies = Vec::new();
    for table in tables {
        for (kind, dev) in
            [("dependencies", false), ("build-dependencies", false), ("dev-dependencies", true)]
        {
            let entries = table.get(kind).and_then(Value::as_table).into_iter().flatten();
            dependencies.extend(entries.map(|(key, value)| Dependency {
                package: package(key, value, shared),
                dev,
                line: line(file, key, dev),
            }));
        }
    }
    Some(Manifest { file, name, dependencies })
}

/// A dependency may be called otherwise than its package, here or in the workspace's own list.
fn package(key: &str, value: &Value, shared: Option<&Value>) -> String {
    let named = |value: &Value| Some(value.get("package")?.as_str()?.to_owned());
    let inherited = || shared.and_then(|shared| named(shared.get(key)?));
    named(value).or_else(inherited).unwrap_or_else(|| key.to_owned())
}

/// The line that names a dependency: the first such, or the last for tests, whose table comes last.
fn line(file: &File, key: &str, dev: bool) -> usize {
    let names = |line: &str| {
        let rest = line.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| rest.starts_with(['.', ' ', '=']))
    };
    let mut lines = file.lines().filter(|(_, text)| names(text)).map(|(number, _)| number);
    let found = if dev { lines.last() } else { lines.next() };
    found.unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_of_every_kind_are_seen_under_their_own_names() {
        let root =
            "[workspace.dependencies]\nshort = { package = \"tidings-model\", path = \"x\" }\n";
        let own = "[package]\nname = \"a\"\n[dependencies]\nshort.workspace = true\n\
            other = { package = \"tokio\", version = \"1\" }\n\
            [target.'cfg(unix)'.build-dependencies]\nlibc = \"1\"\n\
            [dev-dependencies]\nother.workspace = true\n";
        let tree = Tree::of(&[("Cargo.toml", root), ("crates/a/Cargo.toml", own)]);
        let manifests = manifests(&tree);
        assert_eq!(manifests.len(), 1);
        assert_eq!(manifests[0].name, "a");
        let mut seen: Vec<_> = manifests[0]
            .dependencies
            .iter()
            .map(|found| (found.line, found.package.as_str(), found.dev))
            .collect();
        seen.sort();
        assert_eq!(
            seen,
            [
                (4, "tidings-model", false),
                (5, "tokio", false),
                (7, "libc", false),
                (9, "other", true)
            ]
        );
    }
}
