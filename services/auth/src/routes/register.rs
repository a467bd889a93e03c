//! `POST /auth/register`.

use axum::extract::State;
use http::StatusCode;
use mfh_http::{ApiError, ClientIp, Envelope, ErrorBody, ErrorCode, Json, Reply, check, ok};
use mfh_types::Secret;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::AuthState;
use crate::limits::throttle;
use crate::pool::{PoolFault, SignIn};
use crate::profile::{Person, open_account, user_id};
use crate::session::{Session, follow};

/// A new user.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Registration {
    /// The e-mail address to sign in with.
    email: String,
    /// At least 8 characters with an upper-case letter, a lower-case letter and a digit.
    #[schema(value_type = String)]
    password: Secret,
    /// Display name.
    name: String,
    /// International phone number, starting with `+`.
    #[serde(default)]
    phone_number: Option<String>,
    /// Company; also the name of the account.
    #[serde(default)]
    company: Option<String>,
}

impl Registration {
    /// The person and password, with every fault named at once.
    fn checked(self) -> Result<(Person, Secret), ApiError> {
        let given = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
        let email = check::email("email", &self.email);
        let password = check::new_password("password", &self.password);
        let name = check::text("name", &self.name, 100);
        let phone_number = given(self.phone_number)
            .map(|number| check::phone_number("phone_number", &number))
            .transpose();
        let company = given(self.company)
            .map(|company| check::text("company", &company, 200))
            .transpose();
        match (email, password, name, phone_number, company) {
            (Ok(email), Ok(()), Ok(name), Ok(phone_number), Ok(company)) => Ok((
                Person {
                    email,
                    name,
                    phone_number,
                    company,
                },
                self.password,
            )),
            (email, password, name, phone_number, company) => {
                let faults = [
                    email.err(),
                    password.err(),
                    name.err(),
                    phone_number.err(),
                    company.err(),
                ];
                Err(ApiError::invalid(faults.into_iter().flatten().collect()))
            }
        }
    }
}

/// Registers a user with an account of its own, and signs the user in.
#[utoipa::path(
    post,
    path = "/auth/register",
    tag = "auth",
    request_body = Registration,
    responses(
        (status = 200, body = Envelope<Session>),
        (status = 400, body = ErrorBody),
        (status = 409, description = "The e-mail address is taken", body = ErrorBody),
        (status = 429, body = ErrorBody),
        (status = 503, body = ErrorBody),
    )
)]
pub(crate) async fn register(
    State(state): State<AuthState>,
    ClientIp(ip): ClientIp,
    Json(request): Json<Registration>,
) -> Result<Reply<Session>, ApiError> {
    let (person, password) = request.checked()?;
    throttle(&state.core, "register", state.limits.register, &[&ip]).await?;

    let email = person.email.clone();
    let subject = claim_address(&state, &person).await?;
    if let Err(error) = complete(&state, &subject, person, &password).await {
        undo(&state, &subject).await;
        return Err(error);
    }
    let session = sign_in(&state, &email, &password).await.map_err(|error| {
        let detail = format!("sign-in after registration: {error:?}");
        ApiError::new(
            StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::AccountCreatedLoginFailed,
            "Your account was created, but signing in failed; sign in now",
        )
        .retry_after(2)
        .detail(detail)
    })?;
    Ok(ok("Registration successful", session))
}

/// Takes the e-mail address in the pool, also from an earlier registration that broke off half-way (D2).
async fn claim_address(state: &AuthState, person: &Person) -> Result<String, ApiError> {
    let create = || {
        state
            .pool
            .create(&person.email, &person.name, person.phone_number.as_deref())
    };
    match create().await {
        Err(PoolFault::UserExists) => {}
        Err(fault) => return Err(refused(fault)),
        Ok(subject) => return Ok(subject),
    }
    if let Some(leftover) = state.pool.find(&person.email).await? {
        let stored = state.core.database.users().get(&user_id(&leftover.subject)?).await?;
        if stored.is_some() || !leftover.is_unfinished() {
            return Err(email_exists());
        }
        state.pool.delete(&leftover.subject).await?;
    }
    match create().await {
        Err(PoolFault::UserExists) => Err(email_exists()),
        other => other.map_err(refused),
    }
}

/// Password and records of a user that was just made.
async fn complete(state: &AuthState, subject: &str, person: Person, password: &Secret) -> Result<(), ApiError> {
    // By subject, never by address: the address may by now belong to another registration.
    state.pool.set_password(subject, password).await.map_err(refused)?;
    open_account(&state.core, subject, person).await?;
    Ok(())
}

/// Gives the e-mail address free again.
async fn undo(state: &AuthState, subject: &str) {
    if let Err(fault) = state.pool.delete(subject).await {
        tracing::error!(
            alarm = true,
            subject,
            ?fault,
            "a user of a failed registration could not be deleted"
        );
    }
}

async fn sign_in(state: &AuthState, email: &str, password: &Secret) -> Result<Session, ApiError> {
    match state.pool.sign_in(email, password).await? {
        step @ SignIn::Tokens(_) => follow(state, step).await,
        _ => Err(ApiError::unavailable("a new user got a challenge")),
    }
}

fn email_exists() -> ApiError {
    ApiError::conflict(
        ErrorCode::EmailExists,
        "This e-mail address is already registered; sign in or reset the password",
    )
}

fn refused(fault: PoolFault) -> ApiError {
    match fault {
        PoolFault::Refused(detail) => {
            ApiError::bad_request("The e-mail address, name or phone number was not accepted; check them")
                .detail(detail)
        }
        PoolFault::PasswordRefused => ApiError::invalid_field("password", "is not accepted; choose a different one"),
        other => other.into(),
    }
}
