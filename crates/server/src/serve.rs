//! `tidings serve`: builds the house from its configuration and runs it until it is told to stop.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use tidings_broker::{Broker, Limits, Logs, Namespaces, SessionLimits};
use tidings_host::Registry;
use tidings_log::{Log, MemoryLimits, MemoryLog};
use tidings_model::{LogKind, PerLog, Time};
use tidings_net::{Carries, Clock, Listener, Options, Server, ServerError, Stats, start_loaders};
use tidings_protocol::{Random, Settings};

use crate::access::{self, Guard, Hangups};
use crate::cli::ServeArgs;
use crate::config::{Config, LogFormat};
use crate::data;
use crate::ports;
use crate::rules::{namespaces, policy};
use crate::site::site;
use crate::system::{self, System};
use crate::tls;
use crate::transports::TRANSPORTS;

/// How often ages are looked at.
const TICK: Duration = Duration::from_secs(1);

/// Runs the server. Returns when it was told to stop, or could not start.
pub(crate) fn run(args: &ServeArgs) -> ExitCode {
    let loaded = match args.load() {
        Ok(loaded) => loaded,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(2);
        }
    };
    start_logging(&loaded.config);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let guard = match access::guard(&loaded.config) {
        Ok(guard) => guard,
        Err(errors) => {
            eprintln!("{errors}");
            return ExitCode::from(2);
        }
    };
    match serve(&loaded.config, guard.as_ref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(config: &Config, guard: Option<&Guard>) -> anyhow::Result<()> {
    let clock = Clock::start();
    let tls = tls::load(config)?;
    let broker = broker(config, clock.now())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (stats, ready) = (Arc::new(Stats::default()), Arc::new(AtomicBool::new(true)));
        let site = site(Arc::clone(&stats), Arc::clone(&ready));
        let said = Arc::clone(&stats);
        let gate = guard.map(Guard::gate).transpose().context("cannot start a thread")?;
        let registry = Registry::new(TRANSPORTS, settings(config, guard)?);
        let registry = registry.behind(gate.unwrap_or_default());
        let listeners = ports::listeners(config, tls.as_ref());
        let options = options(config, listeners.clone());
        let server = Server::start(&broker, &registry, options, &site, clock, stats)
            .map_err(|error| explain(error, &listeners))?;
        // Before anything is printed: whoever waits for the line may send a signal at once.
        let (signals, hangups) = (Signals::listen()?, Hangups::listen(guard)?);
        let reloading = tls::reloading(tls)?;
        greet(&listeners, server.addresses(), config);
        let ticking = async {
            let mut system = System::new(clock.now());
            loop {
                let now = clock.now();
                system.say(&broker, &said, now);
                let due = broker.tick(now).map_or(TICK, |due| due.since(now).min(TICK));
                tokio::time::sleep(due).await;
            }
        };
        let stop = async {
            tokio::select! {
                name = signals.wait() => tracing::info!("{name}: telling clients to come back later"),
                () = ticking => {}
                () = reloading => {}
                () = hangups.obey(guard) => {}
            }
            ready.store(false, Ordering::Relaxed);
        };
        let cut = server.run(stop).await;
        // How far sessions have come that their last connections did not wait to see stored.
        broker.save_sessions(clock.now());
        match cut {
            0 => tracing::info!("all connections ended in good order"),
            cut => tracing::warn!("{cut} connections did not end in {:?} and were cut", config.times.drain),
        }
        Ok(())
    })
}

fn broker(config: &Config, now: Time) -> anyhow::Result<Broker> {
    let namespaces = namespaces(config)?;
    let durable = match &config.data {
        Some(directory) => data::open(directory, policy(&namespaces), config, now)?,
        None => memory_log(LogKind::Durable, &namespaces, config),
    };
    let volatile = memory_log(LogKind::Volatile, &namespaces, config);
    let logs: Logs = PerLog::from_fn(|kind| match kind {
        LogKind::Durable => Arc::clone(&durable),
        LogKind::Volatile => Arc::clone(&volatile),
    });
    let limits = Limits {
        message_bytes_max: config.limits.message_bytes,
        batch_messages_max: config.limits.batch_messages,
        idempotency_keys_max: config.limits.idempotency_keys,
        idempotency_keep: config.times.idempotency,
        subscriptions_max: config.limits.subscriptions,
        sessions: SessionLimits {
            sessions_max: config.limits.sessions,
            expiry: config.times.session,
            expiry_max: config.times.session_max,
        },
    };
    let loader = start_loaders().context("cannot start a thread")?;
    Ok(Broker::new(namespaces, logs, limits, loader, now))
}

fn memory_log(kind: LogKind, namespaces: &Namespaces, config: &Config) -> Arc<dyn Log> {
    // What the server says of itself takes nobody's place.
    let own = if kind == LogKind::Volatile { system::TOPICS } else { 0 };
    let topics_max = config.limits.topics + own;
    let limits = MemoryLimits { bytes_max: config.limits.memory as u64, topics_max };
    // A position of an earlier life must not be taken for one of this.
    Arc::new(MemoryLog::new(kind, rand::random(), limits, policy(namespaces)))
}

