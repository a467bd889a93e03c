//! The second steps of a sign-in: `POST /auth/new-password` and `POST /auth/mfa` (C2, C3).

use axum::extract::State;
use mfh_http::{ApiError, ClientIp, Envelope, ErrorBody, Json, Reply, check, ok};
use mfh_types::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use super::session::signing_in;
use crate::AuthState;
use crate::pool::{Challenge, ChallengeKind, PoolFault};
use crate::session::{Session, follow, wrong_credentials};

/// The answer to a 409 `NEW_PASSWORD_REQUIRED`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewPassword {
    /// The e-mail address of the sign-in.
    email: String,
    /// `data.session` of the 409.
    session: String,
    /// At least 8 characters with an upper-case letter, a lower-case letter and a digit.
    #[schema(value_type = String)]
    new_password: Secret,
}

/// Chooses the first password of one's own, and signs in with it.
#[utoipa::path(
    post,
    path = "/auth/new-password",
    tag = "auth",
    request_body = NewPassword,
    responses(
        (status = 200, body = Envelope<Session>),
        (status = 400, body = ErrorBody),
        (status = 401, description = "The step is over; sign in again", body = ErrorBody),
        (status = 409, description = "One more step is needed", body = ErrorBody),
        (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn new_password(
    State(state): State<AuthState>,
    ClientIp(ip): ClientIp,
    Json(request): Json<NewPassword>,
) -> Result<Reply<Session>, ApiError> {
    check::new_password("new_password", &request.new_password).map_err(|fault| ApiError::invalid(vec![fault]))?;
    signing_in(&state, &ip, &request.email).await?;
    let challenge = presented(&request.session, |kind| kind == ChallengeKind::NewPasswordRequired)?;
    let step = state
        .pool
        .answer(&challenge, &request.new_password)
        .await
        .map_err(|fault| match fault {
            PoolFault::PasswordRefused => {
                ApiError::invalid_field("new_password", "is not accepted; choose a different one")
            }
            other => other.at_sign_in(OVER),
        })?;
    Ok(ok("Login successful", follow(&state, step).await?))
}

/// The answer to a 409 `MFA_REQUIRED`.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct MfaCode {
    /// The e-mail address of the sign-in.
    email: String,
    /// `data.session` of the 409.
    session: String,
    /// The code of the second factor.
    #[schema(value_type = String)]
    code: Secret,
}

/// Signs in with the code of the second factor.
#[utoipa::path(
    post,
    path = "/auth/mfa",
    tag = "auth",
    request_body = MfaCode,
    responses(
        (status = 200, body = Envelope<Session>),
        (status = 400, body = ErrorBody),
        (status = 401, description = "Wrong code", body = ErrorBody),
        (status = 409, description = "One more step is needed", body = ErrorBody),
        (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn mfa(
    State(state): State<AuthState>,
    ClientIp(ip): ClientIp,
    Json(request): Json<MfaCode>,
) -> Result<Reply<Session>, ApiError> {
    let code = check::text("code", request.code.expose(), 16)
        .map(Secret::new)
        .map_err(|fault| ApiError::invalid(vec![fault]))?;
    signing_in(&state, &ip, &request.email).await?;
    let challenge = presented(&request.session, |kind| kind != ChallengeKind::NewPasswordRequired)?;
    let step = state
        .pool
        .answer(&challenge, &code)
        .await
        .map_err(|fault| fault.at_sign_in("The code is wrong or too old; sign in again"))?;
    Ok(ok("Login successful", follow(&state, step).await?))
}

const OVER: &str = "This step of the sign-in is over; sign in again";

/// The challenge that a client brings back, if it is of the wanted kind.
fn presented(session: &str, is_wanted: impl Fn(ChallengeKind) -> bool) -> Result<Challenge, ApiError> {
    Challenge::decode(session)
        .filter(|challenge| is_wanted(challenge.kind))
        .ok_or_else(|| wrong_credentials(OVER))
}
