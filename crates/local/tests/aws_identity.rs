//! The local user pool and key service, asked by the AWS SDK's own clients.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::Arc;

use aws_sdk_cognitoidentityprovider::Client as Cognito;
use aws_sdk_cognitoidentityprovider::error::ProvideErrorMetadata;
use aws_sdk_cognitoidentityprovider::operation::initiate_auth::InitiateAuthOutput;
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, AuthFlowType, AuthenticationResultType, ChallengeNameType, MessageActionType, UserStatusType,
};
use aws_sdk_kms::Client as Kms;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use chrono::{DateTime, Duration};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use mfh_aws::Clients;
use mfh_local::aws::cognito::{DEFAULT_CLIENT_ID, DEFAULT_POOL_ID, UserPool};
use mfh_local::aws::http_client::sdk_config;
use mfh_local::aws::kms::KeyService;
use mfh_local::aws::{Endpoint, Service};
use mfh_types::{ManualClock, SystemRandom};
use serde_json::Value;
use tempfile::TempDir;

const ISSUER: &str = "http://127.0.0.1:8080/_cognito/us-west-2_local";
const EMAIL: &str = "ann@example.com";
const PASSWORD: &str = "Secret-free1";
const OTHER_PASSWORD: &str = "Another1word";

/// A pool on a folder, its clock and an SDK client for it.
struct Fixture {
    dir: TempDir,
    clock: Arc<ManualClock>,
    pool: Arc<UserPool>,
    cognito: Cognito,
}

impl Fixture {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let clock = Arc::new(ManualClock::at(start));
        let (pool, cognito) = open_pool(dir.path(), &clock);
        Self {
            dir,
            clock,
            pool,
            cognito,
        }
    }

    /// What a restart of the program does.
    fn reopen(&mut self) {
        (self.pool, self.cognito) = open_pool(self.dir.path(), &self.clock);
    }

    async fn create(&self, email: &str) -> String {
        let attribute = |name: &str, value: &str| AttributeType::builder().name(name).value(value).build().unwrap();
        let answer = self
            .cognito
            .admin_create_user()
            .user_pool_id(DEFAULT_POOL_ID)
            .username(email)
            .message_action(MessageActionType::Suppress)
            .user_attributes(attribute("email", email))
            .user_attributes(attribute("email_verified", "true"))
            .user_attributes(attribute("name", "Ann"))
            .send()
            .await
            .unwrap();
        answer.user.unwrap().username.unwrap()
    }

    async fn set_password(&self, email: &str, password: &str, permanent: bool) {
        self.cognito
            .admin_set_user_password()
            .user_pool_id(DEFAULT_POOL_ID)
            .username(email)
            .password(password)
            .permanent(permanent)
            .send()
            .await
            .unwrap();
    }

    /// A confirmed user; gives the `sub`.
    async fn register(&self) -> String {
        let sub = self.create(EMAIL).await;
        self.set_password(EMAIL, PASSWORD, true).await;
        sub
    }

    /// Signs in; a refusal gives the error's code and message.
    async fn try_login(&self, email: &str, password: &str) -> Result<InitiateAuthOutput, (String, String)> {
        self.cognito
            .initiate_auth()
            .client_id(DEFAULT_CLIENT_ID)
            .auth_flow(AuthFlowType::UserPasswordAuth)
            .auth_parameters("USERNAME", email)
            .auth_parameters("PASSWORD", password)
            .send()
            .await
            .map_err(|error| described(&error))
    }

    async fn login(&self, password: &str) -> AuthenticationResultType {
        let answer = self.try_login(EMAIL, password).await.unwrap();
        answer.authentication_result.unwrap()
    }

    async fn refresh(&self, token: &str) -> Result<AuthenticationResultType, (String, String)> {
        let answer = self
            .cognito
            .admin_initiate_auth()
            .user_pool_id(DEFAULT_POOL_ID)
            .client_id(DEFAULT_CLIENT_ID)
            .auth_flow(AuthFlowType::RefreshTokenAuth)
            .auth_parameters("REFRESH_TOKEN", token)
            .send()
            .await
            .map_err(|error| described(&error))?;
        Ok(answer.authentication_result.unwrap())
    }

    async fn get_user(&self, access_token: &str) -> Result<String, (String, String)> {
        let answer = self.cognito.get_user().access_token(access_token).send().await;
        answer.map(|answer| answer.username).map_err(|error| described(&error))
    }

    async fn forgot_password(&self, email: &str) -> Result<String, (String, String)> {
        let answer = self
            .cognito
            .forgot_password()
            .client_id(DEFAULT_CLIENT_ID)
            .username(email)
            .send()
            .await
            .map_err(|error| described(&error))?;
        Ok(answer.code_delivery_details.unwrap().destination.unwrap())
    }

    async fn reset(&self, email: &str, code: &str, password: &str) -> Result<(), String> {
        self.cognito
            .confirm_forgot_password()
            .client_id(DEFAULT_CLIENT_ID)
            .username(email)
            .confirmation_code(code)
            .password(password)
            .send()
            .await
            .map(|_| ())
            .map_err(|error| error.code().unwrap().to_owned())
    }

    fn code(&self) -> String {
        self.pool.last_code(EMAIL).unwrap().expose().to_owned()
    }

    /// The claims of a token that verifies against the published keys.
    fn claims(&self, token: &str) -> Value {
        let keys: JwkSet = serde_json::from_value(self.pool.jwks()).unwrap();
        let kid = jsonwebtoken::decode_header(token).unwrap().kid.unwrap();
        let key = DecodingKey::from_jwk(keys.find(&kid).unwrap()).unwrap();
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        validation.set_issuer(&[ISSUER]);
        jsonwebtoken::decode(token, &key, &validation).unwrap().claims
    }
}

