//! Ontraport, REST 1 (`connectors` §2.4).
//!
//! Calls per operation, when nothing has to be repeated:
//! - a contact, its fields, its consent: 1 to read, and any number of fields 1 to write;
//! - contacts by address: 1, because a list with a condition brings whole records and `getByEmail` only ids;
//! - create: 1, and 1 for all its tags; upsert: 1, and 1 to read it when it existed, and 1 for all its tags;
//! - a tag applied or removed: 1 to read the contact, and 1 to write unless there is nothing to do;
//! - an automation: 1 for the contact, 1 for the automation, 1 to enter; a note: 1 for the contact and 1 to write;
//! - consent: 1 to read, and 1 to write and 1 to read back when it changes, and 1 for a reason;
//! - the owner: 1; the count of contacts: 1;
//! - a tag created: 1 to look for its name and 1 to create it;
//! - lists: 1 per page of 50; definitions of fields: 1.
//!
//! Ontraport takes ids of contacts, tags and automations as criteria, and an id that selects nothing is a success to
//! it. Therefore they are looked up first: tags and users in a list that is remembered for five minutes.

mod api;
mod auth;
mod map;

use std::sync::Arc;

use async_trait::async_trait;
use mfh_types::ConnectionId;
use serde_json::{Map, Value};

use self::api::{Record, Saved, object};
use self::map::Consent;
use crate::connector::{Capability, Connector, Metadata, Result};
use crate::cursor;
use crate::error::{ConnectorError, ErrorKind, WriteOutcome};
use crate::http::{Call, HttpClient, Vendor};
use crate::model::{
    Automation, Contact, ContactPage, ContactQuery, ContactUpdate, CrmUser, CustomField, DataType, NewContact,
    OptInOutcome, OptInStatus, Tag,
};
use crate::registry::{ConnectorConfig, Shared};
use crate::translate::Dialect;
use crate::translate::codec::Choices;
use crate::translate::names::{StandardField, normal};

const NAME: &str = "Ontraport";
const BASE_URL: &str = "https://api.ontraport.com/1";
/// Ontraport's largest page; it answers no more when asked for more.
const PAGE: u32 = 50;
/// What an id of a legacy sequence begins with, to tell it from an automation.
const SEQUENCE: &str = "sequence:";

const VENDOR: Vendor = Vendor {
    slug: map::SLUG,
    name: NAME,
    authorize: auth::authorize,
    quota: auth::quota,
    reset: auth::reset,
    day: |_, _| None,
    fault: map::fault,
};

/// A connected Ontraport account.
#[derive(Debug)]
pub(crate) struct Ontraport {
    http: HttpClient,
    connection: ConnectionId,
    shared: Arc<Shared>,
}

