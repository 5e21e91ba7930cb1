//! The name of the function that a script calls. It is the one thing of a request that becomes
//! code, so it is checked here and can be made nowhere else.

use std::fmt;

/// Longest name, in bytes. Libraries make up names of about forty.
pub(crate) const BYTES_MAX: usize = 64;

/// A function's name: identifiers of ASCII letters, digits, `_` and `$` (ECMA-262 section 12.7
/// without escapes and Unicode), with dots between them.
pub(crate) struct Callback(Box<str>);

impl Callback {
    /// Checks a name.
    pub(crate) fn new(name: &str) -> Option<Callback> {
        let is_name = name.len() <= BYTES_MAX && name.split('.').all(is_identifier);
        is_name.then(|| Callback(name.into()))
    }
}

impl fmt::Display for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_identifier(part: &str) -> bool {
    let is_start = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '$');
    part.starts_with(is_start) && part.chars().all(|c| is_start(c) || c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_functions() {
        let longest = "x".repeat(BYTES_MAX);
        for name in ["cb", "$", "_1", "jQuery1113_1467", "app.news.on", "a.b.c.d", &longest] {
            assert!(Callback::new(name).is_some(), "{name}");
        }
    }

    #[test]
    fn nothing_else_is_one() {
        let long = "x".repeat(BYTES_MAX + 1);
        for name in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "1a",
            "a.1",
            "a b",
            "a-b",
            "a(b",
            "a;b",
            "a[0]",
            "a=b",
            "a/b",
            "a\n",
            "a\0",
            "a\u{2028}",
            "ä",
            "a\\u0062",
            "alert(1)//",
            "<script>",
            "a,b",
            "a`",
            &long,
        ] {
            assert!(Callback::new(name).is_none(), "{name:?}");
        }
    }
}
