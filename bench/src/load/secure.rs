//! A client's side of TLS on one connection, without its socket. Must never be what is measured: it
//! checks the certificate once, as every client does, and nothing more.

use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// What is needed to begin.
#[derive(Clone)]
pub(crate) struct Trust(Arc<ClientConfig>);

impl Trust {
    /// Believes the certificate in a PEM file.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn of(path: &Path) -> anyhow::Result<Trust> {
        let certificate = CertificateDer::from_pem_file(path)
            .with_context(|| format!("no certificate in {}", path.display()))?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions()?;
        Ok(Trust(Arc::new(builder.with_root_certificates(roots).with_no_client_auth())))
    }

    /// A connection on which nothing has happened.
    ///
    /// # Errors
    /// When the library cannot work.
    pub(super) fn begin(&self, server: IpAddr) -> anyhow::Result<Secure> {
        let mut tls = ClientConnection::new(Arc::clone(&self.0), ServerName::from(server))?;
        // What is said before the handshake is done waits in here.
        tls.set_buffer_limit(None);
        Ok(Secure(tls))
    }
}

/// TLS on one connection.
pub(super) struct Secure(ClientConnection);

impl Secure {
    /// Sends `bytes`, as much as goes now; the rest goes with the next call.
    pub(super) fn send(&mut self, socket: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
        self.0.writer().write_all(bytes)?;
        while self.0.wants_write() {
            match self.0.write_tls(socket) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => drop(result?),
            }
        }
        Ok(())
    }

    /// Reads until `buffer` is full or nothing more has come; no byte at the end.
    pub(super) fn receive(
        &mut self,
        socket: &mut (impl Read + Write),
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        let mut filled = 0;
        loop {
            match self.0.reader().read(&mut buffer[filled..]) {
                Ok(0) => return Ok(filled),
                Ok(count) => {
                    filled += count;
                    continue;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // A server that is killed says nothing before.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(filled),
                Err(error) => return Err(error),
            }
            match self.0.read_tls(socket) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock && filled > 0 => {
                    return Ok(filled);
                }
                Err(error) => return Err(error),
            }
            let invalid = |error| io::Error::new(ErrorKind::InvalidData, error);
            self.0.process_new_packets().map_err(invalid)?;
            self.send(socket, &[])?;
        }
    }
}
