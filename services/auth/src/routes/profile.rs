//! `GET /auth/status`, `PUT /auth/profile` and `PATCH /auth/onboarding-complete`.

use axum::extract::State;
use futures::future::try_join_all;
use mfh_database::ProfileChange;
use mfh_http::{
    ApiError, Core, Envelope, ErrorBody, ErrorCode, FieldFault, Json, Member, Reply, SignedIn, account, check, ok,
};
use mfh_types::{AccountId, Permissions, Role, Timestamp, User, UserAccount, UserId, UserStatus};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::AuthState;
use crate::session::AccountView;

/// The account that requests act on, and what the user may do there.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccountContext {
    account_id: AccountId,
    role: Role,
    permissions: Permissions,
}

/// An account that the user can switch to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AvailableAccount {
    account_id: AccountId,
    account_name: String,
    role: Role,
    permissions: Permissions,
    is_current: bool,
}

/// The signed-in user: flat, and again as `user` and `account` (U3).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Status {
    user_id: UserId,
    email: String,
    name: String,
    status: UserStatus,
    current_account_id: Option<AccountId>,
    onboarding_complete: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
    account_context: Option<AccountContext>,
    available_accounts: Vec<AvailableAccount>,
    user: User,
    account: Option<AccountView>,
}

/// Tells who is signed in, in which account and with which permissions; works without an account too.
#[utoipa::path(
    get,
    path = "/auth/status",
    tag = "auth",
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<Status>),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn status(
    State(state): State<AuthState>,
    SignedIn { mut user, .. }: SignedIn,
) -> Result<Reply<Status>, ApiError> {
    let core = &state.core;
    let standing = account::standing(core, &user).await?;
    user.current_account_id = standing.as_ref().map(|standing| standing.account.account_id.clone());
    let available_accounts = available(core, &user).await?;
    let account_context = standing.as_ref().map(|standing| AccountContext {
        account_id: standing.account.account_id.clone(),
        role: standing.membership.role,
        permissions: standing.membership.permissions(),
    });
    let now = Timestamp::now(&*core.clock);
    let status = Status {
        user_id: user.user_id.clone(),
        email: user.email.clone(),
        name: user.name.clone(),
        status: user.status,
        current_account_id: user.current_account_id.clone(),
        onboarding_complete: user.onboarding_complete,
        created_at: user.created_at,
        updated_at: user.updated_at,
        account_context,
        available_accounts,
        account: standing.map(|standing| AccountView::of(standing.account, now)),
        user,
    };
    Ok(ok("Signed in", status))
}

/// The accounts of the user's active memberships, the current one first.
async fn available(core: &Core, user: &User) -> Result<Vec<AvailableAccount>, ApiError> {
    let mut memberships = core.database.user_accounts().of_user(&user.user_id).await?;
    memberships.retain(|membership| membership.status.is_active());
    let is_current = |membership: &UserAccount| user.current_account_id.as_ref() == Some(&membership.account_id);
    memberships.sort_by_key(|membership| !is_current(membership));
    let accounts = core.database.accounts();
    let found = try_join_all(memberships.iter().map(|m| accounts.get(&m.account_id))).await?;
    let known = memberships.iter().zip(found);
    Ok(known
        .filter_map(|(membership, account)| {
            Some(AvailableAccount {
                account_id: membership.account_id.clone(),
                account_name: account?.name,
                role: membership.role,
                permissions: membership.permissions(),
                is_current: is_current(membership),
            })
        })
        .collect())
}

/// A change of the profile; absent keys stay as they are.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ProfileRequest {
    /// Display name.
    #[serde(default)]
    name: Option<String>,
    /// A new e-mail address; it waits as `pending_email` until it is confirmed.
    #[serde(default)]
    email: Option<String>,
    /// International phone number; `null` clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    phone_number: Option<Option<String>>,
    /// Company; `null` clears it.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<String>)]
    company: Option<Option<String>>,
}

/// Tells an explicit `null` from an absent key.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

