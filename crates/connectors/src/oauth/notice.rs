//! Telling people that a connection has to be signed in again (`pipeline` §7.4, §13).

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use mfh_aws::SharedQueue;
use mfh_types::{Clock, Notification, PlatformConnection, Random};

/// Told when a user has to sign in at a vendor again; once for each time that it happens.
#[async_trait]
pub trait SignInNotice: Send + Sync + fmt::Debug {
    /// `reason` is a sentence for the user.
    async fn sign_in_needed(&self, connection: &PlatformConnection, reason: &str);
}

/// Leaves the notice in the log, as the event `connection_issue`.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogNotice;

#[async_trait]
impl SignInNotice for LogNotice {
    async fn sign_in_needed(&self, connection: &PlatformConnection, reason: &str) {
        tracing::warn!(
            event = "connection_issue",
            account_id = %connection.account_id,
            connection_id = %connection.connection_id,
            reason,
            "a connection has to be signed in again"
        );
    }
}

/// Sends the notice to the queue of notifications, besides the log.
pub(crate) struct QueueNotice {
    queue: SharedQueue,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl QueueNotice {
    pub(crate) fn new(queue: SharedQueue, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> Self {
        Self { queue, clock, random }
    }
}

impl fmt::Debug for QueueNotice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueueNotice").finish_non_exhaustive()
    }
}

#[async_trait]
impl SignInNotice for QueueNotice {
    /// A queue that is missing or out of reach costs the notice, never the call that found the connection broken.
    async fn sign_in_needed(&self, connection: &PlatformConnection, reason: &str) {
        LogNotice.sign_in_needed(connection, reason).await;
        let notification = Notification::connection_issue(connection, reason, &*self.clock, &*self.random);
        let sent = match serde_json::to_string(&notification) {
            Ok(body) => {
                let (group, repeat) = (notification.group_id(), notification.deduplication_id());
                let sent = self.queue.send_in_order(body, group, &repeat).await;
                sent.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = sent {
            tracing::warn!(
                account_id = %connection.account_id,
                connection_id = %connection.connection_id,
                error,
                "nobody could be told that a connection has to be signed in again"
            );
        }
    }
}
