//! What is under way on one connection. An idle one has none of it.

use std::collections::VecDeque;

use tidings_model::{Event, Message, Refusal, TopicFilter};
use tidings_mqtt_codec::{PacketId, QoS, ReasonCode};
use tidings_protocol::{SubId, Ticket};

use crate::aliases::Aliases;
use crate::filters::Filter;
use crate::flights::Flights;
use crate::login::Proved;
use crate::notes::Notes;
use crate::recall::Recall;
use crate::shared::SharedFilter;

/// What is under way.
#[derive(Default)]
pub(crate) struct Work {
    /// Messages on their way to the client.
    pub(crate) flights: Flights,
    /// Events that cannot be sent yet, in order.
    pub(crate) held: VecDeque<Event>,
    /// What topics say to subscriptions that have begun.
    pub(crate) recalls: Vec<Recall>,
    /// Packet identifiers of messages of QoS 2 from the client whose PUBREL is to come.
    pub(crate) received: Vec<PacketId>,
    /// Messages from the client that are being stored, in the order of their answers.
    pub(crate) publishing: VecDeque<Publishing>,
    /// What is to be sent when the session is stored.
    pub(crate) stored: VecDeque<(Ticket, Vec<u8>)>,
    /// SUBSCRIBEs and UNSUBSCRIBEs that the broker has not heard of yet.
    pub(crate) selecting: VecDeque<Selecting>,
    /// Messages of one read that go to the broker together.
    pub(crate) batch: Option<Batch>,
    pub(crate) aliases: Aliases,
    /// Subscriptions that are shared with other clients.
    pub(crate) shared: Vec<SharedFilter>,
    /// How many names of subscriptions with the broker were given.
    pub(crate) subs: u32,
    /// How the client has proved who it is, if it may do so again.
    pub(crate) proved: Option<Box<Proved>>,
}

/// Messages that are stored as one.
pub(crate) struct Batch {
    pub(crate) qos: QoS,
    pub(crate) messages: Vec<Message>,
    /// The packet identifiers of those that are acknowledged.
    pub(crate) ids: Vec<PacketId>,
    pub(crate) bytes: usize,
}

/// Messages that are being stored, or were refused.
pub(crate) struct Publishing {
    pub(crate) ticket: Ticket,
    pub(crate) qos: QoS,
    pub(crate) ids: Vec<PacketId>,
    /// What became of them.
    pub(crate) outcome: Option<Result<(), Failure>>,
}

/// Why messages were not stored.
pub(crate) struct Failure {
    pub(crate) reason: ReasonCode,
    pub(crate) text: String,
    /// Whether it is no fault of the client's.
    pub(crate) is_ours: bool,
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Failure {
        let reason = match &refusal {
            Refusal::PublishForbidden(_) => ReasonCode::NotAuthorized,
            Refusal::MessageTooLarge(..) => ReasonCode::PacketTooLarge,
            Refusal::TooManyTopics(_) => ReasonCode::QuotaExceeded,
            _ => ReasonCode::UnspecifiedError,
        };
        let is_ours = reason == ReasonCode::UnspecifiedError;
        Failure { reason, text: refusal.to_string(), is_ours }
    }
}

/// A SUBSCRIBE or UNSUBSCRIBE until it can be answered.
pub(crate) struct Selecting {
    pub(crate) packet_id: PacketId,
    pub(crate) is_subscribe: bool,
    /// Its filters, in order.
    pub(crate) filters: Vec<Asked>,
    /// Subscriptions that are to be told what topics say.
    pub(crate) recalls: Vec<Filter>,
}

/// One filter of a SUBSCRIBE or UNSUBSCRIBE.
pub(crate) struct Asked {
    /// What it matches, where it is one that the client is subscribed to now.
    pub(crate) filter: Option<TopicFilter>,
    /// What it is for the broker, where it is a new shared one.
    pub(crate) sub: Option<SubId>,
    /// What it is answered.
    pub(crate) reason: ReasonCode,
}

impl Work {
    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.flights.len() == 0
            && self.flights.arrived.is_empty()
            && self.held.is_empty()
            && self.recalls.is_empty()
            && self.received.is_empty()
            && self.publishing.is_empty()
            && self.stored.is_empty()
            && self.selecting.is_empty()
            && self.batch.is_none()
            && self.aliases.is_empty()
            && self.shared.is_empty()
            && self.proved.is_none()
    }

    /// Adds what is to be remembered.
    pub(crate) fn note(&self, notes: &mut Notes) {
        let shared = self.shared.iter().map(|one| (one.name.clone(), one.filter.clone()));
        notes.shared = shared.collect();
        notes.arrived = self.flights.out_of_order().collect();
        notes.released.clone_from(&self.flights.released);
        notes.received.clone_from(&self.received);
        notes.recalling = self.recalls.iter().map(Recall::note).collect();
    }

    /// How many messages from the client are neither answered nor released.
    pub(crate) fn incoming(&self) -> usize {
        // Those of QoS 2 are among the received ones already.
        let at_least_once = self.publishing.iter().filter(|one| one.qos == QoS::AtLeastOnce);
        let publishing: usize = at_least_once.map(|one| one.ids.len()).sum();
        let batch = self.batch.as_ref().map_or(0, |batch| batch.ids.len());
        self.received.len() + publishing + batch
    }
}
