//! Rule: nothing is left to be done later; what is, is an issue.

use super::Finding;
use super::tree::Tree;

/// In halves, so that this file keeps its own rule.
const WORDS: &[&str] = &[concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.files.iter().filter(|file| !file.is_lock_file()) {
        for (number, line) in file.lines() {
            if let Some(word) = WORDS.iter().find(|word| stands_alone(line, word)) {
                let text = format!("{word} is left here; do it, or open an issue and remove it");
                findings.push(Finding::new(&file.path, number, text));
            }
        }
    }
    findings
}

/// Whether a word is there that is not part of a longer one.
fn stands_alone(line: &str, word: &str) -> bool {
    let in_a_word = |c: char| c.is_alphanumeric();
    line.match_indices(word).any(|(at, _)| {
        !line[..at].ends_with(in_a_word) && !line[at + word.len()..].starts_with(in_a_word)
    })
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    #[test]
    fn a_leftover_is_found_in_any_text() {
        let code = format!("fn x() {{}}\n// {}: later\n", WORDS[0]);
        let page = format!("<!-- {} -->", WORDS[1]);
        let inside = format!("A{}B", WORDS[2]);
        let files = [("a.rs", code.as_str()), ("b.html", &page), ("c.md", &inside)];
        assert_eq!(found(check, &files), ["a.rs:2", "b.html:1"]);
    }
}
