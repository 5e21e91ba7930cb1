//! How one kind of whole answer is written down, and what it is made of.

use std::time::Duration;

use bytes::Bytes;
use tidings_model::{Delivery, Time};

use crate::ask::Ask;
use crate::problem::Problem;
use crate::request::{Request, Response};

/// How one kind of whole answer is written down. Must be pure: same input, same bytes.
pub trait Format: 'static {
    /// The media type of the answer.
    const CONTENT_TYPE: &'static str;

    /// Events in an answer when the reader names no limit.
    const LIMIT_DEFAULT: u32 = 100;

    /// Payload bytes after which no more is taken into an answer, whatever the limit.
    const BYTES_MAX: usize = 8 << 20;

    /// Looks at what only this format needs of the request, before anything else does.
    ///
    /// # Errors
    /// What is wrong with it. [`Format::problem`] is asked how to say so.
    fn open(&mut self, _: &Request) -> Result<(), Problem> {
        Ok(())
    }

    /// Looks at what is asked for and may change it. Says how long the answer may be held, or
    /// nothing when it is to be given at once.
    ///
    /// # Errors
    /// What this format cannot do.
    fn read(&mut self, _: &mut Ask) -> Result<Option<Duration>, Problem> {
        Ok(None)
    }

    /// The body.
    fn body(&self, answer: &Answer<'_>) -> Bytes;

    /// What the head has besides what every answer's head has.
    fn head(&self, _: &Answer<'_>, head: Response) -> Response {
        head
    }

    /// Whether the reader has this answer already, by what only this format knows. Not asked when
    /// the request has tags, which say it better, nor of an answer that is held.
    fn is_known(&self, _: &Answer<'_>) -> bool {
        false
    }

    /// The answer to a request that cannot be served.
    fn problem(&self, problem: &Problem) -> Response {
        problem.to_response()
    }
}

/// What an answer is made of.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Events and gaps, oldest first.
    pub items: &'a [Delivery],
    /// Where the reader goes on from.
    pub position: &'a str,
    /// How long the reader should wait before it asks again; nothing where it need not wait, or
    /// where that is not known.
    pub retry_after: Option<Duration>,
    /// The time.
    pub now: Time,
}
