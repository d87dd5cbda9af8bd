//! Who a connection belongs to: the subject of a verified client certificate, or nobody.
//! Invariant: the certificate was checked against our own authority by TLS before it comes here.

use policy::Identity;
use x509_parser::prelude::{FromDer, X509Certificate};

/// The identity of a connection by the certificate that its client showed, if any.
pub(crate) fn peer(certificates: Option<&[rustls::pki_types::CertificateDer<'_>]>) -> Identity {
    let Some(first) = certificates.and_then(<[_]>::first) else { return Identity::anonymous() };
    match X509Certificate::from_der(first) {
        Ok((_, certificate)) => identity_of(&certificate).unwrap_or_else(Identity::anonymous),
        Err(_) => Identity::anonymous(),
    }
}

/// The user (common name) and groups (organisations) of a certificate, as Kubernetes reads them.
pub(crate) fn identity_of(certificate: &X509Certificate<'_>) -> Option<Identity> {
    let subject = certificate.subject();
    let user = subject.iter_common_name().next()?.as_str().ok()?.to_owned();
    let groups =
        subject.iter_organization().filter_map(|name| name.as_str().ok().map(str::to_owned)).collect();
    Some(Identity { user, groups })
}
