//! The user pool: Cognito's calls as this service needs them, with its errors sorted by what they mean to a user.

use std::collections::HashMap;

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, AuthFlowType, AuthenticationResultType, ChallengeNameType, MessageActionType, UserStatusType,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mfh_aws::Clients;
use mfh_http::{ApiError, MissingSetting};
use mfh_types::Secret;
use serde::{Deserialize, Serialize};

/// Why the pool did not do what was asked.
#[derive(Debug)]
pub(crate) enum PoolFault {
    /// Wrong password, unknown user, dead session or dead token.
    NotAuthorized,
    /// Wrong or expired code.
    WrongCode,
    /// The password does not meet the pool's rules.
    PasswordRefused,
    /// The e-mail address is taken.
    UserExists,
    /// The pool has no such user.
    UserMissing,
    /// A value is not acceptable to the pool.
    Refused(String),
    /// Too many calls or tries.
    Throttled,
    /// Anything else; a repeat may help.
    Unavailable(String),
}

impl From<PoolFault> for ApiError {
    /// The answer where a route has nothing better to say.
    fn from(fault: PoolFault) -> Self {
        match fault {
            PoolFault::Throttled => Self::rate_limited(60),
            PoolFault::Unavailable(detail) | PoolFault::Refused(detail) => Self::unavailable(detail),
            other => Self::unavailable(format!("unexpected answer of the user pool: {other:?}")),
        }
    }
}

impl<E, R> From<SdkError<E, R>> for PoolFault
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    fn from(error: SdkError<E, R>) -> Self {
        match error.code() {
            Some("NotAuthorizedException" | "UserNotConfirmedException" | "PasswordResetRequiredException") => {
                Self::NotAuthorized
            }
            Some("UserNotFoundException") => Self::UserMissing,
            Some("CodeMismatchException" | "ExpiredCodeException") => Self::WrongCode,
            Some("InvalidPasswordException" | "PasswordHistoryPolicyViolationException") => Self::PasswordRefused,
            Some("UsernameExistsException" | "AliasExistsException") => Self::UserExists,
            Some("TooManyRequestsException" | "LimitExceededException" | "TooManyFailedAttemptsException") => {
                Self::Throttled
            }
            Some("InvalidParameterException") => Self::Refused(DisplayErrorContext(&error).to_string()),
            _ => Self::Unavailable(DisplayErrorContext(&error).to_string()),
        }
    }
}

/// Tokens of a signed-in user.
#[derive(Debug, Clone)]
pub(crate) struct Tokens {
    pub(crate) access: Secret,
    pub(crate) refresh: Option<Secret>,
    pub(crate) expires_in_secs: i32,
}

/// What a password led to.
#[derive(Debug)]
pub(crate) enum SignIn {
    Tokens(Tokens),
    Challenge(Challenge),
    /// A challenge that this product does not answer.
    Unsupported(String),
}

/// The kind of a second step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ChallengeKind {
    NewPasswordRequired,
    SmsMfa,
    SoftwareTokenMfa,
}

/// A second step before tokens are given; clients carry it as an opaque text.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Challenge {
    #[serde(rename = "k")]
    pub(crate) kind: ChallengeKind,
    #[serde(rename = "u")]
    username: String,
    #[serde(rename = "s")]
    session: String,
}

impl Challenge {
    pub(crate) fn encode(&self) -> String {
        let json = serde_json::json!(self);
        URL_SAFE_NO_PAD.encode(json.to_string())
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        let json = URL_SAFE_NO_PAD.decode(text).ok()?;
        serde_json::from_slice(&json).ok()
    }
}

/// A user as the pool knows it.
#[derive(Debug, Clone)]
pub(crate) struct PoolUser {
    pub(crate) subject: String,
    status: Option<UserStatusType>,
    attributes: HashMap<String, String>,
}

impl PoolUser {
    fn new(username: String, status: Option<UserStatusType>, attributes: Option<Vec<AttributeType>>) -> Self {
        let attributes: HashMap<_, _> = attributes
            .unwrap_or_default()
            .into_iter()
            .filter_map(|attribute| Some((attribute.name, attribute.value?)))
            .collect();
        Self {
            subject: attributes.get("sub").cloned().unwrap_or(username),
            status,
            attributes,
        }
    }

