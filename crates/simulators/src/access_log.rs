//! What a simulator received: every request in order, and every write that it applied.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use mfh_types::{Clock, TimestampMs};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::faults::Spoiled;

/// How many writes are kept; older ones are forgotten.
pub(crate) const KEPT_WRITES: usize = 200_000;
/// How many requests are kept; older ones are forgotten.
const KEPT_REQUESTS: usize = 10_000;
/// The largest request body that is read, in bytes.
const MAX_BODY: usize = 10 * 1024 * 1024;

/// A write that was applied, for tests that count effects.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct Write {
    /// Position in the log, from 1.
    pub n: u64,
    /// When it was applied.
    pub at: TimestampMs,
    /// What was done, for example `apply_tag`.
    pub op: String,
    /// The contact concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<String>,
    /// The tag concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_id: Option<String>,
    /// The values written, by field name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fields: Option<Value>,
    /// Whether the state differs from before; false for a tag that was there already.
    pub changed: bool,
    /// Which request it belongs to: the `x-request-id` that was sent, or one made up.
    pub request_id: String,
}

/// A write before it has its place in the log.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) op: &'static str,
    pub(crate) contact_id: Option<String>,
    pub(crate) tag_id: Option<String>,
    pub(crate) fields: Option<Value>,
    pub(crate) changed: bool,
}

/// A request that was received.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestEntry {
    /// Position in the log, from 1.
    pub n: u64,
    /// When it arrived.
    pub at: TimestampMs,
    /// The `x-request-id` that was sent, or one made up.
    pub request_id: String,
    /// HTTP method.
    pub method: String,
    /// Path as it was sent, percent-encoded.
    pub path: String,
    /// Query as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Status that was answered; of a request whose connection was cut, the one it did not get to see.
    pub status: u16,
    /// The fault it met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fault: Option<&'static str>,
}

/// A request and its answer with their bodies, for checks against a vendor's description.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Exchange {
    /// The request.
    pub request: RequestEntry,
    /// The request's body; text that is not JSON is a string, no body is absent.
    pub request_body: Option<Value>,
    /// The answer's body, likewise; absent when a fault cut the connection.
    pub response_body: Option<Value>,
}

/// The id of the request in hand, for handlers.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

#[derive(Debug, Default)]
struct Entries {
    requests: VecDeque<RequestEntry>,
    received: u64,
    writes: VecDeque<Write>,
    written: u64,
    /// Present while bodies are recorded.
    exchanges: Option<Vec<Exchange>>,
}

/// The log of one simulator.
#[derive(Debug, Clone)]
pub struct AccessLog {
    entries: Arc<Mutex<Entries>>,
    clock: Arc<dyn Clock>,
}

