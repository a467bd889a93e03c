//! TLS for every client of this product.

use std::sync::{Arc, LazyLock};

use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};

/// Trusts the roots that Mozilla trusts. They are part of the program: reading the system's hundreds of files takes longer
/// than all the rest of a function's start, once for every client.
static CONFIG: LazyLock<ClientConfig> = LazyLock::new(|| {
    let roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider supports TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
});

/// The start of an HTTP client.
pub fn client_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().tls_backend_preconfigured(CONFIG.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_can_be_built_from_it() {
        assert!(client_builder().build().is_ok());
        assert!(CONFIG.alpn_protocols.contains(&b"h2".to_vec()));
    }
}
