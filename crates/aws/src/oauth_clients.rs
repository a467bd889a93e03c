//! Client ids and secrets of our apps at the vendors, from SSM (DECISIONS 6).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_ssm::Client;
use aws_sdk_ssm::error::DisplayErrorContext;
use mfh_cache::{Cache, Keep};
use mfh_types::Secret;
use serde::Deserialize;

use crate::Stage;

/// How long a client is remembered, so that a changed secret is known without a deployment.
const REMEMBERED: Duration = Duration::from_secs(300);

/// Our app at one vendor.
#[derive(Debug, Clone)]
pub struct OAuthClient {
    /// Its public id.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
}

/// The client of a platform could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum OAuthClientError {
    /// Neither the two parameters nor the common one name this platform.
    #[error("no OAuth client is set up for {0}; store its client_id and client_secret in the parameter store")]
    Missing(String),
    /// SSM could not be asked; a repeat may help.
    #[error("the parameter store is not available: {0}")]
    Unavailable(String),
}

/// Reads clients: `/{stage}/platforms/{slug}/oauth/client_id` and `…/client_secret`, or else the entry of the platform
/// in one JSON parameter.
#[derive(Debug, Clone)]
pub struct OAuthClients {
    ssm: Client,
    stage: Stage,
    common: String,
    known: Cache<String, Arc<OAuthClient>, OAuthClientError>,
}

/// An entry of the JSON parameter. Addresses and scopes in it are ignored: the platform records have them.
#[derive(Deserialize)]
struct Entry {
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    client_secret: String,
}

impl OAuthClients {
    /// The clients of a stage; `OAUTH_CREDENTIALS_PARAM` may name the JSON parameter.
    pub fn new(ssm: Client, stage: Stage) -> Self {
        let named = std::env::var("OAUTH_CREDENTIALS_PARAM")
            .ok()
            .filter(|name| !name.is_empty());
        let common = named.unwrap_or_else(|| format!("/myfusionhelper/{stage}/platforms/oauth/credentials"));
        Self {
            ssm,
            stage,
            common,
            known: Cache::new(Keep {
                most: Some(100),
                age: Some(REMEMBERED),
                idle: None,
            }),
        }
    }

    /// The client of a platform, at most five minutes old. Failures are not remembered.
    ///
    /// # Errors
    /// `Missing` when none is set up, `Unavailable` when SSM cannot be asked.
    pub async fn get(&self, slug: &str) -> Result<Arc<OAuthClient>, OAuthClientError> {
        self.known.get_or_load(&slug.to_owned(), self.read(slug)).await
    }

    /// Forgets a client that a vendor refused, so that the next call reads it anew.
    pub async fn forget(&self, slug: &str) {
        self.known.forget(&slug.to_owned()).await;
    }

    async fn read(&self, slug: &str) -> Result<Arc<OAuthClient>, OAuthClientError> {
        let missing = || OAuthClientError::Missing(slug.to_owned());
        if slug.is_empty()
            || !slug
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        {
            return Err(missing());
        }
        let own = |part: &str| format!("/{}/platforms/{slug}/oauth/{part}", self.stage);
        let (id, secret) = (own("client_id"), own("client_secret"));
        let answer = self
            .ssm
            .get_parameters()
            .names(&id)
            .names(&secret)
            .names(&self.common)
            .with_decryption(true)
            .send()
            .await
            .map_err(|error| OAuthClientError::Unavailable(DisplayErrorContext(&error).to_string()))?;
        let mut found: BTreeMap<String, String> = answer
            .parameters
            .unwrap_or_default()
            .into_iter()
            .filter_map(|parameter| Some((parameter.name?, parameter.value?)))
            .collect();
        let entry = match (found.remove(&id), found.remove(&secret)) {
            (Some(client_id), Some(client_secret)) => Entry {
                client_id,
                client_secret,
            },
            _ => found
                .remove(&self.common)
                .and_then(|json| entry_of(&json, slug))
                .ok_or_else(missing)?,
        };
        let (id, secret) = (entry.client_id.trim(), entry.client_secret.trim());
        if id.is_empty() || secret.is_empty() {
            return Err(missing());
        }
        Ok(Arc::new(OAuthClient {
            id: id.to_owned(),
            secret: Secret::new(secret),
        }))
    }
}

/// The entry of a platform; one that cannot be read counts as absent, and says so in the log without its content.
fn entry_of(json: &str, slug: &str) -> Option<Entry> {
    let entries: Result<BTreeMap<String, serde_json::Value>, _> = serde_json::from_str(json);
    match entries {
        Ok(mut entries) => serde_json::from_value(entries.remove(slug)?)
            .inspect_err(|_| {
                tracing::error!(
                    slug,
                    "the common parameter of OAuth clients holds no client for a platform"
                )
            })
            .ok(),
        Err(error) => {
            tracing::error!(line = error.line(), "the common parameter of OAuth clients is not JSON");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_among_others_and_a_damaged_parameter_is_none() {
        let json = r#"{"zoom": {"client_id": "z", "client_secret": "s", "scopes": []}, "broken": 7}"#;
        assert_eq!(entry_of(json, "zoom").unwrap().client_id, "z");
        assert!(entry_of(json, "keap").is_none());
        assert!(entry_of(json, "broken").is_none());
        assert!(entry_of("{", "zoom").is_none());
    }
}
