//! Errors in `[[namespace]]` tables, in full.

use super::errors::check_file;
use super::from_file;

#[test]
fn errors_in_namespaces() {
    for (text, error) in [
        (
            "[[namespace]]\nmatch = \"a\"\n[[namespace]]\nmatch = \"b\"\nmax_age = \"long\"",
            "tidings.toml:5: namespace 2: max_age = \"long\": not a span; \
             use a span from 1s to 3650d, such as \"24h\"",
        ),
        (
            "[[namespace]]\nmatch = \"a//b\"",
            "tidings.toml:2: namespace 1: match = \"a//b\": the topic has an empty level \
             (a `/` at an end, or two in a row); use a topic filter, such as \"chat/**\"",
        ),
        (
            "[[namespace]]\nmatch = 7",
            "tidings.toml:2: namespace 1: match = 7: not a text; \
             use a topic filter, such as \"chat/**\"",
        ),
        (
            "[[namespace]]\nmax_messages = 7",
            "tidings.toml:1: namespace 1: match is missing; \
             add a topic filter, such as match = \"chat/**\"",
        ),
        (
            "[[namespace]]\nmatch = \"a/**\"\n\n[[namespace]]\nmatch = \"a/b\"",
            "tidings.toml:5: namespace 2: match = \"a/b\": namespace 1 (a/**) matches all of that \
             already, and the first match wins; move this one before it, or remove it",
        ),
        (
            "[[namespace]]\nmatch = \"a\"\nmaxage = \"1h\"",
            "tidings.toml:3: namespace 1: maxage = \"1h\": there is no such key; \
             did you mean max_age?",
        ),
        (
            "[[namespace]]\nmatch = \"a\"\ncolour = 1",
            "tidings.toml:3: namespace 1: colour = 1: there is no such key; a namespace has \
             durability, max_messages, max_bytes, max_age, retain, publish, subscribe, jsonp, \
             cache, match",
        ),
        (
            "[[namespace]]\nmatch = \"a\"\npublish = \"no\"",
            "tidings.toml:3: namespace 1: publish = \"no\": neither true nor false; \
             use true or false",
        ),
        (
            "data = \"none\"\n[[namespace]]\nmatch = \"a\"\ndurability = \"fsync\"",
            "tidings.toml:4: namespace 1: durability = \"fsync\": data is \"none\", so there is no \
             directory to keep it in; name a directory with data or --data, or leave them out",
        ),
        (
            "[namespace]\nmatch = \"a\"",
            "tidings.toml:1: namespace = {…}: not an array of tables; \
             use [[namespace]] in a file, [{ match = \"chat/**\" }] elsewhere",
        ),
    ] {
        check_file(text, error);
    }
    let many = (0..1001).map(|n| format!("[[namespace]]\nmatch = \"a{n}\"\n"));
    let error = from_file(many.collect::<String>()).unwrap_err();
    assert_eq!(
        error,
        "tidings.toml:2001: namespace 1001: there are more than 1000; \
         join some with wildcards, such as match = \"chat/**\""
    );
}
