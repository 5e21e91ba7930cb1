//! Who the members of a share are, what each was dealt, and what is to be dealt next.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use tidings_log::{Cursor, Found, Log};
use tidings_model::{
    Delivery, Event, LogKind, Mark, PerLog, Position, Record, Selection, SessionName, Time,
};

use crate::shard::SubKey;

/// How a share is.
pub(super) struct State {
    pub(super) selection: Option<Arc<Selection>>,
    /// Up to where it was dealt out, in each log.
    read: PerLog<Option<Mark>>,
    /// What was dealt out and is not settled.
    dealt: Vec<Dealt>,
    /// What members left behind, the oldest first.
    returned: VecDeque<(Arc<Record>, u32)>,
    members: Vec<Member>,
    /// Whose turn it is.
    turn: usize,
    numbers: u64,
    /// Sessions that are members also while nobody is connected to them.
    pub(super) sessions: BTreeSet<SessionName>,
    /// Whether somebody reads for it on another thread.
    pub(super) is_loading: bool,
    /// Whether it has changed since it was stored.
    pub(super) is_unsaved: bool,
    /// Whether the log has it.
    pub(super) is_stored: bool,
    /// Whether it is in the list no more.
    pub(super) is_gone: bool,
}

struct Dealt {
    record: Arc<Record>,
    member: u64,
    attempt: u32,
}

struct Member {
    number: u64,
    place: (usize, SubKey),
    /// How many messages it still has room for.
    room: usize,
    /// What it was dealt and has not taken.
    hand: VecDeque<(Arc<Record>, u32)>,
    is_awake: bool,
}

/// Something that was found and is to be dealt.
pub(super) struct Dealing {
    log: LogKind,
    epoch: u32,
    found: Found,
}

/// What was read, and up to where.
pub(super) struct Loaded {
    through: (LogKind, Mark),
    records: Vec<Arc<Record>>,
}

impl Dealing {
    pub(super) fn new(log: LogKind, epoch: u32, found: Found) -> Dealing {
        Dealing { log, epoch, found }
    }

    /// Whether there is nothing to deal after this place.
    pub(super) fn is_nothing_after(&self, from: Cursor) -> bool {
        self.found.is_nothing_after(from)
    }

    pub(super) fn is_hot(&self) -> bool {
        self.found.is_hot()
    }

    /// Reads it. What has expired by the time a member has it is the member's to drop.
    pub(super) fn load(self) -> Loaded {
        let mut records = Vec::new();
        let end = self.found.load(Time::default(), &mut records);
        let mark = Mark { epoch: self.epoch, offset: end.through };
        Loaded { through: (self.log, mark), records }
    }
}

impl State {
    /// A share that begins after this position.
    pub(super) fn new(position: Position) -> State {
        State {
            selection: None,
            read: PerLog::from_fn(|log| position.get(log)),
            dealt: Vec::new(),
            returned: VecDeque::new(),
            members: Vec::new(),
            turn: 0,
            numbers: 0,
            sessions: BTreeSet::new(),
            is_loading: false,
            is_unsaved: false,
            is_stored: false,
            is_gone: false,
        }
    }

    /// Whether it has neither members nor sessions that will be.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.sessions.is_empty()
    }

    pub(super) fn join(&mut self, place: (usize, SubKey)) -> u64 {
        self.numbers += 1;
        let (number, hand) = (self.numbers, VecDeque::new());
        self.members.push(Member { number, place, room: 0, hand, is_awake: false });
        number
    }

    pub(super) fn leave(&mut self, number: u64) {
        self.members.retain(|member| member.number != number);
        let (left, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.dealt).into_iter().partition(|dealt| dealt.member == number);
        self.dealt = kept;
        self.returned.extend(left.into_iter().map(|dealt| (dealt.record, dealt.attempt)));
        let order = |(record, _): &(Arc<Record>, u32)| (record.log, record.mark);
        self.returned.make_contiguous().sort_by_key(order);
    }

    pub(super) fn allow(&mut self, number: u64, room: usize) {
        if let Some(member) = self.members.iter_mut().find(|member| member.number == number) {
            member.room = room.saturating_sub(member.hand.len());
        }
    }

    pub(super) fn settle(&mut self, log: LogKind, mark: Mark) {
        let is_it = |dealt: &Dealt| dealt.record.log == log && dealt.record.mark == mark;
        if let Some(place) = self.dealt.iter().position(is_it) {
            self.dealt.remove(place);
        }
    }

    /// How many messages can be dealt now, if any.
    pub(super) fn room(&self) -> Option<usize> {
        let room = self.members.iter().map(|member| member.room).sum();
        (room > 0 && !self.is_loading && !self.is_gone).then_some(room)
    }

    /// Where to read on in a log. One whose epoch is another is read from its beginning.
    pub(super) fn cursor(&self, log: LogKind, messages: &dyn Log) -> Cursor {
        let offset = match self.read[log] {
            Some(mark) if mark.epoch == messages.end().epoch => mark.offset,
            Some(_) => 0,
            None => messages.end().offset,
        };
        // Losses are not told to a share: nobody of it has seen everything.
        Cursor { offset, told: messages.trims() }
    }

    /// Deals out what members left behind.
    pub(super) fn deal_returned(&mut self) {
        while self.room().is_some()
            && let Some((record, attempt)) = self.returned.pop_front()
        {
            self.give(record, attempt + 1);
        }
    }

    /// Deals out what was read.
    pub(super) fn deal(&mut self, loaded: Loaded) {
        let (log, through) = loaded.through;
        self.read[log] = Some(through);
        for record in loaded.records {
            match self.members.iter().any(|member| member.room > 0) {
                true => self.give(record, 1),
                // Members may have gone while it was read.
                false => self.returned.push_back((record, 0)),
            }
        }
    }

    /// Gives a message to whoever's turn it is and has room.
    fn give(&mut self, record: Arc<Record>, attempt: u32) {
        let count = self.members.len();
        let next = (0..count).map(|step| (self.turn + step) % count);
        let Some(place) = next.into_iter().find(|&place| self.members[place].room > 0) else {
            return self.returned.push_front((record, attempt - 1));
        };
        self.turn = place + 1;
        let member = &mut self.members[place];
        member.room -= 1;
        member.is_awake = true;
        member.hand.push_back((Arc::clone(&record), attempt));
        self.dealt.push(Dealt { record, member: member.number, attempt });
    }

    /// Who was dealt something and is to be woken.
    pub(super) fn take_awake(&mut self) -> Vec<(usize, SubKey)> {
        let awake = self.members.iter_mut().filter(|member| member.is_awake);
        awake
            .map(|member| {
                member.is_awake = false;
                member.place
            })
            .collect()
    }

    pub(super) fn take(&mut self, number: u64, deliveries: &mut Vec<Delivery>) {
        let Some(member) = self.members.iter_mut().find(|member| member.number == number) else {
            return;
        };
        deliveries.extend(member.hand.drain(..).map(|(record, attempt)| {
            let position = Position::at(record.log, record.mark);
            Delivery::Event(Event { record, position, attempt })
        }));
    }

    /// Everything up to here has arrived at some member.
    pub(super) fn settled(&self) -> Position {
        let mut position = Position::default();
        for log in LogKind::ALL {
            let Some(mut mark) = self.read[log] else { continue };
            let open = self.dealt.iter().map(|dealt| &dealt.record);
            let open = open.chain(self.returned.iter().map(|(record, _)| record));
            for record in open.filter(|record| record.log == log) {
                mark.offset = mark.offset.min(record.mark.offset - 1);
            }
            position = position.with(log, mark);
        }
        position
    }
}
