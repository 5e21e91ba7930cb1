//! Messages from the client (sections 3.3 to 3.7 and 4.3). What is answered is stored.

use tidings_model::{Keep, Message, Refusal, Topic};
use tidings_mqtt_codec::{Ack, AckProperties, Packet, PacketId, Publish, QoS, ReasonCode, Version};
use tidings_protocol::{Output, Ticket};

use crate::machine::{Machine, SUB, Stage};
use crate::message::{self, Content, Refused};
use crate::names;
use crate::turn::Turn;
use crate::work::{Batch, Failure, Publishing};

/// Most payload bytes of messages that go to the broker together.
const BATCH_BYTES_MAX: usize = 1 << 20;

impl Machine {
    pub(crate) fn publish(&mut self, publish: Publish, turn: &mut Turn<'_>) {
        let (qos, id) = (publish.qos, publish.packet_id);
        let topic = match self.topic_of(&publish) {
            Ok(topic) => topic,
            Err(Refused { reason: ReasonCode::TopicAliasInvalid, text }) => {
                return self.fail(ReasonCode::TopicAliasInvalid, &text, turn);
            }
            Err(refused) => return self.reject(qos, id, refused, turn),
        };
        if let Some(id) = id
            && !self.takes(qos, id, turn)
        {
            return;
        }
        let content = Content {
            payload: publish.payload,
            qos,
            retain: publish.retain,
            properties: publish.properties.as_deref(),
        };
        match message::message(topic, content, self.link.origin, turn.now) {
            Ok(message) => self.add(qos, id, message, turn),
            Err(refused) => self.reject(qos, id, refused, turn),
        }
    }

    /// The topic that a message is for (section 3.3.2.3.4).
    fn topic_of(&mut self, publish: &Publish) -> Result<Topic, Refused> {
        let alias = publish.properties.as_ref().and_then(|properties| properties.topic_alias);
        let invalid = |text: &str| Refused::new(ReasonCode::TopicAliasInvalid, text);
        if alias.is_some_and(|alias| alias.get() > crate::aliases::INCOMING_MAX) {
            return Err(invalid("the topic alias is above the maximum that CONNACK said"));
        }
        if publish.topic.is_empty() {
            let known = alias.and_then(|alias| self.any_work()?.aliases.get(alias));
            return known.ok_or_else(|| invalid("the topic alias was never set"));
        }
        let topic = names::topic(&publish.topic)
            .map_err(|error| Refused::new(ReasonCode::TopicNameInvalid, error))?;
        if let Some(alias) = alias {
            self.work().aliases.set(alias, &topic);
        }
        Ok(topic)
    }

    /// Whether a message that is to be acknowledged is a new one and not one too many.
    fn takes(&mut self, qos: QoS, id: PacketId, turn: &mut Turn<'_>) -> bool {
        let most = usize::from(self.settings.inflight_max);
        let is_counting = self.link.version == Version::V5;
        let work = self.work();
        let in_batch =
            work.batch.as_ref().is_some_and(|batch| batch.qos == qos && batch.ids.contains(&id));
        if qos == QoS::ExactlyOnce && (work.received.contains(&id) || in_batch) {
            // It came before (section 4.3.3); what is stored of it need not be stored by now.
            self.flush_batch(turn);
            turn.send_stored(&Packet::PubRec(Ack::success(id)), &self.link);
            return false;
        }
        if is_counting && work.incoming() >= most {
            let why = "more messages are unacknowledged than the receive maximum";
            self.fail(ReasonCode::ReceiveMaximumExceeded, why, turn);
            return false;
        }
        true
    }

    /// Puts a message to those that go to the broker together.
    fn add(&mut self, qos: QoS, id: Option<PacketId>, message: Message, turn: &mut Turn<'_>) {
        let most = self.settings.batch_messages_max;
        let bytes = message.payload.len();
        let fits = |batch: &Batch| {
            batch.qos == qos
                && batch.messages.first().is_some_and(|first| first.topic == message.topic)
                && batch.messages.len() < most
                && batch.bytes + bytes <= BATCH_BYTES_MAX
                // Of several only the last would be retained.
                && !message.manner.retain
        };
        if !self.work().batch.as_ref().is_some_and(fits) {
            self.flush_batch(turn);
        }
        let batch = self.work().batch.get_or_insert_with(|| Batch {
            qos,
            messages: Vec::new(),
            ids: Vec::new(),
            bytes: 0,
        });
        batch.messages.push(message);
        batch.ids.extend(id);
        batch.bytes += bytes;
    }

