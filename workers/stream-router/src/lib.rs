//! What the functions around the queues share: clients, tables and logging.

use std::sync::Arc;

use mfh_aws::{Clients, Queues, Stage, Tables};
use mfh_database::Database;
use mfh_types::{Clock, SystemClock};
use tracing_subscriber::EnvFilter;

/// What a function is built from, once, in the Init phase.
#[derive(Debug)]
pub struct Init {
    /// The stage.
    pub stage: Stage,
    /// The AWS clients.
    pub clients: Clients,
    /// The tables.
    pub database: Database,
    /// The helper queues.
    pub queues: Queues,
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl Init {
    /// Reads the environment and starts logging.
    pub async fn from_env() -> Self {
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        tracing_subscriber::fmt()
            .json()
            .with_env_filter(filter)
            .with_current_span(false)
            .init();
        let stage = Stage::from_env();
        let clients = Clients::from_env().await;
        let database = Database::new(clients.dynamodb().clone(), Tables::from_env(&stage));
        let queues = Queues::new(clients.sqs().clone(), stage.clone());
        Self {
            stage,
            clients,
            database,
            queues,
            clock: Arc::new(SystemClock),
        }
    }
}
