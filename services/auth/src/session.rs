//! What a client gets when a sign-in succeeds, and what happens before.

use http::StatusCode;
use mfh_http::{ApiError, ErrorCode, account, subject_of_issued_token};
use mfh_types::{
    Account, AccountId, AccountSettings, AccountStatus, AccountUsage, Plan, Timestamp, UsagePeriod, User, UserId,
    UserStatus,
};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::AuthState;
use crate::pool::{Challenge, ChallengeKind, PoolFault, SignIn, Tokens};
use crate::profile::{Person, open_account, user_id};

/// Tokens of the user pool.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenView {
    /// The access token, for `Authorization: Bearer`.
    token: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// Seconds until the access token ends.
    expires_in: i32,
    /// The refresh token; absent where the one in use stays valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
}

impl From<&Tokens> for TokenView {
    fn from(tokens: &Tokens) -> Self {
        Self {
            token: tokens.access.expose().to_owned(),
            token_type: "Bearer",
            expires_in: tokens.expires_in_secs,
            refresh_token: tokens.refresh.as_ref().map(|token| token.expose().to_owned()),
        }
    }
}

/// A session: tokens, the user and the account that requests act on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Session {
    #[serde(flatten)]
    tokens: TokenView,
    user: User,
    account: Option<AccountView>,
}

/// An account as its members see it, without what belongs to billing (S5).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountView {
    account_id: AccountId,
    owner_user_id: UserId,
    created_by_user_id: UserId,
    name: String,
    company: String,
    plan: Plan,
    status: AccountStatus,
    settings: AccountSettings,
    usage: AccountUsage,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl AccountView {
    /// The account at this time; a counter of an older month shows 0 (D6).
    pub(crate) fn of(account: Account, now: Timestamp) -> Self {
        let monthly_executions = account.executions_in(UsagePeriod::of(now.0));
        Self {
            account_id: account.account_id,
            owner_user_id: account.owner_user_id,
            created_by_user_id: account.created_by_user_id,
            name: account.name,
            company: account.company,
            plan: account.plan,
            status: account.status,
            settings: account.settings,
            usage: AccountUsage {
                monthly_executions,
                ..account.usage
            },
            created_at: account.created_at,
            updated_at: account.updated_at,
        }
    }
}

/// Wrong e-mail address, password or code; which of them is not said.
pub(crate) fn wrong_credentials(message: &'static str) -> ApiError {
    ApiError::new(StatusCode::UNAUTHORIZED, ErrorCode::InvalidCredentials, message)
}

/// Follows a sign-in to its end: a session, or the next step that the client has to take.
pub(crate) async fn follow(state: &AuthState, step: SignIn) -> Result<Session, ApiError> {
    match step {
        SignIn::Tokens(tokens) => begin(state, &tokens).await,
        SignIn::Challenge(challenge) => Err(challenged(&challenge)),
        SignIn::Unsupported(name) => {
            Err(ApiError::bad_request("This user's second factor is not supported; contact support").detail(name))
        }
    }
}

/// The 409 that tells a client the next step (C2, C3).
fn challenged(challenge: &Challenge) -> ApiError {
    let session = challenge.encode();
    let method = match challenge.kind {
        ChallengeKind::NewPasswordRequired => {
            return ApiError::conflict(ErrorCode::NewPasswordRequired, "Choose a new password to sign in")
                .data(json!({ "session": session }));
        }
        ChallengeKind::SmsMfa => "SMS_MFA",
        ChallengeKind::SoftwareTokenMfa => "SOFTWARE_TOKEN_MFA",
    };
    ApiError::conflict(
        ErrorCode::MfaRequired,
        "Enter the code of your second factor to sign in",
    )
    .data(json!({ "session": session, "method": method }))
}

/// Loads what the session shows, and repairs a user whose records are missing (D3).
async fn begin(state: &AuthState, tokens: &Tokens) -> Result<Session, ApiError> {
    let core = &state.core;
    let subject = subject_of_issued_token(&tokens.access)
        .ok_or_else(|| ApiError::unavailable("the user pool gave an unreadable token"))?;
    let users = core.database.users();
    let user_id = user_id(&subject)?;
    let user = match users.get(&user_id).await? {
        Some(user) => user,
        None => restore(state, &subject).await?,
    };
    if user.status == UserStatus::Disabled {
        return Err(ApiError::forbidden("This user is disabled; contact support"));
    }
    let now = Timestamp::now(&*core.clock);
    let mut user = users.record_login(&user.user_id, now).await?.unwrap_or(user);
    let standing = account::standing(core, &user).await?;
    user.current_account_id = standing.as_ref().map(|standing| standing.account.account_id.clone());
    Ok(Session {
        tokens: tokens.into(),
        user,
        account: standing.map(|standing| AccountView::of(standing.account, now)),
    })
}

/// Makes the missing records of a user from what the pool knows.
async fn restore(state: &AuthState, subject: &str) -> Result<User, ApiError> {
    let known = state.pool.find(subject).await?;
    let known = known.ok_or_else(|| ApiError::unavailable("a signed-in user is not in the pool"))?;
    let email = known
        .attribute("email")
        .ok_or_else(|| ApiError::unavailable("a user of the pool has no e-mail address"))?
        .to_lowercase();
    let person = Person {
        name: known.attribute("name").unwrap_or(&email).to_owned(),
        phone_number: known.attribute("phone_number").map(str::to_owned),
        company: None,
        email,
    };
    tracing::warn!("the records of a user were missing and are made again");
    open_account(&state.core, subject, person).await
}

impl PoolFault {
    /// The answer to a sign-in: wrong values are the user's fault, anything else must not end a session (C5).
    pub(crate) fn at_sign_in(self, wrong: &'static str) -> ApiError {
        match self {
            Self::NotAuthorized | Self::UserMissing | Self::WrongCode => wrong_credentials(wrong),
            other => other.into(),
        }
    }
}
