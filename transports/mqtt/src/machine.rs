//! The machine of one connection: what comes in goes to the part it is for. Must never know whether
//! it is a raw stream or a WebSocket that carries it.

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use tidings_model::{GapReason, Keep, Position, SessionEnd, Time};
use tidings_mqtt_codec::{DecodeError, Decoder, Disconnect, Limits, Packet, ReasonCode, Version};
use tidings_protocol::{
    CloseReason, Frame, Input, Output, Outputs, Protocol, Response, Settings, SubId, Ticket,
};

use crate::connect::Opening;
use crate::filters::Filters;
use crate::login::Proving;
use crate::notes::Notes;
use crate::turn::{Link, Turn};
use crate::work::Work;

/// What a client reads is one subscription, whatever it is subscribed to.
pub(crate) const SUB: SubId = SubId(0);

/// Bytes that a packet may have around the largest message: topic, properties and all.
const AROUND_BYTES_MAX: usize = 256 * 1024;

/// One connection.
pub(crate) struct Machine {
    pub(crate) settings: Arc<Settings>,
    decoder: Decoder,
    pub(crate) stage: Stage,
    /// Whether it is known who the client is, since its WebSocket's handshake said so.
    pub(crate) is_known: bool,
    pub(crate) link: Link,
    pub(crate) filters: Filters,
    /// Everything up to here has arrived at the client for good.
    pub(crate) position: Position,
    /// What lies before this was published while the client was away.
    pub(crate) resumed: Option<Box<Position>>,
    /// Events that the broker may still hand over, where their number is limited.
    pub(crate) allowed: Option<u32>,
    tickets: u32,
    /// History that was lost and is to be told.
    pub(crate) gap: Option<GapReason>,
    /// Whatever is under way. Nothing while the connection idles.
    work: Option<Box<Work>>,
}

/// How far the connection is.
pub(crate) enum Stage {
    /// CONNECT is to come.
    New,
    /// It came, and the client has begun to prove who it is.
    Proving(Box<Proving>),
    /// It came, and its session is not there yet.
    Opening(Box<Opening>),
    Open,
    /// Nothing more is said.
    Closed,
}

impl Machine {
    pub(crate) fn new(settings: &Arc<Settings>) -> Machine {
        let limits = Limits { packet_bytes_max: packet_bytes_max(settings) };
        Machine {
            settings: Arc::clone(settings),
            decoder: Decoder::server(limits),
            stage: Stage::New,
            is_known: false,
            link: Link {
                version: Version::V311,
                explains: true,
                session: None,
                patience_ms: 0,
                heard: Time::default(),
                receive_max: 0,
                packet_bytes_max: u32::MAX,
                alias_max: 0,
                origin: NonZeroU64::MIN,
            },
            filters: Filters::default(),
            position: Position::default(),
            resumed: None,
            allowed: None,
            tickets: 0,
            gap: None,
            work: None,
        }
    }

    /// What is under way.
    pub(crate) fn work(&mut self) -> &mut Work {
        self.work.get_or_insert_default()
    }

    /// What is under way, if anything is.
    pub(crate) fn any_work(&mut self) -> Option<&mut Work> {
        self.work.as_deref_mut()
    }

    /// A ticket that was not given before.
    pub(crate) fn ticket(&mut self) -> Ticket {
        self.tickets = self.tickets.wrapping_add(1);
        Ticket(self.tickets)
    }

    /// A peer is there and has to say who it is.
    fn begin(&self, turn: &mut Turn<'_>) {
        turn.out.push(Output::WakeAt(turn.now + self.settings.connect_wait));
    }

    fn bytes(&mut self, mut bytes: &[u8], turn: &mut Turn<'_>) {
        self.link.heard = turn.now;
        loop {
            match &mut self.stage {
                Stage::Closed => return,
                Stage::Opening(opening) => {
                    // Clients need not wait for CONNACK; what they say meanwhile does.
                    if !opening.keep(bytes, packet_bytes_max(&self.settings)) {
                        let why = "too much was sent before CONNACK";
                        self.fail(ReasonCode::QuotaExceeded, why, turn);
                    }
                    return;
                }
                Stage::New | Stage::Proving(_) | Stage::Open => {}
            }
            match self.decoder.decode(&mut bytes) {
                Ok(Some(packet)) => self.packet(packet, turn),
                Ok(None) => return self.flush_batch(turn),
                Err(error) => return self.malformed(error, turn),
            }
        }
    }

