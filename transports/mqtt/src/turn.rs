//! What one input brings about, and what the connection is like that it came by. Must never decide
//! what is said, only how it is written.

use std::num::NonZeroU64;
use std::time::Duration;

use bytes::Bytes;
use tidings_model::{SessionName, Time};
use tidings_mqtt_codec::{Packet, Version};
use tidings_protocol::{CloseReason, Output, Outputs};

/// What CONNECT said of the connection.
pub(crate) struct Link {
    pub(crate) version: Version,
    /// Whether reasons are told for people (section 3.1.2.11.7).
    pub(crate) explains: bool,
    /// The session that outlives the connection, if it does.
    pub(crate) session: Option<SessionName>,
    /// How long the client may be silent, in milliseconds; 0 is for ever.
    pub(crate) patience_ms: u32,
    /// When it was last heard.
    pub(crate) heard: Time,
    /// How many messages it lets be under way.
    pub(crate) receive_max: u16,
    /// The largest packet it takes.
    pub(crate) packet_bytes_max: u32,
    /// The largest topic alias it takes.
    pub(crate) alias_max: u16,
    /// Its number as a publisher.
    pub(crate) origin: NonZeroU64,
}

impl Link {
    /// When the client will have been silent for too long.
    pub(crate) fn until(&self) -> Option<Time> {
        let patience = Duration::from_millis(self.patience_ms.into());
        (!patience.is_zero()).then(|| self.heard + patience)
    }

    /// Whether the session outlives the connection.
    pub(crate) fn is_lasting(&self) -> bool {
        self.session.is_some()
    }
}

/// What one input brings about.
pub(crate) struct Turn<'a> {
    pub(crate) now: Time,
    pub(crate) out: &'a mut Outputs,
    /// Packets to be sent.
    buffer: Vec<u8>,
    /// Packets to be sent once the session is stored as it is now.
    stored: Vec<u8>,
    /// Whether the session is to be stored when there is time.
    pub(crate) is_changed: bool,
    pub(crate) close: Option<CloseReason>,
}

impl<'a> Turn<'a> {
    pub(crate) fn new(now: Time, out: &'a mut Outputs) -> Turn<'a> {
        let (buffer, stored) = (Vec::new(), Vec::new());
        Turn { now, out, buffer, stored, is_changed: false, close: None }
    }

    /// Takes the packets that wait for the session to be stored.
    pub(crate) fn take_stored(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.stored)
    }

    /// Sends a packet.
    pub(crate) fn send(&mut self, packet: &Packet, link: &Link) {
        write(packet, link, &mut self.buffer);
    }

    /// Sends a packet once what it says is stored; at once where nothing is.
    pub(crate) fn send_stored(&mut self, packet: &Packet, link: &Link) {
        match link.is_lasting() {
            true => write(packet, link, &mut self.stored),
            false => write(packet, link, &mut self.buffer),
        }
    }

    /// Sends bytes that others are sent, too.
    pub(crate) fn send_shared(&mut self, bytes: Bytes) {
        self.flush();
        self.out.push(Output::Send(bytes));
    }

    /// Where packets are written that are nobody else's.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    pub(crate) fn flush(&mut self) {
        if !self.buffer.is_empty() {
            self.out.push(Output::Send(std::mem::take(&mut self.buffer).into()));
        }
    }
}

fn write(packet: &Packet, link: &Link, to: &mut Vec<u8>) {
    let before = to.len();
    // What is written here is made here: a packet that cannot be written is a fault of ours, and one
    // that the client does not take is not sent (section 3.1.2.11.4).
    let written = packet.encode(link.version, to);
    debug_assert!(written.is_ok(), "{packet:?}: {written:?}");
    if to.len() - before > link.packet_bytes_max as usize {
        to.truncate(before);
    }
}
