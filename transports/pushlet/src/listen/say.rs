//! How a data channel speaks: what it sends, how it ends, and where it says to go on.
//!
//! Must never decide when.

use std::time::Duration;

use tidings_model::Position;
use tidings_protocol::{CloseReason, Output, Outputs};

use super::{Listen, Phase};
use crate::fields::Fields;

impl Listen {
    pub(super) fn send(&mut self, text: String, out: &mut Outputs) {
        self.bytes += text.len();
        out.push(Output::Send(text.into()));
    }

    /// Answers a pull, and says when to come back.
    pub(super) fn respond(&mut self, wait: Duration, out: &mut Outputs) {
        self.phase = Phase::Done;
        let format = self.id.format();
        let mut text = format.begin().to_owned();
        format.write(&self.first, &mut text);
        if self.body.is_empty() && !self.is_first {
            format.write(&Fields::new("hb"), &mut text);
        }
        text += &self.body;
        format.write_refresh(&self.url(), wait, &mut text);
        text += format.end();
        let mut response = format.head();
        response.body = text.into();
        out.push(Output::Respond(response));
    }

    /// Ends a stream that is to be begun anew.
    pub(super) fn end_stream(&mut self, wait: Duration, reason: CloseReason, out: &mut Outputs) {
        self.phase = Phase::Done;
        let format = self.id.format();
        let mut text = String::new();
        format.write_refresh(&self.url(), wait, &mut text);
        text += format.end();
        out.push(Output::Send(text.into()));
        out.push(Output::Close(reason));
    }

    /// Tells the client not to come back.
    pub(super) fn abort(&mut self, reason: &str, out: &mut Outputs) {
        let format = self.id.format();
        let fields = Fields::new("abort").with("p_reason", reason);
        match std::mem::replace(&mut self.phase, Phase::Done) {
            Phase::Streaming | Phase::Lost(_) => {
                let mut text = String::new();
                format.write(&fields, &mut text);
                text += format.end();
                out.push(Output::Send(text.into()));
                out.push(Output::Close(CloseReason::Done));
            }
            _ => out.push(Output::Respond(format.answer(&fields))),
        }
    }

    /// Where the client goes on, relative to where it is: exactly behind what it was told, also when
    /// the server has died since and remembers less.
    fn url(&self) -> String {
        let (id, mode) = (self.id.as_str(), self.mode.name());
        let url = format!("pushlet.srv?p_id={id}&p_event=refresh&p_mode={mode}");
        if self.position == Position::default() {
            return url;
        }
        format!("{url}&p_position={}", self.position)
    }
}
