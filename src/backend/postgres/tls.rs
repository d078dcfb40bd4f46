//! Encryption, and whom to believe, as libpq has it.

use crate::error::{Error, ErrorCode, Result};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What has to be true of the server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verify {
    /// Nothing: what is sent is encrypted, but to whom is not known.
    Nothing,
    /// An authority that we trust has signed it.
    Authority,
    /// The same, for this very host.
    Full,
}

/// Whom to believe.
pub(super) struct Trust {
    pub(super) verify: Verify,
    /// A file of authorities; the system's when absent.
    pub(super) roots: Option<String>,
}

impl Trust {
    /// What makes encrypted connections.
    ///
    /// # Errors
    /// `UNAVAILABLE` when the authorities cannot be read.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect> {
        let provider = Arc::new(ring::default_provider());
        let verifier = match self.verify {
            Verify::Nothing => None,
            Verify::Authority | Verify::Full => Some(self.authorities(provider.clone())?),
        };
        let builder = ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions();
        let builder = builder.map_err(|error| Error::internal("no version of TLS is there").caused_by(error))?;
        let config = match (self.verify, verifier) {
            (Verify::Full, Some(verifier)) => builder.with_webpki_verifier(verifier),
            (_, verifier) => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyName { provider, verifier }))
            }
        };
        Ok(MakeRustlsConnect::new(config.with_no_client_auth()))
    }

    fn authorities(&self, provider: Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>> {
        let mut roots = RootCertStore::empty();
        match self.roots.as_deref() {
            None | Some("system") => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
            Some(file) => {
                let unreadable = |_| ErrorCode::Unavailable.error("the certificates of sslrootcert could not be read");
                for certificate in CertificateDer::pem_file_iter(file).map_err(unreadable)? {
                    roots.add_parsable_certificates([certificate.map_err(unreadable)?]);
                }
            }
        }
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        verifier.map_err(|error| ErrorCode::Unavailable.error("there is no authority to trust").caused_by(error))
    }
}

/// Believes a certificate whatever host it names, if an authority is known that has signed it or none is asked.
#[derive(Debug)]
struct AnyName {
    provider: Arc<CryptoProvider>,
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(verifier) = &self.verifier else { return Ok(ServerCertVerified::assertion()) };
        match verifier.verify_server_cert(certificate, between, name, ocsp, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            judgement => judgement,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
