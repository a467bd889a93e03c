//! The translation layer: helpers speak one vocabulary, connectors speak the CRM's (`connectors` §3).
//!
//! A connector below this layer is handed canonical standard names and ids of custom fields, tag ids, and values
//! already in the CRM's form; it returns contacts whose custom values stand under the ids of their fields.

pub(crate) mod cache;
pub(crate) mod codec;
pub(crate) mod names;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use mfh_types::ConnectionId;
use serde_json::{Map, Value};

use crate::connector::{Capability, Connector, Metadata, Result};
use crate::error::{ConnectorError, ErrorKind};
use crate::model::{
    Automation, Contact, ContactPage, ContactQuery, ContactUpdate, CrmUser, CustomField, DataType, NewContact,
    OptInOutcome, OptInStatus, OptInTarget, Tag,
};
use crate::question::Question;
use cache::Caches;
use codec::Choices;
use names::{Found, Lookup, StandardField};

/// What the translation layer must know of a CRM besides its operations.
pub(crate) trait Dialect: Connector {
    /// The standard fields that this CRM has.
    fn standard_fields(&self) -> &'static [StandardField];

    /// A value in the CRM's own form; `value` is in the normal form of `data_type` and not `null`. A label among it is
    /// one of `choices`, where the field has choices.
    ///
    /// # Errors
    /// What the CRM expects, to complete "… expects".
    fn to_wire(&self, data_type: DataType, value: Value, choices: Choices<'_>) -> std::result::Result<Value, String>;

    /// The inverse: a value that the CRM sent, in a form that [`codec::normalise`] reads.
    #[allow(clippy::wrong_self_convention, reason = "the counterpart of `to_wire`")]
    fn from_wire(&self, _data_type: DataType, value: Value, _choices: Choices<'_>) -> Value {
        value
    }
}

/// A field key, resolved.
#[derive(Debug, Clone)]
enum Field {
    Standard(StandardField),
    Custom(Box<CustomField>),
}

impl Field {
    /// The key that the connector below understands.
    fn wire_key(&self) -> &str {
        match self {
            Self::Standard(field) => field.name,
            Self::Custom(field) => &field.id,
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Standard(field) => field.name,
            Self::Custom(field) => &field.label,
        }
    }

    fn data_type(&self) -> DataType {
        match self {
            Self::Standard(field) => field.data_type,
            Self::Custom(field) => field.data_type,
        }
    }

    fn writable(&self) -> bool {
        match self {
            Self::Standard(field) => field.writable,
            Self::Custom(field) => !field.read_only,
        }
    }

    fn choices(&self) -> Choices<'_> {
        match self {
            Self::Standard(_) => Choices::default(),
            Self::Custom(field) => Choices::of(field),
        }
    }
}

/// A connector that takes names, labels and values as people write them.
#[derive(Debug)]
pub(crate) struct Translated<D> {
    inner: D,
    connection: ConnectionId,
    caches: Caches,
}

