//! Agreeing on permessage-deflate (RFC 7692 section 7.1) in the opening handshake (RFC 6455
//! section 9.1).
//!
//! Must never agree to keep a compressor's context from one message to the next: then a message
//! can be compressed once for everyone, and a connection that is idle holds none.

use std::fmt;

/// The extension's registered name.
const NAME: &str = "permessage-deflate";

/// The window of a compressor that is bound to nothing less, as a power of two in bytes.
const WINDOW_BITS_MAX: u8 = 15;

/// The least window that may be asked for (section 7.1.2).
const WINDOW_BITS_MIN: u8 = 8;

/// What both ends of a connection have agreed on: messages may be compressed, each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deflate {
    /// The window that the client holds to read what it is sent, when it is a small one.
    server_max_window_bits: Option<u8>,
}

/// A list of extensions that is not one, or one that is malformed. The handshake cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Sec-WebSocket-Extensions is malformed")]
pub struct MalformedExtensions;

impl Deflate {
    /// What a server makes of a client's offers: the first that it can hold to, or none. `offers`
    /// is the value of `Sec-WebSocket-Extensions`, its lines joined with commas.
    ///
    /// # Errors
    /// When it breaks the grammar of RFC 6455 section 9.1, which ends the handshake. Offers that
    /// are well-formed and not understood are declined, as RFC 7692 section 7.1 asks.
    pub fn negotiate(offers: &str) -> Result<Option<Deflate>, MalformedExtensions> {
        let mut agreed = None;
        let mut rest = offers.trim_matches(BLANK);
        while !rest.is_empty() {
            // Empty elements of a list are to be ignored (RFC 9110 section 5.6.1.2).
            if let Some(after) = rest.strip_prefix(',') {
                rest = after.trim_start_matches(BLANK);
                continue;
            }
            let (name, mut after) = token(rest)?;
            let mut offer = Some(Offer::default());
            while let Some(param) = after.strip_prefix(';') {
                let (param, following) = Param::take(param.trim_start_matches(BLANK))?;
                offer = offer.and_then(|offer| offer.with(&param));
                after = following;
            }
            if let Some(Offer { server_max_window_bits, .. }) = offer.filter(|_| name == NAME) {
                agreed = agreed.or(Some(Deflate { server_max_window_bits }));
            }
            if !after.is_empty() && !after.starts_with(',') {
                return Err(MalformedExtensions);
            }
            rest = after;
        }
        Ok(agreed)
    }

    /// Most bytes of a message that may be compressed as one: no reference in it can then reach
    /// farther back than the client's window does.
    pub fn window_bytes(self) -> usize {
        1 << self.server_max_window_bits.unwrap_or(usize::BITS as u8 - 1)
    }
}

/// The answer's `Sec-WebSocket-Extensions`. What is asked of the client may be asked unoffered
/// (sections 7.1.1.1 and 7.1.1.2); its own window may be as large as it likes, since one that is
/// large enough for all is lent to each message.
impl fmt::Display for Deflate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{NAME}; server_no_context_takeover; client_no_context_takeover")?;
        match self.server_max_window_bits {
            Some(bits) => write!(f, "; server_max_window_bits={bits}"),
            None => Ok(()),
        }
    }
}

/// White space that may stand around what counts.
const BLANK: [char; 2] = [' ', '\t'];

/// The parameters of one offer of permessage-deflate so far.
#[derive(Default)]
struct Offer {
    server_no_context_takeover: bool,
    client_no_context_takeover: bool,
    server_max_window_bits: Option<u8>,
    client_max_window_bits: bool,
}

impl Offer {
    /// The offer with one more parameter; `None` when it has to be declined: the parameter is
    /// unknown, there already, or its value is none that it may have (section 7.1).
    fn with(mut self, param: &Param<'_>) -> Option<Offer> {
        let known = match param.name {
            "server_no_context_takeover" if param.value.is_none() => {
                std::mem::replace(&mut self.server_no_context_takeover, true)
            }
            "client_no_context_takeover" if param.value.is_none() => {
                std::mem::replace(&mut self.client_no_context_takeover, true)
            }
            "server_max_window_bits" => {
                let bits = window_bits(param.value.as_deref()?)?;
                self.server_max_window_bits.replace(bits).is_some()
            }
            "client_max_window_bits" => {
                if let Some(value) = &param.value {
                    window_bits(value)?;
                }
                std::mem::replace(&mut self.client_max_window_bits, true)
            }
            _ => return None,
        };
        (!known).then_some(self)
    }
}

/// A number from 8 to 15, without a leading zero (section 7.1.2).
fn window_bits(text: &str) -> Option<u8> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    let bits = text.parse().ok().filter(|_| is_plain)?;
    (WINDOW_BITS_MIN..=WINDOW_BITS_MAX).contains(&bits).then_some(bits)
}

/// One parameter of an extension.
struct Param<'a> {
    name: &'a str,
    value: Option<String>,
}

