//! The user pool: Cognito's protocol with real passwords, tokens and sessions.

mod admin;
mod groups;
mod passwords;
mod profile;
mod records;
mod sessions;
mod tokens;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use mfh_types::{Clock, Random, Secret};
use serde_json::{Value, json};
use uuid::{Builder, Uuid};

use self::records::{PoolUser, State};
use self::tokens::SigningKey;
use super::AwsService;
use super::fault::{Fault, parse, respond};
use super::store::JsonFile;

/// The id of the pool of this machine.
pub const DEFAULT_POOL_ID: &str = "us-west-2_local";

/// The id of its only app client, which has no secret.
pub const DEFAULT_CLIENT_ID: &str = "mfhlocalwebclient0000000000";

/// A user pool with one app client.
///
/// It is set up as the deployed one (`deploy` §2.1): the e-mail is the user name in any case, users are made by
/// the administrator only, whether a user exists is hidden from those who sign in, and there is no MFA.
pub struct UserPool(Arc<Pool>);

struct Pool {
    id: String,
    client_id: String,
    issuer: String,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    key: SigningKey,
    state: JsonFile<State>,
}

impl UserPool {
    /// Opens the users in `dir/users.json` and the signing key in `dir/tokens.key`; both are made at the first start.
    ///
    /// `issuer` is the address under which the caller serves [`Self::jwks`]; it may change between starts.
    ///
    /// # Errors
    /// The folder cannot be written, or one of the files is damaged.
    pub fn open(
        dir: &Path,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        issuer: impl Into<String>,
        pool_id: impl Into<String>,
        client_id: impl Into<String>,
    ) -> anyhow::Result<Arc<Self>> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let state = JsonFile::open(dir.join("users.json"), || State::new(clock.unix()))?;
        Ok(Arc::new(Self(Arc::new(Pool {
            id: pool_id.into(),
            client_id: client_id.into(),
            issuer: issuer.into(),
            key: SigningKey::open(&dir.join("tokens.key"))?,
            clock,
            random,
            state,
        }))))
    }

    /// The public keys, as `{issuer}/.well-known/jwks.json` answers them.
    pub fn jwks(&self) -> Value {
        self.0.key.jwks()
    }

    /// The `iss` of new tokens.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The code to reset a password that was last sent to this address and not used yet.
    ///
    /// One machine sends no mail, so this and the log are the mailbox.
    pub fn last_code(&self, email: &str) -> Option<Secret> {
        self.0.state.read(|state| {
            let reset = state.user(email)?.reset.as_ref()?;
            Some(Secret::new(reset.code.clone()))
        })
    }
}

#[async_trait]
impl AwsService for UserPool {
    async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        let pool = Arc::clone(&self.0);
        let operation = super::operation(&request).unwrap_or_default().to_owned();
        // Hashing a password takes milliseconds of computing, too long for the threads that serve requests.
        let work = tokio::task::spawn_blocking(move || pool.answer(&operation, request.body()));
        match work.await {
            Ok(result) => respond(result),
            Err(_) => super::json_error(500, "InternalErrorException", "The request failed; see the log of mfh."),
        }
    }
}

impl Pool {
    fn answer(&self, operation: &str, body: &[u8]) -> Result<Value, Fault> {
        const BAD: &str = "InvalidParameterException";
        match operation {
            "AdminCreateUser" => self.admin_create_user(parse(body, BAD)?),
            "AdminSetUserPassword" => self.admin_set_user_password(&parse(body, BAD)?),
            "AdminDeleteUser" => self.admin_delete_user(&parse(body, BAD)?),
            "AdminGetUser" => self.admin_get_user(&parse(body, BAD)?),
            "AdminUpdateUserAttributes" => self.admin_update_user_attributes(parse(body, BAD)?),
            "AdminEnableUser" => self.admin_set_enabled(&parse(body, BAD)?, true),
            "AdminDisableUser" => self.admin_set_enabled(&parse(body, BAD)?, false),
            "AdminConfirmSignUp" => self.admin_confirm_sign_up(&parse(body, BAD)?),
            "AdminUserGlobalSignOut" => self.admin_user_global_sign_out(&parse(body, BAD)?),
            "ListUsers" => self.list_users(&parse(body, BAD)?),
            "InitiateAuth" => self.initiate_auth(&parse(body, BAD)?),
            "AdminInitiateAuth" => self.admin_initiate_auth(&parse(body, BAD)?),
            "RespondToAuthChallenge" => self.respond_to_auth_challenge(&parse(body, BAD)?),
            "AdminRespondToAuthChallenge" => self.admin_respond_to_auth_challenge(&parse(body, BAD)?),
            "GlobalSignOut" => self.global_sign_out(&parse(body, BAD)?),
            "RevokeToken" => self.revoke_token(&parse(body, BAD)?),
            "GetUser" => self.get_user(&parse(body, BAD)?),
            "ChangePassword" => self.change_password(&parse(body, BAD)?),
            "ForgotPassword" => self.forgot_password(&parse(body, BAD)?),
            "ConfirmForgotPassword" => self.confirm_forgot_password(&parse(body, BAD)?),
            "CreateGroup" => self.create_group(parse(body, BAD)?),
            "ListGroups" => self.list_groups(&parse(body, BAD)?),
            "AdminAddUserToGroup" => self.admin_add_user_to_group(&parse(body, BAD)?),
            "AdminRemoveUserFromGroup" => self.admin_remove_user_from_group(&parse(body, BAD)?),
            "AdminListGroupsForUser" => self.admin_list_groups_for_user(&parse(body, BAD)?),
            "ListUserPools" => Ok(json!({ "UserPools": [self.summary()] })),
            "DescribeUserPool" => self.describe_user_pool(&parse(body, BAD)?),
            "DescribeUserPoolClient" => self.describe_user_pool_client(&parse(body, BAD)?),
            _ => Err(Fault::unknown_operation()),
        }
    }

    fn check_pool(&self, id: &str) -> Result<(), Fault> {
        if id == self.id {
            return Ok(());
        }
        Err(resource_not_found(format!("User pool {id} does not exist.")))
    }

    fn check_client(&self, id: &str) -> Result<(), Fault> {
        if id == self.client_id {
            return Ok(());
        }
        Err(resource_not_found(format!("User pool client {id} does not exist.")))
    }

    /// A random UUID (version 4).
    fn uuid(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.random.fill(&mut bytes);
        Builder::from_random_bytes(bytes).into_uuid()
    }

    /// An opaque token: 256 random bits in hex.
    fn opaque(&self) -> String {
        self.random.hex(32)
    }

    fn change_user<R>(
        &self,
        username: &str,
        change: impl FnOnce(&mut PoolUser) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        self.state.change(|state| {
            let user = state.user_mut(username).ok_or_else(user_not_found)?;
            change(user)
        })
    }
}

fn user_not_found() -> Fault {
    Fault::new("UserNotFoundException", "User does not exist.")
}

fn resource_not_found(message: String) -> Fault {
    Fault::new("ResourceNotFoundException", message)
}

fn invalid_parameter(message: impl Into<String>) -> Fault {
    Fault::new("InvalidParameterException", message)
}

fn not_authorized(message: &str) -> Fault {
    Fault::new("NotAuthorizedException", message)
}
