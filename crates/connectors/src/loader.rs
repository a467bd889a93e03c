//! From a connection's id to a connector that works: ownership, status, decryption, construction (`connectors` §4.2).

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mfh_aws::{OAuthClients, SealedSecrets, SharedQueues, Vault, VaultError};
use mfh_cache::{Cache, Keep};
use mfh_database::{ConnectionChange, Database, DatabaseError, StoredSecrets};
use mfh_types::{
    AccountId, AuthStatus, AuthType, Clock, ConnectionId, ConnectionSettings, ConnectionStatus, Credentials, Platform,
    PlatformConnection, PlatformConnectionAuth, PlatformId, PlatformStatus, Secret, Timestamp,
};

use crate::connector::{Connector, Result};
use crate::error::{ConnectorError, ErrorKind};
use crate::http::{StaticToken, TokenSource};
use crate::oauth::{
    Grant, GrantError, Held, KeptAlive, Need, QueueNotice, RecoverError, Recovered, Refresher, RenewingToken,
    SignInNotice, Target, TokenEndpoint,
};
use crate::registry::{ConnectorConfig, Shared, UNKNOWN, build, known_slug};
use crate::service::Service;

/// How long platforms and built connectors are remembered.
const REMEMBERED: Duration = Duration::from_secs(300);

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
    /// What the user set besides the credentials.
    pub settings: &'a ConnectionSettings,
}

/// A connection with everything that using it takes.
struct Opened {
    connection: PlatformConnection,
    auth: PlatformConnectionAuth,
    platform: Arc<Platform>,
    secrets: StoredSecrets,
    marked: bool,
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
    refresher: Arc<Refresher>,
    platforms: Cache<PlatformId, Arc<Platform>>,
    connectors: Cache<Version, Arc<dyn Connector>>,
}

impl Loader {
    /// A loader over these tables; `clients` are our apps at the vendors that sign in by OAuth.
    pub fn new(
        database: Database,
        vault: Vault,
        clients: OAuthClients,
        shared: Arc<Shared>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let refresher = Refresher::new(
            database.clone(),
            vault.clone(),
            clients,
            Arc::clone(&shared),
            Arc::clone(&clock),
        );
        Self {
            database,
            vault,
            shared,
            clock,
            refresher: Arc::new(refresher),
            platforms: Cache::new(remembered(100)),
            connectors: Cache::new(remembered(10_000)),
        }
    }

    /// The same loader, telling `notice` when a user has to sign in again.
    #[must_use]
    pub fn notifying(mut self, notice: Arc<dyn SignInNotice>) -> Self {
        self.refresher = Arc::new(Refresher::clone(&self.refresher).notifying(notice));
        self
    }

    /// The same loader, telling people through the queue of notifications when they have to sign in again, and keeping
    /// renewed tokens that no table takes in the queue that [`Loader::recover`] reads.
    #[must_use]
    pub fn sending_to(mut self, queues: SharedQueues) -> Self {
        let notice = QueueNotice::new(
            queues.notifications,
            Arc::clone(&self.clock),
            self.shared.random_handle(),
        );
        let refresher = Refresher::clone(&self.refresher).notifying(Arc::new(notice));
        self.refresher = Arc::new(refresher.keeping(queues.token_recovery));
        self
    }

    /// Stores tokens from the recovery queue, `body` being the text of the message.
    ///
    /// # Errors
    /// When the message has to come again: it cannot be read, or the tables cannot be reached.
    pub async fn recover(&self, body: &str) -> std::result::Result<Recovered, RecoverError> {
        self.refresher.recover(body).await
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
        self.load_connection(self.connection(account, id).await?).await
    }

