//! Text as a string of JavaScript inside of an HTML script. Must never leave in it what HTML or any
//! edition of JavaScript would take for the end of the string, of the line or of the script.

/// UTF-8 text as a string literal (ECMA-262 section 12.9.4, since the third edition).
///
/// No `<` is left, so neither `</script` nor `<!--` nor `<script` can stand there (WHATWG HTML
/// section 13.2.5.4), and neither U+2028 nor U+2029, which ended a line before ECMAScript 2019.
pub(crate) fn string(text: &[u8]) -> Vec<u8> {
    let mut out = String::with_capacity(text.len() + text.len() / 8 + 2);
    out.push('"');
    for c in String::from_utf8_lossy(text).chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_unsafe(c) => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out.into_bytes()
}

/// What ends something, and the characters that engines up to the third edition drop from source
/// text (its section 7.1). All of them lie below U+10000.
fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '<' | '>' | '&' | '\'' | '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}')
        || matches!(c, '\u{6dd}' | '\u{70f}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}')
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{2060}'..='\u{206f}')
        || matches!(c, '\u{feff}' | '\u{fff0}'..='\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(text: &str) -> String {
        String::from_utf8(string(text.as_bytes())).unwrap()
    }

    #[test]
    fn nothing_is_left_that_could_end_it() {
        assert_eq!(literal("</script><!--"), r#""\u003c/script\u003e\u003c!--""#);
        assert_eq!(literal("\u{2028}\u{2029}\u{2027}€😀"), "\"\\u2028\\u2029\u{2027}€😀\"");
        assert_eq!(literal("\"\\\n\r\0'&"), r#""\"\\\u000a\u000d\u0000\u0027\u0026""#);
        assert_eq!(literal("\u{feff}\u{ad}\u{7f}\u{85}"), r#""\ufeff\u00ad\u007f\u0085""#);
    }

    proptest::proptest! {
        #[test]
        fn it_is_the_text_again_and_harmless(text in r#"(?s).*|[<>/!\-"'\\a-z \n\r\x00\u2028\u2029]*"#) {
            let literal = literal(&text);
            let inside = &literal[1..literal.len() - 1];
            assert!(!inside.contains(['<', '>', '&', '\'', '\u{2028}', '\u{2029}']));
            assert!(!inside.contains(char::is_control));
            // All the escapes that are used are those of JSON as well.
            assert_eq!(serde_json::from_str::<String>(&literal).unwrap(), text);
        }
    }
}
