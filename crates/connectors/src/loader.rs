//! From a connection's id to a connector that works: ownership, status, decryption, construction (`connectors` §4.2).

use std::sync::Arc;
use std::time::Duration;

use mfh_aws::{SealedSecrets, Vault, VaultError};
use mfh_database::{ConnectionChange, Database, DatabaseError, StoredSecrets};
use mfh_types::{
    AccountId, AuthStatus, AuthType, Clock, ConnectionError, ConnectionId, ConnectionStatus, Credentials, Platform,
    PlatformConnection, PlatformConnectionAuth, PlatformId, PlatformStatus, Timestamp,
};
use moka::future::Cache;

use crate::connector::{Connector, Result};
use crate::error::{ConnectorError, ErrorKind};
use crate::http::{StaticToken, TokenSource};
use crate::registry::{ConnectorConfig, PLATFORMS, Shared, build};

/// How long platforms and built connectors are remembered.
const REMEMBERED: Duration = Duration::from_secs(300);

/// The name in errors that come before the platform is known.
const UNKNOWN: &str = "connection";

/// A connector of a stored connection.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The connector.
    pub connector: Arc<dyn Connector>,
    /// Whether the connection was marked as not working; a run that works anyway clears the mark.
    pub marked: bool,
}

/// Where a connection's account is, and how it signs in.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// The connection.
    pub connection_id: &'a ConnectionId,
    /// How it signs in.
    pub auth_type: AuthType,
    /// The account's own API address, where the vendor gives each account one.
    pub base_url: Option<&'a str>,
    /// The account at the vendor, where it is known.
    pub external_app_id: Option<&'a str>,
}

/// What a built connector was built from; a change of any of it builds a new one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Version {
    connection: ConnectionId,
    connection_version: u64,
    auth_version: u64,
    platform_updated_at: Timestamp,
}

/// Loads connections; one per process, so that connectors share caches, rate limits and HTTP connections.
#[derive(Debug, Clone)]
pub struct Loader {
    database: Database,
    vault: Vault,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    platforms: Cache<PlatformId, Arc<Platform>>,
    connectors: Cache<Version, Arc<dyn Connector>>,
}

impl Loader {
    /// A loader over these tables.
    pub fn new(database: Database, vault: Vault, shared: Arc<Shared>, clock: Arc<dyn Clock>) -> Self {
        Self {
            database,
            vault,
            shared,
            clock,
            platforms: Cache::builder().max_capacity(100).time_to_live(REMEMBERED).build(),
            connectors: Cache::builder().max_capacity(10_000).time_to_live(REMEMBERED).build(),
        }
    }

    /// What the connectors of this process share.
    pub fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// The connector of an account's connection.
    ///
    /// # Errors
    /// `ConnectionNotFound` for a missing one and another account's alike, `ConnectionDisabled`,
    /// `ConnectionReauthRequired`, `NotConfigured` for a missing credential, `Unavailable` when tables or keys are out of
    /// reach.
    pub async fn load(&self, account: &AccountId, id: &ConnectionId) -> Result<Loaded> {
        let connection = self
            .database
            .connections()
            .get(account, id)
            .await
            .map_err(|error| storage(&error))?;
        let connection = connection.ok_or_else(not_found)?;
        let marked = match connection.status {
            ConnectionStatus::Active => connection.reauth_required,
            ConnectionStatus::Error => true,
            ConnectionStatus::Disconnected | ConnectionStatus::Deleting => {
                let message = format!("The connection \"{}\" is switched off", connection.name);
                return Err(ConnectorError::new(UNKNOWN, ErrorKind::ConnectionDisabled, message));
            }
        };
        let (auth, secrets) = self.auth(&connection).await?;
        let platform = self.platform(&connection.platform_id).await?;
        let version = Version {
            connection: id.clone(),
            connection_version: connection.version,
            auth_version: auth.version,
            platform_updated_at: platform.updated_at,
        };
        if let Some(connector) = self.connectors.get(&version).await {
            return Ok(Loaded { connector, marked });
        }
        let credentials = self.open(&connection, &auth, secrets).await?;
        let site = Site {
            connection_id: id,
            auth_type: auth.auth_type,
            base_url: connection.base_url.as_deref(),
            external_app_id: connection.external_app_id.as_deref(),
        };
        let connector = self.connect(&platform, site, &credentials)?;
        self.connectors.insert(version, Arc::clone(&connector)).await;
        self.note_use(&connection, &auth).await;
        Ok(Loaded { connector, marked })
    }

