//! The server under test: its own process on its own port, with its own settings.
//! Must never touch a process that it did not start, nor let the tests' environment in.

use std::net::SocketAddr;
use std::process::ExitStatus;
use std::thread;

use crate::http::Response;
use crate::program::Program;
use crate::until;
use crate::volume::Volume;
use crate::wire::Wire;

/// A running server. Killed when dropped.
pub struct Server {
    program: Program,
    address: SocketAddr,
}

impl Server {
    /// A server with nothing but defaults, but for its messages, which are kept in memory.
    #[track_caller]
    pub fn start() -> Server {
        Server::with(&[])
    }

    /// A server with these settings: keys of the configuration as environment variables without
    /// their prefix, such as `("TIMES_HEARTBEAT", "1s")`.
    ///
    /// It serves on two threads unless `settings` has `THREADS`, so that readers and publishers
    /// meet across threads on every machine.
    #[track_caller]
    pub fn with(settings: &[(&str, &str)]) -> Server {
        Server::on("127.0.0.1:0", settings)
    }

    /// [`with`](Server::with) on an address of its own, on which another may have been before.
    #[track_caller]
    pub fn on(listen: &str, settings: &[(&str, &str)]) -> Server {
        Server::start_through(&[], listen, settings)
    }

    /// [`with`](Server::with) in a file system of the test's own.
    #[track_caller]
    pub fn within(volume: &Volume, settings: &[(&str, &str)]) -> Server {
        Server::start_through(&volume.entrance(), "127.0.0.1:0", settings)
    }

    #[track_caller]
    fn start_through(through: &[&str], listen: &str, settings: &[(&str, &str)]) -> Server {
        let settings: Vec<_> = [("THREADS", "2")].iter().chain(settings).copied().collect();
        let arguments = ["serve", "--listen", listen];
        let program = Program::start_through(through, &arguments, &settings);
        let address = until("the server prints its address", || {
            let printed = program.printed();
            let address = printed.iter().find_map(|line| {
                let url = line.split_once("page ")?.1.trim();
                url.strip_prefix("http://")?.strip_suffix('/')?.parse().ok()
            });
            assert!(address.is_some() || !program.has_ended(), "no server: {program:?}");
            address
        });
        Server { program, address }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its URL, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it printed to standard output so far, line by line.
    pub fn printed(&self) -> Vec<String> {
        self.program.printed()
    }

    /// A new connection to it.
    #[track_caller]
    pub fn wire(&self) -> Wire {
        Wire::connect(self.address)
    }

    /// One request on a connection of its own.
    #[track_caller]
    pub fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        self.wire().ask(method, target, headers, body)
    }

    /// One GET without further headers.
    #[track_caller]
    pub fn get(&self, target: &str) -> Response {
        self.ask("GET", target, &[], b"")
    }

    /// One POST; whatever it is answered.
    #[track_caller]
    pub fn post(&self, topic: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Response {
        self.ask("POST", &format!("/t/{topic}"), headers, body.as_ref())
    }

    /// Publishes one message and gives its position.
    #[track_caller]
    pub fn publish(&self, topic: &str, body: impl AsRef<[u8]>) -> String {
        let response = self.post(topic, &[], body);
        assert_eq!(response.status, 201, "{response:?}");
        response.position()
    }

    /// Publishes the numbers of `range`, each as a message, in one batch; gives the last position.
    #[track_caller]
    pub fn publish_numbers(&self, topic: &str, range: std::ops::Range<u32>) -> String {
        let lines: String = range.map(|number| format!("{number}\n")).collect();
        let response = self.post(topic, &[("Content-Type", "application/x-ndjson")], lines);
        assert_eq!(response.status, 201, "{response:?}");
        response.position()
    }

    /// How many connections it has, the asking one not counted.
    #[track_caller]
    pub fn connections(&self) -> u64 {
        let health = self.get("/healthz").json();
        health["connections"].as_u64().unwrap_or_else(|| panic!("no connections in {health}")) - 1
    }

    /// Waits until it has that many connections.
    #[track_caller]
    pub fn await_connections(&self, count: u64) {
        until(&format!("there are {count} connections"), || {
            (self.connections() == count).then_some(())
        });
    }

    /// Tells it to end (SIGTERM); does not wait.
    pub fn terminate(&self) {
        self.program.signal("TERM");
    }

    /// Kills it without a word of warning (SIGKILL), and waits until it is gone.
    #[track_caller]
    pub fn kill(&mut self) {
        self.program.kill();
    }

    /// What it printed to standard error so far, line by line.
    pub fn complained(&self) -> Vec<String> {
        self.program.complained()
    }

    /// Waits until it has ended by itself, and says how.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        self.program.wait().status
    }

    /// Whether its process has ended.
    pub fn has_ended(&self) -> bool {
        self.program.has_ended()
    }
}

/// Whatever a test is about, the server never panics: a thread that does takes others' connections
/// with it, which a test may not notice.
impl Drop for Server {
    fn drop(&mut self) {
        if !thread::panicking() {
            let complained = self.program.complained();
            let panicked = complained.iter().any(|line| line.contains("panicked at"));
            assert!(!panicked, "the server panicked: {complained:#?}");
        }
    }
}
