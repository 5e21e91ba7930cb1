//! Which web pages are welcome: this server's own, and those of origins that the operator allowed.
//! Must never know how a page is told so; that is HTTP's and each transport's own.

/// Why a page's origin is welcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Welcome {
    /// It is this server's own.
    Own,
    /// The operator named it.
    Named,
    /// The operator lets pages of all origins in.
    Any,
}

/// Whether pages of `origin` are welcome at the `host` they asked for, and why.
///
/// Both are as their header fields have them (RFC 6454 section 7, RFC 9110 section 7.2). Only host
/// and port are compared with the server's own: behind a proxy that ends TLS the scheme differs.
pub fn welcome(origin: &str, host: Option<&str>, allowed: &[String]) -> Option<Welcome> {
    let authority = origin.split_once("://").map(|(_, authority)| authority);
    let is_own = |host: &str| authority.is_some_and(|name| name.eq_ignore_ascii_case(host));
    if host.is_some_and(is_own) {
        Some(Welcome::Own)
    } else if allowed.iter().any(|entry| entry.eq_ignore_ascii_case(origin)) {
        Some(Welcome::Named)
    } else if allowed.iter().any(|entry| entry == "*") {
        Some(Welcome::Any)
    } else {
        None
    }
}

/// Whether a text is an origin that can be named: a scheme, `://`, and a host with or without a
/// port. Such a text holds nothing that would end a header field's value or a script's string.
pub fn is_origin(text: &str) -> bool {
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let in_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let in_authority =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | ':' | '[' | ']');
    scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(in_scheme)
        && !authority.is_empty()
        && authority.chars().all(in_authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_pages_and_allowed_ones_are_welcome() {
        let allowed = ["https://app.example".to_owned()];
        for (origin, why) in [
            ("http://tidings.example:8080", Some(Welcome::Own)),
            ("https://Tidings.example:8080", Some(Welcome::Own)),
            ("https://app.example", Some(Welcome::Named)),
            ("https://app.example.evil.example", None),
            ("https://app.example:8443", None),
            ("http://tidings.example", None),
            ("tidings.example:8080", None),
            ("http://tidings.example:8080/", None),
            ("null", None),
            ("", None),
        ] {
            assert_eq!(welcome(origin, Some("tidings.example:8080"), &allowed), why, "{origin}");
        }
        assert_eq!(welcome("http://null", None, &allowed), None);
        let all = ["*".to_owned(), "https://app.example".to_owned()];
        assert_eq!(welcome("https://any.example", None, &all), Some(Welcome::Any));
        assert_eq!(welcome("https://app.example", None, &all), Some(Welcome::Named));
    }

    #[test]
    fn an_origin_holds_nothing_that_could_end_its_place() {
        for text in ["https://a.example", "http://[::1]:8080", "capacitor://localhost", "x://a_b"] {
            assert!(is_origin(text), "{text}");
        }
        for text in [
            "",
            "null",
            "*",
            "://a",
            "https://",
            "https://a/",
            "https://a b",
            "https://a;b",
            "https://a'b",
            "https://a\"b",
            "https://a,b",
            "https://ä",
            "1x://a",
            "https://a\\b",
            "javascript://a\u{2028}b",
            "https://a</script>",
            "https://u@a",
            "https://*.a",
        ] {
            assert!(!is_origin(text), "{text:?}");
        }
    }
}