    /// The connector of a connection that was read just now.
    ///
    /// # Errors
    /// As [`Loader::load`].
    pub async fn load_connection(&self, connection: PlatformConnection) -> Result<Loaded> {
        let opened = self.find(connection).await?;
        let version = Version {
            connection: opened.connection.connection_id.clone(),
            connection_version: opened.connection.version,
            auth_version: opened.auth.version,
            platform_updated_at: opened.platform.updated_at,
        };
        let marked = opened.marked;
        if let Some(connector) = self.connectors.get(&version).await {
            return Ok(Loaded { connector, marked });
        }
        let credentials = self.open(&opened).await?;
        let tokens = self.tokens(&opened, &credentials)?;
        let connector = self.build(&opened.platform, site(&opened), &credentials, tokens, !marked)?;
        self.connectors.insert(&version, Arc::clone(&connector)).await;
        self.note_use(&opened).await;
        Ok(Loaded { connector, marked })
    }

    /// An account's connection to a service that is no CRM. With `slug`, it has to be one to that platform.
    ///
    /// # Errors
    /// As [`Loader::load`]; `InvalidInput` for a connection to another platform.
    pub async fn load_service(&self, account: &AccountId, id: &ConnectionId, slug: Option<&str>) -> Result<Service> {
        let opened = self.find(self.connection(account, id).await?).await?;
        if slug.is_some_and(|slug| slug != opened.platform.slug) {
            let message = format!(
                "The connection \"{}\" is one to {}. Choose another",
                opened.connection.name, opened.platform.name
            );
            return Err(ConnectorError::new(UNKNOWN, ErrorKind::InvalidInput, message));
        }
        let credentials = self.open(&opened).await?;
        let tokens = self.tokens(&opened, &credentials)?;
        self.note_use(&opened).await;
        let service = Service::new(Arc::clone(&opened.platform), credentials, tokens, &self.shared);
        Ok(service.of(&opened.connection, opened.marked))
    }

    /// A service from credentials that need not be stored yet.
    ///
    /// # Errors
    /// `NotConfigured` when there are none.
    pub fn connect_service(&self, platform: &Arc<Platform>, credentials: &Credentials) -> Result<Service> {
        let tokens = static_tokens(platform, credentials)?;
        Ok(Service::new(
            Arc::clone(platform),
            credentials.clone(),
            tokens,
            &self.shared,
        ))
    }

