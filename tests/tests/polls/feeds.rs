//! Feeds: who gets one, what its head says, and what publishers cannot put into it.
//! Whether every document is well-formed XML is for real parsers to say, in the end-to-end tests.

use tidings_tests::{Response, Server};

const ATOM: &str = "application/atom+xml; charset=utf-8";
const RSS: &str = "application/rss+xml; charset=utf-8";

fn accepting(server: &Server, target: &str, accept: &str) -> Response {
    server.ask("GET", target, &[("Accept", accept)], b"")
}

/// What stands between all `<name>` and `</name>`.
fn all<'a>(xml: &'a str, name: &str) -> Vec<&'a str> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open).skip(1).filter_map(|rest| Some(rest.split_once(&close)?.0)).collect()
}

#[test]
fn only_whoever_asks_for_a_feed_gets_one() {
    let server = Server::start();
    for (accept, expected) in [
        ("application/atom+xml", ATOM),
        ("application/rss+xml", RSS),
        ("application/rss+xml;q=0.5, application/atom+xml;q=0.4", RSS),
        ("application/rss+xml, application/atom+xml;q=0.9, application/xml;q=0.8, */*;q=0.1", RSS),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        // Browsers, now and twenty years ago.
        (
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "text/html; charset=utf-8",
        ),
        (
            "text/xml,application/xml,application/xhtml+xml,text/html;q=0.9,*/*;q=0.5",
            "text/html; charset=utf-8",
        ),
    ] {
        let response = accepting(&server, "/t/a", accept);
        assert_eq!(response.header("content-type"), Some(expected), "{accept}");
    }
    for (target, expected) in [("/t/a?via=feed", ATOM), ("/t/a?via=rss&wait=30", RSS)] {
        assert_eq!(server.get(target).header("content-type"), Some(expected), "{target}");
    }
}

#[test]
fn entries_are_events_the_newest_first() {
    let server = Server::start();
    for text in ["one", "two", "three"] {
        server.publish("a", text);
    }
    let response = server.get("/t/a?via=feed");
    assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(all(response.text(), "title"), ["a", "three", "two", "one"]);
    assert_eq!(all(server.get("/t/a?via=feed&last=1").text(), "title"), ["a", "three"]);
    let position = server.get("/t/a?last=2").events()[0]["position"].as_str().unwrap().to_owned();
    let after = server.get(&format!("/t/a?via=rss&since={position}"));
    assert_eq!(all(after.text(), "title"), ["a", "three"]);
}

