//! The CRM of the vectors: in memory, records every write it is asked for, refuses what a case says.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use mfh_connectors::{
    Automation, Capability, Connector, ConnectorError, Contact, ContactPage, ContactQuery, ContactUpdate, CrmUser,
    CustomField, ErrorKind, Metadata, NewContact, OptInOutcome, OptInStatus, Result, Tag, TagRef,
};
use serde_json::{Map, Value, json};

const PLATFORMS: [&str; 5] = ["keap", "gohighlevel", "activecampaign", "ontraport", "hubspot"];

/// Other spellings of the standard fields (`helpers/COMMON` §2).
const ALIASES: [(&str, &str); 8] = [
    ("firstname", "first_name"),
    ("given_name", "first_name"),
    ("lastname", "last_name"),
    ("family_name", "last_name"),
    ("phone1", "phone"),
    ("companyname", "company"),
    ("jobtitle", "job_title"),
    ("contactid", "id"),
];

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
    fn write(&self, op: &str, args: Value) -> Result<MutexGuard<'_, State>> {
        let mut state = self.lock();
        state.calls += 1;
        state.writes.push(json!({ "op": op, "args": args }));
        self.refuse(op)?;
        Ok(state)
    }

    fn refuse(&self, op: &str) -> Result<()> {
        let Some(message) = self.fail.get(op) else {
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

    /// The key under which a value is kept: a standard name, else the key of a definition, else the key as given.
    fn storage_key(&self, contact: &Contact, key: &str) -> String {
        let standard = [
            "id",
            "first_name",
            "last_name",
            "full_name",
            "email",
            "phone",
            "company",
            "job_title",
        ];
        if standard.contains(&key) {
            return key.to_owned();
        }
        if contact.custom_fields.contains_key(key) {
            return key.to_owned();
        }
        let lower = key.to_lowercase();
        let alias = ALIASES
            .iter()
            .find(|(spelling, _)| *spelling == lower)
            .map(|(_, name)| *name);
        if let Some(name) = alias.or_else(|| standard.into_iter().find(|name| *name == lower)) {
            return name.to_owned();
        }
        let same = |text: &str| text.trim().to_lowercase() == lower.trim();
        let found = self
            .fields
            .iter()
            .find(|field| field.id == key || same(&field.key) || same(&field.label));
        match found {
            Some(field) if contact.custom_fields.contains_key(&field.id) => field.id.clone(),
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
        let mut state = self.write("create_contact", json!([new.fields]))?;
        Ok(self.create(&mut state, new))
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
        let mut state = self.write("update_contact", json!([contact_id, update.fields]))?;
        let contact = state.contact(contact_id).ok_or_else(|| self.missing(contact_id))?;
        for (key, value) in &update.fields {
            self.set(contact, key, value);
        }
        Ok(())
    }

    async fn delete_contact(&self, contact_id: &str) -> Result<()> {
        let mut state = self.write("delete_contact", json!([contact_id]))?;
        state.contacts.retain(|contact| contact.id != contact_id);
        Ok(())
    }

    async fn get_tags(&self) -> Result<Vec<Tag>> {
        Ok(self.read("get_tags")?.tags.clone())
    }

    async fn create_tag(&self, name: &str) -> Result<Tag> {
        let mut state = self.write("create_tag", json!([name]))?;
        state.created += 1;
        let id = format!("new-{}", state.created);
        let tag = Tag {
            id,
            name: name.to_owned(),
            description: None,
            category: None,
            vendor_id: None,
        };
        state.tags.push(tag.clone());
        Ok(tag)
    }

    async fn apply_tag(&self, contact_id: &str, tag_id: &str) -> Result<()> {
        let mut state = self.write("apply_tag", json!([contact_id, tag_id]))?;
        let name = state
            .tags
            .iter()
            .find(|tag| tag.id == tag_id)
            .map(|tag| tag.name.clone())
            .unwrap_or_default();
        let contact = state.contact(contact_id).ok_or_else(|| self.missing(contact_id))?;
        let tags = contact.tags.get_or_insert_default();
        if !tags.iter().any(|tag| tag.id == tag_id) {
            tags.push(TagRef {
                id: tag_id.to_owned(),
                name,
            });
        }
        Ok(())
    }

    async fn remove_tag(&self, contact_id: &str, tag_id: &str) -> Result<()> {
        let mut state = self.write("remove_tag", json!([contact_id, tag_id]))?;
        let contact = state.contact(contact_id).ok_or_else(|| self.missing(contact_id))?;
        contact.tags.get_or_insert_default().retain(|tag| tag.id != tag_id);
        Ok(())
    }

    async fn get_custom_fields(&self) -> Result<Vec<CustomField>> {
        self.read("get_custom_fields").map(|_| self.fields.clone())
    }

    async fn get_field_values(&self, contact_id: &str, keys: &[&str]) -> Result<Map<String, Value>> {
        let mut state = self.read("get_field")?;
        let contact = state.contact(contact_id).ok_or_else(|| self.missing(contact_id))?;
        Ok(keys
            .iter()
            .map(|key| ((*key).to_owned(), self.value(contact, key)))
            .collect())
    }

    async fn set_field_values(&self, contact_id: &str, values: &Map<String, Value>) -> Result<()> {
        for (key, value) in values {
            let mut state = self.write("set_field", json!([contact_id, key, value]))?;
            let contact = state.contact(contact_id).ok_or_else(|| self.missing(contact_id))?;
            self.set(contact, key, value);
        }
        Ok(())
    }

    async fn list_automations(&self) -> Result<Vec<Automation>> {
        Err(ConnectorError::unsupported(self.slug, "listing automations"))
    }

    async fn trigger_automation(&self, contact_id: &str, automation_id: &str) -> Result<()> {
        self.write("trigger_automation", json!([contact_id, automation_id]))
            .map(drop)
    }

    async fn achieve_goal(&self, contact_id: &str, goal: &str, integration: &str) -> Result<()> {
        self.write("achieve_goal", json!([contact_id, goal, integration]))
            .map(drop)
    }

    async fn set_opt_in_status(&self, contact_id: &str, opted_in: bool, reason: &str) -> Result<OptInOutcome> {
        self.write("set_opt_in", json!([contact_id, opted_in, reason]))
            .map(|_| OptInOutcome::Applied)
    }

    async fn get_opt_in_status(&self, _: &str) -> Result<OptInStatus> {
        Ok(OptInStatus::Unknown)
    }

    async fn add_note(&self, contact_id: &str, title: &str, body: &str) -> Result<()> {
        self.write("create_note", json!([contact_id, { "subject": title, "body": body }]))
            .map(drop)
    }

    async fn list_users(&self) -> Result<Vec<CrmUser>> {
        Err(ConnectorError::unsupported(self.slug, "listing users"))
    }

    async fn set_owner(&self, contact_id: &str, user_id: &str) -> Result<()> {
        self.set_field_value(contact_id, "owner_id", &json!(user_id)).await
    }

    async fn test_connection(&self) -> Result<()> {
        Ok(())
    }
}
