//! DynamoDB and its streams, over the embedded engine `dynoxide` on one SQLite file.
//!
//! The engine is synchronous and serves one caller at a time, so it has a thread of its own; requests are read and
//! answers written by the callers. The hop costs some 80 µs, and a long scan does not hold up the runtime. Every write
//! is committed to the file before it is answered.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use dynoxide::actions::batch_write_item::BatchWriteItemRequest;
use dynoxide::actions::delete_item::DeleteItemRequest;
use dynoxide::actions::put_item::PutItemRequest;
use dynoxide::actions::transact_write_items::{
    TransactWriteItem, TransactWriteItemsRequest, TransactWriteItemsResponse,
};
use dynoxide::actions::update_item::UpdateItemRequest;
use dynoxide::streams::{LOCAL_ACCOUNT, LOCAL_REGION};
use dynoxide::{Database, DynoxideError};
use http::{HeaderValue, Request, Response, StatusCode, header};
use mfh_aws::REGION;
use rusqlite::{Connection, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use super::http_client::Undivided;
use super::{AwsService, operation};

/// What the engine adds to a stored sequence number to make the 21 digits of the wire.
const SEQUENCE_OFFSET: u128 = 100_000_000_000_000_000_000;

/// The engine asks for the highest sequence number of a table with every write and has no index for it.
const STREAM_INDEXES: &str = "
    CREATE INDEX IF NOT EXISTS mfh_stream_by_table
        ON _stream_records (table_name, CAST(sequence_number AS INTEGER));
    CREATE INDEX IF NOT EXISTS mfh_stream_by_shard
        ON _stream_records (table_name, shard_id, CAST(sequence_number AS INTEGER));";

/// DynamoDB on a file.
pub struct DynamoDb {
    jobs: mpsc::Sender<Job>,
    account_id: String,
    /// How many writes a table has seen, for the tables somebody watches.
    watched: Mutex<HashMap<String, watch::Sender<u64>>>,
}

/// One change of an item, as a stream tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamRecord {
    /// The engine's number of the change; rises within a table.
    pub sequence: i64,
    /// A globally unique id of the change.
    pub event_id: String,
    /// `INSERT`, `MODIFY` or `REMOVE`.
    pub event_name: String,
    /// When it was written, in Unix seconds.
    pub created_at: i64,
    /// The key attributes in DynamoDB JSON.
    pub keys: Value,
    /// The item after the change in DynamoDB JSON, where the stream carries it.
    pub new_image: Option<Value>,
    /// The item before the change in DynamoDB JSON, where the stream carries it.
    pub old_image: Option<Value>,
}

impl StreamRecord {
    /// The sequence number as DynamoDB writes it: 21 digits.
    pub fn sequence_number(&self) -> String {
        (SEQUENCE_OFFSET + u128::from(self.sequence.unsigned_abs())).to_string()
    }
}

/// Which images are read from a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Images {
    All,
    /// The new image of `INSERT` records.
    OfNewItems,
}

/// Work for the engine's thread.
type Job = Box<dyn FnOnce(&Engine) + Send>;

/// The engine with a second connection to its file, for what it has no call for.
struct Engine {
    database: Database,
    connection: Connection,
}

impl Engine {
    fn open(path: &Path) -> anyhow::Result<Self> {
        let text = path
            .to_str()
            .with_context(|| format!("the path {} is not valid UTF-8", path.display()))?;
        let database =
            Database::new(text).with_context(|| format!("the DynamoDB file {} cannot be opened", path.display()))?;
        // `synchronous = OFF` and a large cache: twice the writes of `NORMAL`. What was committed survives the death
        // of this process at any instant; only a crash of the whole machine can damage the file.
        database.enable_bulk_loading()?;
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.execute_batch(STREAM_INDEXES)?;
        Ok(Self { database, connection })
    }