    /// Hands the messages that were put together to the broker.
    pub(crate) fn flush_batch(&mut self, turn: &mut Turn<'_>) {
        let Some(batch) = self.any_work().and_then(|work| work.batch.take()) else { return };
        let Batch { qos, messages, ids, .. } = batch;
        let ticket = self.ticket();
        let with_session = qos == QoS::ExactlyOnce && self.link.is_lasting();
        let work = self.work();
        if qos == QoS::ExactlyOnce {
            work.received.extend(&ids);
        }
        work.publishing.push_back(Publishing { ticket, qos, ids, outcome: None });
        if with_session {
            // That these came and what they are is stored as one: neither is there without the other.
            let (position, notes) = (self.position, self.notes());
            let keep = Keep { position, notes, messages, ..Keep::default() };
            turn.out.push(Output::Keep(SUB, keep, Some(ticket)));
        } else {
            turn.out.push(Output::Publish(ticket, messages, None));
        }
    }

    /// Refuses one message. Before MQTT 5 there is no word for that: it is acknowledged and dropped,
    /// as one of QoS 0 is (section 3.3.5), or its client would send it for ever.
    fn reject(&mut self, qos: QoS, id: Option<PacketId>, refused: Refused, turn: &mut Turn<'_>) {
        self.flush_batch(turn);
        let Refused { reason, text } = refused;
        let ticket = self.ticket();
        let ids = id.into_iter().collect();
        let outcome = Some(Err(Failure { reason, text, is_ours: false }));
        self.work().publishing.push_back(Publishing { ticket, qos, ids, outcome });
        self.answer(turn);
    }

    /// What became of messages that went to the broker.
    pub(crate) fn published(
        &mut self,
        ticket: Ticket,
        result: Result<(), Refusal>,
        turn: &mut Turn<'_>,
    ) {
        let Some(work) = self.any_work() else { return };
        let Some(one) = work.publishing.iter_mut().find(|one| one.ticket == ticket) else { return };
        one.outcome = Some(result.map_err(Failure::from));
        self.answer(turn);
    }

    /// Answers in the order in which the messages came (section 4.6).
    fn answer(&mut self, turn: &mut Turn<'_>) {
        while matches!(self.stage, Stage::Open)
            && let Some(work) = self.any_work()
            && work.publishing.front().is_some_and(|one| one.outcome.is_some())
            && let Some(one) = work.publishing.pop_front()
        {
            let Publishing { qos, ids, outcome, .. } = one;
            match outcome {
                Some(Err(failure)) => self.answer_failure(qos, &ids, &failure, turn),
                _ => {
                    for id in ids {
                        let ack = Ack::success(id);
                        let packet = match qos {
                            QoS::ExactlyOnce => Packet::PubRec(ack),
                            _ => Packet::PubAck(ack),
                        };
                        turn.send(&packet, &self.link);
                    }
                }
            }
        }
    }

    fn answer_failure(
        &mut self,
        qos: QoS,
        ids: &[PacketId],
        failure: &Failure,
        turn: &mut Turn<'_>,
    ) {
        if qos == QoS::ExactlyOnce {
            self.work().received.retain(|id| !ids.contains(id));
            turn.is_changed = true;
        }
        if ids.is_empty() {
            return;
        }
        if self.link.version != Version::V5 && failure.is_ours {
            // It may come again, and be taken then.
            return self.fail(failure.reason, &failure.text, turn);
        }
        for &packet_id in ids {
            let reason_string = self.link.explains.then(|| failure.text.clone());
            let properties = reason_string.map(|text| {
                Box::new(AckProperties { reason_string: Some(text), user: Vec::new() })
            });
            let ack = Ack { packet_id, reason: ack_reason(failure.reason), properties };
            let packet = match qos {
                QoS::ExactlyOnce => Packet::PubRec(ack),
                _ => Packet::PubAck(ack),
            };
            turn.send(&packet, &self.link);
        }
    }

    /// The client lets go of a message of QoS 2 that it sent.
    pub(crate) fn pubrel(&mut self, ack: &Ack, turn: &mut Turn<'_>) {
        let id = ack.packet_id;
        let place = self.any_work().and_then(|work| work.received.iter().position(|&it| it == id));
        let reason = match place {
            Some(place) => {
                self.work().received.swap_remove(place);
                ReasonCode::Success
            }
            None => ReasonCode::PacketIdentifierNotFound,
        };
        // Stored before it is said: the identifier may be another message's right afterwards.
        let packet = Packet::PubComp(Ack { packet_id: id, reason, properties: None });
        match place {
            Some(_) => turn.send_stored(&packet, &self.link),
            None => turn.send(&packet, &self.link),
        }
    }
}

/// The reason as PUBACK and PUBREC may have it (section 3.4.2.1).
fn ack_reason(reason: ReasonCode) -> ReasonCode {
    match reason {
        ReasonCode::NotAuthorized
        | ReasonCode::TopicNameInvalid
        | ReasonCode::QuotaExceeded
        | ReasonCode::PayloadFormatInvalid
        | ReasonCode::ImplementationSpecificError => reason,
        _ => ReasonCode::UnspecifiedError,
    }
}
