//! Every error, in full, as its reader sees it.

use std::ffi::OsString;

use super::{flag, from_env, from_file, load};

/// The full text a mistake in the file gives.
#[track_caller]
pub(super) fn check_file(text: &str, error: &str) {
    assert_eq!(from_file(text).unwrap_err(), error, "{text}");
}

#[test]
fn errors_in_values() {
    for (text, error) in [
        (
            "listen = \"localhost:8080\"",
            "tidings.toml:1: listen = \"localhost:8080\": not an IP address with a port; \
             use one such as \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::]:8080\"",
        ),
        (
            "listen = 8080",
            "tidings.toml:1: listen = 8080: not an IP address with a port; \
             use one such as \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::]:8080\"",
        ),
        (
            "data = \"\"",
            "tidings.toml:1: data = \"\": empty; use the path of a directory, or \"none\"",
        ),
        (
            "threads = -1",
            "tidings.toml:1: threads = -1: not a whole number; use a whole number from 0 to 1024",
        ),
        (
            "# cores\n\nthreads = 1.5",
            "tidings.toml:3: threads = 1.5: not a whole number; \
             use a whole number from 0 to 1024",
        ),
        (
            "threads = 0xffff",
            "tidings.toml:1: threads = 0xffff: too large; use a whole number from 0 to 1024",
        ),
        (
            "[limits]\nmessage_bytes = \"2GiB\"",
            "tidings.toml:2: limits.message_bytes = \"2GiB\": too large; \
             use a size from 1B to 64MiB, such as \"1MiB\"",
        ),
        (
            "limits.message_bytes = 0",
            "tidings.toml:1: limits.message_bytes = 0: too small; \
             use a size from 1B to 64MiB, such as \"1MiB\"",
        ),
        (
            "limits.message_bytes = \"64M\"",
            "tidings.toml:1: limits.message_bytes = \"64M\": not a size; \
             use a size from 1B to 64MiB, such as \"1MiB\"",
        ),
        (
            "[times]\nheartbeat = \"2h\"",
            "tidings.toml:2: times.heartbeat = \"2h\": too long; \
             use a span from 1s to 1h, such as \"15s\"",
        ),
        (
            "[times]\nheartbeat = 0",
            "tidings.toml:2: times.heartbeat = 0: too short; \
             use a span from 1s to 1h, such as \"15s\"",
        ),
        (
            "[times]\nheartbeat = \"soon\\n\"",
            "tidings.toml:2: times.heartbeat = \"soon\\n\": not a span; \
             use a span from 1s to 1h, such as \"15s\"",
        ),
        (
            "[logging]\nlevel = \"verbose\"",
            "tidings.toml:2: logging.level = \"verbose\": unknown; \
             use \"off\", \"error\", \"warn\", \"info\", \"debug\" or \"trace\"",
        ),
        (
            "[logging]\nformat = 1979-05-27",
            "tidings.toml:2: logging.format = 1979-05-27: unknown; use \"text\" or \"json\"",
        ),
        (
            "[http]\nallowed_origins = \"https://a.example/chat\"",
            "tidings.toml:2: http.allowed_origins = \"https://a.example/chat\": \
             \"https://a.example/chat\" is not an origin (scheme://host[:port]); \
             use origins such as [\"https://app.example.com\"], or [\"*\"] for all",
        ),
        (
            "[http]\nallowed_origins = [\"https://a.example\", 7]",
            "tidings.toml:2: http.allowed_origins = [\"https://a.example\", 7]: \
             not a list of texts; \
             use origins such as [\"https://app.example.com\"], or [\"*\"] for all",
        ),
    ] {
        check_file(text, error);
    }
    let long = format!("listen = \"{}\"", "x".repeat(500));
    let error = from_file(long).unwrap_err();
    assert!(error.starts_with(&format!("tidings.toml:1: listen = \"{}…: not", "x".repeat(59))));
}

#[test]
fn errors_in_keys() {
    for (text, error) in [
        (
            "[limits]\nmesage_bytes = \"2MiB\"",
            "tidings.toml:2: limits.mesage_bytes = \"2MiB\": there is no such key; \
             did you mean limits.message_bytes?",
        ),
        (
            "heartbeat = \"20s\"",
            "tidings.toml:1: heartbeat = \"20s\": there is no such key; \
             did you mean times.heartbeat?",
        ),
        (
            "colour = [1, [2, 3], {a = 1}]",
            "tidings.toml:1: colour = [1, [2, 3], {…}]: there is no such key; \
             `tidings config` prints all keys",
        ),
        (
            "times = 5",
            "tidings.toml:1: times = 5: there is no such key; \
             it is a section: write its keys below [times], such as times.heartbeat",
        ),
        (
            "[listen]\nport = 1",
            "tidings.toml:1: listen = {…}: one value, not a section; \
             use one such as \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::]:8080\"",
        ),
        (
            "[a.b.c.d.e.f]\ng = 1",
            "tidings.toml:1: a.b.c.d = {…}: there is no such key; \
             `tidings config` prints all keys",
        ),
        (
            "listen = ",
            "tidings.toml:1: not valid TOML: string values must be quoted, \
             expected literal string; `tidings config` prints an example",
        ),
        (
            "threads = 1\nthreads = 2",
            "tidings.toml:2: not valid TOML: duplicate key; `tidings config` prints an example",
        ),
    ] {
        check_file(text, error);
    }
}

