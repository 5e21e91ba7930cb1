//! What a machine says becomes what the broker and the carrier do.

use std::collections::VecDeque;
use std::sync::Arc;

use tidings_broker::SubKey;
use tidings_protocol::{Output, SubId};

use super::subscribing::News;
use super::{Client, State};
use crate::{Carrier, House, Outcome};

impl Client {
    pub(super) fn carry_out(
        &mut self,
        output: Output,
        house: &mut House<'_>,
        carrier: &mut dyn Carrier,
        told: &mut VecDeque<News>,
    ) {
        // Nothing may follow an end; a machine that goes on is cut short, not trusted.
        if self.state == State::Done {
            return;
        }
        match output {
            Output::Respond(response) => {
                self.state = State::Done;
                carrier.respond(response);
            }
            Output::Begin(head) => {
                self.state = State::Open;
                carrier.begin(head);
            }
            Output::Send(bytes) => {
                self.is_owed = true;
                carrier.send(bytes);
            }
            Output::Text(head, body) => {
                self.is_owed = true;
                carrier.text(head, body);
            }
            Output::Binary(payload) => {
                self.is_owed = true;
                carrier.binary(payload);
            }
            Output::WakeAt(time) => carrier.wake_at(self.before_expiry(time)),
            Output::Close(reason) => {
                self.state = State::Done;
                carrier.close(reason);
            }
            Output::Subscribe(sub, options) => {
                told.extend(self.subscribe(sub, options, house).map(News::Subscribed));
            }
            Output::Select(sub, filters) => {
                let selected = self.select(sub, filters, house);
                told.extend(selected.map(|(end, refused)| News::Selected(sub, end, refused)));
            }
            Output::Allow(sub, events) => {
                if let Some(key) = self.key(sub) {
                    house.shard.allow(key, events);
                }
            }
            Output::Settle(sub, log, mark) => {
                if let Some(key) = self.key(sub) {
                    house.shard.settle(key, log, mark);
                }
            }
            Output::Unsubscribe(sub) => {
                if let Some(key) = self.key(sub) {
                    house.shard.part(key, house.now);
                }
                self.unsubscribe(sub, house.now, house.shard);
            }
            Output::Ack(sub, position) => {
                if let Some(key) = self.key(sub) {
                    house.shard.ack(key, position);
                }
            }
            Output::Keep(sub, keep, ticket) => self.keep(sub, keep, ticket, house),
            Output::Recall(ticket, filter, after) => {
                // Whoever does not take what was looked up before waits with the next.
                self.recalls.get_or_insert_default().push((ticket, filter, after));
            }
            Output::Publish(ticket, mut messages, key) => {
                let done = self.outcome(house, move |result| Outcome::Published(ticket, result));
                match self.sign(&mut messages, house) {
                    Ok(()) => house.broker.publish(messages, key, house.now, done),
                    Err(refusal) => done(Err(refusal)),
                }
            }
            Output::Manage(ticket, manage) => {
                let done = self.outcome(house, move |result| Outcome::Managed(ticket, result));
                house.broker.manage(manage, self.actor(house), house.now, done);
            }
            Output::Authenticate(ticket, login) => self.authenticate(ticket, login, house, carrier),
        }
    }

    /// Looks up what topics say, unless the carrier is full.
    pub(super) fn recall_later(&mut self, house: &House<'_>, carrier: &dyn Carrier) {
        if self.recalls.is_none() || carrier.is_full() {
            return;
        }
        for (ticket, filter, after) in self.recalls.take().into_iter().flat_map(|all| *all) {
            let done = self.outcome(house, move |what| Outcome::Recalled(ticket, what));
            let reader = self.actor(house);
            house.broker.recall(&filter, after.as_ref(), reader, house.now, done);
        }
    }

    pub(super) fn key(&self, sub: SubId) -> Option<SubKey> {
        self.subscriptions.iter().find(|reading| reading.sub == sub).map(|reading| reading.key)
    }

    /// A way for an outcome to come back.
    pub(super) fn outcome<T: 'static>(
        &mut self,
        house: &House<'_>,
        make: impl FnOnce(T) -> Outcome + Send + 'static,
    ) -> Box<dyn FnOnce(T) + Send> {
        self.waiting += 1;
        let (owner, outcomes) = (self.owner, Arc::clone(house.outcomes));
        Box::new(move |result| outcomes.ended(owner, make(result)))
    }
}