    /// The token endpoint of a platform, for a new sign-in.
    ///
    /// # Errors
    /// `Client` when no OAuth client is set up, `Unavailable` when it cannot be read.
    pub async fn token_endpoint<'a>(
        &'a self,
        platform: &'a Platform,
    ) -> std::result::Result<TokenEndpoint<'a>, GrantError> {
        self.refresher.endpoint(platform).await
    }

    /// The tokens of a connection that its vendor takes back; `None` where there are none, or it takes none.
    pub async fn revocable(&self, platform: &Platform, connection: &PlatformConnection) -> Option<Credentials> {
        let takes_back = platform.oauth.as_ref().is_some_and(|oauth| oauth.revoke.is_some());
        if connection.auth_type != AuthType::OAuth2 || !takes_back {
            return None;
        }
        let read = async {
            let (auth, secrets) = self.auth(connection).await?;
            self.reveal(connection, &auth, secrets).await
        };
        let unreadable = |error: &ConnectorError| {
            tracing::warn!(connection_id = %connection.connection_id, %error, "tokens cannot be read to be given back");
        };
        read.await.inspect_err(unreadable).ok()
    }

    /// Gives tokens back to the vendor.
    ///
    /// # Errors
    /// Why they may still be good.
    pub async fn give_back(&self, platform: &Platform, tokens: &Credentials) -> std::result::Result<(), GrantError> {
        let endpoint = self.refresher.endpoint(platform).await?;
        endpoint
            .revoke(tokens.access_token.as_ref(), tokens.refresh_token.as_ref())
            .await
    }

    /// The stored credentials with new tokens in them, sealed. With `keep`, a refresh token that the vendor did not
    /// send again stays; it has to be one of the same account at the vendor.
    ///
    /// # Errors
    /// `ConnectionNotFound` when there are no stored ones, `Unavailable` when tables or keys are out of reach.
    pub async fn with_grant(
        &self,
        connection: &PlatformConnection,
        grant: &Grant,
        keep: bool,
    ) -> Result<(PlatformConnectionAuth, SealedSecrets)> {
        let (account, id) = (&connection.account_id, &connection.connection_id);
        let auth_id = connection.auth_id.as_ref().ok_or_else(not_found)?;
        let found = self.database.auths().get(account, id, auth_id).await;
        let (auth, secrets) = found.map_err(|error| storage(&error))?.ok_or_else(not_found)?;
        let mut credentials = match self.reveal(connection, &auth, secrets).await {
            Ok(stored) if keep => stored,
            Err(error) if error.kind == ErrorKind::Unavailable => return Err(error),
            _ => Credentials::default(),
        };
        credentials.access_token = Some(grant.access_token.clone());
        if let Some(token) = &grant.refresh_token {
            credentials.refresh_token = Some(token.clone());
        }
        let sealed = self.vault.seal(account, id, &credentials).await;
        Ok((auth, sealed.map_err(|error| locked(&error))?))
    }

    /// Renews the rotating tokens that nobody used for twenty days, so that idle connections do not die.
    ///
    /// # Errors
    /// When the table is out of reach; connections that cannot be renewed are counted instead.
    pub async fn keep_alive(&self) -> std::result::Result<KeptAlive, DatabaseError> {
        let since = self.refresher.idle_since();
        let mut kept = KeptAlive::default();
        for auth in self.database.auths().idle_since(since).await? {
            let platform = match self.platform(&auth.platform_id).await {
                Ok(platform) => platform,
                Err(error) => {
                    kept.failed += 1;
                    tracing::warn!(connection_id = %auth.connection_id, %error, "the platform of an idle connection cannot be read");
                    continue;
                }
            };
            if !platform.oauth.as_ref().is_some_and(|oauth| oauth.rotates) {
                continue;
            }
            let connections = self.database.connections();
            let connection = connections.get(&auth.account_id, &auth.connection_id).await?;
            let in_use = connection.is_some_and(|connection| {
                matches!(connection.status, ConnectionStatus::Active | ConnectionStatus::Error)
            });
            if !in_use {
                continue;
            }
            match self
                .refresher
                .renew(&target(&auth, &platform), &Need::Idle(since))
                .await
            {
                Ok(_) => kept.renewed += 1,
                Err(error) => {
                    kept.failed += 1;
                    tracing::warn!(connection_id = %auth.connection_id, %error, "an idle connection could not be renewed");
                }
            }
        }
        Ok(kept)
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
        let tokens = static_tokens(platform, credentials)?;
        self.build(platform, site, credentials, tokens, false)
    }

    fn build(
        &self,
        platform: &Platform,
        site: Site<'_>,
        credentials: &Credentials,
        tokens: Arc<dyn TokenSource>,
        accepted: bool,
    ) -> Result<Arc<dyn Connector>> {
        let base_url = site.base_url.unwrap_or(&platform.api_config.base_url);
        let config = ConnectorConfig {
            connection_id: site.connection_id.clone(),
            base_url: Some(base_url.to_owned()),
            auth_type: site.auth_type,
            credentials: tokens,
            app_id: credentials.get("app_id").map(|id| id.expose().to_owned()),
            settings: site.settings.clone(),
            external_app_id: site
                .external_app_id
                .map(str::to_owned)
                .or_else(|| external_app_id(credentials)),
            rate_limits: platform.api_config.rate_limits,
            user_host: site
                .base_url
                .is_some_and(|url| !mfh_outbound::same_origin(url, &platform.api_config.base_url)),
            throttle_key: throttle_key(&platform.slug, site.auth_type, credentials, accepted),
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
        self.mark(account, id, ErrorKind::Unauthorized, message).await
    }

    /// Marks a connection that only the user can mend, by the kind of its error; the user is told when it was not
    /// marked before.
    ///
    /// # Errors
    /// When the table is out of reach.
    pub async fn mark(
        &self,
        account: &AccountId,
        id: &ConnectionId,
        kind: ErrorKind,
        message: &str,
    ) -> std::result::Result<(), DatabaseError> {
        self.refresher.mark((account, id), kind, message).await
    }

    /// Clears the mark of a connection that works again.
    ///
    /// # Errors
    /// When the table is out of reach.
    pub async fn works(&self, account: &AccountId, id: &ConnectionId) -> std::result::Result<(), DatabaseError> {
        let now = Timestamp::now(&*self.clock);
        let connections = self.database.connections();
        let works = ConnectionChange::works(now);
        connections.update(account, id, works, now).await.map(drop)
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
        self.platforms.insert(id, Arc::clone(&platform)).await;
        Ok(platform)
    }

    async fn connection(&self, account: &AccountId, id: &ConnectionId) -> Result<PlatformConnection> {
        let found = self.database.connections().get(account, id).await;
        found.map_err(|error| storage(&error))?.ok_or_else(not_found)
    }

    /// Reads credentials and platform of a connection, and checks that all may be used.
    async fn find(&self, connection: PlatformConnection) -> Result<Opened> {
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
        Ok(Opened {
            connection,
            auth,
            platform,
            secrets,
            marked,
        })
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

    async fn open(&self, opened: &Opened) -> Result<Credentials> {
        self.reveal(&opened.connection, &opened.auth, opened.secrets.clone())
            .await
    }

    /// The credentials themselves. Plain ones of an earlier version are sealed on the way.
    async fn reveal(
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

    /// The secret that the connection signs in with: tokens that renew themselves, or what the user pasted.
    fn tokens(&self, opened: &Opened, credentials: &Credentials) -> Result<Arc<dyn TokenSource>> {
        if opened.auth.auth_type != AuthType::OAuth2 {
            return static_tokens(&opened.platform, credentials);
        }
        let target = target(&opened.auth, &opened.platform);
        let held = Held::new(&opened.auth, credentials.clone());
        Ok(Arc::new(RenewingToken::new(Arc::clone(&self.refresher), target, held)))
    }

    async fn note_use(&self, opened: &Opened) {
        let now = Timestamp::now(&*self.clock);
        let auth = &opened.auth;
        let auths = self.database.auths();
        let noted = auths
            .touch_used(&auth.account_id, &auth.connection_id, &auth.auth_id, now)
            .await;
        if let Err(error) = noted {
            tracing::debug!(%error, "the use of credentials could not be noted");
        }
    }
}

fn remembered(most: u64) -> Keep {
    Keep {
        most: Some(most),
        age: Some(REMEMBERED),
        idle: None,
    }
}

fn site(opened: &Opened) -> Site<'_> {
    Site {
        connection_id: &opened.connection.connection_id,
        auth_type: opened.auth.auth_type,
        base_url: opened.connection.base_url.as_deref(),
        external_app_id: opened.connection.external_app_id.as_deref(),
        settings: &opened.connection.settings,
    }
}

fn target(auth: &PlatformConnectionAuth, platform: &Arc<Platform>) -> Target {
    Target {
        account: auth.account_id.clone(),
        connection: auth.connection_id.clone(),
        auth: auth.auth_id.clone(),
        platform: Arc::clone(platform),
    }
}

/// The account at the vendor as pasted credentials name it: GoHighLevel's location, Ontraport's app.
pub fn external_app_id(credentials: &Credentials) -> Option<String> {
    ["location_id", "app_id"]
        .into_iter()
        .find_map(|key| credentials.get(key))
        .map(|id| id.expose().to_owned())
}

/// What the requests of a connection are counted by here, where that is not the account at the vendor that a sign-in told.
///
/// Whoever shares a timeline can use it up, so an account of ours must not get onto that of another by typing an id. So
/// the place of a connection is named by what only its owner has:
///
/// - A sign-in by OAuth is counted by the tenant, location or portal that the vendor named in it (`None`): nobody types
///   that, and every account of ours that signed in there shares what the vendor counts together.
/// - A pasted secret is counted by its fingerprint, and never by the location or app id pasted beside it. Vendors count
///   such secrets by themselves (Keap's keys, private integrations of GoHighLevel, private apps of HubSpot) or have
///   one for each app id (Ontraport), so the same secret in two accounts of ours is one quota, there and here.
/// - ActiveCampaign alone counts a whole host over all its keys. A key that the vendor has `accepted` shares the host's
///   timeline with the other keys; one that is only tried, or was refused, is counted by itself, so that naming the
///   host of another costs its owner none of our slots.
fn throttle_key(slug: &str, auth_type: AuthType, credentials: &Credentials, accepted: bool) -> Option<String> {
    if auth_type == AuthType::OAuth2 || (slug == "activecampaign" && accepted) {
        return None;
    }
    let secret = credentials.access_token.as_ref().or(credentials.api_key.as_ref())?;
    Some(format!("secret-{}", fingerprint(secret)))
}

/// Tells secrets apart without telling them.
fn fingerprint(secret: &Secret) -> String {
    let salted = format!("throttle\0{}", secret.expose().trim());
    let hash = digest(&SHA256, salted.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..12])
}