impl<'a> Param<'a> {
    /// Takes a parameter from the front of `text`; gives what follows it, too.
    fn take(text: &'a str) -> Result<(Param<'a>, &'a str), MalformedExtensions> {
        let (name, after) = token(text)?;
        let Some(value) = after.strip_prefix('=') else {
            return Ok((Param { name, value: None }, after));
        };
        let value = value.trim_start_matches(BLANK);
        if let Some(quoted) = value.strip_prefix('"') {
            let (value, after) = unquoted(quoted)?;
            return Ok((Param { name, value: Some(value) }, after));
        }
        let (value, after) = token(value)?;
        Ok((Param { name, value: Some(value.to_owned()) }, after))
    }
}

/// Takes a token (RFC 9110 section 5.6.2) and the white space behind it.
fn token(text: &str) -> Result<(&str, &str), MalformedExtensions> {
    let end = text.find(|c| !is_token_char(c)).unwrap_or(text.len());
    if end == 0 {
        return Err(MalformedExtensions);
    }
    Ok((&text[..end], text[end..].trim_start_matches(BLANK)))
}

/// Takes the rest of a quoted string, which has to hold a token (RFC 6455 section 9.1).
fn unquoted(text: &str) -> Result<(String, &str), MalformedExtensions> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        let c = match c {
            '"' if value.is_empty() => break,
            '"' => return Ok((value, text[at + 1..].trim_start_matches(BLANK))),
            '\\' => chars.next().ok_or(MalformedExtensions)?.1,
            c => c,
        };
        if !is_token_char(c) {
            break;
        }
        value.push(c);
    }
    Err(MalformedExtensions)
}

fn is_token_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: &str =
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

    #[track_caller]
    fn agreed(offers: &str) -> Option<String> {
        Deflate::negotiate(offers).unwrap().map(|deflate| deflate.to_string())
    }

    #[test]
    fn offers_that_are_accepted() {
        for offers in [
            "permessage-deflate",
            "permessage-deflate; client_max_window_bits",
            "permessage-deflate; client_max_window_bits=8",
            "permessage-deflate; client_max_window_bits=\"10\"",
            "permessage-deflate;server_no_context_takeover ; client_no_context_takeover",
            "x-webkit-deflate-frame, permessage-deflate",
            "foo; bar=\"b\\az\"; permessage-deflate=1 , , permessage-deflate",
            "permessage-deflate; server_max_window_bits=20, permessage-deflate",
            ",permessage-deflate,",
        ] {
            assert_eq!(agreed(offers).as_deref(), Some(PLAIN), "{offers}");
        }
    }

    #[test]
    fn a_small_window_is_confirmed_and_kept_to() {
        for bits in 8..=15 {
            let offer = format!("permessage-deflate; server_max_window_bits={bits}");
            let expected = format!("{PLAIN}; server_max_window_bits={bits}");
            assert_eq!(agreed(&offer), Some(expected));
            let deflate = Deflate::negotiate(&offer).unwrap().unwrap();
            assert_eq!(deflate.window_bytes(), 1 << bits);
        }
        // The client's preference comes first (RFC 7692 section 5.1).
        let both = "permessage-deflate; server_max_window_bits=9, permessage-deflate";
        assert_eq!(agreed(both), Some(format!("{PLAIN}; server_max_window_bits=9")));
    }

    #[test]
    fn offers_that_are_declined() {
        for param in [
            "server_max_window_bits",
            "server_max_window_bits=7",
            "server_max_window_bits=16",
            "server_max_window_bits=08",
            "server_max_window_bits=x",
            "server_max_window_bits=9; server_max_window_bits=9",
            "client_max_window_bits=0",
            "client_max_window_bits; client_max_window_bits",
            "server_no_context_takeover=1",
            "client_no_context_takeover=true",
            "client_no_context_takeover; client_no_context_takeover",
            "unknown",
            "Server_no_context_takeover",
        ] {
            assert_eq!(agreed(&format!("permessage-deflate; {param}")), None, "{param}");
        }
        assert_eq!(agreed("permessage-bzip2, x; y, Permessage-Deflate"), None);
        assert_eq!(agreed(""), None);
    }

    #[test]
    fn what_is_no_list_of_extensions() {
        for bad in [
            ";",
            "permessage-deflate;",
            "permessage-deflate; =1",
            "permessage-deflate; server_max_window_bits=",
            "permessage-deflate; server_max_window_bits=\"9",
            "permessage-deflate; server_max_window_bits=\"\"",
            "permessage-deflate; server_max_window_bits=\"9\\",
            "permessage-deflate; server_max_window_bits=\"9 \"",
            "permessage-deflate permessage-deflate",
            "permessage-deflate/1",
            "permessage-deflate, \u{e4}",
        ] {
            assert_eq!(Deflate::negotiate(bad), Err(MalformedExtensions), "{bad}");
        }
    }
}
