//! The processes of `log`: one appends until it is killed, one opens what that left.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use bytes::Bytes;
use clap::Args;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use tidings_log::{Batch, Directory, DiskLog, DiskOptions, Level, Log, Retention, Threads};
use tidings_model::{EventType, Headers, LogKind, Manner, Message, Time, Topic};

use super::{MESSAGE_BYTES, TOPICS};
use crate::load::Latency;
use crate::machine::Processes;

/// Payloads to choose from.
const PAYLOADS: usize = 4096;
/// More than any scenario writes: nothing is trimmed.
const MESSAGES_MAX: u64 = 1_000_000_000;

/// Arguments of the process that appends.
#[derive(Debug, Args)]
pub(crate) struct WriterArgs {
    #[arg(long)]
    folder: PathBuf,
    #[arg(long)]
    messages: u64,
    #[arg(long)]
    seconds: f64,
    #[arg(long)]
    batch: usize,
    #[arg(long)]
    under_way: usize,
    #[arg(long)]
    os: bool,
}

/// Arguments of the process that opens.
#[derive(Debug, Args)]
pub(crate) struct OpenerArgs {
    #[arg(long)]
    folder: PathBuf,
}

/// What the first one did.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Written {
    /// Messages that were answered.
    pub(super) messages: u64,
    /// How long it took.
    pub(super) seconds: f64,
    /// Processor time of the program.
    pub(super) user: f64,
    /// Processor time of the kernel for it.
    pub(super) system: f64,
    /// Bytes handed to the disk (proc_pid_io(5), `write_bytes`).
    pub(super) bytes: u64,
    /// Memory of no file.
    pub(super) anonymous: u64,
    /// Time of one append.
    pub(super) p50_ms: f64,
    /// Time of one append.
    pub(super) p99_ms: f64,
}

/// What the second one found.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Opened {
    /// The newest offset, which counts all messages.
    pub(super) messages: u64,
    /// How long it took.
    pub(super) seconds: f64,
    /// Memory of no file.
    pub(super) anonymous: u64,
}

/// Appends as the arguments say, tells what came of it, and waits to be killed.
pub(crate) fn write(args: &WriterArgs) -> anyhow::Result<()> {
    let log = open_log(&args.folder)?;
    let mut supply = Supply::new()?;
    let (own, before) = (Processes::own(), Processes::own().cpu());
    let bytes_before = bytes_written();
    let mut times = Latency::new()?;
    let (sender, receiver) = channel();
    let begin = Instant::now();
    let limit = Duration::from_secs_f64(args.seconds);
    let level = if args.os { Level::Os } else { Level::Fsync };
    let (mut given, mut under_way) = (0, 0);
    loop {
        while under_way < args.under_way && given < args.messages && begin.elapsed() < limit {
            let messages = supply.batch(args.batch);
            (given, under_way) = (given + args.batch as u64, under_way + 1);
            let (sender, sent) = (sender.clone(), Instant::now());
            let done = move |result| {
                // Fails only when this function has failed.
                let _ = sender.send((result, sent.elapsed()));
            };
            log.append(Batch { messages, token: None, level }, Box::new(done));
        }
        if under_way == 0 {
            break;
        }
        let (result, time) = receiver.recv()?;
        result.map_err(|error| anyhow!("an append failed: {error}"))?;
        under_way -= 1;
        times.record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }
    let cpu = own.cpu() - before;
    say(&Written {
        messages: given,
        seconds: begin.elapsed().as_secs_f64(),
        user: cpu.user,
        system: cpu.system,
        bytes: bytes_written() - bytes_before,
        anonymous: own.memory().anonymous,
        p50_ms: times.quantile_ms(0.5),
        p99_ms: times.quantile_ms(0.99),
    })?;
    await_end();
    Ok(())
}

/// Opens what is there, and tells what it took.
pub(crate) fn open(args: &OpenerArgs) -> anyhow::Result<()> {
    let begin = Instant::now();
    let log = open_log(&args.folder)?;
    let seconds = begin.elapsed().as_secs_f64();
    let anonymous = Processes::own().memory().anonymous;
    say(&Opened { messages: log.end().offset, seconds, anonymous })?;
    await_end();
    Ok(())
}

fn open_log(folder: &Path) -> anyhow::Result<DiskLog> {
    let retention = Retention {
        messages_max: MESSAGES_MAX,
        bytes_max: u64::MAX,
        age_max: Duration::from_secs(86_400),
        keep_last: false,
    };
    let options = DiskOptions {
        kind: LogKind::Durable,
        fresh_epoch: 1,
        topics_max: TOPICS as usize,
        policy: Box::new(move |_| retention),
        remember: Duration::ZERO,
        salt: Box::new(rand::random),
        segment_bytes: None,
        flush_within: Duration::from_secs(1),
        threads: Threads::Own,
    };
    let disk = Directory::lock(&folder.join("log"))?;
    let (log, damages) = DiskLog::open(Box::new(disk), options, now())?;
    anyhow::ensure!(damages.is_empty(), "the log is damaged: {damages:?}");
    Ok(log)
}

fn now() -> Time {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let millis = since.map_or(0, |since| since.as_millis());
    Time::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

fn bytes_written() -> u64 {
    let text = std::fs::read_to_string("/proc/self/io").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.trim().parse().ok()).unwrap_or(0)
}

fn say(found: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(found).context("cannot tell what was found")?);
    Ok(())
}

/// Until the one who started us is gone, who may kill us before.
fn await_end() {
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

/// Messages, made as cheaply as can be.
struct Supply {
    chance: StdRng,
    topics: Vec<Topic>,
    payloads: Vec<Bytes>,
    time: Time,
}

impl Supply {
    fn new() -> anyhow::Result<Supply> {
        let mut chance = StdRng::seed_from_u64(1);
        let topics = (0..TOPICS)
            .map(|number| Topic::new(&format!("bench/{number}")))
            .collect::<Result<_, _>>()?;
        let payloads = (0..PAYLOADS).map(|_| payload(&mut chance)).collect();
        Ok(Supply { chance, topics, payloads, time: now() })
    }

    fn batch(&mut self, count: usize) -> Vec<Message> {
        (0..count).map(|_| self.message()).collect()
    }

    fn message(&mut self) -> Message {
        let topic = self.chance.random_range(0..self.topics.len());
        let payload = self.chance.random_range(0..self.payloads.len());
        Message {
            topic: self.topics[topic].clone(),
            payload: self.payloads[payload].clone(),
            content_type: "application/json".into(),
            event_type: EventType::MESSAGE,
            headers: Headers::default(),
            from: None,
            key: None,
            time: self.time,
            expires: None,
            manner: Manner::default(),
        }
    }
}

/// JSON of about what applications send, of the exact length.
fn payload(chance: &mut StdRng) -> Bytes {
    let mut text = String::from("{\"items\":[");
    while text.len() < MESSAGE_BYTES - 40 {
        let (id, value) = (chance.random_range(0..10_000), chance.random_range(0..100));
        text += &format!("{{\"id\":{id},\"value\":{value}}},");
    }
    text += "0],\"text\":\"";
    while text.len() < MESSAGE_BYTES - 2 {
        text.push(char::from(chance.random_range(b'a'..=b'z')));
    }
    (text + "\"}").into()
}
