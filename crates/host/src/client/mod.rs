//! One machine and its subscriptions.

mod carry;
mod identity;
mod subscribing;

use std::collections::VecDeque;
use std::sync::Arc;

use smallvec::SmallVec;
use tidings_access::Identity;
use tidings_broker::{Owner, Recalled, Shard, SubKey};
use tidings_log::Budget;
use tidings_model::{ComeBack, Time, Topic, TopicFilter};
use tidings_protocol::{Frame, Input, Outputs, Protocol, Request, SubId, Ticket};

use crate::{Carrier, House, Outcome};
use subscribing::{News, Told};

/// What one machine is given of one subscription before others get their turn: enough for large
/// writes, little enough to be fair.
const BUDGET: Budget = Budget { records: 256, bytes: 256 * 1024 };

/// One machine, what it reads, and what it waits for.
pub struct Client {
    owner: Owner,
    machine: Box<dyn Protocol>,
    /// Who it is for; nothing before that is known, or where nobody has to be anybody.
    identity: Option<Arc<Identity>>,
    /// Mostly one, which is why that takes no memory of its own.
    subscriptions: SmallVec<[Reading; 1]>,
    /// Subscriptions whose sessions are being stored. Few clients ever have any.
    #[expect(clippy::box_collection, reason = "one word instead of three where there is none")]
    storing: Option<Box<Vec<Told>>>,
    /// What topics say that is to be looked up when the carrier is no longer full.
    #[expect(clippy::box_collection, reason = "one word instead of three where there is none")]
    recalls: Option<Box<Vec<Recall>>>,
    /// Outcomes that are to come.
    waiting: u32,
    state: State,
    /// Whether the carrier was given something that its connection may not have taken yet.
    is_owed: bool,
    /// Whether only the headers of the answer reach anyone (`HEAD`).
    is_silent: bool,
}

/// The machine of nobody.
struct Gone;

impl Protocol for Gone {
    fn handle(&mut self, _: Input<'_>, _: Time, _: &mut Outputs) {}
}

/// Something to be looked up: what topics say, from the one after another.
type Recall = (Ticket, TopicFilter, Option<Topic>);

struct Reading {
    sub: SubId,
    key: SubKey,
    /// The first deliveries are handed over even when there are none.
    begun: bool,
    /// Whether it is a durable session.
    in_session: bool,
    /// Whether that session has arrived at what the connection has taken.
    is_paced: bool,
    /// Nothing is handed over before its session is stored.
    is_held: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Has neither answered nor begun to.
    Opening,
    /// Has begun a streamed answer or a WebSocket.
    Open,
    /// Has answered or closed; takes no more input.
    Done,
}

impl Client {
    /// A client whose machine has not been fed yet. `owner` is what the driver knows it by.
    pub fn new(owner: Owner, machine: Box<dyn Protocol>) -> Client {
        Client {
            owner,
            machine,
            identity: None,
            subscriptions: SmallVec::new(),
            storing: None,
            recalls: None,
            waiting: 0,
            state: State::Opening,
            is_owed: false,
            is_silent: false,
        }
    }

    /// Nobody: stands where a client was that went elsewhere.
    pub fn gone() -> Client {
        Client { state: State::Done, ..Client::new(0, Box::new(Gone)) }
    }

    /// Whether the machine has said all it will say.
    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }

    /// Whether the answer waits for an outcome, and only for that.
    pub fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// How many outcomes are to come.
    pub fn outstanding(&self) -> u32 {
        self.waiting
    }

    /// Whether it matters to anyone what its connection has taken: to a durable session.
    pub fn is_session(&self) -> bool {
        self.subscriptions.iter().any(|reading| reading.in_session)
    }

    /// Feeds the request; then whatever there is to read.
    pub fn open(&mut self, request: &Request, house: &mut House<'_>, carrier: &mut dyn Carrier) {
        self.is_silent = request.is_head();
        self.become_known(request.identity.clone(), carrier);
        self.feed(Input::Opened(request), house, carrier);
        self.deliver(house, carrier);
    }

    /// Feeds that a peer has connected by a raw stream, which needs no answer to be open.
    pub fn connected(&mut self, house: &mut House<'_>, carrier: &mut dyn Carrier) {
        self.state = State::Open;
        self.feed(Input::Connected, house, carrier);
    }

    /// Feeds bytes of a raw stream.
    pub fn bytes(&mut self, bytes: &[u8], house: &mut House<'_>, carrier: &mut dyn Carrier) {
        self.feed(Input::Bytes(bytes), house, carrier);
    }

    /// Feeds a WebSocket message.
    pub fn frame(&mut self, frame: Frame<'_>, house: &mut House<'_>, carrier: &mut dyn Carrier) {
        self.feed(Input::Frame(frame), house, carrier);
    }

    /// Feeds the outcome of something the client waited for.
    pub fn ended(&mut self, outcome: Outcome, house: &mut House<'_>, carrier: &mut dyn Carrier) {
        self.waiting = self.waiting.saturating_sub(1);
        match outcome {
            Outcome::Published(ticket, result) => {
                self.feed(Input::Published(ticket, result), house, carrier);
            }
            Outcome::Managed(ticket, result) => {
                self.feed(Input::Managed(ticket, result), house, carrier);
            }
            Outcome::Authenticated(ticket, attempt, result) => {
                self.authenticated(ticket, *attempt, result, house, carrier);
            }
            Outcome::Stored(sub, result) => self.stored(sub, result, house, carrier),
            Outcome::Recalled(ticket, Recalled { records, next }) => {
                self.feed(Input::Recalled(ticket, &records, next), house, carrier);
            }
        }
    }

