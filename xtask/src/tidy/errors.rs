//! Rule: every word that a peer may find in `error` is documented.

use super::Finding;
use super::code::{bare, tests_begin, without_comments};
use super::tree::{File, Tree, line_of};

/// The page whose table lists the words, and the page that lists those of commands only.
const TABLE: &str = "docs/guide/http.md";
const COMMANDS: &str = "docs/guide/tidings-v1.md";

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let words = documented(tree);
    tree.rust()
        .filter(|file| ["crates/", "transports/"].iter().any(|room| file.path.starts_with(room)))
        .flat_map(spoken)
        .filter(|(_, _, word)| !words.contains(word))
        .map(|(file, line, word)| {
            let text = format!(
                "the error {word} is not documented; add it to the table of {TABLE}, \
                 or to {COMMANDS} if only commands are answered with it"
            );
            Finding::new(&file.path, line, text)
        })
        .collect()
}

/// The words in backticks: in the rows of the table of errors, and anywhere on the other page.
fn documented(tree: &Tree) -> Vec<String> {
    let table = tree.file(TABLE).map_or("", |page| page.text.as_str());
    let table = table.split_once("\n## Errors\n").map_or("", |(_, section)| section);
    let rows = table.lines().filter(|line| line.starts_with('|'));
    let commands = tree.file(COMMANDS).map_or("", |page| page.text.as_str());
    let lines = rows.chain(commands.lines());
    lines.flat_map(|line| line.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

/// The words that code gives to `Problem::bad` and `Problem::new`, or pairs with a status for
/// them, as in `(403, "forbidden", …)`.
fn spoken(file: &File) -> Vec<(&File, usize, String)> {
    let bare = bare(&file.text);
    let code = &without_comments(&file.text)[..tests_begin(file, &bare)];
    let mut found = Vec::new();
    for (call, index) in [("Problem::bad(", 0), ("Problem::new(", 1)] {
        for (at, _) in code.match_indices(call) {
            let arguments = at + call.len();
            let begin = argument(&bare[arguments..], index).map(|begin| arguments + begin);
            found.extend(begin.and_then(|begin| Some((begin, word(&code[begin..])?))));
        }
    }
    for (at, _) in code.match_indices(['4', '5']) {
        if let Some(word) = word_behind_status(&code[at..]) {
            found.push((at, word));
        }
    }
    found.into_iter().map(|(at, word)| (file, line_of(code, at), word.to_owned())).collect()
}

/// Where an argument of a call begins, from behind the opening bracket on.
fn argument(arguments: &str, index: usize) -> Option<usize> {
    let (mut depth, mut begin, mut left) = (0_usize, 0, index);
    let mut characters = arguments.char_indices();
    while left > 0 {
        match characters.next()? {
            (_, '(' | '[' | '{') => depth += 1,
            (_, ')' | ']' | '}') => depth = depth.checked_sub(1)?,
            (at, ',') if depth == 0 => (begin, left) = (at + 1, left - 1),
            _ => {}
        }
    }
    Some(begin)
}

/// The word in quotes that a text opens with, if it has the form of our words.
fn word(text: &str) -> Option<&str> {
    let (word, _) = text.trim_start().strip_prefix('"')?.split_once('"')?;
    let is_word = !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    is_word.then_some(word)
}

/// The word of `403, "forbidden"` and of `403 => ("forbidden"`.
fn word_behind_status(text: &str) -> Option<&str> {
    let (status, rest) = text.split_at_checked(3)?;
    let is_status = status.bytes().all(|byte| byte.is_ascii_digit());
    let rest = rest.trim_start_matches([' ', '\n', ',', '=', '>', '(']);
    if is_status { word(rest) } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::found;
    use super::*;

    const PAGES: [(&str, &str); 2] = [
        (
            TABLE,
            "`not_this`\n## Errors\n\nLike `nor_this`.\n\n| 400 | `bad_topic`, `forbidden` |\n",
        ),
        (COMMANDS, "A command that fails with `bad_command`.\n"),
    ];

    fn check_code(code: &str) -> Vec<String> {
        found(check, &[PAGES[0], PAGES[1], ("crates/x/src/a.rs", code)])
    }

    #[test]
    fn documented_words_are_fine() {
        let code = "Problem::bad(\"bad_topic\", m, h); Problem::bad(\"bad_command\", m, h)";
        assert!(check_code(code).is_empty());
    }

    #[test]
    fn a_word_that_is_not_documented_is_found_however_it_is_spoken() {
        for code in [
            "\nProblem::bad(\"not_this\", m, h)",
            "Problem::new(\nf(1, 2)?, \"nor_this\", m, h)",
            "\n(403, \"odd\", \"hint\")",
            "\n403 => (\"odd\", \"message\")",
        ] {
            assert_eq!(check_code(code).len(), 1, "{code}");
        }
        assert_eq!(check_code("\n\nProblem::bad(\n    \"odd\", m)"), ["crates/x/src/a.rs:3"]);
    }

    #[test]
    fn what_is_not_a_word_of_ours_is_left_alone() {
        for code in [
            "// Problem::bad(\"odd\", m, h)",
            "Problem::new(status, error, \"message\", hint)",
            "Problem::bad(error, \"message\", hint)",
            "#[cfg(test)]\nmod tests {\n    Problem::bad(\"odd\", m, h);\n}",
        ] {
            assert!(check_code(code).is_empty(), "{code}");
        }
    }
}
