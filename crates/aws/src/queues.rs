//! Helper queues by naming convention: `mfh-{stage}-{kebab}-executions.fifo`.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use mfh_types::HelperType;
use moka::future::Cache;
use std::sync::Arc;

use crate::{REGION, Stage};

/// A queue could not be found.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// There is no queue of this name: the worker of the type is not deployed.
    #[error("queue {0} does not exist; deploy the worker of this helper type")]
    Missing(String),
    /// SQS did not answer as expected.
    #[error("SQS: {0}")]
    Unavailable(String),
}

/// The helper queues of a stage.
#[derive(Debug, Clone)]
pub struct Queues {
    client: Client,
    stage: Stage,
    account: Option<String>,
    urls: Cache<String, String>,
}

impl Queues {
    /// Queues of `stage`. With `AWS_ACCOUNT_ID` set (the deployed router) addresses follow from names without a call.
    pub fn new(client: Client, stage: Stage) -> Self {
        let account = std::env::var("AWS_ACCOUNT_ID").ok().filter(|id| !id.is_empty());
        Self {
            client,
            stage,
            account,
            urls: Cache::new(512),
        }
    }

    /// The name of a type's queue.
    pub fn helper_queue(stage: &Stage, helper_type: &HelperType) -> String {
        format!("mfh-{stage}-{}-executions.fifo", helper_type.kebab())
    }

    /// The name of a type's dead-letter queue.
    pub fn helper_dlq(stage: &Stage, helper_type: &HelperType) -> String {
        format!("mfh-{stage}-{}-dlq.fifo", helper_type.kebab())
    }

    /// The address of a type's queue, remembered once found.
    ///
    /// # Errors
    /// `Missing` when there is no such queue, `Unavailable` when SQS cannot be asked; neither is remembered.
    pub async fn url(&self, helper_type: &HelperType) -> Result<String, Arc<QueueError>> {
        let name = Self::helper_queue(&self.stage, helper_type);
        if let Some(account) = &self.account {
            return Ok(format!("https://sqs.{REGION}.amazonaws.com/{account}/{name}"));
        }
        self.urls.try_get_with(name.clone(), self.look_up(name)).await
    }

    async fn look_up(&self, name: String) -> Result<String, QueueError> {
        let answer = self.client.get_queue_url().queue_name(&name).send().await;
        match answer {
            Ok(found) => found.queue_url.ok_or(QueueError::Missing(name)),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_queue_does_not_exist()) => {
                Err(QueueError::Missing(name))
            }
            Err(error) => Err(QueueError::Unavailable(DisplayErrorContext(&error).to_string())),
        }
    }
}
