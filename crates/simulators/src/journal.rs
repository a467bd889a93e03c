//! Keeps a simulator's records on disk: one JSON row a record, written before the answer is sent.

use std::path::Path;

use anyhow::Context as _;
use rusqlite::{Connection, params};

use crate::access_log::{KEPT_WRITES, Write};

/// A record to store, or to delete when `json` is absent.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) kind: &'static str,
    pub(crate) id: String,
    pub(crate) json: Option<String>,
}

/// The SQLite file behind one simulator.
#[derive(Debug)]
pub(crate) struct Journal(Connection);

impl Journal {
    /// Opens or creates the file `<dir>/<name>.sqlite`.
    pub(crate) fn open(dir: &Path, name: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir).with_context(|| format!("creating the folder {}", dir.display()))?;
        let path = dir.join(format!("{name}.sqlite"));
        let connection =
            Connection::open(&path).with_context(|| format!("opening the simulator's file {}", path.display()))?;
        // In this mode a commit survives the end of the process by any signal, and costs no disk sync.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(
            "CREATE TABLE IF NOT EXISTS records (
                 kind TEXT NOT NULL, id TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (kind, id)
             ) WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS writes (n INTEGER PRIMARY KEY, json TEXT NOT NULL);",
        )?;
        Ok(Self(connection))
    }

    /// The JSON of all stored records, with their kind.
    pub(crate) fn records(&self) -> anyhow::Result<Vec<(String, String)>> {
        let mut query = self.0.prepare("SELECT kind, json FROM records")?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The stored write log in order.
    pub(crate) fn writes(&self) -> anyhow::Result<Vec<Write>> {
        let mut query = self.0.prepare("SELECT json FROM writes ORDER BY n")?;
        let rows = query.query_map([], |row| row.get::<_, String>(0))?;
        rows.map(|json| Ok(serde_json::from_str(&json?)?)).collect()
    }

    /// Stores records and log entries together: all or nothing.
    pub(crate) fn commit(&mut self, rows: &[Row], writes: &[Write]) -> anyhow::Result<()> {
        let transaction = self.0.transaction()?;
        for row in rows {
            match &row.json {
                Some(json) => transaction
                    .prepare_cached("INSERT OR REPLACE INTO records VALUES (?1, ?2, ?3)")?
                    .execute(params![row.kind, row.id, json])?,
                None => transaction
                    .prepare_cached("DELETE FROM records WHERE kind = ?1 AND id = ?2")?
                    .execute(params![row.kind, row.id])?,
            };
        }
        for write in writes {
            transaction
                .prepare_cached("INSERT OR REPLACE INTO writes VALUES (?1, ?2)")?
                .execute(params![write.n, serde_json::to_string(write)?])?;
        }
        if let Some(last) = writes.last() {
            transaction
                .prepare_cached("DELETE FROM writes WHERE n <= ?1")?
                .execute(params![last.n.saturating_sub(KEPT_WRITES as u64)])?;
        }
        Ok(transaction.commit()?)
    }

    /// Replaces the whole content with `rows` and forgets the write log.
    pub(crate) fn replace(&mut self, rows: &[Row]) -> anyhow::Result<()> {
        let transaction = self.0.transaction()?;
        transaction.execute_batch("DELETE FROM records; DELETE FROM writes;")?;
        for row in rows {
            if let Some(json) = &row.json {
                transaction
                    .prepare_cached("INSERT OR REPLACE INTO records VALUES (?1, ?2, ?3)")?
                    .execute(params![row.kind, row.id, json])?;
            }
        }
        Ok(transaction.commit()?)
    }
}
