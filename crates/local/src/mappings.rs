//! Event source mappings: what Lambda does between queues, the stream and the functions.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mfh_aws::{Queues, SharedQueues, Stage};
use mfh_connectors::Loader;
use mfh_pipeline::{DeadLetter, DeadLetters, Router, StreamEvent, StreamImage, StreamRecord, Sweeper};
use mfh_types::HelperType;
use mfh_worker::{Delivery, DeliveryAttributes, SqsEvent, Worker};
use serde_json::{Map, Value};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::aws::dynamodb::{self, DynamoDb};
use crate::aws::sqs::{Receive, ReceivedMessage, Sqs};

/// Runs of one helper type at a time (`pipeline` §5).
const CONCURRENCY: usize = 20;

/// The time of an invocation: the timeout of the worker functions.
const BUDGET: Duration = Duration::from_secs(300);

/// How long a poll waits for a message.
const POLL: Duration = Duration::from_secs(20);

/// How long to wait after something failed that should not.
const PAUSE: Duration = Duration::from_millis(500);

/// Stream records read at a time.
const STREAM_BATCH: u32 = 500;

/// Routed stream records are forgotten when there are this many, or nothing happens for [`QUIET`]. What is read again
/// after a restart was routed before, which changes nothing.
const TRIM_AFTER: usize = 200;

/// How long the stream has to rest before the last routed records are forgotten.
const QUIET: Duration = Duration::from_secs(1);

/// Handles one message; tells whether it may be deleted.
#[async_trait]
trait Consumer: Send + Sync + 'static {
    async fn consume(&self, queue: &str, message: &ReceivedMessage) -> bool;
}

/// A worker behind the queue of its type.
struct HelperConsumer {
    worker: Worker,
    /// Names the holder of leases.
    process: String,
}

#[async_trait]
impl Consumer for HelperConsumer {
    async fn consume(&self, queue: &str, message: &ReceivedMessage) -> bool {
        let owner = format!(
            "{}/{}/{}",
            self.process, message.message.message_id, message.receive_count
        );
        let event = SqsEvent {
            records: vec![delivery(queue, message)],
        };
        self.worker
            .handle(event, BUDGET, &owner)
            .await
            .batch_item_failures
            .is_empty()
    }
}

#[async_trait]
impl Consumer for DeadLetters {
    async fn consume(&self, queue: &str, message: &ReceivedMessage) -> bool {
        let letter = DeadLetter {
            queue,
            message_id: &message.message.message_id,
            body: &message.message.body,
        };
        self.handle(&letter).await
    }
}

/// The token keeper behind the recovery queue.
struct RecoveryConsumer(Loader);

#[async_trait]
impl Consumer for RecoveryConsumer {
    async fn consume(&self, _: &str, message: &ReceivedMessage) -> bool {
        match self.0.recover(&message.message.body).await {
            Ok(recovered) => {
                tracing::info!(?recovered, "kept tokens were looked at");
                true
            }
            Err(error) => {
                tracing::error!(%error, "kept tokens could not be stored yet");
                false
            }
        }
    }
}

/// The tasks that keep executions moving; they stop when this is dropped.
pub struct Mappings(JoinSet<()>);

impl Mappings {
    /// No tasks yet.
    pub fn new() -> Self {
        Self(JoinSet::new())
    }

    /// Invokes a worker for the messages of its type's queue.
    pub fn serve_worker(
        &mut self,
        sqs: Arc<Sqs>,
        stage: &Stage,
        helper_type: &HelperType,
        worker: Worker,
        process: &str,
    ) {
        let consumer = HelperConsumer {
            worker,
            process: process.to_owned(),
        };
        self.0
            .spawn(poll(sqs, Queues::helper_queue(stage, helper_type), Arc::new(consumer)));
    }

    /// Invokes the dead-letter consumer for the messages of a type's dead-letter queue.
    pub fn serve_dead_letters(&mut self, sqs: Arc<Sqs>, stage: &Stage, helper_type: &HelperType, letters: DeadLetters) {
        self.0
            .spawn(poll(sqs, Queues::helper_dlq(stage, helper_type), Arc::new(letters)));
    }

    /// Invokes the router for the stream of the executions table.
    pub fn serve_router(&mut self, dynamodb: Arc<DynamoDb>, table: String, router: Router) {
        self.0.spawn(follow_stream(dynamodb, table, router));
    }

    /// Invokes the sweeper every minute.
    pub fn serve_sweeper(&mut self, sweeper: Sweeper) {
        self.0.spawn(async move {
            let mut minute = tokio::time::interval(Duration::from_secs(60));
            loop {
                minute.tick().await;
                match sweeper.sweep().await {
                    Ok(sweep) => tracing::debug!(?sweep, "swept"),
                    Err(error) => tracing::warn!(%error, "the sweep failed"),
                }
            }
        });
    }

    /// Renews idle rotating tokens every twelve hours.
    pub fn serve_keep_alive(&mut self, loader: Loader) {
        self.0.spawn(async move {
            let mut often = tokio::time::interval(Duration::from_secs(12 * 3_600));
            loop {
                often.tick().await;
                match loader.keep_alive().await {
                    Ok(kept) => tracing::debug!(?kept, "idle connections were kept alive"),
                    Err(error) => tracing::warn!(%error, "idle connections could not be kept alive"),
                }
            }
        });
    }

