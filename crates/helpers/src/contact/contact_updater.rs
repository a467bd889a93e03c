//! `contact_updater`: sets many fields in one write.

use std::collections::BTreeMap;

use mfh_types::{ConfigFault, JsonObject};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::settings::{ContactKey, Distinct, FieldKey, IntegrationKey};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, fields, register, values};

/// What other contacts' campaigns are told.
const GOAL: &str = "contact_updated";

/// The properties of a contact that are texts of its own, under our names.
const PROPERTIES: [&str; 6] = ["first_name", "last_name", "email", "phone", "company", "job_title"];

/// Sets any number of fields on a contact in one go and can tell other contacts' campaigns that it happened.
///
/// All fields are changed in a single update. Name, e-mail address, phone, company and job title may be written in any
/// usual spelling and are stored as text; all other fields keep the kind of value you give, and null empties a field.
/// If the CRM refuses the update, the run fails.
///
/// After the update each contact in `secondary_contact_ids` achieves the goal `contact_updated`, so that its campaign
/// can go on. Only Keap has goals. One that cannot be achieved is noted in the log; the run is a success all the same.
///
/// Values sent with a request are ignored unless you name their fields in `allow_input_fields`; then they replace
/// yours. The result lists every field with its new value.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ContactUpdater {
    /// The fields and their new values; null empties a field.
    fields: JsonObject,
    /// The contacts whose campaigns are told afterwards: each achieves the goal "contact_updated".
    #[serde(default)]
    secondary_contact_ids: Distinct<ContactKey>,
    /// The fields for which a request may bring its own value, under "fields" of its input; that value wins over
    /// yours.
    #[serde(default)]
    allow_input_fields: Distinct<FieldKey>,
    /// The integration name of the goal in Keap; empty: "contact_updater".
    integration: Option<IntegrationKey>,
}

impl Helper for ContactUpdater {
    const META: Meta = Meta::new(
        "contact_updater",
        "Contact Updater",
        Category::Contact,
        "Sets any number of fields on a contact in one go and can tell other contacts' campaigns that it happened.",
    )
    .needs_crm();

    const EXAMPLE: &'static str =
        r#"{"fields": {"company": "Acme", "_Status": "active", "_Score": 42.5}, "secondary_contact_ids": ["1007"]}"#;

    fn check(&self) -> Vec<ConfigFault> {
        let fault = |message: &str| ConfigFault {
            field: "fields".to_owned(),
            message: message.to_owned(),
        };
        if self.fields.is_empty() {
            return vec![fault("needs at least one entry")];
        }
        let nameless = self.fields.keys().any(|key| key.trim().is_empty());
        nameless
            .then(|| fault("has a value without the name of a field"))
            .into_iter()
            .collect()
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let changes = self.changes(cx.input("fields"));
        cx.update_contact(update(&changes)).await?;
        for (key, value) in &changes {
            cx.set_result(key.as_str(), value.clone());
            cx.show_field_updated(key, value.clone());
        }
        let integration = self
            .integration
            .as_ref()
            .map_or("contact_updater", IntegrationKey::as_str);
        let mut told = 0;
        for contact in &self.secondary_contact_ids {
            let achieved = cx.achieve_goal_of(contact.as_str(), GOAL, integration).await;
            told += usize::from(cx.tolerate(format!("Contact {contact} was not told"), achieved));
        }
        let updated = format!("{} fields updated", changes.len());
        Ok(Outcome::done(match told {
            0 => updated,
            told => format!("{updated}, {told} contacts told"),
        }))
    }
}

impl ContactUpdater {
    /// The configured values and, for the fields that may come with the request, its values; in ascending order.
    fn changes(&self, input: Option<&Value>) -> BTreeMap<String, Value> {
        let mut changes: BTreeMap<String, Value> = self.fields.clone().into_iter().collect();
        for key in &self.allow_input_fields {
            if let Some(value) = input.and_then(|given| given.get(key.as_str())) {
                changes.insert(key.to_string(), value.clone());
            }
        }
        changes
    }
}

/// The changes as the CRM's interface takes them: properties under our names and as text, the rest as it is.
fn update(changes: &BTreeMap<String, Value>) -> JsonObject {
    let property = |key: &str| fields::standard(key).filter(|standard| PROPERTIES.contains(standard));
    let entry = |(key, value): (&String, &Value)| match property(key) {
        Some(property) => (property.to_owned(), json!(values::text(value))),
        None => (key.clone(), value.clone()),
    };
    changes.iter().map(entry).collect()
}

register!(ContactUpdater);

#[cfg(test)]
mod tests {
    use super::*;

    fn helper(config: Value) -> ContactUpdater {
        serde_json::from_value(config).unwrap()
    }

    #[test]
    fn properties_are_known_by_every_spelling() {
        let changes = helper(json!({ "fields": {
            "given_name": "Ada", "LastName": 7, "Phone1": null, "CompanyName": "Acme", "JobTitle": "CTO", "plan": 7,
        }}))
        .changes(None);
        assert_eq!(
            Value::Object(update(&changes)),
            json!({
                "first_name": "Ada", "last_name": "7", "phone": "", "company": "Acme", "job_title": "CTO", "plan": 7,
            })
        );
    }

    #[test]
    fn only_fields_that_may_come_with_the_request_are_taken_from_it() {
        let helper = helper(json!({ "fields": { "a": 1, "b": 2 }, "allow_input_fields": ["b", "c", "d"] }));
        let changes = helper.changes(Some(&json!({ "a": 10, "b": 20, "c": 30 })));
        assert_eq!(json!(changes), json!({ "a": 1, "b": 20, "c": 30 }));
    }
}