#[test]
fn ids_survive_a_restart_with_the_messages() {
    let folder = tidings_tests::Folder::new();
    let data = folder.path().join("data");
    let settings = [("DATA", data.to_str().unwrap())];
    let ids = |server: &Server| {
        let response = server.get("/t/a?via=feed");
        all(response.text(), "id").into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let mut server = Server::with(&settings);
    server.publish("a", "one");
    let before = ids(&server);
    assert_eq!(before.len(), 2);
    server.terminate();
    server.wait();
    let server = Server::with(&settings);
    assert_eq!(ids(&server), before);
    server.publish("a", "two");
    assert_eq!(ids(&server)[2], before[1]);
}

#[test]
fn conditions_spare_what_is_known() {
    let server = Server::start();
    server.publish("a", "one");
    let (response, date) = tidings_tests::until("the newest event's second is over", || {
        let response = server.get("/t/a?via=rss");
        let date = response.header("last-modified").map(str::to_owned)?;
        Some((response, date))
    });
    let tag = response.header("etag").unwrap();
    for (headers, status) in [
        (&[("If-Modified-Since", date.as_str())][..], 304),
        (&[("If-None-Match", tag)], 304),
        (&[("If-None-Match", "\"other\""), ("If-Modified-Since", &date)], 200),
        (&[("If-Modified-Since", "Thu, 01 Jan 1970 00:00:00 GMT")], 200),
        (&[("If-Modified-Since", "Fri, 31 Dec 9999 23:59:59 GMT")], 200),
        (&[("If-Modified-Since", "\u{e4}\t99999999999999999999")], 200),
    ] {
        let answer = server.ask("GET", "/t/a?via=rss", headers, b"");
        assert_eq!(answer.status, status, "{headers:?}");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    server.publish("a", "two");
    let again = server.ask("GET", "/t/a?via=rss", &[("If-Modified-Since", &date)], b"");
    assert_eq!(again.status, 200);
}

#[test]
fn a_feed_is_nobodys_and_never_raw() {
    let server = Server::with(&[("NAMESPACE", "[{match = \"secret/**\", subscribe = false}]")]);
    server.get("/t/a?via=feed&session=me").expect_problem(400, "bad_query");
    server.get("/t/a?via=rss&data=raw").expect_problem(400, "bad_query");
    server.get("/t/a//b?via=feed").expect_problem(400, "bad_topic");
    server.get("/t/secret/a?via=feed").expect_problem(403, "forbidden");
    server.publish("secret/a", "hidden");
    assert!(!server.get("/t/**?via=feed").text().contains("hidden"));
}

#[test]
fn names_types_and_payloads_cannot_break_out() {
    let server = Server::start();
    let topic = "%3C%2Ftitle%3E%22'%26]]%3E";
    let headers = [("Content-Type", "\"/><script>/x"), ("Tidings-Type", "\"/><script>")];
    server.post(topic, &headers, b"\xff\x00");
    server.post(topic, &[("Content-Type", "text/html")], "]]></content><script>\0\x0b\x1f");
    for via in ["feed", "rss"] {
        let response = server.get(&format!("/t/{topic}?via={via}"));
        let xml = response.text();
        for forbidden in ["<script", "]]>", "\0", "\x0b", "\x1f"] {
            assert!(!xml.contains(forbidden), "{forbidden:?} in {xml}");
        }
        assert!(xml.contains("&lt;/title&gt;&quot;&#39;&amp;]]&gt;"), "{xml}");
    }
    // Nor can a request.
    let poison = server.get("/t/a%0d%0ax?via=feed");
    poison.expect_problem(400, "bad_topic");
    assert_eq!(server.get("/t/a?via=feed&last=%0d%0aX:y").header("x"), None);
}

#[test]
fn a_feed_is_bounded_whatever_is_asked() {
    let server = Server::with(&[("LIMITS_MESSAGE_BYTES", "3MiB")]);
    let large = "x".repeat(3 << 20);
    for _ in 0..5 {
        server.publish("a", &large);
    }
    let response = server.get("/t/a?via=feed&last=1000");
    let entries = all(response.text(), "published").len();
    assert!((1..=4).contains(&entries), "{entries} entries of 3 MiB");
    server.get("/t/a?via=feed&last=1001").expect_problem(400, "bad_query");
    // A title is never the whole of it.
    let titles = all(response.text(), "title");
    assert!(titles.iter().all(|title| title.len() <= 83), "{}", titles[1].len());
}

/// Readers find the hub by the head or by the document, and the name under which the hub knows the feed (WebSub section 4).
#[test]
fn a_feed_names_itself_and_its_hub_when_the_operator_has() {
    let [url, hub] = [
        ("HTTP_PUBLIC_URL", "https://push.example.com/live"),
        ("HTTP_WEBSUB_HUB", "https://hub.example.com/push/"),
    ];
    let server = Server::with(&[url, hub]);
    for (via, prefix) in [("feed", ""), ("rss", "atom:")] {
        for (target, own) in
            [("/t/a/b%20c?", "/t/a/b%20c?"), ("/t?topic=a&topic=b&", "/t?topic=a&topic=b&")]
        {
            let response = server.get(&format!("{target}last=3&via={via}"));
            let own = format!("https://push.example.com/live{own}via={via}");
            let links = format!("<{own}>; rel=\"self\", <{}>; rel=\"hub\"", hub.1);
            assert_eq!(response.header("link"), Some(links.as_str()));
            let own = own.replace('&', "&amp;");
            for (relation, url) in
                [("self", own.as_str()), ("hub", "https://hub.example.com/push/")]
            {
                let link = format!("<{prefix}link rel=\"{relation}\" href=\"{url}\"/>\n");
                assert!(response.text().contains(&link), "{link} in {}", response.text());
            }
        }
    }
    // A hub knows a feed by a whole URL, so without one there is nothing to say.
    for settings in [&[hub][..], &[]] {
        let response = Server::with(settings).get("/t/a?via=feed");
        assert_eq!(response.header("link"), None);
        assert!(
            !response.text().contains("rel=\"hub\"") && !response.text().contains("rel=\"self\"")
        );
    }
    let response = Server::with(&[url]).get("/t/a?via=feed");
    assert_eq!(
        response.header("link"),
        Some("<https://push.example.com/live/t/a?via=feed>; rel=\"self\"")
    );
}
