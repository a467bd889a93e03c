//! `snapshot_it`: a dated copy of the contact.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use mfh_connectors::Contact;
use mfh_types::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::settings::Flag;
use crate::{Caller, Category, Context, Helper, HelperError, Meta, Need, Outcome, register};

const TABLE: &str = "myfusion_helper_contact_snapshots";

/// Keys of the snapshot's own that it does not always have; custom fields do not take them either.
const RESERVED: [&str; 4] = ["tags", "tag_count", "created_at", "updated_at"];

/// Keeps a dated copy of everything the CRM knows about the contact.
///
/// The copy holds name, e-mail address, phone, company and job title and, unless you switch them off, all tags and
/// custom fields, with the time of the run. It is stored encrypted for your account; each run adds one. The contact
/// itself is not changed.
///
/// A custom field whose name the copy uses itself, such as `id` or `tags`, is kept as `custom_field_id` or
/// `custom_field_tags`.
///
/// The result is the copy. If the contact cannot be read or the copy cannot be stored, the run fails.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SnapshotIt {
    /// Keep the contact's tags too.
    #[serde(default = "Flag::on")]
    include_tags: Flag,
    /// Keep the contact's custom fields too.
    #[serde(default = "Flag::on")]
    include_custom_fields: Flag,
}

impl Helper for SnapshotIt {
    const META: Meta = Meta::new(
        "snapshot_it",
        "Snapshot It",
        Category::Contact,
        "Keeps a dated copy of everything the CRM knows about the contact.",
    )
    .needs_crm()
    .with_needs(&[Need::BackupBucket]);

    const EXAMPLE: &'static str = r#"{"include_tags": true, "include_custom_fields": true}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let contact = cx.contact().await?.clone();
        let caller = cx.caller()?.clone();
        let id = snapshot_id(&caller, cx.contact_id()?, cx.now());
        let mut snapshot = head(&contact, &caller, cx, &id)?;
        if self.include_tags.0 {
            let tags = tags(cx, &contact).await;
            snapshot.insert("tag_count".to_owned(), json!(tags.len()));
            snapshot.insert("tags".to_owned(), Value::Array(tags));
        }
        if self.include_custom_fields.0 {
            add_custom_fields(&mut snapshot, contact.custom_fields);
        }

        let key = object_key(&caller, cx, &id)?;
        cx.store_object(&key, &Value::Object(snapshot.clone())).await?;
        for (key, value) in snapshot {
            cx.set_result(key, value);
        }
        cx.show("snapshot_captured", id)?;
        Ok(Outcome::done("The snapshot is stored"))
    }
}

/// The same for every delivery of an execution, so that nothing is stored twice.
fn snapshot_id(caller: &Caller, contact: &str, start: DateTime<Utc>) -> String {
    let user = caller.user_id.as_ref().map_or("", |user| user.as_str());
    let nanos = i128::from(start.timestamp()) * 1_000_000_000 + i128::from(start.timestamp_subsec_nanos());
    let digest = md5::compute(format!("{user}_{}_{contact}_{nanos}", caller.helper_id));
    format!("{digest:x}")
}

/// Everything but tags and custom fields.
fn head(contact: &Contact, caller: &Caller, cx: &Context<'_>, id: &str) -> Result<JsonObject, HelperError> {
    let contact_id = cx.contact_id()?;
    let (account, helper) = (&caller.account_id, &caller.helper_id);
    let optional = |text: &Option<String>| text.clone().unwrap_or_default();
    let head = json!({
        "id": id,
        "timestamp": cx.now().timestamp(),
        "snapshot_contact_id": format!("{helper}_{account}_{contact_id}"),
        "table_name": TABLE,
        "account_id": account,
        "helper_id": helper,
        "contact_id": contact_id,
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "full_name": contact.full_name(),
        "email": contact.email,
        "phone": optional(&contact.phone),
        "company": optional(&contact.company),
        "job_title": optional(&contact.job_title),
        "source_crm": cx.platform()?,
    });
    let mut head = head.as_object().cloned().unwrap_or_default();
    for (key, time) in [("created_at", &contact.created_at), ("updated_at", &contact.updated_at)] {
        if let Some(time) = time {
            head.insert(key.to_owned(), json!(time));
        }
    }
    Ok(head)
}

/// The tags in the CRM's order, with names from its tag list where the contact came without.
async fn tags(cx: &mut Context<'_>, contact: &Contact) -> Vec<Value> {
    let carried = contact.tags.as_deref().unwrap_or_default();
    let mut names: HashMap<String, String> = HashMap::new();
    if carried.iter().any(|tag| tag.name.is_empty()) {
        match cx.tags().await {
            Ok(tags) => names.extend(tags.iter().map(|tag| (tag.id.clone(), tag.name.clone()))),
            Err(error) => cx.warn(format!("Some tags are kept without their names: {error}")),
        }
    }
    let name = |id: &str, given: &str| match given {
        "" => names.get(id).cloned().unwrap_or_default(),
        given => given.to_owned(),
    };
    let shown = carried
        .iter()
        .map(|tag| json!({ "id": tag.id, "name": name(&tag.id, &tag.name) }));
    shown.collect()
}

/// Every custom field under its own key, or under `custom_field_<key>` where the snapshot has that key itself.
fn add_custom_fields(snapshot: &mut JsonObject, fields: JsonObject) {
    let (hidden, free): (Vec<_>, Vec<_>) = fields
        .into_iter()
        .partition(|(key, _)| snapshot.contains_key(key) || RESERVED.contains(&key.as_str()));
    snapshot.extend(free);
    for (key, value) in hidden {
        let mut key = format!("custom_field_{key}");
        while snapshot.contains_key(&key) {
            key.insert_str(0, "custom_field_");
        }
        snapshot.insert(key, value);
    }
}

fn object_key(caller: &Caller, cx: &Context<'_>, id: &str) -> Result<String, HelperError> {
    let safe = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let contact: String = cx
        .contact_id()?
        .chars()
        .map(|letter| if safe(letter) { letter } else { '_' })
        .collect();
    let (account, timestamp) = (&caller.account_id, cx.now().timestamp());
    Ok(format!("snapshots/{account}/{contact}/{timestamp}-{id}.json"))
}

register!(SnapshotIt);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_custom_field_is_lost_and_none_takes_a_key_of_the_snapshot() {
        let object = |value: Value| value.as_object().cloned().unwrap_or_default();
        let mut snapshot = object(json!({ "id": "s" }));
        let fields = object(json!({ "id": 1, "custom_field_id": 2, "tags": 3, "updated_at": 4, "plan": null }));
        add_custom_fields(&mut snapshot, fields);
        assert_eq!(
            Value::Object(snapshot),
            json!({
                "id": "s", "custom_field_id": 2, "custom_field_custom_field_id": 1, "custom_field_tags": 3,
                "custom_field_updated_at": 4, "plan": null,
            })
        );
    }
}
