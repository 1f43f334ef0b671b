//! TLS from two files in PEM.
//!
//! Must not know: who connects.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tuquan_core::error::{Error, Kind, Result};

use crate::config::Tls;

/// Reads certificate and key.
///
/// # Errors
/// `E-INVALID` when a file is not there, is not in PEM, or both do not belong together.
pub(crate) fn acceptor(tls: &Tls) -> Result<TlsAcceptor> {
    let invalid = |what: &str| Error::new(Kind::Invalid, format!("tls: {what}"));
    let certificates: Vec<CertificateDer<'_>> = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect)
        .map_err(|_| invalid("the certificate cannot be read"))?;
    let key =
        PrivateKeyDer::from_pem_file(&tls.key).map_err(|_| invalid("the key cannot be read"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| invalid("no protocol version"))?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|_| invalid("certificate and key do not fit"))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
