//! A reader: what it wants, what it has understood, and whether that was right.

use std::collections::BTreeMap;

use tidings_host::Client;
use tidings_model::{Position, Selection, Time, Topic, TopicFilter};

use super::Report;
use super::decode::Heard;
use super::oracle::{Oracle, TOPICS, log_of};
use crate::tape::Tape;

pub(crate) struct Reader {
    pub(crate) filters: Vec<TopicFilter>,
    selection: Selection,
    pub(crate) connection: Option<Connection>,
    /// The last position it heard.
    pub(crate) position: Option<Position>,
    /// The number of the last message it has seen, or need not see, of each topic.
    seen: BTreeMap<&'static str, u64>,
    /// Losses it was told of: from, to.
    gaps: Vec<(Position, Position)>,
    /// Whether its position is of an earlier life of the logs.
    outdated: bool,
    /// What was gone when it last connected: what a reader from the start need not see.
    gone: BTreeMap<&'static str, u64>,
    /// The durable session it is.
    pub(crate) session: Option<InSession>,
}

/// What a reader knows of its session, which acknowledges explicitly.
pub(crate) struct InSession {
    pub(crate) name: String,
    /// What it had seen and been told when it last acknowledged, once the session is there.
    acked: Option<(Seen, Vec<(Position, Position)>)>,
    /// The number of the last message of each topic that any of its connections heard.
    heard: Seen,
}

/// Numbers of messages by topic.
type Seen = BTreeMap<&'static str, u64>;

/// An open connection.
pub(crate) struct Connection {
    pub(crate) via: &'static str,
    pub(crate) client: Client,
    pub(crate) tape: Tape,
    /// What it sends acknowledgements for, when the server waits for them.
    pub(crate) acks: bool,
    /// The last position it acknowledged.
    pub(crate) acked: Option<Position>,
}

impl Reader {
    pub(crate) fn new(filters: Vec<TopicFilter>) -> Reader {
        Reader {
            selection: Selection::new(filters.iter().cloned()),
            filters,
            connection: None,
            position: None,
            seen: BTreeMap::new(),
            gaps: Vec::new(),
            outdated: false,
            gone: BTreeMap::new(),
            session: None,
        }
    }

    /// It is a durable session.
    pub(crate) fn become_session(&mut self, name: String) {
        self.session = Some(InSession { name, acked: None, heard: BTreeMap::new() });
    }

    /// Its session goes on from what it has acknowledged; says whether there is one.
    pub(crate) fn go_back(&mut self) -> bool {
        let Some(InSession { acked: Some((seen, gaps)), .. }) = &self.session else { return false };
        (self.seen, self.gaps) = (seen.clone(), gaps.clone());
        // Where that was it is told again.
        self.position = None;
        true
    }

    /// As [`Reader::acknowledged`], when its session begins.
    pub(crate) fn acknowledged_if(&mut self, begins: bool) {
        if begins {
            self.acknowledged();
        }
    }

    /// Its session has acknowledged everything it has heard, or has just begun.
    pub(crate) fn acknowledged(&mut self) {
        if let Some(session) = &mut self.session {
            session.acked = Some((self.seen.clone(), self.gaps.clone()));
        }
    }

    /// Its session is gone.
    pub(crate) fn forget_session(&mut self) {
        if let Some(session) = &mut self.session {
            (session.acked, session.heard) = (None, BTreeMap::new());
            self.position = None;
            self.outdated = false;
        }
    }

    /// What is sent again says so.
    fn check_attempt(&mut self, topic: &Topic, number: u64, attempt: u64) -> Result<(), String> {
        let Some(session) = &mut self.session else {
            return match attempt {
                1 => Ok(()),
                _ => Err(format!("{topic} {number} is attempt {attempt} without a session")),
            };
        };
        let heard = session.heard.entry(known(topic)?).or_default();
        if number <= *heard && attempt == 1 {
            return Err(format!("{topic} {number} comes again and does not say so"));
        }
        *heard = number.max(*heard);
        Ok(())
    }

    /// It connects; what is gone by now it is not told of if it reads from the start.
    pub(crate) fn connect(&mut self, oracle: &Oracle) {
        let gone = |topic| {
            let trimmed = oracle.entries(topic).filter(|(_, entry)| entry.trimmed);
            trimmed.map(|(number, _)| number).max().unwrap_or(0)
        };
        self.gone = TOPICS.iter().map(|&(topic, ..)| (topic, gone(topic))).collect();
    }

    /// It reads from the start, as it was when it connected.
    pub(crate) fn begin_at_start(&mut self) {
        self.gaps.clear();
        self.outdated = false;
        self.seen = self.gone.clone();
    }

    /// It reads what comes from now on.
    pub(crate) fn begin_now(&mut self, oracle: &Oracle) {
        self.gaps.clear();
        self.seen = TOPICS.iter().map(|&(topic, ..)| (topic, oracle.count(topic))).collect();
    }

