//! Renewing tokens so that one of any number of workers and processes asks the vendor, and all get what it got
//! (`pipeline` §7.4, `connectors` §4.3).
//!
//! The record of the credentials holds a version and a lease. Who gets the lease asks the vendor and stores the answer
//! on condition that the version is still the one it read; the others read the record until its version changes. So a
//! user who signs in again, or deletes the connection, meanwhile wins, and a process that dies leaves only a lease that
//! ends.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mfh_aws::{OAuthClientError, OAuthClients, Vault};
use mfh_database::{ConnectionChange, Database, DatabaseError, NewSecrets, StoredSecrets};
use mfh_types::{
    AccountId, AuthId, AuthStatus, Clock, ConnectionError, ConnectionId, ConnectionStatus, Credentials, OAuthConfig,
    Platform, PlatformConnection, PlatformConnectionAuth, Secret, Timestamp,
};
use moka::future::Cache;
use tokio::sync::Mutex;

use super::answer::{Grant, GrantError};
use super::endpoint::TokenEndpoint;
use crate::connector::Result;
use crate::error::{ConnectorError, ErrorKind};
use crate::registry::{Shared, known_slug};

/// A token is renewed when it ends within this time, in seconds.
const EARLY_SECS: i64 = 300;

/// How long one process may take for a refresh, in seconds: the call, and storing its answer.
const LEASE_SECS: i64 = 30;

/// How long to try to store what the vendor gave; with the time of the call this stays below the lease.
const STORE_PATIENCE: Duration = Duration::from_secs(15);

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

/// Told when a user has to sign in at a vendor again; once for each time that it happens.
#[async_trait]
pub trait SignInNotice: Send + Sync + fmt::Debug {
    /// `reason` is a sentence for the user.
    async fn sign_in_needed(&self, connection: &PlatformConnection, reason: &str);
}

/// Leaves the notice in the log, as the event `connection_issue`.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogNotice;

#[async_trait]
impl SignInNotice for LogNotice {
    async fn sign_in_needed(&self, connection: &PlatformConnection, reason: &str) {
        tracing::warn!(
            event = "connection_issue",
            account_id = %connection.account_id,
            connection_id = %connection.connection_id,
            reason,
            "a connection has to be signed in again"
        );
    }
}

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
#[derive(Debug)]
pub(crate) struct Refresher {
    database: Database,
    vault: Vault,
    clients: OAuthClients,
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    notice: Arc<dyn SignInNotice>,
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
        notice: Arc<dyn SignInNotice>,
    ) -> Self {
        Self {
            database,
            vault,
            clients,
            shared,
            clock,
            notice,
            flights: Cache::builder().time_to_idle(FLIGHT_IDLE).build(),
            parked: Cache::builder().max_capacity(1_000).build(),
        }
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
        let flight = self
            .flights
            .get_with(target.auth.clone(), async { Arc::default() })
            .await;
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

    /// Stores new tokens before anybody uses them, again and again until the table takes them.
    async fn store(&self, target: &Target, need: &Need, held: &Held, grant: Arc<Grant>) -> Result<Held> {
        let parking = (target.auth.clone(), held.version);
        let mut credentials = held.credentials.clone();
        credentials.access_token = Some(grant.access_token.clone());
        if let Some(token) = &grant.refresh_token {
            credentials.refresh_token = Some(token.clone());
        }
        let (mut waited, mut pause) = (Duration::ZERO, FIRST_PAUSE);
        loop {
            match self.try_store(target, held.version, &credentials, &grant).await {
                Ok(true) => {
                    self.parked.invalidate(&parking).await;
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
                    self.parked.invalidate(&parking).await;
                    return self.superseded(target, need, &grant).await;
                }
                Err(reason) if waited >= STORE_PATIENCE => {
                    tracing::error!(connection_id = %target.connection, reason, "renewed tokens could not be stored");
                    self.parked.insert(parking, grant).await;
                    return Err(self.later(target, "it could not be stored", FIRST_COOL_DOWN_SECS));
                }
                Err(reason) => {
                    tracing::warn!(connection_id = %target.connection, reason, "renewed tokens could not be stored yet");
                }
            }
            self.shared.sleeper().sleep(pause).await;
            waited += pause;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn try_store(
        &self,
        target: &Target,
        version: u64,
        credentials: &Credentials,
        grant: &Grant,
    ) -> std::result::Result<bool, String> {
        let (account, connection) = (&target.account, &target.connection);
        let sealed = self.vault.seal(account, connection, credentials).await;
        let secrets = NewSecrets {
            sealed: sealed.map_err(|error| error.to_string())?,
            expires_at: grant.expires_at,
            scope: grant.scope.clone(),
            token_type: grant.token_type.clone(),
        };
        let auths = self.database.auths();
        let stored = auths.store_refreshed(account, connection, &target.auth, secrets, version, self.timestamp());
        stored.await.map_err(|error| error.to_string())
    }

    /// The record changed while the vendor was asked: what it holds now counts. Tokens for a connection that is gone
    /// are given back.
    async fn superseded(&self, target: &Target, need: &Need, grant: &Grant) -> Result<Held> {
        match self.read(target).await {
            Ok(held) if need.is_met(&held, self.now()) => Ok(held),
            Ok(_) => Err(self.later(target, "it was changed at the same time", 1)),
            Err(error) => {
                if error.kind == ErrorKind::ConnectionNotFound
                    && let Err(error) = self.give_back(target, grant).await
                {
                    tracing::warn!(%error, "the tokens of a deleted connection could not be given back");
                }
                Err(error)
            }
        }
    }

    async fn give_back(&self, target: &Target, grant: &Grant) -> std::result::Result<(), GrantError> {
        let endpoint = self.endpoint(&target.platform).await?;
        let (access, refresh) = (Some(&grant.access_token), grant.refresh_token.as_ref());
        endpoint.revoke(access, refresh).await
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
            self.mark_dead(target).await;
        }
        Err(target.sign_in_again())
    }

    async fn mark_dead(&self, target: &Target) {
        let now = self.timestamp();
        let change = ConnectionChange {
            status: Some(ConnectionStatus::Error),
            reauth_required: Some(true),
            last_error: Some(Some(ConnectionError {
                code: ErrorKind::ConnectionReauthRequired.code().to_owned(),
                message: target.reason(),
                at: now,
            })),
            ..ConnectionChange::default()
        };
        let connections = self.database.connections();
        match connections
            .update(&target.account, &target.connection, change, now)
            .await
        {
            Ok(Some(connection)) => self.notice.sign_in_needed(&connection, &target.reason()).await,
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "a connection whose sign-in ended could not be marked"),
        }
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