    fn packet(&mut self, packet: Packet, turn: &mut Turn<'_>) {
        match packet {
            // Section 4.12: [MQTT-3.1.2-30].
            packet if matches!(self.stage, Stage::Proving(_)) => match packet {
                Packet::Auth(auth) => self.prove(*auth, turn),
                _ => {
                    let why = "the authentication is not over";
                    self.refuse(ReasonCode::ProtocolError, why, None, turn);
                }
            },
            Packet::Publish(publish) => self.publish(publish, turn),
            packet => {
                // What comes after a message is answered after it.
                self.flush_batch(turn);
                match packet {
                    Packet::Connect(connect) => self.connect(*connect, turn),
                    Packet::PubAck(ack) => self.puback(&ack, turn),
                    Packet::PubRec(ack) => self.pubrec(&ack, turn),
                    Packet::PubRel(ack) => self.pubrel(&ack, turn),
                    Packet::PubComp(ack) => self.pubcomp(&ack, turn),
                    Packet::Subscribe(subscribe) => self.subscribe(*subscribe, turn),
                    Packet::Unsubscribe(unsubscribe) => self.unsubscribe(*unsubscribe, turn),
                    Packet::PingReq => turn.send(&Packet::PingResp, &self.link),
                    Packet::Disconnect(disconnect) => self.disconnect(&disconnect, turn),
                    Packet::Auth(auth) => self.prove(*auth, turn),
                    // The decoder of a server hands out no others.
                    _ => {}
                }
            }
        }
    }

    fn malformed(&mut self, error: DecodeError, turn: &mut Turn<'_>) {
        self.flush_batch(turn);
        if let Some(version) = self.decoder.version() {
            self.link.version = version;
        }
        match self.stage {
            Stage::New => {
                if self.decoder.announced_level().is_some_and(|level| level > 4) {
                    self.link.version = Version::V5;
                }
                // What does not even begin as MQTT is not answered in its words.
                match self.decoder.announced_level() {
                    Some(_) => self.refuse(error.reason(), &error.to_string(), None, turn),
                    None => self.close(CloseReason::Done, turn),
                }
            }
            _ => self.fail(error.reason(), &error.to_string(), turn),
        }
    }

    /// Ends the connection because of something the client did, or for our sake.
    pub(crate) fn fail(&mut self, reason: ReasonCode, why: &str, turn: &mut Turn<'_>) {
        self.say_disconnect(reason, Some(why), turn);
        self.close(CloseReason::Done, turn);
    }

    /// Only MQTT 5 lets the server say why it goes.
    fn say_disconnect(&mut self, reason: ReasonCode, why: Option<&str>, turn: &mut Turn<'_>) {
        if self.link.version == Version::V5 && matches!(self.stage, Stage::Open) {
            let server_reference = match reason {
                ReasonCode::UseAnotherServer => self.settings.redirect.clone().map(Into::into),
                _ => None,
            };
            let reason_string = why.filter(|_| self.link.explains).map(str::to_owned);
            let disconnect =
                Disconnect { reason, reason_string, server_reference, ..Disconnect::default() };
            turn.send(&Packet::Disconnect(Box::new(disconnect)), &self.link);
        }
    }

    pub(crate) fn close(&mut self, reason: CloseReason, turn: &mut Turn<'_>) {
        self.stage = Stage::Closed;
        turn.close = Some(reason);
    }

    /// The client goes of its own will (section 3.14).
    fn disconnect(&mut self, disconnect: &Disconnect, turn: &mut Turn<'_>) {
        let expiry = disconnect.session_expiry.map(|seconds| self.span(seconds));
        if expiry.is_some_and(|expiry| !expiry.is_zero()) && !self.link.is_lasting() {
            let why = "a session that ends with its connection cannot be kept any more";
            return self.fail(ReasonCode::ProtocolError, why, turn);
        }
        let without_will = disconnect.reason != ReasonCode::DisconnectWithWillMessage;
        let notes = self.notes();
        let keep =
            Keep { position: self.position, notes, expiry, without_will, messages: Vec::new() };
        turn.out.push(Output::Keep(SUB, keep, None));
        turn.is_changed = false;
        self.close(CloseReason::Done, turn);
    }

    /// How long a session is kept that is to be kept for so many seconds.
    pub(crate) fn span(&self, seconds: u32) -> Duration {
        match seconds {
            u32::MAX => self.settings.session_max,
            seconds => Duration::from_secs(seconds.into()).min(self.settings.session_max),
        }
    }

    fn deadline(&mut self, turn: &mut Turn<'_>) {
        match (&self.stage, self.link.until()) {
            (Stage::New | Stage::Proving(_), _) => self.close(CloseReason::Done, turn),
            (Stage::Open, Some(until)) => {
                if until <= turn.now {
                    let why = "nothing came for one and a half times the keep alive";
                    return self.fail(ReasonCode::KeepAliveTimeout, why, turn);
                }
                turn.out.push(Output::WakeAt(until));
            }
            _ => {}
        }
    }

    fn ended(&mut self, end: SessionEnd, turn: &mut Turn<'_>) {
        let (reason, why) = match end {
            SessionEnd::TakenOver => {
                (ReasonCode::SessionTakenOver, "another connection has the same client identifier")
            }
            SessionEnd::Deleted => (ReasonCode::AdministrativeAction, "the session was deleted"),
        };
        self.say_disconnect(reason, Some(why), turn);
        self.close(CloseReason::SessionEnded(end), turn);
    }

