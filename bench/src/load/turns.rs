//! The event loop: one turn after another.

use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use mio::{Events, Interest, Token};

use super::connection::{Owner, Stage, connect};
use super::talk::{Talk, Turn};
use super::timers::Due;
use super::{LOOK, Load, OPENING_MAX, SILENT, TIMER, Trust};

/// How soon a connection that broke is opened again: as a client that tries at once.
const BACK_AFTER: Duration = Duration::from_millis(20);

impl Load {
    /// One look at everything: opens what is to be opened, publishes what is due, waits for
    /// something to happen and deals with it.
    pub(super) fn turn(&mut self, events: &mut Events) -> anyhow::Result<()> {
        while self.opening < OPENING_MAX
            && let Some(index) = self.to_open.pop_front()
        {
            self.open(index)?;
        }
        self.publish()?;
        let due = self.publishings.iter().filter_map(|publishing| publishing.due()).min();
        self.timers.arm(self.clock.now(), due)?;
        let wait = if self.unread.is_empty() { LOOK } else { Duration::ZERO };
        match self.poll.poll(events, Some(wait)) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            result => result.context("cannot wait for sockets")?,
        }
        for event in events.iter() {
            if event.token() == TIMER {
                self.timers.rang();
                continue;
            }
            let index = event.token().0;
            if event.is_writable() {
                self.writable(index)?;
            }
            // Its end is told only once, perhaps with the bytes before it.
            let has_ended = event.is_read_closed() || event.is_error();
            if event.is_readable() || has_ended {
                self.readable(index)?;
            }
            if has_ended && self.connections[index].socket.is_some() {
                self.unread.push_back(index);
            }
        }
        for _ in 0..self.unread.len() {
            if let Some(index) = self.unread.pop_front() {
                self.readable(index)?;
            }
        }
        let now = self.clock.now();
        while let Some((index, due)) = self.timers.pop(now) {
            match due {
                Due::Open => self.to_open.push_back(index),
                Due::Wake(life) if life == self.connections[index].life => {
                    self.talk(index, |talk, turn| {
                        talk.wake(turn);
                        Ok(())
                    })?;
                }
                Due::Sip(life) if life == self.connections[index].life => self.sip(index)?,
                Due::Wake(_) | Due::Sip(_) => {}
            }
        }
        Ok(())
    }

    fn open(&mut self, index: usize) -> anyhow::Result<()> {
        let mut socket = connect(self.address, index).context("cannot open a connection")?;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, Token(index), both)?;
        let begin = |trust: &Trust| trust.begin(self.address.ip()).map(Box::new);
        let tls = self.trust.as_ref().map(begin).transpose()?;
        let connection = &mut self.connections[index];
        (connection.socket, connection.tls) = (Some(socket), tls);
        connection.stage = Stage::Opening;
        self.opening += 1;
        // Its first word waits until it is writable, that is connected.
        self.talk(index, |talk, turn| {
            talk.begin(turn);
            Ok(())
        })?;
        if let Some(slow) = self.connections[index].slow {
            let life = self.connections[index].life;
            self.timers.add(self.clock.now() + slow.every, index, Due::Sip(life));
        }
        Ok(())
    }

    fn writable(&mut self, index: usize) -> anyhow::Result<()> {
        match self.connections[index].send(&[]) {
            Ok(()) => Ok(()),
            Err(error) => self.broken(index, &error.into()),
        }
    }

    fn readable(&mut self, index: usize) -> anyhow::Result<()> {
        // A slow one reads everything until it listens, and then only when its time comes.
        if self.connections[index].slow.is_some() && self.connections[index].stage == Stage::Open {
            return Ok(());
        }
        // One read in a turn: who has much to read must not keep the others waiting.
        if self.read(index, self.buffer.len())? {
            self.unread.push_back(index);
        }
        Ok(())
    }

    /// Reads a little.
    fn sip(&mut self, index: usize) -> anyhow::Result<()> {
        let Some(slow) = self.connections[index].slow else { return Ok(()) };
        let life = self.connections[index].life;
        if self.connections[index].stage == Stage::Open {
            self.read(index, slow.bytes.min(self.buffer.len()))?;
        }
        if self.connections[index].life == life {
            self.timers.add(self.clock.now() + slow.every, index, Due::Sip(life));
        }
        Ok(())
    }

    /// Reads once; returns whether there may be more.
    fn read(&mut self, index: usize, most: usize) -> anyhow::Result<bool> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = self.connections[index].receive(&mut buffer[..most]);
        let end = match read {
            Ok(None) => Ok(false),
            Ok(Some(0)) => self.broken(index, &anyhow!("the server ended it")).map(|()| false),
            Ok(Some(count)) => {
                let life = self.connections[index].life;
                let took = self.talk(index, |talk, turn| {
                    turn.heard.bytes += count as u64;
                    talk.read(&buffer[..count], turn)
                });
                // What fits says that there is no more: the queue of events tells of the next.
                took.map(|()| count == most && self.connections[index].life == life)
            }
            Err(error) => self.broken(index, &error.into()).map(|()| false),
        };
        self.buffer = buffer;
        end
    }

    /// Gives a conversation its turn, and does what it asks for.
    fn talk(
        &mut self,
        index: usize,
        act: impl FnOnce(&mut dyn Talk, &mut Turn<'_>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let now = self.clock.now();
        let mut out = std::mem::take(&mut self.out);
        out.clear();
        let connection = &mut self.connections[index];
        let group = match connection.owner {
            Owner::Listener(group) => group,
            // What a speaker reads is heard by nobody; any group does.
            Owner::Speaker(..) => SILENT,
        };
        let heard = &mut self.groups[group];
        let delivered_before = heard.delivered;
        let mut turn = Turn {
            now,
            out: &mut out,
            heard,
            published: &self.published,
            ready: false,
            wake_at: None,
            accepted: 0,
            refused: 0,
        };
        let end = act(&mut *connection.talk, &mut turn);
        let Turn { ready, wake_at, accepted, refused, .. } = turn;
        self.delivered += self.groups[group].delivered - delivered_before;
        let end = end.and_then(|()| Ok(self.connections[index].send(&out)?));
        self.out = out;
        if let Err(error) = end {
            return self.broken(index, &error);
        }
        if let Some(at) = wake_at {
            self.timers.add(at, index, Due::Wake(self.connections[index].life));
        }
        if ready {
            self.ready(index);
        }
        if let Owner::Speaker(publishing, number) = self.connections[index].owner {
            self.publishings[publishing].answered(number, accepted, refused, now);
        }
        Ok(())
    }

    fn ready(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        if connection.stage != Stage::Opening {
            return;
        }
        connection.stage = Stage::Open;
        self.opening -= 1;
        match connection.owner {
            Owner::Listener(group) => self.groups[group].ready += 1,
            Owner::Speaker(publishing, number) => {
                self.publishings[publishing].speakers[number].ready = true;
            }
        }
    }

    /// A connection broke. It comes back by itself, but a message that was under way may be lost
    /// or not, and no figure would be true after that.
    fn broken(&mut self, index: usize, why: &anyhow::Error) -> anyhow::Result<()> {
        let connection = &mut self.connections[index];
        let stage = connection.stage;
        connection.cut();
        if stage == Stage::Opening {
            self.opening -= 1;
        }
        match connection.owner {
            Owner::Speaker(publishing, number) => {
                if !self.publishings[publishing].lose(number) {
                    bail!("a publisher's connection broke: {why:#}");
                }
            }
            Owner::Listener(group) => {
                self.groups[group].complain(why);
                if stage == Stage::Open {
                    self.groups[group].ready -= 1;
                }
            }
        }
        let after = u64::try_from(BACK_AFTER.as_nanos()).unwrap_or(u64::MAX);
        self.timers.add(self.clock.now() + after, index, Due::Open);
        Ok(())
    }

    fn publish(&mut self) -> anyhow::Result<()> {
        for index in 0..self.publishings.len() {
            self.publishings[index].decide(self.clock.now(), self.delivered);
            while let Some(saying) =
                self.publishings[index].next(self.clock.now(), &mut self.published)
            {
                let publishing = &self.publishings[index];
                let connection = publishing.speakers[saying.speaker].connection;
                let topic = publishing.plan.topics[saying.topic].clone();
                self.talk(connection, |talk, turn| {
                    talk.publish(&topic, &saying.payload, turn);
                    Ok(())
                })?;
            }
        }
        Ok(())
    }
}
