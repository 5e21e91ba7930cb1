//! The load: any number of listeners and speakers on one thread, one event loop, no task each.
//!
//! Must never let the client's own work hide behind the server's: what it costs is measured by
//! whoever runs it, and a message's time is that at which it was meant to be sent.

mod connection;
mod frames;
mod group;
mod http;
mod latency;
mod listen;
mod mark;
mod mqtt;
#[cfg(test)]
mod proof;
mod publishing;
mod secure;
mod speak;
mod talk;
mod tally;
mod timers;
mod turns;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use mio::{Events, Poll, Token};

use crate::target::Publish;
use connection::{Connection, Owner, Stage};
use publishing::Publishing;
use timers::{Clock, Due, Timers};

pub(crate) use connection::Slow;
pub(crate) use group::Heard;
pub(crate) use latency::Latency;
pub(crate) use listen::{Begin, ListenPlan};
pub(crate) use publishing::{Pace, PublishPlan};
pub(crate) use secure::Trust;

/// Connections that are opened at a time: fewer than any server's queue of new ones.
const OPENING_MAX: usize = 256;
/// Events of one look at the sockets.
const EVENTS: usize = 1024;
/// What is read at a time. All connections share it.
const READ_BYTES: usize = 64 << 10;
/// The group of the speakers, who hear nothing.
const SILENT: usize = 0;
/// The token of the timer; connections have their own numbers.
const TIMER: Token = Token(usize::MAX);
/// The longest wait without a look at the time.
const LOOK: Duration = Duration::from_millis(50);

/// A load on one server.
pub(crate) struct Load {
    address: SocketAddr,
    /// Where everything goes over TLS: what that begins with.
    trust: Option<Trust>,
    clock: Clock,
    poll: Poll,
    timers: Timers,
    connections: Vec<Connection>,
    /// Connections that are to be opened, and how many are at it.
    to_open: VecDeque<usize>,
    opening: usize,
    /// Connections that may have more to be read.
    unread: VecDeque<usize>,
    groups: Vec<Heard>,
    publishings: Vec<Publishing>,
    /// How many messages of each stream were published.
    published: Vec<u32>,
    /// Messages that were delivered since the load began.
    delivered: u64,
    /// What is read, and what is to be written.
    buffer: Vec<u8>,
    out: Vec<u8>,
}

/// The streams of a publishing: what listeners to its topics expect.
#[derive(Clone, Debug)]
pub(crate) struct Streams {
    base: u32,
    /// Of each topic.
    each: u32,
}

impl Streams {
    /// All of them as if they were of one topic: for a listener to a filter that matches each.
    pub(crate) fn as_one(&self, topics: usize) -> Streams {
        let topics = u32::try_from(topics).unwrap_or(u32::MAX);
        Streams { base: self.base, each: self.each * topics }
    }
}

impl Load {
    /// No load yet.
    ///
    /// # Errors
    /// When the system gives no event queue.
    pub(crate) fn new(address: SocketAddr, trust: Option<Trust>) -> anyhow::Result<Load> {
        let poll = Poll::new()?;
        Ok(Load {
            address,
            trust,
            clock: Clock::start(),
            timers: Timers::new(poll.registry(), TIMER)?,
            poll,
            connections: Vec::new(),
            to_open: VecDeque::new(),
            opening: 0,
            unread: VecDeque::new(),
            groups: vec![Heard::new()?],
            publishings: Vec::new(),
            published: Vec::new(),
            delivered: 0,
            buffer: vec![0; READ_BYTES],
            out: Vec::new(),
        })
    }

    /// Adds a publishing with its connections, which are opened when the load runs.
    ///
    /// # Errors
    /// When the target does not offer what the plan asks for.
    pub(crate) fn speak(&mut self, form: &Publish, plan: PublishPlan) -> anyhow::Result<usize> {
        let base = u32::try_from(self.published.len()).context("too many streams")?;
        let streams = plan.topics.len() * plan.connections;
        self.published.resize(self.published.len() + streams, 0);
        let (host, count, batch) = (self.address.to_string(), plan.connections, plan.batch > 1);
        let index = self.publishings.len();
        let mut publishing = Publishing::new(plan, base)?;
        for number in 0..count {
            let talk = speak::speaker(form, &host, batch)?;
            publishing.add(self.connections.len(), talk.in_flight_max());
            self.add(Connection::new(talk, Owner::Speaker(index, number), None));
        }
        self.publishings.push(publishing);
        Ok(index)
    }

    /// The streams of a publishing.
    pub(crate) fn streams(&self, publishing: usize) -> Streams {
        let publishing = &self.publishings[publishing];
        let each = u32::try_from(publishing.plan.connections).unwrap_or(u32::MAX);
        Streams { base: publishing.base, each }
    }

    /// Adds a group without listeners.
    ///
    /// # Errors
    /// Never; see [`Latency::new`].
    pub(crate) fn group(&mut self) -> anyhow::Result<usize> {
        self.groups.push(Heard::new()?);
        Ok(self.groups.len() - 1)
    }

    /// Adds a listener to a group, for the topic of this number among those of `streams`.
    ///
    /// # Errors
    /// When the target does not offer what the plan asks for.
    pub(crate) fn listen(
        &mut self,
        group: usize,
        plan: &Rc<ListenPlan>,
        topic: (usize, &str),
        streams: &Streams,
        slow: Option<Slow>,
    ) -> anyhow::Result<()> {
        let base = streams.base + streams.each * u32::try_from(topic.0)?;
        let talk = listen::listener(plan, topic.1, base..base + streams.each)?;
        self.add(Connection::new(talk, Owner::Listener(group), slow));
        Ok(())
    }