    fn closing(&mut self, turn: &mut Turn<'_>) {
        let reason = match self.settings.redirect {
            Some(_) => ReasonCode::UseAnotherServer,
            None => ReasonCode::ServerShuttingDown,
        };
        self.say_disconnect(reason, None, turn);
        self.close(CloseReason::Restart, turn);
    }

    /// What the session remembers besides how far it has come.
    pub(crate) fn notes(&self) -> Bytes {
        if !self.link.is_lasting() {
            return Bytes::new();
        }
        let mut notes =
            Notes { filters: self.filters.iter().cloned().collect(), ..Notes::default() };
        if let Some(work) = &self.work {
            work.note(&mut notes);
        }
        notes.encode()
    }

    /// Carries out what was put off to the end of the turn.
    fn finish(&mut self, mut turn: Turn<'_>) {
        self.pump(&mut turn);
        let stored = turn.take_stored();
        if self.link.is_lasting() && (turn.is_changed || !stored.is_empty()) {
            let (position, notes) = (self.position, self.notes());
            let keep = Keep { position, notes, ..Keep::default() };
            let ticket = (!stored.is_empty()).then(|| {
                let ticket = self.ticket();
                self.work().stored.push_back((ticket, stored));
                ticket
            });
            turn.out.push(Output::Keep(SUB, keep, ticket));
        }
        turn.flush();
        if let Some(reason) = turn.close {
            turn.out.push(Output::Close(reason));
        }
        if self.work.as_ref().is_some_and(|work| work.is_idle()) {
            self.work = None;
        }
    }

    /// The session is stored as it was when these packets were made.
    fn kept(&mut self, ticket: Ticket, is_kept: bool, turn: &mut Turn<'_>) {
        let Some(work) = self.any_work() else { return };
        let Some(place) = work.stored.iter().position(|(of, _)| *of == ticket) else { return };
        let Some((_, packets)) = work.stored.remove(place) else { return };
        match is_kept {
            true => turn.buffer().extend_from_slice(&packets),
            false => {
                let why = "the session could not be stored";
                self.fail(ReasonCode::ServerUnavailable, why, turn);
            }
        }
    }

    /// Goes on with what came while the session was not there.
    pub(crate) fn go_on(&mut self, early: &[u8], turn: &mut Turn<'_>) {
        self.stage = Stage::Open;
        self.link.heard = turn.now;
        if let Some(until) = self.link.until() {
            turn.out.push(Output::WakeAt(until));
        }
        self.bytes(early, turn);
    }
}

/// The largest packet that is read, in bytes.
pub(crate) fn packet_bytes_max(settings: &Settings) -> usize {
    settings.message_bytes_max + AROUND_BYTES_MAX
}

impl Protocol for Machine {
    fn handle(&mut self, input: Input<'_>, now: Time, out: &mut Outputs) {
        let mut turn = Turn::new(now, out);
        if matches!(self.stage, Stage::Closed) {
            return;
        }
        let turn_ref = &mut turn;
        match input {
            Input::Connected => self.begin(turn_ref),
            Input::Opened(request) => {
                let identity = request.identity.as_ref();
                self.is_known = identity.is_some_and(|identity| identity.user().is_some());
                turn_ref.out.push(Output::Begin(Response::new(StatusCode::SWITCHING_PROTOCOLS)));
                self.begin(turn_ref);
            }
            Input::Bytes(bytes) | Input::Frame(Frame::Binary(bytes)) => self.bytes(bytes, turn_ref),
            // Section 6: [MQTT-6.0.0-1].
            Input::Frame(Frame::Text(_)) => {
                let why = "MQTT is spoken in binary messages";
                self.fail(ReasonCode::ProtocolError, why, turn_ref);
            }
            Input::Resumed(_, resumed) => self.resumed(resumed),
            Input::Subscribed(SUB, result, _) => self.subscribed(result, turn_ref),
            Input::Subscribed(sub, result, _) => self.joined(sub, result),
            Input::Selected(_, since, refused) => self.selected(since, refused, turn_ref),
            Input::Deliveries { sub, deliveries, .. } if sub != SUB => {
                self.dealt(sub, deliveries);
            }
            Input::Deliveries { deliveries, position, .. } => {
                self.deliver(deliveries, position, turn_ref);
            }
            Input::Published(ticket, result) => {
                self.published(ticket, result.map(drop), turn_ref);
            }
            Input::Managed(ticket, result) => {
                self.kept(ticket, result.is_ok(), turn_ref);
                self.published(ticket, result.map(drop), turn_ref);
            }
            Input::Recalled(ticket, records, next) => self.recalled(ticket, records, next),
            Input::Ended(_, end) => self.ended(end, turn_ref),
            Input::Deadline => self.deadline(turn_ref),
            Input::Closing(_) => self.closing(turn_ref),
            Input::Authenticated(_, result) => self.authenticated(result.err(), turn_ref),
            Input::Expired => {
                let why = "the credentials have expired";
                self.say_disconnect(ReasonCode::NotAuthorized, Some(why), turn_ref);
                self.close(CloseReason::Expired, turn_ref);
            }
        }
        self.finish(turn);
    }
}