fn open_pool(dir: &Path, clock: &Arc<ManualClock>) -> (Arc<UserPool>, Cognito) {
    let random = Arc::new(SystemRandom);
    let pool = UserPool::open(dir, clock.clone(), random, ISSUER, DEFAULT_POOL_ID, DEFAULT_CLIENT_ID).unwrap();
    let endpoint = Endpoint::builder("000000000000")
        .with(Service::Cognito, pool.clone())
        .build();
    (pool, Clients::new(sdk_config(endpoint)).cognito().clone())
}

fn described(error: &impl ProvideErrorMetadata) -> (String, String) {
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    (text(error.code()), text(error.message()))
}

fn wrong_credentials() -> (String, String) {
    (
        "NotAuthorizedException".to_owned(),
        "Incorrect username or password.".to_owned(),
    )
}

#[tokio::test]
async fn a_user_registers_signs_in_refreshes_and_signs_out() {
    let it = Fixture::new();
    let sub = it.register().await;
    let tokens = it.login(PASSWORD).await;
    assert_eq!((tokens.expires_in, tokens.token_type()), (86_400, Some("Bearer")));
    let (access, refresh) = (tokens.access_token().unwrap(), tokens.refresh_token().unwrap());
    assert_eq!(it.get_user(access).await.unwrap(), sub);

    let refreshed = it.refresh(refresh).await.unwrap();
    assert_eq!(refreshed.refresh_token(), None);
    assert_eq!(it.get_user(refreshed.access_token().unwrap()).await.unwrap(), sub);

    let sign_out = |token: &str| it.cognito.global_sign_out().access_token(token).send();
    sign_out(access).await.unwrap();
    let revoked = (
        "NotAuthorizedException".to_owned(),
        "Access Token has been revoked".to_owned(),
    );
    assert_eq!(it.get_user(access).await.unwrap_err(), revoked);
    assert_eq!(
        it.get_user(refreshed.access_token().unwrap()).await.unwrap_err(),
        revoked
    );
    assert_eq!(it.refresh(refresh).await.unwrap_err().0, "NotAuthorizedException");
    assert!(
        sign_out(access)
            .await
            .unwrap_err()
            .into_service_error()
            .is_not_authorized_exception()
    );
}

