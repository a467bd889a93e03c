//! The whole product in one process: services, queues, workers and simulators, wired as the stacks wire them.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use mfh_auth::{AuthState, Limits};
use mfh_aws::{OAuthClients, Queues, SharedQueues, Stage, Tables, Vault};
use mfh_connectors::{Loader, Shared, TokioSleeper, Transport};
use mfh_database::{Database, PENDING_SHARDS};
use mfh_http::{Config, Core, FixedKeys, JwtVerifier};
use mfh_pipeline::{BurstLimits, DeadLetters, Router as StreamRouter, Sweeper};
use mfh_platforms::OAuthSettings;
use mfh_simulators::{Keap, OAuthProvider, Simulator, oauth};
use mfh_types::{Clock, ExecutionStatus, Random, SystemClock, SystemRandom, Timestamp};
use mfh_worker::{Outputs, Reach, Worker};

use crate::aws::cognito::{DEFAULT_CLIENT_ID, DEFAULT_POOL_ID};
use crate::cloud::{Cloud, DATA_BUCKET, SECRETS_KEY, STAGE, helper_types, issuer};
use crate::data_dir::DataDir;
use crate::gateway;
use crate::mappings::Mappings;
use crate::simulated;

/// How this machine's platform is set up.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the API listens, such as `http://127.0.0.1:8080`.
    pub url: String,
    /// Whether connections go to the real CRMs instead of the simulators.
    pub live: bool,
    /// Runs a minute before further ones are refused.
    pub burst: BurstLimits,
    /// The clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub random: Arc<dyn Random>,
}

impl Options {
    /// The platform at this address with the clock and randomness of the machine.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            live: false,
            burst: BurstLimits::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
        }
    }
}

/// The platform while it runs; dropping it stops its tasks.
pub struct Platform {
    /// Where the API listens.
    pub url: String,
    /// Everything that HTTP reaches.
    pub router: Router,
    /// The AWS services.
    pub cloud: Cloud,
    /// The tables.
    pub database: Database,
    /// The simulated Keap account.
    pub keap: Keap,
    /// All simulated vendors, Keap among them.
    pub vendors: Vec<Arc<dyn Simulator>>,
    /// The simulated sign-in services.
    pub providers: Vec<OAuthProvider>,
    /// Builds connectors, and renews tokens.
    pub loader: Loader,
    _mappings: Mappings,
    _dir: DataDir,
}

impl Platform {
    /// Opens everything in the data folder and starts the tasks that keep executions moving.
    ///
    /// # Errors
    /// A sentence that says what is wrong and what to do.
    pub async fn start(dir: DataDir, options: Options) -> anyhow::Result<Self> {
        let Options {
            url,
            live,
            burst,
            clock,
            random,
        } = options;
        let cloud = Cloud::open(&dir, &url, &clock, &random)?;
        cloud.deploy().await?;
        let (keap, vendors) = mfh_simulators::all(Some(dir.path()), &clock, &random)
            .context("The simulated CRMs in the data folder cannot be opened. Begin anew with --reset")?;
        let providers = oauth::PROFILES
            .iter()
            .map(|profile| OAuthProvider::open(profile, Some(&dir.join("oauth")), clock.clone(), random.clone()))
            .collect::<anyhow::Result<Vec<_>>>()
            .context("The simulated services in the data folder cannot be opened. Begin anew with --reset")?;

        let stage = Stage::new(STAGE);
        let database = Database::new(cloud.clients.dynamodb().clone(), Tables::by_convention(&stage));
        seed_platforms(&database, &url, live, &*clock).await?;
        free_leases(&database).await?;

        let shared = Shared::in_fleet(
            database.clone(),
            Transport::new()?,
            clock.clone(),
            random.clone(),
            Arc::new(TokioSleeper),
        );
        let vault = Vault::new(cloud.clients.kms().clone(), SECRETS_KEY);
        let apps = OAuthClients::new(cloud.clients.ssm().clone(), stage.clone());
        if !live {
            simulated::store_clients(cloud.clients.ssm(), &stage, &vendors, &providers).await?;
        }
        let loader = Loader::new(database.clone(), vault, apps, shared, clock.clone())
            .sending_to(SharedQueues::new(cloud.clients.sqs(), &stage));
        let reach = simulated::reach(&url, live)?;
        let mappings = start_mappings(&cloud, &stage, &database, &loader, &reach, &clock, &random);

        let keys = serde_json::from_value(cloud.pool.jwks()).context("the keys of the user pool are not valid")?;
        let verifier = JwtVerifier::new(
            issuer(&url),
            DEFAULT_CLIENT_ID,
            Arc::new(FixedKeys(keys)),
            clock.clone(),
        );
        let core = Arc::new(Core {
            database: database.clone(),
            verifier,
            clock,
            random,
            stage,
            config: Config::from_env(),
        });
        let pool = mfh_auth::UserPool::new(cloud.clients.cognito().clone(), DEFAULT_POOL_ID, DEFAULT_CLIENT_ID);
        let services = gateway::Services {
            auth: AuthState {
                core: core.clone(),
                pool,
                limits: Limits::default(),
            },
            api_keys: mfh_api_keys::State::new(core.clone()),
            helpers: mfh_helpers_service::State::new(core.clone(), burst),
            platforms: mfh_platforms::State::new(core, loader.clone(), oauth_settings(&url)),
        };
        let simulators = simulated::router(&vendors, &providers);
        let router = gateway::router(services, &cloud, simulators);
        Ok(Self {
            url,
            router,
            cloud,
            database,
            keap,
            vendors,
            providers,
            loader,
            _mappings: mappings,
            _dir: dir,
        })
    }
}