/// The secret that a platform signs in with, as it is: an access token, or a key that the user pasted.
fn static_tokens(platform: &Platform, credentials: &Credentials) -> Result<Arc<dyn TokenSource>> {
    let slug = known_slug(&platform.slug);
    let token = credentials.access_token.as_ref().or(credentials.api_key.as_ref());
    // Services have their own names for what they sign in with; their test calls take it by name.
    let token = token.or_else(|| credentials.extra.values().next().filter(|_| slug == UNKNOWN));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn pasted(key: &str, beside: &str) -> Credentials {
        let mut credentials = Credentials {
            api_key: Some(Secret::new(key)),
            ..Credentials::default()
        };
        credentials.extra.insert("location_id".to_owned(), Secret::new(beside));
        credentials
    }

    fn key(slug: &str, credentials: &Credentials, accepted: bool) -> Option<String> {
        throttle_key(slug, AuthType::ApiKey, credentials, accepted)
    }

    #[test]
    fn a_pasted_secret_is_counted_by_itself_whatever_id_is_pasted_beside_it() {
        for slug in ["gohighlevel", "hubspot", "keap", "ontraport", "stripe"] {
            let owner = key(slug, &pasted("pit-owner", "their-location"), true);
            assert_ne!(owner, key(slug, &pasted("pit-guess", "their-location"), true), "{slug}");
            assert_ne!(
                owner,
                key(slug, &pasted("pit-guess", "their-location"), false),
                "{slug}"
            );
            // The owner's other accounts share what the vendor counts together, stored or only tried.
            assert_eq!(
                owner,
                key(slug, &pasted(" pit-owner ", "their-location"), false),
                "{slug}"
            );
            assert!(!owner.unwrap().contains("pit-owner"), "{slug}");
        }
    }

    #[test]
    fn keys_of_one_activecampaign_account_share_its_host_once_they_were_accepted() {
        let (one, other) = (pasted("one", ""), pasted("other", ""));
        assert_eq!(
            (key("activecampaign", &one, true), key("activecampaign", &other, true)),
            (None, None)
        );
        let tried = key("activecampaign", &other, false);
        assert!(tried.is_some());
        assert_ne!(tried, key("activecampaign", &one, false));
    }

    #[test]
    fn a_sign_in_is_counted_by_the_account_that_the_vendor_named() {
        for accepted in [true, false] {
            assert_eq!(
                throttle_key("gohighlevel", AuthType::OAuth2, &pasted("x", "y"), accepted),
                None
            );
        }
    }
}
