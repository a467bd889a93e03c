//! GoHighLevel, edition 2021-07-28 (`connectors` §2.2).
//!
//! Calls per operation, when nothing has to be repeated:
//! - a contact, its fields, its consent, its deletion: 1;
//! - fields of any number: 1 to write; consent: 1 to read and 1 to write;
//! - create with tags: 1; upsert: 1, and 1 for all its tags;
//! - a tag applied or removed, a note, an automation: 1;
//! - contacts by address: 1, and 1 more when the answer is not the whole record;
//! - a page of contacts: 1 for ids. Hits of the search have a shape of their own, so that full records cost 1 each
//!   besides, unless a hit turns out to be whole;
//! - lists of tags, fields, users, automations: 1. Tags are known by name, so that one is looked up in the list of
//!   tags, which is remembered for five minutes: sending an unknown name would create a tag.

mod api;
mod auth;
mod map;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::SecondsFormat;
use mfh_types::ConnectionId;
use serde_json::{Map, Value, json};

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
use crate::translate::codec::{Choices, rfc3339};
use crate::translate::names::{self, Found, StandardField};
use crate::wire::filled;

const NAME: &str = "GoHighLevel";
const BASE_URL: &str = "https://services.leadconnectorhq.com";
/// The vendor's largest page of hits.
const PAGE: u32 = 500;
/// Largest page of full records: each may need a request of its own.
const FULL_PAGE: u32 = 100;
const DEFAULT_REASON: &str = "Updated by automation";

const VENDOR: Vendor = Vendor {
    slug: map::SLUG,
    name: NAME,
    authorize: auth::authorize,
    quota: auth::quota,
    reset: auth::reset,
    day: auth::day,
    fault: map::fault,
};

/// A connected location of GoHighLevel.
#[derive(Debug)]
pub(crate) struct GoHighLevel {
    http: HttpClient,
    location: String,
    connection: ConnectionId,
    shared: Arc<Shared>,
}

