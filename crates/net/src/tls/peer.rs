//! Who a peer is by the certificate it has shown. Must never judge whether the certificate is good:
//! the library has, before anybody asks here.

use rustls::pki_types::CertificateDer;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Most names that are taken from one certificate.
const NAMES_MAX: usize = 64;

/// The names in a certificate that its issuer vouches for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerCertificate {
    /// The whole subject as text, such as `C=AT, O=Example, CN=sensor-7` (RFC 4514 without its
    /// order and escapes: for people).
    pub subject: String,
    /// The first common name of the subject.
    pub common_name: Option<String>,
    /// The alternative names (RFC 5280 section 4.2.1.6) that are text: DNS names, mail addresses,
    /// URIs.
    pub alternative_names: Vec<String>,
}

impl PeerCertificate {
    /// The names in `der`; none where it cannot be read, which is then worth no more than no
    /// certificate.
    pub(crate) fn new(der: &CertificateDer<'_>) -> PeerCertificate {
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            return PeerCertificate::default();
        };
        let subject = certificate.subject();
        let common_name = subject.iter_common_name().next().and_then(|name| name.as_str().ok());
        let names = certificate.subject_alternative_name().ok().flatten();
        let names = names.map(|names| names.value.general_names.iter()).into_iter().flatten();
        let text = |name: &GeneralName<'_>| match name {
            GeneralName::DNSName(text) | GeneralName::RFC822Name(text) | GeneralName::URI(text) => {
                Some((*text).to_owned())
            }
            _ => None,
        };
        PeerCertificate {
            subject: subject.to_string(),
            common_name: common_name.map(str::to_owned),
            alternative_names: names.filter_map(text).take(NAMES_MAX).collect(),
        }
    }

    /// The user's name that it proves: the common name, as for certificates of people and devices
    /// almost everywhere. Alternative names are of hosts and mailboxes.
    pub(crate) fn user(&self) -> Option<&str> {
        self.common_name.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    #[test]
    fn names_are_read() {
        let names = vec!["sensor-7.example".to_owned(), "10.0.0.7".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::OrganizationName, "Example");
        params.distinguished_name.push(DnType::CommonName, "sensor-7");
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let peer = PeerCertificate::new(certificate.der());
        assert_eq!(peer.user(), Some("sensor-7"));
        assert!(peer.subject.contains("O=Example"), "{peer:?}");
        assert_eq!(peer.alternative_names, ["sensor-7.example"]);
    }

    #[test]
    fn what_is_no_certificate_has_no_names() {
        let der = CertificateDer::from(vec![0x30, 0x80, 1, 2, 3]);
        assert_eq!(PeerCertificate::new(&der), PeerCertificate::default());
    }
}
