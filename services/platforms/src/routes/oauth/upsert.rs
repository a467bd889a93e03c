//! Which connection a sign-in belongs to: the one of the same account at the vendor, or a new one.

use chrono::DateTime;
use mfh_connectors::oauth::{Grant, Identity};
use mfh_database::{Connecting, ConnectionChange, NewConnection, NewSecrets};
use mfh_http::ErrorCode;
use mfh_types::{Account, AuthType, ConnectionId, Credentials, OAuthState, Platform, PlatformConnection, Timestamp};

use super::Refusal;
use crate::State;
use crate::records::{self, Maker};
use crate::routes::connections::of_account;

/// Tries against others that write at the same time.
const TRIES: usize = 5;

/// Names tried for a new connection.
const NAMES: usize = 100;

/// A sign-in that the vendor has granted.
pub(super) struct SignIn<'a> {
    pub started: &'a OAuthState,
    pub account: &'a Account,
    pub platform: &'a Platform,
    pub grant: &'a Grant,
    pub identity: &'a Identity,
}

impl SignIn<'_> {
    fn is_of(&self, connection: &PlatformConnection) -> bool {
        self.identity.user_id.is_some()
            && connection.external_user_id == self.identity.user_id
            && connection.external_app_id == self.identity.app_id
    }

    /// Whether it may renew this connection: nothing is known of its account at the vendor, or it is the same account
    /// there, perhaps by another person.
    fn may_renew(&self, connection: &PlatformConnection) -> bool {
        match (&connection.external_app_id, &connection.external_user_id) {
            (None, None) => true,
            (Some(app), _) => self.identity.app_id.as_ref() == Some(app),
            (None, Some(user)) => self.identity.user_id.as_ref() == Some(user),
        }
    }

    /// When the access ends; never, where it can be renewed.
    fn ends_at(&self, has_refresh_token: bool) -> Option<Timestamp> {
        let at = self.grant.expires_at.filter(|_| !has_refresh_token)?;
        DateTime::from_timestamp(at, 0).map(Timestamp)
    }
}

/// Stores the sign-in; the connection that it belongs to.
pub(super) async fn upsert(state: &State, sign_in: &SignIn<'_>) -> Result<ConnectionId, Refusal> {
    for _ in 0..TRIES {
        let connections = of_account(state, &sign_in.account.account_id).await;
        let mut connections = connections.map_err(|error| Refusal::unavailable(&format!("{error:?}")))?;
        connections.retain(|connection| {
            connection.platform_id == sign_in.platform.platform_id && connection.auth_type == AuthType::OAuth2
        });
        let stored = match existing(sign_in, &connections)? {
            Some(connection) => renew(state, sign_in, connection).await?,
            None => create(state, sign_in, &connections).await?,
        };
        if let Some(id) = stored {
            return Ok(id);
        }
    }
    Err(Refusal::conflict(
        "The connection was changed at the same time. Start the sign-in again",
    ))
}

/// The connection that is to be renewed, if any.
fn existing<'c>(
    sign_in: &SignIn<'_>,
    connections: &'c [PlatformConnection],
) -> Result<Option<&'c PlatformConnection>, Refusal> {
    let same = connections.iter().find(|connection| sign_in.is_of(connection));
    let Some(wanted) = &sign_in.started.connection_id else {
        return Ok(same);
    };
    let found = connections
        .iter()
        .find(|connection| connection.connection_id == *wanted);
    let found = found.ok_or_else(|| Refusal::conflict("The connection was deleted meanwhile. Make a new one"))?;
    if let Some(other) = same.filter(|other| other.connection_id != *wanted) {
        return Err(Refusal::conflict(format!(
            "You signed in to the account of another connection, \"{}\". Sign in to the account of this one",
            other.name
        )));
    }
    if sign_in.may_renew(found) {
        Ok(Some(found))
    } else {
        Err(Refusal::conflict(format!(
            "You signed in to another account at {} than the one of this connection. Start again and choose that one",
            sign_in.platform.name
        )))
    }
}