impl GoHighLevel {
    /// A connector for this connection; sends nothing.
    ///
    /// # Errors
    /// `NotConfigured` without a location id or for a base address that is not https.
    pub(crate) fn new(config: ConnectorConfig) -> Result<Self> {
        let location = config.external_app_id.as_deref().map(str::trim).unwrap_or_default();
        if location.is_empty() {
            return Err(ConnectorError::new(
                map::SLUG,
                ErrorKind::NotConfigured,
                "GoHighLevel needs the id of the location (location_id). Connect it again and choose a location, \
                 not the agency",
            ));
        }
        let location = location.to_owned();
        let limits = auth::rate_limits(config.rate_limits);
        // The vendor counts by location, whichever connection asks.
        let throttle_key = config.throttle_key.clone().or_else(|| Some(location.clone()));
        let config = ConnectorConfig { throttle_key, ..config };
        Ok(Self {
            location,
            connection: config.connection_id.clone(),
            shared: Arc::clone(&config.shared),
            http: config.into_client(VENDOR, BASE_URL, auth::headers(), limits)?,
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

    async fn fetch_contact(&self, contact_id: &str) -> Result<api::Contact> {
        let call = Call::get("/contacts/{}", &[contact_id]).about("contact");
        let envelope: api::Envelope = self.http.fetch(&call).await?;
        match envelope.contact {
            Some(contact) if contact.deleted == Some(true) => {
                Err(self.error(ErrorKind::NotFound, "The contact was deleted in GoHighLevel"))
            }
            Some(contact) if contact.id.is_some() => Ok(contact),
            _ => Err(self.error(ErrorKind::Protocol, "GoHighLevel answered without a contact")),
        }
    }

    /// The full record behind a hit; none when it was deleted since the index saw it.
    async fn whole(&self, hit: api::Contact) -> Result<Option<Contact>> {
        if map::is_whole(&hit) {
            return Ok(Some(map::contact(hit)));
        }
        let id = filled(hit.id.as_ref())
            .ok_or_else(|| self.error(ErrorKind::Protocol, "GoHighLevel answered with a contact without an id"))?;
        match self.fetch_contact(&id).await {
            Ok(contact) => Ok(Some(map::contact(contact))),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Hits in the order in which contacts were added. The index lags behind by seconds.
    async fn search(&self, limit: u32, filters: &[api::Filter], after: Option<&Value>) -> Result<api::Hits> {
        let body = api::Search {
            location_id: &self.location,
            page_limit: limit,
            sort: [api::Sort {
                field: "dateAdded",
                direction: "asc",
            }],
            filters,
            search_after: after,
        };
        let call = Call::post("/contacts/search", &[])
            .about("location")
            .json(&body)
            .reading();
        self.http.fetch(&call).await
    }

    /// The query's conditions in the language of the search; all must hold.
    async fn filters(&self, query: &ContactQuery) -> Result<Vec<api::Filter>> {
        let mut filters = Vec::new();
        let equal = |field, value: &str| api::Filter {
            field,
            operator: "eq",
            value: Value::from(value),
        };
        if let Some(email) = &query.email {
            filters.push(equal("email", self.address(email)?));
        }
        if let Some(since) = query.updated_since {
            filters.push(api::Filter {
                field: "dateUpdated",
                operator: "range",
                value: json!({ "gte": rfc3339(since.0, SecondsFormat::Millis) }),
            });
        }
        if let Some(tag) = &query.tag_id {
            filters.push(equal("tags", &self.tag_name(tag).await?));
        }
        Ok(filters)
    }

    /// An e-mail address that the vendor can be asked about.
    fn address<'a>(&self, email: &'a str) -> Result<&'a str> {
        let email = email.trim();
        let strange = |c: char| c.is_whitespace() || matches!(c, '*' | ';' | ',' | '<' | '>' | '"');
        if !email.contains('@') || email.contains(strange) {
            let message =
                "GoHighLevel cannot search for this e-mail address. It must be one address, such as a@example.com";
            return Err(self.error(ErrorKind::InvalidInput, message));
        }
        Ok(email)
    }

    /// Where the page after these hits begins; none when this is the last.
    fn after(&self, hits: &api::Hits, limit: u32, sent: Option<&Value>) -> Result<Option<Value>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        if hits.contacts.len() < limit {
            return Ok(None);
        }
        let next = hits.contacts.last().map(|hit| &hit.search_after);
        let next = next.filter(|after| after.as_array().is_some_and(|position| !position.is_empty()));
        match next {
            Some(next) if Some(next) == sent => {
                Err(self.error(ErrorKind::Protocol, "GoHighLevel answered the same page twice"))
            }
            Some(next) => Ok(Some(next.clone())),
            None => Err(self.error(
                ErrorKind::Protocol,
                "GoHighLevel did not say where the next page begins",
            )),
        }
    }

    /// A list that is not there is the vendor's mistake, and must not read as a missing tag.
    async fn loaded_tags(&self) -> Result<Vec<Tag>> {
        self.get_tags().await.map_err(|mut error| {
            if error.kind == ErrorKind::NotFound {
                error.kind = ErrorKind::Protocol;
            }
            error
        })
    }

    /// The name of a tag that exists, by its name or by the vendor's id.
    async fn tag_name(&self, text: &str) -> Result<String> {
        let text = text.trim();
        let cache = &self.shared.caches().tags;
        let mut tags = cache.get(&self.connection, self.loaded_tags()).await?;
        if matches!(names::find_tag(text, &tags), Found::None) {
            tags = cache.get_newer(&self.connection, self.loaded_tags()).await?;
        }
        match names::find_tag(text, &tags) {
            Found::One(tag) => Ok(tag.name.clone()),
            Found::Several(tags) => {
                let listed: Vec<_> = tags.iter().map(|tag| tag.name.as_str()).collect();
                let message = format!("The tag \"{text}\" is ambiguous. Use one of: {}", listed.join(", "));
                Err(self.error(ErrorKind::InvalidInput, message))
            }
            Found::None => {
                let message = format!("GoHighLevel has no tag \"{text}\". Create it there or correct the name");
                Err(self.error(ErrorKind::NotFound, message))
            }
        }
    }

    async fn tag_names(&self, tags: &[String]) -> Result<Vec<String>> {
        let mut names = Vec::with_capacity(tags.len());
        for tag in tags {
            let name = self.tag_name(tag).await?;
            if !names.contains(&name) {
                names.push(name);
            }
        }
        Ok(names)
    }

    /// Adds tags to those of a contact, and tells all it has then.
    async fn add_tags(&self, contact_id: &str, names: &[String]) -> Result<Option<Vec<String>>> {
        let call = Call::post("/contacts/{}/tags", &[contact_id])
            .about("contact")
            .json(&api::TagNames { tags: names })
            .repeatable();
        let answer: api::ContactTags = self.http.fetch(&call).await?;
        Ok(answer.tags)
    }

    /// Changes the given fields only.
    async fn put(&self, contact_id: &str, fields: &Map<String, Value>) -> Result<()> {
        if fields.is_empty() {
            return Ok(());
        }
        let call = Call::put("/contacts/{}", &[contact_id])
            .about("contact")
            .json(&map::update(fields))
            .repeatable();
        let answer: api::Envelope = self.http.fetch(&call).await?;
        if answer.succeded == Some(false) {
            return Err(self.error(ErrorKind::InvalidInput, "GoHighLevel did not save the contact"));
        }
        // The vendor does not describe the company as something that an update takes, so we look.
        match fields.get("company") {
            Some(company) if !map::has_company(&answer.contact.unwrap_or_default(), company) => {
                let message = "GoHighLevel did not change the company of the contact; everything else was saved";
                let mut error = self.error(ErrorKind::Partial, message);
                error.contact_id = Some(contact_id.trim().to_owned());
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// Keeps the reason for a change of consent where people see it. It also stands in the channel's own message, so
    /// that a note which cannot be written loses nothing and is no reason to fail.
    async fn note_reason(&self, contact_id: &str, opted_in: bool, reason: &str) {
        let title = if opted_in {
            "Opted in to e-mail"
        } else {
            "Opted out of e-mail"
        };
        if let Err(error) = self.add_note(contact_id, title, reason).await {
            tracing::warn!(
                platform = map::SLUG,
                code = error.kind.code(),
                "the reason for a change of consent could not be noted"
            );
        }
    }
}

impl Dialect for GoHighLevel {
    fn standard_fields(&self) -> &'static [StandardField] {
        map::standard_fields()
    }

    fn to_wire(&self, data_type: DataType, value: Value, _: Choices<'_>) -> std::result::Result<Value, String> {
        map::to_wire(data_type, value)
    }

    fn from_wire(&self, data_type: DataType, value: Value, _: Choices<'_>) -> Value {
        map::from_wire(data_type, value)
    }
}

#[async_trait]
impl Connector for GoHighLevel {
    fn metadata(&self) -> Metadata {
        self.http.metadata("v2")
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

    /// In the order in which contacts were added, with or without a tag.
    async fn get_contacts(&self, query: &ContactQuery) -> Result<ContactPage> {
        let after = cursor::decode(map::SLUG, query)?;
        let after: Option<Value> = after
            .map(|state| serde_json::from_str(&state))
            .transpose()
            .map_err(|_| {
                let message = "The page cursor is damaged. Start again from the first page without a cursor";
                self.error(ErrorKind::InvalidInput, message)
            })?;
        let largest = if query.ids_only { PAGE } else { FULL_PAGE };
        let limit = query.limit.unwrap_or(largest).clamp(1, largest);
        let filters = self.filters(query).await?;
        let mut hits = self.search(limit, &filters, after.as_ref()).await?;
        let next = self.after(&hits, limit, after.as_ref())?;
        if let Some(email) = &query.email {
            hits.contacts.retain(|hit| map::has_email(hit, email));
        }
        let mut contacts = Vec::with_capacity(hits.contacts.len());
        for hit in hits
            .contacts
            .into_iter()
            .filter(|hit| filled(hit.id.as_ref()).is_some())
        {
            if query.ids_only {
                let mut contact = map::contact(hit);
                contact.tags = None;
                contacts.push(contact);
            } else {
                contacts.extend(self.whole(hit).await?);
            }
        }
        Ok(ContactPage {
            contacts,
            total: hits.total,
            next_cursor: next.map(|next| cursor::encode(map::SLUG, &next.to_string(), query)),
        })
    }

    async fn get_contact(&self, contact_id: &str) -> Result<Contact> {
        self.fetch_contact(contact_id).await.map(map::contact)
    }

    /// Not by the search, whose index lags behind. Where a location allows duplicates, the vendor names one of them.
    async fn find_contacts_by_email(&self, email: &str) -> Result<Vec<Contact>> {
        let email = self.address(email)?;
        let call = Call::get("/contacts/search/duplicate", &[])
            .about("contact")
            .query("locationId", self.location.as_str())
            .query("email", email);
        let found = match self.http.send(&call).await {
            Ok(answer) if answer.is_blank() => None,
            Ok(answer) => self.http.decode::<api::Envelope>(&call, &answer)?.contact,
            Err(error) if error.kind == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let found = found.filter(|contact| filled(contact.id.as_ref()).is_some() && map::has_email(contact, email));
        match found {
            Some(contact) => Ok(self.whole(contact).await?.into_iter().collect()),
            None => Ok(Vec::new()),
        }
    }

    async fn count_contacts(&self, query: &ContactQuery) -> Result<u64> {
        let filters = self.filters(query).await?;
        let hits = self.search(1, &filters, None).await?;
        hits.total.ok_or_else(|| {
            self.error(
                ErrorKind::Protocol,
                "GoHighLevel did not say how many contacts there are",
            )
        })
    }

    /// The tags go with the new contact, so that there is nothing that could fail after it exists.
    async fn create_contact(&self, new: &NewContact) -> Result<Contact> {
        let tags = self.tag_names(&new.tags).await?;
        let body = map::create(&self.location, &new.fields, tags);
        let call = Call::post("/contacts/", &[]).about("contact").json(&body);
        let answer: api::Envelope = self.http.fetch(&call).await?;
        let mut contact = answer
            .contact
            .filter(|contact| filled(contact.id.as_ref()).is_some())
            .ok_or_else(|| self.unclear("GoHighLevel did not say which contact it created"))?;
        contact.tags.get_or_insert(body.tags);
        Ok(map::contact(contact))
    }

    /// By the location's own rules for duplicates, which may also compare phone numbers. Tags are added afterwards,
    /// because those of an upsert would replace what the contact has.
    async fn upsert_contact(&self, new: &NewContact) -> Result<(Contact, bool)> {
        let tags = self.tag_names(&new.tags).await?;
        let body = map::create(&self.location, &new.fields, Vec::new());
        let call = Call::post("/contacts/upsert", &[]).about("contact").json(&body);
        let answer: api::Envelope = self.http.fetch(&call).await?;
        let (Some(id), Some(created)) = (
            answer.contact.as_ref().and_then(|contact| filled(contact.id.as_ref())),
            answer.new,
        ) else {
            return Err(self.unclear("GoHighLevel did not say which contact it created or updated"));
        };
        let mut contact = map::contact(answer.contact.unwrap_or_default());
        let known = contact.tags.get_or_insert_default();
        let missing: Vec<String> = tags
            .into_iter()
            .filter(|name| !known.iter().any(|tag| tag.name.eq_ignore_ascii_case(name)))
            .collect();
        if missing.is_empty() {
            return Ok((contact, created));
        }
        match self.add_tags(&id, &missing).await {
            Ok(Some(all)) => {
                contact.tags = Some(all.into_iter().map(map::tag_ref).collect());
                Ok((contact, created))
            }
            Ok(None) => {
                known.extend(missing.into_iter().map(map::tag_ref));
                Ok((contact, created))
            }
            Err(cause) => {
                let message = format!("The contact was saved in GoHighLevel, but not its tags: {cause}");
                let mut error = self.error(ErrorKind::Partial, message);
                error.contact_id = Some(id);
                Err(error)
            }
        }
    }

    async fn update_contact(&self, contact_id: &str, update: &ContactUpdate) -> Result<()> {
        self.put(contact_id, &update.fields).await
    }

    async fn delete_contact(&self, contact_id: &str) -> Result<()> {
        let call = Call::delete("/contacts/{}", &[contact_id])
            .about("contact")
            .repeatable();
        match self.http.send(&call).await {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            other => other.map(drop),
        }
    }

    async fn get_tags(&self) -> Result<Vec<Tag>> {
        let call = Call::get("/locations/{}/tags", &[&self.location]).about("location");
        let list: api::TagList = self.http.fetch(&call).await?;
        Ok(list.tags.into_iter().filter_map(map::tag).collect())
    }

    async fn create_tag(&self, name: &str) -> Result<Tag> {
        let name = name.trim();
        if name.is_empty() {
            return Err(self.error(ErrorKind::InvalidInput, "A tag needs a name"));
        }
        let call = Call::post("/locations/{}/tags", &[&self.location])
            .about("tag")
            .json(&api::CreateTag { name });
        let created: api::NewTag = self.http.fetch(&call).await?;
        let tag = created.tag.and_then(map::tag);
        tag.ok_or_else(|| self.unclear("GoHighLevel did not say which tag it created"))
    }

    async fn apply_tag(&self, contact_id: &str, tag_id: &str) -> Result<()> {
        let name = self.tag_name(tag_id).await?;
        let now = self.add_tags(contact_id, std::slice::from_ref(&name)).await?;
        match now {
            Some(tags) if !tags.iter().any(|tag| tag.eq_ignore_ascii_case(&name)) => {
                Err(self.unclear("GoHighLevel answered that the contact does not have the tag"))
            }
            _ => Ok(()),
        }
    }

    async fn remove_tag(&self, contact_id: &str, tag_id: &str) -> Result<()> {
        let name = self.tag_name(tag_id).await?;
        let call = Call::delete("/contacts/{}/tags", &[contact_id])
            .about("contact")
            .json(&api::TagNames { tags: &[name] })
            .repeatable();
        self.http.send(&call).await.map(drop)
    }

    async fn get_custom_fields(&self) -> Result<Vec<CustomField>> {
        let call = Call::get("/locations/{}/customFields", &[&self.location])
            .about("location")
            .query("model", "contact");
        let list: api::CustomFieldList = self.http.fetch(&call).await?;
        Ok(list.custom_fields.into_iter().filter_map(map::custom_field).collect())
    }

    async fn get_field_values(&self, contact_id: &str, keys: &[&str]) -> Result<Map<String, Value>> {
        let contact = self.fetch_contact(contact_id).await?;
        let values = keys.iter().map(|key| ((*key).to_owned(), map::read(&contact, key)));
        Ok(values.collect())
    }

    async fn set_field_values(&self, contact_id: &str, values: &Map<String, Value>) -> Result<()> {
        self.put(contact_id, values).await
    }

    async fn list_automations(&self) -> Result<Vec<Automation>> {
        let call = Call::get("/workflows/", &[])
            .about("location")
            .query("locationId", self.location.as_str());
        let list: api::WorkflowList = self.http.fetch(&call).await?;
        Ok(list.workflows.into_iter().filter_map(map::automation).collect())
    }

    async fn trigger_automation(&self, contact_id: &str, automation_id: &str) -> Result<()> {
        let call = Call::post("/contacts/{}/workflow/{}", &[contact_id, automation_id])
            .about("contact or workflow")
            .json(&api::StartWorkflow {});
        let answer: api::Done = self.http.fetch(&call).await?;
        if answer.succeded == Some(false) {
            let message = "GoHighLevel did not put the contact into the workflow. Check there that it is published";
            return Err(self.error(ErrorKind::InvalidInput, message));
        }
        Ok(())
    }

    async fn achieve_goal(&self, _contact_id: &str, _goal: &str, _integration: &str) -> Result<()> {
        Err(ConnectorError::unsupported(
            map::SLUG,
            "achieving goals. Start a workflow instead",
        ))
    }

    async fn set_opt_in_status(&self, contact_id: &str, opted_in: bool, reason: &str) -> Result<OptInOutcome> {
        let _guard = self.shared.lock_contact(&self.connection, contact_id).await;
        let contact = self.fetch_contact(contact_id).await?;
        if let Some(outcome) = map::consent_settled(&contact, opted_in) {
            return Ok(outcome);
        }
        let given = Some(reason.trim()).filter(|reason| !reason.is_empty());
        let channels = map::consent(&contact, opted_in, given.unwrap_or(DEFAULT_REASON));
        let call = Call::put("/contacts/{}", &[contact_id])
            .about("contact")
            .json(&api::DndBody {
                dnd_settings: &channels,
            })
            .repeatable();
        let answer: api::Envelope = self.http.fetch(&call).await?;
        let outcome = map::consent_outcome(&answer.contact.unwrap_or_default(), opted_in)
            .ok_or_else(|| self.unclear("GoHighLevel did not say whether it changed the consent"))?;
        if let (OptInOutcome::Applied, Some(reason)) = (outcome, given) {
            self.note_reason(contact_id, opted_in, reason).await;
        }
        Ok(outcome)
    }

    async fn get_opt_in_status(&self, contact_id: &str) -> Result<OptInStatus> {
        Ok(map::opt_in(&self.fetch_contact(contact_id).await?))
    }

    async fn add_note(&self, contact_id: &str, title: &str, body: &str) -> Result<()> {
        let note = api::CreateNote {
            title: Some(title.trim()).filter(|title| !title.is_empty()),
            body,
        };
        let call = Call::post("/contacts/{}/notes", &[contact_id])
            .about("contact")
            .json(&note);
        self.http.send(&call).await.map(drop)
    }

    async fn list_users(&self) -> Result<Vec<CrmUser>> {
        let call = Call::get("/users/", &[])
            .about("location")
            .query("locationId", self.location.as_str());
        let list: api::UserList = self.http.fetch(&call).await?;
        Ok(list.users.into_iter().filter_map(map::user).collect())
    }

    async fn set_owner(&self, contact_id: &str, user_id: &str) -> Result<()> {
        let owner = Map::from_iter([("owner_id".to_owned(), Value::from(user_id.trim()))]);
        self.put(contact_id, &owner).await
    }

    async fn test_connection(&self) -> Result<()> {
        let call = Call::get("/locations/{}", &[&self.location]).about("location");
        self.http.send(&call).await.map(drop)
    }
}
