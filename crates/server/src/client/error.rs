//! What can go wrong between a client and its server. Each text is what the person at the
//! terminal reads after `error: `. Must never span lines.

use std::time::Duration;

use ::http::StatusCode;

use super::item::DecodeError;
use super::url::ServerUrl;

/// Why there is no answer, or no more of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The network, or a server that is not there.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The server says no.
    #[error(transparent)]
    Refused(Refused),
    /// What came cannot be read.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// A WebSocket was closed in good order.
    #[error("the server closed the connection: {0}")]
    Closed(String),
    /// A WebSocket was closed, and the client is not to come back.
    #[error("the server closed the connection: {0}")]
    ClosedForGood(String),
    /// Something else answers there.
    #[error("this is no Tidings server: {0} (is the URL right?)")]
    NotTidings(String),
}

impl ClientError {
    /// Whether trying again may help.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            ClientError::Http(HttpError::Untrusted(..)) => false,
            ClientError::Http(_) | ClientError::Closed(_) => true,
            ClientError::Refused(refused) => refused.may_pass(),
            ClientError::Decode(_) | ClientError::NotTidings(_) | ClientError::ClosedForGood(_) => {
                false
            }
        }
    }
}

/// Why there was no answer. All of these may pass, but for [`HttpError::Untrusted`].
#[derive(Debug, thiserror::Error)]
pub(crate) enum HttpError {
    /// No connection.
    #[error("cannot connect to {0}: {1} (is the server running there?)")]
    Unreachable(ServerUrl, String),
    /// One side does not believe the other's certificate, or misses it.
    #[error("no trust in {0}: {1}")]
    Untrusted(ServerUrl, String),
    /// The connection broke, or what came was not HTTP.
    #[error("connection lost: {0}")]
    Lost(String),
    /// Nothing came for so long.
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
}

/// What the server refused, and why (the guide, section Errors).
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", hint.as_ref().map_or(String::new(), |hint| format!(" ({hint})")))]
pub(crate) struct Refused {
    /// HTTP status.
    pub status: StatusCode,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Refused {
    /// Whether asking again may be answered otherwise: the server, or what is before it, could
    /// not answer. A full log (507) does not empty itself.
    pub(crate) fn may_pass(&self) -> bool {
        self.status.is_server_error()
            && !matches!(
                self.status,
                StatusCode::NOT_IMPLEMENTED
                    | StatusCode::HTTP_VERSION_NOT_SUPPORTED
                    | StatusCode::INSUFFICIENT_STORAGE
            )
    }
}
