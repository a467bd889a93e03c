//! The services of the vectors: answers by a part of the address, requests recorded; and what else surrounds a run.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mfh_connectors::{Connector, ErrorKind};
use mfh_types::{AccountId, Credentials, ManualClock, Secret, SeededRandom};
use serde::Deserialize;
use serde_json::{Value, json};

use super::crm::VectorCrm;
use crate::outside::{Answer, Broken, Outside, Request};
use crate::{History, MemoryCounters, Sealer, ServiceAuth, StoreError, World};

/// An answer of a service.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct GivenAnswer {
    /// A part of `METHOD URL`.
    r#match: String,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    body: Value,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

fn ok() -> u16 {
    200
}

/// What a service is called with.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct GivenAuth {
    access_token: String,
    refresh_token: String,
    api_key: String,
    api_secret: String,
    base_url: Option<String>,
    account_id: Option<String>,
}

impl From<GivenAuth> for ServiceAuth {
    fn from(given: GivenAuth) -> Self {
        let pairs = [
            ("access_token", given.access_token),
            ("refresh_token", given.refresh_token),
            ("api_key", given.api_key),
            ("api_secret", given.api_secret),
        ];
        Self {
            credentials: Credentials::from_pairs(pairs.map(|(key, value)| (key.to_owned(), value)).into()),
            base_url: given.base_url,
            account_id: given.account_id,
        }
    }
}

/// The services of one case.
#[derive(Debug)]
pub(super) struct VectorServices {
    answers: Vec<GivenAnswer>,
    requests: Mutex<Vec<Value>>,
}

impl VectorServices {
    pub(super) fn new(answers: Vec<GivenAnswer>) -> Self {
        Self {
            answers,
            requests: Mutex::default(),
        }
    }

    /// The requests so far, in order, in the form of the vectors.
    pub(super) fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl Outside for VectorServices {
    async fn send(&self, request: &Request) -> Result<Answer, Broken> {
        let body = request.body.as_deref().unwrap_or_default();
        let body = serde_json::from_slice(body).unwrap_or_else(|_| json!(String::from_utf8_lossy(body)));
        let headers: BTreeMap<_, _> = request.expose_headers().collect();
        let url = request.expose_url();
        let method = request.method.as_str();
        let shown = json!({ "method": method, "url": url, "headers": headers, "body": body });
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(shown);

        let line = format!("{method} {url}");
        let given = self.answers.iter().find(|given| line.contains(&given.r#match));
        let given = given.ok_or(Broken::NotConnected)?;
        let lower = |(name, value): (&String, &String)| (name.to_lowercase(), value.clone());
        Ok(Answer {
            status: given.status,
            headers: given.headers.iter().map(lower).collect(),
            body: match &given.body {
                Value::Null => Vec::new(),
                Value::String(text) => text.clone().into_bytes(),
                body => body.to_string().into_bytes(),
            },
        })
    }
}

/// Whether a request is as expected: headers may be more than the expected ones.
pub(super) fn is_as_expected(expected: &Value, found: &Value) -> bool {
    let headers = expected["headers"].as_object().into_iter().flatten();
    let same_headers = headers
        .into_iter()
        .filter(|(name, _)| !matches!(name.as_str(), "webhook-id" | "webhook-signature" | "idempotency-key"))
        .all(|(name, value)| found["headers"][name] == *value);
    let same = |key: &str| {
        expected
            .get(key)
            .is_none_or(|value| super::same(&super::pruned(value), &super::pruned(&found[key])))
    };
    same_headers && same("method") && same("url") && same("body")
}

/// Answers from a custom field of exactly the question's name.
#[derive(Debug)]
struct VectorHistory(Arc<VectorCrm>);

#[async_trait]
impl History for VectorHistory {
    async fn goal_achieved(&self, _: &AccountId, contact_id: &str, goal: &str) -> Result<Value, StoreError> {
        let key = format!("_goal.{goal}.achieved");
        match self.0.get_field_value(contact_id, &key).await {
            Err(error) if error.kind == ErrorKind::UnknownField => Ok(Value::Null),
            answer => answer.map_err(|error| StoreError(error.message)),
        }
    }
}

/// Keeps secrets in memory; the journal holds their number only.
#[derive(Debug, Default)]
struct VectorSealer(Mutex<Vec<Secret>>);

#[async_trait]
impl Sealer for VectorSealer {
    async fn seal(&self, secret: &Secret) -> Result<String, StoreError> {
        let mut secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        secrets.push(secret.clone());
        Ok((secrets.len() - 1).to_string())
    }

    async fn open(&self, sealed: &str) -> Result<Secret, StoreError> {
        let secrets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let secret = sealed.parse::<usize>().ok().and_then(|at| secrets.get(at).cloned());
        secret.ok_or_else(|| StoreError("no such secret".to_owned()))
    }
}

/// What surrounds the runs of one case besides its CRM; it lasts over deliveries.
pub(super) fn surroundings(
    services: &Arc<VectorServices>,
    crm: &Arc<VectorCrm>,
    auths: BTreeMap<String, GivenAuth>,
    now: DateTime<Utc>,
) -> World {
    let clock = Arc::new(ManualClock::at(now));
    World {
        outside: services.clone(),
        services: auths.into_iter().map(|(slug, auth)| (slug, auth.into())).collect(),
        counters: Arc::new(MemoryCounters::default()),
        history: Some(Arc::new(VectorHistory(crm.clone()))),
        sealer: Some(Arc::new(VectorSealer::default())),
        random: Arc::new(SeededRandom::new(1)),
        sleeper: clock.clone(),
        clock,
        ..World::offline()
    }
}
