//! What topics say to a subscription that begins (section 3.3.1.3): looked up page by page, and sent
//! as the client takes it.

use std::collections::VecDeque;
use std::sync::Arc;

use tidings_model::{Record, Topic};
use tidings_mqtt_codec::QoS;
use tidings_protocol::{Output, Ticket};

use crate::deliver::Sending;
use crate::filters::{Delivered, Filter, qos};
use crate::machine::Machine;
use crate::notes::Recalling;
use crate::turn::Turn;

/// What topics say to one subscription.
pub(crate) struct Recall {
    pub(crate) filter: Filter,
    /// The last topic of which everything has arrived.
    after: Option<Topic>,
    /// The page that is being looked up.
    asked: Option<Ticket>,
    /// What of the page is to be sent.
    queue: VecDeque<Arc<Record>>,
    /// The topic after which to go on; nothing when this page is the last.
    next: Option<Topic>,
}

impl Recall {
    pub(crate) fn new(filter: Filter, after: Option<Topic>) -> Recall {
        Recall { filter, after, asked: None, queue: VecDeque::new(), next: None }
    }

    pub(crate) fn note(&self) -> Recalling {
        Recalling { filter: self.filter.filter.clone(), after: self.after.clone() }
    }
}

impl Machine {
    pub(crate) fn begin_recall(&mut self, mut recall: Recall, turn: &mut Turn<'_>) {
        let ticket = self.ticket();
        recall.asked = Some(ticket);
        let (filter, after) = (recall.filter.filter.clone(), recall.after.clone());
        turn.out.push(Output::Recall(ticket, filter, after));
        let recalls = &mut self.work().recalls;
        // Whoever subscribes anew is told anew.
        recalls.retain(|known| known.filter.filter != recall.filter.filter);
        recalls.push(recall);
    }

    /// A page was looked up.
    pub(crate) fn recalled(
        &mut self,
        ticket: Ticket,
        records: &[(Topic, Arc<Record>)],
        next: Option<Topic>,
    ) {
        let recalls = self.any_work().map(|work| &mut work.recalls);
        let asked = recalls.into_iter().flatten().find(|recall| recall.asked == Some(ticket));
        if let Some(recall) = asked {
            recall.asked = None;
            recall.queue.extend(records.iter().map(|(_, record)| Arc::clone(record)));
            recall.next = next;
        }
    }

    /// Sends what topics say, as far as the client takes it; looks up more when that has arrived.
    pub(crate) fn pump_recalls(&mut self, turn: &mut Turn<'_>) {
        let Some(work) = self.any_work().filter(|work| !work.recalls.is_empty()) else { return };
        let mut recalls = std::mem::take(&mut work.recalls);
        for recall in &mut recalls {
            while let Some(record) = recall.queue.front() {
                if !self.send_recalled(&recall.filter, record, turn) {
                    break;
                }
                recall.queue.pop_front();
            }
        }
        let is_sent = |recall: &Recall| recall.asked.is_none() && recall.queue.is_empty();
        if recalls.iter().any(is_sent) && self.work().flights.land_recalled() {
            for recall in recalls.iter_mut().filter(|recall| is_sent(recall)) {
                let Some(next) = recall.next.take() else { continue };
                let ticket = self.ticket();
                (recall.after, recall.asked) = (Some(next.clone()), Some(ticket));
                let filter = recall.filter.filter.clone();
                turn.out.push(Output::Recall(ticket, filter, Some(next)));
            }
            recalls.retain(|recall| !is_sent(recall));
            turn.is_changed = true;
        }
        self.work().recalls = recalls;
    }

    /// Sends what one topic says; says whether it was, or need not be.
    fn send_recalled(
        &mut self,
        filter: &Filter,
        record: &Arc<Record>,
        turn: &mut Turn<'_>,
    ) -> bool {
        let most = usize::from(self.link.receive_max);
        let qos = filter.qos.min(qos(record.message.manner.quality));
        let flights = &mut self.work().flights;
        if qos > QoS::AtMostOnce {
            if flights.open() >= most || flights.is_taken(record) {
                return false;
            }
            if flights.had_arrived(record) {
                return true;
            }
        }
        let delivered = Delivered { qos, retain: true, ids: filter.id.into_iter().collect() };
        let sending = Sending { record, delivered: &delivered, is_again: false };
        let fits = self.write(&sending, turn);
        if fits && qos > QoS::AtMostOnce {
            self.work().flights.sent_recalled(record, qos);
        }
        true
    }
}