    fn add(&mut self, connection: Connection) {
        self.to_open.push_back(self.connections.len());
        self.connections.push(connection);
    }

    /// Lets a publishing go on, for so many publishes at most.
    pub(crate) fn begin(&mut self, publishing: usize, publishes: u64) {
        let now = self.clock.now();
        self.publishings[publishing].begin(now, publishes, self.delivered);
    }

    /// Lets it end; what is under way is still answered.
    pub(crate) fn stop(&mut self, publishing: usize) {
        self.publishings[publishing].stop();
    }

    /// What a group has heard.
    pub(crate) fn heard(&self, group: usize) -> &Heard {
        &self.groups[group]
    }

    /// A publishing.
    pub(crate) fn publishing(&self, publishing: usize) -> &Publishing {
        &self.publishings[publishing]
    }

    /// How many messages a publishing has published since the load began.
    pub(crate) fn published(&self, publishing: usize) -> u64 {
        let Publishing { base, plan, .. } = &self.publishings[publishing];
        let (base, count) = (*base as usize, plan.topics.len() * plan.connections);
        self.published[base..base + count].iter().map(|count| u64::from(*count)).sum()
    }

    /// Begins a measurement: forgets times and counts.
    pub(crate) fn begin_measurement(&mut self) {
        self.groups.iter_mut().for_each(Heard::begin_measurement);
        self.publishings.iter_mut().for_each(Publishing::begin_measurement);
    }

    /// Messages that the listeners of a group never got, those in between and those at the end.
    pub(crate) fn lost(&self, group: usize) -> u64 {
        let tail: u64 = self.listeners(group).map(|c| c.talk.missing(&self.published)).sum();
        tail.saturating_add_signed(self.groups[group].faults.lost)
    }

    fn listeners(&self, group: usize) -> impl Iterator<Item = &Connection> {
        self.connections.iter().filter(move |connection| connection.listens_in(group))
    }

    /// Cuts some listeners of a group, and has them come back after a while.
    pub(crate) fn cut(&mut self, group: usize, which: Range<usize>, back_after: Duration) {
        let at = self.clock.now() + u64::try_from(back_after.as_nanos()).unwrap_or(u64::MAX);
        let all: Vec<usize> = (0..self.connections.len())
            .filter(|index| self.connections[*index].listens_in(group))
            .skip(which.start)
            .take(which.len())
            .collect();
        for index in all {
            if self.connections[index].stage == Stage::Open {
                self.groups[group].ready -= 1;
                self.connections[index].cut();
                self.timers.add(at, index, Due::Open);
            }
        }
    }

    /// Runs for a while.
    ///
    /// # Errors
    /// As [`Load::until`].
    pub(crate) fn run(&mut self, span: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + span;
        self.until("the time is over", span + Duration::from_secs(60), |_| Instant::now() >= end)
    }

    /// Runs until something is true.
    ///
    /// # Errors
    /// When it is not in time, naming `what`; or when the system fails.
    pub(crate) fn until(
        &mut self,
        what: &str,
        limit: Duration,
        mut is_true: impl FnMut(&Load) -> bool,
    ) -> anyhow::Result<()> {
        let end = Instant::now() + limit;
        let mut events = Events::with_capacity(EVENTS);
        while !is_true(self) {
            if Instant::now() >= end {
                bail!("waited in vain until {what}: {}", self.state());
            }
            self.turn(&mut events)?;
        }
        Ok(())
    }

    /// Runs until the listeners of a group have everything, or get nothing more for that long.
    ///
    /// # Errors
    /// As [`Load::until`].
    pub(crate) fn settle(&mut self, group: usize, patience: Duration) -> anyhow::Result<()> {
        let mut heard = self.groups[group].delivered;
        let mut silent_since = Instant::now();
        while self.lost(group) > 0 && silent_since.elapsed() < patience {
            self.run(LOOK)?;
            let now = self.groups[group].delivered;
            if now != heard {
                (heard, silent_since) = (now, Instant::now());
            }
        }
        Ok(())
    }

    /// Runs until all connections are there.
    ///
    /// # Errors
    /// As [`Load::until`].
    pub(crate) fn until_open(&mut self, limit: Duration) -> anyhow::Result<()> {
        self.until("all connections are open", limit, Load::is_open)
    }

    /// Whether all connections are there, as far as was heard.
    pub(crate) fn is_open(&self) -> bool {
        let open = |connection: &Connection| connection.stage == Stage::Open;
        self.opening == 0 && self.to_open.is_empty() && self.connections.iter().all(open)
    }

    /// What is to be known when something does not come about.
    fn state(&self) -> String {
        let open = self.connections.iter().filter(|c| c.stage == Stage::Open).count();
        let complaints: Vec<&str> = self
            .groups
            .iter()
            .flat_map(|heard| heard.complaints.iter().map(String::as_str))
            .collect();
        let missing: u64 = (0..self.groups.len()).map(|group| self.lost(group)).sum();
        format!(
            "{open} of {} connections are open, {} messages were delivered, {missing} are missing; {}",
            self.connections.len(),
            self.delivered,
            if complaints.is_empty() { "no complaints".into() } else { complaints.join("; ") }
        )
    }
}
