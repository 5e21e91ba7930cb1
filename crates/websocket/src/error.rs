//! How a peer can break RFC 6455, each way with its section and the close code that answers it.
//!
//! Must never hold anything the peer sent beyond a number: these texts end up in logs.

use crate::close::CloseCode;

/// What the peer did wrong. The connection cannot go on: send a Close frame with
/// [`close_code`](WsError::close_code) and drop it (section 7.1.7, "Fail the WebSocket Connection").
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WsError {
    /// RSV1 set, the compressed bit of RFC 7692 section 6, though no extension was agreed
    /// (section 5.2).
    #[error("RSV1 is set, but no compression was agreed")]
    CompressionNotAgreed,
    /// RSV1 set on a control frame or on a fragment that is not its message's first, where
    /// compression gives it no meaning (RFC 7692 sections 6 and 6.1).
    #[error("RSV1 is set on a frame that begins no message")]
    CompressionMisplaced,
    /// A compressed message that is no DEFLATE data, or not the whole of it (RFC 7692 section
    /// 7.2.2).
    #[error("a compressed message cannot be inflated")]
    NotDeflate,
    /// RSV2 or RSV3 set; no extension that gives them a meaning exists here (section 5.2).
    #[error("a reserved bit (RSV2 or RSV3) is set")]
    ReservedBits,
    /// Opcode 3 to 7 or 11 to 15 (section 5.2).
    #[error("the opcode {0} is reserved")]
    ReservedOpcode(u8),
    /// A client's frame without a mask (section 5.1).
    #[error("a client must mask every frame")]
    NotMasked,
    /// A server's frame with a mask (section 5.1).
    #[error("a server must not mask a frame")]
    Masked,
    /// A control frame without FIN (section 5.5).
    #[error("a control frame is fragmented")]
    ControlFragmented,
    /// A control frame with more than 125 bytes of payload (section 5.5).
    #[error("a control frame has more than 125 bytes of payload")]
    ControlTooLong,
    /// A length in more bytes than it needs (section 5.2, "the minimal number of bytes MUST be
    /// used").
    #[error("the payload length is not in its shortest form")]
    LengthNotMinimal,
    /// A 64-bit length of 2^63 or more (section 5.2, "the most significant bit MUST be 0").
    #[error("the payload length has its top bit set")]
    LengthTopBit,
    /// A continuation frame with no message begun (section 5.4).
    #[error("a continuation frame continues nothing")]
    NothingToContinue,
    /// A text or binary frame while the message before it is unfinished (section 5.4).
    #[error("a new message began before the last fragment of the one before")]
    MessageUnfinished,
    /// Text, or a close reason, that is not UTF-8 (section 8.1).
    #[error("text is not valid UTF-8")]
    InvalidUtf8,
    /// The message would be larger than [`Limits::message_bytes_max`](crate::Limits) allows
    /// (section 10.4), inflated or not.
    #[error("the message is larger than {max} bytes")]
    MessageTooBig {
        /// The limit, in bytes.
        max: usize,
    },
    /// A Close frame with one byte of payload: a code takes two (section 5.5.1).
    #[error("a close frame has half a close code")]
    CloseCodeCut,
    /// A Close frame with a code that nobody may send (section 7.4).
    #[error("the close code {0} must not be sent")]
    CloseCode(u16),
}

impl WsError {
    /// The code for the Close frame that answers this (section 7.4.1).
    pub fn close_code(self) -> CloseCode {
        match self {
            WsError::InvalidUtf8 | WsError::NotDeflate => CloseCode::INVALID_PAYLOAD,
            WsError::MessageTooBig { .. } => CloseCode::TOO_BIG,
            WsError::CompressionNotAgreed
            | WsError::CompressionMisplaced
            | WsError::ReservedBits
            | WsError::ReservedOpcode(_)
            | WsError::NotMasked
            | WsError::Masked
            | WsError::ControlFragmented
            | WsError::ControlTooLong
            | WsError::LengthNotMinimal
            | WsError::LengthTopBit
            | WsError::NothingToContinue
            | WsError::MessageUnfinished
            | WsError::CloseCodeCut
            | WsError::CloseCode(_) => CloseCode::PROTOCOL_ERROR,
        }
    }
}
