//! Sessions under clients that come, go, take over, acknowledge and are cut as chance has it, while
//! messages come without a pause and the server is killed again and again.
//!
//! What each does is drawn from a seed; who is faster is not. `TIDINGS_TEST_SEED` in the
//! environment tries another seed, and a test that fails names its own.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use tidings_tests::{Folder, Server, Via, Visit, Wire, Wish, request, until};

use crate::chance::Chance;
use crate::position;

/// How often the server is killed.
const KILLS: u64 = 6;

/// Visits between two of these.
const VISITS: u64 = 40;

/// Clients that take the session from each other.
const CLIENTS: u64 = 3;

/// Rounds of a client that comes alone. What it may get again is less than a poll gives at most.
const ROUNDS: u64 = 80;

#[track_caller]
fn server(folder: &Folder) -> Server {
    Server::with(&[("DATA", &folder.text())])
}

fn seed() -> u64 {
    let seed = std::env::var("TIDINGS_TEST_SEED").ok().and_then(|text| text.parse().ok());
    seed.unwrap_or(1)
}

/// What is known of the session from outside.
#[derive(Debug, Default)]
struct Book {
    /// Numbers 1 to this one are stored.
    published: u64,
    /// An acknowledgement up to here was answered: it stays.
    acked: u64,
    /// One up to here was sent: it may count.
    asked: u64,
    /// Connections that may have been sent something.
    opened: u64,
    /// Visits on which something came.
    visits: u64,
    /// No client comes again.
    over: bool,
    /// Nothing more is published. Until the last client is gone there is, or it would wait for it.
    silent: bool,
}

/// Where the server is, and what is known.
struct Stage {
    address: RwLock<SocketAddr>,
    book: Mutex<Book>,
}

