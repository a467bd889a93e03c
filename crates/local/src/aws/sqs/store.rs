//! The file of the queues: what was accepted, in SQLite.
//!
//! Written by one thread, many requests to a transaction; read once, at start. Receives only raise the count in the
//! file: after a start their receivers are gone, so that what was in flight is visible at once, and the receive that
//! ended with them is taken back. A delay that was asked for, by sending with one or by changing the visibility, is
//! kept.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{CachedStatement, Connection, params};

use super::error::SqsError;
use super::message::Message;
use super::queue::{Entry, FirstSending, Queue, State};
use super::settings::Settings;

/// `visible_at` of a message that was received and neither given back nor deleted since.
const RECEIVED: i64 = 0;

/// `visible_at` of a message whose last receive was taken back: any other time that is over.
const TAKEN_BACK: i64 = 1;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    PRAGMA wal_autocheckpoint = 4000;
    CREATE TABLE IF NOT EXISTS queues (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, attributes TEXT NOT NULL,
        tags TEXT NOT NULL, created_at INTEGER NOT NULL, modified_at INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS messages (
        sequence INTEGER PRIMARY KEY, queue INTEGER NOT NULL, message_id TEXT NOT NULL, body TEXT NOT NULL,
        group_id TEXT, deduplication_id TEXT, sent_at INTEGER NOT NULL, attributes TEXT, trace_header TEXT,
        source_arn TEXT, visible_at INTEGER NOT NULL, receive_count INTEGER NOT NULL, first_received_at INTEGER
    );
    CREATE TABLE IF NOT EXISTS repeats (
        queue INTEGER NOT NULL, key TEXT NOT NULL, message_id TEXT NOT NULL, sequence INTEGER NOT NULL,
        until INTEGER NOT NULL, PRIMARY KEY (queue, key)
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS numbers (next_sequence INTEGER NOT NULL);
    INSERT INTO numbers SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM numbers);";

/// The open file.
pub(super) struct Store {
    connection: Connection,
    in_transaction: bool,
    /// The first fault since the last commit: nothing of the transaction may be kept then.
    fault: Option<SqsError>,
}

impl Store {
    pub fn open(path: &Path) -> Result<Self, rusqlite::Error> {
        let connection = Connection::open(path)?;
        connection.set_prepared_statement_cache_capacity(32);
        connection.execute_batch(SCHEMA)?;
        Ok(Self {
            connection,
            in_transaction: false,
            fault: None,
        })
    }

    /// Takes back the receives whose receivers ended with the last process, so that a message does not become a dead
    /// letter because the platform was killed; each is taken back once.
    pub fn take_back_receives(&self) -> Result<(), rusqlite::Error> {
        self.connection
            .execute(
                "UPDATE messages SET receive_count = receive_count - 1, visible_at = ?2
                 WHERE visible_at = ?1 AND receive_count > 0",
                [RECEIVED, TAKEN_BACK],
            )
            .map(drop)
    }

    /// Makes everything since the last commit durable, or undoes it.
    pub fn commit(&mut self) -> Result<(), SqsError> {
        let fault = self.fault.take();
        if !std::mem::take(&mut self.in_transaction) {
            return fault.map_or(Ok(()), Err);
        }
        let outcome = match fault {
            Some(fault) => Err(fault),
            None => self.connection.execute_batch("COMMIT").map_err(SqsError::from),
        };
        if outcome.is_err()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::warn!("the queue file could not be rolled back: {error}");
        }
        outcome
    }

    fn write<T>(
        &mut self,
        sql: &str,
        run: impl FnOnce(&mut CachedStatement<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, SqsError> {
        let outcome = (|| {
            if !self.in_transaction {
                self.connection.execute_batch("BEGIN IMMEDIATE")?;
                self.in_transaction = true;
            }
            run(&mut self.connection.prepare_cached(sql)?)
        })();
        outcome.map_err(|error| {
            let error = SqsError::from(error);
            self.fault.get_or_insert_with(|| error.clone());
            error
        })
    }

    /// Sets `count` sequence numbers aside and returns the first: none is ever given out twice.
    pub fn reserve_sequences(&mut self, count: u64) -> Result<u64, SqsError> {
        self.write(
            "UPDATE numbers SET next_sequence = next_sequence + ?1 RETURNING next_sequence",
            |statement| statement.query_row([count], |row| row.get::<_, u64>(0)),
        )
        .map(|end| end - count)
    }

    pub fn insert_queue(
        &mut self,
        name: &str,
        attributes: &BTreeMap<String, String>,
        now: i64,
    ) -> Result<i64, SqsError> {
        self.write(
            "INSERT INTO queues (name, attributes, tags, created_at, modified_at) VALUES (?1, ?2, '{}', ?3, ?3)",
            |statement| statement.insert(params![name, json(attributes), now]),
        )
    }

    pub fn update_queue(&mut self, queue: &Queue) -> Result<(), SqsError> {
        self.write(
            "UPDATE queues SET attributes = ?2, tags = ?3, modified_at = ?4 WHERE id = ?1",
            |statement| {
                statement.execute(params![
                    queue.id,
                    json(&queue.attributes),
                    json(&queue.tags),
                    queue.modified_at
                ])
            },
        )
        .map(drop)
    }

    pub fn delete_queue(&mut self, id: i64) -> Result<(), SqsError> {
        self.delete_messages_of(id)?;
        for sql in [
            "DELETE FROM repeats WHERE queue = ?1",
            "DELETE FROM queues WHERE id = ?1",
        ] {
            self.write(sql, |statement| statement.execute([id]))?;
        }
        Ok(())
    }

    pub fn delete_messages_of(&mut self, queue: i64) -> Result<(), SqsError> {
        self.write("DELETE FROM messages WHERE queue = ?1", |statement| {
            statement.execute([queue])
        })
        .map(drop)
    }

    pub fn insert_message(&mut self, queue: i64, entry: &Entry) -> Result<(), SqsError> {
        let message = &entry.message;
        let visible_at = match entry.state {
            State::Visible => 0,
            State::Delayed(until) | State::InFlight(until) => until,
        };
        let attributes = (!message.attributes.is_empty()).then(|| json(&message.attributes));
        self.write(
            "INSERT INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
            |statement| {
                statement.execute(params![
                    message.sequence,
                    queue,
                    message.message_id,
                    message.body,
                    message.group,
                    message.deduplication_id,
                    message.sent_at,
                    attributes,
                    message.trace_header,
                    message.source_arn,
                    visible_at,
                    entry.receive_count,
                    entry.first_received_at,
                ])
            },
        )
        .map(drop)
    }

    pub fn delete_message(&mut self, sequence: u64) -> Result<(), SqsError> {
        self.write("DELETE FROM messages WHERE sequence = ?1", |statement| {
            statement.execute([sequence])
        })
        .map(drop)
    }

    pub fn mark_received(&mut self, entry: &Entry) -> Result<(), SqsError> {
        self.write(
            "UPDATE messages SET receive_count = ?2, first_received_at = ?3, visible_at = ?4 WHERE sequence = ?1",
            |statement| {
                let (count, first) = (entry.receive_count, entry.first_received_at);
                statement.execute(params![entry.message.sequence, count, first, RECEIVED])
            },
        )
        .map(drop)
    }

    pub fn set_visible_at(&mut self, sequence: u64, at: i64) -> Result<(), SqsError> {
        self.write("UPDATE messages SET visible_at = ?2 WHERE sequence = ?1", |statement| {
            statement.execute(params![sequence, at])
        })
        .map(drop)
    }

    pub fn insert_repeat(&mut self, queue: i64, key: &str, first: &FirstSending) -> Result<(), SqsError> {
        self.write(
            "INSERT OR REPLACE INTO repeats VALUES (?1, ?2, ?3, ?4, ?5)",
            |statement| statement.execute(params![queue, key, first.message_id, first.sequence, first.until]),
        )
        .map(drop)
    }

    pub fn delete_repeat(&mut self, queue: i64, key: &str) -> Result<(), SqsError> {
        self.write("DELETE FROM repeats WHERE queue = ?1 AND key = ?2", |statement| {
            statement.execute(params![queue, key])
        })
        .map(drop)
    }

    /// Reads all queues with their messages.
    pub fn load(&self, now: i64) -> anyhow::Result<Vec<Queue>> {
        let mut queues = self.load_queues()?;
        let mut by_id: BTreeMap<i64, &mut Queue> = queues.iter_mut().map(|queue| (queue.id, queue)).collect();
        let mut statement = self.connection.prepare(
            "SELECT queue, sequence, message_id, body, group_id, deduplication_id, sent_at, attributes, trace_header,
                    source_arn, visible_at, receive_count, first_received_at FROM messages ORDER BY sequence",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let Some(queue) = by_id.get_mut(&row.get(0)?) else {
                continue;
            };
            let attributes: Option<String> = row.get(7)?;
            let attributes = attributes.map(|text| serde_json::from_str(&text)).transpose()?;
            let (visible_at, receive_count) = (row.get(10)?, row.get(11)?);
            queue.insert(Entry {
                message: Arc::new(Message {
                    sequence: row.get(1)?,
                    message_id: row.get(2)?,
                    body: row.get(3)?,
                    group: row.get(4)?,
                    deduplication_id: row.get(5)?,
                    sent_at: row.get(6)?,
                    attributes: attributes.unwrap_or_default(),
                    trace_header: row.get(8)?,
                    source_arn: row.get(9)?,
                }),
                state: match receive_count {
                    _ if visible_at <= now => State::Visible,
                    0 => State::Delayed(visible_at),
                    _ => State::InFlight(visible_at),
                },
                receive_count,
                first_received_at: row.get(12)?,
            });
        }
        let mut statement = self
            .connection
            .prepare("SELECT queue, key, message_id, sequence, until FROM repeats")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Some(queue) = by_id.get_mut(&row.get(0)?) {
                let first = FirstSending {
                    message_id: row.get(2)?,
                    sequence: row.get(3)?,
                    until: row.get(4)?,
                };
                queue.repeats.insert(row.get(1)?, first);
            }
        }
        Ok(queues)
    }

    fn load_queues(&self) -> anyhow::Result<Vec<Queue>> {
        let mut statement = self
            .connection
            .prepare("SELECT id, name, attributes, tags, created_at, modified_at FROM queues")?;
        let mut rows = statement.query([])?;
        let mut queues = Vec::new();
        while let Some(row) = rows.next()? {
            let name: String = row.get(1)?;
            let attributes: BTreeMap<String, String> = serde_json::from_str(&row.get::<_, String>(2)?)?;
            let settings = Settings::read(&name, &attributes)?;
            let mut queue = Queue::new(row.get(0)?, name, attributes, settings, row.get(4)?);
            queue.tags = serde_json::from_str(&row.get::<_, String>(3)?)?;
            queue.modified_at = row.get(5)?;
            queues.push(queue);
        }
        Ok(queues)
    }
}

/// Maps with text keys always have a JSON form.
fn json<T: serde::Serialize>(map: &T) -> String {
    serde_json::to_string(map).expect("maps with text keys are JSON objects")
}
