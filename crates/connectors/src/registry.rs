//! Which CRMs there are, and how a connector is built.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use mfh_cache::{Cache, Keep};
use mfh_database::Database;
use mfh_types::{AuthType, Clock, ConnectionId, ConnectionSettings, Random, RateLimits};
use tokio::sync::{Mutex, OwnedMutexGuard};
use url::Url;

use crate::activecampaign::ActiveCampaign;
use crate::connector::{Connector, Result};
use crate::error::{ConnectorError, ErrorKind};
use crate::gohighlevel::GoHighLevel;
use crate::http::{HttpClient, HttpConfig, TokenSource, Transport, Vendor};
use crate::hubspot::HubSpot;
use crate::keap::Keap;
use crate::ontraport::Ontraport;
use crate::rate::{AppQuota, Sleeper, Throttles};
use crate::stripe::Stripe;
use crate::translate::Translated;
use crate::translate::cache::Caches;

/// The slugs that [`build`] knows.
pub const PLATFORMS: &[&str] = &[
    "activecampaign",
    "gohighlevel",
    "hubspot",
    "keap",
    "ontraport",
    "stripe",
];

/// The name in errors of a platform that is no CRM.
pub(crate) const UNKNOWN: &str = "connection";

/// The slug of a CRM as errors carry it.
pub(crate) fn known_slug(slug: &str) -> &'static str {
    PLATFORMS
        .iter()
        .find(|known| **known == slug)
        .copied()
        .unwrap_or(UNKNOWN)
}

/// Idle time after which the lock of a contact is dropped; far longer than any call.
const LOCK_IDLE: Duration = Duration::from_secs(600);

/// What the connectors of one process share: connections, rate buckets, caches, clock, randomness.
pub struct Shared {
    transport: Transport,
    throttles: Throttles,
    caches: Caches,
    locks: Cache<(ConnectionId, String), Arc<Mutex<()>>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    sleeper: Arc<dyn Sleeper>,
}

impl Shared {
    /// One for a process that keeps the vendors' limits by itself.
    pub fn new(
        transport: Transport,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        sleeper: Arc<dyn Sleeper>,
    ) -> Arc<Self> {
        Self::with_limits_in(None, transport, clock, random, sleeper)
    }

    /// One per process of several that keep the vendors' limits together, through the rate-limits table.
    pub fn in_fleet(
        database: Database,
        transport: Transport,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        sleeper: Arc<dyn Sleeper>,
    ) -> Arc<Self> {
        Self::with_limits_in(Some(database), transport, clock, random, sleeper)
    }

    fn with_limits_in(
        table: Option<Database>,
        transport: Transport,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        sleeper: Arc<dyn Sleeper>,
    ) -> Arc<Self> {
        Arc::new(Self {
            transport,
            throttles: Throttles::new(table, Arc::clone(&clock)),
            caches: Caches::new(&clock),
            locks: Cache::new(Keep {
                idle: Some(LOCK_IDLE),
                ..Keep::default()
            }),
            clock,
            random,
            sleeper,
        })
    }

    /// TCP and TLS connections.
    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Randomness.
    pub(crate) fn random(&self) -> &dyn Random {
        &*self.random
    }

    /// The same randomness, to be kept.
    pub(crate) fn random_handle(&self) -> Arc<dyn Random> {
        Arc::clone(&self.random)
    }

    /// How to wait.
    pub(crate) fn sleeper(&self) -> &dyn Sleeper {
        &*self.sleeper
    }

    /// What connections remember of their CRM.
    pub fn caches(&self) -> &Caches {
        &self.caches
    }

