//! How a machine's subscriptions begin and end.

use tidings_broker::{Shard, Subscribed};
use tidings_model::{
    AckMode, Keep, Managed, Position, Refusal, Resumed, SubscribeOptions, Time, TopicFilter,
};
use tidings_protocol::{Input, Outputs, SubId, Ticket};

use super::{Client, Reading};
use crate::{Carrier, House, Outcome};

/// What became of a subscribe, until the machine can be told.
pub(super) struct Told {
    pub(super) sub: SubId,
    pub(super) result: Result<Position, Refusal>,
    pub(super) refused: Vec<(TopicFilter, Refusal)>,
    pub(super) resumed: Option<Resumed>,
}

/// What a machine is to be told when all it has said is carried out.
pub(super) enum News {
    Subscribed(Told),
    Selected(SubId, Position, Vec<(TopicFilter, Refusal)>),
}

impl Client {
    /// A subscription's session is stored, and so it can begin; or it is not.
    pub(super) fn stored(
        &mut self,
        sub: SubId,
        result: Result<(), Refusal>,
        house: &mut House<'_>,
        carrier: &mut dyn Carrier,
    ) {
        let Some(storing) = &mut self.storing else { return };
        let Some(place) = storing.iter().position(|told| told.sub == sub) else { return };
        let told = storing.swap_remove(place);
        if storing.is_empty() {
            self.storing = None;
        }
        let result = match result {
            Ok(()) => {
                let held = self.subscriptions.iter_mut().filter(|reading| reading.sub == sub);
                held.for_each(|reading| reading.is_held = false);
                told.result
            }
            Err(refusal) => {
                self.unsubscribe(sub, house.now, house.shard);
                Err(refusal)
            }
        };
        if let (Ok(_), Some(resumed)) = (&result, &told.resumed) {
            self.feed(Input::Resumed(sub, resumed), house, carrier);
        }
        self.feed(Input::Subscribed(sub, result, &told.refused), house, carrier);
    }

    /// Tells the machine what became of a subscription.
    pub(super) fn tell(&mut self, told: Told, now: Time, outputs: &mut Outputs) {
        let Told { sub, result, refused, resumed } = told;
        if let Some(resumed) = &resumed {
            self.machine.handle(Input::Resumed(sub, resumed), now, outputs);
        }
        self.machine.handle(Input::Subscribed(sub, result, &refused), now, outputs);
    }

    /// Begins to read; says what the machine is to be told, unless a session has to be stored
    /// first.
    pub(super) fn subscribe(
        &mut self,
        sub: SubId,
        mut options: SubscribeOptions,
        house: &mut House<'_>,
    ) -> Option<Told> {
        let most = house.shard.subscriptions_max();
        if self.subscriptions.len() >= most {
            let result = Err(Refusal::TooManySubscriptions(most));
            return Some(Told { sub, result, refused: Vec::new(), resumed: None });
        }
        // What is to be said for it when it is lost, it has to be allowed to say.
        if let Some(will) = options.session.as_mut().and_then(|session| session.will.as_mut())
            && let Err(refusal) = self.sign(std::slice::from_mut(&mut will.message), house)
        {
            let (result, refused) = (Err(refusal), Vec::new());
            return Some(Told { sub, result, refused, resumed: None });
        }
        let reader = self.actor(house).cloned();
        let in_session = options.session.is_some();
        let noted = Some(AckMode::Noted);
        let is_paced = options.session.as_ref().is_some_and(|session| session.acks != noted);
        let Subscribed { result, refused, unsaved, resumed } =
            house.shard.subscribe(self.owner, options, reader.as_ref(), house.now);
        let is_held = unsaved.is_some();
        let result = result.map(|(key, position)| {
            let reading = Reading { sub, key, begun: false, in_session, is_paced, is_held };
            self.subscriptions.push(reading);
            position
        });
        let told = Told { sub, result, refused, resumed };
        let Some(unsaved) = unsaved else { return Some(told) };
        self.storing.get_or_insert_default().push(told);
        let done = self.outcome(house, move |result| Outcome::Stored(sub, result));
        house.broker.save_session(unsaved, house.now, done);
        None
    }

    /// Reads other filters; says from where on what was not read before is news, and which of them
    /// are refused.
    pub(super) fn select(
        &mut self,
        sub: SubId,
        filters: Vec<TopicFilter>,
        house: &mut House<'_>,
    ) -> Option<(Position, Vec<(TopicFilter, Refusal)>)> {
        let (key, reader) = (self.key(sub)?, self.actor(house).cloned());
        house.shard.select(key, filters, reader.as_ref())
    }

    /// Keeps what a machine says of the session that a subscription is, and the messages with it, if
    /// they may be published.
    pub(super) fn keep(
        &mut self,
        sub: SubId,
        mut keep: Keep,
        ticket: Option<Ticket>,
        house: &mut House<'_>,
    ) {
        let done = ticket.map(|ticket| {
            self.outcome(house, move |result: Result<(), Refusal>| {
                Outcome::Managed(ticket, result.map(|()| Managed::Kept))
            })
        });
        match self.sign(&mut keep.messages, house) {
            Ok(()) => {
                if let Some(key) = self.key(sub) {
                    house.shard.keep(key, keep, house.now, done);
                }
            }
            Err(refusal) => {
                if let Some(done) = done {
                    done(Err(refusal));
                }
            }
        }
    }

    pub(super) fn unsubscribe(&mut self, sub: SubId, now: Time, shard: &mut Shard) {
        self.subscriptions.retain(|reading| {
            if reading.sub == sub {
                shard.unsubscribe(reading.key, now);
            }
            reading.sub != sub
        });
        if let Some(storing) = &mut self.storing {
            storing.retain(|told| told.sub != sub);
        }
    }
}
