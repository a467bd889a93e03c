//! `PUT /auth/password`, `POST /auth/forgot-password` and `POST /auth/reset-password`.

use axum::extract::State;
use http::StatusCode;
use mfh_http::{ApiError, Envelope, ErrorBody, Json, NoData, Reply, SignedIn, account, check, done};
use mfh_types::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::AuthState;
use crate::limits::throttle;
use crate::pool::{PoolFault, SignIn};
use crate::session::{TokenView, wrong_credentials};

/// A change of the password.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PasswordChange {
    /// The password in use.
    #[schema(value_type = String)]
    current_password: Secret,
    /// At least 8 characters with an upper-case letter, a lower-case letter and a digit.
    #[schema(value_type = String)]
    new_password: Secret,
}

/// Changes the password and signs out all other sessions; the tokens in the answer replace those in use.
#[utoipa::path(
    put,
    path = "/auth/password",
    tag = "auth",
    security(("bearer" = [])),
    request_body = PasswordChange,
    responses(
        (status = 200, body = Envelope<TokenView>),
        (status = 400, body = ErrorBody),
        (status = 401, description = "The current password is wrong", body = ErrorBody),
        (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn change(
    State(state): State<AuthState>,
    caller: SignedIn,
    Json(request): Json<PasswordChange>,
) -> Result<Reply<TokenView>, ApiError> {
    // Works without an account (D8), but not in one that is locked.
    if let Some(standing) = account::standing(&state.core, &caller.user).await? {
        standing.require_working()?;
    }
    let token = caller.token.ok_or_else(ApiError::unauthenticated)?;
    let PasswordChange {
        current_password,
        new_password,
    } = request;
    if current_password.expose().is_empty() {
        return Err(ApiError::invalid_field("current_password", "is required"));
    }
    check::new_password("new_password", &new_password).map_err(|fault| ApiError::invalid(vec![fault]))?;
    if current_password == new_password {
        return Err(ApiError::invalid_field(
            "new_password",
            "must differ from the current one",
        ));
    }
    state
        .pool
        .change_password(&token, &current_password, &new_password)
        .await
        .map_err(|fault| match fault {
            PoolFault::NotAuthorized | PoolFault::UserMissing => wrong_credentials("The current password is wrong"),
            PoolFault::PasswordRefused | PoolFault::Refused(_) => {
                ApiError::invalid_field("new_password", "is not accepted; choose a different one")
            }
            other => other.into(),
        })?;
    let subject = &caller.user.cognito_user_id;
    sign_out_everywhere(&state, subject).await;
    let tokens = match state.pool.sign_in(subject, &new_password).await {
        Ok(SignIn::Tokens(tokens)) => Some(TokenView::from(&tokens)),
        // The password is changed all the same; the client signs in again when its token ends.
        _ => None,
    };
    Ok(Reply::new(StatusCode::OK, "Password changed", tokens))
}

/// A user's e-mail address.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ForgottenPassword {
    /// The e-mail address, in any case.
    email: String,
}

/// Sends a code for a new password, if there is such a user; the answer does not tell.
#[utoipa::path(
    post,
    path = "/auth/forgot-password",
    tag = "auth",
    request_body = ForgottenPassword,
    responses(
        (status = 200, body = Envelope<NoData>),
        (status = 400, body = ErrorBody),
        (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn forgot(
    State(state): State<AuthState>,
    Json(request): Json<ForgottenPassword>,
) -> Result<Reply<NoData>, ApiError> {
    let email = counted_address(&state, "forgot", &request.email).await?;
    let sent = async {
        let user = state.pool.find(&email).await?;
        // The pool sends no code to a user who never chose a password (C2).
        if user.is_some_and(|user| user.is_unfinished()) {
            state.pool.set_password(&email, &unguessable(&state)).await?;
        }
        state.pool.send_reset_code(&email).await
    };
    match sent.await {
        Err(fault @ (PoolFault::Throttled | PoolFault::Unavailable(_))) => Err(fault.into()),
        // Anything else would tell whether there is such a user.
        _ => Ok(done("If this e-mail address is registered, a code is on its way")),
    }
}

/// A new password, proven by a code.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PasswordReset {
    /// The e-mail address, in any case.
    email: String,
    /// The code from the mail.
    #[schema(value_type = String)]
    code: Secret,
    /// At least 8 characters with an upper-case letter, a lower-case letter and a digit.
    #[schema(value_type = String)]
    new_password: Secret,
}

/// Sets a new password by the code from the mail, and signs out all sessions.
#[utoipa::path(
    post,
    path = "/auth/reset-password",
    tag = "auth",
    request_body = PasswordReset,
    responses(
        (status = 200, body = Envelope<NoData>),
        (status = 400, description = "Wrong or expired code", body = ErrorBody),
        (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn reset(
    State(state): State<AuthState>,
    Json(request): Json<PasswordReset>,
) -> Result<Reply<NoData>, ApiError> {
    let invalid = |fault| ApiError::invalid(vec![fault]);
    let code = check::text("code", request.code.expose(), 64).map_err(invalid)?;
    check::new_password("new_password", &request.new_password).map_err(invalid)?;
    let email = counted_address(&state, "reset", &request.email).await?;
    state
        .pool
        .reset_password(&email, &code, &request.new_password)
        .await
        .map_err(|fault| match fault {
            PoolFault::PasswordRefused => {
                ApiError::invalid_field("new_password", "is not accepted; choose a different one")
            }
            PoolFault::WrongCode | PoolFault::NotAuthorized | PoolFault::UserMissing | PoolFault::Refused(_) => {
                ApiError::invalid_field("code", "is wrong or has expired; ask for a new one")
            }
            other => other.into(),
        })?;
    sign_out_everywhere(&state, &email).await;
    Ok(done("Password changed; sign in with the new one"))
}

/// The e-mail address in lower case, after its turn was counted.
async fn counted_address(state: &AuthState, rule: &'static str, email: &str) -> Result<String, ApiError> {
    let email = check::text("email", email, 254)
        .map_err(|fault| ApiError::invalid(vec![fault]))?
        .to_lowercase();
    let limit = match rule {
        "forgot" => state.limits.forgot,
        _ => state.limits.reset,
    };
    throttle(&state.core, rule, limit, &[&email]).await?;
    Ok(email)
}

/// Ends the sessions that an old password began; the new one counts whether or not this succeeds.
async fn sign_out_everywhere(state: &AuthState, username: &str) {
    if let Err(fault) = state.pool.sign_out_user(username).await {
        tracing::error!(?fault, "old sessions were not signed out after a new password");
    }
}

/// A password that nobody knows and that meets the rules.
fn unguessable(state: &AuthState) -> Secret {
    Secret::new(format!("Aa1{}", state.core.random.hex(32)))
}
