//! Packets as bytes. Every packet is described once and walked twice: measured, which finds all
//! that cannot be written, and then written. Must never allocate beside the buffer, or leave part
//! of a packet in it.

use crate::error::EncodeError;
use crate::packet::PacketType;
use crate::property::USER_PROPERTY;
use crate::version::Version;
use crate::{FIELD_BYTES_MAX, VARINT_MAX};

/// What can be written: a packet behind its fixed header, or the properties of one.
pub(crate) trait Body {
    fn write(&self, version: Version, sink: &mut impl Sink);
}

/// Takes fields.
pub(crate) trait Sink: Sized {
    /// Bytes as they are.
    fn raw(&mut self, bytes: &[u8]);

    /// The bytes of a string or of binary data, which may be too long for one.
    fn field(&mut self, bytes: &[u8]);

    /// A string, which may also contain what none may.
    fn string(&mut self, text: &str);

    /// Properties with their length before them.
    fn properties(&mut self, properties: &impl Body);

    fn u8(&mut self, byte: u8) {
        self.raw(&[byte]);
    }

    fn u16(&mut self, number: u16) {
        self.raw(&number.to_be_bytes());
    }

    fn u32(&mut self, number: u32) {
        self.raw(&number.to_be_bytes());
    }

    /// A variable byte integer; callers have looked that it is none too large.
    fn varint(&mut self, mut number: u32) {
        while number > 0x7f {
            self.u8(number as u8 | 0x80);
            number >>= 7;
        }
        self.u8(number as u8);
    }

    fn u8_property(&mut self, id: u8, value: Option<u8>) {
        if let Some(value) = value {
            self.raw(&[id, value]);
        }
    }

    fn flag_property(&mut self, id: u8, value: Option<bool>) {
        self.u8_property(id, value.map(u8::from));
    }

    fn u16_property(&mut self, id: u8, value: Option<u16>) {
        if let Some(value) = value {
            self.u8(id);
            self.u16(value);
        }
    }

    fn u32_property(&mut self, id: u8, value: Option<u32>) {
        if let Some(value) = value {
            self.u8(id);
            self.u32(value);
        }
    }

    fn string_property(&mut self, id: u8, value: Option<&str>) {
        if let Some(value) = value {
            self.u8(id);
            self.string(value);
        }
    }

    fn binary_property(&mut self, id: u8, value: Option<&[u8]>) {
        if let Some(value) = value {
            self.u8(id);
            self.field(value);
        }
    }

    fn user_properties(&mut self, user: &[(String, String)]) {
        for (name, value) in user {
            self.u8(USER_PROPERTY);
            self.string(name);
            self.string(value);
        }
    }
}

/// How long something would be, and why it cannot be written.
#[derive(Default)]
pub(crate) struct Measure {
    pub(crate) len: usize,
    fault: Option<EncodeError>,
}

impl Measure {
    pub(crate) fn of(body: &impl Body, version: Version) -> Measure {
        let mut measure = Measure::default();
        body.write(version, &mut measure);
        measure
    }

    /// The Remaining Length of a packet with `more` bytes behind what was measured.
    pub(crate) fn remaining_length(&self, more: usize) -> Result<u32, EncodeError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let len = self.len.checked_add(more).and_then(|len| u32::try_from(len).ok());
        len.filter(|len| *len <= VARINT_MAX).ok_or(EncodeError::PacketTooLong)
    }
}

impl Sink for Measure {
    fn raw(&mut self, bytes: &[u8]) {
        self.len += bytes.len();
    }

    fn field(&mut self, bytes: &[u8]) {
        if bytes.len() > FIELD_BYTES_MAX {
            self.fault = self.fault.or(Some(EncodeError::FieldTooLong));
        }
        self.len += 2 + bytes.len();
    }

    fn string(&mut self, text: &str) {
        if text.as_bytes().contains(&0) {
            self.fault = self.fault.or(Some(EncodeError::NullCharacter));
        }
        self.field(text.as_bytes());
    }

    fn properties(&mut self, properties: &impl Body) {
        let Measure { len, fault } = Measure::of(properties, Version::V5);
        self.len += varint_len(len) + len;
        self.fault = self.fault.or(fault);
    }
}

impl Sink for Vec<u8> {
    fn raw(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn field(&mut self, bytes: &[u8]) {
        self.u16(bytes.len() as u16); // measured before
        self.extend_from_slice(bytes);
    }

    fn string(&mut self, text: &str) {
        self.field(text.as_bytes());
    }

    fn properties(&mut self, properties: &impl Body) {
        let len = Measure::of(properties, Version::V5).len;
        self.varint(len as u32); // less than the packet, which was measured before
        properties.write(Version::V5, self);
    }
}

/// Appends a packet that is not PUBLISH.
pub(crate) fn write_packet(
    kind: PacketType,
    body: &impl Body,
    version: Version,
    out: &mut Vec<u8>,
) -> Result<(), EncodeError> {
    let len = Measure::of(body, version).remaining_length(0)?;
    out.reserve(1 + varint_len(len as usize) + len as usize);
    out.u8(kind.first_byte());
    out.varint(len);
    body.write(version, out);
    Ok(())
}

/// Bytes that a variable byte integer takes (table 1-1).
pub(crate) fn varint_len(number: usize) -> usize {
    match number {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}