impl Ontraport {
    /// A connector for this connection; sends nothing.
    ///
    /// # Errors
    /// `NotConfigured` without an app id, or for a base address that is not https.
    pub(crate) fn new(mut config: ConnectorConfig) -> Result<Self> {
        let headers = auth::app_header(config.app_id.as_deref())?;
        let limits = auth::rate_limits(config.rate_limits);
        // Ontraport counts the requests of an account, which every key of the same app shares.
        config.throttle_key = config.throttle_key.or_else(|| config.app_id.clone());
        Ok(Self {
            connection: config.connection_id.clone(),
            shared: Arc::clone(&config.shared),
            http: config.into_client(VENDOR, BASE_URL, headers, limits)?,
        })
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> ConnectorError {
        ConnectorError::new(map::SLUG, kind, message)
    }

    /// A 2xx answer that does not say what it must: the write may have been applied.
    fn unclear(&self, message: &str) -> ConnectorError {
        let mut error = self.error(ErrorKind::Protocol, message);
        error.outcome = WriteOutcome::Unknown;
        error
    }

    /// Sends a call and gives what its envelope holds.
    async fn fetch(&self, call: &Call) -> Result<Value> {
        let envelope: api::Envelope = self.http.fetch(call).await?;
        match envelope.code.as_deref().map(str::trim) {
            None | Some("" | "0") => Ok(envelope.data),
            Some(code) => {
                let said = envelope.data.as_str().map(|said| self.http.safe_text(said));
                let said = said.filter(|said| !said.is_empty());
                let said = said.map(|said| format!(": {said}")).unwrap_or_default();
                let message = format!("Ontraport does not accept these values{said}");
                let mut error = self.error(ErrorKind::InvalidInput, message);
                error.vendor_code = Some(self.http.safe_text(code));
                Err(error)
            }
        }
    }

    /// An id as Ontraport gives it. Anything else could select other records, because ids may be lists.
    fn number<'a>(&self, id: &'a str, what: &str) -> Result<&'a str> {
        let id = id.trim();
        if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(id);
        }
        let message = format!("{what} of Ontraport has a number as its id");
        Err(self.error(ErrorKind::InvalidInput, message))
    }

    /// One record of a kind.
    async fn record(&self, kind: u32, id: &str, subject: &'static str) -> Result<Record> {
        let call = Call::get("/object", &[])
            .about(subject)
            .query("objectID", kind.to_string())
            .query("id", id);
        let found = api::record(self.fetch(&call).await?);
        found.ok_or_else(|| self.error(ErrorKind::NotFound, format!("Ontraport has no such {subject}")))
    }

    async fn contact(&self, contact_id: &str) -> Result<Record> {
        let id = self.number(contact_id, "A contact")?;
        let contact = self.record(object::CONTACT, id, "contact").await?;
        if map::id(&contact).is_none() {
            return Err(self.error(ErrorKind::Protocol, "Ontraport answered without a contact"));
        }
        Ok(contact)
    }

    /// Every record of a kind; `condition` narrows.
    async fn all(&self, kind: u32, sort: &'static str, condition: Option<String>) -> Result<Vec<Record>> {
        let mut found: Vec<Record> = Vec::new();
        let mut first = None;
        loop {
            let mut call = Call::get("/objects", &[])
                .query("objectID", kind.to_string())
                .query("range", PAGE.to_string())
                .query("start", found.len().to_string())
                .query("sort", sort)
                .query("sortDir", "asc");
            if let Some(condition) = &condition {
                call = call.query("condition", condition.as_str());
            }
            let mut page = api::records(self.fetch(&call).await?);
            let full = page.len() >= PAGE as usize;
            if !page.is_empty() && first == page.first().cloned() {
                return Err(self.endless());
            }
            first = page.first().cloned();
            found.append(&mut page);
            if !full {
                return Ok(found);
            }
        }
    }

    fn endless(&self) -> ConnectorError {
        self.error(ErrorKind::Protocol, "Ontraport answered the same page twice")
    }

    /// Sends values of one record, of a new one without `id`.
    async fn save(&self, call: Call, id: Option<&str>, values: &Record) -> Result<Option<Saved>> {
        let object = object::CONTACT;
        let call = call.about("contact").json(&api::Save { object, id, values });
        Ok(api::saved(self.fetch(&call).await?))
    }

    /// Changes the given fields only.
    async fn put(&self, contact_id: &str, fields: &Map<String, Value>) -> Result<()> {
        let id = self.number(contact_id, "A contact")?;
        if fields.is_empty() {
            return Ok(());
        }
        self.check_owner(fields).await?;
        let call = Call::put("/objects", &[]).repeatable();
        self.save(call, Some(id), &map::update(fields)).await.map(drop)
    }

    /// Refuses an owner whom the account does not have, because Ontraport would take any number.
    async fn check_owner(&self, fields: &Map<String, Value>) -> Result<()> {
        let owner = fields.get("owner_id").and_then(Value::as_str).map(str::trim);
        let Some(owner) = owner.filter(|owner| !owner.is_empty()) else {
            return Ok(());
        };
        let known = |users: &[CrmUser]| users.iter().any(|user| user.id == owner);
        let users = &self.shared.caches().users;
        if known(&users.get(&self.connection, self.list_users()).await.map_err(no_list)?)
            || known(
                &users
                    .get_newer(&self.connection, self.list_users())
                    .await
                    .map_err(no_list)?,
            )
        {
            return Ok(());
        }
        let message = format!("Ontraport has no user {owner}. Choose one of its users as the owner");
        Err(self.error(ErrorKind::InvalidInput, message))
    }

    /// The ids among these that no tag has.
    async fn unknown_tags<'a>(&self, ids: &'a [String]) -> Result<Vec<&'a String>> {
        let missing = |tags: &[Tag]| {
            let unknown = |id: &&String| !tags.iter().any(|tag| tag.id == **id);
            ids.iter().filter(unknown).collect::<Vec<_>>()
        };
        let tags = &self.shared.caches().tags;
        let unknown = missing(&tags.get(&self.connection, self.get_tags()).await.map_err(no_list)?);
        if unknown.is_empty() {
            return Ok(unknown);
        }
        Ok(missing(
            &tags
                .get_newer(&self.connection, self.get_tags())
                .await
                .map_err(no_list)?,
        ))
    }

    /// Adds tags that exist to a contact that exists.
    async fn add_tags(&self, contact_id: &str, tag_ids: &[&str]) -> Result<()> {
        let call = Call::put("/objects/tag", &[])
            .about("tag or contact")
            .json(&api::AddTags {
                object: object::CONTACT,
                ids: contact_id,
                add_list: &tag_ids.join(","),
            })
            .repeatable();
        self.fetch(&call).await.map(drop)
    }

    /// Applies tags to a contact that was just written.
    async fn tag_new(&self, mut contact: Contact, tags: &[String]) -> Result<Contact> {
        if tags.is_empty() {
            return Ok(contact);
        }
        let failure = match self.unknown_tags(tags).await {
            Err(error) => Some(error.to_string()),
            Ok(unknown) => {
                let known: Vec<&String> = tags.iter().filter(|tag| !unknown.contains(tag)).collect();
                let mut failures: Vec<String> = unknown.iter().map(|tag| format!("tag {tag}: no such tag")).collect();
                let ids: Vec<&str> = known.iter().map(|tag| tag.as_str()).collect();
                if !ids.is_empty()
                    && let Err(error) = self.add_tags(&contact.id, &ids).await
                {
                    failures.push(format!("tags {}: {error}", ids.join(", ")));
                } else {
                    add_to(&mut contact, known);
                }
                (!failures.is_empty()).then(|| failures.join("; "))
            }
        };
        let Some(failure) = failure else {
            return Ok(contact);
        };
        let message = format!("The contact was saved in Ontraport, but not everything: {failure}");
        Err(self.partial(contact.id, message))
    }

    fn partial(&self, contact_id: String, message: String) -> ConnectorError {
        let mut error = self.error(ErrorKind::Partial, message);
        error.contact_id = Some(contact_id);
        error
    }

    /// The contact of an answer to a write, read when the answer holds only a part of it.
    async fn written(&self, saved: Option<Saved>) -> Result<Contact> {
        let unnamed = || self.unclear("Ontraport did not say which contact it saved");
        match saved.ok_or_else(unnamed)? {
            Saved::Whole(record) if map::id(&record).is_some() => Ok(map::contact(&record)),
            Saved::Whole(_) => Err(unnamed()),
            Saved::Changes(record) => {
                let id = map::id(&record).ok_or_else(unnamed)?;
                let read = self.contact(&id).await;
                read.map(|record| map::contact(&record)).map_err(|error| {
                    let message = format!("The contact was saved in Ontraport, but could not be read: {error}");
                    self.partial(id, message)
                })
            }
        }
    }

    /// The query's conditions, and that ids come after the last one seen.
    fn condition(&self, query: &ContactQuery, after: Option<&str>) -> Result<Option<String>> {
        let mut conditions = Vec::new();
        if let Some(email) = &query.email {
            conditions.push(api::condition("email", "=", self.address(email)?));
        }
        if let Some(since) = query.updated_since {
            conditions.push(api::condition("dlm", ">=", &since.0.timestamp().to_string()));
        }
        if let Some(after) = after {
            conditions.push(api::condition("id", ">", after));
        }
        Ok(api::all_of(conditions))
    }

    fn address<'a>(&self, email: &'a str) -> Result<&'a str> {
        match email.trim() {
            "" => Err(self.error(ErrorKind::InvalidInput, "The e-mail address to search for is blank")),
            email => Ok(email),
        }
    }

    /// A list of contacts, or of those with a tag.
    fn contacts(&self, query: &ContactQuery) -> Result<Call> {
        Ok(match query.tag_id.as_deref() {
            Some(tag) => Call::get("/objects/tag", &[])
                .about("tag")
                .query("tag_id", self.number(tag, "A tag")?),
            None => Call::get("/objects", &[]),
        }
        .query("objectID", object::CONTACT.to_string()))
    }

    /// The kind of record and the id that `automation_id` names: `12`, or `sequence:12` for a legacy sequence.
    fn automation<'a>(&self, automation_id: &'a str) -> Result<(u32, &'static str, &'a str)> {
        let text = automation_id.trim();
        match text.strip_prefix(SEQUENCE) {
            Some(id) => Ok((object::SEQUENCE, "Sequence", self.number(id, "A sequence")?)),
            None => Ok((object::AUTOMATION, "Campaign", self.number(text, "An automation")?)),
        }
    }

    async fn note(&self, contact_id: &str, text: &str) -> Result<()> {
        let call = Call::post("/objects", &[]).about("contact").json(&api::CreateNote {
            object: object::NOTE,
            object_type_id: object::CONTACT,
            contact_id,
            data: text,
        });
        self.fetch(&call).await.map(drop)
    }
}

