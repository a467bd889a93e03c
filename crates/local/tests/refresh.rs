//! Renewing tokens: many processes over the same tables, and vendors that end a sign-in whose token is used twice.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta};
use futures::future::join_all;
use mfh_aws::{Clients, OAuthClients, SharedQueues, Stage, Tables, Vault};
use mfh_connectors::oauth::{KeptAlive, RecoverError, Recovered, SignInNotice};
use mfh_connectors::{ConnectorError, ErrorKind, Loader, Shared, Sleeper, Transport};
use mfh_database::{Connecting, ConnectionChange, Database, NewConnection, NewSecrets, Registration, StoredSecrets};
use mfh_local::aws::dynamodb::DynamoDb;
use mfh_local::aws::http_client::sdk_config;
use mfh_local::aws::sqs::Receive;
use mfh_local::aws::{AwsService, Endpoint, Service};
use mfh_local::cloud::{ACCOUNT_ID, Cloud, SECRETS_KEY, STAGE};
use mfh_local::data_dir::DataDir;
use mfh_simulators::faults::{Fault, FaultRule};
use mfh_simulators::{Keap, OAuthProvider, Server, keap};
use mfh_types::{
    AccountId, AuthId, AuthStatus, Clock, ConnectionId, ConnectionStatus, Credentials, ManualClock, Platform,
    PlatformConnection, PlatformConnectionAuth, Random, Secret, SystemRandom, Timestamp,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

/// Longer than any access token lives.
const DAY: i64 = 86_400;

/// Waits for the next change of the stored tokens instead of for a time; the clock stands still.
#[derive(Debug)]
struct NextChange {
    changes: Mutex<watch::Receiver<u64>>,
    waits: watch::Sender<usize>,
}

#[async_trait]
impl Sleeper for NextChange {
    async fn sleep(&self, _: Duration) {
        let mut changes = self.changes.lock().unwrap().clone();
        // A change since the last wait counts too: it may have come after the waiter had read the tokens.
        if !changes.has_changed().unwrap() {
            self.waits.send_modify(|waits| *waits += 1);
        }
        changes.changed().await.unwrap();
        *self.changes.lock().unwrap() = changes;
    }
}

/// Gives way instead of waiting, where no other process changes the tokens; the clock stands still.
#[derive(Debug)]
struct GiveWay;

#[async_trait]
impl Sleeper for GiveWay {
    async fn sleep(&self, _: Duration) {
        tokio::task::yield_now().await;
    }
}

/// Stands before a vendor's token endpoint, and can hold it back.
#[derive(Debug, Clone, Default)]
struct Gate {
    closed: watch::Sender<bool>,
    held: watch::Sender<usize>,
}

impl Gate {
    async fn pass(State(gate): State<Self>, request: Request, next: Next) -> Response {
        if request.uri().path() == "/oauth/token" && *gate.closed.borrow() {
            gate.held.send_modify(|held| *held += 1);
            gate.closed.subscribe().wait_for(|closed| !closed).await.unwrap();
        }
        next.run(request).await
    }

    fn close(&self) {
        self.closed.send_replace(true);
    }

    fn open(&self) {
        self.closed.send_replace(false);
    }

    /// Waits until the vendor has been asked for tokens; it has not answered yet.
    async fn is_asked(&self) {
        self.held.subscribe().wait_for(|held| *held > 0).await.unwrap();
    }
}

/// Remembers who was told to sign in again.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<String>>);

#[async_trait]
impl SignInNotice for Told {
    async fn sign_in_needed(&self, connection: &PlatformConnection, reason: &str) {
        self.0.lock().unwrap().push(format!("{}: {reason}", connection.name));
    }
}

/// The tables, which can be made to refuse new credentials.
struct Moody {
    tables: Arc<DynamoDb>,
    refuses_secrets: AtomicBool,
}

#[async_trait]
impl AwsService for Moody {
    async fn call(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        let stores_secrets = || {
            let body = String::from_utf8_lossy(request.body());
            body.contains("platform-connection-auths") && body.contains("secrets_key_id")
        };
        if self.refuses_secrets.load(Ordering::SeqCst) && stores_secrets() {
            let refusal = json!({"__type": "AccessDeniedException", "message": "not now"});
            let response = http::Response::builder()
                .status(400)
                .header("content-type", "application/x-amz-json-1.0");
            return response.body(Bytes::from(refusal.to_string())).unwrap();
        }
        self.tables.call(request).await
    }
}

/// An account `a` that is signed in at Keap and Zoom, by the connections of these names.
struct Bench {
    clock: Arc<ManualClock>,
    cloud: Cloud,
    tables: Arc<Moody>,
    database: Database,
    keap: Keap,
    zoom: OAuthProvider,
    told: Arc<Told>,
    gate: Gate,
    /// How often a process of the bench waited for another.
    waits: watch::Sender<usize>,
    _servers: [Server; 2],
    _folder: TempDir,
}

fn record<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn account() -> AccountId {
    AccountId::parse("a").unwrap()
}

fn connection(name: &str) -> ConnectionId {
    ConnectionId::parse(name).unwrap()
}

fn auth(name: &str) -> AuthId {
    AuthId::parse(name).unwrap()
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let manual = Arc::new(ManualClock::at(DateTime::from_timestamp(1_772_323_200, 0).unwrap()));
        let clock: Arc<dyn Clock> = manual.clone();
        let random: Arc<dyn Random> = Arc::new(SystemRandom);
        let dir = DataDir::open(folder.path()).unwrap();
        let cloud = Cloud::open(&dir, "http://127.0.0.1:1", &clock, &random).unwrap();
        cloud.deploy().await.unwrap();
        let keap = Keap::open(None, clock.clone(), random.clone()).unwrap();
        let profile = OAuthProvider::profile("zoom").unwrap();
        let zoom = OAuthProvider::open(profile, None, clock.clone(), random).unwrap();
        let gate = Gate::default();
        let gated = zoom.router().layer(from_fn_with_state(gate.clone(), Gate::pass));
        let servers = [keap.start().await.unwrap(), Server::start(gated, "").await.unwrap()];
        let tables = Arc::new(Moody {
            tables: cloud.dynamodb.clone(),
            refuses_secrets: AtomicBool::new(false),
        });
        let endpoint = Endpoint::builder(ACCOUNT_ID).with(Service::DynamoDb, tables.clone());
        let clients = Clients::new(sdk_config(endpoint.build()));
        let database = Database::new(clients.dynamodb().clone(), Tables::by_convention(&Stage::new(STAGE)));
        let bench = Self {
            clock: manual,
            cloud,
            tables,
            database,
            keap,
            zoom,
            told: Arc::default(),
            gate,
            waits: watch::Sender::new(0),
            _servers: servers,
            _folder: folder,
        };
        bench.plant().await;
        bench
    }

    /// A process of its own over the tables of all.
    fn process(&self) -> Loader {
        let tokens = Tables::by_convention(&Stage::new(STAGE)).platform_connection_auths;
        self.process_with(Arc::new(NextChange {
            changes: Mutex::new(self.cloud.dynamodb.watch(tokens)),
            waits: self.waits.clone(),
        }))
    }

    /// A process that sends to the shared queues of a stage.
    fn sending_process(&self, stage: &str) -> Loader {
        self.process_with(Arc::new(GiveWay))
            .sending_to(SharedQueues::new(self.cloud.clients.sqs(), &Stage::new(stage)))
    }

    fn refuse_secrets(&self, refuse: bool) {
        self.tables.refuses_secrets.store(refuse, Ordering::SeqCst);
    }

    /// Takes what lies in a queue: the groups and the texts of the messages.
    async fn take(&self, queue: String) -> Vec<(Option<String>, String)> {
        let all = Receive {
            max: 10,
            wait: Some(Duration::ZERO),
            visibility: None,
        };
        let messages = self.cloud.sqs.receive(queue.as_str(), all).await.unwrap();
        let mut taken = Vec::new();
        for received in messages {
            let group = received.message.group.as_deref().map(str::to_owned);
            taken.push((group, received.message.body.clone()));
            self.cloud.sqs.delete(queue.as_str(), received.receipt).await.unwrap();
        }
        taken
    }

    /// Lets a process renew Zoom's tokens while the table takes none, and ends it; the message that it leaves.
    async fn lose_renewed_tokens(&self) -> String {
        self.refuse_secrets(true);
        let process = self.sending_process(STAGE);
        let error = self.token(&process, "zoom").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable);
        drop(process);
        self.refuse_secrets(false);
        let queue = SharedQueues::recovery_queue(&Stage::new(STAGE));
        assert_eq!(
            self.take(queue.clone()).await,
            [],
            "the process might still have stored them"
        );
        self.advance(15);
        let mut kept = self.take(queue).await;
        assert_eq!(kept.len(), 1);
        kept.remove(0).1
    }

    fn process_with(&self, sleeper: Arc<dyn Sleeper>) -> Loader {
        let clients = &self.cloud.clients;
        let shared = Shared::new(
            Transport::new().unwrap(),
            self.clock.clone(),
            Arc::new(SystemRandom),
            sleeper,
        );
        let vault = Vault::new(clients.kms().clone(), SECRETS_KEY);
        let apps = OAuthClients::new(clients.ssm().clone(), Stage::new(STAGE));
        Loader::new(self.database.clone(), vault, apps, shared, self.clock.clone()).notifying(self.told.clone())
    }

    async fn plant(&self) {
        let now = Timestamp::now(&*self.clock);
        let user = record(json!({
            "user_id": "a", "cognito_user_id": "a", "email": "a@example.com", "name": "a",
            "current_account_id": "a", "created_at": now, "updated_at": now,
        }));
        let account = record(json!({
            "account_id": "a", "owner_user_id": "a", "created_by_user_id": "a", "name": "a",
            "created_at": now, "updated_at": now,
        }));
        let membership = record(json!({
            "user_id": "a", "account_id": "a", "role": "Owner", "status": "Active", "linked_at": now, "updated_at": now,
        }));
        let registered = self.database.users().register(&user, &account, &membership).await;
        assert_eq!(registered, Ok(Registration::Registered));
        let zoom = (self.zoom.client_id(), self.zoom.client_secret());
        for (name, value) in [
            ("keap/oauth/client_id", keap::CLIENT_ID.to_owned()),
            ("keap/oauth/client_secret", keap::CLIENT_SECRET.to_owned()),
            ("zoom/oauth/client_id", zoom.0),
            ("zoom/oauth/client_secret", zoom.1),
        ] {
            let put = self.cloud.clients.ssm().put_parameter().value(value);
            let put = put
                .name(format!("/{STAGE}/platforms/{name}"))
                .r#type("SecureString".into());
            put.send().await.unwrap();
        }
        for mut platform in mfh_platforms::seeds(now) {
            let server = match platform.slug.as_str() {
                "keap" => &self._servers[0],
                "zoom" => &self._servers[1],
                _ => continue,
            };
            let turn = |address: &mut String| {
                let path = address.splitn(4, '/').nth(3).unwrap().trim_start_matches("crm/");
                *address = format!("{}/{path}", server.origin());
            };
            turn(&mut platform.api_config.base_url);
            platform.test.iter_mut().for_each(|test| turn(&mut test.url));
            let oauth = platform.oauth.as_mut().unwrap();
            turn(&mut oauth.token_url);
            turn(&mut oauth.auth_url);
            oauth.revoke.iter_mut().for_each(|revoke| turn(&mut revoke.url));
            platform.api_config.rate_limits.requests_per_second = 10_000;
            platform.api_config.rate_limits.burst_limit = 10_000;
            self.database.platforms().upsert(&platform).await.unwrap();
        }
        let pair = self.keap.issue_tokens().unwrap();
        let tokens = self.credentials(&pair.access_token, Some(&pair.refresh_token));
        self.connect("keap", &tokens).await;
        let tokens = self.sign_in().await;
        self.connect("zoom", &tokens).await;
    }

    fn credentials(&self, access: &str, refresh: Option<&str>) -> Credentials {
        Credentials {
            access_token: Some(Secret::new(access)),
            refresh_token: refresh.map(Secret::new),
            ..Credentials::default()
        }
    }

    /// Tokens of a fresh sign-in at Zoom.
    async fn sign_in(&self) -> Credentials {
        let platform = self.database.platforms().by_slug("zoom").await.unwrap().unwrap();
        let callback = "https://api.test/cb";
        let url = mfh_connectors::oauth::authorization_url(
            platform.oauth.as_ref().unwrap(),
            &self.zoom.client_id(),
            callback,
            "state",
            Some("verifier"),
        );
        let no_redirects = reqwest::redirect::Policy::none();
        let browser = reqwest::Client::builder().redirect(no_redirects).build().unwrap();
        let answer = browser.get(url.unwrap()).send().await.unwrap();
        let back = url::Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap();
        let code = back
            .query_pairs()
            .find(|(name, _)| name == "code")
            .unwrap()
            .1
            .into_owned();
        let loader = self.process();
        let endpoint = loader.token_endpoint(&platform).await.unwrap();
        let grant = endpoint.exchange(&code, callback, Some("verifier")).await.unwrap();
        let refresh = grant.refresh_token.unwrap();
        self.credentials(grant.access_token.expose(), Some(refresh.expose()))
    }

    async fn connect(&self, name: &str, tokens: &Credentials) {
        let now = Timestamp::now(&*self.clock);
        let id = connection(name);
        let new = NewConnection {
            connection: record(json!({
                "connection_id": name, "account_id": "a", "user_id": "a", "platform_id": name, "name": name,
                "status": "active", "auth_type": "oauth2", "auth_id": name, "created_at": now, "updated_at": now,
            })),
            auth: record(json!({
                "auth_id": name, "connection_id": name, "account_id": "a", "user_id": "a", "platform_id": name,
                "auth_type": "oauth2", "status": "active", "expires_at": self.clock.unix() + 3_570,
                "created_at": self.clock.unix(), "updated_at": self.clock.unix(),
            })),
            sealed: self.process().seal(&account(), &id, tokens).await.unwrap(),
        };
        assert_eq!(
            self.database.connections().create(new, 0).await,
            Ok(Connecting::Created)
        );
    }

    fn advance(&self, secs: i64) {
        self.clock.advance(TimeDelta::seconds(secs));
    }

    /// The token that a process signs in with.
    async fn token(&self, process: &Loader, name: &str) -> Result<Secret, ConnectorError> {
        let service = process.load_service(&account(), &connection(name), None).await?;
        service.tokens().token().await
    }

    async fn stored(&self, name: &str) -> (PlatformConnectionAuth, Credentials) {
        let auths = self.database.auths();
        let (record, secrets) = auths
            .get(&account(), &connection(name), &auth(name))
            .await
            .unwrap()
            .unwrap();
        let StoredSecrets::Sealed(sealed) = secrets else {
            panic!("the credentials lie open")
        };
        let vault = Vault::new(self.cloud.clients.kms().clone(), SECRETS_KEY);
        let opened = vault.open(&account(), &connection(name), &sealed.bytes).await.unwrap();
        (record, opened)
    }

    async fn connection(&self, name: &str) -> PlatformConnection {
        let found = self.database.connections().get(&account(), &connection(name)).await;
        found.unwrap().unwrap()
    }

    /// Puts tokens into a connection as a user who signs in again does.
    async fn sign_in_again(&self, name: &str, tokens: &Credentials) {
        let (record, _) = self.stored(name).await;
        let secrets = NewSecrets {
            sealed: self
                .process()
                .seal(&account(), &connection(name), tokens)
                .await
                .unwrap(),
            expires_at: Some(self.clock.unix() + 3_570),
            scope: None,
            token_type: None,
        };
        let (found, id, now) = (self.connection(name).await, auth(name), Timestamp::now(&*self.clock));
        let connections = self.database.connections();
        let nothing_else = ConnectionChange::default();
        let replaced = connections.replace_credentials(&found, &id, secrets, record.version, nothing_else, now);
        assert_eq!(replaced.await, Ok(true));
    }

    /// Reserves the refresh of Zoom's tokens for thirty seconds, as another process does.
    async fn lock(&self) {
        let (account, connection, auth) = (account(), connection("zoom"), auth("zoom"));
        let (auths, now) = (self.database.auths(), Timestamp::now(&*self.clock));
        let owner = ("other", self.clock.unix() + 30);
        let locked = auths.lock_refresh(&account, &connection, &auth, 0, owner, now);
        assert_eq!(locked.await, Ok(true));
    }

    /// What comes of a token's renewal when `happens` happens between the vendor's being asked and its answer.
    async fn token_while<T>(&self, happens: impl Future<Output = T>) -> (Result<Secret, ConnectorError>, T) {
        self.gate.close();
        let process = self.process();
        let meanwhile = async {
            self.gate.is_asked().await;
            let happened = happens.await;
            self.gate.open();
            happened
        };
        tokio::join!(self.token(&process, "zoom"), meanwhile)
    }

    fn zoom_refreshes(&self) -> usize {
        let requests = self.zoom.log().requests();
        requests.iter().filter(|one| one.path == "/oauth/token").count() - 1
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_workers_of_eight_processes_refresh_once_and_all_go_on() {
    let bench = Bench::start().await;
    bench.advance(DAY);
    bench.gate.close();
    let processes: Vec<Loader> = (0..8).map(|_| bench.process()).collect();
    let workers = (0..64).map(|n| bench.token(&processes[n % 8], "zoom"));
    let all_others_wait = async {
        let mut waits = bench.waits.subscribe();
        waits.wait_for(|waits| *waits >= 7).await.unwrap();
        bench.gate.open();
    };
    let (tokens, ()) = tokio::join!(join_all(workers), all_others_wait);
    let tokens: Vec<Secret> = tokens.into_iter().collect::<Result<_, _>>().unwrap();
    let (record, stored) = bench.stored("zoom").await;
    for token in &tokens {
        assert_eq!(Some(token), stored.access_token.as_ref());
    }
    assert_eq!(bench.zoom_refreshes(), 1);
    assert_eq!((bench.zoom.tally().refreshes, bench.zoom.tally().reuses), (1, 0));
    assert_eq!((record.version, record.refresh_attempts), (1, 0));
    for process in &processes {
        let service = process
            .load_service(&account(), &connection("zoom"), Some("zoom"))
            .await
            .unwrap();
        service.test().await.unwrap();
    }
    assert_eq!(bench.zoom_refreshes(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_that_meet_an_expired_keap_token_by_401_refresh_once() {
    let bench = Bench::start().await;
    let processes: Vec<Loader> = (0..4).map(|_| bench.process()).collect();
    let mut connectors = Vec::new();
    for n in 0..16 {
        let loaded = processes[n % 4].load(&account(), &connection("keap")).await.unwrap();
        connectors.push(loaded.connector);
    }
    // The tokens end sooner than was said: only the vendor knows.
    bench.keap.expire_tokens().unwrap();
    let tests = connectors.iter().map(|connector| connector.test_connection());
    join_all(tests)
        .await
        .into_iter()
        .collect::<Result<Vec<()>, _>>()
        .unwrap();
    let requests = bench.keap.log().requests();
    assert_eq!(requests.iter().filter(|one| one.path == "/token").count(), 1);
    assert_eq!(bench.stored("keap").await.0.version, 1);
}

#[tokio::test]
async fn a_token_is_renewed_five_minutes_before_its_end_and_stored_before_it_is_used() {
    let bench = Bench::start().await;
    let process = bench.process();
    let first = bench.token(&process, "zoom").await.unwrap();
    bench.advance(3_570 - 301);
    assert_eq!(bench.token(&process, "zoom").await.unwrap(), first);
    bench.advance(1);
    let second = bench.token(&process, "zoom").await.unwrap();
    assert_ne!(second, first);
    let (record, stored) = bench.stored("zoom").await;
    assert_eq!(stored.access_token, Some(second));
    assert_eq!(record.expires_at, Some(bench.clock.unix() + 3_570));
    assert_eq!(record.last_refresh_at, Some(bench.clock.unix()));
}

#[tokio::test]
async fn a_process_that_died_while_it_refreshed_holds_up_the_others_only_until_its_lease_ends() {
    let bench = Bench::start().await;
    bench.advance(DAY);
    let now = Timestamp::now(&*bench.clock);
    bench.lock().await;
    let process = bench.process_with(bench.clock.clone());
    let error = bench.token(&process, "zoom").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    assert!(error.is_retryable() && error.retry_after.is_some());
    assert_eq!(bench.zoom_refreshes(), 0);
    let waited = (bench.clock.now() - now.0).num_seconds();
    assert!((20..=23).contains(&waited), "{waited}");

    // The next try waits for the rest of the lease, and no longer.
    bench.token(&process, "zoom").await.unwrap();
    assert_eq!(bench.zoom_refreshes(), 1);
    assert!((bench.clock.now() - now.0).num_seconds() <= 34);
}

#[tokio::test]
async fn while_another_process_renews_it_a_token_that_still_lives_is_used() {
    let bench = Bench::start().await;
    bench.advance(3_400);
    bench.lock().await;
    let token = bench.token(&bench.process(), "zoom").await.unwrap();
    assert_eq!(Some(token), bench.stored("zoom").await.1.access_token);
    assert_eq!(bench.zoom_refreshes(), 0);
}

#[tokio::test]
async fn a_refused_refresh_token_ends_the_sign_in_once_and_tells_the_user() {
    let bench = Bench::start().await;
    bench.zoom.revoke_all().unwrap();
    bench.advance(DAY);
    let process = bench.process();
    for _ in 0..3 {
        let error = bench.token(&process, "zoom").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::ConnectionReauthRequired);
        assert!(!error.is_retryable());
    }
    assert_eq!(bench.zoom_refreshes(), 1);
    let found = bench.connection("zoom").await;
    assert_eq!((found.status, found.reauth_required), (ConnectionStatus::Error, true));
    assert!(found.last_error.unwrap().message.contains("sign in again"));
    let (record, stored) = bench.stored("zoom").await;
    assert_eq!(record.status, AuthStatus::ReauthRequired);
    assert!(stored.refresh_token.is_some(), "tokens are never cleared");
    let told = bench.told.0.lock().unwrap().clone();
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("zoom: Zoom has ended the sign-in"), "{told:?}");

    let tokens = bench.sign_in().await;
    bench.sign_in_again("zoom", &tokens).await;
    assert_eq!(Some(bench.token(&process, "zoom").await.unwrap()), tokens.access_token);
}

#[tokio::test]
async fn a_vendor_that_is_down_is_left_alone_for_a_while_and_costs_no_sign_in() {
    let bench = Bench::start().await;
    bench.advance(DAY);
    bench
        .zoom
        .faults()
        .add(FaultRule::status(503).on("POST", "/oauth/token").always());
    let process = bench.process();
    for (wait, asked) in [(0, 1), (4, 1), (1, 2), (9, 2), (1, 3), (19, 3), (1, 4)] {
        bench.advance(wait);
        let error = bench.token(&process, "zoom").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Unavailable);
        assert!(error.retry_after.is_some());
        assert_eq!(bench.zoom_refreshes(), asked);
    }
    let (record, _) = bench.stored("zoom").await;
    assert_eq!((record.status, record.refresh_attempts), (AuthStatus::Active, 4));
    assert_eq!(bench.connection("zoom").await.status, ConnectionStatus::Active);
    bench.zoom.faults().clear();
    bench.advance(40);
    bench.token(&process, "zoom").await.unwrap();
    let (record, _) = bench.stored("zoom").await;
    assert_eq!((record.refresh_attempts, record.refresh_retry_at), (0, None));
    assert!(bench.told.0.lock().unwrap().is_empty());
}

#[tokio::test]
async fn our_own_wrong_client_secret_ends_no_sign_in() {
    let bench = Bench::start().await;
    bench.advance(DAY);
    let put = |value: &'static str| {
        let put = bench.cloud.clients.ssm().put_parameter().value(value).overwrite(true);
        put.name(format!("/{STAGE}/platforms/zoom/oauth/client_secret")).send()
    };
    put("wrong").await.unwrap();
    let process = bench.process();
    assert_eq!(
        bench.token(&process, "zoom").await.unwrap_err().kind,
        ErrorKind::Unavailable
    );
    assert_eq!(bench.stored("zoom").await.0.status, AuthStatus::Active);
    // The refused secret is not remembered.
    put("zoom-demo-secret").await.unwrap();
    bench.advance(10);
    bench.token(&process, "zoom").await.unwrap();
}

