//! The client's side of TLS: whose certificates it believes. Must never go on with a server that it
//! does not believe.

use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
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

/// Shakes hands with the server `host` on a socket.
///
/// # Errors
/// One line of why not.
pub(super) async fn connect(
    trust: Option<&Trust>,
    host: &str,
    socket: TcpStream,
) -> Result<TlsStream<TcpStream>, String> {
    let Trust(config) = trust.map_or_else(Trust::of_the_system, |trust| Ok(trust.clone()))?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let connector = TlsConnector::from(config);
    connector.connect(name, socket).await.map_err(|error| error.to_string())
}
