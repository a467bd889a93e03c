//! Renewing tokens so that one of any number of workers and processes asks the vendor, and all get what it got
//! (`pipeline` §7.4, `connectors` §4.3).
//!
//! The record of the credentials holds a version and a lease. Who gets the lease asks the vendor and stores the answer
//! on condition that the version is still the one it read; the others read the record until its version changes. So a
//! user who signs in again, or deletes the connection, meanwhile wins, and a process that dies leaves only a lease that
//! ends.

use std::sync::Arc;
use std::time::Duration;

use mfh_aws::{OAuthClientError, OAuthClients, SharedQueue, Vault};
use mfh_cache::{Cache, Keep};
use mfh_database::{ConnectionChange, Database, DatabaseError, NewSecrets, StoredSecrets};
use mfh_types::{
    AccountId, AuthId, AuthStatus, Clock, ConnectionError, ConnectionId, ConnectionStatus, Credentials, OAuthConfig,
    Platform, PlatformConnectionAuth, Secret, Timestamp,
};
use tokio::sync::Mutex;

use super::answer::{Grant, GrantError};
use super::endpoint::TokenEndpoint;
use super::notice::{LogNotice, SignInNotice};
use super::recovery::{KeptTokens, RecoverError, Recovered};
use crate::connector::Result;
use crate::error::{ConnectorError, ErrorKind};
use crate::registry::{Shared, known_slug};

/// A token is renewed when it ends within this time, in seconds.
const EARLY_SECS: i64 = 300;

/// How long one process may take for a refresh, in seconds: the call, and storing its answer.
const LEASE_SECS: i64 = 30;

/// How long to try to store what the vendor gave; with the time of the call this stays below the lease.
const STORE_PATIENCE: Duration = Duration::from_secs(15);

/// How long kept tokens wait in the queue: until the process that keeps them has given up storing them itself, and
/// before its lease ends, after which another would come with the spent token.
const KEPT_FOR: Duration = STORE_PATIENCE;

/// How often the record is read again that changed while kept tokens were stored.
const RECOVERY_TRIES: u32 = 3;

/// How long to wait for another process that refreshes.
const WAIT_PATIENCE: Duration = Duration::from_secs(20);

/// The first and the longest pause between two looks at the record.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A token that is refused so soon after it was renewed would not be accepted after another renewal, in seconds.
const FRESH_SECS: i64 = 300;

/// The first and the longest time between two refreshes that fail, in seconds.
const FIRST_COOL_DOWN_SECS: i64 = 5;
const LONGEST_COOL_DOWN_SECS: i64 = 300;

/// Rotating tokens that nobody used for this long are renewed, in seconds: they die after 45 days at the earliest.
const KEEP_ALIVE_SECS: i64 = 20 * 86_400;

/// Idle time after which the lock of one record is dropped; far longer than any refresh.
const FLIGHT_IDLE: Duration = Duration::from_secs(600);

/// What keeping idle connections alive did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct KeptAlive {
    /// Connections whose tokens were renewed.
    pub renewed: usize,
    /// Connections that could not be renewed; the next run tries those again that are not dead.
    pub failed: usize,
}

/// Whose tokens are renewed.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) account: AccountId,
    pub(crate) connection: ConnectionId,
    pub(crate) auth: AuthId,
    pub(crate) platform: Arc<Platform>,
}

impl Target {
    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> ConnectorError {
        ConnectorError::new(known_slug(&self.platform.slug), kind, message)
    }

    fn sign_in_again(&self) -> ConnectorError {
        self.error(ErrorKind::ConnectionReauthRequired, self.reason())
    }

    fn reason(&self) -> String {
        format!(
            "{} has ended the sign-in of this connection. Open the connection and sign in again",
            self.platform.name
        )
    }
}

/// Tokens as one version of the record has them.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) credentials: Credentials,
    version: u64,
    expires_at: Option<i64>,
    refreshed_at: Option<i64>,
    retry_at: Option<i64>,
    attempts: u32,
}