    fn read_stream(&self, table: &str, after: i64, limit: u32, images: Images) -> anyhow::Result<Vec<StreamRecord>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT CAST(sequence_number AS INTEGER), event_id, event_name, created_at,
                    CASE WHEN ?4 OR event_name = 'INSERT' THEN keys_json END,
                    CASE WHEN ?4 OR event_name = 'INSERT' THEN new_image END,
                    CASE WHEN ?4 THEN old_image END
             FROM _stream_records
             WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) > ?2
             ORDER BY CAST(sequence_number AS INTEGER) LIMIT ?3",
        )?;
        let mut rows = statement.query(params![table, after, limit, images == Images::All])?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            let sequence: i64 = row.get(0)?;
            let event_id: Option<String> = row.get(1)?;
            let image = |index: usize| -> anyhow::Result<Option<Value>> {
                let text: Option<String> = row.get(index)?;
                Ok(text.map(|text| serde_json::from_str(&text)).transpose()?)
            };
            records.push(StreamRecord {
                sequence,
                event_id: event_id.unwrap_or_else(|| sequence.to_string()),
                event_name: row.get(2)?,
                created_at: row.get(3)?,
                keys: image(4)?.unwrap_or_default(),
                new_image: image(5)?,
                old_image: image(6)?,
            });
        }
        Ok(records)
    }

    fn latest(&self, table: &str) -> anyhow::Result<i64> {
        let mut statement = self.connection.prepare_cached(
            "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) FROM _stream_records WHERE table_name = ?1",
        )?;
        Ok(statement.query_row([table], |row| row.get(0))?)
    }

    /// The newest row stays: the engine numbers the next change from it.
    fn trim_stream(&self, table: &str, up_to: i64) -> anyhow::Result<usize> {
        let below = self.latest(table)?.min(up_to.saturating_add(1));
        let mut statement = self.connection.prepare_cached(
            "DELETE FROM _stream_records WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) < ?2",
        )?;
        Ok(statement.execute(params![table, below])?)
    }
}

impl DynamoDb {
    /// Opens the file at `path`, creating it when there is none.
    ///
    /// # Errors
    /// When the file cannot be opened or is not a database.
    pub fn open(path: impl Into<PathBuf>, account_id: impl Into<String>) -> anyhow::Result<Arc<Self>> {
        let path = path.into();
        let engine = Engine::open(&path)?;
        let (jobs, queue) = mpsc::channel::<Job>();
        thread::Builder::new()
            .name("dynamodb".to_owned())
            .spawn(move || work(engine, &path, &queue))?;
        Ok(Arc::new(Self {
            jobs,
            account_id: account_id.into(),
            watched: Mutex::default(),
        }))
    }

