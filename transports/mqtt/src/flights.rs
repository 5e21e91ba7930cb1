//! Messages of QoS 1 and 2 on their way to the client (section 4.3). Must never hold a message: one
//! that is to be sent again is read again.
//!
//! The packet identifier of a message follows from its place in the log. So it is the same one when
//! the message is sent again, even by a server that has forgotten everything; and a client of QoS 2
//! knows it again. Where two that are under way would have the same, the later one waits.

use std::collections::VecDeque;

use tidings_model::{LogKind, Mark, Position, Record};
use tidings_mqtt_codec::{PacketId, QoS};
use tidings_protocol::SubId;

/// How many packet identifiers there are.
const IDS: u64 = 65_535;

/// The packet identifier of a message.
pub(crate) fn packet_id(record: &Record) -> PacketId {
    let place = match record.log {
        LogKind::Durable => record.mark.offset % IDS,
        // From the other end, so that the two logs seldom meet.
        LogKind::Volatile => IDS - 1 - record.mark.offset % IDS,
    };
    PacketId::MIN.saturating_add(place as u16)
}

/// A message that was sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flight {
    id: PacketId,
    qos: QoS,
    log: LogKind,
    mark: Mark,
    /// Where the client stands once it and everything before it has arrived.
    position: Position,
    is_done: bool,
    /// The shared subscription that it was dealt to.
    sub: Option<SubId>,
}

/// A message that has arrived, though one before it has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    pub(crate) log: LogKind,
    pub(crate) mark: Mark,
}

/// What is under way.
#[derive(Default)]
pub(crate) struct Flights {
    /// What was read in order, the oldest first.
    ordered: VecDeque<Flight>,
    /// What topics said to begin with, and what was dealt out, in no order.
    others: Vec<Flight>,
    /// Packet identifiers of messages that have arrived and are not yet released by the client
    /// (PUBREL was sent, PUBCOMP is to come).
    pub(crate) released: Vec<PacketId>,
    /// What had arrived out of order in an earlier connection.
    pub(crate) arrived: Vec<Arrived>,
    /// Messages that count against the client's receive maximum.
    open: usize,
    /// Whether what was read in order is of both logs.
    is_mixed: bool,
}

/// How an acknowledgement went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acked {
    /// Nothing of that packet identifier waits for it.
    Unknown,
    /// The message has arrived.
    Arrived,
    /// And it was dealt to this shared subscription, from this place.
    Dealt(SubId, LogKind, Mark),
}

impl Flights {
    /// How many count against the client's receive maximum.
    pub(crate) fn open(&self) -> usize {
        self.open + self.released.len()
    }

    /// How many are remembered, those included that have arrived.
    pub(crate) fn len(&self) -> usize {
        self.ordered.len() + self.others.len() + self.released.len()
    }

    /// Whether a message's packet identifier is another's just now.
    pub(crate) fn is_taken(&self, record: &Record) -> bool {
        let id = packet_id(record);
        // Places that are near each other have different ones.
        let near = |flight: &Flight| {
            let Mark { epoch, offset } = flight.mark;
            flight.log == record.log
                && epoch == record.mark.epoch
                && record.mark.offset > offset
                && record.mark.offset - offset < IDS
        };
        let all_near = !self.is_mixed
            && self.ordered.front().is_none_or(near)
            && self.ordered.back().is_none_or(near);
        (!all_near && self.ordered.iter().any(|flight| flight.id == id && !flight.is_done))
            || self.others.iter().any(|flight| flight.id == id && !flight.is_done)
            || self.released.contains(&id)
    }

    /// Whether a message has arrived in an earlier connection; it will not be asked for again.
    pub(crate) fn had_arrived(&mut self, record: &Record) -> bool {
        let same = |one: &Arrived| one.log == record.log && one.mark == record.mark;
        match self.arrived.iter().position(same) {
            None => false,
            Some(place) => {
                self.arrived.swap_remove(place);
                true
            }
        }
    }

    /// A message was read that has arrived already, or needs no acknowledgement.
    pub(crate) fn passed(&mut self, record: &Record, position: Position) {
        match self.ordered.back_mut() {
            // Nothing is before it that it would have to wait for.
            None => {}
            Some(last) if last.is_done && last.qos == QoS::AtMostOnce => last.position = position,
            Some(_) => {
                let (id, qos, is_done) = (packet_id(record), QoS::AtMostOnce, true);
                let (log, mark) = (record.log, record.mark);
                self.push(Flight { id, qos, log, mark, position, is_done, sub: None });
            }
        }
    }

