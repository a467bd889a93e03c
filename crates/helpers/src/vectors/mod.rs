//! Runs the helper vectors: cases in a JSON line each, whose format `vectors/README.md` describes.

mod crm;
mod outside;
mod trials;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use mfh_connectors::{Connector, Contact, CustomField, Tag, TagRef};
use mfh_types::{AccountId, ExecutionId, HelperId, JsonObject, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

pub use self::trials::Trial;
use crate::{
    Caller, Context, FailureKind, Journal, JournalStore, MemoryJournal, MemoryObjects, Registration, Report, Run,
    execute, find,
};
use crm::VectorCrm;
use outside::{GivenAnswer, GivenAuth, VectorServices};

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
#[derive(Debug, Clone, Deserialize)]
pub struct Vector {
    /// What the case shows.
    pub name: String,
    case: Case,
    expect: Expectation,
}

#[derive(Debug, Clone, Deserialize)]
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
    #[serde(default)]
    http: Vec<GivenAnswer>,
    #[serde(default)]
    service_auths: BTreeMap<String, GivenAuth>,
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

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Expectation {
    success: Option<bool>,
    error: Option<bool>,
    config_error: Option<bool>,
    modified_data: Option<Value>,
    actions: Option<Value>,
    contacts_after: Option<Value>,
    writes: Option<Value>,
    http_requests: Option<Vec<Value>>,
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
        let world = self.world();
        let mut store = MemoryJournal::default();
        let delivery = Delivery {
            journal: BTreeMap::new(),
            store: &mut store,
            dry_run: false,
        };
        let report = self
            .deliver(registration, &world, delivery, std::future::pending())
            .await;
        let differences = self.expect.differences(&report, &world);
        if differences.is_empty() {
            Verdict::Passed
        } else {
            Verdict::Failed(differences)
        }
    }

    /// What surrounds the run of this case, before it.
    fn world(&self) -> World {
        let case = self.case.clone();
        let crm = Arc::new(VectorCrm::new(
            case.platform.as_deref().unwrap_or("keap"),
            case.contacts.into_iter().map(Contact::from).collect(),
            case.tags,
            case.custom_fields.into_iter().filter_map(custom_field).collect(),
            case.fail_ops,
        ));
        let services = Arc::new(VectorServices::new(case.http));
        let now = case.now.unwrap_or(DateTime::UNIX_EPOCH);
        World {
            surroundings: outside::surroundings(&services, &crm, case.service_auths, now),
            crm,
            services,
            objects: MemoryObjects::default(),
        }
    }

    /// One delivery of the case.
    async fn deliver(
        &self,
        registration: &Registration,
        world: &World,
        delivery: Delivery<'_>,
        deadline: impl Future<Output = ()>,
    ) -> Report {
        let connected: Option<Arc<dyn Connector>> = (!self.case.no_connector).then(|| world.crm.clone() as _);
        let run = Run {
            contact_id: self.case.contact_id.clone(),
            crm: connected,
            input: self.case.input.as_ref(),
            started_at: self.case.now.unwrap_or(DateTime::UNIX_EPOCH),
            dry_run: delivery.dry_run,
        };
        let mut cx = Context::new(run, Journal::new(delivery.journal, delivery.store))
            .storing_in(&world.objects)
            .in_world(world.surroundings.clone());
        if let Some(caller) = caller() {
            cx = cx.called_by(caller);
        }
        execute(registration, &self.case.config, cx, deadline).await
    }
}

/// What surrounds a run.
struct World {
    crm: Arc<VectorCrm>,
    services: Arc<VectorServices>,
    surroundings: crate::World,
    objects: MemoryObjects,
}

/// How a run is delivered.
struct Delivery<'a> {
    /// What earlier deliveries wrote down.
    journal: BTreeMap<String, Value>,
    store: &'a mut dyn JournalStore,
    dry_run: bool,
}

/// The caller of every vector.
fn caller() -> Option<Caller> {
    Some(Caller {
        account_id: AccountId::parse("account:a1").ok()?,
        user_id: UserId::parse("user:u1").ok(),
        helper_id: HelperId::parse("helper:h1").ok()?,
        execution_id: ExecutionId::parse("exec:e1").ok()?,
    })
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
    fn differences(&self, report: &Report, world: &World) -> Vec<String> {
        let crm = &world.crm;
        let requests = world.services.requests();
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
            expect(
                "calls before validation",
                Some(json!(0)),
                json!(crm.calls() + requests.len()),
            );
        }
        expect(
            "modified_data",
            self.modified_data.clone(),
            json!(report.output.modified_data),
        );
        expect("actions", self.actions.clone(), json!(report.output.actions));
        expect("writes", self.writes.clone(), crm.writes());
        expect("contacts_after", self.contacts_after.clone(), crm.contacts());
        if let Some(expected) = &self.http_requests {
            let pairs = || expected.iter().zip(&requests);
            if expected.len() != requests.len() || !pairs().all(|(left, right)| outside::is_as_expected(left, right)) {
                differences.push(format!(
                    "http_requests: expected {}, found {}",
                    json!(expected),
                    json!(requests)
                ));
            }
        }
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
