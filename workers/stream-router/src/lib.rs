//! What the functions around the queues share: clients, tables and logging.

use std::sync::Arc;

use mfh_aws::{Clients, Queues, Stage, Tables, logs};
use mfh_database::Database;
use mfh_types::{Clock, SystemClock};

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
        logs::init();
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
