//! Faults on demand: rules that make a simulator answer as a vendor does on a bad day.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use bytes::Bytes;
use futures::stream;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// This status is answered and the request is not applied.
    Status {
        /// HTTP status code.
        status: u16,
        /// `Retry-After` in seconds; absent means no such header.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
        /// Body of the answer: JSON, or plain text when it is a string; absent means the vendor's usual body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        body: Option<Value>,
    },
    /// The request is handled after this wait.
    Slow {
        /// Milliseconds to wait.
        ms: u64,
    },
    /// The connection is cut before the answer; the request is not applied.
    Cut,
    /// The request is applied, then the connection is cut before the answer.
    CutAfter,
    /// The request is applied and answered with 200 and JSON that breaks off.
    Malformed,
    /// A gateway's HTML page with status 502; the request is not applied.
    Html,
}

impl Fault {
    fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Slow { .. } => "slow",
            Self::Cut => "cut",
            Self::CutAfter => "cut_after",
            Self::Malformed => "malformed",
            Self::Html => "html",
        }
    }
}

/// How many requests a rule spoils.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Times {
    /// This many.
    Count(u32),
    /// All of them, written `"always"`.
    Always(Always),
}

/// The word `always`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Always {
    /// Until the rules are cleared.
    Always,
}

/// A fault and the requests that meet it; conditions left out hold for every request.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub struct FaultRule {
    /// HTTP method, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Text that the path (without query) contains.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_contains: Option<String>,
    /// How many matching requests are spoiled; one when absent.
    #[serde(default = "once")]
    pub times: Times,
    /// How many matching requests pass untouched first.
    #[serde(default)]
    pub skip: u32,
    /// What goes wrong.
    #[serde(flatten)]
    pub fault: Fault,
}

fn once() -> Times {
    Times::Count(1)
}

impl FaultRule {
    /// A rule that spoils the next request.
    pub fn new(fault: Fault) -> Self {
        Self {
            method: None,
            path_contains: None,
            times: once(),
            skip: 0,
            fault,
        }
    }

    /// Answers the next request with `status` and the vendor's usual body for it.
    pub fn status(status: u16) -> Self {
        Self::new(Fault::Status {
            status,
            retry_after: None,
            body: None,
        })
    }

    /// Only requests of this method and with this text in the path.
    #[must_use]
    pub fn on(mut self, method: &str, path_contains: &str) -> Self {
        self.method = Some(method.to_owned());
        self.path_contains = Some(path_contains.to_owned());
        self
    }

    /// Spoils this many requests.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.times = Times::Count(count);
        self
    }

    /// Spoils all matching requests until the rules are cleared.
    #[must_use]
    pub fn always(mut self) -> Self {
        self.times = Times::Always(Always::Always);
        self
    }

    /// Lets this many matching requests pass first.
    #[must_use]
    pub fn skip(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    fn matches(&self, method: &str, path: &str) -> bool {
        self.method
            .as_ref()
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(method))
            && self
                .path_contains
                .as_ref()
                .is_none_or(|part| path.contains(part.as_str()))
    }

    /// Counts one matching request and says whether it is spoiled.
    fn strike(&mut self) -> bool {
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        match &mut self.times {
            Times::Always(_) => true,
            Times::Count(0) => false,
            Times::Count(left) => {
                *left -= 1;
                true
            }
        }
    }
}

/// The rules of one simulator; the first that applies to a request decides.
#[derive(Debug, Clone)]
pub struct Faults {
    rules: Arc<Mutex<Vec<FaultRule>>>,
    usual_body: fn(u16) -> Value,
}

/// Marks the answer of a request that met a fault, with the fault's name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spoiled(pub(crate) &'static str);

impl Faults {
    /// No rules yet; `usual_body` is the vendor's error body for a status.
    pub(crate) fn new(usual_body: fn(u16) -> Value) -> Self {
        Self {
            rules: Arc::default(),
            usual_body,
        }
    }

    /// Adds a rule after those that are there.
    pub fn add(&self, rule: FaultRule) {
        self.lock().push(rule);
    }

    /// Removes all rules.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// The rules with what is left of their counts.
    pub fn rules(&self) -> Vec<FaultRule> {
        self.lock().clone()
    }