fn settings(config: &Config, guard: Option<&Guard>) -> anyhow::Result<Settings> {
    let (namespaces, http) = (namespaces(config)?, &config.http);
    Ok(Settings {
        public_url: http.public_url.as_deref().map(|url| url.trim_end_matches('/').into()),
        websub_hub: http.websub_hub.as_deref().map(Into::into),
        caching: access::caching(guard, namespaces),
        // The gate knows.
        access: None,
        heartbeat: config.times.heartbeat,
        long_poll_max: config.times.long_poll_max,
        poll_min: config.times.poll_min,
        poll_max: config.times.poll_max,
        refresh: config.times.refresh,
        batch_messages_max: config.limits.batch_messages,
        subscriptions_max: config.limits.subscriptions,
        allowed_origins: http.allowed_origins.clone(),
        message_bytes_max: config.limits.message_bytes,
        connect_wait: config.mqtt.connect_wait,
        keep_alive_max: config.mqtt.keep_alive_max,
        inflight_max: u16::try_from(config.mqtt.inflight).unwrap_or(u16::MAX),
        session_max: config.times.session_max,
        redirect: config.mqtt.redirect.as_deref().map(Into::into),
        random: Random::new(rand::random),
    })
}

fn options(config: &Config, listeners: Vec<Listener>) -> Options {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    Options {
        listeners,
        threads: if config.threads == 0 { cores } else { config.threads },
        connections_max: config.limits.connections,
        streams_max: config.limits.streams,
        head_bytes_max: config.http.header_bytes_max,
        body_bytes_max: config.limits.batch_bytes,
        message_bytes_max: config.limits.message_bytes,
        head_wait: config.http.head_wait,
        body_wait: config.http.body_wait,
        keep_alive: config.times.keep_alive,
        heartbeat: config.times.heartbeat,
        pong_wait: config.times.pong_wait,
        write_stall: config.times.write_stall,
        drain: config.times.drain,
        allowed_origins: config.http.allowed_origins.clone(),
    }
}

/// What to do about a server that does not start.
fn explain(error: ServerError, listeners: &[Listener]) -> anyhow::Error {
    let ServerError::Listen(address, cause) = &error else { return error.into() };
    // The first of those that want the same address has it.
    let port = listeners.iter().rfind(|port| port.address == *address);
    let is_tls = port.is_some_and(|port| port.tls.is_some());
    let is_http = port.is_none_or(|port| matches!(port.carries, Carries::Http));
    let ip = address.ip();
    let how = match (is_http, is_tls) {
        (true, false) => format!("--listen {ip}:PORT, TIDINGS_LISTEN or the key `listen`"),
        (true, true) => {
            format!("--tls-listen {ip}:PORT, TIDINGS_TLS_LISTEN or the key `tls.listen`")
        }
        (false, false) => "TIDINGS_MQTT_LISTEN or the key `mqtt.listen`".to_owned(),
        (false, true) => "TIDINGS_MQTT_TLS_LISTEN or the key `mqtt.tls_listen`".to_owned(),
    };
    match cause.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "cannot listen on {address}: the port is in use; stop the other program, or choose \
             another port with {how}"
        ),
        _ => anyhow::anyhow!("{error}; choose another address with {how}"),
    }
}

/// The first thing a newcomer sees: where to look, and what to type.
fn greet(listeners: &[Listener], addresses: &[SocketAddr], config: &Config) {
    let color = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (bold, dim, plain) = if color { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    let [address, ..] = addresses else { return };
    let url = format!("http://{}", reachable(*address));
    let data = match &config.data {
        None => "in memory only: it ends with this process".to_owned(),
        Some(directory) => data::shown(directory),
    };
    println!("{bold}Tidings{plain} {} is listening", env!("CARGO_PKG_VERSION"));
    println!("  {dim}page{plain}       {bold}{url}/{plain}");
    let ports = || listeners.iter().zip(addresses.iter().copied().map(reachable));
    for (_, address) in ports().filter(|(port, _)| is_https(port)) {
        println!("  {dim}over TLS{plain}   {bold}https://{address}/{plain}");
    }
    println!("  {dim}publish{plain}    curl -d 'hello' {url}/t/demo");
    println!("  {dim}subscribe{plain}  curl -N -H 'Accept: text/event-stream' {url}/t/demo");
    for (port, address) in ports().filter(|(port, _)| !matches!(port.carries, Carries::Http)) {
        let (host, number) = (address.ip(), address.port());
        let more = if port.tls.is_some() { " --cafile FILE" } else { "" };
        println!("  {dim}mqtt{plain}       mosquitto_sub -h {host} -p {number}{more} -t demo");
    }
    println!("  {dim}data{plain}       {data}");
}

fn is_https(port: &Listener) -> bool {
    matches!(port.carries, Carries::Http) && port.tls.is_some()
}

/// An address one can connect to: that of all interfaces is not.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => ([127, 0, 0, 1], v4.port()).into(),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => {
            (std::net::Ipv6Addr::LOCALHOST, v6.port()).into()
        }
        other => other,
    }
}

fn start_logging(config: &Config) {
    let filter = tracing_subscriber::EnvFilter::new(config.logging.level);
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(color);
    match config.logging.format {
        LogFormat::Text => lines.compact().init(),
        LogFormat::Json => lines.json().init(),
    }
}

/// What tells the server to stop.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(windows)]
    interrupt: tokio::signal::windows::CtrlC,
    #[cfg(windows)]
    terminate: tokio::signal::windows::CtrlShutdown,
}

impl Signals {
    #[cfg(unix)]
    fn listen() -> std::io::Result<Signals> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    #[cfg(windows)]
    fn listen() -> std::io::Result<Signals> {
        use tokio::signal::windows::{ctrl_c, ctrl_shutdown};
        Ok(Signals { interrupt: ctrl_c()?, terminate: ctrl_shutdown()? })
    }

    async fn wait(mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "interrupted",
            _ = self.terminate.recv() => "told to terminate",
        }
    }
}
