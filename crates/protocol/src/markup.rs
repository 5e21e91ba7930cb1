//! Text as part of HTML and XML documents. Must never let text end the element or the attribute it
//! stands in, nor make a document that a parser refuses.

/// Writes text as the content of an element or as a quoted attribute's value, for HTML and for XML
/// 1.0 alike.
///
/// Characters that no XML document may hold, even escaped (XML 1.0 section 2.2: most control
/// characters), become U+FFFD. A carriage return is escaped, since parsers would make it a line
/// feed.
pub fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\r' => out.push_str("&#13;"),
            c if is_xml(c) => out.push(c),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
    }
}

/// The text of [`escape`].
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    escape(text, &mut out);
    out
}

/// Whether an XML 1.0 document may hold the character (section 2.2).
fn is_xml(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        c => c >= ' ',
    }
}

/// The longest beginning of `text` that has at most `most` bytes and does not cut a character.
pub fn beginning(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_stays_text() {
        assert_eq!(escaped("<b a=\"1\">&'\r\n"), "&lt;b a=&quot;1&quot;&gt;&amp;&#39;&#13;\n");
        assert_eq!(
            escaped("\0\u{b}\u{1b}\u{ffff}\tä\u{1f600}"),
            "\u{fffd}\u{fffd}\u{fffd}\u{fffd}\tä\u{1f600}"
        );
    }

    #[test]
    fn characters_are_not_cut() {
        assert_eq!(beginning("aäb", 2), "a");
        assert_eq!(beginning("aäb", 3), "aä");
        assert_eq!(beginning("aäb", 9), "aäb");
    }

    proptest! {
        #[test]
        fn nothing_breaks_out(text in any::<String>()) {
            let escaped = escaped(&text);
            prop_assert!(!escaped.contains(['<', '>', '"', '\'', '\r', '\0']));
            prop_assert!(escaped.chars().all(is_xml));
        }
    }
}
