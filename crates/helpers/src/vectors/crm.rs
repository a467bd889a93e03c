//! The CRM of the vectors: in memory, records every write it is asked for, refuses what a case says.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use async_trait::async_trait;
use mfh_connectors::{
    Automation, Capability, Connector, ConnectorError, Contact, ContactPage, ContactQuery, ContactUpdate, CrmUser,
    CustomField, ErrorKind, Metadata, NewContact, OptInOutcome, OptInStatus, Question, Result, Tag, TagRef,
};
use serde_json::{Map, Value, json};

use crate::fields;

const PLATFORMS: [&str; 5] = ["keap", "gohighlevel", "activecampaign", "ontraport", "hubspot"];

/// What the vectors keep as attributes of a contact; everything else stands among its custom fields.
const ATTRIBUTES: [&str; 8] = [
    "id",
    "first_name",
    "last_name",
    "full_name",
    "email",
    "phone",
    "company",
    "job_title",
];

/// The properties that an update carries beside `custom_fields`.
const UPDATABLE: [&str; 6] = ["first_name", "last_name", "email", "phone", "company", "job_title"];

#[derive(Debug)]
pub(super) struct VectorCrm {
    slug: &'static str,
    fields: Vec<CustomField>,
    fail: BTreeMap<String, String>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    contacts: Vec<Contact>,
    tags: Vec<Tag>,
    writes: Vec<Value>,
    carried_out: Vec<Value>,
    calls: usize,
    created: usize,
}

impl VectorCrm {
    pub(super) fn new(
        platform: &str,
        contacts: Vec<Contact>,
        tags: Vec<Tag>,
        fields: Vec<CustomField>,
        fail: BTreeMap<String, String>,
    ) -> Self {
        let slug = PLATFORMS.into_iter().find(|slug| *slug == platform).unwrap_or("keap");
        let state = State {
            contacts,
            tags,
            writes: Vec::new(),
            carried_out: Vec::new(),
            calls: 0,
            created: 0,
        };
        Self {
            slug,
            fields,
            fail,
            state: Mutex::new(state),
        }
    }

    /// How many operations were called.
    pub(super) fn calls(&self) -> usize {
        self.lock().calls
    }

    /// The writes attempted, in order.
    pub(super) fn writes(&self) -> Value {
        Value::Array(self.lock().writes.clone())
    }

    /// The writes that were not refused, in order.
    pub(super) fn carried_out(&self) -> Vec<Value> {
        self.lock().carried_out.clone()
    }

    /// How many writes were attempted.
    pub(super) fn write_count(&self) -> usize {
        self.lock().writes.len()
    }

    /// The contacts as they are now, in the form of the vectors.
    pub(super) fn contacts(&self) -> Value {
        let view = |contact: &Contact| {
            json!({
                "id": contact.id, "first_name": contact.first_name, "last_name": contact.last_name,
                "email": contact.email, "phone": contact.phone, "company": contact.company,
                "job_title": contact.job_title, "tags": contact.tags, "custom_fields": contact.custom_fields,
            })
        };
        self.lock().contacts.iter().map(view).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A read; refused when the case says so.
    fn read(&self, op: &str) -> Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        state.calls += 1;
        self.refuse(op)?;
        Ok(state)
    }

    /// A write: recorded, also when the case refuses it.
    async fn write<T>(&self, op: &str, args: Value, apply: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let result = self.write_now(op, args, apply);
        yield_once().await;
        result
    }

    fn write_now<T>(&self, op: &str, args: Value, apply: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let mut state = self.lock();
        state.calls += 1;
        let write = json!({ "op": op, "args": args });
        let arguments = write["args"].as_array().into_iter().flatten();
        let refused = self.refuse_with(op, arguments.filter_map(Value::as_str));
        state.writes.push(write.clone());
        refused?;
        let applied = apply(&mut state)?;
        state.carried_out.push(write);
        Ok(applied)
    }

    fn refuse(&self, op: &str) -> Result<()> {
        self.refuse_with(op, std::iter::empty())
    }

