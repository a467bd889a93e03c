//! GoHighLevel's wire types (edition 2021-07-28), as far as they are used. Everything may be left out.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::wire;

/// A contact: from a single read, as the answer to a write, or as a hit of the search, which has a shape of its own.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Contact {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) first_name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) last_name: Option<String>,
    /// In hits it may stand alone, and then it is not the name as it is written.
    #[serde(deserialize_with = "wire::text")]
    pub(crate) first_name_lower_case: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) last_name_lower_case: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) email: Option<String>,
    #[serde(deserialize_with = "addresses")]
    pub(crate) additional_emails: Vec<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) phone: Option<String>,
    #[serde(deserialize_with = "addresses")]
    pub(crate) additional_phones: Vec<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) company_name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) website: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) date_of_birth: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) source: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) timezone: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) assigned_to: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) address1: Option<String>,
    /// What hits call `address1`.
    #[serde(deserialize_with = "wire::text")]
    pub(crate) address: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) city: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) state: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) country: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) postal_code: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) date_added: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) date_updated: Option<String>,
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) deleted: Option<bool>,
    /// Do not disturb, on every channel.
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) dnd: Option<bool>,
    /// Do not disturb, by channel.
    #[serde(deserialize_with = "channels")]
    pub(crate) dnd_settings: BTreeMap<String, Channel>,
    #[serde(deserialize_with = "tag_names")]
    pub(crate) tags: Option<Vec<String>>,
    #[serde(deserialize_with = "custom_values")]
    pub(crate) custom_fields: Option<Vec<CustomValue>>,
    /// Where the next page of a search begins, when this is its last hit.
    pub(crate) search_after: Value,
}

/// Do not disturb on one channel: `active` means that nothing may be sent.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Channel {
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    #[serde(deserialize_with = "wire::text", skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
}

/// A custom value as it is read.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct CustomValue {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    pub(crate) value: Value,
}

/// A custom value as it is written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct CustomFieldValue {
    pub(crate) id: String,
    pub(crate) field_value: Value,
}

/// What a create, upsert or update sends: only what is there is touched.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ContactBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) location_id: Option<String>,
    /// Standard properties by the vendor's names.
    #[serde(flatten)]
    pub(crate) properties: Map<String, Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) custom_fields: Vec<CustomFieldValue>,
    /// Only for a new contact: at an existing one they would replace what it has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
}

/// Do-not-disturb settings of a contact.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DndBody<'a> {
    pub(crate) dnd_settings: &'a BTreeMap<String, Channel>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Search<'a> {
    pub(crate) location_id: &'a str,
    pub(crate) page_limit: u32,
    pub(crate) sort: [Sort; 1],
    #[serde(skip_serializing_if = "<[Filter]>::is_empty")]
    pub(crate) filters: &'a [Filter],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) search_after: Option<&'a Value>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Sort {
    pub(crate) field: &'static str,
    pub(crate) direction: &'static str,
}

#[derive(Debug, Serialize)]
pub(crate) struct Filter {
    pub(crate) field: &'static str,
    pub(crate) operator: &'static str,
    pub(crate) value: Value,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Hits {
    #[serde(deserialize_with = "wire::list")]
    pub(crate) contacts: Vec<Contact>,
    #[serde(deserialize_with = "count")]
    pub(crate) total: Option<u64>,
}

/// One contact in its envelope. `succeded` is the vendor's spelling.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Envelope {
    #[serde(deserialize_with = "wire::object")]
    pub(crate) contact: Option<Contact>,
    /// Whether an upsert made it.
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) new: Option<bool>,
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) succeded: Option<bool>,
}

/// Whether a write was done. `succeded` is the vendor's spelling.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Done {
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) succeded: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Tag {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TagList {
    #[serde(deserialize_with = "wire::list")]
    pub(crate) tags: Vec<Tag>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct NewTag {
    #[serde(deserialize_with = "wire::object")]
    pub(crate) tag: Option<Tag>,
}

#[derive(Debug, Serialize)]
pub(crate) struct CreateTag<'a> {
    pub(crate) name: &'a str,
}

/// Names of tags: what a contact shall get or lose, and what it has then.
#[derive(Debug, Serialize)]
pub(crate) struct TagNames<'a> {
    pub(crate) tags: &'a [String],
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ContactTags {
    #[serde(deserialize_with = "tag_names")]
    pub(crate) tags: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct CustomField {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) field_key: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) data_type: Option<String>,
    #[serde(deserialize_with = "labels")]
    pub(crate) picklist_options: Vec<String>,
    /// Whether a contact may hold a choice that is not among the options.
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) is_allowed_custom_option: Option<bool>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) model: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct CustomFieldList {
    #[serde(deserialize_with = "wire::list")]
    pub(crate) custom_fields: Vec<CustomField>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Workflow {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) status: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct WorkflowList {
    #[serde(deserialize_with = "wire::list")]
    pub(crate) workflows: Vec<Workflow>,
}

/// Nothing to say about when the workflow starts.
#[derive(Debug, Serialize)]
pub(crate) struct StartWorkflow {}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct User {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) first_name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) last_name: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) email: Option<String>,
    #[serde(deserialize_with = "wire::flag")]
    pub(crate) deleted: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct UserList {
    #[serde(deserialize_with = "wire::list")]
    pub(crate) users: Vec<User>,
}

#[derive(Debug, Serialize)]
pub(crate) struct CreateNote<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) title: Option<&'a str>,
    pub(crate) body: &'a str,
}

/// A failed answer.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Failure {
    #[serde(deserialize_with = "count")]
    pub(crate) status_code: Option<u64>,
    /// One text or several.
    #[serde(deserialize_with = "message")]
    pub(crate) message: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) error: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) trace_id: Option<String>,
    #[serde(deserialize_with = "wire::object")]
    pub(crate) meta: Option<FailureMeta>,
}

/// Which contact a refused one is a duplicate of.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct FailureMeta {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) contact_id: Option<String>,
}

/// A number that is not negative, also as text.
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(wire::text(deserializer)?.and_then(|text| text.trim().parse().ok()))
}

/// Addresses or numbers, each a text or an object that has it as a member.
fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(members(Value::deserialize(deserializer)?, &["email", "phone", "value"]).unwrap_or_default())
}

/// Choices, each a text or an object that has it as a member.
fn labels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(members(Value::deserialize(deserializer)?, &["label", "name", "value"]).unwrap_or_default())
}

/// Names of tags; none is not the same as an empty list.
fn tag_names<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    Ok(members(Value::deserialize(deserializer)?, &["name"]))
}

fn members(value: Value, names: &[&str]) -> Option<Vec<String>> {
    let Value::Array(entries) = value else {
        return None;
    };
    let text = |entry: Value| match entry {
        Value::Object(object) => names
            .iter()
            .find_map(|name| object.get(*name))
            .and_then(|value| wire::text(value).ok()?),
        other => wire::text(other).ok()?,
    };
    Some(entries.into_iter().filter_map(text).collect())
}

fn custom_values<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<CustomValue>>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.is_array().then(|| wire::list(value).unwrap_or_default()))
}

fn channels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Channel>, D::Error> {
    let Value::Object(channels) = Value::deserialize(deserializer)? else {
        return Ok(BTreeMap::new());
    };
    let channel = |(name, value)| Some((name, serde_json::from_value(value).ok()?));
    Ok(channels.into_iter().filter_map(channel).collect())
}

fn message<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let several = members(value.clone(), &["message"]).map(|texts| texts.join("; "));
    Ok(several.or(wire::text(value).unwrap_or_default()))
}
