//! SQS: standard and FIFO queues on a file, for the SDK clients and for the event source mappings of this process.

mod engine;
mod error;
mod message;
mod queue;
mod settings;
mod store;
mod wire;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use mfh_types::Clock;
use tokio::sync::oneshot;
use tokio::time::Instant;

pub use error::SqsError;
pub use message::{Message, MessageAttribute, MessageAttributes, NewMessage, Receipt, ReceivedMessage, Sent};
pub use queue::QueueCounts;

use super::AwsService;
use engine::{Engine, Found, Job, Reply};

/// The queues of this machine.
pub struct Sqs {
    jobs: mpsc::Sender<Job>,
    clock: Arc<dyn Clock>,
    account_id: String,
}

/// How to receive.
#[derive(Debug, Clone, Copy)]
pub struct Receive {
    /// At most this many messages; SQS allows 1 to 10 on the wire.
    pub max: usize,
    /// How long they stay invisible to others; the queue's own timeout when absent.
    pub visibility: Option<Duration>,
    /// How long to wait when there is none; the queue's own time when absent.
    pub wait: Option<Duration>,
}

impl Default for Receive {
    fn default() -> Self {
        Self {
            max: 1,
            visibility: None,
            wait: None,
        }
    }
}

impl Sqs {
    /// Opens the queues in the file at `path`, creating it when there is none.
    ///
    /// Messages that were in flight when the last process ended are visible again at once, and the receive that ended
    /// with it does not count: their receivers are gone through no fault of the message. Only where a receiver had
    /// given the message back with a delay (`ChangeMessageVisibility`) delay and count are kept.
    ///
    /// # Errors
    /// When the file cannot be opened or read.
    pub fn open(
        path: impl AsRef<Path>,
        clock: Arc<dyn Clock>,
        account_id: impl Into<String>,
    ) -> anyhow::Result<Arc<Self>> {
        let (path, account_id) = (path.as_ref(), account_id.into());
        let engine = Engine::open(path, Arc::clone(&clock), account_id.clone())
            .with_context(|| format!("the queue file {} cannot be opened", path.display()))?;
        let (jobs, queue) = mpsc::channel();
        thread::Builder::new()
            .name("sqs".to_owned())
            .spawn(move || engine.run(&queue))?;
        Ok(Arc::new(Self {
            jobs,
            clock,
            account_id,
        }))
    }

    /// Creates a queue; without effect when it exists with these attributes.
    ///
    /// # Errors
    /// When an attribute is unknown or bad, or the queue exists with others.
    pub async fn create_queue(
        &self,
        name: impl Into<String>,
        attributes: BTreeMap<String, String>,
    ) -> Result<(), SqsError> {
        let name = name.into();
        self.run(move |engine| engine.create_queue(&name, attributes, BTreeMap::new()))
            .await
    }

    /// The names of all queues in order.
    ///
    /// # Errors
    /// When the queues cannot be read.
    pub async fn queue_names(&self) -> Result<Vec<String>, SqsError> {
        self.run(|engine| Ok(engine.queue_names())).await
    }

    /// The ARN of the queue of this name, whether it exists or not.
    pub fn queue_arn(&self, name: &str) -> String {
        format!("arn:aws:sqs:{}:{}:{name}", mfh_aws::REGION, self.account_id)
    }

    /// Sends a message; durable once this returns.
    ///
    /// # Errors
    /// When the queue does not exist or the message is not allowed in it.
    pub async fn send(&self, queue: impl Into<String>, message: NewMessage) -> Result<Sent, SqsError> {
        let queue = queue.into();
        self.run(move |engine| engine.send(&queue, message)).await
    }

