//! A POST for each message on a connection that is kept, the next after the answer.

use crate::load::http::{Answers, Part, write_request};
use crate::load::talk::{Talk, Turn};
use crate::target::fill;

/// The speaker.
pub(super) struct Http {
    host: String,
    target: String,
    fields: Vec<(String, String)>,
    answers: Answers,
}

impl Http {
    pub(super) fn new(host: &str, target: &str, fields: Vec<(String, String)>) -> Http {
        let answers = Answers::default();
        Http { host: host.to_owned(), target: target.to_owned(), fields, answers }
    }
}

impl Talk for Http {
    fn begin(&mut self, turn: &mut Turn<'_>) {
        self.answers = Answers::default();
        turn.ready = true;
    }

    fn read(&mut self, bytes: &[u8], turn: &mut Turn<'_>) -> anyhow::Result<()> {
        let mut status = 0;
        self.answers.feed(bytes, |part| {
            match part {
                Part::Head(head) => {
                    status = head.status()?;
                    // The body only repeats it.
                    let count =
                        if status / 100 == 2 { &mut turn.accepted } else { &mut turn.refused };
                    *count += 1;
                }
                Part::Body(_) | Part::End => {}
            }
            Ok(())
        })
    }

    fn publish(&mut self, topic: &str, payload: &[u8], turn: &mut Turn<'_>) {
        let target = fill(&self.target, &[("topic", topic)]);
        let length = Some(payload.len());
        write_request(turn.out, "POST", &target, &self.host, &self.fields, length);
        turn.out.extend_from_slice(payload);
    }
}