impl Held {
    pub(crate) fn new(auth: &PlatformConnectionAuth, credentials: Credentials) -> Self {
        Self {
            credentials,
            version: auth.version,
            expires_at: auth.expires_at.filter(|at| *at > 0),
            refreshed_at: auth.last_refresh_at,
            retry_at: auth.refresh_retry_at,
            attempts: auth.refresh_attempts,
        }
    }

    pub(crate) fn token(&self) -> Option<&Secret> {
        self.credentials.access_token.as_ref()
    }

    /// Whether the token has to be renewed before it is used.
    pub(crate) fn ends_soon(&self, now: i64) -> bool {
        self.token().is_none() || self.expires_at.is_some_and(|at| at - EARLY_SECS <= now)
    }

    fn has_ended(&self, now: i64) -> bool {
        self.token().is_none() || self.expires_at.is_some_and(|at| at <= now)
    }
}

/// Why tokens are to be renewed.
#[derive(Debug)]
pub(crate) enum Need {
    /// They end soon.
    Soon,
    /// The vendor answered 401 to this one.
    Rejected(Secret),
    /// They were not renewed since this time, Unix seconds.
    Idle(i64),
}

impl Need {
    fn is_met(&self, held: &Held, now: i64) -> bool {
        match self {
            Self::Soon => !held.ends_soon(now),
            Self::Rejected(token) => held.token() != Some(token) && !held.has_ended(now),
            Self::Idle(since) => held.refreshed_at.is_some_and(|at| at >= *since),
        }
    }

    /// Whether the old tokens do for now when new ones are not to be had.
    fn can_wait(&self, held: &Held, now: i64) -> bool {
        match self {
            Self::Soon => !held.has_ended(now),
            Self::Rejected(_) | Self::Idle(_) => false,
        }
    }
}

/// Renews tokens; one per process.
#[derive(Debug, Clone)]
pub(crate) struct Refresher {
    database: Database,
    vault: Vault,
    clients: OAuthClients,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    notice: Arc<dyn SignInNotice>,
    /// Where tokens are kept that no table takes; without it, only in this process.
    recovery: Option<SharedQueue>,
    /// One refresh of a record at a time in this process, so that the others need not ask the table.
    flights: Cache<AuthId, Arc<Mutex<()>>>,
    /// What a vendor gave and no table took, by record and version: the old refresh token is spent.
    parked: Cache<(AuthId, u64), Arc<Grant>>,
}