impl<D: Dialect> Translated<D> {
    pub(crate) fn new(inner: D, connection: ConnectionId, caches: Caches) -> Self {
        Self {
            inner,
            connection,
            caches,
        }
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> ConnectorError {
        ConnectorError::new(self.inner.metadata().platform_slug, kind, message)
    }

    /// A list that is not there is the CRM's mistake, and must not read as a missing contact.
    async fn list<T>(&self, load: impl Future<Output = Result<T>>) -> Result<T> {
        load.await.map_err(|mut error| {
            if error.kind == ErrorKind::NotFound {
                error.kind = ErrorKind::Protocol;
            }
            error
        })
    }

    async fn fields(&self) -> Result<Arc<Vec<CustomField>>> {
        let load = self.list(self.inner.get_custom_fields());
        self.caches.fields.get(&self.connection, load).await
    }

    async fn newer_fields(&self) -> Result<Arc<Vec<CustomField>>> {
        let load = self.list(self.inner.get_custom_fields());
        self.caches.fields.get_newer(&self.connection, load).await
    }

    async fn tags(&self) -> Result<Arc<Vec<Tag>>> {
        let load = self.list(self.inner.get_tags());
        self.caches.tags.get(&self.connection, load).await
    }

    async fn newer_tags(&self) -> Result<Arc<Vec<Tag>>> {
        let load = self.list(self.inner.get_tags());
        self.caches.tags.get_newer(&self.connection, load).await
    }

    /// The field that `text` names; only a key that is no standard field needs the definitions.
    async fn resolve(&self, text: &str) -> Result<Field> {
        let lookup = Lookup::parse(text).ok_or_else(|| self.error(ErrorKind::InvalidInput, "A field name is blank"))?;
        if let Some(field) = self.standard(lookup) {
            return Ok(Field::Standard(field));
        }
        if let Lookup::Standard(_) = lookup {
            return Err(self.unknown_field(text));
        }
        let field = match names::find_field(lookup, &self.fields().await?) {
            Found::None => None,
            found => Some(self.only(text, found)?),
        };
        if let Some(field) = field {
            return Ok(field);
        }
        match names::find_field(lookup, &self.newer_fields().await?) {
            Found::None => Err(self.unknown_field(text)),
            found => self.only(text, found),
        }
    }

    fn standard(&self, lookup: Lookup<'_>) -> Option<StandardField> {
        let (Lookup::Standard(text) | Lookup::Any(text)) = lookup else {
            return None;
        };
        let name = names::standard_name(text);
        let fields = self.inner.standard_fields();
        fields
            .iter()
            .find(|field| field.name == name)
            .or_else(|| fields.iter().find(|field| field.native.contains(&text)))
            .copied()
    }

    fn only(&self, text: &str, found: Found<'_, CustomField>) -> Result<Field> {
        match found {
            Found::One(field) => Ok(Field::Custom(Box::new(field.clone()))),
            Found::None => Err(self.unknown_field(text)),
            Found::Several(fields) => {
                let listed: Vec<_> = fields
                    .iter()
                    .map(|field| format!("id:{} ({})", field.id, field.label))
                    .collect();
                let message = format!("The field \"{text}\" is ambiguous. Use one of: {}", listed.join(", "));
                Err(self.error(ErrorKind::InvalidInput, message))
            }
        }
    }

    fn unknown_field(&self, text: &str) -> ConnectorError {
        let name = self.inner.metadata().platform_name;
        let message = format!(
            "{name} has no contact field \"{}\". Use the name, key or id of one of its fields",
            text.trim()
        );
        self.error(ErrorKind::UnknownField, message)
    }

    /// Keys and values as the connector below takes them; nothing has been sent when this fails.
    async fn incoming(&self, values: &Map<String, Value>) -> Result<Map<String, Value>> {
        let mut translated = Map::new();
        for (key, value) in values {
            let field = self.resolve(key).await?;
            let value = self.encode(&field, value)?;
            if let Some(earlier) = translated.insert(field.wire_key().to_owned(), value.clone())
                && earlier != value
            {
                let message = format!("The field \"{}\" is given twice with different values", field.name());
                return Err(self.error(ErrorKind::InvalidInput, message));
            }
        }
        Ok(translated)
    }

    fn encode(&self, field: &Field, value: &Value) -> Result<Value> {
        if !field.writable() {
            let message = format!("The field \"{}\" cannot be changed", field.name());
            return Err(self.error(ErrorKind::InvalidInput, message));
        }
        let wire = match codec::normalise(value, field.data_type(), field.choices()) {
            Ok(Value::Null) => Ok(Value::Null),
            Ok(normal) => self.inner.to_wire(field.data_type(), normal, field.choices()),
            Err(expected) => Err(expected),
        };
        wire.map_err(|expected| {
            let message = format!("The field \"{}\" expects {expected}", field.name());
            self.error(ErrorKind::InvalidInput, message)
        })
    }

    /// A value of the CRM in its normal form; one that does not fit its type stays as it is.
    fn decode(&self, value: Value, data_type: DataType, choices: Choices<'_>) -> Value {
        let value = self.inner.from_wire(data_type, value, choices);
        codec::normalise(&value, data_type, choices).unwrap_or(value)
    }

    /// Puts custom values under the keys of their definitions, in normal form, and names the tags.
    async fn outgoing(&self, contacts: &mut [Contact]) -> Result<()> {
        self.rekey(contacts).await?;
        self.name_tags(contacts).await
    }

    async fn rekey(&self, contacts: &mut [Contact]) -> Result<()> {
        for contact in &mut *contacts {
            contact
                .custom_fields
                .retain(|_, value| !codec::is_blank(value, DataType::Text));
        }
        let ids = || contacts.iter().flat_map(|contact| contact.custom_fields.keys());
        if ids().next().is_none() {
            return Ok(());
        }
        let mut fields = self.fields().await?;
        let known = |id: &String| fields.iter().any(|field| field.id == *id);
        if !ids().all(known) {
            fields = self.newer_fields().await?;
        }
        let by_id: HashMap<&str, &CustomField> = fields.iter().map(|field| (field.id.as_str(), field)).collect();
        for contact in contacts {
            let values = std::mem::take(&mut contact.custom_fields);
            contact.custom_fields = values
                .into_iter()
                .map(|(id, value)| match by_id.get(id.as_str()) {
                    Some(field) => {
                        let normal = self.decode(value, field.data_type, Choices::of(field));
                        (field.key.clone(), normal)
                    }
                    None => (id, value),
                })
                .filter(|(_, value)| !value.is_null())
                .collect();
        }
        Ok(())
    }

    async fn name_tags(&self, contacts: &mut [Contact]) -> Result<()> {
        let nameless = || {
            let tags = contacts.iter().filter_map(|contact| contact.tags.as_ref());
            tags.flatten().filter(|tag| tag.name.is_empty())
        };
        if nameless().next().is_none() {
            return Ok(());
        }
        let mut tags = self.tags().await?;
        let mut names = names_by_id(&tags);
        if !nameless().all(|tag| names.contains_key(tag.id.as_str())) {
            let newer = self.newer_tags().await?;
            drop(names);
            tags = newer;
            names = names_by_id(&tags);
        }
        let named = contacts.iter_mut().filter_map(|contact| contact.tags.as_mut());
        for tag in named.flatten().filter(|tag| tag.name.is_empty()) {
            if let Some(name) = names.get(tag.id.as_str()) {
                tag.name = (*name).to_owned();
            }
        }
        Ok(())
    }

    async fn outgoing_one(&self, mut contact: Contact) -> Result<Contact> {
        self.outgoing(std::slice::from_mut(&mut contact)).await?;
        Ok(contact)
    }

    /// The contact exists now: a failing look-up of names must not turn that into an error.
    async fn outgoing_after_write(&self, mut contact: Contact) -> Contact {
        if let Err(error) = self.outgoing(std::slice::from_mut(&mut contact)).await {
            tracing::warn!(
                platform = error.platform,
                code = error.kind.code(),
                "names of fields and tags could not be loaded for a contact that was just written"
            );
        }
        contact
    }

    /// The id of the tag that `text` names. All digits and `id:` are ids and go to the CRM as they are.
    async fn resolve_tag(&self, text: &str) -> Result<String> {
        let text = text.trim();
        let id = text.strip_prefix("id:").map_or(text, str::trim);
        if id.is_empty() {
            return Err(self.error(ErrorKind::InvalidInput, "The tag is blank"));
        }
        if id.len() != text.len() || id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(id.to_owned());
        }
        if let Some(id) = self.only_tag(text, &self.tags().await?)? {
            return Ok(id);
        }
        let newer = self.newer_tags().await?;
        self.only_tag(text, &newer)?.ok_or_else(|| {
            let name = self.inner.metadata().platform_name;
            let message = format!("{name} has no tag \"{text}\". Create it there or correct the name");
            self.error(ErrorKind::NotFound, message)
        })
    }