#[tokio::test]
async fn tokens_carry_cognitos_claims_and_verify_against_the_published_keys() {
    let it = Fixture::new();
    let sub = it.register().await;
    it.cognito
        .admin_add_user_to_group()
        .user_pool_id(DEFAULT_POOL_ID)
        .username(EMAIL)
        .group_name("plan-free")
        .send()
        .await
        .unwrap();
    let tokens = it.login(PASSWORD).await;
    let access = it.claims(tokens.access_token().unwrap());
    let id = it.claims(tokens.id_token().unwrap());
    for (name, expected) in [
        ("sub", sub.as_str()),
        ("username", &sub),
        ("iss", ISSUER),
        ("client_id", DEFAULT_CLIENT_ID),
        ("token_use", "access"),
        ("scope", "aws.cognito.signin.user.admin"),
    ] {
        assert_eq!(access[name], expected, "{name}");
    }
    assert_eq!(access["iat"], 1_800_000_000);
    assert_eq!(access["exp"], 1_800_086_400);
    assert_eq!(access["cognito:groups"], serde_json::json!(["plan-free"]));
    for (name, expected) in [
        ("sub", sub.as_str()),
        ("cognito:username", &sub),
        ("aud", DEFAULT_CLIENT_ID),
        ("token_use", "id"),
        ("email", EMAIL),
        ("name", "Ann"),
    ] {
        assert_eq!(id[name], expected, "{name}");
    }
    assert_eq!(id["email_verified"], true);
    assert_eq!(id["origin_jti"], access["origin_jti"]);
    assert_ne!(id["jti"], access["jti"]);

    let bare = it.get_user(tokens.id_token().unwrap()).await.unwrap_err();
    assert_eq!(bare.1, "Invalid Access Token");
    it.clock.advance(Duration::hours(24));
    let expired = it.get_user(tokens.access_token().unwrap()).await.unwrap_err();
    assert_eq!(expired.1, "Access Token has expired");
}

#[tokio::test]
async fn tokens_of_another_pools_key_are_refused() {
    let (it, other) = (Fixture::new(), Fixture::new());
    it.register().await;
    other.register().await;
    let foreign = other.login(PASSWORD).await;
    let refused = it.get_user(foreign.access_token().unwrap()).await.unwrap_err();
    assert_eq!(refused.1, "Invalid Access Token");
}

#[tokio::test]
async fn an_unknown_user_is_refused_like_a_wrong_password() {
    let it = Fixture::new();
    it.register().await;
    assert_eq!(
        it.try_login(EMAIL, "Wrong-one1").await.unwrap_err(),
        wrong_credentials()
    );
    assert_eq!(
        it.try_login("bob@example.com", PASSWORD).await.unwrap_err(),
        wrong_credentials()
    );
    assert_eq!(it.forgot_password("bob@example.com").await.unwrap(), "b***@e***");
    assert_eq!(it.forgot_password(EMAIL).await.unwrap(), "a***@e***");
    assert!(it.pool.last_code("bob@example.com").is_none());
    assert_eq!(
        it.reset("bob@example.com", "123456", PASSWORD).await.unwrap_err(),
        "CodeMismatchException"
    );
    let known_to_admin = it
        .cognito
        .admin_get_user()
        .user_pool_id(DEFAULT_POOL_ID)
        .username("bob@example.com")
        .send()
        .await
        .unwrap_err();
    assert!(known_to_admin.into_service_error().is_user_not_found_exception());
}

