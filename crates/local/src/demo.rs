//! The demo account that a new data folder begins with, made through the API like any other.

use std::path::Path;

use anyhow::{Context, bail};
use aws_sdk_dynamodb::types::AttributeValue;
use axum::body::{Body, to_bytes};
use axum::http::{Request, header};
use mfh_aws::{Stage, Tables};
use mfh_simulators::Simulator;
use mfh_types::{AccountSettings, Plan};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::cloud::STAGE;
use crate::platform::Platform;

/// Who signs in to the demo account.
pub const EMAIL: &str = "demo@example.com";
/// With this password.
pub const PASSWORD: &str = "Demo-2026";

/// What the start page shows of the demo account. The key lies in the data folder alone: the tables hold its hash.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Demo {
    /// An API key of the account.
    pub api_key: String,
    /// The helper of the first command.
    pub score_helper_id: String,
    /// The helper of the second command, by its short key.
    pub tag_short_key: String,
}

/// The demo account of the data folder, made when there is none.
///
/// # Errors
/// When the API refuses one of the steps: says which.
pub async fn ensure(platform: &Platform, file: &Path) -> anyhow::Result<Demo> {
    match std::fs::read(file) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(demo) => return Ok(demo),
            Err(error) => {
                tracing::warn!(%error, file = %file.display(), "the demo account cannot be read and is made anew")
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", file.display())),
    }
    let demo = make(platform).await?;
    crate::private_file::write(file, &serde_json::to_vec_pretty(&demo)?)?;
    Ok(demo)
}

/// A fresh access token of the demo user.
///
/// # Errors
/// When the sign-in is refused.
pub async fn token(platform: &Platform) -> anyhow::Result<String> {
    text(&sign_in(platform).await?, "/data/token")
}

async fn sign_in(platform: &Platform) -> anyhow::Result<Value> {
    let credentials = json!({ "email": EMAIL, "password": PASSWORD });
    call(platform, "POST", "/auth/login", None, credentials).await
}

async fn make(platform: &Platform) -> anyhow::Result<Demo> {
    let new_user = json!({ "email": EMAIL, "password": PASSWORD, "name": "Demo User", "company": "Example Coaching" });
    let registered = call(platform, "POST", "/auth/register", None, new_user).await;
    let answer = match registered {
        Ok(answer) => answer,
        // A start that was cut short has registered the user already.
        Err(refusal) => sign_in(platform).await.map_err(|error| error.context(refusal))?,
    };
    let token = text(&answer, "/data/token")?;
    let token = Some(token.as_str());
    upgrade(platform, &text(&answer, "/data/account/account_id")?).await?;

    let mut keap = String::new();
    for vendor in &platform.vendors {
        let id = connect(platform, token, &**vendor).await?;
        if vendor.slug() == platform.keap.slug() {
            keap = id;
        }
    }
    let connection = keap;
    let score = json!({
        "name": "Score leads", "helper_type": "score_it", "connection_id": connection,
        "config": {
            "rules": [
                { "tag_id": "101", "points": 10 }, { "tag_id": "102", "points": 25 },
                { "tag_id": "103", "has_tag": false, "points": -5 },
            ],
            "target_field": "_LeadScore",
        },
    });
    let score = call(platform, "POST", "/helpers", token, score).await?;
    let tag = json!({
        "name": "Tag new leads", "helper_type": "tag_it", "connection_id": connection,
        "config": { "action": "apply", "tag_ids": ["101", "102"] },
    });
    let tag = call(platform, "POST", "/helpers", token, tag).await?;
    let key = call(platform, "POST", "/api-keys", token, json!({ "name": "Demo key" })).await?;
    Ok(Demo {
        api_key: text(&key, "/data/api_key")?,
        score_helper_id: text(&score, "/data/helper_id")?,
        tag_short_key: text(&tag, "/data/short_key")?,
    })
}

/// A connection to the demo account of a vendor; one that an earlier start made is used.
async fn connect(platform: &Platform, token: Option<&str>, vendor: &dyn Simulator) -> anyhow::Result<String> {
    let slug = vendor.slug();
    let path = format!("/platforms/{slug}/connections");
    let known = call(platform, "GET", &path, token, Value::Null).await?;
    if let Ok(id) = text(&known, "/data/connections/0/connection_id") {
        return Ok(id);
    }
    let mut credentials: serde_json::Map<String, Value> = vendor
        .credentials()
        .iter()
        .map(|(key, value)| ((*key).to_owned(), json!(value)))
        .collect();
    if slug == "activecampaign" {
        let address = format!("{}/_sim/{slug}{}", platform.url, vendor.base_path());
        credentials.insert("api_url".to_owned(), json!(address));
    }
    let connection = json!({ "name": format!("Demo {}", vendor.name()), "credentials": credentials });
    let connection = call(platform, "POST", &path, token, connection).await?;
    text(&connection, "/data/connection_id")
}

/// Puts an account on the largest plan; billing, which does this in the cloud, is not part of one machine.
///
/// # Errors
/// When the table cannot be written.
pub async fn upgrade(platform: &Platform, account: &str) -> anyhow::Result<()> {
    let settings: serde_json::Map<String, Value> = match serde_json::to_value(AccountSettings::from(Plan::Deliver))? {
        Value::Object(settings) => settings,
        _ => bail!("settings are an object"),
    };
    let settings = settings
        .into_iter()
        .map(|(name, value)| {
            let value = match value {
                Value::Bool(flag) => AttributeValue::Bool(flag),
                other => AttributeValue::N(other.to_string()),
            };
            (name, value)
        })
        .collect();
    platform
        .cloud
        .clients
        .dynamodb()
        .update_item()
        .table_name(Tables::by_convention(&Stage::new(STAGE)).accounts)
        .key("account_id", AttributeValue::S(account.to_owned()))
        .update_expression("SET #plan = :plan, #settings = :settings")
        .expression_attribute_names("#plan", "plan")
        .expression_attribute_names("#settings", "settings")
        .expression_attribute_values(":plan", AttributeValue::S(Plan::Deliver.as_str().to_owned()))
        .expression_attribute_values(":settings", AttributeValue::M(settings))
        .send()
        .await
        .context("the demo account cannot be upgraded")?;
    Ok(())
}

async fn call(
    platform: &Platform,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Value,
) -> anyhow::Result<Value> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = if body.is_null() {
        Body::empty()
    } else {
        Body::from(body.to_string())
    };
    let response = platform.router.clone().oneshot(request.body(body)?).await?;
    let status = response.status();
    let answer: Value = serde_json::from_slice(&to_bytes(response.into_body(), 1 << 20).await?)?;
    if !status.is_success() {
        bail!(
            "the demo data cannot be made: {method} {path} answered {status}: {}",
            answer["error"]
        );
    }
    Ok(answer)
}

fn text(answer: &Value, pointer: &str) -> anyhow::Result<String> {
    let text = answer.pointer(pointer).and_then(Value::as_str);
    text.map(str::to_owned)
        .with_context(|| format!("the answer has no {pointer}"))
}
