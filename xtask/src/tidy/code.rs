//! Rust text with what is not code blanked out, so that a rule about code does not stumble over a
//! comment or a string that speaks of it.
//!
//! It must never move a byte: offsets and lines stay those of the file.

use std::ops::Range;

use super::tree::File;

/// The text without comments.
pub(super) fn without_comments(text: &str) -> String {
    blank(text, |kind| kind == Kind::Comment)
}

/// The text without comments and without what stands between quotes.
pub(super) fn bare(text: &str) -> String {
    blank(text, |_| true)
}

/// Where the code of a file ends and its tests begin: all of it for files of tests alone.
pub(super) fn tests_begin(file: &File, bare: &str) -> usize {
    if file.is_in("tests") || file.path.ends_with("/tests.rs") {
        return 0;
    }
    let mark = "#[cfg(test)]";
    let begins_a_module = |offset: &usize| {
        let rest = bare[offset + mark.len()..].trim_start();
        // `mod tests;` names a file; only `mod tests {` ends the code of this one.
        let end = rest.find(['{', ';']).map(|end| &rest[end..=end]);
        rest.starts_with("mod ") && end == Some("{")
    };
    bare.match_indices(mark).map(|(offset, _)| offset).find(begins_a_module).unwrap_or(bare.len())
}

/// The places where a path or name such as `rand::` stands by itself, not at the end of a longer
/// name.
pub(super) fn uses<'a>(text: &'a str, name: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(name).map(|(offset, _)| offset).filter(|offset| {
        !text[..*offset].ends_with(|before: char| before.is_alphanumeric() || before == '_')
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Comment,
    /// What stands between the quotes of a string or a character.
    Literal,
}

fn blank(text: &str, wanted: impl Fn(Kind) -> bool) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (kind, range) in pieces(text) {
        if wanted(kind) {
            bytes[range].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
    }
    // Pieces begin and end beside ASCII, so no character was cut.
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Comments and literals in their order (The Rust Reference, chapters 2.3 and 2.6).
fn pieces(text: &str) -> Vec<(Kind, Range<usize>)> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        let (kind, skipped, length) = match rest {
            [b'/', b'/', ..] => (Kind::Comment, 0, line_comment(rest)),
            [b'/', b'*', ..] => (Kind::Comment, 0, block_comment(rest)),
            [b'"', ..] => (Kind::Literal, 1, string(&rest[1..])),
            [b'r', b'"' | b'#', ..] if !in_a_name(text, at) => match raw_string(rest) {
                Some((skipped, length)) => (Kind::Literal, skipped, length),
                None => {
                    at += 1;
                    continue;
                }
            },
            [b'\'', ..] => match character(&text[at + 1..]) {
                Some(length) => (Kind::Literal, 1, length),
                // A lifetime.
                None => {
                    at += 1;
                    continue;
                }
            },
            _ => {
                at += 1;
                continue;
            }
        };
        let from = at + skipped;
        let to = (from + length).min(text.len());
        pieces.push((kind, from..to));
        // Behind the closing quote. The `#` of a raw string are harmless as code.
        at = to + usize::from(kind == Kind::Literal);
    }
    pieces
}

/// Whether the `r` here belongs to a longer name and so begins no raw string; `br` and `cr` do.
fn in_a_name(text: &str, at: usize) -> bool {
    let before = text[..at].strip_suffix(['b', 'c']).unwrap_or(&text[..at]);
    before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

fn line_comment(rest: &[u8]) -> usize {
    rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
}

/// Block comments nest.
fn block_comment(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (at, depth) = (at + 2, depth + 1),
            [b'*', b'/', ..] => (at, depth) = (at + 2, depth.saturating_sub(1)),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// The bytes before the closing quote.
fn string(rest: &[u8]) -> usize {
    let mut at = 0;
    while at < rest.len() && rest[at] != b'"' {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    at
}

/// For `r##"text"##`, the bytes before the text and those of the text.
fn raw_string(rest: &[u8]) -> Option<(usize, usize)> {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    let skipped = 1 + hashes + 1;
    if rest.get(1 + hashes) != Some(&b'"') {
        return None;
    }
    let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let text = &rest[skipped..];
    let length = text.windows(close.len()).position(|window| window == close);
    Some((skipped, length.unwrap_or(text.len())))
}

/// The bytes before the closing quote, unless the opening quote begins a lifetime.
fn character(rest: &str) -> Option<usize> {
    let mut characters = rest.char_indices();
    let (_, first) = characters.next()?;
    if first == '\\' {
        // What is escaped may itself be a quote.
        characters.next()?;
        return characters.find(|(_, c)| *c == '\'').map(|(at, _)| at);
    }
    characters.next().filter(|(_, second)| *second == '\'').map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::super::tree::Tree;
    use super::*;

    #[test]
    fn comments_and_quoted_text_are_blanked_and_nothing_moves() {
        let cases = [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"a("b // \" c") d"#, r#"a("         ") d"#),
            ("a(r#\"b\" // c\"#) d", "a(r#\"       \"#) d"),
            ("a(br\"\\\") d", "a(br\" \") d"),
            ("for\"x\" r#type y", "for\" \" r#type y"),
            ("a('\"', '\\'', 'é') b", "a(' ', '  ', '  ') b"),
            ("fn f<'a>(x: &'a str) // b", "fn f<'a>(x: &'a str)     "),
            ("\"open", "\"    "),
        ];
        for (text, expected) in cases {
            assert_eq!(bare(text), expected, "{text}");
            assert_eq!(bare(text).len(), text.len(), "{text}");
        }
        assert_eq!(without_comments("a(\"b // c\") // d"), "a(\"b // c\")     ");
    }

    #[test]
    fn tests_begin_where_their_module_does() {
        let begin = |path, text| {
            let tree = Tree::of(&[(path, text)]);
            tests_begin(&tree.files[0], &bare(text))
        };
        assert_eq!(begin("a/src/b.rs", "x\n#[cfg(test)]\nmod tests {\n}"), 2);
        assert_eq!(begin("a/src/b.rs", "#[cfg(test)]\nmod tests;\nfn x() {}"), 33);
        assert_eq!(begin("a/src/b.rs", "fn x() {}"), 9);
        assert_eq!(begin("a/tests/b.rs", "fn x() {}"), 0);
        assert_eq!(begin("a/src/b/tests.rs", "fn x() {}"), 0);
    }

    #[test]
    fn only_whole_names_are_uses() {
        assert_eq!(uses("brand::x rand::y (rand::z", "rand::").collect::<Vec<_>>(), [9, 18]);
    }
}
