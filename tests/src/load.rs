//! Publishers that go on until they are stopped or their server is gone, and what must then be
//! there. Must never take a publish for stored whose whole answer did not come.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::random::Random;
use crate::{PATIENCE, request};

/// Most messages in one batch.
const BATCH_MAX: u64 = 20;

/// Longest filling of a message, in bytes: so that segments fill up, too.
const FILLING_MAX: u64 = 3000;

/// How a publisher publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// One message at a time. Whether the last one was stored, it has to look up.
    Single,
    /// Several as one: all of them or none.
    Batch,
    /// Several as one, with an idempotency key: tried again until it is answered.
    Keyed,
}

/// A publisher of the numbers from 1 on, each as a message, to a topic of its own.
pub struct Publisher {
    topic: String,
    manner: Manner,
    random: Random,
    /// Everything up to here is acknowledged.
    acknowledged: Arc<AtomicU32>,
    /// What was sent and not answered.
    open: Option<Attempt>,
    /// What was answered last, and with what position.
    answered: Option<(Attempt, String)>,
}

/// One publish.
#[derive(Clone)]
struct Attempt {
    /// The numbers in it.
    first: u32,
    last: u32,
    bytes: Vec<u8>,
}

impl Publisher {
    /// One that has published nothing yet.
    pub fn new(topic: &str, manner: Manner, seed: u64) -> Publisher {
        let (topic, random) = (topic.to_owned(), Random::new(seed));
        let acknowledged = Arc::default();
        Publisher { topic, manner, random, acknowledged, open: None, answered: None }
    }

    /// Its topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// The last number that is acknowledged.
    pub fn acknowledged(&self) -> u32 {
        self.acknowledged.load(Ordering::Acquire)
    }

    /// Given the last number that is stored, says what is wrong with that, and goes on from there:
    /// what was acknowledged is there, and what was not is there as a whole or not at all.
    pub fn settle(&mut self, stored: u32) -> Result<(), String> {
        let acknowledged = self.acknowledged();
        let right = match &self.open {
            Some(open) => [open.first - 1, open.last].contains(&stored),
            None => stored == acknowledged,
        };
        if !right {
            let open = self.open.as_ref().map(|open| (open.first, open.last));
            return Err(format!(
                "{}: {stored} are stored; {acknowledged} are acknowledged, {open:?} was under way",
                self.topic
            ));
        }
        if self.manner != Manner::Keyed {
            self.acknowledged.store(stored, Ordering::Release);
            self.open = None;
        }
        Ok(())
    }

    /// With a key, sends again what was not answered, and something that was. Says what is wrong
    /// with the answers. Returns how many it sent.
    pub fn retry(&mut self, address: SocketAddr) -> Result<u32, String> {
        if self.manner != Manner::Keyed {
            return Ok(0);
        }
        let lost =
            |error: std::io::Error| format!("{}: a retry was not answered: {error}", self.topic);
        let mut stream = connect(address).map_err(lost)?;
        let mut sent = 0;
        if let Some((attempt, position)) = &self.answered {
            let again = publish(&mut stream, &attempt.bytes).map_err(lost)?;
            if again != *position {
                return Err(format!(
                    "{}: {} to {} were at {position}, and at {again} when sent again",
                    self.topic, attempt.first, attempt.last
                ));
            }
            sent += 1;
        }
        if let Some(attempt) = self.open.take() {
            let position = publish(&mut stream, &attempt.bytes).map_err(lost)?;
            self.acknowledged.store(attempt.last, Ordering::Release);
            self.answered = Some((attempt, position));
            sent += 1;
        }
        Ok(sent)
    }

    /// Publishes until told to stop, or until the server is gone.
    fn run(&mut self, address: SocketAddr, stop: &AtomicBool) {
        let Ok(mut stream) = connect(address) else { return };
        while !stop.load(Ordering::Relaxed) {
            let attempt = self.attempt();
            self.open = Some(attempt.clone());
            match publish(&mut stream, &attempt.bytes) {
                Ok(position) => {
                    self.acknowledged.store(attempt.last, Ordering::Release);
                    self.answered = Some((attempt, position));
                    self.open = None;
                }
                Err(_) => return,
            }
        }
    }

