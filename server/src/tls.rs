//! Encrypted connections to others: servers are believed by the authorities that this system has.

use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// How servers are believed; `None` if the system has no authorities.
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

/// How servers are believed by these authorities.
pub(crate) fn by(roots: RootCertStore) -> Option<Arc<ClientConfig>> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().ok()?;
    Some(Arc::new(
        builder.with_root_certificates(roots).with_no_client_auth(),
    ))
}
