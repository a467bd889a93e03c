//! Queues by naming convention: those of helper types, `mfh-{stage}-{kebab}-executions.fifo`, and the shared ones.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::DisplayErrorContext;
use aws_sdk_sqs::operation::send_message::builders::SendMessageFluentBuilder;
use mfh_cache::{Cache, Keep};
use mfh_types::HelperType;
use tokio::sync::OnceCell;

use crate::{REGION, Stage};

/// A queue could not be found.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// There is no queue of this name: its stack is not deployed.
    #[error("queue {0} does not exist; deploy the stack that it belongs to")]
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
    urls: Cache<String, String, QueueError>,
}

impl Queues {
    /// Queues of `stage`. With `AWS_ACCOUNT_ID` set (the deployed router) addresses follow from names without a call.
    pub fn new(client: Client, stage: Stage) -> Self {
        let account = std::env::var("AWS_ACCOUNT_ID").ok().filter(|id| !id.is_empty());
        Self {
            client,
            stage,
            account,
            urls: Cache::new(Keep {
                most: Some(512),
                ..Keep::default()
            }),
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
    pub async fn url(&self, helper_type: &HelperType) -> Result<String, QueueError> {
        let name = Self::helper_queue(&self.stage, helper_type);
        if let Some(account) = &self.account {
            return Ok(format!("https://sqs.{REGION}.amazonaws.com/{account}/{name}"));
        }
        self.urls.get_or_load(&name, look_up(&self.client, name.clone())).await
    }
}

async fn look_up(client: &Client, name: String) -> Result<String, QueueError> {
    let answer = client.get_queue_url().queue_name(&name).send().await;
    match answer {
        Ok(found) => found.queue_url.ok_or(QueueError::Missing(name)),
        Err(error) if error.as_service_error().is_some_and(|e| e.is_queue_does_not_exist()) => {
            Err(QueueError::Missing(name))
        }
        Err(error) => Err(QueueError::Unavailable(DisplayErrorContext(&error).to_string())),
    }
}

/// The queues that belong to no helper type (`data-model` §6).
#[derive(Debug, Clone)]
pub struct SharedQueues {
    /// What is told to people: a FIFO queue, in groups by account.
    pub notifications: SharedQueue,
    /// Tokens that no table took.
    pub token_recovery: SharedQueue,
}

impl SharedQueues {
    /// The queues of `stage`; `NOTIFICATION_QUEUE_URL` replaces the address that follows from the name.
    pub fn new(client: &Client, stage: &Stage) -> Self {
        let url = std::env::var("NOTIFICATION_QUEUE_URL")
            .ok()
            .filter(|url| !url.is_empty());
        Self {
            notifications: SharedQueue::new(client, Self::notification_queue(stage), url),
            token_recovery: SharedQueue::new(client, Self::recovery_queue(stage), None),
        }
    }

    /// The name of the queue of notifications.
    pub fn notification_queue(stage: &Stage) -> String {
        format!("mfh-notifications-{stage}.fifo")
    }

    /// The name of the dead-letter queue of notifications.
    pub fn notification_dlq(stage: &Stage) -> String {
        format!("mfh-notifications-dlq-{stage}.fifo")
    }

    /// The name of the queue of tokens that no table took.
    pub fn recovery_queue(stage: &Stage) -> String {
        format!("mfh-{stage}-token-recovery")
    }
}

/// A queue that this process only sends to.
#[derive(Debug, Clone)]
pub struct SharedQueue {
    client: Client,
    name: String,
    url: Arc<OnceCell<String>>,
}

impl SharedQueue {
    fn new(client: &Client, name: String, known_url: Option<String>) -> Self {
        Self {
            client: client.clone(),
            name,
            url: Arc::new(OnceCell::new_with(known_url)),
        }
    }

    /// Sends a message to a FIFO queue, in this group; one of the same deduplication id within five minutes is the
    /// same message.
    ///
    /// # Errors
    /// `Missing` when there is no such queue, `Unavailable` when SQS cannot be asked.
    pub async fn send_in_order(&self, body: String, group: &str, deduplication: &str) -> Result<(), QueueError> {
        let message = self.client.send_message().message_body(body);
        self.send(message.message_group_id(group).message_deduplication_id(deduplication))
            .await
    }

    /// Sends a message to a standard queue that nobody receives before `delay` is over (15 minutes at most).
    ///
    /// # Errors
    /// As [`SharedQueue::send_in_order`].
    pub async fn send_later(&self, body: String, delay: Duration) -> Result<(), QueueError> {
        let secs = i32::try_from(delay.as_secs()).unwrap_or(900).min(900);
        self.send(self.client.send_message().message_body(body).delay_seconds(secs))
            .await
    }

    async fn send(&self, message: SendMessageFluentBuilder) -> Result<(), QueueError> {
        let look_up = || look_up(&self.client, self.name.clone());
        let url = self.url.get_or_try_init(look_up).await?;
        match message.queue_url(url).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let missing = error.as_service_error().is_some_and(|e| e.is_queue_does_not_exist());
                Err(if missing {
                    QueueError::Missing(self.name.clone())
                } else {
                    QueueError::Unavailable(DisplayErrorContext(&error).to_string())
                })
            }
        }
    }
}
