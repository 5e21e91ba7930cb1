//! Certificates that a test makes up, and clients that trust them. Must never leave a key behind.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, SupportedProtocolVersion, WantsVersions};

use crate::folder::Folder;

/// One that vouches for certificates, and a folder with the files of a server that it vouches for.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: Folder,
}

/// A certificate and its key.
pub struct Identity {
    /// The certificate in PEM.
    pub certificate: String,
    /// The key in PEM.
    pub key: String,
    chain: Vec<CertificateDer<'static>>,
    secret: PrivateKeyDer<'static>,
}

impl Authority {
    /// A new one, whose folder has a certificate for 127.0.0.1 and localhost.
    #[track_caller]
    pub fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "an authority of tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = sure(CertifiedIssuer::self_signed(params, sure(KeyPair::generate())));
        let authority = Authority { issuer, folder: Folder::new() };
        authority.write("ca.pem", &authority.issuer.pem());
        authority.renew();
        authority
    }

    /// Writes another certificate for the server.
    #[track_caller]
    pub fn renew(&self) {
        self.renew_until(4000);
    }

    /// Writes another certificate for the server, which is good until the begin of this year.
    #[track_caller]
    pub fn renew_until(&self, year: i32) {
        let purpose = ExtendedKeyUsagePurpose::ServerAuth;
        let server = self.identity("a server of tests", purpose, year);
        self.write("key.pem", &server.key);
        self.write("cert.pem", &server.certificate);
    }

    /// A certificate for a client of this name.
    #[track_caller]
    pub fn identify(&self, name: &str) -> Identity {
        self.identity(name, ExtendedKeyUsagePurpose::ClientAuth, 4000)
    }

    /// A client that trusts it, and nobody else.
    #[track_caller]
    pub fn client(&self) -> Arc<ClientConfig> {
        self.client_as(None)
    }

    /// The same, with a certificate to show.
    #[track_caller]
    pub fn client_as(&self, identity: Option<&Identity>) -> Arc<ClientConfig> {
        let builder = sure(builder().with_safe_default_protocol_versions());
        let builder = builder.with_root_certificates(self.roots());
        Arc::new(match identity {
            None => builder.with_no_client_auth(),
            Some(identity) => {
                let chain = identity.chain.clone();
                sure(builder.with_client_auth_cert(chain, identity.secret.clone_key()))
            }
        })
    }

    /// A client that speaks this version alone.
    #[track_caller]
    pub fn client_of(&self, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
        let builder = sure(builder().with_protocol_versions(&[version]));
        Arc::new(builder.with_root_certificates(self.roots()).with_no_client_auth())
    }

    #[track_caller]
    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        sure(roots.add(self.issuer.der().clone()));
        roots
    }

    /// The path of its own certificate.
    pub fn ca(&self) -> String {
        self.path("ca.pem")
    }

    /// The path of the server's certificate.
    pub fn certificate(&self) -> String {
        self.path("cert.pem")
    }

    /// The path of the server's key.
    pub fn key(&self) -> String {
        self.path("key.pem")
    }

    /// Writes a file beside them, or over one of them; gives its path.
    #[track_caller]
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        sure(std::fs::write(&path, text));
        self.path(name)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    #[track_caller]
    fn identity(&self, name: &str, purpose: ExtendedKeyUsagePurpose, until: i32) -> Identity {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut params = sure(CertificateParams::new(names));
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![purpose];
        params.not_after = date_time_ymd(until, 1, 1);
        let key = sure(KeyPair::generate());
        let certificate = sure(params.signed_by(&key, &self.issuer));
        Identity {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            chain: vec![certificate.der().clone()],
            secret: sure(PrivateKeyDer::try_from(key.serialize_der())),
        }
    }
}

impl Default for Authority {
    fn default() -> Authority {
        Authority::new()
    }
}

fn builder() -> ConfigBuilder<ClientConfig, WantsVersions> {
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
}

#[track_caller]
fn sure<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("cannot make up a certificate: {error}"))
}