    /// A connector from credentials that need not be stored yet.
    ///
    /// # Errors
    /// `NotConfigured` naming what is missing.
    pub fn connect(
        &self,
        platform: &Platform,
        site: Site<'_>,
        credentials: &Credentials,
    ) -> Result<Arc<dyn Connector>> {
        let base_url = site.base_url.unwrap_or(&platform.api_config.base_url);
        let config = ConnectorConfig {
            connection_id: site.connection_id.clone(),
            base_url: Some(base_url.to_owned()),
            auth_type: site.auth_type,
            credentials: token_source(platform, credentials)?,
            app_id: credentials.get("app_id").map(|id| id.expose().to_owned()),
            external_app_id: site.external_app_id.map(str::to_owned),
            rate_limits: platform.api_config.rate_limits,
            user_host: site
                .base_url
                .is_some_and(|url| !mfh_outbound::same_origin(url, &platform.api_config.base_url)),
            throttle_key: None,
            shared: Arc::clone(&self.shared),
        };
        build(&platform.slug, config)
    }

    /// Seals credentials for one connection.
    ///
    /// # Errors
    /// When the key service is out of reach.
    pub async fn seal(
        &self,
        account: &AccountId,
        connection: &ConnectionId,
        credentials: &Credentials,
    ) -> std::result::Result<SealedSecrets, VaultError> {
        self.vault.seal(account, connection, credentials).await
    }

    /// Opens credentials that [`Loader::seal`] sealed for one connection.
    ///
    /// # Errors
    /// When the bytes are damaged or belong to another connection, or the key service is out of reach.
    pub async fn unseal(
        &self,
        account: &AccountId,
        connection: &ConnectionId,
        sealed: &[u8],
    ) -> std::result::Result<Credentials, VaultError> {
        self.vault.open(account, connection, sealed).await
    }

    /// An account's connection to a service that is no CRM, with its credentials.
    ///
    /// # Errors
    /// As [`Loader::load`].
    pub async fn service(&self, account: &AccountId, id: &ConnectionId) -> Result<(PlatformConnection, Credentials)> {
        let found = self.database.connections().get(account, id).await;
        let connection = found.map_err(|error| storage(&error))?.ok_or_else(not_found)?;
        if matches!(
            connection.status,
            ConnectionStatus::Disconnected | ConnectionStatus::Deleting
        ) {
            let message = format!("The connection \"{}\" is switched off", connection.name);
            return Err(ConnectorError::new(UNKNOWN, ErrorKind::ConnectionDisabled, message));
        }
        let (auth, secrets) = self.auth(&connection).await?;
        let credentials = self.open(&connection, &auth, secrets).await?;
        self.note_use(&connection, &auth).await;
        Ok((connection, credentials))
    }

    /// Marks a connection whose credentials the vendor refused.
    ///
    /// # Errors
    /// When the table is out of reach.
    pub async fn refused(
        &self,
        account: &AccountId,
        id: &ConnectionId,
        message: &str,
    ) -> std::result::Result<(), DatabaseError> {
        let now = Timestamp::now(&*self.clock);
        let error = ConnectionError {
            code: ErrorKind::Unauthorized.code().to_owned(),
            message: message.to_owned(),
            at: now,
        };
        let change = ConnectionChange {
            status: Some(ConnectionStatus::Error),
            reauth_required: Some(true),
            last_error: Some(Some(error)),
            ..ConnectionChange::default()
        };
        self.database
            .connections()
            .update(account, id, change, now)
            .await
            .map(drop)
    }

    /// Clears the mark of a connection that works again.
    ///
    /// # Errors
    /// When the table is out of reach.
    pub async fn works(&self, account: &AccountId, id: &ConnectionId) -> std::result::Result<(), DatabaseError> {
        let now = Timestamp::now(&*self.clock);
        let change = ConnectionChange {
            status: Some(ConnectionStatus::Active),
            reauth_required: Some(false),
            last_error: Some(None),
            last_connected: Some(now),
            ..ConnectionChange::default()
        };
        self.database
            .connections()
            .update(account, id, change, now)
            .await
            .map(drop)
    }

