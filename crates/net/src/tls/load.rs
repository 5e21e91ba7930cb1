//! From files to what TLS connections begin with, or to what is wrong with the files.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ProducesTickets, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

use super::{Configs, TlsFiles};

/// Largest file that is read: a system's whole list of authorities is a quarter of that.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The versions of HTTP that are offered (RFC 7301), the better one first.
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not there, or is absurdly large.
    #[error("cannot read {}: {why}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: io::Error,
    },
    /// A file is no PEM, or its content is damaged.
    #[error("{} is not right: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A file holds something else.
    #[error("there is no certificate in {}: it has to hold a block BEGIN CERTIFICATE", .0.display())]
    NoCertificate(PathBuf),
    /// A file holds something else.
    #[error(
        "there is no private key in {}: it has to hold a block BEGIN PRIVATE KEY (or RSA, or EC)",
        .0.display()
    )]
    NoKey(PathBuf),
    /// A key that only a person can open.
    #[error(
        "the private key in {} is encrypted: write it out with `openssl pkey -in FILE -out NEW`",
        .0.display()
    )]
    EncryptedKey(PathBuf),
    /// Two files that do not belong together.
    #[error(
        "the private key in {} does not belong to the first certificate in {}",
        key.display(), certificate.display()
    )]
    Mismatch {
        /// The key's file.
        key: PathBuf,
        /// The certificate's file.
        certificate: PathBuf,
    },
    /// The library cannot work.
    #[error("cannot set TLS up: {0}")]
    Library(#[source] rustls::Error),
}

/// What connections begin with, by what they carry.
pub(super) fn configs(
    files: &TlsFiles,
    tickets: &Arc<dyn ProducesTickets>,
) -> Result<Configs, TlsError> {
    // Of a port that carries one thing, nothing has to be agreed on.
    let stream = config(files, tickets)?;
    let mut http = stream.clone();
    http.alpn_protocols = PROTOCOLS.map(<[u8]>::to_vec).into();
    Ok(Configs { http: Arc::new(http), stream: Arc::new(stream) })
}

fn config(files: &TlsFiles, tickets: &Arc<dyn ProducesTickets>) -> Result<ServerConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = certificates(&files.certificate)?;
    let key = key(&files.key)?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Library)?;
    let builder = match &files.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let authorities = authorities(path)?;
            let verifier = WebPkiClientVerifier::builder_with_provider(authorities, provider);
            let verifier = match files.is_client_certificate_required {
                true => verifier,
                false => verifier.allow_unauthenticated(),
            };
            let verifier = verifier.build().map_err(|error| malformed(path, error))?;
            builder.with_client_cert_verifier(verifier as Arc<dyn ClientCertVerifier>)
        }
    };
    look_at_dates(&files.certificate, chain.first());
    let mut config = builder.with_single_cert(chain, key).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            TlsError::Mismatch { key: files.key.clone(), certificate: files.certificate.clone() }
        }
        rustls::Error::InvalidCertificate(_) => malformed(&files.certificate, error),
        error => malformed(&files.key, error),
    })?;
    // What is known of a connection goes to the client, which brings it back (RFC 5077): a crowd
    // that comes again costs no handshakes with keys, and no memory until it does.
    config.ticketer = Arc::clone(tickets);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let chain: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&text).collect();
    let chain = chain.map_err(|error| malformed(path, error))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(path.to_owned()));
    }
    Ok(chain)
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        pem::Error::NoItemsFound => {
            let encrypted = b"BEGIN ENCRYPTED PRIVATE KEY";
            match text.windows(encrypted.len()).any(|window| window == encrypted) {
                true => TlsError::EncryptedKey(path.to_owned()),
                false => TlsError::NoKey(path.to_owned()),
            }
        }
        error => malformed(path, error),
    })
}

fn authorities(path: &Path) -> Result<Arc<RootCertStore>, TlsError> {
    let mut authorities = RootCertStore::empty();
    for certificate in certificates(path)? {
        authorities.add(certificate).map_err(|error| malformed(path, error))?;
    }
    Ok(Arc::new(authorities))
}

/// Says what every client is about to say, to the one who can do something about it. Clocks may be
/// wrong, so this is no reason not to start.
fn look_at_dates(path: &Path, certificate: Option<&CertificateDer<'_>>) {
    let Some(Ok((_, certificate))) = certificate.map(|der| X509Certificate::from_der(der)) else {
        return;
    };
    let (validity, now) = (certificate.validity(), ASN1Time::now());
    let path = path.display();
    if now > validity.not_after {
        tracing::warn!("the certificate in {path} has expired: {}", validity.not_after);
    } else if now < validity.not_before {
        tracing::warn!("the certificate in {path} is not valid before {}", validity.not_before);
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let unreadable = |why| TlsError::Unreadable { path: path.to_owned(), why };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(unreadable(io::Error::other("it is larger than 1MiB")));
    }
    Ok(bytes)
}

fn malformed(path: &Path, why: impl ToString) -> TlsError {
    TlsError::Malformed { path: path.to_owned(), why: why.to_string() }
}
