//! Rule: a lint is silenced by `expect` with a reason, never by `allow`, so that it comes back when
//! the reason is gone.

use super::Finding;
use super::code::bare;
use super::tree::{File, Tree, line_of};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust().flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Finding> {
    let code = bare(&file.text);
    let attributes = code.match_indices("#[").chain(code.match_indices("#!["));
    let mut findings: Vec<Finding> = attributes
        .filter_map(|(offset, opening)| {
            let attribute = body(&code[offset + opening.len()..]);
            complaint(attribute).map(|text| Finding::new(&file.path, line_of(&code, offset), text))
        })
        .collect();
    findings.sort();
    findings
}

fn complaint(attribute: &str) -> Option<&'static str> {
    // Behind a condition as well: `cfg_attr(unix, allow(…))`.
    let silences = |word: &str| {
        super::code::uses(attribute, word)
            .any(|at| attribute[at + word.len()..].trim_start().starts_with('('))
    };
    if silences("allow") {
        Some("`allow` silences a lint for good; heed it, or use `expect` with a reason")
    } else if silences("expect") && !attribute.contains("reason") {
        Some("`expect` gives no reason; add `reason = \"…\"`")
    } else {
        None
    }
}

/// The attribute up to its closing bracket.
fn body(rest: &str) -> &str {
    let mut depth = 1_usize;
    for (at, c) in rest.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &rest[..at];
        }
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    #[test]
    fn silenced_lints_are_found() {
        let code = "//! x\n#![allow(dead_code)]\n#[expect(unused)]\n\
            #[expect(\n    unused,\n    reason = \"proven above\"\n)]\n\
            #[cfg_attr(unix, allow(unused))]\n#[doc = \"allow(x)\"]\n// #[allow(x)]\n\
            let x = y.expect(\"said why\");\n#[derive(Clone)]\n";
        assert_eq!(found(check, &[("a.rs", code)]), ["a.rs:2", "a.rs:3", "a.rs:8"]);
    }
}
