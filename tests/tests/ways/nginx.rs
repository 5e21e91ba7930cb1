//! Behind a real nginx: with nothing but its defaults, and with the configuration that the guide
//! gives. Must never touch an nginx that it did not start.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use flate2::write::GzDecoder;
use tidings_tests::{Folder, Parts, Server, Stream, Wire, handshake, request, until};

/// The configuration of the guide.
const GUIDE: &str = include_str!("../../../docs/guide/nginx.conf");

/// Nothing but where to find the server.
const DEFAULTS: &str = "server { listen 80; location / { proxy_pass http://127.0.0.1:8080; } }";

/// Where Debian puts it, which is not on everybody's path.
const DEBIAN: &str = "/usr/sbin/nginx";

/// The ways that are streams.
const STREAMS: [&str; 5] = ["sse", "ndjson", "xhr", "iframe", "multipart"];

/// An nginx in front of a server. Killed when dropped.
struct Nginx {
    child: Child,
    address: SocketAddr,
    _folder: Folder,
}

impl Nginx {
    /// With these server blocks, which name port 80 of their own and port 8080 of Tidings.
    #[track_caller]
    fn start(server: &Server, blocks: &str) -> Nginx {
        // Somebody may take the port between here and nginx; then there is another.
        until("nginx has a port", || {
            let free = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr());
            Nginx::start_on(free.unwrap_or_else(|error| panic!("{error}")), server, blocks)
        })
    }

    fn start_on(address: SocketAddr, server: &Server, blocks: &str) -> Option<Nginx> {
        let folder = Folder::new();
        let blocks = blocks.replace("listen 80;", &format!("listen {address};"));
        let blocks = blocks.replace("127.0.0.1:8080", &server.address().to_string());
        let configuration = folder.path().join("nginx.conf");
        let text = configured(folder.path(), &blocks);
        std::fs::write(&configuration, text).unwrap_or_else(|error| panic!("{error}"));
        let program = std::env::var_os("NGINX").map_or_else(found, PathBuf::from);
        let mut command = Command::new(&program);
        command.arg("-p").arg(folder.path()).arg("-c").arg(&configuration);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("{program:?}: {error}"));
        let mut nginx = Nginx { child, address, _folder: folder };
        until("nginx listens or is gone", || {
            let gone = nginx.child.try_wait().is_ok_and(|status| status.is_some());
            let listens = std::net::TcpStream::connect(address).is_ok();
            (gone || listens).then_some(!gone)
        })
        .then_some(nginx)
    }

    #[track_caller]
    fn wire(&self) -> Wire {
        Wire::connect(self.address)
    }

    #[track_caller]
    fn open(&self, target: &str, headers: &[(&str, &str)]) -> Stream {
        let mut wire = self.wire();
        wire.send(request("GET", target, headers, b""));
        Stream::begin(wire)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Fails only when it is gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// nginx as Debian configures it, as far as that matters to what it passes on, in one process and
/// with all its files in one folder.
fn configured(folder: &Path, blocks: &str) -> String {
    let folder = folder.display();
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
        .concat();
    format!(
        "daemon off; master_process off; pid {folder}/pid; error_log stderr crit;\n\
         events {{ worker_connections 64; }}\n\
         http {{ access_log off; gzip on;\n{temporary}{blocks}\n}}\n"
    )
}

fn found() -> PathBuf {
    let on_path = std::env::var_os("PATH").and_then(|path| {
        std::env::split_paths(&path).map(|folder| folder.join("nginx")).find(|file| file.is_file())
    });
    on_path.unwrap_or_else(|| DEBIAN.into())
}

/// Publishes while a stream is open, and sees that it comes though the stream goes on.
#[track_caller]
fn expect_prompt(server: &Server, nginx: &Nginx, via: &str) {
    let topic = format!("{via}/{}", nginx.address.port());
    let mut stream = nginx.open(&format!("/t/{topic}?via={via}"), &[]);
    assert_eq!(stream.head.header("x-accel-buffering"), None, "that was for nginx");
    if via == "multipart" {
        let mut parts = Parts::begin(stream);
        for data in ["first", "second"] {
            server.publish(&topic, data);
            assert_eq!(parts.part().1, data.as_bytes());
        }
        return;
    }
    while stream.line().is_some_and(|line| !line.contains("ready")) {}
    for data in ["first", "second"] {
        server.publish(&topic, data);
        while stream.line().is_some_and(|line| !line.contains(data)) {}
    }
}

#[test]
fn its_defaults_hold_no_stream_back() {
    let server = Server::start();
    for blocks in [DEFAULTS, GUIDE] {
        let nginx = Nginx::start(&server, blocks);
        for via in STREAMS {
            expect_prompt(&server, &nginx, via);
        }
    }
}

#[test]
fn its_defaults_hold_no_pushlet_back() {
    let server = Server::start();
    let nginx = Nginx::start(&server, DEFAULTS);
    for (format, mark) in [("js", "'n', \""), ("xml", "n=\"")] {
        let query = format!("p_event=join-listen&p_format={format}&p_subject=/{format}");
        let mut stream = nginx.open(&format!("/pushlet/pushlet.srv?{query}"), &[]);
        let mut heard = String::new();
        let mut hear = |text: &str| {
            until(&format!("{text} comes"), || {
                heard.push_str(&String::from_utf8_lossy(&stream.more()?));
                heard.contains(text).then_some(())
            });
        };
        hear("join-listen-ack");
        for number in 0..2 {
            let json = [("Content-Type", "application/json")];
            server.post(format, &json, format!("{{\"n\":{number}}}"));
            hear(&format!("{mark}{number}\""));
        }
    }
}

/// Debian's configuration compresses pages, and so the iframe's.
#[test]
fn what_it_compresses_comes_at_once_too() {
    let server = Server::start();
    let nginx = Nginx::start(&server, DEFAULTS);
    let mut stream = nginx.open("/t/a?via=iframe", &[("Accept-Encoding", "gzip")]);
    assert_eq!(stream.head.header("content-encoding"), Some("gzip"), "{:?}", stream.head);
    let mut decoder = GzDecoder::new(Vec::new());
    let mut read_to = |text: &str| {
        until(&format!("{text} comes"), || {
            decoder.write_all(&stream.more()?).unwrap_or_else(|error| panic!("{error}"));
            decoder.flush().unwrap_or_else(|error| panic!("{error}"));
            String::from_utf8_lossy(decoder.get_ref()).contains(text).then_some(())
        });
    };
    read_to("ready");
    for data in ["first", "second"] {
        server.publish("a", data);
        read_to(data);
    }
}

/// It gives up an answer that is silent for 60 seconds, four times as long as a stream ever is; so
/// here, in seconds.
#[test]
fn a_silent_stream_outlives_its_patience() {
    let server = Server::with(&[("TIMES_HEARTBEAT", "1s")]);
    let impatient = DEFAULTS.replace("location", "proxy_read_timeout 4s; location");
    let nginx = Nginx::start(&server, &impatient);
    let [mut sse, mut multipart] =
        ["sse", "multipart"].map(|via| nginx.open(&format!("/t/a?via={via}"), &[]));
    for _ in 0..6 {
        while sse.line().is_some_and(|line| line != "event: heartbeat") {}
        while multipart.line().is_some_and(|line| line.trim_end() != "Tidings-Heartbeat:") {}
    }
    server.publish("a", "still here");
    while sse.line().is_some_and(|line| !line.contains("still here")) {}
    while multipart.line().is_some_and(|line| !line.contains("still here")) {}
}

#[test]
fn a_held_poll_is_answered_through_it() {
    let server = Server::start();
    let nginx = Nginx::start(&server, DEFAULTS);
    let since = server.publish("a", "0");
    let mut wire = nginx.wire();
    wire.send(request("GET", &format!("/t/a?wait=20&since={since}"), &[], b""));
    // The asking connection is not counted; the held one is nginx's.
    server.await_connections(1);
    server.publish("a", "1");
    assert_eq!(wire.response("GET").data(), ["1"]);
}

/// The proxy tells the server its own name for it, and so pages of the proxy's are strangers, unless
/// it is told to pass on the name that the page knows.
#[test]
fn its_pages_are_known_when_it_passes_the_host_on() {
    let server = Server::start();
    let ask = |nginx: &Nginx| {
        let host = nginx.address.to_string();
        let origin = format!("http://{host}");
        let headers = [("Host", host.as_str()), ("Origin", origin.as_str())];
        nginx.wire().ask("GET", "/t/a", &headers, b"")
    };
    ask(&Nginx::start(&server, DEFAULTS)).expect_problem(403, "forbidden_origin");
    let nginx = Nginx::start(&server, GUIDE);
    assert_eq!(ask(&nginx).status, 200);
    // So is the page around an iframe.
    let origin = format!("http://{}", nginx.address);
    let headers = [("Host", origin.trim_start_matches("http://"))];
    let target = format!("/t/a?via=iframe&origin={origin}");
    assert!(nginx.open(&target, &headers).head.header("content-security-policy").is_some());
}

#[test]
fn a_websocket_goes_through_when_it_passes_the_upgrade_on() {
    let server = Server::start();
    let shake = |nginx: &Nginx| {
        let mut wire = nginx.wire();
        wire.send(handshake("/t/a", &[]));
        wire.head().status
    };
    // Without, it is a request like any other, and gets what anybody gets.
    assert_eq!(shake(&Nginx::start(&server, DEFAULTS)), 200);
    assert_eq!(shake(&Nginx::start(&server, GUIDE)), 101);
}
