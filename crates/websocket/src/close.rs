//! Close codes and the payload of a Close frame (RFC 6455 sections 5.5.1 and 7.4).
//!
//! Must never let a code on or off the wire that section 7.4 keeps from it.

use std::fmt;

use crate::error::WsError;
use crate::frame::CONTROL_BYTES_MAX;
use crate::utf8;

/// Longest close reason, in bytes of UTF-8: a control payload less the two bytes of the code.
pub const REASON_BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;

/// A close code that may be sent: 1000 to 1003 and 1007 to 1014 (section 7.4.1 and the IANA
/// registry of section 11.7), 3000 to 4999 (section 7.4.2). Valid by construction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the purpose of the connection is fulfilled.
    pub const NORMAL: CloseCode = CloseCode(1000);
    /// 1001: the server shuts down, or the browser leaves the page.
    pub const GOING_AWAY: CloseCode = CloseCode(1001);
    /// 1002: the peer broke the protocol.
    pub const PROTOCOL_ERROR: CloseCode = CloseCode(1002);
    /// 1003: this kind of message (text or binary) is not accepted.
    pub const UNSUPPORTED: CloseCode = CloseCode(1003);
    /// 1007: text that is not UTF-8.
    pub const INVALID_PAYLOAD: CloseCode = CloseCode(1007);
    /// 1008: against the endpoint's policy, when no other code fits.
    pub const POLICY: CloseCode = CloseCode(1008);
    /// 1009: the message is too big.
    pub const TOO_BIG: CloseCode = CloseCode(1009);
    /// 1011: the server met a condition that it did not expect.
    pub const INTERNAL_ERROR: CloseCode = CloseCode(1011);
    /// 1012: the server restarts (IANA registry).
    pub const SERVICE_RESTART: CloseCode = CloseCode(1012);
    /// 1013: the server is overloaded; try again later (IANA registry).
    pub const TRY_AGAIN_LATER: CloseCode = CloseCode(1013);

    /// The code with this number, or `None` if it must not be sent: 1004 is reserved, and 1005,
    /// 1006 and 1015 only ever stand for a frame that did not come.
    pub const fn new(code: u16) -> Option<CloseCode> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(CloseCode(code)),
            _ => None,
        }
    }

    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The payload of a Close frame: the code, then the reason, cut at a character so that it fits
/// [`REASON_BYTES_MAX`] (section 5.5.1). A Close without a code has an empty payload instead.
pub fn close_payload(code: CloseCode, reason: &str) -> Vec<u8> {
    let reason = &reason[..reason.floor_char_boundary(REASON_BYTES_MAX)];
    let mut payload = Vec::with_capacity(2 + reason.len());
    payload.extend_from_slice(&code.0.to_be_bytes());
    payload.extend_from_slice(reason.as_bytes());
    payload
}

/// Reads the payload of a Close frame.
///
/// Errors: half a code, a code that must not be sent, a reason that is not UTF-8.
pub(crate) fn parse(payload: &[u8]) -> Result<(Option<CloseCode>, &str), WsError> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return if payload.is_empty() { Ok((None, "")) } else { Err(WsError::CloseCodeCut) };
    };
    let number = u16::from_be_bytes(*code);
    let code = CloseCode::new(number).ok_or(WsError::CloseCode(number))?;
    Ok((Some(code), utf8::check(reason)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_may_be_sent() {
        let valid: Vec<u16> =
            (0..=u16::MAX).filter(|code| CloseCode::new(*code).is_some()).collect();
        let expected: Vec<u16> = (1000..=1003).chain(1007..=1014).chain(3000..=4999).collect();
        assert_eq!(valid, expected);
    }

    #[test]
    fn payloads_both_ways() {
        let payload = close_payload(CloseCode::GOING_AWAY, "bye");
        assert_eq!(payload, b"\x03\xe9bye");
        assert_eq!(parse(&payload), Ok((Some(CloseCode::GOING_AWAY), "bye")));
        assert_eq!(parse(b""), Ok((None, "")));
        assert_eq!(parse(b"\x03"), Err(WsError::CloseCodeCut));
        assert_eq!(parse(b"\x03\xed"), Err(WsError::CloseCode(1005)));
        assert_eq!(parse(b"\x03\xe8\xff"), Err(WsError::InvalidUtf8));
    }

    #[test]
    fn a_long_reason_is_cut_at_a_character() {
        let payload = close_payload(CloseCode::NORMAL, &"€".repeat(100));
        assert_eq!(payload.len(), CONTROL_BYTES_MAX);
        assert_eq!(parse(&payload), Ok((Some(CloseCode::NORMAL), "€".repeat(41).as_str())));
        let payload = close_payload(CloseCode::NORMAL, &"ä".repeat(100));
        assert_eq!(payload.len(), CONTROL_BYTES_MAX - 1);
    }
}
