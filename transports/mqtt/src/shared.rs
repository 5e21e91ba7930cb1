//! Shared subscriptions (section 4.8.2): each is a subscription of its own with the broker, which
//! deals out to its members.
//!
//! They come with QoS 1 at most: what a client has not acknowledged when it goes is another's then,
//! and a message of QoS 2 could not be.

use std::collections::VecDeque;

use tidings_model::{
    Delivery, Event, Exposure, Position, Refusal, Sharing, Since, Slow, SubscribeOptions,
};
use tidings_mqtt_codec::topic::Shared;
use tidings_mqtt_codec::{QoS, ReasonCode, SubscribeFilter};
use tidings_protocol::{Output, SubId};

use crate::deliver::Sending;
use crate::filters::{Delivered, Filter, qos};
use crate::machine::Machine;
use crate::names;
use crate::turn::Turn;

/// The largest QoS.
const QOS_MAX: QoS = QoS::AtLeastOnce;

/// Most messages that are dealt to a client at once: so that others have their part.
const DEALT_MAX: u16 = 64;

/// One shared subscription.
pub(crate) struct SharedFilter {
    sub: SubId,
    /// What the members call themselves.
    pub(crate) name: Box<str>,
    pub(crate) filter: Filter,
    /// How many messages the broker may still deal out.
    allowed: u32,
    /// Messages that cannot be sent yet, in order.
    held: VecDeque<Event>,
}

impl Machine {
    /// Makes a shared subscription, or changes the one that is there. Returns what it is for the
    /// broker, if it is a new one, and the QoS that is granted.
    pub(crate) fn share(
        &mut self,
        shared: Shared<'_>,
        asked: &SubscribeFilter,
        id: Option<u32>,
        turn: &mut Turn<'_>,
    ) -> Result<(Option<SubId>, QoS), ReasonCode> {
        let filter = names::filter(shared.filter).map_err(|_| ReasonCode::TopicFilterInvalid)?;
        if shared.name.chars().any(|c| c.is_control()) || filter.as_str().starts_with('$') {
            return Err(ReasonCode::TopicFilterInvalid);
        }
        let mut filter = Filter::new(filter, asked, id);
        filter.qos = filter.qos.min(QOS_MAX);
        let granted = filter.qos;
        let is_it = |known: &&mut SharedFilter| {
            *known.name == *shared.name && known.filter.filter == filter.filter
        };
        if let Some(known) = self.work().shared.iter_mut().find(is_it) {
            known.filter = filter;
            return Ok((None, granted));
        }
        if self.subscriptions() >= self.settings.subscriptions_max {
            return Err(ReasonCode::QuotaExceeded);
        }
        Ok((Some(self.join(shared.name.into(), filter, turn)), granted))
    }

    /// How many subscriptions there are of either kind.
    pub(crate) fn subscriptions(&mut self) -> usize {
        self.filters.len() + self.any_work().map_or(0, |work| work.shared.len())
    }

    /// Becomes a member.
    pub(crate) fn join(&mut self, name: Box<str>, filter: Filter, turn: &mut Turn<'_>) -> SubId {
        let work = self.work();
        work.subs += 1;
        let sub = SubId(work.subs);
        let options = SubscribeOptions {
            filters: vec![filter.filter.clone()],
            since: None,
            otherwise: Since::Now,
            slow: Slow::Gap,
            window: None,
            limit: None,
            session: None,
            share: Some(Box::new(Sharing {
                name: name.clone(),
                session: self.link.session.clone(),
            })),
            exposure: Exposure::Private,
        };
        turn.out.push(Output::Subscribe(sub, options));
        let held = VecDeque::new();
        self.work().shared.push(SharedFilter { sub, name, filter, allowed: 0, held });
        sub
    }

    /// The broker has made it a member, or has not.
    pub(crate) fn joined(&mut self, sub: SubId, result: Result<Position, Refusal>) {
        if result.is_ok() {
            return;
        }
        let Some(work) = self.any_work() else { return };
        work.shared.retain(|shared| shared.sub != sub);
        let selecting = work.selecting.iter_mut();
        for asked in selecting.flat_map(|selecting| &mut selecting.filters) {
            if asked.sub == Some(sub) {
                asked.reason = ReasonCode::NotAuthorized;
            }
        }
    }

    /// Ends a shared subscription. Says whether there was one.
    pub(crate) fn unshare(&mut self, shared: Shared<'_>, turn: &mut Turn<'_>) -> bool {
        let Ok(filter) = names::filter(shared.filter) else { return false };
        let is_it =
            |known: &SharedFilter| *known.name == *shared.name && known.filter.filter == filter;
        let Some(work) = self.any_work() else { return false };
        let Some(place) = work.shared.iter().position(is_it) else { return false };
        let gone = work.shared.remove(place);
        turn.out.push(Output::Unsubscribe(gone.sub));
        true
    }

    /// What was dealt out to the client.
    pub(crate) fn dealt(&mut self, sub: SubId, deliveries: &[Delivery]) {
        let shared = self.any_work().into_iter().flat_map(|work| &mut work.shared);
        let Some(shared) = shared.into_iter().find(|shared| shared.sub == sub) else { return };
        for delivery in deliveries {
            if let Delivery::Event(event) = delivery {
                shared.allowed = shared.allowed.saturating_sub(1);
                shared.held.push_back(event.clone());
            }
        }
    }

    /// Sends what was dealt out as far as the client takes it, and takes more.
    pub(crate) fn pump_shared(&mut self, turn: &mut Turn<'_>) {
        let Some(work) = self.any_work().filter(|work| !work.shared.is_empty()) else { return };
        let mut all = std::mem::take(&mut work.shared);
        for shared in &mut all {
            while let Some(event) = shared.held.pop_front() {
                if !self.send_dealt(shared, &event, turn) {
                    shared.held.push_front(event);
                    break;
                }
            }
            let most = usize::from(self.link.receive_max.min(DEALT_MAX));
            let open = self.work().flights.dealt(shared.sub);
            let room = most.saturating_sub(open + shared.held.len());
            if room > 0 && shared.allowed as usize * 2 <= room {
                shared.allowed = u32::try_from(room).unwrap_or(u32::MAX);
                turn.out.push(Output::Allow(shared.sub, shared.allowed));
            }
        }
        self.work().shared = all;
    }

    /// Sends a message if it can be sent now; says whether that was done, or need not be.
    fn send_dealt(&mut self, to: &SharedFilter, event: &Event, turn: &mut Turn<'_>) -> bool {
        let record = &event.record;
        let &SharedFilter { sub, ref filter, .. } = to;
        let qos = filter.qos.min(qos(record.message.manner.quality));
        let retain = filter.retain_as_published && record.message.manner.retain;
        let delivered = Delivered { qos, retain, ids: filter.id.into_iter().collect() };
        let most = usize::from(self.link.receive_max);
        if qos > QoS::AtMostOnce {
            let flights = &mut self.work().flights;
            if flights.open() >= most || flights.is_taken(record) {
                return false;
            }
        }
        let sending = Sending { record, delivered: &delivered, is_again: false };
        let is_sent = !record.message.is_expired(turn.now) && self.write(&sending, turn);
        match is_sent && qos > QoS::AtMostOnce {
            true => self.work().flights.sent_dealt(record, qos, sub),
            false => turn.out.push(Output::Settle(sub, record.log, record.mark)),
        }
        true
    }
}