    fn only_tag(&self, text: &str, tags: &[Tag]) -> Result<Option<String>> {
        match names::find_tag(text, tags) {
            Found::One(tag) => Ok(Some(tag.id.clone())),
            Found::None => Ok(None),
            Found::Several(tags) => {
                let listed: Vec<_> = tags.iter().map(|tag| format!("id:{} ({})", tag.id, tag.name)).collect();
                let message = format!("The tag \"{text}\" is ambiguous. Use one of: {}", listed.join(", "));
                Err(self.error(ErrorKind::InvalidInput, message))
            }
        }
    }

    async fn translate_new(&self, new: &NewContact) -> Result<NewContact> {
        let fields = self.incoming(&new.fields).await?;
        let mut tags = Vec::with_capacity(new.tags.len());
        for tag in &new.tags {
            let id = self.resolve_tag(tag).await?;
            if !tags.contains(&id) {
                tags.push(id);
            }
        }
        Ok(NewContact { fields, tags })
    }

    /// A definition or tag may have been deleted at the vendor since it was cached.
    async fn forget_if_gone<T>(&self, result: Result<T>) -> Result<T> {
        if let Err(error) = &result
            && error.kind == ErrorKind::NotFound
        {
            self.caches.fields.forget(&self.connection).await;
            self.caches.tags.forget(&self.connection).await;
        }
        result
    }
}