impl Refresher {
    pub(crate) fn new(
        database: Database,
        vault: Vault,
        clients: OAuthClients,
        shared: Arc<Shared>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            database,
            vault,
            clients,
            shared,
            clock,
            notice: Arc::new(LogNotice),
            recovery: None,
            flights: Cache::new(Keep {
                idle: Some(FLIGHT_IDLE),
                ..Keep::default()
            }),
            parked: Cache::new(Keep {
                most: Some(1_000),
                ..Keep::default()
            }),
        }
    }

    /// The same, telling `notice` when a user has to sign in again.
    pub(crate) fn notifying(mut self, notice: Arc<dyn SignInNotice>) -> Self {
        self.notice = notice;
        self
    }

    /// The same, keeping tokens that no table takes in this queue.
    pub(crate) fn keeping(mut self, recovery: SharedQueue) -> Self {
        self.recovery = Some(recovery);
        self
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.unix()
    }

    /// The token endpoint of a platform with our client there.
    pub(crate) async fn endpoint<'a>(
        &'a self,
        platform: &'a Platform,
    ) -> std::result::Result<TokenEndpoint<'a>, GrantError> {
        let oauth: &OAuthConfig = platform
            .oauth
            .as_ref()
            .ok_or_else(|| GrantError::Client(format!("{} does not sign in by OAuth", platform.name)))?;
        let client = self.clients.get(&platform.slug).await.map_err(|error| match error {
            OAuthClientError::Missing(_) => GrantError::Client(error.to_string()),
            OAuthClientError::Unavailable(_) => GrantError::unavailable(error.to_string()),
        })?;
        Ok(TokenEndpoint::new(oauth, client, self.shared.transport(), &*self.clock))
    }

    /// Tokens that meet the need, from the record or from the vendor.
    ///
    /// # Errors
    /// `ConnectionReauthRequired` when only the user can help, `Unauthorized` when fresh tokens were rejected,
    /// `ConnectionNotFound` when the connection is gone, `Unavailable` when a later try may help.
    pub(crate) async fn renew(&self, target: &Target, need: &Need) -> Result<Held> {
        let flight = self.flights.get_or_make(&target.auth, Arc::default).await;
        let _flight = flight.lock().await;
        let (mut waited, mut pause) = (Duration::ZERO, FIRST_PAUSE);
        loop {
            let held = self.read(target).await?;
            let now = self.now();
            if need.is_met(&held, now) {
                return Ok(held);
            }
            let parked = self.parked.get(&(target.auth.clone(), held.version)).await.is_some();
            if !parked && let Some(answer) = self.settled_without_vendor(target, need, &held, now).await {
                return answer;
            }
            if self.lock(target, held.version).await? {
                return self.refresh(target, need, held).await;
            }
            if need.can_wait(&held, now) {
                return Ok(held);
            }
            if waited >= WAIT_PATIENCE {
                return Err(self.later(target, "another process is renewing it", LEASE_SECS));
            }
            self.shared.sleeper().sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// The answer where the vendor need not, or must not, be asked.
    async fn settled_without_vendor(
        &self,
        target: &Target,
        need: &Need,
        held: &Held,
        now: i64,
    ) -> Option<Result<Held>> {
        let is_fresh = held.refreshed_at.is_some_and(|at| now - at < FRESH_SECS);
        if matches!(need, Need::Rejected(_)) && is_fresh {
            let mut error = target.error(ErrorKind::Unauthorized, target.reason());
            error.status = Some(401);
            return Some(Err(error));
        }
        if held.credentials.refresh_token.is_none() {
            if need.can_wait(held, now) || matches!(need, Need::Idle(_)) {
                return Some(Ok(held.clone()));
            }
            return Some(self.dead(target, need, held, "there is no refresh token").await);
        }
        let retry_at = held.retry_at.filter(|at| *at > now)?;
        if need.can_wait(held, now) {
            return Some(Ok(held.clone()));
        }
        Some(Err(self.later(target, "the last try failed", retry_at - now)))
    }

    /// Reads the tokens as they are now.
    async fn read(&self, target: &Target) -> Result<Held> {
        let auths = self.database.auths();
        let found = auths.get(&target.account, &target.connection, &target.auth).await;
        let Some((auth, secrets)) = found.map_err(|error| self.storage(target, &error))? else {
            return Err(target.error(ErrorKind::ConnectionNotFound, "The connection does not exist any more"));
        };
        if auth.status != AuthStatus::Active {
            return Err(target.sign_in_again());
        }
        let credentials = match secrets {
            StoredSecrets::Plain(plain) => plain,
            StoredSecrets::Sealed(sealed) => self
                .vault
                .open(&target.account, &target.connection, &sealed.bytes)
                .await
                .map_err(|error| self.locked(target, &error))?,
        };
        Ok(Held::new(&auth, credentials))
    }

    async fn lock(&self, target: &Target, version: u64) -> Result<bool> {
        let now = self.now();
        let owner = self.shared.random().hex(8);
        let auths = self.database.auths();
        let locked = auths.lock_refresh(
            &target.account,
            &target.connection,
            &target.auth,
            version,
            (&owner, now + LEASE_SECS),
            self.timestamp(),
        );
        locked.await.map_err(|error| self.storage(target, &error))
    }

    /// Asks the vendor, holding the lease.
    async fn refresh(&self, target: &Target, need: &Need, held: Held) -> Result<Held> {
        match self.ask(target, &held).await {
            Ok(grant) => self.store(target, need, &held, grant).await,
            Err(GrantError::Refused(reason)) => self.dead(target, need, &held, &reason).await,
            Err(GrantError::Client(reason)) => {
                tracing::error!(
                    platform = target.platform.slug,
                    reason,
                    "our OAuth client does not work"
                );
                self.clients.forget(&target.platform.slug).await;
                self.failed(target, need, held, &reason, None).await
            }
            Err(GrantError::Unavailable { reason, retry_after }) => {
                self.failed(target, need, held, &reason, retry_after).await
            }
        }
    }

    async fn ask(&self, target: &Target, held: &Held) -> std::result::Result<Arc<Grant>, GrantError> {
        if let Some(parked) = self.parked.get(&(target.auth.clone(), held.version)).await {
            return Ok(parked);
        }
        let refresh_token = held
            .credentials
            .refresh_token
            .as_ref()
            .ok_or_else(|| GrantError::Refused("there is no refresh token".to_owned()))?;
        let endpoint = self.endpoint(&target.platform).await?;
        endpoint.refresh(refresh_token).await.map(Arc::new)
    }

    /// Stores new tokens before anybody uses them, again and again until the table takes them. After the first failure
    /// they are kept in the recovery queue besides: this process may end before the table takes them.
    async fn store(&self, target: &Target, need: &Need, held: &Held, grant: Arc<Grant>) -> Result<Held> {
        let parking = (target.auth.clone(), held.version);
        let mut credentials = held.credentials.clone();
        credentials.access_token = Some(grant.access_token.clone());
        if let Some(token) = &grant.refresh_token {
            credentials.refresh_token = Some(token.clone());
        }
        let rotated = grant.refresh_token.is_some() && credentials.refresh_token != held.credentials.refresh_token;
        let mut to_keep = rotated;
        let (mut waited, mut pause) = (Duration::ZERO, FIRST_PAUSE);
        loop {
            match self.try_store(target, held.version, &credentials, &grant).await {
                Ok(true) => {
                    self.parked.forget(&parking).await;
                    return Ok(Held {
                        credentials,
                        version: held.version + 1,
                        expires_at: grant.expires_at,
                        refreshed_at: Some(self.now()),
                        retry_at: None,
                        attempts: 0,
                    });
                }
                Ok(false) => {
                    self.parked.forget(&parking).await;
                    return self.superseded(target, need, &grant).await;
                }
                Err(reason) if waited >= STORE_PATIENCE => {
                    tracing::error!(connection_id = %target.connection, reason, "renewed tokens could not be stored");
                    self.parked.insert(&parking, grant).await;
                    return Err(self.later(target, "it could not be stored", FIRST_COOL_DOWN_SECS));
                }
                Err(reason) => {
                    tracing::warn!(connection_id = %target.connection, reason, "renewed tokens could not be stored yet");
                }
            }
            if to_keep {
                to_keep = !self.keep(target, held.version, &credentials, &grant).await;
            }
            self.shared.sleeper().sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn seal(
        &self,
        target: &Target,
        credentials: &Credentials,
        grant: &Grant,
    ) -> std::result::Result<NewSecrets, String> {
        let sealed = self.vault.seal(&target.account, &target.connection, credentials).await;
        Ok(NewSecrets {
            sealed: sealed.map_err(|error| error.to_string())?,
            expires_at: grant.expires_at,
            scope: grant.scope.clone(),
            token_type: grant.token_type.clone(),
        })
    }

    async fn try_store(
        &self,
        target: &Target,
        version: u64,
        credentials: &Credentials,
        grant: &Grant,
    ) -> std::result::Result<bool, String> {
        let (account, connection) = (&target.account, &target.connection);
        let secrets = self.seal(target, credentials, grant).await?;
        let auths = self.database.auths();
        let stored = auths.store_refreshed(account, connection, &target.auth, secrets, version, self.timestamp());
        stored.await.map_err(|error| error.to_string())
    }

    /// Sends new tokens to the recovery queue; tells whether they are safe there.
    async fn keep(&self, target: &Target, version: u64, credentials: &Credentials, grant: &Grant) -> bool {
        let Some(queue) = &self.recovery else {
            return false;
        };
        let kept = async {
            let secrets = self.seal(target, credentials, grant).await?;
            let record = (&target.account, &target.connection, &target.auth);
            let message = KeptTokens::new(record, &target.platform.platform_id, version, secrets, self.timestamp());
            let body = serde_json::to_string(&message).map_err(|error| error.to_string())?;
            let sent = queue.send_later(body, KEPT_FOR).await;
            sent.map_err(|error| error.to_string())
        };
        match kept.await {
            Ok(()) => true,
            Err(reason) => {
                tracing::error!(connection_id = %target.connection, reason, "renewed tokens could not be kept");
                false
            }
        }
    }

    /// Stores kept tokens where the record still waits for them.
    pub(crate) async fn recover(&self, body: &str) -> std::result::Result<Recovered, RecoverError> {
        let kept: KeptTokens = serde_json::from_str(body).map_err(|_| RecoverError::Unreadable)?;
        let (account, connection, id) = (&kept.account_id, &kept.connection_id, &kept.auth_id);
        let auths = self.database.auths();
        for _ in 0..RECOVERY_TRIES {
            let Some((auth, _)) = auths.get(account, connection, id).await? else {
                self.give_back_kept(&kept).await?;
                return Ok(Recovered::NotNeeded);
            };
            let (secrets, version, now) = (kept.secrets()?, kept.version, self.timestamp());
            let stored = match auth.status {
                AuthStatus::Active if auth.version == version => {
                    let stored = auths.store_refreshed(account, connection, id, secrets, version, now);
                    stored.await?
                }
                // Another process came with the spent token meanwhile, and was refused.
                AuthStatus::ReauthRequired if auth.version == version + 1 => {
                    let revived = auths.revive_refreshed((account, connection, id), secrets, version, now);
                    let revived = revived.await?;
                    if revived {
                        self.unmark(account, connection).await?;
                    }
                    revived
                }
                _ => return Ok(Recovered::NotNeeded),
            };
            if stored {
                let (kept_at, connection_id) = (kept.kept_at, connection);
                tracing::info!(%connection_id, %kept_at, "tokens that had been kept were stored");
                return Ok(Recovered::Stored);
            }
        }
        Err(RecoverError::Busy)
    }

    /// Gives the tokens of a connection that is gone back to the vendor.
    async fn give_back_kept(&self, kept: &KeptTokens) -> std::result::Result<(), RecoverError> {
        let sealed = kept.secrets()?.sealed.bytes;
        let opened = self.vault.open(&kept.account_id, &kept.connection_id, &sealed).await;
        let platform = self.database.platforms().get(&kept.platform_id).await?;
        let (Ok(tokens), Some(platform)) = (opened, platform) else {
            return Ok(());
        };
        let (access, refresh) = (tokens.access_token.as_ref(), tokens.refresh_token.as_ref());
        self.give_back(&platform, access, refresh).await;
        Ok(())
    }

    /// A connection that was declared dead by mistake works, as far as is known.
    async fn unmark(&self, account: &AccountId, connection: &ConnectionId) -> std::result::Result<(), DatabaseError> {
        let connections = self.database.connections();
        let found = connections.get(account, connection).await?;
        if found.is_some_and(|found| found.status == ConnectionStatus::Error) {
            let now = self.timestamp();
            let works = ConnectionChange {
                last_connected: None,
                ..ConnectionChange::works(now)
            };
            connections.update(account, connection, works, now).await?;
        }
        Ok(())
    }

    /// The record changed while the vendor was asked: what it holds now counts. Tokens for a connection that is gone
    /// are given back.
    async fn superseded(&self, target: &Target, need: &Need, grant: &Grant) -> Result<Held> {
        match self.read(target).await {
            Ok(held) if need.is_met(&held, self.now()) => Ok(held),
            Ok(_) => Err(self.later(target, "it was changed at the same time", 1)),
            Err(error) => {
                if error.kind == ErrorKind::ConnectionNotFound {
                    let (access, refresh) = (Some(&grant.access_token), grant.refresh_token.as_ref());
                    self.give_back(&target.platform, access, refresh).await;
                }
                Err(error)
            }
        }
    }

    /// Gives tokens that nobody needs any more back to the vendor, as far as it takes them.
    async fn give_back(&self, platform: &Platform, access: Option<&Secret>, refresh: Option<&Secret>) {
        let given = async { self.endpoint(platform).await?.revoke(access, refresh).await };
        if let Err(error) = given.await {
            tracing::warn!(%error, "the tokens of a deleted connection could not be given back");
        }
    }

    /// The vendor refused the refresh token. Before the connection is declared dead the record is read once more:
    /// another process may have renewed, or the user signed in, just before.
    async fn dead(&self, target: &Target, need: &Need, held: &Held, reason: &str) -> Result<Held> {
        let current = self.read(target).await?;
        if current.version != held.version {
            return if need.is_met(&current, self.now()) {
                Ok(current)
            } else {
                Err(self.later(target, "it was changed at the same time", 1))
            };
        }
        let auths = self.database.auths();
        let (account, connection) = (&target.account, &target.connection);
        let recorded = auths
            .refresh_failed(
                account,
                connection,
                &target.auth,
                held.version,
                (reason, None),
                self.timestamp(),
            )
            .await
            .map_err(|error| self.storage(target, &error))?;
        if recorded {
            tracing::warn!(connection_id = %connection, reason, "a sign-in has ended");
            let (kind, text) = (ErrorKind::ConnectionReauthRequired, target.reason());
            if let Err(error) = self.mark((account, connection), kind, &text).await {
                tracing::warn!(%error, "a connection whose sign-in ended could not be marked");
            }
        }
        Err(target.sign_in_again())
    }

    /// Marks a connection that only the user can mend, unless it is switched off. Where it was not marked before, the
    /// user is told first: a process that dies in between tells it again, and the repeat is known as one.
    pub(crate) async fn mark(
        &self,
        (account, id): (&AccountId, &ConnectionId),
        kind: ErrorKind,
        message: &str,
    ) -> std::result::Result<(), DatabaseError> {
        let connections = self.database.connections();
        let found = connections.get(account, id).await?;
        let in_use = |status| matches!(status, ConnectionStatus::Active | ConnectionStatus::Error);
        let Some(connection) = found.filter(|connection| in_use(connection.status)) else {
            return Ok(());
        };
        if !connection.reauth_required {
            self.notice.sign_in_needed(&connection, message).await;
        }
        let now = self.timestamp();
        let change = ConnectionChange {
            status: Some(ConnectionStatus::Error),
            reauth_required: Some(true),
            last_error: Some(Some(ConnectionError {
                code: kind.code().to_owned(),
                message: message.to_owned(),
                at: now,
            })),
            ..ConnectionChange::default()
        };
        connections.update(account, id, change, now).await.map(drop)
    }

    /// The vendor could not be asked: nobody asks again for a while, and tokens that still live are used until then.
    async fn failed(
        &self,
        target: &Target,
        need: &Need,
        held: Held,
        reason: &str,
        retry_after: Option<Duration>,
    ) -> Result<Held> {
        let now = self.now();
        let asked = retry_after.map_or(0, |wait| i64::try_from(wait.as_secs()).unwrap_or(i64::MAX));
        let wait = cool_down(held.attempts).max(asked.min(LONGEST_COOL_DOWN_SECS));
        let auths = self.database.auths();
        let recorded = auths
            .refresh_failed(
                &target.account,
                &target.connection,
                &target.auth,
                held.version,
                (reason, Some(now + wait)),
                self.timestamp(),
            )
            .await;
        if let Err(error) = recorded {
            tracing::warn!(%error, "a failed refresh could not be recorded");
        }
        if need.can_wait(&held, now) {
            return Ok(held);
        }
        Err(self.later(target, "the vendor did not answer as it should", wait))
    }

    fn later(&self, target: &Target, why: &str, wait_secs: i64) -> ConnectorError {
        let message = format!(
            "The sign-in at {} could not be renewed: {why}. It is tried again shortly",
            target.platform.name
        );
        let mut error = target.error(ErrorKind::Unavailable, message);
        error.retry_after = Some(Duration::from_secs(wait_secs.max(1).unsigned_abs()));
        error
    }

    fn storage(&self, target: &Target, error: &DatabaseError) -> ConnectorError {
        tracing::warn!(%error, "the tokens of a connection could not be read or written");
        target.error(ErrorKind::Unavailable, "The connection could not be loaded")
    }

    fn locked(&self, target: &Target, error: &mfh_aws::VaultError) -> ConnectorError {
        let kind = match error {
            mfh_aws::VaultError::Unavailable(_) => ErrorKind::Unavailable,
            mfh_aws::VaultError::Unreadable => ErrorKind::ConnectionReauthRequired,
        };
        target.error(kind, error.to_string())
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp::now(&*self.clock)
    }

    /// Since when a rotating token must not have been renewed to count as idle.
    pub(crate) fn idle_since(&self) -> i64 {
        self.now() - KEEP_ALIVE_SECS
    }
}

/// Twice as long after each failure in a row.
fn cool_down(failures: u32) -> i64 {
    FIRST_COOL_DOWN_SECS
        .saturating_mul(1 << failures.min(10))
        .min(LONGEST_COOL_DOWN_SECS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(token: &str, expires_at: Option<i64>) -> Held {
        let mut credentials = Credentials::default();
        credentials.set("access_token", Secret::new(token));
        Held {
            credentials,
            version: 1,
            expires_at,
            refreshed_at: None,
            retry_at: None,
            attempts: 0,
        }
    }

    #[test]
    fn a_token_is_renewed_five_minutes_early_and_used_until_its_end() {
        for (left, soon, ended) in [
            (301, false, false),
            (300, true, false),
            (1, true, false),
            (0, true, true),
        ] {
            let held = held("t", Some(1_000 + left));
            assert_eq!((held.ends_soon(1_000), held.has_ended(1_000)), (soon, ended), "{left}");
            assert_eq!(Need::Soon.can_wait(&held, 1_000), !ended, "{left}");
        }
        let unknown = held("t", None);
        assert!(!unknown.ends_soon(1_000) && !unknown.has_ended(1_000));
        assert!(held("", Some(9_000)).ends_soon(1_000));
    }

    #[test]
    fn a_rejected_token_needs_another_one() {
        let need = Need::Rejected(Secret::new("old"));
        assert!(!need.is_met(&held("old", Some(9_000)), 1_000));
        assert!(need.is_met(&held("new", Some(9_000)), 1_000));
        assert!(!need.is_met(&held("new", Some(900)), 1_000));
        assert!(!need.can_wait(&held("old", Some(9_000)), 1_000));
    }

    #[test]
    fn failures_in_a_row_wait_longer_up_to_five_minutes() {
        let waits: Vec<i64> = [0, 1, 2, 5, 6, 60].into_iter().map(cool_down).collect();
        assert_eq!(waits, [5, 10, 20, 160, 300, 300]);
    }
}
