//! TLS (RFC 8446, RFC 5246): what the server shows and asks of its clients, and the handshake. What
//! comes after it is the same as without.
//!
//! Must never let a connection wait for another's handshake, nor give up what works for files that
//! are not right.

pub(crate) mod accept;
mod load;
mod peer;
pub(crate) mod session;
#[cfg(test)]
mod session_tests;
pub(crate) mod stream;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::server::ProducesTickets;

use crate::options::Carries;

pub use load::TlsError;
pub use peer::PeerCertificate;

/// The files that say who the server is, and whose clients it trusts. All are PEM (RFC 7468).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and then those up to one that clients trust.
    pub certificate: PathBuf,
    /// The key of the first certificate.
    pub key: PathBuf,
    /// What clients' certificates are checked against, where they are asked for any.
    pub client_ca: Option<PathBuf>,
    /// With `client_ca`: whether a client without a certificate is turned away.
    pub is_client_certificate_required: bool,
}

/// What TLS connections begin with: made of files, and anew when those have changed.
pub struct Tls {
    files: TlsFiles,
    tickets: Arc<dyn ProducesTickets>,
    current: RwLock<Configs>,
}

/// What connections begin with, by what they carry.
struct Configs {
    http: Arc<ServerConfig>,
    stream: Arc<ServerConfig>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// One of them is not there or not right; the text names it.
    pub fn load(files: TlsFiles) -> Result<Tls, TlsError> {
        // The keys of tickets live in memory alone, and change every six hours.
        let tickets = rustls::crypto::aws_lc_rs::Ticketer::new().map_err(TlsError::Library)?;
        let current = RwLock::new(load::configs(&files, &tickets)?);
        Ok(Tls { files, tickets, current })
    }

    /// Reads the files again, for connections from now on. Those that are open go on as they are.
    ///
    /// # Errors
    /// One of them is not right; then nothing changes.
    pub fn reload(&self) -> Result<(), TlsError> {
        // A ticket stands for a certificate that was checked against what was trusted then.
        let tickets = match self.files.client_ca {
            Some(_) => rustls::crypto::aws_lc_rs::Ticketer::new().map_err(TlsError::Library)?,
            None => Arc::clone(&self.tickets),
        };
        let configs = load::configs(&self.files, &tickets)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = configs;
        Ok(())
    }

    /// What a connection begins with now.
    pub(crate) fn config(&self, carries: Carries) -> Arc<ServerConfig> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(match carries {
            Carries::Http => &current.http,
            Carries::Stream(_) => &current.stream,
        })
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}
