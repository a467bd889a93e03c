//! Signing in, staying signed in, and signing out.

use std::collections::BTreeMap;

use mfh_types::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::passwords::{PasswordHash, check_policy, refuse_unknown_user};
use super::records::{Challenge, PoolUser, Session, UserStatus, token_hash};
use super::{Fault, Pool, invalid_parameter, not_authorized};

/// How long a sign-in can be refreshed, in seconds (DECISIONS 33).
const SESSION_LIFETIME: i64 = 30 * 24 * 3600;

/// How long a user may take to choose a new password, in seconds.
const CHALLENGE_LIFETIME: i64 = 180;

const NEW_PASSWORD_REQUIRED: &str = "NEW_PASSWORD_REQUIRED";

type Parameters = BTreeMap<String, Secret>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InitiateAuth {
    client_id: String,
    auth_flow: String,
    #[serde(default)]
    auth_parameters: Parameters,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AdminInitiateAuth {
    user_pool_id: String,
    #[serde(flatten)]
    request: InitiateAuth,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RespondToAuthChallenge {
    client_id: String,
    challenge_name: String,
    session: Option<Secret>,
    #[serde(default)]
    challenge_responses: Parameters,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AdminRespondToAuthChallenge {
    user_pool_id: String,
    #[serde(flatten)]
    request: RespondToAuthChallenge,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GlobalSignOut {
    access_token: Secret,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RevokeToken {
    token: Secret,
    client_id: String,
}

impl Pool {
    pub(super) fn initiate_auth(&self, request: &InitiateAuth) -> Result<Value, Fault> {
        self.sign_in_or_refresh(request, &["USER_PASSWORD_AUTH"])
    }

    pub(super) fn admin_initiate_auth(&self, request: &AdminInitiateAuth) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        let flows = ["ADMIN_USER_PASSWORD_AUTH", "ADMIN_NO_SRP_AUTH"];
        self.sign_in_or_refresh(&request.request, &flows)
    }

    fn sign_in_or_refresh(&self, request: &InitiateAuth, password_flows: &[&str]) -> Result<Value, Fault> {
        self.check_client(&request.client_id)?;
        let parameters = &request.auth_parameters;
        match request.auth_flow.as_str() {
            "REFRESH_TOKEN_AUTH" | "REFRESH_TOKEN" => self.refresh(required(parameters, "REFRESH_TOKEN")?),
            flow if password_flows.contains(&flow) => {
                let username = required(parameters, "USERNAME")?;
                self.sign_in(username.expose(), required(parameters, "PASSWORD")?)
            }
            _ => Err(invalid_parameter("Initiate Auth method not supported.")),
        }
    }

    fn sign_in(&self, username: &str, password: &Secret) -> Result<Value, Fault> {
        let now = self.clock.unix();
        self.state.change(|state| {
            let Some(user) = state.user_mut(username) else {
                return Err(refuse_unknown_user(password, &*self.random));
            };
            user.check_password(password, now)?;
            if !user.enabled {
                return Err(not_authorized("User is disabled."));
            }
            match user.status {
                UserStatus::Confirmed => self.start_session(user, now),
                UserStatus::ForceChangePassword => self.ask_for_new_password(user, now),
            }
        })
    }

    fn start_session(&self, user: &mut PoolUser, now: i64) -> Result<Value, Fault> {
        let refresh_token = self.opaque();
        let session = Session {
            origin_jti: self.uuid().to_string(),
            refresh_hash: token_hash(&refresh_token),
            auth_time: now,
            expires_at: now + SESSION_LIFETIME,
        };
        let mut tokens = self.issue(user, &session)?;
        tokens["RefreshToken"] = refresh_token.into();
        user.sessions.retain(|old| now < old.expires_at);
        user.sessions.push(session);
        Ok(json!({ "AuthenticationResult": tokens, "ChallengeParameters": {} }))
    }

    fn ask_for_new_password(&self, user: &mut PoolUser, now: i64) -> Result<Value, Fault> {
        if user.password_expires_at.is_some_and(|expiry| expiry <= now) {
            return Err(not_authorized(
                "Temporary password has expired and must be reset by an administrator.",
            ));
        }
        let session = self.opaque();
        user.challenge = Some(Challenge {
            session_hash: token_hash(&session),
            expires_at: now + CHALLENGE_LIFETIME,
        });
        Ok(json!({
            "ChallengeName": NEW_PASSWORD_REQUIRED,
            "Session": session,
            "ChallengeParameters": {
                "USER_ID_FOR_SRP": user.sub,
                "requiredAttributes": "[]",
                "userAttributes": json!(user.attributes).to_string(),
            },
        }))
    }

    pub(super) fn respond_to_auth_challenge(&self, request: &RespondToAuthChallenge) -> Result<Value, Fault> {
        self.check_client(&request.client_id)?;
        if request.challenge_name != NEW_PASSWORD_REQUIRED {
            return Err(invalid_parameter(
                "Only the challenge NEW_PASSWORD_REQUIRED exists in this pool.",
            ));
        }
        let responses = &request.challenge_responses;
        let username = required(responses, "USERNAME")?;
        let password = required(responses, "NEW_PASSWORD")?;
        let session = request
            .session
            .as_ref()
            .ok_or_else(|| invalid_parameter("Missing required parameter Session"))?;
        check_policy(password)?;
        let hash = PasswordHash::new(password, &*self.random);
        let now = self.clock.unix();
        self.state.change(|state| {
            let invalid = || not_authorized("Invalid session for the user.");
            let user = state.user_mut(username.expose()).ok_or_else(invalid)?;
            let challenge = user.challenge.as_ref().ok_or_else(invalid)?;
            if challenge.session_hash != token_hash(session.expose()) {
                return Err(invalid());
            }
            if challenge.expires_at <= now {
                return Err(not_authorized("Invalid session for the user, session is expired."));
            }
            if !user.enabled {
                return Err(not_authorized("User is disabled."));
            }
            user.set_password(hash, now);
            self.start_session(user, now)
        })
    }

    pub(super) fn admin_respond_to_auth_challenge(
        &self,
        request: &AdminRespondToAuthChallenge,
    ) -> Result<Value, Fault> {
        self.check_pool(&request.user_pool_id)?;
        self.respond_to_auth_challenge(&request.request)
    }

    fn refresh(&self, token: &Secret) -> Result<Value, Fault> {
        let hash = token_hash(token.expose());
        let now = self.clock.unix();
        self.state.read(|state| {
            let find = |user: &PoolUser| {
                let mut sessions = user.sessions.iter();
                sessions.find(|session| session.refresh_hash == hash).cloned()
            };
            let (user, session) = state
                .users
                .values()
                .find_map(|user| find(user).map(|session| (user, session)))
                .ok_or_else(|| not_authorized("Invalid Refresh Token"))?;
            if session.expires_at <= now {
                return Err(not_authorized("Refresh Token has expired"));
            }
            if !user.enabled {
                return Err(not_authorized("User is disabled."));
            }
            let tokens = self.issue(user, &session)?;
            Ok(json!({ "AuthenticationResult": tokens, "ChallengeParameters": {} }))
        })
    }

    pub(super) fn global_sign_out(&self, request: &GlobalSignOut) -> Result<Value, Fault> {
        self.state.change(|state| {
            let (user, _) = self.authorize_mut(state, &request.access_token)?;
            user.sign_out();
            Ok(json!({}))
        })
    }

    /// Ends the session of a refresh token; an unknown token is as good as revoked.
    pub(super) fn revoke_token(&self, request: &RevokeToken) -> Result<Value, Fault> {
        self.check_client(&request.client_id)?;
        let token = request.token.expose();
        if token.contains('.') {
            return Err(Fault::new(
                "UnsupportedTokenTypeException",
                "Only refresh tokens can be revoked.",
            ));
        }
        let hash = token_hash(token);
        self.state.change(|state| {
            for user in state.users.values_mut() {
                user.sessions.retain(|session| session.refresh_hash != hash);
            }
            Ok(json!({}))
        })
    }
}

fn required<'a>(parameters: &'a Parameters, name: &str) -> Result<&'a Secret, Fault> {
    parameters
        .get(name)
        .filter(|value| !value.expose().is_empty())
        .ok_or_else(|| invalid_parameter(format!("Missing required parameter {name}")))
}
