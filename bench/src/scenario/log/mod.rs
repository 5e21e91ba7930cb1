//! `log`: the log on disk without a server around it.
//!
//! Each measurement is a process of its own, so that its processor time and memory are those of
//! the log and of making the messages, and so that it can be killed.

mod worker;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::Context;
use serde::de::DeserializeOwned;

use crate::bench::Bench;
use crate::report::metric::{
    ANON_MB, CPU_US, CPU_USER_PERCENT, DISK_BYTES, P50_MS, P99_MS, PUBLISHED_PER_S, SECONDS,
    WRITTEN_BYTES,
};
use crate::report::{Measures, Report};
use crate::target::{Folder, Target};

use worker::{Opened, Written};
pub(crate) use worker::{OpenerArgs, WriterArgs, open, write};

/// How many topics the messages are spread over, by chance.
const TOPICS: u32 = 10_000;
/// The bytes of a message.
const MESSAGE_BYTES: usize = 200;
/// Messages of a log that is opened again.
const REOPENED_MESSAGES: u64 = 5_000_000;
/// Messages in a batch, batches under way, and whether it is enough that the system has them.
const LOADS: &[(usize, usize, bool)] = &[
    (1, 1, false),
    (1, 4, false),
    (16, 4, false),
    (1024, 4, false),
    (1, 64, false),
    (1, 4, true),
    (1024, 4, true),
];
const MEGABYTE: f64 = 1e6;

/// Runs the scenario.
pub(crate) fn run(bench: &Bench, _: &[Target], report: &mut Report) -> anyhow::Result<()> {
    report.note(format!(
        "messages of {MESSAGE_BYTES} bytes over {TOPICS} topics by chance, each batch answered \
         when its level is true; p50 and p99 are of one append"
    ));
    report.note("CPU is that of the process: the log, and making the messages");
    let seconds = bench.seconds();
    for &(batch, under_way, os) in LOADS {
        let labels = [
            ("what", "append".to_owned()),
            ("batch", batch.to_string()),
            ("under way", under_way.to_string()),
            ("level", if os { "os" } else { "fsync" }.to_owned()),
        ];
        for _ in 0..bench.rounds() {
            let folder = Folder::new(&bench.folder)?;
            let load = Load { messages: u64::MAX, seconds, batch, under_way, os };
            let (writer, written) = append(bench, &folder, &load)?;
            end(writer)?;
            report.add(&labels, "log", appended(&written));
        }
    }
    for _ in 0..bench.rounds() {
        reopen(bench, report)?;
    }
    Ok(())
}

struct Load {
    messages: u64,
    seconds: f64,
    batch: usize,
    under_way: usize,
    os: bool,
}

/// Fills a log, kills its process, opens it again and takes the time.
fn reopen(bench: &Bench, report: &mut Report) -> anyhow::Result<()> {
    let messages = bench.size(REOPENED_MESSAGES, 20_000);
    let folder = Folder::new(&bench.folder)?;
    let load = Load { messages, seconds: f64::INFINITY, batch: 1024, under_way: 4, os: false };
    let (writer, written) = append(bench, &folder, &load)?;
    let label = |what: &str| [("what", format!("{what} {messages}"))];
    let mut measures = appended(&written);
    measures.put(&DISK_BYTES, folder.bytes_on_disk() as f64 / written.messages as f64);
    measures.put(&ANON_MB, written.anonymous as f64 / MEGABYTE);
    report.add(&label("append"), "log", measures);
    end(writer)?;
    let words = ["log-opener", "--folder", &folder.path().display().to_string()].map(str::to_owned);
    let (opener, opened): (Child, Opened) = start(bench, &words)?;
    end(opener)?;
    anyhow::ensure!(
        opened.messages == written.messages,
        "{} messages were answered, and {} are there after the kill",
        written.messages,
        opened.messages
    );
    let mut measures = Measures::default();
    measures.put(&SECONDS, opened.seconds).put(&ANON_MB, opened.anonymous as f64 / MEGABYTE);
    report.add(&label("open after a kill"), "log", measures);
    Ok(())
}

fn appended(written: &Written) -> Measures {
    let messages = written.messages as f64;
    let cpu = written.user + written.system;
    let mut measures = Measures::default();
    measures
        .put(&PUBLISHED_PER_S, messages / written.seconds)
        .put(&P50_MS, written.p50_ms)
        .put(&P99_MS, written.p99_ms)
        .put(&CPU_US, cpu * 1e6 / messages)
        .put(&CPU_USER_PERCENT, written.user * 100.0 / cpu)
        .put(&WRITTEN_BYTES, written.bytes as f64 / messages);
    measures
}

/// Starts a process that appends, and returns when it has done so. It goes on living.
fn append(bench: &Bench, folder: &Folder, load: &Load) -> anyhow::Result<(Child, Written)> {
    let seconds = if load.seconds.is_finite() { load.seconds } else { 1e9 };
    let words = [
        ("folder", folder.path().display().to_string()),
        ("messages", load.messages.to_string()),
        ("seconds", seconds.to_string()),
        ("batch", load.batch.to_string()),
        ("under-way", load.under_way.to_string()),
    ];
    let words = words.into_iter().flat_map(|(name, value)| [format!("--{name}"), value]);
    let os = load.os.then(|| "--os".to_owned());
    let words: Vec<String> = ["log-writer".to_owned()].into_iter().chain(words).chain(os).collect();
    start(bench, &words)
}

/// Starts ourselves in another part, on the cores of the target, and reads what it found.
fn start<T: DeserializeOwned>(bench: &Bench, words: &[String]) -> anyhow::Result<(Child, T)> {
    eprintln!("{}", words.join(" "));
    let own = std::env::current_exe().context("cannot find this program")?;
    let mut child = Command::new("taskset")
        .args(["-c", &bench.target_cores.to_string()])
        .arg(own)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start taskset, which is part of util-linux")?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut line)?;
    }
    let found = serde_json::from_str(&line);
    if found.is_err() {
        end(child)?;
        return Err(found.err().map_or_else(|| anyhow::anyhow!("no answer"), Into::into));
    }
    Ok((child, found?))
}

/// Kills one of our processes without a word of warning.
fn end(mut child: Child) -> anyhow::Result<()> {
    child.kill()?;
    child.wait()?;
    Ok(())
}
