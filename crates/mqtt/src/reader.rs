//! The fields of a packet (section 1.5), taken one after the other from its bytes. Must never
//! read past the packet, or copy what it does not give away.

use bytes::Bytes;

use crate::PacketId;
use crate::error::Fault;
use crate::property::Allowed;

/// What is left of a packet, or of a part of it.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    /// What the bytes lie in, when it is the decoder's own and may be given away.
    owner: Option<&'a Bytes>,
}

impl<'a> Reader<'a> {
    /// Reads what is lent: whatever is given away is copied.
    pub(crate) fn lent(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes, owner: None }
    }

    /// Reads what was kept: a payload is shared with it.
    pub(crate) fn kept(bytes: &'a Bytes) -> Reader<'a> {
        Reader { rest: bytes, owner: Some(bytes) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.rest.len()
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Fault::TooShort)?;
        self.rest = rest;
        Ok(taken)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Fault> {
        let (&byte, rest) = self.rest.split_first().ok_or(Fault::TooShort)?;
        self.rest = rest;
        Ok(byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Fault> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Fault::TooShort)?;
        self.rest = rest;
        Ok(u16::from_be_bytes(*bytes))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Fault> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Fault::TooShort)?;
        self.rest = rest;
        Ok(u32::from_be_bytes(*bytes))
    }

    /// A property that can only be 0 or 1.
    pub(crate) fn flag(&mut self) -> Result<bool, Fault> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Fault::PropertyValue),
        }
    }

    pub(crate) fn packet_id(&mut self) -> Result<PacketId, Fault> {
        PacketId::new(self.u16()?).ok_or(Fault::PacketIdZero)
    }

    /// A variable byte integer, which since MQTT 5.0 has to be as short as it can be (section
    /// 1.5.5). Packets of older versions have none but the Remaining Length.
    pub(crate) fn varint(&mut self) -> Result<u32, Fault> {
        let varint = varint(self.rest)?.ok_or(Fault::TooShort)?;
        self.rest = &self.rest[varint.len..];
        if varint.is_minimal { Ok(varint.value) } else { Err(Fault::IntegerNotMinimal) }
    }

    /// A string's bytes, or binary data.
    pub(crate) fn field(&mut self) -> Result<&'a [u8], Fault> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    pub(crate) fn binary(&mut self) -> Result<Bytes, Fault> {
        self.field().map(Bytes::copy_from_slice)
    }

    /// A string (section 1.5.4).
    pub(crate) fn text(&mut self) -> Result<&'a str, Fault> {
        let text = self.text_with_nulls()?;
        if text.as_bytes().contains(&0) { Err(Fault::NullCharacter) } else { Ok(text) }
    }

    /// A string for somebody who looks for U+0000 anyway.
    pub(crate) fn text_with_nulls(&mut self) -> Result<&'a str, Fault> {
        simdutf8::basic::from_utf8(self.field()?).map_err(|_| Fault::NotUtf8)
    }

    pub(crate) fn string(&mut self) -> Result<String, Fault> {
        self.text().map(str::to_owned)
    }

    pub(crate) fn pair(&mut self) -> Result<(String, String), Fault> {
        Ok((self.string()?, self.string()?))
    }

    /// All that is left, as a payload.
    pub(crate) fn payload(&mut self) -> Bytes {
        let rest = std::mem::take(&mut self.rest);
        match self.owner {
            // A small payload would keep a large head alive.
            Some(owner) if rest.len() >= owner.len() / 2 && !rest.is_empty() => {
                owner.slice_ref(rest)
            }
            _ => Bytes::copy_from_slice(rest),
        }
    }

    /// Nothing may be left.
    pub(crate) fn end(&self) -> Result<(), Fault> {
        if self.rest.is_empty() { Ok(()) } else { Err(Fault::TooLong) }
    }

    /// The properties (section 2.2.2): hands each identifier to `each`, which reads the value.
    pub(crate) fn properties(
        &mut self,
        allowed: Allowed,
        mut each: impl FnMut(u8, &mut Reader<'a>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let len = self.varint()?;
        let mut properties = Reader::lent(self.take(len as usize)?);
        let mut seen = 0;
        while !properties.is_empty() {
            let id = properties.varint()?;
            let bit = allowed.bit_of(id).ok_or(Fault::PropertyMisplaced)?;
            if seen & bit != 0 && !allowed.is_repeatable(bit) {
                return Err(Fault::PropertyTwice);
            }
            seen |= bit;
            each(id as u8, &mut properties)?; // what is allowed is below 64
        }
        Ok(())
    }
}

/// A variable byte integer (section 1.5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Varint {
    pub(crate) value: u32,
    /// Bytes it took.
    pub(crate) len: usize,
    /// Whether it could not have been shorter.
    pub(crate) is_minimal: bool,
}

/// Reads one from the front of `bytes`; `None` when it goes on behind them.
pub(crate) fn varint(bytes: &[u8]) -> Result<Option<Varint>, Fault> {
    let mut value = 0;
    for (at, &byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Ok(Some(Varint { value, len: at + 1, is_minimal: byte != 0 || at == 0 }));
        }
    }
    if bytes.len() < 4 { Ok(None) } else { Err(Fault::IntegerTooLong) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_every_length_are_read() {
        for (bytes, value) in [
            (&[0][..], 0),
            (&[0x7f], 127),
            (&[0x80, 1], 128),
            (&[0xff, 0x7f], 16_383),
            (&[0x80, 0x80, 1], 16_384),
            (&[0xff, 0xff, 0x7f], 2_097_151),
            (&[0x80, 0x80, 0x80, 1], 2_097_152),
            (&[0xff, 0xff, 0xff, 0x7f], crate::VARINT_MAX),
        ] {
            let whole = Varint { value, len: bytes.len(), is_minimal: true };
            assert_eq!(varint(&[bytes, b"more"].concat()), Ok(Some(whole)));
            assert_eq!(varint(&bytes[..bytes.len() - 1]), Ok(None));
        }
        let padded = Varint { value: 1, len: 2, is_minimal: false };
        assert_eq!(varint(&[0x81, 0]), Ok(Some(padded)));
        assert_eq!(varint(&[0x80; 4]), Err(Fault::IntegerTooLong));
        assert_eq!(varint(&[0x80; 3]), Ok(None));
    }
}
