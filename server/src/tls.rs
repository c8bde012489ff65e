//! TLS connections to other servers, which are trusted by this system's root certificates.

use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The TLS configuration with the system's root certificates; `None` if it has none.
pub(crate) fn trusted() -> Option<Arc<ClientConfig>> {
    static MADE: OnceLock<Option<Arc<ClientConfig>>> = OnceLock::new();
    let made = MADE.get_or_init(|| {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            tracing::error!("no certificate authorities, so nothing can be sent over HTTPS; install ca-certificates");
            return None;
        }
        by(roots)
    });
    made.clone()
}

/// The TLS configuration with these root certificates.
pub(crate) fn by(roots: RootCertStore) -> Option<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().ok()?;
    Some(Arc::new(
        builder.with_root_certificates(roots).with_no_client_auth(),
    ))
}
