//! Which CRMs there are, and how a connector is built.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use mfh_types::{AuthType, Clock, ConnectionId, Random, RateLimits};
use moka::future::Cache;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::connector::{Connector, Result};
use crate::error::{ConnectorError, ErrorKind};
use crate::http::{HttpClient, HttpConfig, TokenSource, Transport, Vendor};
use crate::keap::Keap;
use crate::rate::{Buckets, Sleeper};
use crate::translate::Translated;
use crate::translate::cache::Caches;

/// The slugs that [`build`] knows.
pub const PLATFORMS: &[&str] = &["keap"];

/// Idle time after which the lock of a contact is dropped; far longer than any call.
const LOCK_IDLE: Duration = Duration::from_secs(600);

/// What the connectors of one process share: connections, rate buckets, caches, clock, randomness.
pub struct Shared {
    transport: Transport,
    buckets: Buckets,
    caches: Caches,
    locks: Cache<(ConnectionId, String), Arc<Mutex<()>>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    sleeper: Arc<dyn Sleeper>,
}

impl Shared {
    /// One of these per process.
    pub fn new(
        transport: Transport,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        sleeper: Arc<dyn Sleeper>,
    ) -> Arc<Self> {
        Arc::new(Self {
            transport,
            buckets: Buckets::default(),
            caches: Caches::new(&clock),
            locks: Cache::builder().time_to_idle(LOCK_IDLE).build(),
            clock,
            random,
            sleeper,
        })
    }

    /// What connections remember of their CRM.
    pub fn caches(&self) -> &Caches {
        &self.caches
    }

    /// Waits until no other call of this process reads and writes this contact.
    pub(crate) async fn lock_contact(&self, connection: &ConnectionId, contact_id: &str) -> OwnedMutexGuard<()> {
        let key = (connection.clone(), contact_id.trim().to_owned());
        let lock = self.locks.get_with(key, async { Arc::default() }).await;
        lock.lock_owned().await
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

/// What a connector is built from.
#[derive(Debug, Clone)]
pub struct ConnectorConfig {
    /// Whose caches and locks it uses.
    pub connection_id: ConnectionId,
    /// Start of every address; `None` or blank is the vendor's own. https, or http on this machine.
    pub base_url: Option<String>,
    /// How the connection signs in.
    pub auth_type: AuthType,
    /// The secret it signs in with.
    pub credentials: Arc<dyn TokenSource>,
    /// The app that the secret belongs to, where the vendor wants it beside the secret (Ontraport).
    pub app_id: Option<String>,
    /// The account at the vendor: GoHighLevel's location, HubSpot's portal, Stripe's account.
    pub external_app_id: Option<String>,
    /// The limits of the platform record; 0 everywhere takes our defaults for the vendor.
    pub rate_limits: RateLimits,
    /// What the vendor counts requests by, where that is wider than the connection.
    pub throttle_key: Option<String>,
    /// What it shares with the other connectors of this process.
    pub shared: Arc<Shared>,
}

impl ConnectorConfig {
    /// The HTTP client of this connection; `headers` go with every request.
    pub(crate) fn into_client(
        self,
        vendor: Vendor,
        vendor_base_url: &str,
        headers: HeaderMap,
        limits: RateLimits,
    ) -> Result<HttpClient> {
        let shared = &self.shared;
        let key = self.throttle_key.as_deref();
        let key = key.unwrap_or_else(|| self.connection_id.as_str());
        let bucket = shared.buckets.bucket(vendor.slug, key, limits, &shared.clock);
        let base_url = self.base_url.filter(|url| !url.trim().is_empty());
        HttpClient::new(HttpConfig {
            vendor,
            headers,
            base_url: base_url.unwrap_or_else(|| vendor_base_url.to_owned()),
            tokens: self.credentials,
            bucket,
            transport: shared.transport.clone(),
            clock: Arc::clone(&shared.clock),
            random: Arc::clone(&shared.random),
            sleeper: Arc::clone(&shared.sleeper),
        })
    }
}

/// A connector of the platform `slug` that takes names, labels and values as people write them.
///
/// # Errors
/// `NotConfigured` for a slug that is no CRM or a base address that may not be called.
pub fn build(slug: &str, config: ConnectorConfig) -> Result<Arc<dyn Connector>> {
    let connection = config.connection_id.clone();
    let caches = config.shared.caches.clone();
    match slug {
        "keap" => Ok(Arc::new(Translated::new(Keap::new(config)?, connection, caches))),
        _ => Err(ConnectorError::new(
            "unknown",
            ErrorKind::NotConfigured,
            format!("There is no connector for the platform \"{slug}\""),
        )),
    }
}