    /// Refuses an operation that the case lets fail, as a whole or with one of these arguments (`operation:argument`).
    fn refuse_with<'a>(&self, op: &str, mut arguments: impl Iterator<Item = &'a str>) -> Result<()> {
        let with_argument = || arguments.find_map(|argument| self.fail.get(&format!("{op}:{argument}")));
        let Some(message) = self.fail.get(op).or_else(with_argument) else {
            return Ok(());
        };
        let status = message
            .split_whitespace()
            .next()
            .and_then(|word| word.parse::<u16>().ok());
        let kind = match status {
            Some(401) => ErrorKind::Unauthorized,
            Some(403) => ErrorKind::Forbidden,
            Some(404) => ErrorKind::NotFound,
            Some(409) => ErrorKind::Conflict,
            Some(429) => ErrorKind::RateLimited,
            Some(500..) => ErrorKind::Unavailable,
            _ => ErrorKind::InvalidInput,
        };
        Err(ConnectorError {
            status,
            ..ConnectorError::new(self.slug, kind, message.clone())
        })
    }

    fn missing(&self, id: &str) -> ConnectorError {
        ConnectorError::new(self.slug, ErrorKind::NotFound, format!("no contact {id}"))
    }

    /// The key under which a value is kept: an attribute, else what stands there already under another name, else the
    /// key of a definition, else the key as given.
    fn storage_key(&self, contact: &Contact, key: &str) -> String {
        let kept = &contact.custom_fields;
        if ATTRIBUTES.contains(&key) || kept.contains_key(key) {
            return key.to_owned();
        }
        if let Some(name) = fields::standard(key).filter(|name| ATTRIBUTES.contains(name)) {
            return name.to_owned();
        }
        if let Some(other) = kept.keys().find(|other| fields::same(other, key)) {
            return other.clone();
        }
        let known = !self.fail.contains_key("get_custom_fields");
        match fields::definition(&self.fields, key).filter(|_| known) {
            Some(field) if kept.contains_key(&field.id) => field.id.clone(),
            Some(field) => field.key.clone(),
            None => key.to_owned(),
        }
    }

    fn value(&self, contact: &Contact, key: &str) -> Value {
        let key = self.storage_key(contact, key);
        let text = |value: &str| {
            if value.is_empty() { Value::Null } else { json!(value) }
        };
        match key.as_str() {
            "id" => json!(contact.id),
            "first_name" => text(&contact.first_name),
            "last_name" => text(&contact.last_name),
            "full_name" => text(&contact.full_name()),
            "email" => text(&contact.email),
            "phone" => json!(contact.phone),
            "company" => json!(contact.company),
            "job_title" => json!(contact.job_title),
            key => contact.custom_fields.get(key).cloned().unwrap_or(Value::Null),
        }
    }

    fn set(&self, contact: &mut Contact, key: &str, value: &Value) {
        let key = self.storage_key(contact, key);
        let text = crate::values::text(value);
        let optional = (!text.is_empty()).then(|| text.clone());
        match key.as_str() {
            "first_name" => contact.first_name = text,
            "last_name" => contact.last_name = text,
            "email" => contact.email = text,
            "phone" => contact.phone = optional,
            "company" => contact.company = optional,
            "job_title" => contact.job_title = optional,
            _ => drop(contact.custom_fields.insert(key, value.clone())),
        }
    }

    fn create(&self, state: &mut State, new: &NewContact) -> Contact {
        state.created += 1;
        let id = format!("new-{}", state.created);
        let mut contact = Contact {
            source_id: id.clone(),
            id,
            tags: Some(Vec::new()),
            ..Contact::default()
        };
        for (key, value) in &new.fields {
            self.set(&mut contact, key, value);
        }
        state.contacts.push(contact.clone());
        contact
    }
}

/// Fields as the vectors show them: what an update carries as properties, the rest below `custom_fields`.
fn grouped(fields: &Map<String, Value>) -> Value {
    let (mut shown, custom): (Map<_, _>, Map<_, _>) = fields
        .clone()
        .into_iter()
        .partition(|(key, _)| UPDATABLE.contains(&key.as_str()));
    if !custom.is_empty() {
        shown.insert("custom_fields".to_owned(), Value::Object(custom));
    }
    Value::Object(shown)
}

