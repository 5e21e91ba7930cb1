//! Rule: Rust files stay short enough to be read in one sitting.

use super::Finding;
use super::tree::{File, Tree};

/// Above this a file is named, so that its next editor thinks of splitting it.
const LINES_GOOD: usize = 300;
/// Above this the check fails.
const LINES_MAX: usize = 400;
/// Tests and generated code are read in pieces.
const LINES_MAX_TESTS: usize = 600;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust().filter_map(check_file).collect()
}

fn check_file(file: &File) -> Option<Finding> {
    let lines = file.text.lines().count();
    let relaxed = file.is_in("tests") || file.is_in("generated");
    let (good, max) =
        if relaxed { (LINES_MAX_TESTS, LINES_MAX_TESTS) } else { (LINES_GOOD, LINES_MAX) };
    if lines > max {
        let text = format!("the file has {lines} lines, more than {max}; split it by what it does");
        Some(Finding::new(&file.path, max + 1, text))
    } else if lines > good {
        let text = format!("the file has {lines} lines; over {max} it must be split");
        Some(Finding::warning(&file.path, good + 1, text))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Level, found};
    use super::*;

    #[test]
    fn a_file_that_is_too_long_is_found_and_a_long_one_named() {
        let lines = |count| "x\n".repeat(count);
        let (good, long, too_long) = (lines(300), lines(400), lines(401));
        let files = [
            ("good.rs", good.as_str()),
            ("long.rs", &long),
            ("too_long.rs", &too_long),
            ("a/tests/fine.rs", &too_long),
            ("not_rust.css", &too_long),
        ];
        assert_eq!(found(check, &files), ["long.rs:301", "too_long.rs:401"]);
        let levels: Vec<_> = check(&Tree::of(&files)).iter().map(|found| found.level).collect();
        assert_eq!(levels, [Level::Warning, Level::Error]);
        assert_eq!(found(check, &[("a/tests/b.rs", &lines(601))]), ["a/tests/b.rs:601"]);
    }
}