fn names_by_id(tags: &[Tag]) -> HashMap<&str, &str> {
    tags.iter().map(|tag| (tag.id.as_str(), tag.name.as_str())).collect()
}

#[async_trait]
impl<D: Dialect> Connector for Translated<D> {
    fn metadata(&self) -> Metadata {
        self.inner.metadata()
    }

    fn capabilities(&self) -> &'static [Capability] {
        self.inner.capabilities()
    }

    async fn get_contacts(&self, query: &ContactQuery) -> Result<ContactPage> {
        let mut page = self.inner.get_contacts(query).await?;
        self.outgoing(&mut page.contacts).await?;
        Ok(page)
    }

    async fn get_contact(&self, contact_id: &str) -> Result<Contact> {
        self.outgoing_one(self.inner.get_contact(contact_id).await?).await
    }

    async fn find_contacts_by_email(&self, email: &str) -> Result<Vec<Contact>> {
        let mut contacts = self.inner.find_contacts_by_email(email).await?;
        self.outgoing(&mut contacts).await?;
        Ok(contacts)
    }

    async fn count_contacts(&self, query: &ContactQuery) -> Result<u64> {
        self.inner.count_contacts(query).await
    }

    async fn create_contact(&self, new: &NewContact) -> Result<Contact> {
        let new = self.translate_new(new).await?;
        let created = self.inner.create_contact(&new).await;
        let contact = self.forget_if_gone(created).await?;
        Ok(self.outgoing_after_write(contact).await)
    }

    async fn upsert_contact(&self, new: &NewContact) -> Result<(Contact, bool)> {
        let new = self.translate_new(new).await?;
        let written = self.inner.upsert_contact(&new).await;
        let (contact, created) = self.forget_if_gone(written).await?;
        Ok((self.outgoing_after_write(contact).await, created))
    }

    async fn update_contact(&self, contact_id: &str, update: &ContactUpdate) -> Result<()> {
        let fields = self.incoming(&update.fields).await?;
        let update = ContactUpdate { fields };
        let updated = self.inner.update_contact(contact_id, &update).await;
        self.forget_if_gone(updated).await
    }

    async fn delete_contact(&self, contact_id: &str) -> Result<()> {
        self.inner.delete_contact(contact_id).await
    }

    async fn get_tags(&self) -> Result<Vec<Tag>> {
        Ok(self.tags().await?.to_vec())
    }

    async fn create_tag(&self, name: &str) -> Result<Tag> {
        let created = self.inner.create_tag(name).await;
        self.caches.tags.forget(&self.connection).await;
        created
    }

    async fn apply_tag(&self, contact_id: &str, tag_id: &str) -> Result<()> {
        let tag_id = self.resolve_tag(tag_id).await?;
        let applied = self.inner.apply_tag(contact_id, &tag_id).await;
        self.forget_if_gone(applied).await
    }

    async fn remove_tag(&self, contact_id: &str, tag_id: &str) -> Result<()> {
        let tag_id = self.resolve_tag(tag_id).await?;
        let removed = self.inner.remove_tag(contact_id, &tag_id).await;
        self.forget_if_gone(removed).await
    }

    async fn get_custom_fields(&self) -> Result<Vec<CustomField>> {
        Ok(self.fields().await?.to_vec())
    }

    async fn get_field_values(&self, contact_id: &str, keys: &[&str]) -> Result<Map<String, Value>> {
        let mut fields = Vec::with_capacity(keys.len());
        for key in keys {
            fields.push((*key, self.resolve(key).await?));
        }
        let mut wire_keys: Vec<&str> = fields.iter().map(|(_, field)| field.wire_key()).collect();
        wire_keys.sort_unstable();
        wire_keys.dedup();
        let values = self.inner.get_field_values(contact_id, &wire_keys).await?;
        let answer = fields.iter().map(|(key, field)| {
            let value = values.get(field.wire_key()).cloned().unwrap_or_default();
            let value = self.decode(value, field.data_type(), field.choices());
            ((*key).to_owned(), value)
        });
        Ok(answer.collect())
    }

    async fn set_field_values(&self, contact_id: &str, values: &Map<String, Value>) -> Result<()> {
        let values = self.incoming(values).await?;
        let written = self.inner.set_field_values(contact_id, &values).await;
        self.forget_if_gone(written).await
    }

    async fn list_automations(&self) -> Result<Vec<Automation>> {
        self.inner.list_automations().await
    }

    async fn trigger_automation(&self, contact_id: &str, automation_id: &str) -> Result<()> {
        self.inner.trigger_automation(contact_id, automation_id).await
    }

    async fn achieve_goal(&self, contact_id: &str, goal: &str, integration: &str) -> Result<()> {
        self.inner.achieve_goal(contact_id, goal, integration).await
    }

    async fn opt_in_targets(&self) -> Result<Vec<OptInTarget>> {
        self.inner.opt_in_targets().await
    }

    async fn set_opt_in_status(&self, contact_id: &str, opted_in: bool, reason: &str) -> Result<OptInOutcome> {
        self.inner.set_opt_in_status(contact_id, opted_in, reason).await
    }

    async fn set_address_opt_in(
        &self,
        contact_id: &str,
        address: &str,
        opted_in: bool,
        reason: &str,
    ) -> Result<OptInOutcome> {
        self.inner
            .set_address_opt_in(contact_id, address, opted_in, reason)
            .await
    }

    async fn get_opt_in_status(&self, contact_id: &str) -> Result<OptInStatus> {
        self.inner.get_opt_in_status(contact_id).await
    }

    async fn add_note(&self, contact_id: &str, title: &str, body: &str) -> Result<()> {
        self.inner.add_note(contact_id, title, body).await
    }

    async fn add_note_of_kind(&self, contact_id: &str, kind: &str, title: &str, body: &str) -> Result<()> {
        self.inner.add_note_of_kind(contact_id, kind, title, body).await
    }

    async fn list_users(&self) -> Result<Vec<CrmUser>> {
        self.inner.list_users().await
    }

    async fn set_owner(&self, contact_id: &str, user_id: &str) -> Result<()> {
        self.inner.set_owner(contact_id, user_id).await
    }

    async fn ask(&self, contact_id: &str, question: &Question) -> Result<Value> {
        self.inner.ask(contact_id, question).await
    }

    async fn test_connection(&self) -> Result<()> {
        self.inner.test_connection().await
    }
}
