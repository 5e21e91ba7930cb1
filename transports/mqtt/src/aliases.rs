//! Topic aliases, both ways (section 3.3.2.3.4).

use std::num::NonZeroU16;

use tidings_model::Topic;

/// The largest topic alias that clients may use: what one may have the server remember.
pub(crate) const INCOMING_MAX: u16 = 32;

/// Most aliases that a client is given, however many it takes.
const OUTGOING_MAX: u16 = 32;

/// The aliases of one connection.
#[derive(Default)]
pub(crate) struct Aliases {
    incoming: Vec<Option<Topic>>,
    outgoing: Vec<Topic>,
}

impl Aliases {
    pub(crate) fn is_empty(&self) -> bool {
        self.incoming.is_empty() && self.outgoing.is_empty()
    }

    /// The client means this topic by that alias from now on.
    pub(crate) fn set(&mut self, alias: NonZeroU16, topic: &Topic) {
        let place = usize::from(alias.get() - 1);
        if self.incoming.len() <= place {
            self.incoming.resize(place + 1, None);
        }
        self.incoming[place] = Some(topic.clone());
    }

    /// The topic that the client means.
    pub(crate) fn get(&self, alias: NonZeroU16) -> Option<Topic> {
        self.incoming.get(usize::from(alias.get() - 1)).cloned().flatten()
    }

    /// The alias of a topic for the client, and whether it is a new one; nothing when there are as
    /// many as there may be.
    pub(crate) fn of(&mut self, topic: &Topic, most: u16) -> Option<(NonZeroU16, bool)> {
        let number = |place: usize| NonZeroU16::new(place as u16 + 1);
        if let Some(place) = self.outgoing.iter().position(|known| known == topic) {
            return number(place).map(|alias| (alias, false));
        }
        if self.outgoing.len() >= usize::from(most.min(OUTGOING_MAX)) {
            return None;
        }
        self.outgoing.push(topic.clone());
        number(self.outgoing.len() - 1).map(|alias| (alias, true))
    }
}