#[tokio::test]
async fn the_email_is_the_user_name_in_any_case_and_taken_once() {
    let it = Fixture::new();
    it.register().await;
    assert!(it.try_login("Ann@Example.COM", PASSWORD).await.is_ok());
    let taken = it
        .cognito
        .admin_create_user()
        .user_pool_id(DEFAULT_POOL_ID)
        .username("ANN@example.com")
        .send()
        .await
        .unwrap_err();
    assert!(taken.into_service_error().is_username_exists_exception());

    let bob = it.create("bob@example.com").await;
    let update = |email: &str| {
        let email = AttributeType::builder().name("email").value(email).build().unwrap();
        it.cognito
            .admin_update_user_attributes()
            .user_pool_id(DEFAULT_POOL_ID)
            .username(&bob)
            .user_attributes(email)
            .send()
    };
    let taken = update(EMAIL).await.unwrap_err().into_service_error();
    assert!(taken.is_alias_exists_exception());
    update("robert@example.com").await.unwrap();
    let found = it
        .cognito
        .list_users()
        .user_pool_id(DEFAULT_POOL_ID)
        .filter("email = \"robert@example.com\"")
        .send()
        .await
        .unwrap();
    let [user] = found.users() else {
        panic!("exactly one user")
    };
    assert_eq!(user.username(), Some(bob.as_str()));
    let verified = user.attributes().iter().find(|a| a.name() == "email_verified").unwrap();
    assert_eq!(verified.value(), Some("false"));
}

#[tokio::test]
async fn many_wrong_passwords_lock_the_user_for_a_while() {
    let it = Fixture::new();
    it.register().await;
    for _ in 0..5 {
        assert_eq!(
            it.try_login(EMAIL, "Wrong-one1").await.unwrap_err(),
            wrong_credentials()
        );
    }
    let locked = it.try_login(EMAIL, PASSWORD).await.unwrap_err();
    assert_eq!(locked.1, "Password attempts exceeded");
    it.clock.advance(Duration::seconds(1));
    it.login(PASSWORD).await;
    assert_eq!(
        it.try_login(EMAIL, "Wrong-one1").await.unwrap_err(),
        wrong_credentials()
    );
    it.login(PASSWORD).await;
}

#[tokio::test]
async fn a_temporary_password_must_be_replaced_before_the_first_sign_in() {
    let it = Fixture::new();
    it.create(EMAIL).await;
    it.set_password(EMAIL, PASSWORD, false).await;
    let challenge = it.try_login(EMAIL, PASSWORD).await.unwrap();
    assert_eq!(
        challenge.challenge_name(),
        Some(&ChallengeNameType::NewPasswordRequired)
    );
    assert!(challenge.authentication_result().is_none());

    let respond = |session: &str, password: &str| {
        it.cognito
            .respond_to_auth_challenge()
            .client_id(DEFAULT_CLIENT_ID)
            .challenge_name(ChallengeNameType::NewPasswordRequired)
            .session(session)
            .challenge_responses("USERNAME", EMAIL)
            .challenge_responses("NEW_PASSWORD", password)
            .send()
    };
    let session = challenge.session().unwrap();
    let weak = respond(session, "weak").await.unwrap_err().into_service_error();
    assert!(weak.is_invalid_password_exception());
    let wrong = respond("not-this-session-at-all", OTHER_PASSWORD).await.unwrap_err();
    assert!(wrong.into_service_error().is_not_authorized_exception());
    let done = respond(session, OTHER_PASSWORD).await.unwrap();
    assert!(done.authentication_result().unwrap().refresh_token().is_some());
    let again = respond(session, PASSWORD).await.unwrap_err();
    assert!(again.into_service_error().is_not_authorized_exception());

    it.login(OTHER_PASSWORD).await;
    let user = it
        .cognito
        .admin_get_user()
        .user_pool_id(DEFAULT_POOL_ID)
        .username(EMAIL)
        .send()
        .await
        .unwrap();
    assert_eq!(user.user_status(), Some(&UserStatusType::Confirmed));
    assert!(
        user.user_attributes()
            .iter()
            .any(|a| a.name() == "email" && a.value() == Some(EMAIL))
    );
}