/// A list that is not there is the CRM's mistake, and must not read as a missing contact.
fn no_list(mut error: ConnectorError) -> ConnectorError {
    if error.kind == ErrorKind::NotFound {
        error.kind = ErrorKind::Protocol;
    }
    error
}

fn add_to(contact: &mut Contact, tags: Vec<&String>) {
    let applied = contact.tags.get_or_insert_default();
    for tag in tags {
        if !applied.iter().any(|known| known.id == *tag) {
            applied.push(map::tag_ref(tag.clone()));
        }
    }
}

fn has_email(contact: &Record, email: &str) -> bool {
    map::text(contact, "email").is_some_and(|own| own.trim().to_lowercase() == email.trim().to_lowercase())
}

/// Whether an id comes after another in the order of numbers.
fn comes_after(id: &str, other: &str) -> bool {
    match (id.parse::<u64>(), other.parse::<u64>()) {
        (Ok(id), Ok(other)) => id > other,
        _ => id != other,
    }
}

impl Dialect for Ontraport {
    fn standard_fields(&self) -> &'static [StandardField] {
        map::standard_fields()
    }

    fn to_wire(&self, data_type: DataType, value: Value, choices: Choices<'_>) -> std::result::Result<Value, String> {
        map::to_wire(data_type, value, choices)
    }

    fn from_wire(&self, data_type: DataType, value: Value, choices: Choices<'_>) -> Value {
        map::from_wire(data_type, value, choices)
    }
}