    fn push(&mut self, flight: Flight) {
        self.is_mixed = match self.ordered.back() {
            None => false,
            Some(last) => self.is_mixed || last.log != flight.log,
        };
        self.ordered.push_back(flight);
    }

    /// A message was sent.
    pub(crate) fn sent(&mut self, record: &Record, qos: QoS, position: Position) -> PacketId {
        let flight = self.flight(record, qos, position);
        self.push(flight);
        flight.id
    }

    /// Something that a topic says was sent.
    pub(crate) fn sent_recalled(&mut self, record: &Record, qos: QoS) -> PacketId {
        let flight = self.flight(record, qos, Position::default());
        self.others.push(flight);
        flight.id
    }

    /// Something that was dealt out was sent.
    pub(crate) fn sent_dealt(&mut self, record: &Record, qos: QoS, sub: SubId) {
        let flight = self.flight(record, qos, Position::default());
        self.others.push(Flight { sub: Some(sub), ..flight });
    }

    /// How much is under way that was dealt to a shared subscription.
    pub(crate) fn dealt(&self, sub: SubId) -> usize {
        self.others.iter().filter(|flight| flight.sub == Some(sub)).count()
    }

    fn flight(&mut self, record: &Record, qos: QoS, position: Position) -> Flight {
        self.open += 1;
        let (id, log, mark) = (packet_id(record), record.log, record.mark);
        Flight { id, qos, log, mark, position, is_done: false, sub: None }
    }

    /// The client has said that a message has arrived: PUBACK for QoS 1, PUBREC for QoS 2.
    pub(crate) fn acked(&mut self, id: PacketId, qos: QoS) -> Acked {
        let is_it = |flight: &Flight| flight.id == id && flight.qos == qos && !flight.is_done;
        if let Some(flight) = self.ordered.iter_mut().find(|flight| is_it(flight)) {
            flight.is_done = true;
            self.open -= 1;
            return Acked::Arrived;
        }
        let Some(place) = self.others.iter().position(is_it) else { return Acked::Unknown };
        self.open -= 1;
        let Flight { sub, log, mark, .. } = self.others[place];
        match sub {
            Some(sub) => {
                self.others.swap_remove(place);
                Acked::Dealt(sub, log, mark)
            }
            None => {
                self.others[place].is_done = true;
                Acked::Arrived
            }
        }
    }

    /// Everything up to here has arrived: what had arrived before it will not be asked for.
    pub(crate) fn forget(&mut self, position: Position) {
        self.arrived.retain(|one| !position.covers(one.log, one.mark));
    }

    /// Whether a message of this packet identifier is under way and waits for another
    /// acknowledgement.
    pub(crate) fn is_open(&self, id: PacketId) -> bool {
        let flights = self.ordered.iter().chain(&self.others);
        flights.into_iter().any(|flight| flight.id == id && !flight.is_done)
    }

    /// Lets go of what has arrived in order. Returns how far the client has come by that.
    pub(crate) fn land(&mut self) -> Option<Position> {
        let mut come_to = None;
        while let Some(flight) = self.ordered.front().filter(|flight| flight.is_done) {
            come_to = Some(flight.position);
            self.ordered.pop_front();
        }
        come_to
    }

    /// Whether everything has arrived that topics said; then it is forgotten.
    pub(crate) fn land_recalled(&mut self) -> bool {
        let mut recalled = self.others.iter().filter(|flight| flight.sub.is_none());
        let all = recalled.all(|flight| flight.is_done);
        if all {
            self.others.retain(|flight| flight.sub.is_some());
        }
        all
    }

    /// Whether everything that was read in order has arrived.
    pub(crate) fn is_level(&self) -> bool {
        self.ordered.is_empty()
    }

    /// What has arrived though something before it has not.
    pub(crate) fn out_of_order(&self) -> impl Iterator<Item = Arrived> {
        let done = self
            .ordered
            .iter()
            .chain(&self.others)
            .filter(|f| f.is_done && f.qos > QoS::AtMostOnce);
        let now = done.map(|&Flight { log, mark, .. }| Arrived { log, mark });
        now.chain(self.arrived.iter().copied())
    }
}