/// Seeds the platform records; without `live` their addresses lead to the simulators.
async fn seed_platforms(database: &Database, url: &str, live: bool, clock: &dyn Clock) -> anyhow::Result<()> {
    let mut platforms = mfh_platforms::seeds(Timestamp::now(clock));
    if !live {
        for platform in &mut platforms {
            simulated::redirect(platform, url);
        }
    }
    mfh_platforms::seed(database, platforms)
        .await
        .context("the platforms cannot be seeded")?;
    Ok(())
}

/// Sign-ins come back to this machine, and users to the web app that runs beside it.
fn oauth_settings(url: &str) -> OAuthSettings {
    let app = std::env::var("APP_URL").ok().filter(|url| !url.is_empty());
    let app = app.unwrap_or_else(|| "http://localhost:3001".to_owned());
    OAuthSettings::new(
        format!("{url}/platforms/oauth/callback"),
        app.trim_end_matches('/'),
        &[url],
    )
}

/// Ends the leases of the last process: it held the data folder, so none of its workers is alive.
async fn free_leases(database: &Database) -> anyhow::Result<()> {
    for shard in PENDING_SHARDS {
        let open = database.executions().due(shard, i64::MAX, u32::MAX).await?;
        let held = open.iter().filter(|due| due.summary.status == ExecutionStatus::Running);
        for due in held {
            database.executions().break_lease(&due.summary.execution_id).await?;
        }
    }
    Ok(())
}

fn start_mappings(
    cloud: &Cloud,
    stage: &Stage,
    database: &Database,
    loader: &Loader,
    reach: &Reach,
    clock: &Arc<dyn Clock>,
    random: &Arc<dyn Random>,
) -> Mappings {
    let (sqs, s3) = (cloud.clients.sqs(), cloud.clients.s3());
    let queues = Queues::new(sqs.clone(), stage.clone());
    let process = format!("mfh-{}", random.hex(6));
    let letters = DeadLetters::new(database.clone(), s3.clone(), DATA_BUCKET, clock.clone());
    let mut mappings = Mappings::new();
    for helper_type in helper_types() {
        let Some(registration) = mfh_helpers::find(helper_type.as_str()) else {
            continue;
        };
        let worker = Worker::new(
            registration,
            stage.clone(),
            database.clone(),
            loader.clone(),
            sqs.clone(),
            Outputs::new(s3.clone(), DATA_BUCKET),
            clock.clone(),
        )
        .reaching(reach.clone());
        mappings.serve_worker(cloud.sqs.clone(), stage, &helper_type, worker, &process);
        mappings.serve_dead_letters(cloud.sqs.clone(), stage, &helper_type, letters.clone());
    }
    let tables = Tables::by_convention(stage);
    let router = StreamRouter::new(database.clone(), sqs.clone(), queues.clone(), clock.clone());
    mappings.serve_router(cloud.dynamodb.clone(), tables.executions, router);
    mappings.serve_sweeper(Sweeper::new(database.clone(), sqs.clone(), queues, clock.clone()));
    mappings.serve_keep_alive(loader.clone());
    mappings.serve_token_recovery(cloud.sqs.clone(), stage, loader.clone());
    mappings.serve_unread_stream(cloud.dynamodb.clone(), tables.users);
    mappings.serve_time_to_live(cloud.dynamodb.clone());
    mappings
}