    /// The time by the clock of the process.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    /// Waits until no other call of this process reads and writes this contact.
    pub(crate) async fn lock_contact(&self, connection: &ConnectionId, contact_id: &str) -> OwnedMutexGuard<()> {
        let key = (connection.clone(), contact_id.trim().to_owned());
        let lock = self.locks.get_or_make(&key, Arc::default).await;
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
    /// What the user set besides the credentials.
    pub settings: ConnectionSettings,
    /// The account at the vendor: GoHighLevel's location, HubSpot's portal, Stripe's account.
    pub external_app_id: Option<String>,
    /// The limits of the platform record; 0 everywhere takes our defaults for the vendor.
    pub rate_limits: RateLimits,
    /// Whether a user named the host of `base_url`; then it is called only where it is public.
    pub user_host: bool,
    /// What the vendor counts requests by, where that is not what the platform counts by anyway.
    pub throttle_key: Option<String>,
    /// What it shares with the other connectors of this process.
    pub shared: Arc<Shared>,
}

impl ConnectorConfig {
    /// A connection at the vendor's own address, with our defaults for everything that it need not say.
    pub fn new(
        connection_id: ConnectionId,
        auth_type: AuthType,
        credentials: Arc<dyn TokenSource>,
        shared: Arc<Shared>,
    ) -> Self {
        Self {
            connection_id,
            base_url: None,
            auth_type,
            credentials,
            app_id: None,
            settings: ConnectionSettings::default(),
            external_app_id: None,
            rate_limits: RateLimits::default(),
            user_host: false,
            throttle_key: None,
            shared,
        }
    }

    /// The HTTP client of this connection; `headers` go with every request.
    pub(crate) fn into_client(
        self,
        vendor: Vendor,
        vendor_base_url: &str,
        headers: HeaderMap,
        limits: RateLimits,
    ) -> Result<HttpClient> {
        self.into_client_of_app(vendor, vendor_base_url, headers, limits, None)
    }

    /// The same, where the vendor counts requests of an app over all its tenants, too.
    pub(crate) fn into_client_of_app(
        self,
        vendor: Vendor,
        vendor_base_url: &str,
        headers: HeaderMap,
        limits: RateLimits,
        app: Option<AppQuota>,
    ) -> Result<HttpClient> {
        let shared = &self.shared;
        let throttle = shared
            .throttles
            .throttle(vendor.slug, &self.counted_by(vendor.slug), limits, app);
        let base_url = self.base_url.filter(|url| !url.trim().is_empty());
        HttpClient::new(HttpConfig {
            vendor,
            headers,
            user_host: self.user_host,
            base_url: base_url.unwrap_or_else(|| vendor_base_url.to_owned()),
            tokens: self.credentials,
            throttle,
            transport: shared.transport.clone(),
            clock: Arc::clone(&shared.clock),
            random: Arc::clone(&shared.random),
            sleeper: Arc::clone(&shared.sleeper),
        })
    }

    /// What the vendor counts requests by (`connectors` §2.0); the connection where nothing wider is known.
    fn counted_by(&self, slug: &str) -> String {
        let host = || Some(Url::parse(self.base_url.as_deref()?).ok()?.host_str()?.to_owned());
        let known = match (slug, self.auth_type) {
            _ if self.throttle_key.is_some() => self.throttle_key.clone(),
            // A pasted key of Keap is counted by itself.
            ("keap", AuthType::ApiKey) => None,
            ("keap" | "gohighlevel" | "hubspot" | "stripe", _) => self.external_app_id.clone(),
            ("activecampaign", _) => host(),
            ("ontraport", _) => self.app_id.clone(),
            _ => None,
        };
        let known = known.filter(|key| !key.trim().is_empty());
        known.unwrap_or_else(|| self.connection_id.to_string())
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
        "activecampaign" => Ok(Arc::new(Translated::new(
            ActiveCampaign::new(config)?,
            connection,
            caches,
        ))),
        "hubspot" => Ok(Arc::new(Translated::new(HubSpot::new(config)?, connection, caches))),
        "gohighlevel" => Ok(Arc::new(Translated::new(GoHighLevel::new(config)?, connection, caches))),
        "stripe" => Ok(Arc::new(Stripe::new(config)?)),
        "keap" => Ok(Arc::new(Translated::new(Keap::new(config)?, connection, caches))),
        "ontraport" => Ok(Arc::new(Translated::new(Ontraport::new(config)?, connection, caches))),
        _ => Err(ConnectorError::new(
            "unknown",
            ErrorKind::NotConfigured,
            format!("There is no connector for the platform \"{slug}\""),
        )),
    }
}