#[tokio::test]
async fn an_answer_without_a_refresh_token_keeps_the_old_one() {
    let bench = Bench::start().await;
    bench.advance(DAY);
    let before = bench.stored("zoom").await.1;
    let body = json!({"access_token": "bare", "token_type": "bearer", "expires_in": 3_600});
    bench.zoom.faults().add(
        FaultRule::new(Fault::Status {
            status: 200,
            retry_after: None,
            body: Some(body),
        })
        .on("POST", "/oauth/token"),
    );
    let token = bench.token(&bench.process(), "zoom").await.unwrap();
    assert_eq!(token.expose(), "bare");
    assert_eq!(bench.stored("zoom").await.1.refresh_token, before.refresh_token);
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_is_not_renewed_again_and_again() {
    let bench = Bench::start().await;
    bench.advance(DAY);
    bench
        .zoom
        .faults()
        .add(FaultRule::status(401).on("GET", "/v2/users/me").always());
    let process = bench.process();
    for _ in 0..3 {
        let service = process
            .load_service(&account(), &connection("zoom"), None)
            .await
            .unwrap();
        assert_eq!(service.test().await.unwrap_err().kind, ErrorKind::Unauthorized);
    }
    assert_eq!(bench.zoom_refreshes(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_user_who_signs_in_again_during_a_refresh_wins() {
    let bench = Bench::start().await;
    let newer = bench.sign_in().await;
    bench.advance(DAY);
    let (token, ()) = bench.token_while(bench.sign_in_again("zoom", &newer)).await;
    assert_eq!(Some(token.unwrap()), newer.access_token);
    assert_eq!(bench.stored("zoom").await.1, newer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_deleted_during_a_refresh_stays_deleted_and_its_new_tokens_are_given_back() {
    let bench = Bench::start().await;
    bench.advance(DAY);
    let (account, connection) = (account(), connection("zoom"));
    let connections = bench.database.connections();
    let (token, deleted) = bench.token_while(connections.delete(&account, &connection)).await;
    assert_eq!(deleted, Ok(true));
    assert_eq!(token.unwrap_err().kind, ErrorKind::ConnectionNotFound);
    let auths = bench.database.auths();
    assert_eq!(auths.get(&account, &connection, &auth("zoom")).await, Ok(None));
    assert_eq!(bench.zoom.tally().revocations, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_switched_off_during_a_refresh_stays_off() {
    let bench = Bench::start().await;
    bench.advance(DAY);
    let off = ConnectionChange {
        status: Some(ConnectionStatus::Disconnected),
        ..ConnectionChange::default()
    };
    let (account, connection, now) = (account(), connection("zoom"), Timestamp::now(&*bench.clock));
    let connections = bench.database.connections();
    let (_, switched) = bench
        .token_while(connections.update(&account, &connection, off, now))
        .await;
    switched.unwrap();
    assert_eq!(bench.connection("zoom").await.status, ConnectionStatus::Disconnected);
    let error = bench.token(&bench.process(), "zoom").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ConnectionDisabled);
}

#[tokio::test]
async fn rotating_tokens_that_nobody_uses_are_renewed_every_twenty_days() {
    let bench = Bench::start().await;
    let process = bench.process();
    bench.advance(20 * DAY);
    assert_eq!(process.keep_alive().await, Ok(KeptAlive::default()));
    bench.advance(1);
    let kept = KeptAlive { renewed: 2, failed: 0 };
    assert_eq!(process.keep_alive().await, Ok(kept));
    assert_eq!(process.keep_alive().await, Ok(KeptAlive::default()));
    // So a connection outlives the 45 days of Keap and the 90 days of Zoom.
    for _ in 0..5 {
        bench.advance(20 * DAY + 1);
        assert_eq!(process.keep_alive().await, Ok(kept));
    }
    bench.token(&process, "zoom").await.unwrap();
    let loaded = process.load(&account(), &connection("keap")).await.unwrap();
    loaded.connector.test_connection().await.unwrap();
}

#[tokio::test]
async fn no_token_reaches_an_error_or_the_open_part_of_a_record() {
    let bench = Bench::start().await;
    let (_, stored) = bench.stored("zoom").await;
    bench.zoom.revoke_all().unwrap();
    bench.advance(DAY);
    let error = bench.token(&bench.process(), "zoom").await.unwrap_err();
    let (record, _) = bench.stored("zoom").await;
    let platform: Platform = bench.database.platforms().by_slug("zoom").await.unwrap().unwrap();
    let text = format!("{error:?} {record:?} {:?} {platform:?}", bench.connection("zoom").await);
    for secret in [stored.access_token.unwrap(), stored.refresh_token.unwrap()] {
        assert!(!text.contains(secret.expose()));
    }
    assert!(!text.contains("demo-secret"));
}

#[tokio::test]
async fn renewed_tokens_outlive_the_process_that_could_not_store_them() {
    let bench = Bench::start().await;
    let before = bench.stored("zoom").await;
    bench.advance(DAY);
    let kept = bench.lose_renewed_tokens().await;
    assert_eq!(bench.stored("zoom").await.1, before.1);

    let process = bench.sending_process(STAGE);
    bench.refuse_secrets(true);
    let failed = process.recover(&kept).await;
    assert!(matches!(failed, Err(RecoverError::Database(_))), "{failed:?}");
    bench.refuse_secrets(false);
    assert_eq!(process.recover(&kept).await.unwrap(), Recovered::Stored);

    let (record, stored) = bench.stored("zoom").await;
    assert_eq!((record.version, record.status), (1, AuthStatus::Active));
    assert_ne!(stored.refresh_token, before.1.refresh_token);
    for secret in [stored.access_token.clone().unwrap(), stored.refresh_token.unwrap()] {
        assert!(!kept.contains(secret.expose()));
    }
    assert_eq!(
        bench.token(&bench.process(), "zoom").await.unwrap(),
        stored.access_token.unwrap()
    );
    assert_eq!((bench.zoom_refreshes(), bench.zoom.tally().reuses), (1, 0));

    // A second delivery finds them stored, and the next refresh works with them.
    assert_eq!(process.recover(&kept).await.unwrap(), Recovered::NotNeeded);
    bench.advance(DAY);
    bench.token(&process, "zoom").await.unwrap();
    assert_eq!((bench.zoom_refreshes(), bench.zoom.tally().reuses), (2, 0));
}

#[tokio::test]
async fn tokens_that_are_stored_at_the_second_try_are_not_stored_again() {
    let bench = Bench::start().await;
    bench.advance(DAY);
    let kept = bench.lose_renewed_tokens().await;
    let process = bench.sending_process(STAGE);
    assert_eq!(process.recover(&kept).await.unwrap(), Recovered::Stored);
    bench.advance(DAY);
    let renewed = bench.token(&process, "zoom").await.unwrap();
    assert_eq!(process.recover(&kept).await.unwrap(), Recovered::NotNeeded);
    assert_eq!(bench.stored("zoom").await.1.access_token, Some(renewed));
}

#[tokio::test]
async fn a_sign_in_that_was_declared_dead_for_its_spent_token_lives_on_with_the_kept_one() {
    let bench = Bench::start().await;
    bench.advance(DAY);
    let kept = bench.lose_renewed_tokens().await;
    bench.advance(31);
    // This vendor refuses a spent token, and leaves the new one as it is.
    let refusal = Fault::Status {
        status: 400,
        retry_after: None,
        body: Some(json!({"error": "invalid_grant"})),
    };
    bench
        .zoom
        .faults()
        .add(FaultRule::new(refusal).on("POST", "/oauth/token"));
    let other = bench.process();
    let error = bench.token(&other, "zoom").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ConnectionReauthRequired);
    assert_eq!(bench.stored("zoom").await.0.status, AuthStatus::ReauthRequired);

    assert_eq!(other.recover(&kept).await.unwrap(), Recovered::Stored);
    let found = bench.connection("zoom").await;
    assert_eq!((found.status, found.reauth_required), (ConnectionStatus::Active, false));
    assert_eq!(found.last_error, None);
    let token = bench.token(&other, "zoom").await.unwrap();
    assert_eq!(Some(token), bench.stored("zoom").await.1.access_token);
    assert_eq!(other.recover(&kept).await.unwrap(), Recovered::NotNeeded);
}

#[tokio::test]
async fn kept_tokens_give_way_to_a_new_sign_in_and_go_back_with_a_deleted_connection() {
    let bench = Bench::start().await;
    let newer = bench.sign_in().await;
    bench.advance(DAY);
    let kept = bench.lose_renewed_tokens().await;
    bench.sign_in_again("zoom", &newer).await;
    let process = bench.process();
    assert_eq!(process.recover(&kept).await.unwrap(), Recovered::NotNeeded);
    assert_eq!(bench.stored("zoom").await.1, newer);
    assert_eq!(bench.zoom.tally().revocations, 0);

    let (account, zoom) = (account(), connection("zoom"));
    let deleted = bench.database.connections().delete(&account, &zoom).await;
    assert_eq!(deleted, Ok(true));
    assert_eq!(process.recover(&kept).await.unwrap(), Recovered::NotNeeded);
    assert_eq!(bench.zoom.tally().revocations, 1);
    for unreadable in ["", "{}", "[]"] {
        let refused = process.recover(unreadable).await;
        assert!(matches!(refused, Err(RecoverError::Unreadable)), "{refused:?}");
    }
}

#[tokio::test]
async fn a_dead_sign_in_is_told_through_the_queue_once_however_many_meet_it() {
    let bench = Bench::start().await;
    bench.zoom.revoke_all().unwrap();
    bench.advance(DAY);
    let processes: Vec<Loader> = (0..4).map(|_| bench.sending_process(STAGE)).collect();
    for process in &processes {
        let error = bench.token(process, "zoom").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::ConnectionReauthRequired);
        let (account, zoom) = (account(), connection("zoom"));
        let marked = process.mark(&account, &zoom, ErrorKind::ConnectionReauthRequired, "no sign-in");
        marked.await.unwrap();
    }
    let queue = || SharedQueues::notification_queue(&Stage::new(STAGE));
    let told = bench.take(queue()).await;
    let [(group, body)] = told.as_slice() else {
        panic!("{told:?}")
    };
    assert_eq!(group.as_deref(), Some("account:a"));
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        (&body["type"], &body["account_id"], &body["audience"]),
        (&json!("connection_issue"), &json!("account:a"), &json!("owner"))
    );
    let data = &body["data"];
    assert_eq!(
        (&data["connection_name"], &data["connection_id"]),
        (&json!("zoom"), &json!("connection:zoom"))
    );
    assert!(data["reason"].as_str().unwrap().contains("sign in again"), "{body}");

    // Two processes that find a key refused at the same time tell it once; a mended one that breaks again, once more.
    let (account, keap) = (account(), connection("keap"));
    let (one, two) = (&processes[0], &processes[1]);
    let (first, second) = tokio::join!(one.refused(&account, &keap, "no"), two.refused(&account, &keap, "no"));
    assert_eq!((first, second), (Ok(()), Ok(())));
    assert_eq!(bench.take(queue()).await.len(), 1);
    one.works(&account, &keap).await.unwrap();
    bench.advance(DAY);
    for process in [one, two] {
        process.refused(&account, &keap, "no").await.unwrap();
    }
    assert_eq!(bench.take(queue()).await.len(), 1);
}

#[tokio::test]
async fn queues_that_do_not_exist_yet_cost_nothing_but_their_messages() {
    let bench = Bench::start().await;
    let process = bench.sending_process("nowhere");
    bench.advance(DAY);
    bench.refuse_secrets(true);
    let error = bench.token(&process, "zoom").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unavailable);
    bench.refuse_secrets(false);
    // What could not be kept is still in the process.
    bench.advance(31);
    bench.token(&process, "zoom").await.unwrap();
    assert_eq!((bench.zoom_refreshes(), bench.zoom.tally().reuses), (1, 0));

    bench.zoom.revoke_all().unwrap();
    bench.advance(DAY);
    let error = bench.token(&process, "zoom").await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::ConnectionReauthRequired);
    assert!(bench.connection("zoom").await.reauth_required);
}
