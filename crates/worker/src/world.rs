//! What a run reaches besides its CRM: the tables and the vault behind what helpers ask for.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mfh_connectors::{ConnectorError, ErrorKind, Loader};
use mfh_database::{Database, DatabaseError, ExecutionFilter};
use mfh_helpers::outside::{Offline, Outside};
use mfh_helpers::{Counters, HelperError, History, Sealer, ServiceAuth, SharedAnswers, StoreError, World};
use mfh_types::{AccountId, ConnectionId, Credentials, Execution, ExecutionStatus, Secret};
use serde_json::{Value, json};

/// Executions that are read at once to look for a goal.
const PAGE: usize = 100;

/// The name under which a secret is sealed.
const SECRET: &str = "secret";

/// What the runs of a worker reach outside, made once and shared by all of them.
#[derive(Debug, Clone)]
pub struct Reach {
    /// The network.
    pub outside: Arc<dyn Outside>,
    /// Other addresses for services, by slug: simulators.
    pub endpoints: BTreeMap<String, String>,
    /// The deployment's key for ip-api.com; without it the free service is asked.
    pub ip_api_key: Option<Secret>,
    /// Answers that the runs share.
    pub answers: Arc<SharedAnswers>,
}

impl Default for Reach {
    /// No network.
    fn default() -> Self {
        Self::new(Arc::new(Offline))
    }
}

impl Reach {
    /// This network, without keys and other addresses.
    pub fn new(outside: Arc<dyn Outside>) -> Self {
        Self {
            outside,
            endpoints: BTreeMap::new(),
            ip_api_key: None,
            answers: Arc::default(),
        }
    }

    /// The start of a run's world.
    pub(crate) fn world(&self) -> World {
        World {
            outside: Arc::clone(&self.outside),
            endpoints: self.endpoints.clone(),
            ip_api_key: self.ip_api_key.clone(),
            answers: Some(Arc::clone(&self.answers)),
            ..World::offline()
        }
    }
}

/// Counters in the table `rate-limits`.
#[derive(Debug)]
pub(crate) struct TableCounters(pub(crate) Database);

#[async_trait]
impl Counters for TableCounters {
    async fn read(&self, key: &str) -> Result<u64, StoreError> {
        self.0.rate_limits().standing(key).await.map_err(|error| table(&error))
    }

    async fn take(&self, key: &str) -> Result<u64, StoreError> {
        self.0
            .rate_limits()
            .take_standing(key)
            .await
            .map_err(|error| table(&error))
    }

    async fn replace(&self, key: &str, expected: u64, new: u64) -> Result<bool, StoreError> {
        let replaced = self.0.rate_limits().replace_standing(key, expected, new).await;
        replaced.map_err(|error| table(&error))
    }
}

/// The executions of an account.
#[derive(Debug)]
pub(crate) struct TableHistory(pub(crate) Database);

#[async_trait]
impl History for TableHistory {
    async fn goal_achieved(&self, account: &AccountId, contact_id: &str, goal: &str) -> Result<Value, StoreError> {
        let executions = self.0.executions();
        let filter = ExecutionFilter {
            contact_id: Some(contact_id.to_owned()),
            statuses: vec![ExecutionStatus::Completed, ExecutionStatus::Failed],
            ..ExecutionFilter::default()
        };
        let mut token = None;
        loop {
            let page = executions.list(account, &filter, PAGE, token.as_deref()).await;
            let page = page.map_err(|error| {
                tracing::warn!(%error, "the executions of a contact could not be listed");
                StoreError("the executions cannot be listed".to_owned())
            })?;
            for summary in &page.items {
                let found = executions.get(account, &summary.execution_id).await;
                let execution = found.map_err(|error| table(&error))?;
                if execution.is_some_and(|execution| achieved(&execution, contact_id, goal)) {
                    return Ok(Value::Bool(true));
                }
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(Value::Null);
            }
        }
    }
}

/// Whether this execution achieved the goal for the contact.
fn achieved(execution: &Execution, contact_id: &str, goal: &str) -> bool {
    let mut actions = execution.output.iter().flat_map(|output| &output.actions);
    actions.any(|action| action.kind == "goal_achieved" && action.target == contact_id && action.value == json!(goal))
}

/// Seals secrets of a run as if they were credentials of its connection.
#[derive(Debug)]
pub(crate) struct VaultSealer {
    pub(crate) loader: Arc<Loader>,
    pub(crate) account: AccountId,
    pub(crate) connection: ConnectionId,
}

#[async_trait]
impl Sealer for VaultSealer {
    async fn seal(&self, secret: &Secret) -> Result<String, StoreError> {
        let mut credentials = Credentials::default();
        credentials.set(SECRET, secret.clone());
        let sealed = self.loader.seal(&self.account, &self.connection, &credentials).await;
        let sealed = sealed.map_err(|error| StoreError(error.to_string()))?;
        Ok(STANDARD.encode(sealed.bytes))
    }

    async fn open(&self, sealed: &str) -> Result<Secret, StoreError> {
        let bytes = STANDARD.decode(sealed).map_err(|error| StoreError(error.to_string()))?;
        let opened = self.loader.unseal(&self.account, &self.connection, &bytes).await;
        let credentials = opened.map_err(|error| StoreError(error.to_string()))?;
        let secret = credentials.get(SECRET).cloned();
        secret.ok_or_else(|| StoreError("the sealed secret is empty".to_owned()))
    }
}

/// The service connections that a configuration names, loaded before the run (`helpers/COMMON` §16).
///
/// # Errors
/// Of the first connection that cannot be loaded, naming the service.
pub(crate) async fn services(
    loader: &Loader,
    execution: &Execution,
) -> Result<BTreeMap<String, ServiceAuth>, HelperError> {
    let named = ["service_connection_ids", "serviceConnectionIds"]
        .into_iter()
        .find_map(|key| execution.config.get(key)?.as_object());
    let mut services = BTreeMap::new();
    for (slug, id) in named.into_iter().flatten() {
        let Some(id) = id.as_str().map(str::trim).filter(|id| !id.is_empty()) else {
            continue;
        };
        let auth = load(loader, &execution.summary.account_id, id, slug).await;
        let auth = auth.map_err(|error| HelperError::from(error).context(format!("The connection to {slug}")))?;
        services.insert(slug.clone(), auth);
    }
    Ok(services)
}

/// One service, with an access token that is good now.
async fn load(loader: &Loader, account: &AccountId, id: &str, slug: &str) -> Result<ServiceAuth, ConnectorError> {
    let id = ConnectionId::parse(id).map_err(|_| {
        ConnectorError::new(
            "unknown",
            ErrorKind::ConnectionNotFound,
            "The connection does not exist",
        )
    })?;
    let service = loader.load_service(account, &id, Some(slug)).await?;
    let mut credentials = service.credentials().clone();
    if credentials.access_token.is_some() {
        credentials.access_token = Some(service.tokens().token().await?);
    }
    let stored = credentials.get("account_id").map(|id| id.expose().to_owned());
    Ok(ServiceAuth {
        account_id: stored.or_else(|| service.external_app_id().map(str::to_owned)),
        base_url: service.base_url().map(str::to_owned),
        credentials,
    })
}

fn table(error: &DatabaseError) -> StoreError {
    tracing::warn!(%error, "what helpers keep could not be reached");
    StoreError("the table is out of reach".to_owned())
}