#[async_trait]
impl Connector for Ontraport {
    fn metadata(&self) -> Metadata {
        self.http.metadata("v1")
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[
            Capability::Contacts,
            Capability::Tags,
            Capability::CreateTags,
            Capability::CustomFields,
            Capability::Automations,
            Capability::OptIn,
            Capability::Notes,
            Capability::Owners,
        ]
    }

    /// In the order of ids, tagged ones too: a contact that is deleted meanwhile does not move the others.
    async fn get_contacts(&self, query: &ContactQuery) -> Result<ContactPage> {
        let last = cursor::decode(map::SLUG, query)?;
        let condition = self.condition(query, last.as_deref())?;
        let size = query.limit.unwrap_or(PAGE).clamp(1, PAGE);
        let mut call = self
            .contacts(query)?
            .query("range", size.to_string())
            .query("sort", "id")
            .query("sortDir", "asc");
        if let Some(condition) = condition {
            call = call.query("condition", condition);
        }
        if query.ids_only {
            call = call.query("listFields", if query.email.is_some() { "id,email" } else { "id" });
        }
        let mut page = api::records(self.fetch(&call).await?);
        let ids: Vec<String> = page.iter().filter_map(map::id).collect();
        if let (Some(first), Some(last)) = (ids.first(), &last)
            && !comes_after(first, last)
        {
            return Err(self.endless());
        }
        let full = page.len() >= size as usize;
        let next = ids.last().filter(|_| full);
        if full && next.is_none() {
            return Err(self.error(ErrorKind::Protocol, "Ontraport answered with contacts without ids"));
        }
        if let Some(email) = &query.email {
            page.retain(|contact| has_email(contact, email));
        }
        let mut contacts: Vec<Contact> = page.iter().map(map::contact).collect();
        if query.ids_only {
            contacts.iter_mut().for_each(|contact| contact.tags = None);
        }
        Ok(ContactPage {
            contacts,
            total: None,
            next_cursor: next.map(|id| cursor::encode(map::SLUG, id, query)),
        })
    }

