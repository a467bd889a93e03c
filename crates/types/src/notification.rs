//! What is told to people outside the web app (`pipeline` §13).

use serde::{Deserialize, Serialize};

use crate::{AccountId, Clock, ConnectionId, PlatformConnection, PlatformId, Random, Timestamp};

/// The message in the notifications queue: all that its consumer needs to find the readers and to write to them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Version of the message, 1.
    pub v: u32,
    /// The id of this message.
    pub id: String,
    /// The account that it is about.
    pub account_id: AccountId,
    /// Who is told.
    pub audience: Audience,
    /// What is told.
    #[serde(flatten)]
    pub notice: Notice,
    /// Messages with the same key tell the same thing: one of them is delivered.
    pub dedup_key: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Who of an account is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// The owner and the administrators.
    Owner,
    /// Every member.
    Members,
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum Notice {
    /// A connection has to be signed in again.
    ConnectionIssue(ConnectionIssue),
}

/// What is wrong with a connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectionIssue {
    /// Its display name.
    pub connection_name: String,
    /// The connection.
    pub connection_id: ConnectionId,
    /// What it leads to.
    pub platform_id: PlatformId,
    /// A sentence for the user.
    pub reason: String,
}

impl Notification {
    /// Tells that a connection has to be signed in again; once a day (UTC) at most.
    pub fn connection_issue(
        connection: &PlatformConnection,
        reason: &str,
        clock: &dyn Clock,
        random: &dyn Random,
    ) -> Self {
        let now = Timestamp::now(clock);
        Self {
            v: 1,
            id: format!("notification:{}", random.uuid_v7(now.0)),
            account_id: connection.account_id.clone(),
            audience: Audience::Owner,
            notice: Notice::ConnectionIssue(ConnectionIssue {
                connection_name: connection.name.clone(),
                connection_id: connection.connection_id.clone(),
                platform_id: connection.platform_id.clone(),
                reason: reason.to_owned(),
            }),
            dedup_key: format!("connection_issue:{}:{}", connection.connection_id, now.0.format("%F")),
            created_at: now,
        }
    }

    /// The FIFO group: an account is told things in their order.
    pub fn group_id(&self) -> &str {
        self.account_id.as_str()
    }

    /// The deduplication id, of 64 characters whatever the key is.
    pub fn deduplication_id(&self) -> String {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.dedup_key.as_bytes());
        hex::encode(digest)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;
    use crate::{ManualClock, SeededRandom};

    #[test]
    fn a_notification_says_all_that_its_consumer_needs_and_its_repeat_of_a_day_is_known_as_such() {
        let connection = from_value(json!({
            "connection_id": "k", "account_id": "a", "user_id": "u", "platform_id": "zoom", "name": "Our Zoom",
            "status": "active", "auth_type": "oauth2", "created_at": "2026-03-01T00:00:00Z",
            "updated_at": "2026-03-01T00:00:00Z",
        }));
        let connection: PlatformConnection = connection.unwrap();
        let clock = ManualClock::at("2026-03-10T23:00:00Z".parse().unwrap());
        let random = SeededRandom::new(1);
        let notify = || Notification::connection_issue(&connection, "Sign in again", &clock, &random);
        let first = notify();
        let mut told = to_value(&first).unwrap();
        assert_eq!(from_value::<Notification>(told.clone()).unwrap(), first);
        assert!(told["id"].as_str().unwrap().starts_with("notification:"));
        told["id"].take();
        assert_eq!(
            told,
            json!({
                "v": 1, "id": null, "type": "connection_issue", "account_id": "account:a", "audience": "owner",
                "data": {"connection_name": "Our Zoom", "connection_id": "connection:k", "platform_id": "platform:zoom",
                    "reason": "Sign in again"},
                "dedup_key": "connection_issue:connection:k:2026-03-10", "created_at": "2026-03-10T23:00:00Z",
            })
        );
        let second = notify();
        assert_ne!(second.id, first.id);
        assert_eq!(second.deduplication_id(), first.deduplication_id());
        clock.advance(chrono::TimeDelta::hours(1));
        assert_ne!(notify().deduplication_id(), first.deduplication_id());
    }
}