impl ProfileRequest {
    /// The change for this user, with every fault named at once.
    fn checked(self, user: &User) -> Result<ProfileChange, ApiError> {
        let mut faults: Vec<FieldFault> = Vec::new();
        let mut keep = |checked: Result<String, FieldFault>| match checked {
            Ok(text) => Some(text),
            Err(fault) => {
                faults.push(fault);
                None
            }
        };
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let email = given(self.email).and_then(|text| keep(check::email("email", &text)));
        let name = given(self.name).and_then(|text| keep(check::text("name", &text, 100)));
        let phone_number = self
            .phone_number
            .map(|number| given(number).and_then(|text| keep(check::phone_number("phone_number", &text))));
        let company = self
            .company
            .map(|company| given(company).and_then(|text| keep(check::text("company", &text, 200))));
        if !faults.is_empty() {
            return Err(ApiError::invalid(faults));
        }
        if (&email, &name, &phone_number, &company) == (&None, &None, &None, &None) {
            return Err(ApiError::bad_request(
                "Nothing to change: send name, email, phone_number or company",
            ));
        }
        Ok(ProfileChange {
            name,
            email: None,
            phone_number,
            company,
            pending_email: email.filter(|email| !email.eq_ignore_ascii_case(&user.email)).map(Some),
        })
    }
}

/// The profile after a change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Profile {
    user_id: UserId,
    name: String,
    email: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<String>,
    /// An address that is not confirmed yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_email: Option<String>,
    updated_at: Timestamp,
}

impl From<User> for Profile {
    fn from(user: User) -> Self {
        Self {
            user_id: user.user_id,
            name: user.name,
            email: user.email,
            phone_number: user.phone_number,
            company: user.company,
            pending_email: user.pending_email,
            updated_at: user.updated_at,
        }
    }
}

/// Changes the profile; the e-mail address in use stays until a new one is confirmed (S10).
#[utoipa::path(
    put,
    path = "/auth/profile",
    tag = "auth",
    security(("bearer" = [])),
    request_body = ProfileRequest,
    responses(
        (status = 200, body = Envelope<Profile>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 409, description = "The e-mail address is taken", body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn update(
    State(state): State<AuthState>,
    member: Member,
    Json(request): Json<ProfileRequest>,
) -> Result<Reply<Profile>, ApiError> {
    let change = request.checked(&member.user)?;
    if let Some(Some(email)) = &change.pending_email {
        require_free(&state, email).await?;
    }
    let now = Timestamp::now(&*state.core.clock);
    let message = if change.pending_email.is_some() {
        "Profile saved; the e-mail address in use stays until the new one is confirmed"
    } else {
        "Profile saved"
    };
    let users = state.core.database.users();
    let user = users
        .set_profile(member.user_id(), change, now)
        .await?
        .ok_or_else(|| ApiError::not_found("User not found; register first"))?;
    Ok(ok(message, user.into()))
}

async fn require_free(state: &AuthState, email: &str) -> Result<(), ApiError> {
    let stored = state.core.database.users().by_email(email).await?;
    if stored.is_some() || state.pool.find(email).await?.is_some() {
        return Err(ApiError::conflict(
            ErrorCode::EmailExists,
            "This e-mail address belongs to another user; choose a different one",
        ));
    }
    Ok(())
}

/// The flag that ends the first steps.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Onboarding {
    onboarding_complete: bool,
}

/// Marks the first steps of the web app as done.
#[utoipa::path(
    patch,
    path = "/auth/onboarding-complete",
    tag = "auth",
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<Onboarding>),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn complete_onboarding(
    State(state): State<AuthState>,
    member: Member,
) -> Result<Reply<Onboarding>, ApiError> {
    let now = Timestamp::now(&*state.core.clock);
    let users = state.core.database.users();
    users.set_onboarding_complete(member.user_id(), now).await?;
    let onboarding_complete = true;
    Ok(ok("Onboarding complete", Onboarding { onboarding_complete }))
}

/// The same for clients that cannot send PATCH (C4).
#[utoipa::path(
    post,
    path = "/auth/onboarding-complete",
    tag = "auth",
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<Onboarding>),
        (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn complete_onboarding_by_post(
    state: State<AuthState>,
    member: Member,
) -> Result<Reply<Onboarding>, ApiError> {
    complete_onboarding(state, member).await
}
