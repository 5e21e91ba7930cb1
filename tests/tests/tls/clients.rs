//! `tidings pub` and `tidings sub` over TLS.

use tidings_tests::{Authority, Finished, Program, Server};

/// What a client command makes of a server.
#[track_caller]
fn run(server: &Server, scheme: &str, cacert: Option<&str>, words: &[&str]) -> Finished {
    let url = format!("{scheme}://{}", server.secure_address());
    let mut arguments = [words, &["--url", &url]].concat();
    arguments.extend(cacert.iter().flat_map(|path| ["--cacert", path]));
    Program::start(&arguments, &[]).wait()
}

#[test]
fn the_command_line_speaks_it() {
    let authority = Authority::new();
    let (server, ca) = (Server::secure(&authority, &[]), authority.ca());
    for (scheme, via) in [
        ("https", "sse"),
        ("wss", "ws"),
        ("https", "longpoll"),
        ("https", "poll"),
        ("https", "ndjson"),
    ] {
        let published = run(&server, scheme, Some(&ca), &["pub", "t", via]);
        assert!(published.status.success(), "{published:?}");
        let read = ["sub", "t", "--last", "1", "-n", "1", "--raw", "--via", via];
        let read = run(&server, scheme, Some(&ca), &read);
        assert_eq!(read.printed, [via], "{read:?}");
    }
}

#[test]
fn the_command_line_believes_nobody_else() {
    let authority = Authority::new();
    let (server, stranger) = (Server::secure(&authority, &[]), Authority::new());
    for cacert in [Some(stranger.ca().as_str()), None] {
        for words in [&["pub", "t", "secret", "--retry", "1h"][..], &["sub", "t"]] {
            let refused = run(&server, "https", cacert, words);
            assert_eq!(refused.status.code(), Some(1), "{refused:?}");
            let complained = refused.complained.join("\n");
            assert!(complained.starts_with("error: no trust in https://"), "{complained}");
            assert!(
                !complained.contains("running") && !complained.contains("again"),
                "{complained}"
            );
        }
    }
    assert!(server.get("/t/t?since=start").events().is_empty());
}

#[test]
fn the_command_line_has_no_certificate_to_show() {
    let authority = Authority::new();
    let ca = authority.ca();
    let settings = [("TLS_CLIENT_CA", ca.as_str())];
    let server = Server::secure(&authority, &settings);
    for words in
        [&["pub", "t", "x", "--retry", "1h"][..], &["sub", "t"], &["sub", "t", "--via", "ws"]]
    {
        let refused = run(&server, "https", Some(&ca), words);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        let complained = refused.complained.join("\n");
        assert!(complained.contains("wants a certificate of its client"), "{complained}");
    }
}

#[test]
fn a_file_without_certificates_is_told() {
    let authority = Authority::new();
    let server = Server::secure(&authority, &[]);
    for path in [authority.key().as_str(), "/nowhere/ca.pem"] {
        let refused = run(&server, "https", Some(path), &["pub", "t", "x"]);
        let complained = refused.complained.join("\n");
        assert!(complained.contains(path) && complained.contains("--cacert"), "{complained}");
    }
}
