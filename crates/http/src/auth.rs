//! Who calls, and what they may do: extractors that state a route's policy (`api-identity` §1.5, §1.6, S11, S12, D8).

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::{FromRef, FromRequestParts};
use http::StatusCode;
use http::request::Parts;
use mfh_types::{
    Account, AccountId, ApiKeyId, ApiKeyPermission, Permission, Permissions, Role, Secret, Timestamp, User,
    UserAccount, UserId, UserStatus,
};

use crate::account::standing;
use crate::client::gateway_context;
use crate::{ApiError, BearerToken, Core, ErrorCode};

/// A signed-in user, with or without an account.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The user.
    pub user: User,
    /// The access token as it was sent, for calls that the pool wants it for.
    pub token: Option<Secret>,
}

impl SignedIn {
    async fn load(parts: &Parts, core: &Core) -> Result<Self, ApiError> {
        let token = BearerToken::of(&parts.headers).0;
        let subject = match gateway_subject(parts)? {
            Some(subject) => subject,
            None => {
                let token = token.as_ref().ok_or_else(ApiError::unauthenticated)?;
                core.verifier.verify(token).await?.sub
            }
        };
        let user_id = UserId::parse(&subject).map_err(|_| ApiError::unauthenticated())?;
        let user = core.database.users().get(&user_id).await?;
        let user = user.ok_or_else(|| ApiError::forbidden("User not found; register first"))?;
        if user.status == UserStatus::Disabled {
            return Err(ApiError::forbidden("This user is disabled; contact support"));
        }
        Ok(Self { user, token })
    }
}

/// The subject that API Gateway's JWT authorizer has verified, which only leaves the kind of token to check.
fn gateway_subject(parts: &Parts) -> Result<Option<String>, ApiError> {
    let claims = gateway_context(&parts.extensions)
        .and_then(|context| context.authorizer.as_ref())
        .and_then(|authorizer| authorizer.jwt.as_ref())
        .map(|jwt| &jwt.claims);
    let Some(claims) = claims else {
        return Ok(None);
    };
    let is_access = claims.get("token_use").is_some_and(|kind| kind == "access");
    match claims.get("sub") {
        Some(subject) if is_access => Ok(Some(subject.clone())),
        _ => Err(ApiError::unauthenticated().detail("not an access token")),
    }
}

impl<S> FromRequestParts<S> for SignedIn
where
    S: Send + Sync,
    Arc<Core>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Self::load(parts, &Arc::<Core>::from_ref(state)).await
    }
}

/// A signed-in user acting in an account that works.
#[derive(Debug, Clone)]
pub struct Member {
    /// The user.
    pub user: User,
    /// The user's place in the account.
    pub membership: UserAccount,
    /// The account.
    pub account: Account,
    /// The access token as it was sent.
    pub token: Option<Secret>,
}

impl Member {
    /// The user's id.
    pub fn user_id(&self) -> &UserId {
        &self.user.user_id
    }

    /// The account that the request acts on.
    pub fn account_id(&self) -> &AccountId {
        &self.account.account_id
    }

    /// The user's role in the account.
    pub fn role(&self) -> Role {
        self.membership.role
    }

    /// What the user may do in the account.
    pub fn permissions(&self) -> Permissions {
        self.membership.permissions()
    }

    /// Refuses a member without this permission.
    ///
    /// # Errors
    /// 403.
    pub fn require(&self, permission: Permission) -> Result<(), ApiError> {
        if self.permissions().allows(permission) {
            Ok(())
        } else {
            Err(ApiError::forbidden("Permission denied: ask an admin of the account"))
        }
    }
}

impl<S> FromRequestParts<S> for Member
where
    S: Send + Sync,
    Arc<Core>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let core = Arc::<Core>::from_ref(state);
        let SignedIn { user, token } = SignedIn::load(parts, &core).await?;
        let standing = standing(&core, &user).await?.ok_or_else(|| {
            ApiError::new(
                StatusCode::FORBIDDEN,
                ErrorCode::NoAccount,
                "You do not belong to an account; ask to be invited",
            )
        })?;
        standing.require_working()?;
        Ok(Self {
            user,
            membership: standing.membership,
            account: standing.account,
            token,
        })
    }
}

/// A permission as a type, for [`May`].
pub trait Requirement: Send + Sync + 'static {
    /// The permission.
    const PERMISSION: Permission;
}

