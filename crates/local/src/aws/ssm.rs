//! The parameter store: SSM parameters in one private JSON file.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use mfh_aws::REGION;
use mfh_types::{Clock, Secret};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::AwsService;
use super::fault::{Fault, parse, respond};
use super::store::JsonFile;

/// The most parameters of one answer, and of one `GetParameters` or `DeleteParameters` request.
const MAX_NAMES: usize = 10;

/// The most levels of a name.
const MAX_LEVELS: usize = 15;

/// The most bytes of a value in the standard and in the advanced tier.
const MAX_STANDARD: usize = 4096;
const MAX_ADVANCED: usize = 8192;

/// SSM Parameter Store.
pub struct ParameterStore {
    parameters: JsonFile<BTreeMap<String, Parameter>>,
    account_id: String,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum ParameterType {
    String,
    StringList,
    SecureString,
}

// No `Debug`: the value may be a secret.
#[derive(Clone, Serialize, Deserialize)]
struct Parameter {
    value: String,
    #[serde(rename = "type")]
    kind: ParameterType,
    version: u64,
    /// Unix seconds.
    modified_at: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PutParameter {
    name: String,
    value: Secret,
    #[serde(rename = "Type")]
    kind: Option<ParameterType>,
    #[serde(default)]
    overwrite: bool,
    tier: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetParameter {
    name: String,
    #[serde(default)]
    with_decryption: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Names {
    names: Vec<String>,
    #[serde(default)]
    with_decryption: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetParametersByPath {
    path: String,
    #[serde(default)]
    recursive: bool,
    #[serde(default)]
    with_decryption: bool,
    #[serde(default)]
    parameter_filters: Vec<Value>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteParameter {
    name: String,
}

impl ParameterStore {
    /// Opens the parameters in `dir/parameters.json`; `account_id` appears in their ARNs.
    ///
    /// # Errors
    /// The folder cannot be written, or the file is damaged.
    pub fn open(dir: &Path, account_id: impl Into<String>, clock: Arc<dyn Clock>) -> anyhow::Result<Arc<Self>> {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Ok(Arc::new(Self {
            parameters: JsonFile::open(dir.join("parameters.json"), BTreeMap::new)?,
            account_id: account_id.into(),
            clock,
        }))
    }

    fn answer(&self, operation: &str, body: &[u8]) -> Result<Value, Fault> {
        const BAD: &str = "ValidationException";
        match operation {
            "PutParameter" => self.put(&parse(body, BAD)?),
            "GetParameter" => self.get(&parse(body, BAD)?),
            "GetParameters" => self.get_many(&parse(body, BAD)?),
            "GetParametersByPath" => self.get_by_path(&parse(body, BAD)?),
            "DeleteParameter" => self.delete(&parse(body, BAD)?),
            "DeleteParameters" => self.delete_many(&parse(body, BAD)?),
            _ => Err(Fault::unknown_operation()),
        }
    }

    fn put(&self, request: &PutParameter) -> Result<Value, Fault> {
        check_name(&request.name)?;
        let advanced = request.tier.as_deref().is_some_and(|tier| tier != "Standard");
        let value = request.value.expose();
        let limit = if advanced { MAX_ADVANCED } else { MAX_STANDARD };
        if value.is_empty() || value.len() > limit {
            return Err(invalid(format!("Value must have 1 to {limit} bytes.")));
        }
        let now = self.clock.unix();
        self.parameters.change(|parameters| {
            let old = parameters.get(&request.name);
            if old.is_some() && !request.overwrite {
                return Err(Fault::new(
                    "ParameterAlreadyExists",
                    "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
                ));
            }
            let kind = request
                .kind
                .or(old.map(|old| old.kind))
                .ok_or_else(|| invalid("A parameter type is required when you create a parameter."))?;
            let version = old.map_or(1, |old| old.version + 1);
            let parameter = Parameter {
                value: value.to_owned(),
                kind,
                version,
                modified_at: now,
            };
            parameters.insert(request.name.clone(), parameter);
            let tier = if advanced { "Advanced" } else { "Standard" };
            Ok(json!({ "Version": version, "Tier": tier }))
        })
    }

    fn get(&self, request: &GetParameter) -> Result<Value, Fault> {
        let (name, selector) = split_selector(&request.name);
        self.parameters.read(|parameters| {
            let parameter = parameters.get(name).ok_or_else(|| not_found(name))?;
            if selector.is_some_and(|version| version != parameter.version.to_string()) {
                return Err(Fault::new(
                    "ParameterVersionNotFound",
                    "Only the newest version of a parameter is kept on this machine.",
                ));
            }
            Ok(json!({ "Parameter": self.describe(name, parameter, request.with_decryption) }))
        })
    }

    fn get_many(&self, request: &Names) -> Result<Value, Fault> {
        check_count(&request.names)?;
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        self.parameters.read(|parameters| {
            for name in &request.names {
                match parameters.get(name) {
                    Some(parameter) => {
                        found.push(self.describe(name, parameter, request.with_decryption));
                    }
                    None => missing.push(name),
                }
            }
        });
        Ok(json!({ "Parameters": found, "InvalidParameters": missing }))
    }

    fn get_by_path(&self, request: &GetParametersByPath) -> Result<Value, Fault> {
        if !request.path.starts_with('/') {
            return Err(invalid("Path must begin with a slash."));
        }
        if !request.parameter_filters.is_empty() {
            return Err(Fault::new(
                "InvalidFilterKey",
                "ParameterFilters do not exist on this machine; leave them out.",
            ));
        }
        let limit = request.max_results.unwrap_or(MAX_NAMES);
        if !(1..=MAX_NAMES).contains(&limit) {
            return Err(invalid("MaxResults must be 1 to 10."));
        }
        let prefix = format!("{}/", request.path.trim_end_matches('/'));
        let start = match &request.next_token {
            Some(last) => Bound::Excluded(last.clone()),
            None => Bound::Included(prefix.clone()),
        };
        self.parameters.read(|parameters| {
            let mut matching = parameters.range((start, Bound::Unbounded)).filter(|(name, _)| {
                name.strip_prefix(&prefix)
                    .is_some_and(|rest| request.recursive || !rest.contains('/'))
            });
            let page: Vec<_> = matching.by_ref().take(limit).collect();
            let last = page.last().map(|(name, _)| (*name).clone());
            let described: Vec<Value> = page
                .into_iter()
                .map(|(name, parameter)| self.describe(name, parameter, request.with_decryption))
                .collect();
            let mut answer = json!({ "Parameters": described });
            if let (Some(last), true) = (last, matching.next().is_some()) {
                answer["NextToken"] = last.into();
            }
            Ok(answer)
        })
    }

    fn delete(&self, request: &DeleteParameter) -> Result<Value, Fault> {
        self.parameters.change(|parameters| {
            parameters
                .remove(&request.name)
                .map(|_| json!({}))
                .ok_or_else(|| not_found(&request.name))
        })
    }

    fn delete_many(&self, request: &Names) -> Result<Value, Fault> {
        check_count(&request.names)?;
        self.parameters.change(|parameters| {
            let (deleted, missing): (Vec<&String>, Vec<&String>) = request
                .names
                .iter()
                .partition(|name| parameters.remove(*name).is_some());
            Ok(json!({ "DeletedParameters": deleted, "InvalidParameters": missing }))
        })
    }

    fn describe(&self, name: &str, parameter: &Parameter, with_decryption: bool) -> Value {
        let readable = with_decryption || parameter.kind != ParameterType::SecureString;
        // Without decryption AWS gives a ciphertext, so code that forgets to ask for it fails here too.
        let value = if readable {
            parameter.value.clone()
        } else {
            format!("encrypted:{name}:{}", parameter.version)
        };
        let separator = if name.starts_with('/') { "" } else { "/" };
        json!({
            "Name": name,
            "Type": parameter.kind,
            "Value": value,
            "Version": parameter.version,
            "LastModifiedDate": parameter.modified_at,
            "ARN": format!("arn:aws:ssm:{REGION}:{}:parameter{separator}{name}", self.account_id),
            "DataType": "text",
        })
    }
}

#[async_trait]
impl AwsService for ParameterStore {
    async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        let operation = super::operation(&request).unwrap_or_default();
        respond(self.answer(operation, request.body()))
    }
}

/// The name and the version asked for, in `name:3`.
fn split_selector(name: &str) -> (&str, Option<&str>) {
    match name.split_once(':') {
        Some((name, version)) => (name, Some(version)),
        None => (name, None),
    }
}

fn check_name(name: &str) -> Result<(), Fault> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_.-/".contains(c);
    let nested = name.contains('/');
    if name.is_empty() || name.len() > 1011 || !name.chars().all(allowed) {
        return Err(invalid(
            "Name may hold letters, digits, dot, hyphen, underscore and slash only.",
        ));
    }
    if nested && (!name.starts_with('/') || name.ends_with('/') || name.contains("//")) {
        return Err(invalid(
            "A name with levels must begin with a slash and have no empty level.",
        ));
    }
    if name.matches('/').count() > MAX_LEVELS {
        return Err(Fault::new(
            "HierarchyLevelLimitExceededException",
            "A name has at most 15 levels.",
        ));
    }
    Ok(())
}

fn check_count(names: &[String]) -> Result<(), Fault> {
    if names.is_empty() || names.len() > MAX_NAMES {
        return Err(invalid("Names must hold 1 to 10 names."));
    }
    Ok(())
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::new("ValidationException", message)
}

fn not_found(name: &str) -> Fault {
    Fault::new("ParameterNotFound", format!("Parameter {name} does not exist."))
}
