//! Certificate authorities that are trusted beside those of the operating system: an installation's own, for its databases,
//! Redis and balancers.

use std::{path::Path, sync::OnceLock};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};

static TRUSTED: OnceLock<Vec<u8>> = OnceLock::new();

#[derive(Debug, thiserror::Error)]
#[error("paths.trusted_certificates: {path} holds no certificates in PEM form")]
pub struct Unreadable {
    path: String,
}

/// Trusts the authorities of a PEM file too, for as long as the process lives. Done once, at its start.
///
/// # Errors
/// When there are none in it.
pub fn also(path: &Path) -> Result<(), Unreadable> {
    let unreadable = || Unreadable {
        path: path.display().to_string(),
    };
    let pem = std::fs::read(path).map_err(|_| unreadable())?;
    if parse(&pem).is_empty() {
        return Err(unreadable());
    }
    let _ = TRUSTED.set(pem);
    Ok(())
}

/// The PEM text, if there is any.
#[must_use]
pub fn pem() -> Option<&'static [u8]> {
    TRUSTED.get().map(Vec::as_slice)
}

/// The certificates, if there are any.
#[must_use]
pub fn certificates() -> Vec<CertificateDer<'static>> {
    pem().map(parse).unwrap_or_default()
}

fn parse(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .unwrap_or_default()
}
