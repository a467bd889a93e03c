//! Public keys of the user pool: where they come from, and how many times they are asked for.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use mfh_types::Clock;
use tokio::sync::{Mutex, RwLock};

/// Seconds between two fetches because of unknown key ids.
const REFRESH_SECS: i64 = 30;

/// Seconds until a failed fetch is tried again.
const RETRY_SECS: i64 = 2;

/// The public keys cannot be read at present.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the keys of the user pool cannot be read: {0}")]
pub struct KeysUnavailable(pub String);

/// Where the public keys of the user pool come from.
#[async_trait]
pub trait KeySource: Send + Sync + fmt::Debug {
    /// Reads all present keys.
    async fn fetch(&self) -> Result<JwkSet, KeysUnavailable>;
}

/// Keys from the pool's JWKS address.
#[derive(Debug, Clone)]
pub struct RemoteKeys {
    client: reqwest::Client,
    uri: String,
}

impl RemoteKeys {
    /// Keys from this address.
    pub fn new(uri: impl Into<String>) -> Self {
        Self {
            client: reqwest::Client::new(),
            uri: uri.into(),
        }
    }
}

#[async_trait]
impl KeySource for RemoteKeys {
    async fn fetch(&self) -> Result<JwkSet, KeysUnavailable> {
        let request = self.client.get(&self.uri).timeout(Duration::from_secs(5));
        let answer = async { request.send().await?.error_for_status()?.json().await };
        answer
            .await
            .map_err(|error: reqwest::Error| KeysUnavailable(error.to_string()))
    }
}

/// Keys that are known from the start.
#[derive(Debug, Clone)]
pub struct FixedKeys(pub JwkSet);

#[async_trait]
impl KeySource for FixedKeys {
    async fn fetch(&self) -> Result<JwkSet, KeysUnavailable> {
        Ok(self.0.clone())
    }
}

/// Remembers keys by their id and asks the source again for an unknown one, seldom and one request at a time.
#[derive(Debug)]
pub(crate) struct KeyCache {
    source: Arc<dyn KeySource>,
    clock: Arc<dyn Clock>,
    keys: RwLock<HashMap<String, DecodingKey>>,
    /// Unix seconds before which the source is not asked; held while asking.
    quiet_until: Mutex<Quiet>,
}

#[derive(Debug, Default)]
struct Quiet {
    until: i64,
    after_failure: bool,
}

impl KeyCache {
    pub(crate) fn new(source: Arc<dyn KeySource>, clock: Arc<dyn Clock>) -> Self {
        Self {
            source,
            clock,
            keys: RwLock::default(),
            quiet_until: Mutex::default(),
        }
    }

    /// The key of this id; `None` when the pool has no such key.
    pub(crate) async fn get(&self, kid: &str) -> Result<Option<DecodingKey>, KeysUnavailable> {
        if let Some(key) = self.keys.read().await.get(kid) {
            return Ok(Some(key.clone()));
        }
        let mut quiet = self.quiet_until.lock().await;
        // Another request may have fetched while this one waited.
        if let Some(key) = self.keys.read().await.get(kid) {
            return Ok(Some(key.clone()));
        }
        let now = self.clock.unix();
        if now < quiet.until {
            return if quiet.after_failure {
                Err(KeysUnavailable("waiting after a failure".to_owned()))
            } else {
                Ok(None)
            };
        }
        match self.source.fetch().await {
            Ok(set) => {
                *quiet = Quiet {
                    until: now + REFRESH_SECS,
                    after_failure: false,
                };
                let fresh: HashMap<_, _> = set.keys.iter().filter_map(usable).collect();
                let found = fresh.get(kid).cloned();
                *self.keys.write().await = fresh;
                Ok(found)
            }
            Err(error) => {
                *quiet = Quiet {
                    until: now + RETRY_SECS,
                    after_failure: true,
                };
                Err(error)
            }
        }
    }
}

/// A key that verifies RS256 signatures, with its id.
fn usable(jwk: &Jwk) -> Option<(String, DecodingKey)> {
    let common = &jwk.common;
    let is_rs256 = matches!(common.key_algorithm, None | Some(KeyAlgorithm::RS256));
    let signs = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
    let AlgorithmParameters::RSA(_) = &jwk.algorithm else {
        return None;
    };
    if !is_rs256 || !signs {
        return None;
    }
    let key = DecodingKey::from_jwk(jwk)
        .inspect_err(|error| tracing::warn!(%error, "a key of the user pool cannot be used"))
        .ok()?;
    Some((common.key_id.clone()?, key))
}