#[tokio::test]
async fn a_temporary_password_stops_working_after_a_week() {
    let it = Fixture::new();
    it.create(EMAIL).await;
    it.set_password(EMAIL, PASSWORD, false).await;
    it.clock.advance(Duration::days(7));
    let (code, message) = it.try_login(EMAIL, PASSWORD).await.unwrap_err();
    assert_eq!(code, "NotAuthorizedException");
    assert!(message.starts_with("Temporary password has expired"), "{message}");
    assert_eq!(it.forgot_password(EMAIL).await.unwrap_err().0, "NotAuthorizedException");
}

#[tokio::test]
async fn changing_the_password_ends_the_other_sessions() {
    let it = Fixture::new();
    it.register().await;
    let (mine, other) = (it.login(PASSWORD).await, it.login(PASSWORD).await);
    let change = |old: &str, new: &str| {
        it.cognito
            .change_password()
            .access_token(mine.access_token().unwrap())
            .previous_password(old)
            .proposed_password(new)
            .send()
    };
    let wrong = change("Wrong-one1", OTHER_PASSWORD).await.unwrap_err();
    assert!(wrong.into_service_error().is_not_authorized_exception());
    let weak = change(PASSWORD, "abcdefgh").await.unwrap_err();
    assert!(weak.into_service_error().is_invalid_password_exception());
    change(PASSWORD, OTHER_PASSWORD).await.unwrap();

    it.refresh(mine.refresh_token().unwrap()).await.unwrap();
    assert!(it.refresh(other.refresh_token().unwrap()).await.is_err());
    assert!(it.get_user(other.access_token().unwrap()).await.is_err());
    assert_eq!(it.try_login(EMAIL, PASSWORD).await.unwrap_err(), wrong_credentials());
    it.login(OTHER_PASSWORD).await;
}

#[tokio::test]
async fn a_code_resets_the_password_once_and_ends_all_sessions() {
    let it = Fixture::new();
    it.register().await;
    let tokens = it.login(PASSWORD).await;
    assert_eq!(
        it.reset(EMAIL, "123456", OTHER_PASSWORD).await.unwrap_err(),
        "ExpiredCodeException"
    );
    it.forgot_password(EMAIL).await.unwrap();
    let code = it.code();
    assert_eq!(
        it.reset(EMAIL, &code, "weak").await.unwrap_err(),
        "InvalidPasswordException"
    );
    it.reset(EMAIL, &code, OTHER_PASSWORD).await.unwrap();
    assert_eq!(
        it.reset(EMAIL, &code, PASSWORD).await.unwrap_err(),
        "ExpiredCodeException"
    );
    assert!(it.refresh(tokens.refresh_token().unwrap()).await.is_err());
    it.login(OTHER_PASSWORD).await;
}

