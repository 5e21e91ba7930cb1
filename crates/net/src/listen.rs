//! Accepting connections, handing them to the serving threads, and ending them all in order.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use mio::Registry as Sockets;
use rand::RngExt;
use socket2::{Domain, SockRef, Socket, TcpKeepalive, Type};
use tidings_broker::Broker;
use tidings_host::Registry;
use tidings_model::ComeBack;
use tidings_protocol::Problem;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::LocalSet;

use crate::clock::Clock;
use crate::connection::{Connection, Counted, Parts, Stats};
use crate::drive::raw;
use crate::local::{Local, Serving};
use crate::options::{Carries, Listener, Options, Site};
use crate::reactor::Reactor;
use crate::tls::{self, Tls};

/// Connections the system holds for us while we are busy; it cuts this to its own maximum.
const BACKLOG: i32 = 4096;

/// How long to leave accepting alone after it failed, mostly for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bytes the system holds for a peer before a write says that it is full. Keeps what a slow
/// reader costs small, and lets the log, not the socket, be its queue.
#[cfg(target_os = "linux")]
const UNSENT_BYTES_MAX: u32 = 128 * 1024;

/// Spread of the time after which clients come back, so that they do not all come at once.
const COME_BACK_MS: std::ops::Range<u64> = 500..5000;

/// Why the server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, #[source] io::Error),
    /// A thread or its runtime cannot be started.
    #[error("cannot start a serving thread: {0}")]
    Thread(#[source] io::Error),
}

/// What all threads of a server share.
pub(crate) struct Shared {
    closing: AtomicBool,
    stats: Arc<Stats>,
    bells: Mutex<Vec<Box<dyn Fn() + Send + Sync>>>,
}

impl Shared {
    pub(crate) fn new(stats: Arc<Stats>) -> Shared {
        Shared { closing: AtomicBool::new(false), stats, bells: Mutex::default() }
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    pub(crate) fn stats(&self) -> &Arc<Stats> {
        &self.stats
    }

    /// When a client that is sent away should come back.
    pub(crate) fn come_back(&self) -> ComeBack {
        ComeBack(Duration::from_millis(rand::rng().random_range(COME_BACK_MS)))
    }

    pub(crate) fn on_closing(&self, bell: Box<dyn Fn() + Send + Sync>) {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner).push(bell);
    }

    fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        for bell in self.bells.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            bell();
        }
    }
}

/// A serving thread: where it takes its connections from, and its end.
type Thread = (mpsc::UnboundedSender<Handover>, JoinHandle<()>);

/// A connection on its way to a serving thread: what it carries, and what it begins with.
type Handover = (Parts, Carries, Option<Arc<Tls>>);

/// A server that listens.
pub struct Server {
    listeners: Vec<(TcpListener, Listener)>,
    addresses: Vec<SocketAddr>,
    options: Arc<Options>,
    shared: Arc<Shared>,
    threads: Vec<Thread>,
}

impl Server {
    /// Listens, and starts the serving threads. Must be called within a runtime.
    pub fn start(
        broker: &Broker,
        registry: &Registry,
        options: Options,
        site: &Site,
        clock: Clock,
        stats: Arc<Stats>,
    ) -> Result<Server, ServerError> {
        let (mut listeners, mut addresses) = (Vec::new(), Vec::new());
        for port in &options.listeners {
            let failed = |error| ServerError::Listen(port.address, error);
            let listener = bind(port.address).map_err(failed)?;
            addresses.push(listener.local_addr().map_err(failed)?);
            listeners.push((listener, port.clone()));
        }
        let options = Arc::new(options);
        let shared = Arc::new(Shared::new(stats));
        let threads = (0..options.threads)
            .map(|number| {
                let serving = Serving {
                    broker: broker.clone(),
                    registry: registry.clone(),
                    options: Arc::clone(&options),
                    site: Arc::clone(site),
                    clock,
                    shared: Arc::clone(&shared),
                };
                start_thread(number, serving)
            })
            .collect::<io::Result<_>>()
            .map_err(ServerError::Thread)?;
        Ok(Server { listeners, addresses, options, shared, threads })
    }