    /// The logs begin anew.
    pub(crate) fn outdate(&mut self) {
        self.outdated = self.position.is_some();
    }

    /// Takes in one thing; says what is wrong with it.
    pub(crate) fn hear(
        &mut self,
        heard: Heard,
        oracle: &Oracle,
        now: Time,
        report: &mut Report,
    ) -> Result<(), String> {
        match heard {
            Heard::At(position) => self.position = Some(position),
            Heard::End => {}
            Heard::Event { topic, number, position, attempt } => {
                report.heard += 1;
                report.again += u64::from(attempt > 1);
                self.check_attempt(&topic, number, attempt)?;
                self.hear_event(&topic, number, position, oracle, now, report)?;
                self.position = Some(position);
            }
            Heard::Gap { reason, from, to, position } => {
                match reason.as_str() {
                    "epoch" if self.outdated => {
                        report.epochs += 1;
                        self.begin_at_start();
                    }
                    "trimmed" if !self.outdated => {
                        report.trimmed += 1;
                        self.hear_gap(from, to, oracle)?;
                    }
                    _ => return Err(format!("an unexpected gap: {reason}")),
                }
                self.position = Some(position);
            }
        }
        Ok(())
    }

    fn hear_event(
        &mut self,
        topic: &Topic,
        number: u64,
        position: Position,
        oracle: &Oracle,
        now: Time,
        report: &mut Report,
    ) -> Result<(), String> {
        if self.outdated {
            return Err(format!("{topic} {number} came before the gap that had to be told"));
        }
        if !self.selection.matches(topic) {
            return Err(format!("{topic} was not asked for"));
        }
        let name = known(topic)?;
        let seen = self.seen.get(name).copied().unwrap_or(0);
        if number <= seen {
            return Err(format!("{topic} {number} came again, or after {seen}"));
        }
        let entry = oracle.entry(name, number).ok_or(format!("{topic} {number} never was"))?;
        if position.get(log_of(topic)).map(|mark| mark.offset) != Some(entry.offset) {
            return Err(format!("{topic} {number} came with a wrong position"));
        }
        for missing in seen + 1..number {
            self.check_missing(topic, name, missing, oracle, now, report)?;
        }
        self.seen.insert(name, number);
        Ok(())
    }

    /// A message that did not come: it must have expired, or a told gap must cover it.
    fn check_missing(
        &self,
        topic: &Topic,
        name: &'static str,
        number: u64,
        oracle: &Oracle,
        now: Time,
        report: &mut Report,
    ) -> Result<(), String> {
        let entry = oracle.entry(name, number).ok_or(format!("{topic} {number} never was"))?;
        if entry.is_expired(now) {
            report.expired += 1;
            return Ok(());
        }
        let log = log_of(topic);
        let told = self.gaps.iter().any(|(from, to)| {
            let offset = |position: &Position| position.get(log).map(|mark| mark.offset);
            offset(from).is_some_and(|from| from < entry.offset)
                && offset(to).is_some_and(|to| entry.offset <= to)
        });
        if told && entry.trimmed {
            return Ok(());
        }
        let state = if entry.trimmed { "was trimmed and no gap told it" } else { "is still there" };
        Err(format!("{topic} {number} (offset {}) did not come: it {state}", entry.offset))
    }

    /// A gap is told only when something was lost to this reader, and ends where it was.
    fn hear_gap(&mut self, from: Position, to: Position, oracle: &Oracle) -> Result<(), String> {
        let lost = TOPICS.iter().any(|&(name, log, _)| {
            let topic = Topic::new(name).unwrap();
            let (Some(from), Some(to)) = (from.get(log), to.get(log)) else { return false };
            self.selection.matches(&topic)
                && oracle.entries(name).any(|(_, entry)| {
                    entry.trimmed && from.offset < entry.offset && entry.offset == to.offset
                })
        });
        if !lost {
            return Err(format!("a gap from {from} to {to} was told, but nothing was lost"));
        }
        self.gaps.push((from, to));
        Ok(())
    }

    /// Everything has been delivered: nothing may be missing any more.
    pub(crate) fn check_caught_up(
        &self,
        oracle: &Oracle,
        now: Time,
        report: &mut Report,
    ) -> Result<(), String> {
        if self.outdated {
            return Err("the gap of the new epoch was never told".to_owned());
        }
        for (name, ..) in TOPICS {
            let topic = Topic::new(name).unwrap();
            if self.selection.matches(&topic) {
                let seen = self.seen.get(name).copied().unwrap_or(0);
                for missing in seen + 1..=oracle.count(name) {
                    self.check_missing(&topic, name, missing, oracle, now, report)?;
                }
            }
        }
        Ok(())
    }
}

fn known(topic: &Topic) -> Result<&'static str, String> {
    let known = TOPICS.iter().find(|(name, ..)| *name == topic.as_str());
    known.map(|&(name, ..)| name).ok_or_else(|| format!("{topic} is no topic of this run"))
}
