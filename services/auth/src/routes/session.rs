//! `POST /auth/login`, `POST /auth/refresh` and `POST /auth/logout`.

use axum::extract::State;
use mfh_http::{ApiError, ClientIp, Envelope, ErrorBody, Json, Reply, SignedIn, check, ok};
use mfh_types::{Secret, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::AuthState;
use crate::limits::throttle;
use crate::pool::PoolFault;
use crate::session::{Session, TokenView, follow};

/// E-mail address and password.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Credentials {
    /// The e-mail address, in any case.
    email: String,
    /// The password.
    #[schema(value_type = String)]
    password: Secret,
}

/// Signs a user in.
#[utoipa::path(
    post,
    path = "/auth/login",
    tag = "auth",
    request_body = Credentials,
    responses(
        (status = 200, body = Envelope<Session>),
        (status = 400, body = ErrorBody),
        (status = 401, description = "Wrong e-mail address or password", body = ErrorBody),
        (status = 409, description = "A second step is needed", body = ErrorBody),
        (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn login(
    State(state): State<AuthState>,
    ClientIp(ip): ClientIp,
    Json(request): Json<Credentials>,
) -> Result<Reply<Session>, ApiError> {
    let email = signing_in(&state, &ip, &request.email).await?;
    if request.password.expose().is_empty() {
        return Err(ApiError::invalid_field("password", "is required"));
    }
    let step = state
        .pool
        .sign_in(&email, &request.password)
        .await
        .map_err(|fault| fault.at_sign_in("E-mail address or password is wrong"))?;
    Ok(ok("Login successful", follow(&state, step).await?))
}

/// The e-mail address in lower case, after its turn was counted.
pub(crate) async fn signing_in(state: &AuthState, ip: &str, email: &str) -> Result<String, ApiError> {
    let email = check::text("email", email, 254)
        .map_err(|fault| ApiError::invalid(vec![fault]))?
        .to_lowercase();
    let limits = state.limits;
    throttle(&state.core, "login-sender", limits.login_sender, &[ip]).await?;
    throttle(&state.core, "login", limits.login, &[&email, ip]).await?;
    Ok(email)
}

/// A refresh token.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct RefreshRequest {
    /// As it came from the sign-in.
    #[schema(value_type = String)]
    refresh_token: Secret,
}

/// Gives a new access token for a refresh token.
#[utoipa::path(
    post,
    path = "/auth/refresh",
    tag = "auth",
    request_body = RefreshRequest,
    responses(
        (status = 200, body = Envelope<TokenView>),
        (status = 400, body = ErrorBody),
        (status = 401, description = "The refresh token is over; sign in again", body = ErrorBody),
        (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn refresh(
    State(state): State<AuthState>,
    ClientIp(ip): ClientIp,
    Json(request): Json<RefreshRequest>,
) -> Result<Reply<TokenView>, ApiError> {
    if request.refresh_token.expose().is_empty() {
        return Err(ApiError::invalid_field("refresh_token", "is required"));
    }
    throttle(&state.core, "refresh", state.limits.refresh, &[&ip]).await?;
    let tokens = state
        .pool
        .refresh(&request.refresh_token)
        .await
        .map_err(|fault| fault.at_sign_in("The session is over; sign in again"))?;
    Ok(ok("Token refreshed", TokenView::from(&tokens)))
}

/// Who was signed out.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SignedOut {
    user_id: UserId,
}

/// Ends all sessions of the user; access tokens already given keep working at the gateway until they expire.
#[utoipa::path(
    post,
    path = "/auth/logout",
    tag = "auth",
    security(("bearer" = [])),
    responses(
        (status = 200, body = Envelope<SignedOut>),
        (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn logout(State(state): State<AuthState>, caller: SignedIn) -> Result<Reply<SignedOut>, ApiError> {
    let token = caller
        .token
        .as_ref()
        .ok_or_else(|| ApiError::bad_request("Send the access token in the Authorization header"))?;
    match state.pool.sign_out(token).await {
        // A session that is over already is what the caller wants (U10).
        Ok(()) | Err(PoolFault::NotAuthorized | PoolFault::UserMissing) => {}
        Err(fault) => return Err(fault.into()),
    }
    let user_id = caller.user.user_id;
    Ok(ok("Signed out", SignedOut { user_id }))
}
