//! The files of the tree, read once for all rules.
//!
//! It must never read what is built or installed: target folders, `node_modules`, git's own.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;

/// What holds nothing written by hand.
const SKIPPED: &[&str] = &[".git", "node_modules"];

/// Cargo marks its target folders with this file, whatever they are called.
const CACHE_MARK: &str = "CACHEDIR.TAG";

/// No text that people write is longer; what is, is data.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// A text file.
pub(super) struct File {
    /// From the root, with `/` between its parts.
    pub(super) path: String,
    pub(super) text: String,
}

/// All text files, and the paths of all files and folders.
pub(super) struct Tree {
    pub(super) files: Vec<File>,
    paths: BTreeSet<String>,
}

impl Tree {
    /// Reads the tree in the current folder.
    pub(super) fn read() -> anyhow::Result<Tree> {
        let mut tree = Tree { files: Vec::new(), paths: BTreeSet::new() };
        tree.walk(Path::new("."), "")?;
        Ok(tree)
    }

    fn walk(&mut self, folder: &Path, prefix: &str) -> anyhow::Result<()> {
        let shown = || format!("cannot read {}", folder.display());
        let mut entries: Vec<_> =
            folder.read_dir().with_context(shown)?.collect::<Result<_, _>>().with_context(shown)?;
        entries.sort_by_key(std::fs::DirEntry::file_name);
        if entries.iter().any(|entry| entry.file_name() == CACHE_MARK) {
            return Ok(());
        }
        for entry in entries {
            // What cannot be named in UTF-8 cannot be referred to either.
            let Ok(name) = entry.file_name().into_string() else { continue };
            // In a linked worktree git's own is a file.
            if SKIPPED.contains(&name.as_str()) {
                continue;
            }
            let path = format!("{prefix}{name}");
            let kind = entry.file_type().with_context(shown)?;
            if kind.is_dir() {
                self.walk(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file()
                && entry.metadata().with_context(shown)?.len() <= TEXT_BYTES_MAX
            {
                let bytes =
                    std::fs::read(entry.path()).with_context(|| format!("cannot read {path}"))?;
                self.files.extend(
                    String::from_utf8(bytes).ok().map(|text| File { path: path.clone(), text }),
                );
            }
            self.paths.insert(path);
        }
        Ok(())
    }

    /// A tree made up for a test.
    #[cfg(test)]
    pub(super) fn of(files: &[(&str, &str)]) -> Tree {
        let mut paths = BTreeSet::new();
        for (path, _) in files {
            paths.extend(path.match_indices('/').map(|(end, _)| path[..end].to_owned()));
            paths.insert((*path).to_owned());
        }
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        Tree { files: files.iter().map(file).collect(), paths }
    }

    /// Whether there is a file or folder at a path.
    pub(super) fn has(&self, path: &str) -> bool {
        self.paths.contains(path)
    }

    /// One text file.
    pub(super) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// All Rust files.
    pub(super) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.path.ends_with(".rs"))
    }
}

impl File {
    /// The lines, counted from 1.
    pub(super) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        numbered(&self.text)
    }

    /// Whether the file is in a folder of this name, at any depth.
    pub(super) fn is_in(&self, folder: &str) -> bool {
        let mut parts = self.path.split('/');
        parts.next_back();
        parts.any(|part| part == folder)
    }

    /// Whether a package manager wrote it; its hashes may contain any word.
    pub(super) fn is_lock_file(&self) -> bool {
        self.path.ends_with("Cargo.lock") || self.path.ends_with("package-lock.json")
    }

    /// The folder that makes up a room: `crates/model`, `transports/sse`, `tests`; empty for
    /// files of the root.
    pub(super) fn room(&self) -> &str {
        let depth = if self.path.starts_with("crates/") || self.path.starts_with("transports/") {
            2
        } else {
            1
        };
        match self.path.match_indices('/').nth(depth - 1) {
            Some((end, _)) => &self.path[..end],
            None => "",
        }
    }
}

/// Lines counted from 1.
pub(super) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

/// The line, counted from 1, that holds a byte of a text.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_and_folders() {
        let tree = Tree::of(&[
            ("crates/model/src/lib.rs", ""),
            ("transports/sse/Cargo.toml", ""),
            ("tests/e2e/a.mjs", ""),
            ("README.md", ""),
        ]);
        let rooms: Vec<_> = tree.files.iter().map(File::room).collect();
        assert_eq!(rooms, ["crates/model", "transports/sse", "tests", ""]);
        assert!(tree.files[0].is_in("src") && !tree.files[0].is_in("lib.rs"));
        assert!(tree.has("crates/model/src") && tree.has("README.md") && !tree.has("crates/net"));
    }

    #[test]
    fn lines_count_from_one() {
        assert_eq!(line_of("a\nb\nc", 0), 1);
        assert_eq!(line_of("a\nb\nc", 4), 3);
        assert_eq!(numbered("a\nb").last(), Some((2, "b")));
    }
}
