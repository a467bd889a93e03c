//! Runs the helper vectors: cases in a JSON line each, whose format `vectors/README.md` describes.

mod crm;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mfh_connectors::{Connector, Contact, CustomField, Tag, TagRef};
use mfh_types::JsonObject;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{Context, FailureKind, Journal, MemoryJournal, Report, Run, execute, find};
use crm::VectorCrm;

/// What came of one vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything was as expected.
    Passed,
    /// The catalogue has no such type.
    UnknownType(String),
    /// What was different, a line each.
    Failed(Vec<String>),
}

/// One vector.
#[derive(Debug, Deserialize)]
pub struct Vector {
    /// What the case shows.
    pub name: String,
    case: Case,
    expect: Expectation,
}

#[derive(Debug, Deserialize)]
struct Case {
    helper_type: String,
    #[serde(default)]
    contact_id: Option<String>,
    #[serde(default)]
    contacts: Vec<GivenContact>,
    #[serde(default)]
    tags: Vec<Tag>,
    #[serde(default)]
    custom_fields: Vec<Value>,
    #[serde(default)]
    config: JsonObject,
    #[serde(default)]
    input: Option<JsonObject>,
    #[serde(default)]
    platform: Option<String>,
    #[serde(default)]
    no_connector: bool,
    #[serde(default)]
    fail_ops: BTreeMap<String, String>,
    #[serde(default)]
    now: Option<DateTime<Utc>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct GivenContact {
    id: String,
    first_name: String,
    last_name: String,
    email: String,
    phone: Option<String>,
    company: Option<String>,
    job_title: Option<String>,
    tags: Vec<TagRef>,
    custom_fields: JsonObject,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Expectation {
    success: Option<bool>,
    error: Option<bool>,
    config_error: Option<bool>,
    modified_data: Option<Value>,
    actions: Option<Value>,
    contacts_after: Option<Value>,
    writes: Option<Value>,
}

impl From<GivenContact> for Contact {
    fn from(given: GivenContact) -> Self {
        Self {
            source_id: given.id.clone(),
            id: given.id,
            first_name: given.first_name,
            last_name: given.last_name,
            email: given.email,
            phone: given.phone,
            company: given.company,
            job_title: given.job_title,
            tags: Some(given.tags),
            custom_fields: given.custom_fields,
            ..Self::default()
        }
    }
}

impl Vector {
    /// Reads a line of a vector file.
    ///
    /// # Errors
    /// What is wrong with the line.
    pub fn parse(line: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(line)
    }

    /// The helper type that the case is about.
    pub fn helper_type(&self) -> &str {
        &self.case.helper_type
    }

    /// Runs the case against an in-memory CRM.
    pub async fn run(self) -> Verdict {
        let Some(registration) = find(&self.case.helper_type) else {
            return Verdict::UnknownType(self.case.helper_type);
        };
        let crm = Arc::new(VectorCrm::new(
            self.case.platform.as_deref().unwrap_or("keap"),
            self.case.contacts.into_iter().map(Contact::from).collect(),
            self.case.tags,
            self.case.custom_fields.into_iter().filter_map(custom_field).collect(),
            self.case.fail_ops,
        ));
        let connected: Option<Arc<dyn Connector>> = (!self.case.no_connector).then(|| crm.clone() as _);
        let mut store = MemoryJournal::default();
        let run = Run {
            contact_id: self.case.contact_id,
            crm: connected,
            input: self.case.input.as_ref(),
            started_at: self.case.now.unwrap_or(DateTime::UNIX_EPOCH),
            dry_run: false,
        };
        let cx = Context::new(run, Journal::new(BTreeMap::new(), &mut store));
        let report = execute(registration, &self.case.config, cx, std::future::pending()).await;
        let differences = self.expect.differences(&report, &crm);
        if differences.is_empty() {
            Verdict::Passed
        } else {
            Verdict::Failed(differences)
        }
    }
}

/// A field definition, of which a vector gives only what matters.
fn custom_field(given: Value) -> Option<CustomField> {
    let text = |key: &str| given[key].as_str().unwrap_or_default().to_owned();
    let mut field = json!({
        "id": text("id"), "key": text("key"), "label": text("label"), "field_type": text("field_type"),
    });
    if let (Some(field), Some(given)) = (field.as_object_mut(), given.as_object()) {
        field.extend(given.clone());
    }
    serde_json::from_value(field).ok()
}

impl Expectation {
    fn differences(&self, report: &Report, crm: &VectorCrm) -> Vec<String> {
        let mut differences = Vec::new();
        let mut expect = |what: &str, expected: Option<Value>, found: Value| {
            if let Some(expected) = expected
                && !same(&pruned(&expected), &pruned(&found))
            {
                differences.push(format!("{what}: expected {expected}, found {found}"));
            }
        };
        expect("success", self.success.map(Value::Bool), json!(report.output.success));
        expect("error", self.error.map(Value::Bool), json!(report.failure.is_some()));
        if self.error == Some(true) {
            let told = report
                .failure
                .as_ref()
                .is_some_and(|failure| !failure.message.is_empty());
            expect("a text for the user", Some(json!(true)), json!(told));
        }
        let configuration = report
            .failure
            .as_ref()
            .is_some_and(|failure| failure.kind == FailureKind::Configuration);
        expect("config_error", self.config_error.map(Value::Bool), json!(configuration));
        if self.config_error == Some(true) {
            expect("calls before validation", Some(json!(0)), json!(crm.calls()));
        }
        expect(
            "modified_data",
            self.modified_data.clone(),
            json!(report.output.modified_data),
        );
        expect("actions", self.actions.clone(), json!(report.output.actions));
        expect("writes", self.writes.clone(), crm.writes());
        expect("contacts_after", self.contacts_after.clone(), crm.contacts());
        differences
    }
}

/// The value without what counts as absent, and with numbers that compare by value.
fn pruned(value: &Value) -> Value {
    match value {
        Value::Object(entries) => Value::Object(
            entries
                .iter()
                .map(|(key, value)| (key.clone(), pruned(value)))
                .filter(|(_, value)| !is_nothing(value))
                .collect(),
        ),
        Value::Array(members) => Value::Array(members.iter().map(pruned).collect()),
        Value::Number(_) => crate::values::number(value).map_or_else(
            || value.clone(),
            |number| json!({ "number": crate::values::decimal_text(number) }),
        ),
        other => other.clone(),
    }
}

/// Equal, or both nothing.
fn same(expected: &Value, found: &Value) -> bool {
    expected == found || (is_nothing(expected) && is_nothing(found))
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(members) => members.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
