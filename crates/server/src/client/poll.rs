//! Poll and long poll: a whole JSON answer with its events. Must never hand out an event of an
//! answer that did not come whole, because its position comes last.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::item::{Decode, DecodeError, Event, Item};

/// Largest answer that is read, in bytes: a thousand events of a quarter MiB each.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Takes the events out of one answer.
#[derive(Default)]
pub(crate) struct PollDecoder {
    body: Vec<u8>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    #[serde(borrow)]
    position: Cow<'a, str>,
}

impl Decode for PollDecoder {
    fn feed(
        &mut self,
        bytes: &[u8],
        _take: &mut dyn FnMut(Item<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if self.body.len() + bytes.len() > ANSWER_BYTES_MAX {
            return Err(DecodeError::TooLarge(ANSWER_BYTES_MAX));
        }
        self.body.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(
        &mut self,
        take: &mut dyn FnMut(Item<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        let body = std::mem::take(&mut self.body);
        let answer: Answer<'_> = serde_json::from_slice(&body)
            .map_err(|error| DecodeError::NotAnEvent(error.to_string()))?;
        for event in answer.events {
            take(Item::Event(&Event::parse(event.get())?))?;
        }
        take(Item::Position(&answer.position))
    }
}

#[cfg(test)]
mod tests {
    use super::super::item::tests::{check_cuts, items};
    use super::*;

    #[test]
    fn an_answer_however_it_is_cut() {
        let text = r#"{"events":[
            {"topic":"t","position":"B","type":"message","contentType":"text/plain","data":"hi"},
            {"type":"gap","reason":"trimmed","from":"B","to":"C","position":"C"}
        ],"position":"D"}"#;
        check_cuts(PollDecoder::default, text.as_bytes(), &["message B hi", "gap C ", "at D"]);
        check_cuts(PollDecoder::default, br#"{"events":[],"position":"D"}"#, &["at D"]);
    }

    #[test]
    fn what_is_no_answer() {
        for text in ["", "[]", r#"{"events":[1],"position":"D"}"#, r#"{"events":[]}"#] {
            assert!(
                items(PollDecoder::default(), [text.as_bytes()].into_iter()).is_err(),
                "{text}"
            );
        }
    }
}