    /// Stores renewed tokens that a table did not take at first.
    pub fn serve_token_recovery(&mut self, sqs: Arc<Sqs>, stage: &Stage, loader: Loader) {
        let queue = SharedQueues::recovery_queue(stage);
        self.0.spawn(poll(sqs, queue, Arc::new(RecoveryConsumer(loader))));
    }

    /// Lets items whose time is over go, every ten minutes.
    pub fn serve_time_to_live(&mut self, dynamodb: Arc<DynamoDb>) {
        self.0.spawn(async move {
            let mut often = tokio::time::interval(Duration::from_secs(600));
            loop {
                often.tick().await;
                if let Err(error) = dynamodb.sweep_expired().await {
                    tracing::warn!(%error, "expired items could not be deleted");
                }
            }
        });
    }

    /// Forgets the changes of tables whose streams nobody reads.
    pub fn serve_unread_stream(&mut self, dynamodb: Arc<DynamoDb>, table: String) {
        self.0.spawn(async move {
            let mut often = tokio::time::interval(Duration::from_secs(600));
            loop {
                often.tick().await;
                if let Err(error) = dynamodb.trim_stream(table.clone(), i64::MAX).await {
                    tracing::warn!(%error, "a stream could not be trimmed");
                }
            }
        });
    }
}

impl Default for Mappings {
    fn default() -> Self {
        Self::new()
    }
}

/// Receives messages one by one, as the mappings of the workers do (batch size 1), and hands each to the consumer, at
/// most [`CONCURRENCY`] at a time. A second message of a group only comes when the first is deleted.
async fn poll(sqs: Arc<Sqs>, queue: String, consumer: Arc<dyn Consumer>) {
    let slots = Arc::new(Semaphore::new(CONCURRENCY));
    let name: Arc<str> = queue.as_str().into();
    let receive = Receive {
        max: 1,
        wait: Some(POLL),
        visibility: None,
    };
    // The semaphore is never closed.
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let message = match sqs.receive(Arc::clone(&name), receive).await {
            Ok(messages) => messages.into_iter().next(),
            Err(error) => {
                tracing::warn!(queue, %error, "a queue cannot be polled");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Some(message) = message else { continue };
        let (sqs, consumer, queue) = (Arc::clone(&sqs), Arc::clone(&consumer), queue.clone());
        tokio::spawn(async move {
            if consumer.consume(&queue, &message).await
                && let Err(error) = sqs.delete(queue.as_str(), message.receipt).await
            {
                tracing::debug!(queue, %error, "a handled message was given to another receiver meanwhile");
            }
            drop(slot);
        });
    }
}

fn delivery(queue: &str, message: &ReceivedMessage) -> Delivery {
    Delivery {
        message_id: message.message.message_id.clone(),
        receipt_handle: message.receipt.to_string(),
        body: message.message.body.clone(),
        attributes: DeliveryAttributes {
            receive_count: message.receive_count.to_string(),
            group_id: message.message.group.as_deref().map(str::to_owned),
        },
        event_source_arn: queue.to_owned(),
    }
}

/// Hands the changes of the table to the router in order; a batch that it could not route comes again.
async fn follow_stream(dynamodb: Arc<DynamoDb>, table: String, router: Router) {
    let mut changes = dynamodb.watch(table.clone());
    let (mut after, mut untrimmed) = (0, 0);
    loop {
        changes.mark_unchanged();
        let records = match dynamodb
            .read_stream_for_new_items(table.clone(), after, STREAM_BATCH)
            .await
        {
            Ok(records) => records,
            Err(error) => {
                tracing::warn!(%error, "the stream of executions cannot be read");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        if let Some(last) = records.last().map(|record| record.sequence) {
            if let Some(failed) = route(&router, &records).await {
                after = failed - 1;
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            (after, untrimmed) = (last, untrimmed + records.len());
            if untrimmed < TRIM_AFTER {
                continue;
            }
        } else {
            let patience = if untrimmed == 0 { Duration::MAX } else { QUIET };
            match tokio::time::timeout(patience, changes.changed()).await {
                Ok(Ok(())) => continue,
                Ok(Err(_)) => return,
                Err(_) => {}
            }
        }
        untrimmed = 0;
        if let Err(error) = dynamodb.trim_stream(table.clone(), after).await {
            tracing::warn!(%error, "the stream of executions could not be trimmed");
        }
    }
}

/// The first record that was not routed, if any.
async fn route(router: &Router, records: &[dynamodb::StreamRecord]) -> Option<i64> {
    let inserts: Vec<_> = records.iter().filter(|record| record.event_name == "INSERT").collect();
    if inserts.is_empty() {
        return None;
    }
    let event = StreamEvent {
        records: inserts.iter().map(|record| stream_record(record)).collect(),
    };
    let failed = router.route(event).await.failures;
    let is_failed = |record: &&&dynamodb::StreamRecord| {
        failed
            .iter()
            .any(|failure| failure.sequence_number == record.sequence_number())
    };
    inserts.iter().filter(is_failed).map(|record| record.sequence).min()
}

fn stream_record(record: &dynamodb::StreamRecord) -> StreamRecord {
    let new_image = match &record.new_image {
        Some(Value::Object(image)) => image.clone(),
        _ => Map::new(),
    };
    StreamRecord {
        event_name: record.event_name.clone(),
        dynamodb: StreamImage {
            sequence_number: record.sequence_number(),
            new_image,
        },
    }
}
