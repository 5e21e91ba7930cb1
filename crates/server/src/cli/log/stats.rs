//! `tidings log stats`: how much is kept of which topic.

use std::fmt::Write;
use std::io::IsTerminal;
use std::process::ExitCode;

use serde_json::{Value, json};
use tidings_log::{LogStats, TopicStats};
use tidings_protocol::event::rfc3339;

use super::{Data, StatsArgs, human, messages};
use crate::cli::notes::count as counted;
use crate::cli::output::no_colour;

/// Runs the command.
pub(super) fn run(mut data: Data, args: &StatsArgs) -> anyhow::Result<ExitCode> {
    let disk = data.look()?;
    let mut log = data.open(&disk)?;
    let over = data.keep(&mut log)?;
    let stats = log.stats(&disk).map_err(|error| data.cannot("read", &error))?;
    data.notes.clear();
    let top = args.top.unwrap_or(usize::MAX).min(stats.topics.len());
    if args.json {
        println!("{}", json(&stats, over, top));
    } else {
        let colours = std::io::stdout().is_terminal() && !no_colour();
        print!("{}", table(&stats, over, top, colours));
    }
    data.tell(log.damages());
    Ok(if log.damages().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn totals(stats: &LogStats) -> (u64, u64) {
    let add =
        |(messages, bytes), topic: &TopicStats| (messages + topic.messages, bytes + topic.bytes);
    stats.topics.iter().fold((0, 0), add)
}

fn json(stats: &LogStats, over: u64, top: usize) -> Value {
    let (messages, bytes) = totals(stats);
    let topic = |topic: &TopicStats| {
        json!({
            "topic": topic.topic.as_str(),
            "messages": topic.messages,
            "bytes": topic.bytes,
            "oldest": rfc3339(topic.oldest),
            "newest": rfc3339(topic.newest),
        })
    };
    json!({
        "epoch": stats.epoch,
        "end": stats.end,
        "segments": stats.segments,
        "diskBytes": stats.disk_bytes,
        "overLimits": over,
        "topicCount": stats.topics.len(),
        "messages": messages,
        "bytes": bytes,
        "topics": stats.topics[..top].iter().map(topic).collect::<Vec<_>>(),
    })
}

fn table(stats: &LogStats, over: u64, top: usize, colours: bool) -> String {
    let (bold, dim, plain) = if colours { ("\x1b[1m", "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
    let shown = &stats.topics[..top];
    let names = shown.iter().map(|topic| topic.topic.as_str().chars().count());
    let width = names.max().unwrap_or(0).clamp(5, 60);
    let mut out = String::new();
    // Writing to a text cannot fail.
    if !shown.is_empty() {
        let _ = writeln!(
            out,
            "{dim}{:<width$}  {:>12}  {:>12}  {:<19}  newest (UTC){plain}",
            "topic", "messages", "bytes", "oldest",
        );
    }
    for TopicStats { topic, messages, bytes, oldest, newest } in shown {
        let (messages, bytes) = (human::thousands(*messages), human::bytes(*bytes));
        let (oldest, newest) = (human::time(*oldest), human::time(*newest));
        let topic = topic.as_str();
        let _ = writeln!(
            out,
            "{bold}{topic:<width$}{plain}  {messages:>12}  {bytes:>12}  {oldest:<19}  {newest}"
        );
    }
    let left = stats.topics.len() - top;
    if left > 0 {
        let _ = writeln!(out, "{dim}and {} with less{plain}", counted(left as u64, "topic"));
    }
    let (count, bytes) = totals(stats);
    let disk = human::bytes(stats.disk_bytes);
    let _ = writeln!(
        out,
        "{} of {}, {}; {disk} on disk in {}",
        messages(count),
        counted(stats.topics.len() as u64, "topic"),
        human::bytes(bytes),
        counted(stats.segments as u64, "segment"),
    );
    if over > 0 {
        let _ = writeln!(
            out,
            "{dim}{} more are over the limits of their topics and go at the next start{plain}",
            human::thousands(over)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings_model::{Time, Topic};

    fn stats() -> LogStats {
        let topic = |name: &str, messages, bytes| TopicStats {
            topic: Topic::new(name).unwrap(),
            messages,
            bytes,
            oldest: Time::from_millis(1_700_000_000_123),
            newest: Time::from_millis(1_700_000_060_000),
        };
        let topics = vec![topic("chat/room1", 1234, 1 << 20), topic("a", 1, 80)];
        LogStats { epoch: 5, end: 2000, segments: 2, disk_bytes: 64 << 20, topics }
    }

    #[test]
    fn a_table_for_people() {
        let expected = "\
topic           messages         bytes  oldest               newest (UTC)
chat/room1         1,234       1.0 MiB  2023-11-14 22:13:20  2023-11-14 22:14:20
and 1 topic with less
1,235 messages of 2 topics, 1.0 MiB; 64.0 MiB on disk in 2 segments
3 more are over the limits of their topics and go at the next start
";
        assert_eq!(table(&stats(), 3, 1, false), expected);
        assert!(table(&stats(), 0, 2, true).contains("\x1b[1mchat/room1\x1b[0m"));
    }

    #[test]
    fn an_object_for_machines() {
        let json = json(&stats(), 3, 1);
        assert_eq!((&json["messages"], &json["bytes"]), (&1235.into(), &((1 << 20) + 80).into()));
        assert_eq!((&json["topicCount"], &json["overLimits"]), (&2.into(), &3.into()));
        assert_eq!(json["topics"][0]["oldest"], "2023-11-14T22:13:20.123Z");
        assert_eq!(json["topics"].as_array().map(Vec::len), Some(1));
    }
}