    /// Whether the user never chose a password: invited, or left behind by a registration that broke off.
    pub(crate) fn is_unfinished(&self) -> bool {
        matches!(
            self.status,
            Some(UserStatusType::ForceChangePassword | UserStatusType::Unconfirmed)
        )
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// The user pool and the app client through which its users sign in.
#[derive(Debug, Clone)]
pub struct UserPool {
    client: Client,
    pool_id: String,
    client_id: String,
}

impl UserPool {
    /// This pool and app client.
    pub fn new(client: Client, pool_id: impl Into<String>, client_id: impl Into<String>) -> Self {
        Self {
            client,
            pool_id: pool_id.into(),
            client_id: client_id.into(),
        }
    }

    /// The pool of `COGNITO_USER_POOL_ID` and the app client of `COGNITO_CLIENT_ID`.
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn from_env(clients: &Clients) -> Result<Self, MissingSetting> {
        let read = |name| std::env::var(name).map_err(|_| MissingSetting(name));
        Ok(Self::new(
            clients.cognito().clone(),
            read("COGNITO_USER_POOL_ID")?,
            read("COGNITO_CLIENT_ID")?,
        ))
    }

    /// Makes a user without a usable password and without a mail; answers its subject.
    ///
    /// The address is marked verified because password recovery needs it; what the user has proven is
    /// `email_verified_at` of the user record (S10).
    pub(crate) async fn create(
        &self,
        email: &str,
        name: &str,
        phone_number: Option<&str>,
    ) -> Result<String, PoolFault> {
        let known = [
            Some(("email", email)),
            Some(("email_verified", "true")),
            Some(("name", name)),
            phone_number.map(|number| ("phone_number", number)),
        ];
        let attributes = known
            .into_iter()
            .flatten()
            .map(|(name, value)| attribute(name, value))
            .collect::<Result<_, _>>()?;
        let answer = self
            .client
            .admin_create_user()
            .user_pool_id(&self.pool_id)
            .username(email)
            .message_action(MessageActionType::Suppress)
            .set_user_attributes(Some(attributes))
            .send()
            .await?;
        let user = answer
            .user
            .ok_or_else(|| PoolFault::Unavailable("no user in the answer".to_owned()))?;
        let username = user.username.unwrap_or_else(|| email.to_owned());
        Ok(PoolUser::new(username, user.user_status, user.attributes).subject)
    }

    /// Sets a password for good.
    pub(crate) async fn set_password(&self, username: &str, password: &Secret) -> Result<(), PoolFault> {
        self.client
            .admin_set_user_password()
            .user_pool_id(&self.pool_id)
            .username(username)
            .password(password.expose())
            .permanent(true)
            .send()
            .await?;
        Ok(())
    }

    /// Deletes a user; one that is already gone is fine.
    pub(crate) async fn delete(&self, username: &str) -> Result<(), PoolFault> {
        let answer = self
            .client
            .admin_delete_user()
            .user_pool_id(&self.pool_id)
            .username(username)
            .send()
            .await;
        match answer.map_err(PoolFault::from) {
            Ok(_) | Err(PoolFault::UserMissing) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// The user of this e-mail address or subject.
    pub(crate) async fn find(&self, username: &str) -> Result<Option<PoolUser>, PoolFault> {
        let answer = self
            .client
            .admin_get_user()
            .user_pool_id(&self.pool_id)
            .username(username)
            .send()
            .await;
        match answer.map_err(PoolFault::from) {
            Ok(user) => Ok(Some(PoolUser::new(
                user.username,
                user.user_status,
                user.user_attributes,
            ))),
            Err(PoolFault::UserMissing) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Signs in with e-mail address and password.
    pub(crate) async fn sign_in(&self, email: &str, password: &Secret) -> Result<SignIn, PoolFault> {
        let answer = self
            .client
            .admin_initiate_auth()
            .user_pool_id(&self.pool_id)
            .client_id(&self.client_id)
            .auth_flow(AuthFlowType::AdminUserPasswordAuth)
            .auth_parameters("USERNAME", email)
            .auth_parameters("PASSWORD", password.expose())
            .send()
            .await?;
        next_step(
            email,
            answer.authentication_result,
            answer.challenge_name,
            answer.session,
            answer.challenge_parameters,
        )
    }

    /// Answers a challenge with a new password or a code, whichever its kind asks for.
    pub(crate) async fn answer(&self, challenge: &Challenge, response: &Secret) -> Result<SignIn, PoolFault> {
        let (name, key) = match challenge.kind {
            ChallengeKind::NewPasswordRequired => (ChallengeNameType::NewPasswordRequired, "NEW_PASSWORD"),
            ChallengeKind::SmsMfa => (ChallengeNameType::SmsMfa, "SMS_MFA_CODE"),
            ChallengeKind::SoftwareTokenMfa => (ChallengeNameType::SoftwareTokenMfa, "SOFTWARE_TOKEN_MFA_CODE"),
        };
        let answer = self
            .client
            .admin_respond_to_auth_challenge()
            .user_pool_id(&self.pool_id)
            .client_id(&self.client_id)
            .challenge_name(name)
            .session(&challenge.session)
            .challenge_responses("USERNAME", &challenge.username)
            .challenge_responses(key, response.expose())
            .send()
            .await?;
        next_step(
            &challenge.username,
            answer.authentication_result,
            answer.challenge_name,
            answer.session,
            answer.challenge_parameters,
        )
    }

    /// New tokens for a refresh token.
    pub(crate) async fn refresh(&self, refresh_token: &Secret) -> Result<Tokens, PoolFault> {
        let answer = self
            .client
            .initiate_auth()
            .client_id(&self.client_id)
            .auth_flow(AuthFlowType::RefreshTokenAuth)
            .auth_parameters("REFRESH_TOKEN", refresh_token.expose())
            .send()
            .await?;
        tokens(answer.authentication_result)
    }

    /// Changes the password of the holder of this access token.
    pub(crate) async fn change_password(
        &self,
        token: &Secret,
        current: &Secret,
        new: &Secret,
    ) -> Result<(), PoolFault> {
        self.client
            .change_password()
            .access_token(token.expose())
            .previous_password(current.expose())
            .proposed_password(new.expose())
            .send()
            .await?;
        Ok(())
    }

    /// Ends all sessions of the holder of this access token.
    pub(crate) async fn sign_out(&self, token: &Secret) -> Result<(), PoolFault> {
        self.client
            .global_sign_out()
            .access_token(token.expose())
            .send()
            .await?;
        Ok(())
    }

    /// Ends all sessions of a user.
    pub(crate) async fn sign_out_user(&self, username: &str) -> Result<(), PoolFault> {
        self.client
            .admin_user_global_sign_out()
            .user_pool_id(&self.pool_id)
            .username(username)
            .send()
            .await?;
        Ok(())
    }

    /// Lets the pool send a code for a new password.
    pub(crate) async fn send_reset_code(&self, email: &str) -> Result<(), PoolFault> {
        self.client
            .forgot_password()
            .client_id(&self.client_id)
            .username(email)
            .send()
            .await?;
        Ok(())
    }

    /// Sets a new password by the code that the pool sent.
    pub(crate) async fn reset_password(&self, email: &str, code: &str, password: &Secret) -> Result<(), PoolFault> {
        self.client
            .confirm_forgot_password()
            .client_id(&self.client_id)
            .username(email)
            .confirmation_code(code)
            .password(password.expose())
            .send()
            .await?;
        Ok(())
    }
}

fn attribute(name: &str, value: &str) -> Result<AttributeType, PoolFault> {
    AttributeType::builder()
        .name(name)
        .value(value)
        .build()
        .map_err(|error| PoolFault::Refused(error.to_string()))
}

fn tokens(result: Option<AuthenticationResultType>) -> Result<Tokens, PoolFault> {
    let result = result.ok_or_else(|| PoolFault::Unavailable("no tokens given".to_owned()))?;
    let access = result
        .access_token
        .ok_or_else(|| PoolFault::Unavailable("no access token given".to_owned()))?;
    Ok(Tokens {
        access: Secret::new(access),
        refresh: result.refresh_token.map(Secret::new),
        expires_in_secs: result.expires_in,
    })
}

fn next_step(
    username: &str,
    result: Option<AuthenticationResultType>,
    challenge: Option<ChallengeNameType>,
    session: Option<String>,
    parameters: Option<HashMap<String, String>>,
) -> Result<SignIn, PoolFault> {
    let kind = match challenge {
        None => return tokens(result).map(SignIn::Tokens),
        Some(ChallengeNameType::NewPasswordRequired) => ChallengeKind::NewPasswordRequired,
        Some(ChallengeNameType::SmsMfa) => ChallengeKind::SmsMfa,
        Some(ChallengeNameType::SoftwareTokenMfa) => ChallengeKind::SoftwareTokenMfa,
        Some(other) => return Ok(SignIn::Unsupported(other.as_str().to_owned())),
    };
    // The answer to a challenge must name the user by its real name, not by its e-mail address.
    let username = parameters
        .and_then(|mut parameters| parameters.remove("USER_ID_FOR_SRP"))
        .unwrap_or_else(|| username.to_owned());
    Ok(SignIn::Challenge(Challenge {
        kind,
        username,
        session: session.unwrap_or_default(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_survives_its_way_through_the_client() {
        let parameters = HashMap::from([("USER_ID_FOR_SRP".to_owned(), "sub-1".to_owned())]);
        let step = next_step(
            "jo@example.com",
            None,
            Some(ChallengeNameType::SoftwareTokenMfa),
            Some("s".to_owned()),
            Some(parameters),
        );
        let Ok(SignIn::Challenge(challenge)) = step else {
            panic!("expected a challenge");
        };
        let back = Challenge::decode(&challenge.encode()).unwrap();
        assert_eq!(back.kind, ChallengeKind::SoftwareTokenMfa);
        assert_eq!((back.username.as_str(), back.session.as_str()), ("sub-1", "s"));
        assert!(Challenge::decode("not one").is_none());
    }
}
