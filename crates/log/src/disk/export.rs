//! Reading a log that nobody uses, from its first message to its last. Must never change it, nor
//! pass over something without counting it.

use std::io;

use tidings_model::{LogKind, Record, Selection, Time, TopicFilter};

use super::files::Disk;
use super::identity::{self, Identity};
use super::marks::Marks;
use super::recover::{self, Damage, Loaded, Purpose};
use super::state::State;
use crate::{Budget, Cursor, Policy};

/// How much is found before it is read. Bounds what is held at once, not what is read.
const AT_ONCE: Budget = Budget { records: 1024, bytes: 8 << 20 };

/// A log on a disk that nobody uses.
pub struct ClosedLog {
    pub(super) state: State,
    pub(super) kind: LogKind,
    damages: Vec<Damage>,
    /// Since when what has expired is passed over.
    expired_at: Option<Time>,
}

/// What became of the messages that were to be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Messages that were handed over.
    pub messages: u64,
    /// Messages that had expired and were passed over.
    pub expired: u64,
    /// Messages that cannot be read any more.
    pub unreadable: u64,
}

impl ClosedLog {
    /// Reads all of the log that lies on `disk`, so that what is damaged is known.
    ///
    /// # Errors
    /// When there is no log, it is of a newer format, or a file cannot be read.
    pub fn open(disk: &dyn Disk, kind: LogKind) -> io::Result<ClosedLog> {
        let identity = identity::read(disk)?.ok_or_else(identity::missing)?;
        let (state, damages) = load(disk, identity)?;
        Ok(ClosedLog { state, kind, damages, expired_at: None })
    }

    /// What is damaged.
    pub fn damages(&self) -> &[Damage] {
        &self.damages
    }

    /// Passes over what a log that is opened at `now` with this policy would not keep. Returns how
    /// many messages that are.
    pub fn keep(&mut self, now: Time, policy: &Policy) -> u64 {
        let before = self.kept();
        self.state.retain_all(now, policy);
        self.expired_at = Some(now);
        before - self.kept()
    }

    fn kept(&self) -> u64 {
        self.state.topics.iter().map(|topic| topic.count).sum()
    }

    /// Every topic there is, also those that wildcards do not match.
    pub fn everything(&self) -> Selection {
        let topics = self.state.topics.iter().map(|topic| &topic.name);
        let reserved = topics.filter(|topic| topic.is_reserved()).map(TopicFilter::from);
        Selection::new(reserved.chain(TopicFilter::new("**")))
    }

    /// How many messages of these topics there are, expired ones counted.
    pub fn count(&self, wanted: &Selection) -> u64 {
        let topics = self.state.topics.iter().filter(|topic| wanted.matches(&topic.name));
        topics.map(|topic| topic.count).sum()
    }

    /// Hands over the messages of these topics, in order.
    ///
    /// # Errors
    /// What `take` gives back. A message that cannot be read, or is not what was stored, is no
    /// error, but counted.
    pub fn export(
        &self,
        wanted: &Selection,
        take: &mut dyn FnMut(&Record) -> io::Result<()>,
    ) -> io::Result<Exported> {
        let mut exported = Exported::default();
        let mut from = Cursor { offset: 0, told: self.state.losses() };
        let mut records = Vec::new();
        loop {
            let found = self.state.find(wanted, from, AT_ONCE, self.kind);
            let count = found.len();
            // At the beginning of time nothing has expired: what has is counted here.
            let end = found.load(Time::default(), &mut records);
            exported.unreadable += (count - records.len()) as u64;
            for record in records.drain(..) {
                if self.expired_at.is_some_and(|now| record.message.is_expired(now)) {
                    exported.expired += 1;
                } else {
                    take(&record)?;
                    exported.messages += 1;
                }
            }
            if end.caught_up {
                return Ok(exported);
            }
            from.offset = end.through;
        }
    }
}

/// All that lies on a disk, as what it is said to be.
pub(super) fn load(disk: &dyn Disk, identity: Identity) -> io::Result<(State, Vec<Damage>)> {
    let Identity { format, epoch } = identity;
    let mut state = State::new(epoch);
    let mut marks = Marks::load(disk, epoch)?;
    if format == 1 {
        recover::from_format_1(disk, &mut marks)?;
    }
    let Loaded { damages, .. } = recover::load(disk, Purpose::Check, &marks, 1, &mut state)?;
    Ok((state, damages))
}
