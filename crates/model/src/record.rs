//! A message with its place in a log, and the encodings its readers share.

use std::fmt;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::message::Message;
use crate::position::{LogKind, Mark};

/// One message at one offset of one log; shared by everyone who reads it.
pub struct Record {
    /// Which log it is in.
    pub log: LogKind,
    /// The log's epoch and this message's offset in it.
    pub mark: Mark,
    /// The offset of the message before it in the same topic; 0 when it is the topic's first.
    /// A reader that has not seen that one knows there is a hole.
    pub previous: u64,
    /// The message itself.
    pub message: Arc<Message>,
    encodings: OnceLock<Box<Encoded>>,
}

/// The identity of one way to write a record down. Each transport owns a `static` of it; two
/// encodings are the same when they are the same static.
#[derive(Debug)]
pub struct Encoding {
    /// For people who debug; plays no part in identity.
    pub name: &'static str,
}

/// A link of the list of finished encodings. The list only grows, so readers need no lock.
struct Encoded {
    encoding: &'static Encoding,
    bytes: Bytes,
    next: OnceLock<Box<Encoded>>,
}

impl Record {
    /// A record without any encoding yet.
    pub fn new(log: LogKind, mark: Mark, previous: u64, message: Arc<Message>) -> Record {
        Record { log, mark, previous, message, encodings: OnceLock::new() }
    }

    /// The record written as `encoding`, computed by `encode` for the first reader that asks and
    /// shared by all others. `encode` must depend on nothing but the record.
    pub fn encoded(
        &self,
        encoding: &'static Encoding,
        encode: impl FnOnce(&Record) -> Bytes,
    ) -> Bytes {
        let mut slot = &self.encodings;
        while let Some(known) = slot.get() {
            if std::ptr::eq(known.encoding, encoding) {
                return known.bytes.clone();
            }
            slot = &known.next;
        }
        let bytes = encode(self);
        let mut link = Box::new(Encoded { encoding, bytes: bytes.clone(), next: OnceLock::new() });
        // Another thread may have linked something here meanwhile: then go on to the new end.
        while let Err(unplaced) = slot.set(link) {
            link = unplaced;
            match slot.get() {
                Some(taken) if std::ptr::eq(taken.encoding, encoding) => break,
                Some(taken) => slot = &taken.next,
                None => break,
            }
        }
        bytes
    }

    /// Whether any encoding is kept with this record.
    pub fn has_encodings(&self) -> bool {
        self.encodings.get().is_some()
    }

    /// The same record without its encodings, for a log that keeps it after its hour.
    pub fn without_encodings(&self) -> Record {
        Record::new(self.log, self.mark, self.previous, Arc::clone(&self.message))
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("log", &self.log)
            .field("mark", &self.mark)
            .field("previous", &self.previous)
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EventType, Headers, Time, Topic};

    static UPPER: Encoding = Encoding { name: "upper" };
    static TWICE: Encoding = Encoding { name: "twice" };

    fn record() -> Record {
        let message = Message {
            topic: Topic::new("t").unwrap(),
            payload: Bytes::from_static(b"hi"),
            content_type: "text/plain".into(),
            event_type: EventType::MESSAGE,
            headers: Headers::default(),
            from: None,
            key: None,
            time: Time::from_millis(1),
            expires: None,
            manner: crate::Manner::default(),
        };
        Record::new(LogKind::Volatile, Mark { epoch: 1, offset: 1 }, 0, Arc::new(message))
    }

    #[test]
    fn each_encoding_is_computed_once() {
        let record = record();
        let upper = |r: &Record| Bytes::from(r.message.payload.to_ascii_uppercase());
        assert_eq!(record.encoded(&UPPER, upper), "HI");
        assert_eq!(record.encoded(&TWICE, |r| [&r.message.payload[..]; 2].concat().into()), "hihi");
        assert_eq!(record.encoded(&UPPER, |_| unreachable!("cached")), "HI");
        assert!(record.has_encodings() && !record.without_encodings().has_encodings());
    }

    #[test]
    fn racing_readers_all_get_the_right_bytes() {
        let record = record();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let (record, encoding) = (&record, if n % 2 == 0 { &UPPER } else { &TWICE });
                scope.spawn(move || {
                    let bytes = record.encoded(encoding, |_| encoding.name.into());
                    assert_eq!(bytes, encoding.name);
                });
            }
        });
    }
}