    async fn get_contact(&self, contact_id: &str) -> Result<Contact> {
        Ok(map::contact(&self.contact(contact_id).await?))
    }

    async fn find_contacts_by_email(&self, email: &str) -> Result<Vec<Contact>> {
        let condition = api::condition("email", "=", self.address(email)?);
        let mut found = self.all(object::CONTACT, "id", api::all_of(vec![condition])).await?;
        found.retain(|contact| has_email(contact, email));
        Ok(found.iter().map(map::contact).collect())
    }

    async fn count_contacts(&self, query: &ContactQuery) -> Result<u64> {
        let mut call = match &query.tag_id {
            Some(_) => self.contacts(query)?.query("count", "true"),
            None => Call::get("/objects/getInfo", &[]).query("objectID", object::CONTACT.to_string()),
        };
        if let Some(condition) = self.condition(query, None)? {
            call = call.query("condition", condition);
        }
        let data = self.fetch(&call).await?;
        map::count(&data).ok_or_else(|| self.error(ErrorKind::Protocol, "Ontraport answered without a count"))
    }

    /// Ontraport allows contacts with the same address, so there is no conflict to report.
    async fn create_contact(&self, new: &NewContact) -> Result<Contact> {
        self.check_owner(&new.fields).await?;
        let saved = self
            .save(Call::post("/objects", &[]), None, &map::update(&new.fields))
            .await?;
        let contact = self.written(saved).await?;
        self.tag_new(contact, &new.tags).await
    }

    /// Ontraport finds the contact itself, by the address as its unique field.
    async fn upsert_contact(&self, new: &NewContact) -> Result<(Contact, bool)> {
        let email = new.fields.get("email").and_then(Value::as_str).unwrap_or_default();
        self.address(email)?;
        self.check_owner(&new.fields).await?;
        let call = Call::post("/objects/saveorupdate", &[]).repeatable();
        let saved = self.save(call, None, &map::update(&new.fields)).await?;
        // Changes of a contact that was there before never include the day on which it was added.
        let created = match &saved {
            Some(Saved::Whole(_)) => true,
            Some(Saved::Changes(changes)) => changes.contains_key("date"),
            None => false,
        };
        let contact = self.written(saved).await?;
        Ok((self.tag_new(contact, &new.tags).await?, created))
    }