/// Lets whoever drives the run look at it: a crash can come between any two steps.
pub(super) async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(move |cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl State {
    fn contact(&mut self, id: &str) -> Option<&mut Contact> {
        self.contacts.iter_mut().find(|contact| contact.id == id)
    }
}

#[async_trait]
impl Connector for VectorCrm {
    fn metadata(&self) -> Metadata {
        Metadata {
            platform_slug: self.slug,
            platform_name: self.slug,
            api_version: "vectors",
            base_url: String::new(),
        }
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[
            Capability::Contacts,
            Capability::Tags,
            Capability::CreateTags,
            Capability::CustomFields,
        ]
    }

    async fn get_contacts(&self, query: &ContactQuery) -> Result<ContactPage> {
        let state = self.read("get_contacts")?;
        let has_tag = |contact: &&Contact| {
            let carried = contact.tags.iter().flatten();
            query
                .tag_id
                .as_ref()
                .is_none_or(|wanted| carried.into_iter().any(|tag| tag.id == *wanted))
        };
        let has_email = |contact: &&Contact| {
            query
                .email
                .as_ref()
                .is_none_or(|email| contact.email.eq_ignore_ascii_case(email))
        };
        let contacts = state
            .contacts
            .iter()
            .filter(has_tag)
            .filter(has_email)
            .cloned()
            .collect();
        Ok(ContactPage {
            contacts,
            total: None,
            next_cursor: None,
        })
    }

    async fn get_contact(&self, contact_id: &str) -> Result<Contact> {
        let mut state = self.read("get_contact")?;
        state
            .contact(contact_id)
            .cloned()
            .ok_or_else(|| self.missing(contact_id))
    }

    async fn find_contacts_by_email(&self, email: &str) -> Result<Vec<Contact>> {
        let query = ContactQuery {
            email: Some(email.to_owned()),
            ..ContactQuery::default()
        };
        Ok(self.get_contacts(&query).await?.contacts)
    }

    async fn count_contacts(&self, query: &ContactQuery) -> Result<u64> {
        Ok(self.get_contacts(query).await?.contacts.len() as u64)
    }

    async fn create_contact(&self, new: &NewContact) -> Result<Contact> {
        let args = json!([grouped(&new.fields)]);
        self.write("create_contact", args, |state| Ok(self.create(state, new)))
            .await
    }

    async fn upsert_contact(&self, new: &NewContact) -> Result<(Contact, bool)> {
        let email = new.fields.get("email").and_then(Value::as_str).unwrap_or_default();
        if let Some(found) = self.find_contacts_by_email(email).await?.into_iter().next() {
            self.update_contact(
                &found.id,
                &ContactUpdate {
                    fields: new.fields.clone(),
                },
            )
            .await?;
            return Ok((self.get_contact(&found.id).await?, false));
        }
        Ok((self.create_contact(new).await?, true))
    }

    async fn update_contact(&self, contact_id: &str, update: &ContactUpdate) -> Result<()> {
        let args = json!([contact_id, grouped(&update.fields)]);
        let apply = |state: &mut State| {
            let contact = state.contact(contact_id).ok_or_else(|| self.missing(contact_id))?;
            for (key, value) in &update.fields {
                self.set(contact, key, value);
            }
            Ok(())
        };
        self.write("update_contact", args, apply).await
    }

    async fn delete_contact(&self, contact_id: &str) -> Result<()> {
        let apply = |state: &mut State| {
            state.contacts.retain(|contact| contact.id != contact_id);
            Ok(())
        };
        self.write("delete_contact", json!([contact_id]), apply).await
    }

    async fn get_tags(&self) -> Result<Vec<Tag>> {
        Ok(self.read("get_tags")?.tags.clone())
    }

    async fn create_tag(&self, name: &str) -> Result<Tag> {
        let apply = |state: &mut State| {
            state.created += 1;
            let tag = Tag {
                id: format!("new-{}", state.created),
                name: name.to_owned(),
                description: None,
                category: None,
                vendor_id: None,
            };
            state.tags.push(tag.clone());
            Ok(tag)
        };
        self.write("create_tag", json!([name]), apply).await
    }

    async fn apply_tag(&self, contact_id: &str, tag_id: &str) -> Result<()> {
        let apply = |state: &mut State| {
            let named = state.tags.iter().find(|tag| tag.id == tag_id);
            let name = named.map(|tag| tag.name.clone()).unwrap_or_default();
            let contact = state.contact(contact_id).ok_or_else(|| self.missing(contact_id))?;
            let tags = contact.tags.get_or_insert_default();
            if !tags.iter().any(|tag| tag.id == tag_id) {
                tags.push(TagRef {
                    id: tag_id.to_owned(),
                    name,
                });
            }
            Ok(())
        };
        self.write("apply_tag", json!([contact_id, tag_id]), apply).await
    }

    async fn remove_tag(&self, contact_id: &str, tag_id: &str) -> Result<()> {
        let apply = |state: &mut State| {
            let contact = state.contact(contact_id).ok_or_else(|| self.missing(contact_id))?;
            contact.tags.get_or_insert_default().retain(|tag| tag.id != tag_id);
            Ok(())
        };
        self.write("remove_tag", json!([contact_id, tag_id]), apply).await
    }

    async fn get_custom_fields(&self) -> Result<Vec<CustomField>> {
        self.read("get_custom_fields").map(|_| self.fields.clone())
    }

    async fn get_field_values(&self, contact_id: &str, keys: &[&str]) -> Result<Map<String, Value>> {
        let mut state = self.read("get_field")?;
        self.refuse_with("get_field", keys.iter().copied())?;
        let contact = state.contact(contact_id).ok_or_else(|| self.missing(contact_id))?;
        Ok(keys
            .iter()
            .map(|key| ((*key).to_owned(), self.value(contact, key)))
            .collect())
    }

    async fn set_field_values(&self, contact_id: &str, values: &Map<String, Value>) -> Result<()> {
        for (key, value) in values {
            let apply = |state: &mut State| {
                let contact = state.contact(contact_id).ok_or_else(|| self.missing(contact_id))?;
                self.set(contact, key, value);
                Ok(())
            };
            self.write("set_field", json!([contact_id, key, value]), apply).await?;
        }
        Ok(())
    }

    async fn list_automations(&self) -> Result<Vec<Automation>> {
        Err(ConnectorError::unsupported(self.slug, "listing automations"))
    }

    async fn trigger_automation(&self, contact_id: &str, automation_id: &str) -> Result<()> {
        let args = json!([contact_id, automation_id]);
        self.write("trigger_automation", args, |_| Ok(())).await
    }

    async fn achieve_goal(&self, contact_id: &str, goal: &str, integration: &str) -> Result<()> {
        let args = json!([contact_id, goal, integration]);
        let apply = |_: &mut State| match self.slug {
            "keap" => Ok(()),
            slug => Err(ConnectorError::unsupported(slug, "achieving goals")),
        };
        self.write("achieve_goal", args, apply).await
    }

    async fn set_opt_in_status(&self, contact_id: &str, opted_in: bool, reason: &str) -> Result<OptInOutcome> {
        let args = json!([contact_id, opted_in, reason]);
        self.write("set_opt_in", args, |_| Ok(OptInOutcome::Applied)).await
    }

    async fn set_address_opt_in(
        &self,
        contact_id: &str,
        _: &str,
        opted_in: bool,
        reason: &str,
    ) -> Result<OptInOutcome> {
        self.set_opt_in_status(contact_id, opted_in, reason).await
    }

    async fn get_opt_in_status(&self, _: &str) -> Result<OptInStatus> {
        Ok(OptInStatus::Unknown)
    }

    async fn add_note(&self, contact_id: &str, title: &str, body: &str) -> Result<()> {
        let args = json!([contact_id, { "subject": title, "body": body }]);
        self.write("create_note", args, |_| Ok(())).await
    }

    async fn add_note_of_kind(&self, contact_id: &str, kind: &str, title: &str, body: &str) -> Result<()> {
        let args = json!([contact_id, { "subject": title, "body": body, "note_type": kind }]);
        self.write("create_note", args, |_| Ok(())).await
    }

    async fn list_users(&self) -> Result<Vec<CrmUser>> {
        Err(ConnectorError::unsupported(self.slug, "listing users"))
    }

    async fn set_owner(&self, contact_id: &str, user_id: &str) -> Result<()> {
        self.set_field_value(contact_id, "owner_id", &json!(user_id)).await
    }

    async fn ask(&self, contact_id: &str, question: &Question) -> Result<Value> {
        let mut state = self.read("get_field")?;
        let contact = state.contact(contact_id).ok_or_else(|| self.missing(contact_id))?;
        let answer = contact.custom_fields.get(&question.to_string());
        Ok(answer.cloned().unwrap_or_default())
    }

    async fn test_connection(&self) -> Result<()> {
        Ok(())
    }
}