    /// Receives messages, waiting for the first one as long as asked.
    ///
    /// # Errors
    /// When the queue does not exist or is deleted meanwhile.
    pub async fn receive(
        &self,
        queue: impl Into<Arc<str>>,
        receive: Receive,
    ) -> Result<Vec<ReceivedMessage>, SqsError> {
        let queue = queue.into();
        let started = Instant::now();
        let mut known_wake: Option<Arc<tokio::sync::Notify>> = None;
        loop {
            // A wake counts from here on, so that none is missed between looking and waiting.
            let woken = known_wake.as_ref().map(|wake| Arc::clone(wake).notified_owned());
            let (wake, due, default_wait_ms) = match self.look(&queue, receive).await? {
                Found::Messages(messages) => return Ok(messages),
                Found::Nothing {
                    wake,
                    due,
                    default_wait_ms,
                } => (wake, due, default_wait_ms),
            };
            let wait = receive.wait.unwrap_or_else(|| duration(default_wait_ms));
            let deadline = started + wait;
            if Instant::now() >= deadline {
                return Ok(Vec::new());
            }
            known_wake = Some(wake);
            let Some(woken) = woken else {
                continue;
            };
            let look_again = due.map(|due| Instant::now() + duration(due - self.clock.now().timestamp_millis()));
            let until = look_again.map_or(deadline, |at| at.min(deadline));
            tokio::select! {
                () = woken => {}
                () = tokio::time::sleep_until(until) => {}
            }
        }
    }

    /// Deletes a received message.
    ///
    /// # Errors
    /// When the receipt is not of this queue, or in a FIFO queue when its visibility has run out.
    pub async fn delete(&self, queue: impl Into<String>, receipt: Receipt) -> Result<(), SqsError> {
        let queue = queue.into();
        self.run(move |engine| engine.delete(&queue, receipt)).await
    }

    /// Makes a received message visible after `timeout` from now; at once when it is zero.
    ///
    /// # Errors
    /// When the message is no longer in flight by this receipt.
    pub async fn change_visibility(
        &self,
        queue: impl Into<String>,
        receipt: Receipt,
        timeout: Duration,
    ) -> Result<(), SqsError> {
        let queue = queue.into();
        self.run(move |engine| engine.change_visibility(&queue, receipt, millis(timeout)))
            .await
    }

    /// How many messages of a queue are in which state.
    ///
    /// # Errors
    /// When the queue does not exist.
    pub async fn counts(&self, queue: impl Into<String>) -> Result<QueueCounts, SqsError> {
        let queue = queue.into();
        self.run(move |engine| engine.counts(&queue)).await
    }

    async fn look(&self, queue: &Arc<str>, receive: Receive) -> Result<Found, SqsError> {
        let (reply, answer) = oneshot::channel();
        let queue = Arc::clone(queue);
        let job: Job = Box::new(move |engine| {
            if reply.is_closed() {
                // The receiver has gone away; messages given to it would be invisible for nothing.
                engine.pass_wake_on(&queue);
                return Box::new(|_| {});
            }
            let found = engine.receive(&queue, receive.max, receive.visibility.map(millis));
            Box::new(move |committed| {
                let _ = reply.send(committed.and(found));
            })
        });
        self.submit(job)?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Runs a request on the engine's thread; returns after its effects are durable.
    async fn run<T: Send + 'static>(
        &self,
        request: impl FnOnce(&mut Engine) -> Result<T, SqsError> + Send + 'static,
    ) -> Result<T, SqsError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |engine| {
            let outcome = request(engine);
            let reply: Reply = Box::new(move |committed| {
                // A caller that has gone does not need the answer.
                let _ = reply.send(committed.and(outcome));
            });
            reply
        });
        self.submit(job)?;
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    fn submit(&self, job: Job) -> Result<(), SqsError> {
        self.jobs.send(job).map_err(|_| stopped())
    }
}

#[async_trait]
impl AwsService for Sqs {
    async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        wire::call(self, &request).await
    }
}

fn stopped() -> SqsError {
    SqsError::Storage("its thread has stopped".to_owned())
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

fn duration(millis: i64) -> Duration {
    Duration::from_millis(u64::try_from(millis).unwrap_or_default())
}
