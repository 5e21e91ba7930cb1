//! Rule: every Rust file opens with `//!`, which says what it is and what it must never do.

use super::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust()
        .filter(|file| !file.text.starts_with("//! "))
        .map(|file| {
            let text = "the file has no header; open it with `//! what it is and must never do`";
            Finding::new(&file.path, 1, text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    #[test]
    fn a_file_without_header_is_found() {
        let files = [
            ("a.rs", "//! Fine.\n"),
            ("b.rs", "use x;\n"),
            ("c.rs", ""),
            ("d.rs", "// No.\n//! Late.\n"),
            ("e.md", "# Not Rust\n"),
        ];
        assert_eq!(found(check, &files), ["b.rs:1", "c.rs:1", "d.rs:1"]);
    }
}