impl AccessLog {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            entries: Arc::default(),
            clock,
        }
    }

    /// The writes applied so far, oldest first.
    pub fn writes(&self) -> Vec<Write> {
        self.lock().writes.iter().cloned().collect()
    }

    /// The requests received so far, oldest first.
    pub fn requests(&self) -> Vec<RequestEntry> {
        self.lock().requests.iter().cloned().collect()
    }

    /// From now on keeps whole requests and answers; for tests, as it is not bounded.
    pub fn record_exchanges(&self) {
        self.lock().exchanges.get_or_insert_default();
    }

    /// The exchanges recorded since [`AccessLog::record_exchanges`].
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.lock().exchanges.clone().unwrap_or_default()
    }

    /// Gives drafts their place without adding them to the log.
    pub(crate) fn number(&self, drafts: Vec<Draft>, request_id: &RequestId) -> Vec<Write> {
        let at = TimestampMs::now(&*self.clock);
        let written = self.lock().written;
        drafts
            .into_iter()
            .zip(written + 1..)
            .map(|(draft, n)| Write {
                n,
                at,
                op: draft.op.to_owned(),
                contact_id: draft.contact_id,
                tag_id: draft.tag_id,
                fields: draft.fields,
                changed: draft.changed,
                request_id: request_id.0.clone(),
            })
            .collect()
    }

    /// Adds numbered writes to the log.
    pub(crate) fn extend(&self, writes: Vec<Write>) {
        let mut entries = self.lock();
        if let Some(last) = writes.last() {
            entries.written = last.n;
        }
        entries.writes.extend(writes);
        let surplus = entries.writes.len().saturating_sub(KEPT_WRITES);
        entries.writes.drain(..surplus);
    }

    /// Forgets writes and requests and counts from 1 again.
    pub(crate) fn clear(&self) {
        let mut entries = self.lock();
        let exchanges = entries.exchanges.is_some().then(Vec::new);
        *entries = Entries {
            exchanges,
            ..Entries::default()
        };
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_entry(&self, request: &Request) -> RequestEntry {
        let mut entries = self.lock();
        entries.received += 1;
        let n = entries.received;
        let sent = request.headers().get("x-request-id");
        RequestEntry {
            n,
            at: TimestampMs::now(&*self.clock),
            request_id: sent
                .and_then(|id| id.to_str().ok())
                .map_or_else(|| format!("request-{n}"), str::to_owned),
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().map(str::to_owned),
            status: 0,
            fault: None,
        }
    }

    fn close_entry(&self, entry: RequestEntry, bodies: Option<(Bytes, Option<Bytes>)>) {
        let mut entries = self.lock();
        if let (Some(exchanges), Some((sent, answered))) = (&mut entries.exchanges, bodies) {
            exchanges.push(Exchange {
                request: entry.clone(),
                request_body: as_value(&sent),
                response_body: answered.as_ref().and_then(as_value),
            });
        }
        entries.requests.push_back(entry);
        let surplus = entries.requests.len().saturating_sub(KEPT_REQUESTS);
        entries.requests.drain(..surplus);
    }

    /// `GET /_log` (writes; `?contact_id=` and `?after=<n>` narrow) and `GET /_log/requests`.
    pub(crate) fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        Router::new()
            .route("/_log", get(show_writes))
            .route(
                "/_log/requests",
                get(|State(log): State<Self>| async move { Json(log.requests()) }),
            )
            .with_state(self.clone())
    }
}

fn as_value(bytes: &Bytes) -> Option<Value> {
    (!bytes.is_empty()).then(|| {
        serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
    })
}

#[derive(Debug, Deserialize)]
struct Narrow {
    contact_id: Option<String>,
    after: Option<u64>,
}

async fn show_writes(State(log): State<AccessLog>, Query(narrow): Query<Narrow>) -> Json<Vec<Write>> {
    let mut writes = log.writes();
    writes.retain(|write| {
        write.n > narrow.after.unwrap_or(0) && (narrow.contact_id.is_none() || write.contact_id == narrow.contact_id)
    });
    Json(writes)
}

/// The middleware that logs; it gives the handlers a [`RequestId`] and the client an `x-request-id`.
pub(crate) async fn record(State(log): State<AccessLog>, request: Request, next: Next) -> Response {
    let mut entry = log.open_entry(&request);
    let (mut parts, body) = request.into_parts();
    // A body that is too long or breaks off never reaches a handler.
    let Ok(sent) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    parts.extensions.insert(RequestId(entry.request_id.clone()));
    let mut response = next.run(Request::from_parts(parts, Body::from(sent.clone()))).await;
    if let Ok(id) = HeaderValue::from_str(&entry.request_id) {
        response.headers_mut().insert("x-request-id", id);
    }
    entry.status = response.status().as_u16();
    entry.fault = response.extensions().get().map(|Spoiled(name)| *name);
    let recording = log.lock().exchanges.is_some();
    if !recording {
        log.close_entry(entry, None);
        return response;
    }
    let (parts, body) = response.into_parts();
    // A body that fails is a connection cut on purpose; it must fail for the client as well.
    match to_bytes(body, usize::MAX).await {
        Ok(answered) => {
            log.close_entry(entry, Some((sent, Some(answered.clone()))));
            Response::from_parts(parts, Body::from(answered))
        }
        Err(_) => {
            log.close_entry(entry, Some((sent, None)));
            Response::from_parts(parts, crate::faults::broken_body())
        }
    }
}
