//! SUBSCRIBE and UNSUBSCRIBE (sections 3.8 to 3.11).

use tidings_model::{LogKind, Position, Refusal, TopicFilter};
use tidings_mqtt_codec::topic::Shared;
use tidings_mqtt_codec::{
    Packet, PacketId, ReasonCode, RetainHandling, SubAck, Subscribe, SubscribeFilter, Unsubscribe,
    Version,
};
use tidings_protocol::Output;

use crate::filters::Filter;
use crate::machine::{Machine, SUB};
use crate::names;
use crate::recall::Recall;
use crate::turn::Turn;
use crate::work::{Asked, Selecting};

impl Machine {
    pub(crate) fn subscribe(&mut self, subscribe: Subscribe, turn: &mut Turn<'_>) {
        let Subscribe { packet_id, subscription_id, filters: asked, .. } = subscribe;
        let (mut filters, mut recalls) = (Vec::with_capacity(asked.len()), Vec::new());
        for one in asked {
            let asked = match Shared::parse(&one.filter) {
                Ok(None) => self.subscribe_one(&one, subscription_id, &mut recalls),
                Ok(Some(shared)) => self.subscribe_shared(shared, &one, subscription_id, turn),
                Err(_) => Err(ReasonCode::TopicFilterInvalid),
            };
            let refused = |reason| Asked { filter: None, sub: None, reason };
            filters.push(asked.unwrap_or_else(refused));
        }
        self.select(Selecting { packet_id, is_subscribe: true, filters, recalls }, turn);
    }

    fn subscribe_one(
        &mut self,
        asked: &SubscribeFilter,
        id: Option<u32>,
        recalls: &mut Vec<Filter>,
    ) -> Result<Asked, ReasonCode> {
        let filter = names::filter(&asked.filter).map_err(|_| ReasonCode::TopicFilterInvalid)?;
        let is_known = self.filters.iter().any(|known| known.filter == filter);
        let count = self.subscriptions();
        if !is_known && count >= self.settings.subscriptions_max {
            return Err(ReasonCode::QuotaExceeded);
        }
        let made = Filter::new(filter.clone(), asked, id);
        let is_new = self.filters.set(made.clone());
        let wants_retained = match asked.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => is_new,
            RetainHandling::DoNotSend => false,
        };
        if wants_retained {
            recalls.push(made);
        }
        Ok(Asked { filter: Some(filter), sub: None, reason: ReasonCode::granted(asked.qos) })
    }

    fn subscribe_shared(
        &mut self,
        shared: Shared<'_>,
        asked: &SubscribeFilter,
        id: Option<u32>,
        turn: &mut Turn<'_>,
    ) -> Result<Asked, ReasonCode> {
        let (sub, granted) = self.share(shared, asked, id, turn)?;
        Ok(Asked { filter: None, sub, reason: ReasonCode::granted(granted) })
    }

    pub(crate) fn unsubscribe(&mut self, unsubscribe: Unsubscribe, turn: &mut Turn<'_>) {
        let Unsubscribe { packet_id, filters: asked, .. } = unsubscribe;
        let mut filters = Vec::with_capacity(asked.len());
        for text in asked {
            if let Ok(Some(shared)) = Shared::parse(&text) {
                let was_there = self.unshare(shared, turn);
                filters.push(Asked { filter: None, sub: None, reason: reason(was_there) });
                continue;
            }
            let filter = names::filter(&text).ok();
            let was_there = filter.as_ref().is_some_and(|filter| self.filters.remove(filter));
            if let (Some(filter), Some(work)) = (&filter, self.any_work()) {
                work.recalls.retain(|recall| recall.filter.filter != *filter);
            }
            filters.push(Asked { filter: None, sub: None, reason: reason(was_there) });
        }
        let recalls = Vec::new();
        self.select(Selecting { packet_id, is_subscribe: false, filters, recalls }, turn);
    }

    /// Has the broker read what the client is subscribed to now; it is answered when it does.
    fn select(&mut self, selecting: Selecting, turn: &mut Turn<'_>) {
        self.work().selecting.push_back(selecting);
        turn.out.push(Output::Select(SUB, self.filters.selected()));
        if self.allowed.is_none() && self.filters.any_acked() {
            let most = u32::from(self.link.receive_max);
            self.allowed = Some(most);
            turn.out.push(Output::Allow(SUB, most));
        }
    }

    /// The broker reads what it was told, but for what it refuses.
    pub(crate) fn selected(
        &mut self,
        since: Position,
        refused: &[(TopicFilter, Refusal)],
        turn: &mut Turn<'_>,
    ) {
        self.filters.begin(since);
        // In a log that is read for the first time the client has come to where that begins; what is
        // published there while it is away is behind.
        for log in LogKind::ALL {
            if let (None, Some(mark)) = (self.position.get(log), since.get(log)) {
                self.position = self.position.with(log, mark);
            }
        }
        let Some(mut selecting) = self.any_work().and_then(|work| work.selecting.pop_front())
        else {
            return;
        };
        for (filter, _) in refused {
            self.filters.remove(filter);
            for asked in &mut selecting.filters {
                if asked.filter.as_ref() == Some(filter) {
                    asked.reason = ReasonCode::NotAuthorized;
                }
            }
            selecting.recalls.retain(|recall| recall.filter != *filter);
        }
        let reasons: Vec<_> = selecting.filters.iter().map(|asked| asked.reason).collect();
        // MQTT 3.1 has no word for a subscription that is refused.
        if self.link.version == Version::V31 && reasons.iter().any(|reason| reason.is_error()) {
            return self.fail(ReasonCode::NotAuthorized, "a subscription was refused", turn);
        }
        self.answer_select(selecting.packet_id, selecting.is_subscribe, reasons, turn);
        for filter in selecting.recalls {
            self.begin_recall(Recall::new(filter, None), turn);
        }
        turn.is_changed = true;
    }

    fn answer_select(
        &mut self,
        packet_id: PacketId,
        is_subscribe: bool,
        reasons: Vec<ReasonCode>,
        turn: &mut Turn<'_>,
    ) {
        let ack = Box::new(SubAck { packet_id, reasons, properties: Default::default() });
        let packet = if is_subscribe { Packet::SubAck(ack) } else { Packet::UnsubAck(ack) };
        turn.send_stored(&packet, &self.link);
    }
}

/// What an UNSUBSCRIBE of one filter is answered.
fn reason(was_there: bool) -> ReasonCode {
    match was_there {
        true => ReasonCode::Success,
        false => ReasonCode::NoSubscriptionExisted,
    }
}