macro_rules! requirements {
    ($($name:ident),* $(,)?) => {$(
        #[doc = concat!("The permission `", stringify!($name), "` as a type.")]
        #[derive(Debug, Clone, Copy)]
        pub enum $name {}

        impl Requirement for $name {
            const PERMISSION: Permission = Permission::$name;
        }
    )*};
}

requirements!(
    ManageHelpers,
    ExecuteHelpers,
    ManageConnections,
    ManageTeam,
    ManageBilling,
    ViewAnalytics,
    ManageApiKeys,
);

/// A member who has the permission `P`; use it like a [`Member`].
#[derive(Debug, Clone)]
pub struct May<P> {
    member: Member,
    permission: PhantomData<P>,
}

impl<P> Deref for May<P> {
    type Target = Member;

    fn deref(&self) -> &Member {
        &self.member
    }
}

impl<S, P> FromRequestParts<S> for May<P>
where
    P: Requirement,
    S: Send + Sync,
    Arc<Core>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let member = Member::from_request_parts(parts, state).await?;
        member.require(P::PERMISSION)?;
        Ok(Self {
            member,
            permission: PhantomData,
        })
    }
}

/// The holder of an API key of an account that works.
#[derive(Debug, Clone)]
pub struct KeyHolder {
    /// The account of the key.
    pub account_id: AccountId,
    /// The record of the key.
    pub key_id: ApiKeyId,
    /// What the key may do.
    pub permissions: Vec<ApiKeyPermission>,
    /// The account, where it was read to authenticate the key.
    account: Option<Account>,
}

impl KeyHolder {
    /// Refuses a key without this permission.
    ///
    /// # Errors
    /// 403.
    pub fn require(&self, permission: ApiKeyPermission) -> Result<(), ApiError> {
        if self.permissions.contains(&permission) {
            Ok(())
        } else {
            Err(ApiError::forbidden(
                "This API key may not do that; create one with the permission",
            ))
        }
    }

    /// Authenticates a presented key: it exists, is neither revoked nor expired, and its account works.
    ///
    /// # Errors
    /// 401 for a key that does not count, 503 when the tables cannot be read.
    pub async fn authenticate(core: &Core, presented: &str) -> Result<Self, ApiError> {
        let now = Timestamp::now(&*core.clock);
        let (key, account) = core
            .database
            .api_keys()
            .identify(presented, now)
            .await?
            .map_err(|reason| {
                tracing::info!(%reason, "an API key was refused");
                ApiError::new(
                    StatusCode::UNAUTHORIZED,
                    ErrorCode::Unauthenticated,
                    "The API key is not valid; send an active key in the x-api-key header",
                )
            })?;
        Ok(Self {
            account_id: key.account_id,
            key_id: key.key_id,
            permissions: key.permissions,
            account: Some(account),
        })
    }

    /// The account of the key, as it was when the key was authenticated, or as it is now.
    ///
    /// # Errors
    /// 403 when it is gone, 503 when the table cannot be read.
    pub async fn account(&self, core: &Core) -> Result<Account, ApiError> {
        let account = match &self.account {
            Some(account) => Some(account.clone()),
            None => core.database.accounts().get(&self.account_id).await?,
        };
        account.ok_or_else(|| ApiError::forbidden("Account is not active"))
    }

    /// What the API-key authorizer at the gateway has found out.
    fn from_gateway(parts: &Parts) -> Option<Self> {
        let fields = &gateway_context(&parts.extensions)?.authorizer.as_ref()?.fields;
        let text = |name: &str| fields.get(name)?.as_str();
        let names = text("permissions").unwrap_or_default();
        Some(Self {
            account_id: AccountId::parse(text("accountId")?).ok()?,
            key_id: ApiKeyId::parse(text("apiKeyId")?).ok()?,
            // A permission of a later version that is unknown here permits nothing.
            permissions: names
                .split(',')
                .filter_map(|name| serde_json::from_value(name.trim().into()).ok())
                .collect(),
            account: None,
        })
    }
}

impl<S> FromRequestParts<S> for KeyHolder
where
    S: Send + Sync,
    Arc<Core>: FromRef<S>,
{
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        if let Some(holder) = Self::from_gateway(parts) {
            return Ok(holder);
        }
        let presented = parts
            .headers
            .get("x-api-key")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        Self::authenticate(&Arc::<Core>::from_ref(state), presented).await
    }
}