#[tokio::test]
async fn codes_expire_and_cannot_be_guessed() {
    let it = Fixture::new();
    it.register().await;
    it.forgot_password(EMAIL).await.unwrap();
    let code = it.code();
    let wrong = if code == "000000" { "000001" } else { "000000" };
    for _ in 0..5 {
        assert_eq!(
            it.reset(EMAIL, wrong, OTHER_PASSWORD).await.unwrap_err(),
            "CodeMismatchException"
        );
    }
    assert_eq!(
        it.reset(EMAIL, &code, OTHER_PASSWORD).await.unwrap_err(),
        "LimitExceededException"
    );

    for _ in 0..4 {
        it.forgot_password(EMAIL).await.unwrap();
    }
    assert_eq!(it.forgot_password(EMAIL).await.unwrap_err().0, "LimitExceededException");
    it.clock.advance(Duration::hours(1));
    assert_eq!(
        it.reset(EMAIL, &it.code(), OTHER_PASSWORD).await.unwrap_err(),
        "ExpiredCodeException"
    );
    it.forgot_password(EMAIL).await.unwrap();
    it.reset(EMAIL, &it.code(), OTHER_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_refresh_token_dies_by_revocation_disabling_and_age() {
    let it = Fixture::new();
    it.register().await;
    let (revoked, kept) = (it.login(PASSWORD).await, it.login(PASSWORD).await);
    it.cognito
        .revoke_token()
        .client_id(DEFAULT_CLIENT_ID)
        .token(revoked.refresh_token().unwrap())
        .send()
        .await
        .unwrap();
    assert!(it.refresh(revoked.refresh_token().unwrap()).await.is_err());
    assert!(it.get_user(revoked.access_token().unwrap()).await.is_err());

    it.clock.advance(Duration::days(30) - Duration::seconds(1));
    it.refresh(kept.refresh_token().unwrap()).await.unwrap();
    it.clock.advance(Duration::seconds(1));
    let expired = it.refresh(kept.refresh_token().unwrap()).await.unwrap_err();
    assert_eq!(expired.1, "Refresh Token has expired");

    let tokens = it.login(PASSWORD).await;
    it.cognito
        .admin_disable_user()
        .user_pool_id(DEFAULT_POOL_ID)
        .username(EMAIL)
        .send()
        .await
        .unwrap();
    assert!(it.refresh(tokens.refresh_token().unwrap()).await.is_err());
    assert_eq!(it.try_login(EMAIL, PASSWORD).await.unwrap_err().1, "User is disabled.");
}

#[tokio::test]
async fn users_sessions_and_the_signing_key_survive_a_restart_and_no_password_is_stored() {
    let mut it = Fixture::new();
    let sub = it.register().await;
    let tokens = it.login(PASSWORD).await;
    it.reopen();
    assert_eq!(it.get_user(tokens.access_token().unwrap()).await.unwrap(), sub);
    it.refresh(tokens.refresh_token().unwrap()).await.unwrap();
    it.login(PASSWORD).await;

    let stored = std::fs::read_to_string(it.dir.path().join("users.json")).unwrap();
    assert!(!stored.contains(PASSWORD));
    assert!(!stored.contains(tokens.refresh_token().unwrap()));
}

#[tokio::test]
async fn a_deleted_user_is_gone_and_the_email_is_free_again() {
    let it = Fixture::new();
    let first = it.register().await;
    let tokens = it.login(PASSWORD).await;
    it.cognito
        .admin_delete_user()
        .user_pool_id(DEFAULT_POOL_ID)
        .username(EMAIL)
        .send()
        .await
        .unwrap();
    assert_eq!(
        it.get_user(tokens.access_token().unwrap()).await.unwrap_err().0,
        "UserNotFoundException"
    );
    assert_ne!(it.register().await, first);
}

#[tokio::test]
async fn listing_goes_page_by_page_through_all_users() {
    let it = Fixture::new();
    for n in 0..5 {
        it.create(&format!("user{n}@example.com")).await;
    }
    let (mut seen, mut token) = (Vec::new(), None);
    loop {
        let page = it
            .cognito
            .list_users()
            .user_pool_id(DEFAULT_POOL_ID)
            .limit(2)
            .set_pagination_token(token)
            .send()
            .await
            .unwrap();
        seen.extend(page.users().iter().map(|user| user.username().unwrap().to_owned()));
        token = page.pagination_token;
        if token.is_none() {
            break;
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 5);
    let bad = it
        .cognito
        .list_users()
        .user_pool_id(DEFAULT_POOL_ID)
        .filter("email")
        .send()
        .await;
    assert!(bad.unwrap_err().into_service_error().is_invalid_parameter_exception());
}

#[tokio::test]
async fn another_pool_client_or_flow_is_refused() {
    let it = Fixture::new();
    it.register().await;
    let pool = it
        .cognito
        .admin_get_user()
        .user_pool_id("us-west-2_other")
        .username(EMAIL)
        .send()
        .await;
    assert!(pool.unwrap_err().into_service_error().is_resource_not_found_exception());
    let client = it
        .cognito
        .forgot_password()
        .client_id("other")
        .username(EMAIL)
        .send()
        .await;
    assert!(
        client
            .unwrap_err()
            .into_service_error()
            .is_resource_not_found_exception()
    );
    let flow = it
        .cognito
        .initiate_auth()
        .client_id(DEFAULT_CLIENT_ID)
        .auth_flow(AuthFlowType::AdminUserPasswordAuth)
        .auth_parameters("USERNAME", EMAIL)
        .auth_parameters("PASSWORD", PASSWORD)
        .send()
        .await;
    assert!(flow.unwrap_err().into_service_error().is_invalid_parameter_exception());
    let described = it
        .cognito
        .describe_user_pool()
        .user_pool_id(DEFAULT_POOL_ID)
        .send()
        .await
        .unwrap();
    assert_eq!(described.user_pool().unwrap().estimated_number_of_users(), 1);
}

fn open_kms(dir: &Path) -> Kms {
    let service = KeyService::open(dir, "123456789012", Arc::new(SystemRandom)).unwrap();
    let endpoint = Endpoint::builder("123456789012").with(Service::Kms, service).build();
    Clients::new(sdk_config(endpoint)).kms().clone()
}

#[tokio::test]
async fn a_data_key_opens_only_in_its_context_and_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let made = open_kms(dir.path())
        .generate_data_key()
        .key_id("alias/mfh-dev-credentials")
        .key_spec(DataKeySpec::Aes256)
        .encryption_context("account_id", "account:1")
        .encryption_context("connection_id", "connection:1")
        .send()
        .await
        .unwrap();
    assert_eq!(made.key_id(), Some("arn:aws:kms:us-west-2:123456789012:key/local"));
    let plain = made.plaintext().unwrap();
    assert_eq!(plain.as_ref().len(), 32);

    let kms = open_kms(dir.path());
    let open = |blob: Blob, connection: &str| {
        kms.decrypt()
            .ciphertext_blob(blob)
            .encryption_context("account_id", "account:1")
            .encryption_context("connection_id", connection)
            .send()
    };
    let blob = made.ciphertext_blob().unwrap().clone();
    let opened = open(blob.clone(), "connection:1").await.unwrap();
    assert_eq!(opened.plaintext(), Some(plain));

    let foreign = open(blob.clone(), "connection:2").await.unwrap_err();
    assert!(foreign.into_service_error().is_invalid_ciphertext_exception());
    let mut damaged = blob.into_inner();
    *damaged.last_mut().unwrap() ^= 1;
    for bytes in [damaged, vec![], vec![1, 2, 3]] {
        let refused = open(Blob::new(bytes), "connection:1").await.unwrap_err();
        assert!(refused.into_service_error().is_invalid_ciphertext_exception());
    }
}

#[tokio::test]
async fn text_is_sealed_and_another_machines_key_does_not_open_it() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let kms = open_kms(here.path());
    let sealed = kms
        .encrypt()
        .key_id("local")
        .plaintext(Blob::new("hello"))
        .send()
        .await
        .unwrap();
    let blob = sealed.ciphertext_blob.unwrap();
    let opened = kms.decrypt().ciphertext_blob(blob.clone()).send().await.unwrap();
    assert_eq!(opened.plaintext.unwrap().as_ref(), b"hello");
    let refused = open_kms(there.path())
        .decrypt()
        .ciphertext_blob(blob)
        .send()
        .await
        .unwrap_err();
    assert!(refused.into_service_error().is_invalid_ciphertext_exception());
    let described = kms.describe_key().key_id("alias/any").send().await.unwrap();
    assert!(described.key_metadata().unwrap().enabled());
}