#[test]
fn errors_between_two_keys() {
    check_file(
        "[limits]\nbatch_bytes = \"1KiB\"",
        "tidings.toml:2: limits.batch_bytes = \"1KiB\": less than limits.message_bytes (1MiB); \
         set limits.batch_bytes to at least \"1MiB\"",
    );
    check_file(
        "[limits]\nmessage_bytes = \"32MiB\"",
        "tidings.toml:2: limits.message_bytes = \"32MiB\": more than limits.batch_bytes (16MiB); \
         set limits.batch_bytes to at least \"32MiB\"",
    );
    check_file(
        "[limits]\nmemory = \"1MiB\"",
        "tidings.toml:2: limits.memory = \"1MiB\": less than limits.batch_bytes (16MiB); \
         set limits.memory to at least \"16MiB\"",
    );
    // A mistake hides comparisons with it.
    assert_eq!(
        from_file("limits.memory = \"1MiB\"\nthreads = true").unwrap_err().lines().count(),
        1
    );
}

#[cfg(unix)] // the system's own words
#[test]
fn errors_in_the_file_itself() {
    let missing = load(Some("/nowhere/tidings.toml".as_ref()), std::iter::empty(), Vec::new());
    assert_eq!(
        missing.unwrap_err().to_string(),
        "/nowhere/tidings.toml: cannot be read: No such file or directory (os error 2); \
         give --config the path of a TOML file"
    );
    for (bytes, why) in
        [(vec![0xff; 10], "it is not UTF-8"), (vec![b'#'; (1 << 20) + 1], "it is larger than 1MiB")]
    {
        let error =
            format!("tidings.toml: cannot be read: {why}; give --config the path of a TOML file");
        assert_eq!(from_file(bytes).unwrap_err(), error);
    }
}

#[test]
fn errors_in_environment_and_flags() {
    for (name, value, error) in [
        (
            "TIDINGS_LIMITS_MESSAGE_BYTES",
            "lots",
            "environment variable TIDINGS_LIMITS_MESSAGE_BYTES: limits.message_bytes = \"lots\": \
             not a size; use a size from 1B to 64MiB, such as \"1MiB\"",
        ),
        (
            "TIDINGS_NAMESPACE",
            "[{match = \"a\", durability = \"tape\"}]",
            "environment variable TIDINGS_NAMESPACE: namespace 1: durability = \"tape\": unknown; \
             use \"auto\", \"fsync\", \"os\" or \"volatile\"",
        ),
        (
            "TIDINGS_NAMESPACE",
            "chat/**",
            "environment variable TIDINGS_NAMESPACE: not valid TOML: string values must be \
             quoted, expected literal string; `tidings config` prints an example",
        ),
        (
            "TIDINGS_NAMESPACE",
            "[1]",
            "environment variable TIDINGS_NAMESPACE: namespace = [1]: not an array of tables; \
             use [[namespace]] in a file, [{ match = \"chat/**\" }] elsewhere",
        ),
    ] {
        assert_eq!(from_env(&[(name, value)]).unwrap_err(), error);
    }
    let flags = vec![flag("--listen", "listen", ":80")];
    assert_eq!(
        load(None, std::iter::empty(), flags).unwrap_err().to_string(),
        "flag --listen: listen = \":80\": not an IP address with a port; \
         use one such as \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::]:8080\""
    );
}

#[cfg(unix)]
#[test]
fn environment_that_is_not_unicode() {
    use std::os::unix::ffi::OsStringExt;
    let variable = ("TIDINGS_DATA".into(), OsString::from_vec(vec![0xff]));
    assert_eq!(
        load(None, [variable].into_iter(), Vec::new()).unwrap_err().to_string(),
        "environment variable TIDINGS_DATA: not valid UTF-8; \
         write it again without special characters"
    );
}

#[test]
fn all_mistakes_are_told_in_order() {
    assert_eq!(
        from_file("threads = 9999\nlisten = 1\n[times]\ndrain = \"x\"").unwrap_err(),
        "tidings.toml:1: threads = 9999: too large; use a whole number from 0 to 1024\n\
         tidings.toml:2: listen = 1: not an IP address with a port; \
         use one such as \"127.0.0.1:8080\", \"0.0.0.0:8080\" or \"[::]:8080\"\n\
         tidings.toml:4: times.drain = \"x\": not a span; \
         use a span from 0s to 1h, such as \"10s\""
    );
}