    /// Changes of `table` after the change `after` (0: from the oldest that is kept), oldest first.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn read_stream(
        &self,
        table: impl Into<String>,
        after: i64,
        limit: u32,
    ) -> anyhow::Result<Vec<StreamRecord>> {
        let table = table.into();
        self.on_engine(move |engine| engine.read_stream(&table, after, limit, Images::All))
            .await?
    }

    /// Like [`DynamoDb::read_stream`] for who wants new items alone: other changes come without keys and images,
    /// which are not read then.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn read_stream_for_new_items(
        &self,
        table: impl Into<String>,
        after: i64,
        limit: u32,
    ) -> anyhow::Result<Vec<StreamRecord>> {
        let table = table.into();
        self.on_engine(move |engine| engine.read_stream(&table, after, limit, Images::OfNewItems))
            .await?
    }

    /// The number of the last change of `table`; 0 when it has none.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub async fn latest_sequence(&self, table: impl Into<String>) -> anyhow::Result<i64> {
        let table = table.into();
        self.on_engine(move |engine| engine.latest(&table)).await?
    }

    /// Forgets the changes of `table` up to and with the change `up_to`, except the newest; returns how many.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub async fn trim_stream(&self, table: impl Into<String>, up_to: i64) -> anyhow::Result<usize> {
        let table = table.into();
        self.on_engine(move |engine| engine.trim_stream(&table, up_to)).await?
    }

    /// Changes after every write to `table` that was not refused, so that readers of its stream need not ask again and again.
    pub fn watch(&self, table: impl Into<String>) -> watch::Receiver<u64> {
        self.watched()
            .entry(table.into())
            .or_insert_with(|| watch::Sender::new(0))
            .subscribe()
    }

    /// Deletes the items whose time to live has passed; returns how many.
    ///
    /// # Errors
    /// When the engine fails.
    pub async fn sweep_expired(&self) -> anyhow::Result<usize> {
        let deleted = self.on_engine(|engine| engine.database.sweep_ttl()).await??;
        if deleted > 0 {
            for sender in self.watched().values() {
                sender.send_modify(|count| *count += 1);
            }
        }
        Ok(deleted)
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<u64>>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, tables: &[String]) {
        let watched = self.watched();
        for sender in tables.iter().filter_map(|table| watched.get(table)) {
            sender.send_modify(|count| *count += 1);
        }
    }

    async fn on_engine<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine) -> T + Send + 'static,
    ) -> anyhow::Result<T> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |engine| {
            // A caller that has gone does not need the answer.
            let _ = reply.send(work(engine));
        });
        self.jobs
            .send(job)
            .map_err(|_| anyhow::anyhow!("the DynamoDB engine has stopped; restart the program"))?;
        answer.await.context("the DynamoDB engine failed in this request")
    }

    /// Runs an operation that changes no items.
    async fn run<Q, A>(&self, body: &[u8], call: fn(&Database, Q) -> dynoxide::Result<A>) -> dynoxide::Result<String>
    where
        Q: DeserializeOwned + Send + 'static,
        A: Serialize + Send + 'static,
    {
        self.execute(parse(body)?, call).await
    }

    /// Runs an operation that changes items and wakes the readers of the tables it names.
    async fn write<Q, A>(
        &self,
        body: &[u8],
        tables: fn(&Q) -> Vec<String>,
        call: fn(&Database, Q) -> dynoxide::Result<A>,
    ) -> dynoxide::Result<String>
    where
        Q: DeserializeOwned + Send + 'static,
        A: Serialize + Send + 'static,
    {
        let request = parse(body)?;
        let tables = tables(&request);
        let answer = self.execute(request, call).await;
        // A write whose condition did not hold changed nothing; after any other failure that is not known.
        if !matches!(answer, Err(DynoxideError::ConditionalCheckFailedException(..))) {
            self.wake(&tables);
        }
        answer
    }

    async fn execute<Q, A>(&self, request: Q, call: fn(&Database, Q) -> dynoxide::Result<A>) -> dynoxide::Result<String>
    where
        Q: Send + 'static,
        A: Serialize + Send + 'static,
    {
        let answer = self
            .on_engine(move |engine| call(&engine.database, request))
            .await
            .map_err(|error| DynoxideError::InternalServerError(error.to_string()))??;
        serde_json::to_string(&answer).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
    }

    /// Runs an operation whose request or answer carries ARNs, which the engine writes with a region of its own.
    async fn run_with_arns<Q, A>(
        &self,
        body: &[u8],
        call: fn(&Database, Q) -> dynoxide::Result<A>,
    ) -> dynoxide::Result<String>
    where
        Q: DeserializeOwned + Send + 'static,
        A: Serialize + Send + 'static,
    {
        let ours = format!("arn:aws:dynamodb:{REGION}:{}:", self.account_id);
        let engines = format!("arn:aws:dynamodb:{LOCAL_REGION}:{LOCAL_ACCOUNT}:");
        let body = std::str::from_utf8(body).map_err(|_| malformed(String::new()))?;
        let answer = self.run(body.replace(&ours, &engines).as_bytes(), call).await?;
        Ok(answer.replace(&engines, &ours))
    }

    async fn dispatch(&self, operation: &str, body: &[u8], undivided: bool) -> Option<dynoxide::Result<String>> {
        Some(match operation {
            "PutItem" => {
                self.write(
                    body,
                    |q: &PutItemRequest| vec![q.table_name.clone()],
                    Database::put_item,
                )
                .await
            }
            "UpdateItem" => {
                self.write(
                    body,
                    |q: &UpdateItemRequest| vec![q.table_name.clone()],
                    Database::update_item,
                )
                .await
            }
            "DeleteItem" => {
                self.write(
                    body,
                    |q: &DeleteItemRequest| vec![q.table_name.clone()],
                    Database::delete_item,
                )
                .await
            }
            "BatchWriteItem" => self.write(body, batch_tables, Database::batch_write_item).await,
            "TransactWriteItems" if undivided => self.write(body, transaction_tables, transact_without_token).await,
            "TransactWriteItems" => {
                self.write(body, transaction_tables, Database::transact_write_items)
                    .await
            }
            "GetItem" => self.run(body, Database::get_item).await,
            "Query" => self.run(body, Database::query).await,
            "Scan" => self.run(body, Database::scan).await,
            "BatchGetItem" => self.run(body, Database::batch_get_item).await,
            "TransactGetItems" => self.run(body, Database::transact_get_items).await,
            "ListTables" => self.run(body, Database::list_tables).await,
            "UpdateTimeToLive" => self.run(body, Database::update_time_to_live).await,
            "DescribeTimeToLive" => self.run(body, Database::describe_time_to_live).await,
            "CreateTable" => self.run_with_arns(body, Database::create_table).await,
            "DescribeTable" => self.run_with_arns(body, Database::describe_table).await,
            "UpdateTable" => self.run_with_arns(body, Database::update_table).await,
            "DeleteTable" => self.run_with_arns(body, Database::delete_table).await,
            "TagResource" => self.run_with_arns(body, Database::tag_resource).await,
            "UntagResource" => self.run_with_arns(body, Database::untag_resource).await,
            "ListTagsOfResource" => self.run_with_arns(body, Database::list_tags_of_resource).await,
            "ListStreams" => self.run_with_arns(body, Database::list_streams).await,
            "DescribeStream" => self.run_with_arns(body, Database::describe_stream).await,
            "GetShardIterator" => self.run_with_arns(body, Database::get_shard_iterator).await,
            "GetRecords" => self.run(body, get_records).await,
            _ => return None,
        })
    }
}

