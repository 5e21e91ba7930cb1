//! The client's side of TLS: whose certificates it believes. Must never go on with a server that it
//! does not believe.

use std::error::Error;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whose certificates a client believes.
#[derive(Clone, Debug)]
pub(crate) struct Trust(Arc<ClientConfig>);

impl FromStr for Trust {
    type Err = String;

    /// Those that come from the certificates in a PEM file.
    fn from_str(path: &str) -> Result<Trust, String> {
        let certificates = CertificateDer::pem_file_iter(Path::new(path));
        let certificates = certificates.and_then(Iterator::collect::<Result<Vec<_>, _>>);
        let certificates = certificates.map_err(|error| error.to_string())?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates {
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
        if roots.is_empty() {
            return Err("there is no block BEGIN CERTIFICATE in it".to_owned());
        }
        Trust::new(roots)
    }
}

impl Trust {
    fn new(roots: RootCertStore) -> Result<Trust, String> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Trust(Arc::new(config)))
    }

    /// Those that the system believes, read once.
    fn of_the_system() -> Result<Trust, String> {
        static SYSTEM: OnceLock<Result<Trust, String>> = OnceLock::new();
        let read = || {
            let mut roots = RootCertStore::empty();
            // Systems have some that the library does not understand.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err("the system has no list of certificates; use --cacert".to_owned());
            }
            Trust::new(roots)
        };
        SYSTEM.get_or_init(read).clone()
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum TlsError {
    /// For want of trust, which does not come by itself.
    Untrusted(String),
    /// For anything else.
    Broken(String),
}

/// What is wrong with a certificate, ours or the server's, if that is what `error` comes from.
pub(super) fn untrusted(error: &(dyn Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        // What an I/O error was made of is not its source.
        let made_of = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        let made_of = made_of.and_then(|error| error.downcast_ref::<rustls::Error>());
        match made_of.or_else(|| error.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(why)) => {
                let hint = match why {
                    CertificateError::UnknownIssuer => "; --cacert says whose to believe",
                    _ => "",
                };
                return Some(format!("its certificate is not right: {why}{hint}"));
            }
            Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)) => {
                return Some("it wants a certificate of its client, which has none".to_owned());
            }
            _ => next = error.source(),
        }
    }
    None
}

/// Shakes hands with the server `host` on a socket.
///
/// # Errors
/// One line of why not.
pub(super) async fn connect(
    trust: Option<&Trust>,
    host: &str,
    socket: TcpStream,
) -> Result<TlsStream<TcpStream>, TlsError> {
    let trust = trust.map_or_else(Trust::of_the_system, |trust| Ok(trust.clone()));
    let Trust(config) = trust.map_err(TlsError::Untrusted)?;
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|error| TlsError::Untrusted(error.to_string()))?;
    let connector = TlsConnector::from(config);
    connector.connect(name, socket).await.map_err(|error| match untrusted(&error) {
        Some(why) => TlsError::Untrusted(why),
        None => TlsError::Broken(error.to_string()),
    })
}