/// Puts the tokens into a connection; `None` when it changed at the same time.
async fn renew(
    state: &State,
    sign_in: &SignIn<'_>,
    connection: &PlatformConnection,
) -> Result<Option<ConnectionId>, Refusal> {
    let (grant, identity) = (sign_in.grant, sign_in.identity);
    let keep = sign_in.is_of(connection) || connection.external_user_id.is_none();
    let sealed = state.loader.with_grant(connection, grant, keep).await;
    let (auth, sealed) = sealed.map_err(|error| Refusal::unavailable(&error))?;
    let secrets = NewSecrets {
        sealed,
        expires_at: grant.expires_at,
        scope: grant.scope.clone(),
        token_type: grant.token_type.clone(),
    };
    let told = |value: &Option<String>| value.clone().map(Some);
    let mut metadata = connection.credentials_metadata.clone().unwrap_or_default();
    metadata.extend(identity.metadata.clone());
    let change = ConnectionChange {
        external_user_id: told(&identity.user_id),
        external_user_email: told(&identity.email),
        external_app_id: told(&identity.app_id),
        external_app_name: told(&identity.app_name),
        credentials_metadata: Some(Some(metadata).filter(|metadata| !metadata.is_empty())),
        expires_at: Some(sign_in.ends_at(grant.refresh_token.is_some())),
        ..ConnectionChange::default()
    };
    let now = Timestamp::now(&*state.core.clock);
    let connections = state.core.database.connections();
    let replaced = connections
        .replace_credentials(connection, &auth.auth_id, secrets, auth.version, change, now)
        .await?;
    Ok(replaced.then(|| connection.connection_id.clone()))
}

/// Makes a connection; `None` when another sign-in to the same account made one at the same time.
async fn create(
    state: &State,
    sign_in: &SignIn<'_>,
    others: &[PlatformConnection],
) -> Result<Option<ConnectionId>, Refusal> {
    let (core, grant, identity) = (&state.core, sign_in.grant, sign_in.identity);
    let account = &sign_in.account.account_id;
    let id = ConnectionId::generate(&*core.clock, &*core.random);
    let credentials = Credentials {
        access_token: Some(grant.access_token.clone()),
        refresh_token: grant.refresh_token.clone(),
        ..Credentials::default()
    };
    let sealed = state.loader.seal(account, &id, &credentials).await;
    let sealed = sealed.map_err(|error| Refusal::unavailable(&error))?;
    let maker = Maker {
        account,
        user: &sign_in.started.user_id,
    };
    let mut auth = records::auth(core, maker, sign_in.platform, &id, AuthType::OAuth2);
    auth.expires_at = grant.expires_at;
    auth.scope.clone_from(&grant.scope);
    auth.token_type.clone_from(&grant.token_type);
    let connection = PlatformConnection {
        external_user_id: identity.user_id.clone(),
        external_user_email: identity.email.clone(),
        external_app_id: identity.app_id.clone(),
        external_app_name: identity.app_name.clone(),
        credentials_metadata: Some(identity.metadata.clone()).filter(|metadata| !metadata.is_empty()),
        expires_at: sign_in.ends_at(grant.refresh_token.is_some()),
        ..records::connection(core, &auth, String::new())
    };
    for name in names(sign_in) {
        if others
            .iter()
            .any(|other| other.name.to_lowercase() == name.to_lowercase())
        {
            continue;
        }
        let new = NewConnection {
            connection: PlatformConnection {
                name,
                ..connection.clone()
            },
            auth: auth.clone(),
            sealed: sealed.clone(),
        };
        let limit = sign_in.account.settings.max_connections;
        match core.database.connections().create(new, limit).await? {
            Connecting::Created => return Ok(Some(id)),
            Connecting::LimitReached { .. } => return Err(limit_reached(sign_in)),
            Connecting::Taken => {
                // By a name that the list did not show yet, or by a sign-in to the same account at the vendor.
                let now_there = of_account(state, account).await;
                let now_there = now_there.map_err(|error| Refusal::unavailable(&format!("{error:?}")))?;
                if now_there
                    .iter()
                    .any(|other| other.platform_id == sign_in.platform.platform_id && sign_in.is_of(other))
                {
                    return Ok(None);
                }
            }
        }
    }
    Ok(None)
}

/// The wanted name, then the same with numbers.
fn names(sign_in: &SignIn<'_>) -> impl Iterator<Item = String> {
    let wanted = sign_in.started.name.clone();
    let first = wanted.unwrap_or_else(|| format!("{} Connection", sign_in.platform.name));
    let more = first.clone();
    std::iter::once(first).chain((2..NAMES).map(move |n| format!("{more} {n}")))
}

fn limit_reached(sign_in: &SignIn<'_>) -> Refusal {
    let plan = sign_in.account.plan.label();
    let limit = sign_in.account.settings.max_connections;
    Refusal::new(
        http::StatusCode::FORBIDDEN,
        ErrorCode::PlanLimitReached,
        format!("Your {plan} plan allows {limit} connections. Upgrade to add more."),
    )
}
