//! `tidings log import`: stores what an export printed. Must never leave in doubt which lines are
//! stored: at an error it is exactly those before the line that it names.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::channel;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use tidings_broker::Namespaces;
use tidings_log::{Batch, Damage, Directory, DiskLog, DiskOptions, Level, Log, Retention, Threads};
use tidings_model::{LogKind, Message, Time};
use tidings_net::Clock;

use super::bar::Bar;
use super::{Data, ImportArgs, human, line, messages};
use crate::client::item::EVENT_BYTES_MAX;
use crate::rules::namespaces;

/// Most messages, and bytes of them, that are stored as one: bounds memory, and what is in doubt
/// when the power goes.
const BATCH_MESSAGES_MAX: usize = 4096;
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Runs the command.
pub(super) fn run(mut data: Data, args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let input: (Box<dyn Read>, Option<u64>) = match args.file.as_deref() {
        Some(path) if path != Path::new("-") => {
            let file =
                File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
            let bytes = file.metadata().ok().filter(std::fs::Metadata::is_file);
            (Box::new(file), bytes.map(|metadata| metadata.len()))
        }
        _ => (Box::new(std::io::stdin()), None),
    };
    let disk = Directory::lock(&data.log()).map_err(|error| match error.kind() {
        std::io::ErrorKind::ResourceBusy => {
            anyhow!("cannot import into {}: {error}; stop it first", data.shown())
        }
        _ => data.cannot("write", &error),
    })?;
    let namespaces = namespaces(&data.config)?;
    let bar = Bar::new(&mut data.notes, "importing");
    let mut importer = Importer::new(disk, data.config.limits.topics, &namespaces);
    let ended = importer.all(input, bar);
    let Importer { stored, unseen, line, target, .. } = importer;
    let damages = target.damages.clone();
    // What is stored is durable already; this lets go of the directory.
    drop(target);
    data.tell(&damages);
    if let Err(error) = ended {
        data.notes.line(&format!("error: {error:#}"));
        let text = format!(
            "imported {}: the lines before line {line}, and nothing else",
            messages(stored)
        );
        data.notes.line(&text);
        return Ok(ExitCode::FAILURE);
    }
    data.notes.line(&format!("imported {} into {}", messages(stored), data.shown()));
    if unseen > 0 {
        let text = format!(
            "{} of them are of topics that the configuration keeps in memory: nobody can read them \
             until that changes",
            human::thousands(unseen)
        );
        data.notes.line(&text);
    }
    Ok(ExitCode::SUCCESS)
}

struct Importer<'n> {
    target: Target,
    namespaces: &'n Namespaces,
    /// What is to be stored next, and its bytes.
    batch: Vec<Message>,
    bytes: usize,
    /// Messages that are stored, and those of them that no reader can see.
    stored: u64,
    unseen: u64,
    /// The number of the line that is being read, or the first of those being stored.
    line: u64,
}

/// Where messages go: a log that is opened with the first of them.
struct Target {
    disk: Option<Directory>,
    log: Option<DiskLog>,
    damages: Vec<Damage>,
    topics_max: usize,
}

impl<'n> Importer<'n> {
    fn new(disk: Directory, topics_max: usize, namespaces: &'n Namespaces) -> Importer<'n> {
        Importer {
            target: Target { disk: Some(disk), log: None, damages: Vec::new(), topics_max },
            namespaces,
            batch: Vec::new(),
            bytes: 0,
            stored: 0,
            unseen: 0,
            line: 0,
        }
    }

    fn all(
        &mut self,
        (input, all): (Box<dyn Read>, Option<u64>),
        mut bar: Bar<'_>,
    ) -> anyhow::Result<()> {
        let mut input = BufReader::with_capacity(1 << 20, input);
        let now = Clock::start().now();
        let (mut line, mut number, mut first, mut done) = (Vec::new(), 0, 1, 0);
        loop {
            number += 1;
            let parsed = match next(&mut input, &mut line) {
                Ok(false) => break,
                Ok(true) if line.trim_ascii().is_empty() => continue,
                Ok(true) => line::read(&line, now).map_err(Into::into),
                Err(error) => Err(error),
            };
            let is_full = self.batch.len() == BATCH_MESSAGES_MAX || self.bytes > BATCH_BYTES_MAX;
            if is_full || parsed.is_err() {
                self.line = first;
                self.store()?;
                first = number;
            }
            self.line = number;
            let message = parsed.with_context(|| format!("line {number}"))?;
            self.bytes += message.size();
            self.batch.push(message);
            done += line.len() as u64;
            bar.show(done, all, || messages(self.stored));
        }
        self.line = first;
        self.store()
    }

    /// Makes what has gathered durable.
    fn store(&mut self) -> anyhow::Result<()> {
        let messages = std::mem::take(&mut self.batch);
        let Some(first) = messages.first() else { return Ok(()) };
        let is_unseen = |topic| self.namespaces.of(topic).durability.log() != LogKind::Durable;
        let unseen = messages.iter().filter(|message| is_unseen(&message.topic)).count();
        let count = messages.len();
        let log = self.target.log(first.time)?;
        let (sender, receiver) = channel();
        // Whoever waits below is still there.
        let done = Box::new(move |result| drop(sender.send(result)));
        log.append(Batch { messages, token: None, level: Level::Fsync }, done);
        receiver.recv().context("the log has stopped")?.context("cannot store messages")?;
        self.bytes = 0;
        self.stored += count as u64;
        self.unseen += unseen as u64;
        Ok(())
    }
}

impl Target {
    /// The log. It is opened as of the time of its first message: a segment cannot say that a
    /// message is older than itself.
    fn log(&mut self, time: Time) -> anyhow::Result<&DiskLog> {
        if let Some(disk) = self.disk.take() {
            // What is too much or too old is for the server to remove, which knows its rules.
            let everything = Retention {
                messages_max: u64::MAX,
                bytes_max: u64::MAX,
                age_max: Duration::MAX,
                keep_last: true,
            };
            let options = DiskOptions {
                kind: LogKind::Durable,
                fresh_epoch: rand::random(),
                topics_max: self.topics_max,
                policy: Box::new(move |_| everything),
                remember: Duration::MAX,
                salt: Box::new(rand::random),
                segment_bytes: None,
                flush_within: Duration::MAX,
                threads: Threads::Own,
            };
            let opened = DiskLog::open(Box::new(disk), options, time);
            let (log, damages) = opened.context("cannot open the log")?;
            (self.log, self.damages) = (Some(log), damages);
        }
        self.log.as_ref().context("the log could not be opened")
    }
}

/// Reads the next line into `line`; says whether there was one.
fn next(input: &mut impl BufRead, line: &mut Vec<u8>) -> anyhow::Result<bool> {
    line.clear();
    let count = input.take(EVENT_BYTES_MAX as u64 + 1).read_until(b'\n', line)?;
    if line.len() > EVENT_BYTES_MAX {
        bail!("it is longer than {} MiB, the most there is", EVENT_BYTES_MAX >> 20);
    }
    Ok(count > 0)
}
