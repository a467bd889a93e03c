//! The HubSpot connector in front of its simulator.

use std::sync::Arc;

use mfh_connectors::{Connector, CustomField, OptInOutcome, OptInStatus};
use mfh_simulators::HubSpot as Simulator;
use mfh_simulators::access_log::Exchange;
use mfh_simulators::hubspot::PRIVATE_APP_TOKEN;
use mfh_types::ConnectionSettings;
use serde_json::Value;

use crate::support::Bench;
use crate::{Seen, Subject, texts};

/// The vendor's operations that a connector may use, `*` standing for one segment, and the members that each body must
/// have (`connectors` §2.5). HubSpot's own descriptions are not licensed for use here.
const OPERATIONS: &[(&str, &str, &[&str])] = &[
    ("GET", "/crm/v3/objects/contacts", &[]),
    ("POST", "/crm/v3/objects/contacts", &["properties", "associations"]),
    (
        "POST",
        "/crm/v3/objects/contacts/search",
        &["after", "filterGroups", "limit", "properties", "sorts"],
    ),
    (
        "POST",
        "/crm/v3/objects/contacts/batch/read",
        &["inputs", "properties", "propertiesWithHistory"],
    ),
    ("POST", "/crm/v3/objects/contacts/batch/upsert", &["inputs"]),
    ("GET", "/crm/v3/objects/contacts/*", &[]),
    ("PATCH", "/crm/v3/objects/contacts/*", &["properties"]),
    ("DELETE", "/crm/v3/objects/contacts/*", &[]),
    ("POST", "/crm/v3/objects/notes", &["properties", "associations"]),
    ("GET", "/crm/v3/properties/contacts", &[]),
    ("GET", "/crm/v3/owners", &[]),
    ("POST", "/crm/v3/lists", &["name", "objectTypeId", "processingType"]),
    ("POST", "/crm/v3/lists/search", &["additionalProperties"]),
    ("GET", "/crm/v3/lists/idmapping", &[]),
    ("GET", "/crm/v3/lists/*/memberships/join-order", &[]),
    ("PUT", "/crm/v3/lists/*/memberships/add", &[]),
    ("PUT", "/crm/v3/lists/*/memberships/remove", &[]),
    ("GET", "/crm/v3/lists/records/0-1/*/memberships", &[]),
    ("POST", "/crm/v3/lists/records/memberships/batch/read", &["inputs"]),
    ("POST", "/automation/v2/workflows/*/enrollments/contacts/*", &[]),
    ("GET", "/automation/v4/flows", &[]),
    ("POST", "/automation/v4/workflow-id-mappings/batch/read", &["inputs"]),
    ("GET", "/communication-preferences/v4/definitions", &[]),
    ("GET", "/communication-preferences/v4/statuses/*", &[]),
    (
        "POST",
        "/communication-preferences/v4/statuses/*",
        &["channel", "statusState", "subscriptionId"],
    ),
    ("GET", "/communication-preferences/v4/statuses/*/unsubscribe-all", &[]),
    ("POST", "/communication-preferences/v4/statuses/*/unsubscribe-all", &[]),
];

pub struct HubSpot(Bench);

impl HubSpot {
    pub async fn start() -> Self {
        let bench = Bench::start(Simulator::open, |world, _, url| {
            // An access token lives for half an hour, and some tests move the clock further.
            world.connect("hubspot", url, PRIVATE_APP_TOKEN)
        });
        Self(bench.await.0)
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len() && template.iter().zip(&path).all(|(a, b)| *a == "*" || a == b)
}

/// What is wrong with a request, or with the way it was refused.
fn violation(exchange: &Exchange) -> Option<String> {
    let request = &exchange.request;
    let at = format!("{} {}", request.method, request.path);
    let operation = OPERATIONS
        .iter()
        .find(|(method, template, _)| *method == request.method && fits(template, &request.path));
    let Some((_, _, members)) = operation else {
        return Some(format!("{at} is no operation"));
    };
    let body = exchange.request_body.as_ref();
    if let Some(missing) = members
        .iter()
        .find(|name| body.is_none_or(|body| body.get(**name).is_none()))
    {
        return Some(format!("{at} lacks {missing}"));
    }
    let said = exchange
        .response_body
        .as_ref()
        .and_then(|body| body["message"].as_str());
    let malformed = [
        "Invalid input JSON",
        "There is no query parameter",
        "channel is required",
    ];
    let said = said.filter(|said| malformed.iter().any(|start| said.starts_with(start)));
    said.map(|said| format!("{at}: {said}"))
}

impl Subject for HubSpot {
    fn bench(&self) -> &Bench {
        &self.0
    }

    fn seen(&self, state: &Value) -> Seen {
        Seen {
            automations: texts(&state["workflows_entered"], "workflow"),
            notes: texts(&state["notes"], "text"),
            ..Seen::of(state, "properties")
        }
    }

    fn automation(&self) -> (&'static str, &'static str) {
        ("4021", "New Lead Nurture")
    }

    fn check_traffic(&self) {
        let exchanges = self.0.exchanges();
        let violations: Vec<String> = exchanges.iter().filter_map(violation).collect();
        assert!(violations.is_empty(), "{}", violations.join("\n"));
    }

    fn has_tag_categories(&self) -> bool {
        false
    }

    fn lacks(&self) -> &'static [&'static str] {
        &["email2", "phone2"]
    }

    /// Opting out stops all mail, and nobody but the recipient can take that back.
    async fn consent_steps(&self, _contact_id: &str) -> Vec<(bool, OptInOutcome, OptInStatus)> {
        vec![
            (true, OptInOutcome::Applied, OptInStatus::OptedIn),
            (true, OptInOutcome::Already, OptInStatus::OptedIn),
            (false, OptInOutcome::Applied, OptInStatus::OptedOut),
            (false, OptInOutcome::Already, OptInStatus::OptedOut),
            (true, OptInOutcome::NotPermitted, OptInStatus::OptedOut),
        ]
    }

    fn opting_in_to(&self, target: Option<&str>) -> Option<Arc<dyn Connector>> {
        let settings = ConnectionSettings {
            default_subscription_id: target.map(str::to_owned),
            ..ConnectionSettings::default()
        };
        let (world, address) = (&self.0.world, self.0.server.base_url());
        Some(world.connect_with("hubspot", &address, PRIVATE_APP_TOKEN, settings))
    }

    async fn opted_in_to(&self, contact_id: &str) -> Vec<String> {
        let state = self.0.state(contact_id).await;
        let subscriptions = state["consent"]["subscriptions"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        let given = subscriptions
            .into_iter()
            .filter(|(_, given)| *given == Value::Bool(true));
        given.map(|(id, _)| id).collect()
    }

    fn has_default_target(&self) -> bool {
        true
    }

    /// A contact tells only that it wants no mail at all; consent to a subscription stands elsewhere.
    fn consent_in_contact(&self, status: OptInStatus) -> Option<OptInStatus> {
        (status == OptInStatus::OptedOut).then_some(status)
    }

    /// A contact is read with what the account made; the vendor's further properties are read one by one.
    fn is_in_contact(&self, field: &CustomField) -> bool {
        field.group_name.as_deref() == Some("demo_fields")
    }

    fn note(&self, title: &str, body: &str) -> String {
        format!("{title}\n{body}").trim_start().to_owned()
    }
}