    /// The platform of this id, remembered for five minutes.
    ///
    /// # Errors
    /// `NotConfigured` when there is none, or it is no longer offered.
    pub async fn platform(&self, id: &PlatformId) -> Result<Arc<Platform>> {
        if let Some(platform) = self.platforms.get(id).await {
            return Ok(platform);
        }
        let found = self
            .database
            .platforms()
            .get(id)
            .await
            .map_err(|error| storage(&error))?;
        let active = found.filter(|platform| platform.status == PlatformStatus::Active);
        let platform = Arc::new(active.ok_or_else(|| {
            ConnectorError::new(
                UNKNOWN,
                ErrorKind::NotConfigured,
                format!("{id} is not offered any more"),
            )
        })?);
        self.platforms.insert(id.clone(), Arc::clone(&platform)).await;
        Ok(platform)
    }

    async fn auth(&self, connection: &PlatformConnection) -> Result<(PlatformConnectionAuth, StoredSecrets)> {
        let missing = || {
            let message = format!(
                "The connection \"{}\" has no credentials. Connect it again",
                connection.name
            );
            ConnectorError::new(UNKNOWN, ErrorKind::ConnectionReauthRequired, message)
        };
        let id = connection.auth_id.as_ref().ok_or_else(missing)?;
        let auths = self.database.auths();
        let found = auths.get(&connection.account_id, &connection.connection_id, id).await;
        let (auth, secrets) = found.map_err(|error| storage(&error))?.ok_or_else(missing)?;
        if auth.status == AuthStatus::Active {
            Ok((auth, secrets))
        } else {
            Err(missing())
        }
    }

    /// The credentials themselves. Plain ones of an earlier version are sealed on the way.
    async fn open(
        &self,
        connection: &PlatformConnection,
        auth: &PlatformConnectionAuth,
        secrets: StoredSecrets,
    ) -> Result<Credentials> {
        let (account, id) = (&connection.account_id, &connection.connection_id);
        let plain = match secrets {
            StoredSecrets::Sealed(sealed) => {
                return self
                    .vault
                    .open(account, id, &sealed.bytes)
                    .await
                    .map_err(|error| locked(&error));
            }
            StoredSecrets::Plain(plain) => plain,
        };
        match self.vault.seal(account, id, &plain).await {
            Ok(sealed) => {
                let now = Timestamp::now(&*self.clock);
                let auths = self.database.auths();
                let stored = auths
                    .seal_legacy(account, id, &auth.auth_id, &sealed, auth.version, now)
                    .await;
                if let Err(error) = stored {
                    tracing::warn!(connection_id = %id, %error, "plain credentials could not be replaced by sealed ones");
                }
            }
            Err(error) => {
                tracing::warn!(connection_id = %id, %error, "plain credentials could not be sealed");
            }
        }
        Ok(plain)
    }

    async fn note_use(&self, connection: &PlatformConnection, auth: &PlatformConnectionAuth) {
        let now = Timestamp::now(&*self.clock);
        let auths = self.database.auths();
        let noted = auths
            .touch_used(&connection.account_id, &connection.connection_id, &auth.auth_id, now)
            .await;
        if let Err(error) = noted {
            tracing::debug!(%error, "the use of credentials could not be noted");
        }
    }
}

/// The secret that a platform signs in with: an access token, or a key that the user pasted.
fn token_source(platform: &Platform, credentials: &Credentials) -> Result<Arc<dyn TokenSource>> {
    let slug = PLATFORMS
        .iter()
        .find(|slug| **slug == platform.slug)
        .copied()
        .unwrap_or(UNKNOWN);
    let token = credentials.access_token.as_ref().or(credentials.api_key.as_ref());
    let token = token.ok_or_else(|| {
        let message = format!(
            "The connection to {} has neither access_token nor api_key",
            platform.name
        );
        ConnectorError::new(slug, ErrorKind::NotConfigured, message)
    })?;
    Ok(Arc::new(StaticToken::new(slug, token.clone())))
}

fn not_found() -> ConnectorError {
    ConnectorError::new(UNKNOWN, ErrorKind::ConnectionNotFound, "The connection does not exist")
}

fn storage(error: &DatabaseError) -> ConnectorError {
    tracing::warn!(%error, "a connection could not be loaded");
    ConnectorError::new(UNKNOWN, ErrorKind::Unavailable, "The connection could not be loaded")
}

fn locked(error: &VaultError) -> ConnectorError {
    let kind = match error {
        VaultError::Unavailable(_) => ErrorKind::Unavailable,
        VaultError::Unreadable => ErrorKind::ConnectionReauthRequired,
    };
    ConnectorError::new(UNKNOWN, kind, error.to_string())
}
