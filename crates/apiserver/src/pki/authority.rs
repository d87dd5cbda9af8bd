//! The certificate authority of a data directory and what it signs.
//! A certificate is made when it is missing, when fewer than 30 days of it remain, or when it does not say what
//! is asked for; the authority itself lives ten years.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::files::{self, Error};

const CA_NAME: &str = "psvc-ca";
const DAY: u64 = 24 * 60 * 60;
const CA_DAYS: u64 = 3650;
const LEAF_DAYS: u64 = 365;
const RENEW_BEFORE_DAYS: i64 = 30;

/// A client certificate and its key, as PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// The user that the certificate names.
    pub user: String,
    /// The certificate.
    pub certificate_pem: String,
    /// The private key.
    pub key_pem: String,
}

impl std::fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientCertificate").field("user", &self.user).finish_non_exhaustive()
    }
}

/// The certificates of one data directory.
pub struct Pki {
    directory: PathBuf,
    ca_pem: String,
    ca_key: KeyPair,
}

impl Pki {
    /// Opens the directory, and makes it and its certificate authority when they are missing.
    ///
    /// # Errors
    /// [`Error`] when files cannot be read or written, or hold something else.
    pub fn open(directory: &Path, now: jiff::Timestamp) -> Result<Self, Error> {
        std::fs::create_dir_all(directory)
            .map_err(|source| Error::Io { path: directory.to_owned(), source })?;
        let (certificate_path, key_path) = (directory.join("ca.crt"), directory.join("ca.key"));
        if let (Some(ca_pem), Some(key)) = (files::read(&certificate_path)?, files::read(&key_path)?) {
            parse_certificate(&certificate_path, &ca_pem)?;
            let ca_key = KeyPair::from_pem(&key)
                .map_err(|error| Error::Damaged { path: key_path, what: error.to_string() })?;
            return Ok(Self { directory: directory.to_owned(), ca_pem, ca_key });
        }
        let failed = |source| Error::Generate { name: CA_NAME.to_owned(), source };
        let ca_key = KeyPair::generate().map_err(failed)?;
        let ca_pem = authority_parameters(now).self_signed(&ca_key).map_err(failed)?.pem();
        files::write_private(&key_path, &ca_key.serialize_pem())?;
        files::write_private(&certificate_path, &ca_pem)?;
        Ok(Self { directory: directory.to_owned(), ca_pem, ca_key })
    }

    /// The certificate of the authority, as PEM.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// TLS settings of a server that answers to `names` (DNS names and addresses; the loopback ones are added),
    /// asks for client certificates of this authority, and speaks HTTP/2 and HTTP/1.1.
    ///
    /// # Errors
    /// [`Error`] when the server's certificate cannot be made or kept.
    pub fn server_config(
        &self,
        names: &[String],
        now: jiff::Timestamp,
    ) -> Result<Arc<rustls::ServerConfig>, Error> {
        let mut names: BTreeSet<String> = names.iter().cloned().collect();
        names.extend(["localhost", "127.0.0.1", "::1"].map(str::to_owned));
        let (certificate, key) = self.leaf("server", now, &Wanted::Server(&names))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut roots = RootCertStore::empty();
        for authority in CertificateDer::pem_slice_iter(self.ca_pem.as_bytes()).flatten() {
            roots.add(authority).map_err(Error::Tls)?;
        }
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()
            .map_err(|error| Error::Tls(rustls::Error::General(error.to_string())))?;
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(certificate.as_bytes()).flatten().collect();
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| Error::Damaged {
            path: self.directory.join("server.key"),
            what: error.to_string(),
        })?;
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(Error::Tls)?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(Error::Tls)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// A certificate for a user in groups, kept as `client-<user>.crt` and `.key`.
    ///
    /// # Errors
    /// [`Error`] when it cannot be made or kept.
    pub fn client(
        &self,
        user: &str,
        groups: &[&str],
        now: jiff::Timestamp,
    ) -> Result<ClientCertificate, Error> {
        let file: String =
            user.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' }).collect();
        let wanted = Wanted::Client { user, groups };
        let (certificate_pem, key_pem) = self.leaf(&format!("client-{file}"), now, &wanted)?;
        Ok(ClientCertificate { user: user.to_owned(), certificate_pem, key_pem })
    }

    fn leaf(&self, file: &str, now: jiff::Timestamp, wanted: &Wanted<'_>) -> Result<(String, String), Error> {
        let certificate_path = self.directory.join(format!("{file}.crt"));
        let key_path = self.directory.join(format!("{file}.key"));
        if let (Some(certificate), Some(key)) = (files::read(&certificate_path)?, files::read(&key_path)?)
            && self.is_good(&certificate, now, wanted)
        {
            return Ok((certificate, key));
        }
        let failed = |source| Error::Generate { name: file.to_owned(), source };
        let key = KeyPair::generate().map_err(failed)?;
        let issuer = Issuer::new(authority_parameters(now), &self.ca_key);
        let certificate = wanted
            .parameters(now)
            .and_then(|parameters| parameters.signed_by(&key, &issuer))
            .map_err(failed)?
            .pem();
        let key = key.serialize_pem();
        files::write_private(&key_path, &key)?;
        files::write_private(&certificate_path, &certificate)?;
        Ok((certificate, key))
    }

