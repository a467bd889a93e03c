//! What users do to their own record: read it, change the password, reset a forgotten one.

use mfh_types::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::passwords::{PasswordHash, check_policy, six_digits};
use super::records::{Reset, UserStatus};
use super::{Fault, Pool, invalid_parameter, not_authorized};

/// How long a code is good, and the period in which sent codes are counted, in seconds.
const HOUR: i64 = 3600;

/// Codes for one user in an hour.
const CODES_PER_HOUR: usize = 5;

/// Wrong entries of one code.
const CODE_TRIES: u32 = 5;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GetUser {
    access_token: Secret,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangePassword {
    access_token: Secret,
    previous_password: Secret,
    proposed_password: Secret,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ForgotPassword {
    client_id: String,
    username: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ConfirmForgotPassword {
    client_id: String,
    username: String,
    confirmation_code: Secret,
    password: Secret,
}

impl Pool {
    pub(super) fn get_user(&self, request: &GetUser) -> Result<Value, Fault> {
        self.state.read(|state| {
            let (user, _) = self.authorize(state, &request.access_token)?;
            Ok(json!({ "Username": user.sub, "UserAttributes": user.attribute_list() }))
        })
    }

    /// Changes the password and ends the user's other sessions: whoever knew the old password is out.
    pub(super) fn change_password(&self, request: &ChangePassword) -> Result<Value, Fault> {
        let now = self.clock.unix();
        self.state.change(|state| {
            let (user, origin_jti) = self.authorize_mut(state, &request.access_token)?;
            user.check_password(&request.previous_password, now)?;
            check_policy(&request.proposed_password)?;
            let hash = PasswordHash::new(&request.proposed_password, &*self.random);
            user.set_password(hash, now);
            user.sessions.retain(|session| session.origin_jti == origin_jti);
            Ok(json!({}))
        })
    }

    /// Sends a code. An unknown or disabled user gets the same answer, and no code.
    pub(super) fn forgot_password(&self, request: &ForgotPassword) -> Result<Value, Fault> {
        self.check_client(&request.client_id)?;
        let now = self.clock.unix();
        let code = six_digits(&*self.random);
        let email = self.state.change(|state| {
            let Some(user) = state.user_mut(&request.username).filter(|user| user.enabled) else {
                return Ok(request.username.clone());
            };
            if user.status == UserStatus::ForceChangePassword {
                return Err(not_authorized("User password cannot be reset in the current state."));
            }
            if user.attribute("email_verified") != "true" {
                return Err(invalid_parameter(
                    "Cannot reset password for the user as there is no registered/verified email or phone_number",
                ));
            }
            user.codes_sent_at.retain(|sent| now - sent < HOUR);
            if user.codes_sent_at.len() >= CODES_PER_HOUR {
                return Err(limit_exceeded());
            }
            user.codes_sent_at.push(now);
            let email = user.email().to_owned();
            tracing::info!(%email, %code, "code to reset the password (mail is not sent on one machine)");
            user.reset = Some(Reset {
                code,
                expires_at: now + HOUR,
                wrong_tries: 0,
            });
            Ok(email)
        })?;
        Ok(json!({ "CodeDeliveryDetails": {
            "Destination": masked(&email),
            "DeliveryMedium": "EMAIL",
            "AttributeName": "email",
        }}))
    }

    pub(super) fn confirm_forgot_password(&self, request: &ConfirmForgotPassword) -> Result<Value, Fault> {
        self.check_client(&request.client_id)?;
        let now = self.clock.unix();
        self.state.change(|state| {
            let user = state
                .user_mut(&request.username)
                .filter(|user| user.enabled)
                .ok_or_else(wrong_code)?;
            let reset = user.reset.as_mut().ok_or_else(expired_code)?;
            if reset.wrong_tries >= CODE_TRIES {
                return Err(limit_exceeded());
            }
            if reset.expires_at <= now {
                return Err(expired_code());
            }
            if Secret::new(reset.code.clone()) != request.confirmation_code {
                reset.wrong_tries += 1;
                return Err(wrong_code());
            }
            check_policy(&request.password)?;
            user.set_password(PasswordHash::new(&request.password, &*self.random), now);
            user.sign_out();
            Ok(json!({}))
        })
    }
}

fn wrong_code() -> Fault {
    Fault::new(
        "CodeMismatchException",
        "Invalid verification code provided, please try again.",
    )
}

fn expired_code() -> Fault {
    Fault::new(
        "ExpiredCodeException",
        "Invalid code provided, please request a code again.",
    )
}

fn limit_exceeded() -> Fault {
    Fault::new(
        "LimitExceededException",
        "Attempt limit exceeded, please try after some time.",
    )
}

/// `ann@example.com` as `a***@e***`.
fn masked(email: &str) -> String {
    let first = |text: &str| text.chars().next().map(String::from).unwrap_or_default();
    let (local, domain) = email.split_once('@').unwrap_or((email, ""));
    format!("{}***@{}***", first(local), first(domain))
}