    async fn update_contact(&self, contact_id: &str, update: &ContactUpdate) -> Result<()> {
        self.put(contact_id, &update.fields).await
    }

    /// Parameters in the query select one contact; the same call on `/objects` could delete all of them.
    async fn delete_contact(&self, contact_id: &str) -> Result<()> {
        let call = Call::delete("/object", &[])
            .about("contact")
            .query("objectID", object::CONTACT.to_string())
            .query("id", self.number(contact_id, "A contact")?)
            .repeatable();
        match self.fetch(&call).await {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            other => other.map(drop),
        }
    }

    async fn get_tags(&self) -> Result<Vec<Tag>> {
        let tags = self.all(object::TAG, "tag_id", None).await?;
        Ok(tags.iter().filter_map(map::tag).collect())
    }

    /// Looks for the name first, because Ontraport would make a second tag of the same name.
    async fn create_tag(&self, name: &str) -> Result<Tag> {
        let name = name.trim();
        if name.is_empty() {
            return Err(self.error(ErrorKind::InvalidInput, "A tag needs a name"));
        }
        let same = api::all_of(vec![api::condition("tag_name", "=", name)]);
        let same = self.all(object::TAG, "tag_id", same).await?;
        if same
            .iter()
            .filter_map(map::tag)
            .any(|tag| normal(&tag.name) == normal(name))
        {
            let message = format!("Ontraport already has a tag \"{name}\"");
            return Err(self.error(ErrorKind::Conflict, message));
        }
        let call = Call::post("/objects", &[]).about("tag").json(&api::CreateTag {
            object: object::TAG,
            tag_name: name,
        });
        let created = match api::saved(self.fetch(&call).await?) {
            Some(Saved::Whole(record) | Saved::Changes(record)) => map::tag(&record),
            None => None,
        };
        let mut tag = created.ok_or_else(|| self.unclear("Ontraport did not say which tag it created"))?;
        if tag.name.is_empty() {
            name.clone_into(&mut tag.name);
        }
        Ok(tag)
    }

    async fn apply_tag(&self, contact_id: &str, tag_id: &str) -> Result<()> {
        let contact_id = self.number(contact_id, "A contact")?;
        let tag_id = tag_id.trim().to_owned();
        if !self.unknown_tags(std::slice::from_ref(&tag_id)).await?.is_empty() {
            return Err(self.error(ErrorKind::NotFound, format!("Ontraport has no such tag: {tag_id}")));
        }
        let contact = self.contact(contact_id).await?;
        if map::tag_ids(&contact).is_some_and(|ids| ids.contains(&tag_id)) {
            return Ok(());
        }
        self.add_tags(contact_id, &[&tag_id]).await
    }

    async fn remove_tag(&self, contact_id: &str, tag_id: &str) -> Result<()> {
        let tag_id = self.number(tag_id, "A tag")?;
        let contact = self.contact(contact_id).await?;
        if map::tag_ids(&contact).is_some_and(|ids| !ids.iter().any(|id| id == tag_id)) {
            return Ok(());
        }
        let call = Call::delete("/objects/tag", &[])
            .about("tag or contact")
            .query("objectID", object::CONTACT.to_string())
            .query("ids", contact_id.trim())
            .query("remove_list", tag_id)
            .repeatable();
        self.fetch(&call).await.map(drop)
    }

    async fn get_custom_fields(&self) -> Result<Vec<CustomField>> {
        let call = Call::get("/objects/meta", &[])
            .query("objectID", object::CONTACT.to_string())
            .query("format", "byId");
        Ok(map::custom_fields(&self.fetch(&call).await?))
    }

    async fn get_field_values(&self, contact_id: &str, keys: &[&str]) -> Result<Map<String, Value>> {
        let contact = self.contact(contact_id).await?;
        let values = keys.iter().map(|key| ((*key).to_owned(), map::read(&contact, key)));
        Ok(values.collect())
    }