    fn attempt(&mut self) -> Attempt {
        let first = self.acknowledged() + 1;
        let count = match self.manner {
            Manner::Single => 1,
            Manner::Batch | Manner::Keyed => 1 + self.random.below(BATCH_MAX) as u32,
        };
        let last = first + count - 1;
        let lines: Vec<String> = (first..=last)
            .map(|number| {
                let filling = self.random.below(FILLING_MAX) / u64::from(count);
                format!("{number} {}", "x".repeat(filling as usize))
            })
            .collect();
        let key = format!("{}-{first}", self.topic);
        let headers: &[(&str, &str)] = match self.manner {
            Manner::Single => &[],
            Manner::Batch => &[("Tidings-Batch", "lines")],
            Manner::Keyed => &[("Tidings-Batch", "lines"), ("Idempotency-Key", &key)],
        };
        let target = format!("/t/{}", self.topic);
        let bytes = request("POST", &target, headers, lines.join("\n").as_bytes());
        Attempt { first, last, bytes }
    }
}

/// Publishers at work, each on a thread of its own.
pub struct Load {
    threads: Vec<JoinHandle<Publisher>>,
    counts: Vec<(Arc<AtomicU32>, u32)>,
    stop: Arc<AtomicBool>,
}

impl Load {
    /// Sets them to work.
    pub fn start(address: SocketAddr, publishers: Vec<Publisher>) -> Load {
        let stop = Arc::new(AtomicBool::new(false));
        let count = |p: &Publisher| (Arc::clone(&p.acknowledged), p.acknowledged());
        let counts = publishers.iter().map(count).collect();
        let start = |mut publisher: Publisher| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                publisher.run(address, &stop);
                publisher
            })
        };
        Load { threads: publishers.into_iter().map(start).collect(), counts, stop }
    }

    /// How many messages were acknowledged since they began.
    pub fn acknowledged(&self) -> u32 {
        self.counts.iter().map(|(count, before)| count.load(Ordering::Acquire) - before).sum()
    }

    /// The last number that is acknowledged now to each publisher.
    pub fn now(&self) -> Vec<u32> {
        self.counts.iter().map(|(count, _)| count.load(Ordering::Acquire)).collect()
    }

    /// Ends their work, each after its next answer, and gives them back.
    #[track_caller]
    pub fn stop(self) -> Vec<Publisher> {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.threads.into_iter().map(JoinHandle::join);
        ended.map(|publisher| publisher.unwrap_or_else(|_| panic!("a publisher failed"))).collect()
    }
}

/// What has come of each topic: the numbers from 1 on, each once and in order.
#[derive(Debug, Default)]
pub struct Ledger(BTreeMap<String, u32>);

impl Ledger {
    /// Takes the next event, or says what is wrong with it.
    pub fn take(&mut self, event: &Value) -> Result<(), String> {
        let (Some(topic), Some(data)) = (event["topic"].as_str(), event["data"].as_str()) else {
            return Err(format!("no message: {event}"));
        };
        let number = data.split(' ').next().unwrap_or_default().parse::<u32>();
        let number = number.map_err(|error| format!("no number: {error}: {event}"))?;
        let last = self.0.entry(topic.to_owned()).or_default();
        if number != *last + 1 {
            return Err(format!("{topic}: {number} came after {last}"));
        }
        *last = number;
        Ok(())
    }

    /// The last number of a topic; 0 when nothing has come.
    pub fn last(&self, topic: &str) -> u32 {
        self.0.get(topic).copied().unwrap_or(0)
    }
}

fn connect(address: SocketAddr) -> std::io::Result<BufReader<TcpStream>> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(BufReader::new(stream))
}

/// Sends a publish and gives the position of its answer. Whatever else happens, the server is
/// gone: no other answer is right.
fn publish(stream: &mut BufReader<TcpStream>, post: &[u8]) -> std::io::Result<String> {
    stream.get_mut().write_all(post)?;
    let (mut line, mut length, mut status) = (String::new(), 0, String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end().split_once(": ") {
            Some(("content-length", text)) => length = text.parse().unwrap_or(0),
            None if line.starts_with("HTTP/1.1 ") => line.trim_end().clone_into(&mut status),
            None => break,
            Some(_) => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    assert!(status.contains(" 201 "), "a publish was refused: {status} {answer}");
    Ok(answer["position"].as_str().unwrap_or_else(|| panic!("no position: {answer}")).to_owned())
}