#[async_trait]
impl AwsService for DynamoDb {
    async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        let answer = match operation(&request) {
            Some(operation) => {
                tracing::trace!(operation, body = %String::from_utf8_lossy(request.body()), "DynamoDB");
                let undivided = request.extensions().get::<Undivided>().is_some();
                self.dispatch(operation, request.body(), undivided).await
            }
            None => None,
        };
        match answer {
            Some(Ok(body)) => respond(StatusCode::OK, body),
            Some(Err(error)) => {
                let status = StatusCode::from_u16(error.status_code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
                respond(status, error.to_json())
            }
            None => respond(
                StatusCode::BAD_REQUEST,
                r#"{"__type":"com.amazon.coral.service#UnknownOperationException"}"#.to_owned(),
            ),
        }
    }
}

/// Does the jobs one after another. A panic inside the engine poisons its lock, so that it is opened anew.
fn work(mut engine: Engine, path: &Path, jobs: &mpsc::Receiver<Job>) {
    for job in jobs {
        if catch_unwind(AssertUnwindSafe(|| job(&engine))).is_ok() {
            continue;
        }
        match Engine::open(path) {
            Ok(opened) => engine = opened,
            Err(error) => {
                tracing::error!("DynamoDB cannot be opened again: {error:#}");
                return;
            }
        }
    }
}

/// A transaction that nobody repeats under its token. The engine would keep the token for ten minutes, and looks through
/// all that it keeps with every transaction: after 100,000 of them that takes longer than the transaction itself.
fn transact_without_token(
    database: &Database,
    mut request: TransactWriteItemsRequest,
) -> dynoxide::Result<TransactWriteItemsResponse> {
    request.client_request_token = None;
    database.transact_write_items(request)
}

fn get_records(
    database: &Database,
    request: dynoxide::actions::get_records::GetRecordsRequest,
) -> dynoxide::Result<dynoxide::actions::get_records::GetRecordsResponse> {
    let mut answer = database.get_records(request)?;
    for record in &mut answer.records {
        record.aws_region = REGION.to_owned();
    }
    Ok(answer)
}

fn batch_tables(request: &BatchWriteItemRequest) -> Vec<String> {
    request.request_items.keys().cloned().collect()
}