    async fn set_field_values(&self, contact_id: &str, values: &Map<String, Value>) -> Result<()> {
        self.put(contact_id, values).await
    }

    async fn list_automations(&self) -> Result<Vec<Automation>> {
        let automations = self.all(object::AUTOMATION, "id", None).await?;
        Ok(automations.iter().filter_map(map::automation).collect())
    }

    async fn trigger_automation(&self, contact_id: &str, automation_id: &str) -> Result<()> {
        let (kind, sub_type, id) = self.automation(automation_id)?;
        self.contact(contact_id).await?;
        let series = self.record(kind, id, "automation").await?;
        if !map::takes_contacts(&series) {
            let message = format!("The automation {id} of Ontraport is deleted or not for contacts. Choose another");
            return Err(self.error(ErrorKind::NotFound, message));
        }
        let call = Call::put("/objects/subscribe", &[])
            .about("automation or contact")
            .json(&api::Subscribe {
                object: object::CONTACT,
                ids: contact_id.trim(),
                add_list: id,
                sub_type,
            });
        self.fetch(&call).await.map(drop)
    }

    async fn achieve_goal(&self, _contact_id: &str, _goal: &str, _integration: &str) -> Result<()> {
        Err(ConnectorError::unsupported(map::SLUG, "goals"))
    }

    /// Never undoes a bounce, a review or a confirmed consent, and believes only what it reads back.
    async fn set_opt_in_status(&self, contact_id: &str, opted_in: bool, reason: &str) -> Result<OptInOutcome> {
        let wanted = if opted_in { Consent::In } else { Consent::Out };
        match Consent::of(&self.contact(contact_id).await?) {
            now if now == wanted => return Ok(OptInOutcome::Already),
            Consent::Barred => return Ok(OptInOutcome::NotPermitted),
            Consent::In | Consent::Out | Consent::Unknown => {}
        }
        let id = contact_id.trim();
        let number = if opted_in { "1" } else { "0" };
        let values = Record::from_iter([("bulk_mail".to_owned(), Value::from(number))]);
        let call = Call::put("/objects", &[]).repeatable();
        self.save(call, Some(id), &values).await?;
        if Consent::of(&self.contact(id).await?) != wanted {
            return Ok(OptInOutcome::NotPermitted);
        }
        let reason = reason.trim();
        if !reason.is_empty() {
            self.note(id, reason).await.map_err(|error| {
                let message = format!("The consent was set in Ontraport, but the reason could not be noted: {error}");
                self.partial(id.to_owned(), message)
            })?;
        }
        Ok(OptInOutcome::Applied)
    }

    async fn get_opt_in_status(&self, contact_id: &str) -> Result<OptInStatus> {
        Ok(map::opt_in(&self.contact(contact_id).await?))
    }

    /// The title becomes the first line, because notes have none of their own.
    async fn add_note(&self, contact_id: &str, title: &str, body: &str) -> Result<()> {
        self.contact(contact_id).await?;
        let text = match title.trim() {
            "" => body.to_owned(),
            title => format!("{title}\n{body}"),
        };
        self.note(contact_id.trim(), &text).await
    }

    async fn list_users(&self) -> Result<Vec<CrmUser>> {
        let users = self.all(object::USER, "id", None).await?;
        Ok(users.iter().filter_map(map::user).collect())
    }

    async fn set_owner(&self, contact_id: &str, user_id: &str) -> Result<()> {
        let user_id = self.number(user_id, "A user")?;
        let owner = Map::from_iter([("owner_id".to_owned(), Value::from(user_id))]);
        self.put(contact_id, &owner).await
    }

    async fn test_connection(&self) -> Result<()> {
        let call = Call::get("/objects/getInfo", &[]).query("objectID", object::CONTACT.to_string());
        self.fetch(&call).await.map(drop)
    }
}