impl Stage {
    fn address(&self) -> SocketAddr {
        *self.address.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes numbers in batches, each again until it is answered, which stores it once.
    fn publish(&self, mut chance: Chance) {
        while !self.book().silent {
            let first = self.book().published + 1;
            let count = 1 + chance.below(5);
            let lines: String =
                (first..first + count).map(|number| format!("{number}\n")).collect();
            let key = format!("from {first}");
            let headers =
                [("Content-Type", "application/x-ndjson"), ("Idempotency-Key", key.as_str())];
            let post = request("POST", "/t/t", &headers, lines.as_bytes());
            until("a batch is stored", || {
                let mut wire = Wire::try_connect(self.address())?;
                wire.try_send(&post).ok()?;
                (wire.try_head()?.status == 201).then_some(())
            });
            self.book().published += count;
        }
    }

    /// Comes and goes until it is over.
    fn visit(&self, mut chance: Chance) {
        while !self.book().over {
            let via = chance.pick(&Visit::WAYS);
            let wire = until("the server is there", || Wire::try_connect(self.address()));
            let (acked, opened) = {
                let mut book = self.book();
                book.opened += 1;
                (book.acked, book.opened)
            };
            let wish = Wish::new("s").with("limit", 1 + chance.below(20));
            let wish = if via == Via::V1 { Wish::new("s") } else { wish };
            let Ok(mut visit) = Visit::over(wire, via, &wish) else { continue };
            let mut next = None;
            for _ in 0..chance.below(30) {
                let event = match visit.try_read() {
                    Ok(event) => event,
                    Err(parting) => {
                        let reason = parting.reason();
                        let known = parting.is_cut()
                            || reason == "session_taken_over"
                            || matches!(parting.code, Some(200 | 1000));
                        assert!(known, "{via:?}: {parting:?}");
                        break;
                    }
                };
                let number = event["data"].as_u64().unwrap_or_else(|| panic!("{event}"));
                let asked = self.book().asked;
                match next {
                    Some(next) => assert_eq!(number, next, "{via:?}, the {opened}th"),
                    // Not behind what must come again, nor anything that was acknowledged for good.
                    None => assert!(
                        (acked + 1..=asked + 1).contains(&number),
                        "{via:?}, the {opened}th: {number} comes first, acknowledged is {acked}, \
                         perhaps {asked}"
                    ),
                }
                let attempt = event["attempt"].as_u64().unwrap_or(1);
                assert!(attempt <= self.book().opened, "{via:?}: {event}");
                next = Some(number + 1);
                if chance.one_in(7) {
                    self.acknowledge(&mut visit, via, number, &position(&event));
                }
            }
            if next.is_some() {
                self.book().visits += 1;
            }
        }
    }

    fn acknowledge(&self, visit: &mut Visit, via: Via, number: u64, position: &str) {
        {
            let mut book = self.book();
            book.asked = book.asked.max(number);
        }
        let is_done = if via == Via::V1 {
            // A subscription that has ended meanwhile is not known any more.
            visit.ack(position).is_ok_and(|answer| answer["ok"] == true)
        } else {
            let post = request("POST", "/s/s/ack", &[], position.as_bytes());
            Wire::try_connect(self.address()).is_some_and(|mut wire| {
                let sent = wire.try_send(&post).ok();
                sent.and_then(|()| wire.try_head()).is_some_and(|head| head.status == 200)
            })
        };
        if is_done {
            let mut book = self.book();
            book.acked = book.acked.max(number);
        }
    }
}

#[test]
fn what_is_not_acknowledged_comes_again_and_what_is_does_not_whatever_happens() {
    let seed = seed();
    eprintln!("seed {seed}");
    let folder = Folder::new();
    let mut server = server(&folder);
    let begin = Wish::new("s").topics(&["t"]).explicit();
    Visit::open(&server, Via::Sse, &begin).leave(&server);
    let stage = Stage { address: RwLock::new(server.address()), book: Mutex::new(Book::default()) };
    std::thread::scope(|scope| {
        let publisher = scope.spawn(|| stage.publish(Chance::new(seed)));
        let clients: Vec<_> = (1..=CLIENTS)
            .map(|number| {
                let chance = Chance::new(seed.wrapping_mul(1000).wrapping_add(number));
                let stage = &stage;
                scope.spawn(move || stage.visit(chance))
            })
            .collect();
        let has_failed = || clients.iter().any(|client| client.is_finished());
        for kill in 1..=KILLS {
            until("there were many visits", || {
                (stage.book().visits >= kill * VISITS || has_failed()).then_some(())
            });
            if has_failed() {
                break;
            }
            server.kill();
            server = self::server(&folder);
            *stage.address.write().unwrap_or_else(PoisonError::into_inner) = server.address();
        }
        stage.book().over = true;
        let results: Vec<_> = clients.into_iter().map(|client| client.join()).collect();
        stage.book().silent = true;
        assert!(publisher.join().is_ok(), "the publisher failed");
        assert!(results.iter().all(Result::is_ok), "a client found something wrong: see above");
    });
    let book = stage.book();
    eprintln!("{book:?}");
    assert!(book.acked > 0, "this showed nothing");
    // There is something that nobody can have acknowledged.
    server.publish_numbers("t", book.published as u32 + 1..book.published as u32 + 2);
    let mut visit = Visit::open(&server, Via::Ndjson, &Wish::new("s"));
    let mut event = visit.read();
    let first = event["data"].as_u64().unwrap();
    assert!((book.acked + 1..=book.asked + 1).contains(&first), "{first}");
    for number in first + 1..=book.published + 1 {
        event = visit.read();
        assert_eq!(event["data"], number);
    }
    server.ack("s", &position(&event));
    drop(visit);
    server.kill();
    let server = self::server(&folder);
    let mut visit = Visit::open(&server, Via::Sse, &Wish::new("s"));
    server.publish("t", "more");
    assert_eq!(visit.read()["data"], "more", "all of it was acknowledged");
}

/// A client that says where it is goes on exactly there; one that does not may get something again.
/// Neither misses anything.
#[test]
fn an_automatic_session_skips_nothing_whatever_happens() {
    let seed = seed();
    eprintln!("seed {seed}");
    let mut chance = Chance::new(seed);
    let folder = Folder::new();
    let mut server = server(&folder);
    Visit::open(&server, Via::Sse, &Wish::new("s").topics(&["t"])).leave(&server);
    let (mut read, mut published) = (0, 0);
    let mut at = None;
    for round in 0..ROUNDS {
        let count = 1 + chance.below(20) as u32;
        server.publish_numbers("t", published + 1..published + 1 + count);
        published += count;
        let via = chance.pick(&Visit::WAYS);
        let knows = at.clone().filter(|_| chance.one_in(2));
        let wish = match &knows {
            Some(at) => Wish::new("s").with("since", at),
            None => Wish::new("s"),
        };
        let wish = if via == Via::V1 { wish } else { wish.with("limit", 1000) };
        let mut visit = Visit::open(&server, via, &wish);
        let kill_behind = chance.one_in(6).then(|| read + chance.below(u64::from(count)) as u32);
        let mut next = None;
        while next.is_none_or(|next| next <= published) {
            if kill_behind.is_some_and(|behind| next == Some(behind)) {
                server.kill();
            }
            // What came before the end of a connection came.
            let Ok(event) = visit.try_read() else { break };
            let number = event["data"].as_u64().unwrap_or_default() as u32;
            match (next, &knows) {
                (Some(next), _) => assert_eq!(number, next, "round {round}, {via:?}"),
                (None, Some(_)) => assert_eq!(number, read + 1, "round {round}, {via:?}"),
                (None, None) => assert!(number <= read + 1, "round {round}, {via:?}: {number}"),
            }
            next = Some(number + 1);
            read = read.max(number);
            at = Some(position(&event));
        }
        if server.has_ended() {
            drop(visit);
            server = self::server(&folder);
        } else {
            assert_eq!(read, published, "round {round}, {via:?}");
            visit.leave(&server);
        }
    }
}
