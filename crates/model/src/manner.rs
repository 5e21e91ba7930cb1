//! How its publisher wants a message delivered, and where it wants to be answered. Most say nothing
//! of it. Must never hold what only one protocol understands.

use bytes::Bytes;

/// How often a message may reach a reader (MQTT 5 section 4.3). A reader is given the lower one of
/// what the publisher says and what it asked for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quality {
    /// Once or not at all.
    AtMostOnce,
    /// Perhaps several times.
    AtLeastOnce,
    /// Whatever the reader asked for.
    #[default]
    ExactlyOnce,
}

impl Quality {
    /// Every one, the lowest first.
    pub const ALL: [Quality; 3] = [Quality::AtMostOnce, Quality::AtLeastOnce, Quality::ExactlyOnce];

    /// The quality of a number from 0 to 2.
    pub const fn new(number: u8) -> Option<Quality> {
        match number {
            0 => Some(Quality::AtMostOnce),
            1 => Some(Quality::AtLeastOnce),
            2 => Some(Quality::ExactlyOnce),
            _ => None,
        }
    }
}

/// What a publisher says of a message besides what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Manner {
    /// How often it may reach a reader.
    pub quality: Quality,
    /// Whether it is what its topic says to whoever begins to read it (MQTT 5 section 3.3.1.3). One
    /// without payload only ends what was said before.
    pub retain: bool,
    /// Whether the publisher promised that the payload is UTF-8 (MQTT 5 section 3.3.2.3.2).
    pub is_text: bool,
    /// A number for who published it, by which it knows its own; 0 is nobody's.
    pub origin: u64,
    /// Where it wants to be answered. Few do.
    pub reply: Option<Box<Reply>>,
}

/// Where a publisher wants to be answered (MQTT 5 section 4.10).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reply {
    /// The topic for the answer, as the protocol of whoever asks writes it; empty when it named none.
    pub topic: Box<str>,
    /// What the answer is to carry, so that it is known for one.
    pub correlation: Option<Bytes>,
}

impl Reply {
    /// What it costs to keep, in bytes.
    pub fn size(&self) -> usize {
        self.topic.len() + self.correlation.as_ref().map_or(0, Bytes::len)
    }
}