    /// Where it listens, in the order of [`Options::listeners`].
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Accepts connections until `stop` is done; then tells every client to come back later,
    /// and returns when all have gone or the time for that is over. Says how many were cut.
    pub async fn run(self, stop: impl Future<Output = ()>) -> usize {
        tokio::select! {
            () = stop => {}
            () = self.accept_all() => {}
        }
        let Server { listeners, options, shared, threads, .. } = self;
        drop(listeners);
        shared.close();
        let drained = async {
            while shared.stats.connections() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let _ = tokio::time::timeout(options.drain, drained).await;
        let cut = shared.stats.connections();
        for (sender, thread) in threads {
            // A thread ends when it can get no more connections.
            drop(sender);
            let _ = tokio::task::spawn_blocking(|| thread.join()).await;
        }
        cut
    }

    /// Accepts on every port, for as long as it is polled.
    async fn accept_all(&self) {
        let turn = Cell::new(0);
        let each = self.listeners.iter().map(|port| Box::pin(self.accept(port, &turn)));
        let mut accepting: Vec<_> = each.collect();
        std::future::poll_fn(|cx| {
            for port in &mut accepting {
                let _ = port.as_mut().poll(cx);
            }
            Poll::<()>::Pending
        })
        .await;
    }

    async fn accept(&self, (listener, port): &(TcpListener, Listener), turn: &Cell<usize>) {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let stats = &self.shared.stats;
            if stats.load() >= self.options.connections_max {
                stats.refuse_one();
                if let (Carries::Http, None) = (port.carries, &port.tls) {
                    refuse(&stream, self.options.connections_max);
                }
                continue;
            }
            if let Err(error) = prepare(&stream, &self.options) {
                // The peer is gone already, or the system knows an option by another name; the
                // connection serves as well without.
                tracing::debug!(%error, "socket option");
            }
            let counted = Counted::new(stats);
            let Ok(stream) = stream.into_std() else { continue };
            turn.set((turn.get() + 1) % self.threads.len());
            // A thread that is gone has panicked, and that has been reported.
            let parts = Parts { stream, counted, tls: None };
            let _ = self.threads[turn.get()].0.send((parts, port.carries, port.tls.clone()));
        }
    }
}

/// Listens without sharing the port: two servers on one port would each get some of the clients.
fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    // On Unix it lets a restarted server have its port back at once; on Windows it means sharing.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Finds peers that vanished without a word, and keeps what a slow one costs small.
fn prepare(stream: &TcpStream, options: &Options) -> io::Result<()> {
    let socket = SockRef::from(stream);
    socket.set_tcp_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(options.keep_alive).with_interval(Duration::from_secs(10));
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(target_os = "linux")]
    {
        // What is sent into the void is noticed after this time, not after a quarter of an hour.
        socket.set_tcp_user_timeout(Some(options.write_stall))?;
        socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
    }
    Ok(())
}

/// Turns a connection away without giving it anything but the reason.
fn refuse(stream: &TcpStream, most: usize) {
    let answer = crate::http::head::whole(
        &too_many(most).to_response(),
        crate::http::head::Connection::Close,
    );
    // A new socket takes this at once; if not, closing says enough.
    let _ = stream.try_write(&answer);
}

/// Why a connection, or a stream of one, is turned away.
pub(crate) fn too_many(most: usize) -> Problem {
    Problem::new(
        http::StatusCode::SERVICE_UNAVAILABLE,
        "too_many_connections",
        format!("the server has {most} connections, which is the most it may"),
        "come back later, or have the operator raise limits.connections",
    )
}

fn start_thread(number: usize, serving: Serving) -> io::Result<Thread> {
    // Unbounded, but what is in it is counted as connections, and those are bounded.
    let (sender, receiver) = mpsc::unbounded_channel();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (reactor, sockets) = {
        let _within = runtime.enter();
        Reactor::new()?
    };
    let thread = std::thread::Builder::new().name(format!("serve-{number}")).spawn(move || {
        let tasks = LocalSet::new();
        tasks.block_on(&runtime, serve(serving, reactor, sockets, receiver));
    })?;
    Ok((sender, thread))
}

async fn serve(
    serving: Serving,
    reactor: Reactor,
    sockets: Sockets,
    mut receiver: mpsc::UnboundedReceiver<Handover>,
) {
    let local = Local::new(serving, sockets);
    local.spawn(Rc::clone(&local).run(reactor));
    while let Some((parts, carries, tls)) = receiver.recv().await {
        match tls {
            None => begin(&local, parts, carries),
            Some(tls) => local.spawn(tls::accept::accept(Rc::clone(&local), parts, carries, tls)),
        }
    }
    local.cut_all();
}

/// Begins to serve a connection on which hands were shaken, where they have to be.
pub(crate) fn begin(local: &Rc<Local>, parts: Parts, carries: Carries) {
    let begun = match carries {
        Carries::Http => Connection::from_parts(parts).map(|connection| {
            local.spawn(crate::http::accept(Rc::clone(local), connection));
        }),
        Carries::Stream(transport) => raw::hold(local, parts, transport),
    };
    if let Err(error) = begun {
        tracing::warn!(%error, "cannot serve a connection");
    }
}