    /// The connection has taken everything it was given.
    pub fn taken(&mut self, now: Time, shard: &mut Shard) {
        self.is_owed = false;
        for reading in self.subscriptions.iter().filter(|reading| reading.in_session) {
            if !self.is_silent {
                shard.taken(reading.key);
            }
        }
        if self.state == State::Done {
            self.leave(now, shard);
        }
    }

    /// The time the machine asked for has come. It learns first how far its readers have come, so
    /// that a heartbeat carries a position that spares work later.
    pub fn deadline(&mut self, house: &mut House<'_>, carrier: &mut dyn Carrier) {
        if self.is_expired(house.now) {
            return self.expire(house, carrier);
        }
        self.watch_expiry(carrier);
        for index in 0..self.subscriptions.len() {
            let Reading { sub, key, .. } = self.subscriptions[index];
            if let (false, Some(position)) = (house.shard.is_ready(key), house.shard.position(key))
            {
                let input = Input::Deliveries { sub, deliveries: &[], position, caught_up: true };
                self.feed(input, house, carrier);
            }
        }
        self.feed(Input::Deadline, house, carrier);
    }

    /// The server shuts down.
    pub fn closing(
        &mut self,
        come_back: ComeBack,
        house: &mut House<'_>,
        carrier: &mut dyn Carrier,
    ) {
        self.feed(Input::Closing(come_back), house, carrier);
    }

    /// Gives the machine what its subscriptions have to read, until the carrier is full. Says
    /// whether there is more.
    ///
    /// A session is read only when the connection has taken all it was given before: so one that is
    /// cut while it is far behind need not take all of that again.
    pub fn deliver(&mut self, house: &mut House<'_>, carrier: &mut dyn Carrier) -> bool {
        self.recall_later(house, carrier);
        let is_behind = self.is_owed && self.subscriptions.iter().any(|r| r.is_paced);
        let mut more = false;
        let mut index = 0;
        while index < self.subscriptions.len() && self.state != State::Done {
            let Reading { sub, key, begun, in_session, is_paced, is_held } =
                self.subscriptions[index];
            if in_session && let Some(end) = house.shard.ended(key) {
                self.unsubscribe(sub, house.now, house.shard);
                self.feed(Input::Ended(sub, end), house, carrier);
                continue;
            }
            if house.shard.is_ready(key) && !is_held {
                if is_paced && is_behind || carrier.is_full() {
                    house.shard.step_back(key);
                    return true;
                }
                more |= self.read(sub, key, begun, house, carrier);
                if let Some(reading) = self.subscriptions.get_mut(index) {
                    reading.begun = true;
                }
            }
            index += 1;
        }
        more && self.state != State::Done
    }

    /// Reads one subscription once; says whether there is more.
    fn read(
        &mut self,
        sub: SubId,
        key: SubKey,
        begun: bool,
        house: &mut House<'_>,
        carrier: &mut dyn Carrier,
    ) -> bool {
        let mut deliveries = std::mem::take(house.deliveries);
        let Some(read) = house.shard.read(key, house.now, BUDGET, &mut deliveries) else {
            return false;
        };
        if !(read.waits || begun && deliveries.is_empty()) {
            let input = Input::Deliveries {
                sub,
                deliveries: &deliveries,
                position: read.position,
                caught_up: read.caught_up,
            };
            self.feed(input, house, carrier);
        }
        deliveries.clear();
        *house.deliveries = deliveries;
        !read.caught_up && !read.waits
    }

    /// Ends every subscription. Must be called when the driver lets go of the client.
    pub fn leave(&mut self, now: Time, shard: &mut Shard) {
        self.state = State::Done;
        self.storing = None;
        for reading in self.subscriptions.drain(..) {
            shard.unsubscribe(reading.key, now);
        }
    }

    /// Feeds one input, carries out all outputs, and goes on with what they bring about.
    fn feed(&mut self, input: Input<'_>, house: &mut House<'_>, carrier: &mut dyn Carrier) {
        if self.state == State::Done {
            return;
        }
        let mut outputs = std::mem::take(house.outputs);
        let mut told = VecDeque::new();
        self.machine.handle(input, house.now, &mut outputs);
        loop {
            while let Some(output) = outputs.pop() {
                self.carry_out(output, house, carrier, &mut told);
            }
            match told.pop_front() {
                None => break,
                Some(News::Subscribed(told)) => {
                    self.tell(told, house.now, &mut outputs);
                }
                Some(News::Selected(sub, position, refused)) => {
                    let input = Input::Selected(sub, position, &refused);
                    self.machine.handle(input, house.now, &mut outputs);
                }
            }
        }
        *house.outputs = outputs;
        if self.state == State::Done {
            self.finish(house.now, house.shard);
        }
    }

    /// All is said. What its carrier still has to deliver of a session has not arrived yet, so that
    /// one stays until the carrier has; everything else ends.
    fn finish(&mut self, now: Time, shard: &mut Shard) {
        if !self.is_owed {
            return self.taken(now, shard);
        }
        self.storing = None;
        self.subscriptions.retain(|reading| {
            if !reading.in_session {
                shard.unsubscribe(reading.key, now);
            }
            reading.in_session
        });
    }
}