    /// The fault that the next request of this method and path meets; counts it.
    fn next(&self, method: &str, path: &str) -> Option<Fault> {
        self.lock()
            .iter_mut()
            .filter(|rule| rule.matches(method, path))
            .find_map(|rule| rule.strike().then(|| rule.fault.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<FaultRule>> {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `GET`, `POST` (a rule or a list of rules) and `DELETE /_control/faults`.
    pub(crate) fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        Router::new()
            .route(
                "/_control/faults",
                get(|State(faults): State<Self>| async move { Json(faults.rules()) })
                    .post(add_rules)
                    .delete(|State(faults): State<Self>| async move {
                        faults.clear();
                        StatusCode::NO_CONTENT
                    }),
            )
            .with_state(self.clone())
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<FaultRule>),
    One(FaultRule),
}

async fn add_rules(State(faults): State<Faults>, body: Bytes) -> Response {
    match serde_json::from_slice(&body) {
        Ok(OneOrMany::Many(rules)) => rules.into_iter().for_each(|rule| faults.add(rule)),
        Ok(OneOrMany::One(rule)) => faults.add(rule),
        Err(_) => {
            let help = "send a rule or a list of rules {method?, path_contains?, times?, skip?, kind, …} with \
                        kind status, slow, cut, cut_after, malformed or html";
            return (StatusCode::BAD_REQUEST, Json(json!({ "error": help }))).into_response();
        }
    }
    Json(faults.rules()).into_response()
}

/// The middleware that applies the rules.
pub(crate) async fn spoil(State(faults): State<Faults>, request: Request, next: Next) -> Response {
    let Some(fault) = faults.next(request.method().as_str(), request.uri().path()) else {
        return next.run(request).await;
    };
    let mark = Spoiled(fault.name());
    let mut response = match fault {
        Fault::Status {
            status,
            retry_after,
            body,
        } => {
            let body = body.unwrap_or_else(|| (faults.usual_body)(status));
            status_answer(status, retry_after, body)
        }
        Fault::Slow { ms } => {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            next.run(request).await
        }
        Fault::Cut => cut(),
        Fault::CutAfter => {
            next.run(request).await;
            cut()
        }
        Fault::Malformed => {
            next.run(request).await;
            ([(header::CONTENT_TYPE, "application/json")], "{\"id\": \"1\", ").into_response()
        }
        Fault::Html => (
            StatusCode::BAD_GATEWAY,
            [(header::CONTENT_TYPE, "text/html")],
            "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>",
        )
            .into_response(),
    };
    response.extensions_mut().insert(mark);
    response
}

fn status_answer(status: u16, retry_after: Option<u64>, body: Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match body {
        Value::String(text) => (status, text).into_response(),
        json => (status, Json(json)).into_response(),
    };
    if let Some(seconds) = retry_after {
        let seconds = HeaderValue::from(seconds);
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// An answer whose body fails before its first byte: the server drops the connection without sending a head.
fn cut() -> Response {
    Response::new(broken_body())
}

/// A body that fails at once.
pub(crate) fn broken_body() -> Body {
    let failure = io::Error::new(io::ErrorKind::ConnectionReset, "cut on demand");
    Body::from_stream(stream::iter([Err::<Bytes, _>(failure)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults() -> Faults {
        Faults::new(|status| json!({ "status": status }))
    }

    #[test]
    fn a_rule_skips_then_strikes_then_is_spent() {
        let faults = faults();
        faults.add(FaultRule::status(503).on("post", "/tags").skip(1).times(2));
        let hits: Vec<bool> = (0..4).map(|_| faults.next("POST", "/rest/v2/tags").is_some()).collect();
        assert_eq!(hits, [false, true, true, false]);
        assert!(faults.next("GET", "/rest/v2/tags").is_none());
    }

    #[test]
    fn rules_are_read_as_documented() {
        let rule: FaultRule = serde_json::from_value(json!({
            "method": "GET", "times": "always", "kind": "status", "status": 429, "retry_after": 7
        }))
        .unwrap();
        assert_eq!(rule.times, Times::Always(Always::Always));
        assert_eq!(
            rule.fault,
            Fault::Status {
                status: 429,
                retry_after: Some(7),
                body: None
            }
        );
        let rule: FaultRule = serde_json::from_value(json!({ "kind": "cut_after" })).unwrap();
        assert_eq!((rule.times, rule.fault), (Times::Count(1), Fault::CutAfter));
    }
}