    fn is_good(&self, pem: &str, now: jiff::Timestamp, wanted: &Wanted<'_>) -> bool {
        let (Ok(der), Ok(authority)) = (
            CertificateDer::from_pem_slice(pem.as_bytes()),
            CertificateDer::from_pem_slice(self.ca_pem.as_bytes()),
        ) else {
            return false;
        };
        let (Ok((_, certificate)), Ok((_, authority))) =
            (X509Certificate::from_der(&der), X509Certificate::from_der(&authority))
        else {
            return false;
        };
        let remaining_seconds = certificate.validity().not_after.timestamp() - now.as_second();
        remaining_seconds > RENEW_BEFORE_DAYS * i64::try_from(DAY).unwrap_or(0)
            && certificate.issuer().as_raw() == authority.subject().as_raw()
            && wanted.is_said_by(&certificate)
    }
}

enum Wanted<'a> {
    Server(&'a BTreeSet<String>),
    Client { user: &'a str, groups: &'a [&'a str] },
}

impl Wanted<'_> {
    fn parameters(&self, now: jiff::Timestamp) -> Result<CertificateParams, rcgen::Error> {
        let mut parameters = match self {
            Self::Server(names) => CertificateParams::new(names.iter().cloned().collect::<Vec<_>>())?,
            Self::Client { .. } => CertificateParams::default(),
        };
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        match self {
            Self::Server(_) => {
                parameters.distinguished_name.push(DnType::CommonName, "psvc");
                parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            }
            Self::Client { user, groups } => {
                for group in *groups {
                    parameters.distinguished_name.push(DnType::OrganizationName, *group);
                }
                parameters.distinguished_name.push(DnType::CommonName, *user);
                parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            }
        }
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.use_authority_key_identifier_extension = true;
        set_validity(&mut parameters, now, LEAF_DAYS);
        Ok(parameters)
    }

    fn is_said_by(&self, certificate: &X509Certificate<'_>) -> bool {
        match self {
            Self::Client { user, groups } => {
                let identity = crate::authenticate::identity_of(certificate);
                identity.is_some_and(|who| who.user == *user && who.groups.iter().eq(groups.iter()))
            }
            Self::Server(names) => {
                let Ok(Some(alternatives)) = certificate.subject_alternative_name() else { return false };
                let said: BTreeSet<String> =
                    alternatives.value.general_names.iter().filter_map(general_name).collect();
                said.is_superset(names)
            }
        }
    }
}

fn general_name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match bytes.len() {
            4 => <[u8; 4]>::try_from(*bytes).ok().map(|b| std::net::IpAddr::from(b).to_string()),
            16 => <[u8; 16]>::try_from(*bytes).ok().map(|b| std::net::IpAddr::from(b).to_string()),
            _ => None,
        },
        _ => None,
    }
}

fn authority_parameters(now: jiff::Timestamp) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, CA_NAME);
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut parameters, now, CA_DAYS);
    parameters
}

fn set_validity(parameters: &mut CertificateParams, now: jiff::Timestamp, days: u64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    // Five minutes back, for clients whose clock is behind.
    parameters.not_before = epoch + Duration::from_secs(seconds.saturating_sub(300));
    parameters.not_after = epoch + Duration::from_secs(seconds + days * DAY);
}

fn parse_certificate(path: &Path, pem: &str) -> Result<(), Error> {
    let damaged = |what: String| Error::Damaged { path: path.to_owned(), what };
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|error| damaged(error.to_string()))?;
    X509Certificate::from_der(&der).map(|_| ()).map_err(|error| damaged(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn at(text: &str) -> jiff::Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn certificates_are_kept_until_they_are_near_their_end_or_say_too_little() {
        let directory = tempfile::tempdir().unwrap();
        let start = at("2026-01-01T00:00:00Z");
        let pki = Pki::open(directory.path(), start).unwrap();
        let admin = pki.client("admin", &["system:masters"], start).unwrap();
        let server = |pki: &Pki, names: &[&str], now| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            pki.server_config(&names, now).unwrap();
            std::fs::read_to_string(directory.path().join("server.crt")).unwrap()
        };
        let first = server(&pki, &["10.0.0.1"], start);

        let again = Pki::open(directory.path(), at("2026-06-01T00:00:00Z")).unwrap();
        assert_eq!(again.ca_pem(), pki.ca_pem());
        assert_eq!(again.client("admin", &["system:masters"], at("2026-06-01T00:00:00Z")).unwrap(), admin);
        assert_eq!(server(&again, &["10.0.0.1"], at("2026-06-01T00:00:00Z")), first);

        assert_ne!(again.client("admin", &["system:masters"], at("2026-12-10T00:00:00Z")).unwrap(), admin);
        let more = server(&again, &["10.0.0.1", "build.example"], start);
        assert_ne!(more, first);
        assert_eq!(server(&again, &["build.example"], start), more);

        for file in ["ca.key", "server.key", "client-admin.key"] {
            let mode = std::fs::metadata(directory.path().join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }

    #[test]
    fn a_damaged_authority_is_named() {
        let directory = tempfile::tempdir().unwrap();
        Pki::open(directory.path(), at("2026-01-01T00:00:00Z")).unwrap();
        std::fs::write(directory.path().join("ca.key"), "no key").unwrap();
        let error = Pki::open(directory.path(), at("2026-01-01T00:00:00Z")).err().unwrap();
        assert!(error.to_string().contains("ca.key"), "{error}");
    }
}