fn transaction_tables(request: &TransactWriteItemsRequest) -> Vec<String> {
    let table = |item: &TransactWriteItem| {
        let put = item.put.as_ref().map(|put| &put.table_name);
        let update = item.update.as_ref().map(|update| &update.table_name);
        let delete = item.delete.as_ref().map(|delete| &delete.table_name);
        put.or(update).or(delete).cloned()
    };
    let mut tables: Vec<_> = request.transact_items.iter().filter_map(table).collect();
    tables.sort_unstable();
    tables.dedup();
    tables
}

/// Reads a request. The engine's types mark what DynamoDB calls a validation error by a prefix of the text.
fn parse<Q: DeserializeOwned>(body: &[u8]) -> dynoxide::Result<Q> {
    serde_json::from_slice(body).map_err(|error| {
        let text = error.to_string();
        let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
        for prefix in ["VALIDATION_REQUEST:", "VALIDATION_AS_READ:", "VALIDATION:"] {
            if let Some(message) = text.strip_prefix(prefix) {
                return DynoxideError::ValidationException(message.to_owned());
            }
        }
        for prefix in ["SERIALIZATION_AS_READ:", "SERIALIZATION:"] {
            if let Some(message) = text.strip_prefix(prefix) {
                return malformed(message.to_owned());
            }
        }
        let is_invalid_value = [
            "missing field",
            "unknown variant",
            "invalid type: null",
            "AttributeValue",
        ]
        .iter()
        .any(|part| text.contains(part));
        if is_invalid_value {
            DynoxideError::ValidationException(text.to_owned())
        } else {
            malformed(text.to_owned())
        }
    })
}

fn malformed(message: String) -> DynoxideError {
    DynoxideError::SerializationException(message)
}

fn respond(status: StatusCode, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.0"),
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The engine's question for the next sequence number, word for word.
    const NEXT_SEQUENCE: &str = "SELECT COALESCE(MAX(CAST(sequence_number AS INTEGER)), 0) + 1 FROM _stream_records WHERE table_name = 'executions'";

    fn plan(connection: &Connection, sql: &str) -> String {
        connection
            .query_row(&format!("EXPLAIN QUERY PLAN {sql}"), [], |row| row.get(3))
            .unwrap()
    }

    #[test]
    fn the_engine_still_needs_the_stream_indexes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bare.db");
        let _database = Database::new(path.to_str().unwrap()).unwrap();
        let bare = Connection::open(&path).unwrap();
        let plan = plan(&bare, NEXT_SEQUENCE);
        assert!(!plan.contains("INDEX"), "{plan}");
        let own_indexes: i64 = bare
            .query_row("SELECT COUNT(*) FROM pragma_index_list('_stream_records')", [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(own_indexes, 0, "the engine has indexes of its own now: ours may go");
    }

    #[test]
    fn the_engines_questions_use_the_stream_indexes() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(&folder.path().join("dynamodb.db")).unwrap();
        let uses = |sql: &str, index: &str| {
            let plan = plan(&engine.connection, sql);
            assert!(plan.starts_with("SEARCH") && plan.contains(index), "{sql}: {plan}");
        };
        uses(NEXT_SEQUENCE, "mfh_stream_by_table");
        uses(
            "SELECT event_name FROM _stream_records WHERE table_name = 'executions' AND shard_id = 's' \
             AND CAST(sequence_number AS INTEGER) > 5 ORDER BY CAST(sequence_number AS INTEGER) ASC LIMIT 10",
            "mfh_stream_by_shard",
        );
        uses(
            "DELETE FROM _stream_records WHERE table_name = 'executions' AND CAST(sequence_number AS INTEGER) < 5",
            "mfh_stream_by_table",
        );
    }

    #[tokio::test]
    async fn a_panic_in_one_request_does_not_end_the_engine() {
        let folder = tempfile::tempdir().unwrap();
        let dynamodb = DynamoDb::open(folder.path().join("dynamodb.db"), "123456789012").unwrap();
        let failed = dynamodb.on_engine(|_| -> () { panic!("on purpose") }).await;
        assert!(failed.is_err());
        assert_eq!(dynamodb.latest_sequence("executions").await.unwrap(), 0);
    }
}
