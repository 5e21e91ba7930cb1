//! The server under test: its own process on its own port, with its own settings.
//! Must never touch a process that it did not start, nor let the tests' environment in.

use std::net::SocketAddr;
use std::process::ExitStatus;
use std::sync::Arc;
use std::thread;

use rustls::ClientConfig;

use crate::http::Response;
use crate::program::Program;
use crate::tls::Authority;
use crate::until;
use crate::volume::Volume;
use crate::wire::Wire;

/// When it is set, every server that a test starts is talked to over TLS, as far as the test leaves
/// it to the server how.
const SECURE_VARIABLE: &str = "TIDINGS_TESTS_TLS";

/// A running server. Killed when dropped.
pub struct Server {
    program: Program,
    address: SocketAddr,
    secure: Option<Secure>,
}

/// How a server is talked to over TLS.
struct Secure {
    address: SocketAddr,
    client: Arc<ClientConfig>,
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
        if std::env::var_os(SECURE_VARIABLE).is_some() {
            let authority = Authority::new();
            let server = Server::secured(through, listen, &authority, &settings);
            return server.over(&authority.client());
        }
        let arguments = ["serve", "--listen", listen];
        let program = Program::start_through(through, &arguments, &settings);
        let address = told(&program, "page ", "http://");
        Server { program, address, secure: None }
    }

    /// A server with a certificate of this authority, which is talked to over TLS.
    #[track_caller]
    pub fn secure(authority: &Authority, settings: &[(&str, &str)]) -> Server {
        let settings: Vec<_> = [("THREADS", "2")].iter().chain(settings).copied().collect();
        Server::secured(&[], "127.0.0.1:0", authority, &settings).over(&authority.client())
    }

    #[track_caller]
    fn secured(
        through: &[&str],
        listen: &str,
        authority: &Authority,
        settings: &[(&str, &str)],
    ) -> Server {
        let (certificate, key) = (authority.certificate(), authority.key());
        let arguments = ["serve", "--listen", listen, "--tls-listen", "127.0.0.1:0"];
        let files = ["--tls-cert", &certificate, "--tls-key", &key];
        let program = Program::start_through(through, &[&arguments[..], &files].concat(), settings);
        let address = told(&program, "page ", "http://");
        Server { program, address, secure: None }
    }

    /// The same server, talked to over TLS by this client.
    #[track_caller]
    pub fn over(mut self, client: &Arc<ClientConfig>) -> Server {
        let address = self.secure_address();
        self.secure = Some(Secure { address, client: Arc::clone(client) });
        self
    }

    /// Where it listens for TLS; it must.
    #[track_caller]
    pub fn secure_address(&self) -> SocketAddr {
        told(&self.program, "over TLS ", "https://")
    }

    /// Tells it to read its certificates again (SIGHUP); does not wait.
    pub fn reload(&self) {
        self.program.signal("HUP");
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for MQTT. Nowhere, unless `settings` have `MQTT_LISTEN`.
    #[track_caller]
    pub fn mqtt(&self) -> SocketAddr {
        // Its line comes behind the one that says that there is a server.
        until("the server prints where it listens for MQTT", || {
            self.program.printed().iter().find_map(|line| {
                let mut words = line.trim().strip_prefix("mqtt ")?.split_whitespace();
                let mut after = |flag| words.by_ref().skip_while(|word| *word != flag).nth(1);
                format!("{}:{}", after("-h")?, after("-p")?).parse().ok()
            })
        })
    }

    /// Where it listens for MQTT over TLS. Nowhere, unless `settings` have `MQTT_TLS_LISTEN`.
    #[track_caller]
    pub fn secure_mqtt(&self) -> SocketAddr {
        until("the server prints its port of MQTT over TLS", || {
            let printed = self.program.printed();
            let line = printed.iter().find(|line| line.contains("--cafile"))?;
            let (_, port) = line.split_once("-p ")?;
            format!("127.0.0.1:{}", port.split_whitespace().next()?).parse().ok()
        })
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
        self.try_wire().unwrap_or_else(|error| panic!("no connection: {error}"))
    }

    /// A new connection to it, with the smallest receive buffer that the system allows.
    #[track_caller]
    pub fn narrow_wire(&self) -> Wire {
        let connected = match &self.secure {
            None => Ok(Wire::connect_narrow(self.address)),
            Some(secure) => Wire::connect_narrow(secure.address).secured(&secure.client),
        };
        connected.unwrap_or_else(|error| panic!("no connection: {error}"))
    }

    /// A new connection to it.
    ///
    /// # Errors
    /// There is no TLS, which was wanted.
    #[track_caller]
    pub fn try_wire(&self) -> std::io::Result<Wire> {
        match &self.secure {
            None => Ok(Wire::connect(self.address)),
            Some(secure) => Wire::connect(secure.address).secured(&secure.client),
        }
    }

    /// Where it is talked to, and how, if over TLS.
    pub(crate) fn way(&self) -> (SocketAddr, Option<&Arc<ClientConfig>>) {
        match &self.secure {
            None => (self.address, None),
            Some(secure) => (secure.address, Some(&secure.client)),
        }
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

    /// Tells it to read again what it can (SIGHUP); does not wait.
    pub fn hang_up(&self) {
        self.program.signal("HUP");
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

/// The address that a server prints behind `name`.
#[track_caller]
fn told(program: &Program, name: &str, scheme: &str) -> SocketAddr {
    until("the server prints its address", || {
        let printed = program.printed();
        let address = printed.iter().find_map(|line| {
            let url = line.split_once(name)?.1.trim();
            url.strip_prefix(scheme)?.strip_suffix('/')?.parse().ok()
        });
        assert!(address.is_some() || !program.has_ended(), "no server: {program:?}");
        address
    })
}
