//! Keap, REST v2 (`connectors` §2.1).
//!
//! Calls per operation, when nothing has to be repeated:
//! - a contact, its fields, its consent: 1 to read;
//! - plain properties: 1 to write; e-mails, phones, faxes, addresses and custom fields: 2, because Keap replaces
//!   such a list as a whole and it must be read first;
//! - a tag applied or removed: 1; a goal: 1; consent set: 2;
//! - create: 1, and 1 per tag; upsert: 1 to find, then 1 to create or a write and a read, and 1 per tag;
//! - an automation: 1, or 2 when its sequence is not named;
//! - a note: 1, and 1 for its author, who is remembered for five minutes;
//! - a question about records or e-mails: 1, and 1 per further page of e-mails;
//! - lists: 1 per page; tags besides 1 per page of categories.

mod api;
mod auth;
mod map;
mod records;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::SecondsFormat;
use http::HeaderMap;
use mfh_types::ConnectionId;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::OwnedMutexGuard;

use crate::connector::{Capability, Connector, Metadata, Result, count_pages};
use crate::cursor;
use crate::error::{ConnectorError, ErrorKind, WriteOutcome};
use crate::http::{Call, HttpClient, Vendor};
use crate::model::{
    Automation, Contact, ContactPage, ContactQuery, ContactUpdate, CrmUser, CustomField, DataType, NewContact,
    OptInOutcome, OptInStatus, Tag,
};
use crate::question::Question;
use crate::registry::{ConnectorConfig, Shared};
use crate::translate::Dialect;
use crate::translate::codec::{Choices, rfc3339};
use crate::translate::names::StandardField;
use crate::wire::filled;

const NAME: &str = "Keap";
const BASE_URL: &str = "https://api.infusionsoft.com/crm/rest/v2";
const PAGE: u32 = 1_000;
/// Ids asked for at once: a thousand would make too long an address.
const IDS_AT_ONCE: usize = 200;
const AUTOMATIONS_PAGE: u32 = 25;
/// Keap states no largest page of users; this one is safe.
const USERS_PAGE: u32 = 100;
const DEFAULT_INTEGRATION: &str = "mfh";
const DEFAULT_REASON: &str = "Updated by automation";

const VENDOR: Vendor = Vendor {
    slug: map::SLUG,
    name: NAME,
    authorize: auth::authorize,
    quota: auth::quota,
    reset: |_| None,
    day: auth::day,
    fault: map::fault,
};

/// A connected Keap account.
#[derive(Debug)]
pub(crate) struct Keap {
    http: HttpClient,
    connection: ConnectionId,
    shared: Arc<Shared>,
}

impl Keap {
    /// A connector for this connection; sends nothing.
    ///
    /// # Errors
    /// `NotConfigured` for a base address that is not https.
    pub(crate) fn new(config: ConnectorConfig) -> Result<Self> {
        let base_url = config.base_url.as_deref();
        let limits = auth::rate_limits(config.auth_type, base_url, config.rate_limits);
        let app = auth::app_quota(config.auth_type, base_url, config.rate_limits);
        Ok(Self {
            connection: config.connection_id.clone(),
            shared: Arc::clone(&config.shared),
            http: config.into_client_of_app(VENDOR, BASE_URL, HeaderMap::new(), limits, app)?,
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

    /// Every entry of a paged list.
    async fn all<L, T>(&self, call: Call, page: fn(L) -> (Vec<T>, Option<String>)) -> Result<Vec<T>>
    where
        L: DeserializeOwned,
    {
        let mut entries = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let next = match &token {
                Some(token) => call.clone().query("page_token", token.as_str()),
                None => call.clone(),
            };
            let (mut more, next) = page(self.http.fetch(&next).await?);
            entries.append(&mut more);
            let next = filled(next.as_ref());
            if next.is_some() && next == token {
                return Err(self.endless());
            }
            match next {
                Some(_) => token = next,
                None => return Ok(entries),
            }
        }
    }

    fn endless(&self) -> ConnectorError {
        self.error(ErrorKind::Protocol, "Keap answered the same page twice")
    }

    async fn fetch_contact(&self, contact_id: &str, fields: &str) -> Result<api::Contact> {
        let call = Call::get("/contacts/{}", &[contact_id])
            .about("contact")
            .query("fields", fields);
        self.http.fetch(&call).await
    }

    async fn fetch_properties<'a>(
        &self,
        contact_id: &str,
        properties: impl IntoIterator<Item = &'a str>,
    ) -> Result<api::Contact> {
        let fields = Vec::from_iter(properties).join(",");
        self.fetch_contact(contact_id, &fields).await
    }

    /// Keeps other calls of this process from changing the same contact between our read and our write.
    async fn lock(&self, contact_id: &str) -> OwnedMutexGuard<()> {
        self.shared.lock_contact(&self.connection, contact_id).await
    }

    /// Changes the given fields only.
    async fn patch(&self, contact_id: &str, fields: &Map<String, Value>) -> Result<()> {
        if fields.is_empty() {
            return Ok(());
        }
        let lists = map::lists(fields);
        let existing = if lists.is_empty() {
            api::Contact::default()
        } else {
            self.fetch_properties(contact_id, lists).await?
        };
        let body = map::update(&existing, fields);
        let mask = Vec::from_iter(map::properties(fields.keys().map(String::as_str))).join(",");
        let call = Call::patch("/contacts/{}", &[contact_id])
            .about("contact")
            .query("update_mask", mask)
            .query("fields", "id")
            .json(&body)
            .repeatable();
        self.http.send(&call).await.map(drop)
    }

    /// Full records of these contacts in this order; those that no longer exist or do not match are left out.
    async fn by_ids(&self, ids: &[String], conditions: &[String]) -> Result<Vec<api::Contact>> {
        let mut found = HashMap::with_capacity(ids.len());
        for batch in ids.chunks(IDS_AT_ONCE) {
            let mut filter = vec![format!("ids=={}", batch.join(","))];
            filter.extend_from_slice(conditions);
            let call = Call::get("/contacts", &[])
                .query("filter", filter.join(";"))
                .query("fields", api::CONTACT_FIELDS)
                .query("page_size", batch.len().to_string());
            let list: api::ContactList = self.http.fetch(&call).await?;
            let with_id = |contact: api::Contact| Some((contact.id.clone()?, contact));
            found.extend(list.contacts.into_iter().filter_map(with_id));
        }
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// One page of the vendor's list: full contacts, or ids of tagged ones.
    async fn page(&self, query: &ContactQuery, token: Option<String>) -> Result<api::ContactList> {
        let size = query.limit.unwrap_or(PAGE).clamp(1, PAGE);
        let tag = query.tag_id.as_deref();
        let call = match tag {
            Some(tag) => Call::get("/tags/{}/contacts", &[tag])
                .about("tag")
                .query("order_by", "applied_time asc"),
            None => {
                let fields = match (query.ids_only, &query.email) {
                    (false, _) => api::CONTACT_FIELDS,
                    (true, Some(_)) => "id,email_addresses",
                    (true, None) => "id",
                };
                Call::get("/contacts", &[])
                    .query("order_by", "id asc")
                    .query("fields", fields)
            }
        };
        let mut call = call.query("page_size", size.to_string());
        let conditions = self.conditions(query)?;
        if tag.is_none() && !conditions.is_empty() {
            call = call.query("filter", conditions.join(";"));
        }
        if let Some(token) = &token {
            call = call.query("page_token", token.as_str());
        }
        let mut page: api::ContactList = self.http.fetch(&call).await?;
        page.next_page_token = filled(page.next_page_token.as_ref());
        if page.next_page_token.is_some() && page.next_page_token == token {
            return Err(self.endless());
        }
        Ok(page)
    }

    /// The query's conditions in Keap's filter language.
    fn conditions(&self, query: &ContactQuery) -> Result<Vec<String>> {
        let mut conditions = Vec::new();
        if let Some(email) = &query.email {
            conditions.push(self.email_condition(email)?);
        }
        if let Some(since) = query.updated_since {
            let since = rfc3339(since.0, SecondsFormat::Millis);
            conditions.push(format!("start_update_time=={since}"));
        }
        Ok(conditions)
    }

    /// `*` is a wildcard and `;` joins conditions: an address with one of them would ask for something else.
    fn email_condition(&self, email: &str) -> Result<String> {
        let email = email.trim();
        if email.is_empty() || email.contains(['*', ';']) {
            let message = "Keap cannot search for this e-mail address. It must not be blank or hold * or ;";
            return Err(self.error(ErrorKind::InvalidInput, message));
        }
        Ok(format!("email=={email}"))
    }

    async fn find(&self, email: &str) -> Result<Vec<api::Contact>> {
        let call = Call::get("/contacts", &[])
            .query("filter", self.email_condition(email)?)
            .query("order_by", "id asc")
            .query("fields", api::CONTACT_FIELDS)
            .query("page_size", PAGE.to_string());
        let page = |list: api::ContactList| (list.contacts, list.next_page_token);
        let mut contacts = self.all(call, page).await?;
        contacts.retain(|contact| has_email(contact, email));
        Ok(contacts)
    }

    /// Applies tags to a contact that was just written.
    async fn tag_new(&self, mut contact: Contact, tags: &[String]) -> Result<Contact> {
        let mut failures = Vec::new();
        for tag in tags {
            match self.apply_tag(&contact.id, tag).await {
                Ok(()) => {
                    let applied = contact.tags.get_or_insert_default();
                    if !applied.iter().any(|known| known.id == *tag) {
                        applied.push(map::tag_ref(tag.clone()));
                    }
                }
                Err(error) => failures.push(format!("tag {tag}: {error}")),
            }
        }
        if failures.is_empty() {
            return Ok(contact);
        }
        let message = format!(
            "The contact was saved in Keap, but not everything: {}",
            failures.join("; ")
        );
        let mut error = self.error(ErrorKind::Partial, message);
        error.contact_id = Some(contact.id);
        Err(error)
    }

    /// Creates a contact; with `unless_known`, Keap updates one that got the same address in the meantime.
    async fn create(&self, new: &NewContact, unless_known: bool) -> Result<(Contact, bool)> {
        let body = map::update(&api::Contact::default(), &new.fields);
        let reachable = [
            body.email_addresses.as_ref().is_some_and(|list| !list.is_empty()),
            body.phone_numbers.as_ref().is_some_and(|list| !list.is_empty()),
            body.addresses.as_ref().is_some_and(|list| !list.is_empty()),
        ];
        if !reachable.contains(&true) {
            let message = "Keap needs an e-mail address, a phone number or an address for a new contact";
            return Err(self.error(ErrorKind::InvalidInput, message));
        }
        let mut call = Call::post("/contacts", &[])
            .about("contact")
            .query("fields", api::CONTACT_FIELDS)
            .json(&body);
        if unless_known {
            call = call.query("duplicate_option", "Email").repeatable();
        }
        let answer = self.http.send(&call).await?;
        let contact: api::Contact = self.http.decode(&call, &answer)?;
        if contact.id.is_none() {
            return Err(self.unclear("Keap did not say which contact it created"));
        }
        let contact = self.tag_new(map::contact(contact), &new.tags).await?;
        Ok((contact, answer.status == http::StatusCode::CREATED))
    }

    /// The sequence that `automation_id` names: `A:S`, `A/S`, or `A` when it has only one.
    async fn sequence(&self, automation_id: &str) -> Result<(String, String)> {
        let text = automation_id.trim();
        let malformed = || {
            let message = "An automation of Keap is named by its id, or by its id and that of a sequence: 12 or 12:34";
            self.error(ErrorKind::InvalidInput, message)
        };
        let numeric = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if let Some((automation, sequence)) = text.split_once([':', '/']) {
            let (automation, sequence) = (automation.trim(), sequence.trim());
            if !numeric(automation) || !numeric(sequence) {
                return Err(malformed());
            }
            return Ok((automation.to_owned(), sequence.to_owned()));
        }
        if !numeric(text) {
            return Err(malformed());
        }
        let call = Call::get("/campaigns/{}/sequences", &[text]).about("automation");
        let list: api::SequenceList = self.http.fetch(&call).await?;
        let mut sequences: Vec<(String, String)> = list
            .sequences
            .into_iter()
            .filter_map(|sequence| Some((sequence.id?, sequence.name.unwrap_or_default())))
            .collect();
        match sequences.len() {
            1 => Ok((text.to_owned(), sequences.remove(0).0)),
            0 => {
                let message = format!("The automation {text} has no published sequence in Keap. Publish it there");
                Err(self.error(ErrorKind::InvalidInput, message))
            }
            _ => {
                let listed: Vec<_> = sequences
                    .iter()
                    .map(|(id, name)| format!("{text}:{id} ({name})"))
                    .collect();
                let message = format!(
                    "The automation {text} has several sequences. Name one of: {}",
                    listed.join(", ")
                );
                Err(self.error(ErrorKind::InvalidInput, message))
            }
        }
    }

    /// Keap turns some refusals into a success that leaves the status as it was, so the answer is compared.
    async fn set_consent(&self, email: &str, opted_in: bool, reason: &str) -> Result<OptInOutcome> {
        let reason = Some(reason.trim()).filter(|reason| !reason.is_empty());
        let reason = reason.unwrap_or(DEFAULT_REASON);
        let call = Call::patch("/emailAddresses/{}/status", &[email])
            .about("e-mail address")
            .json(&api::UpdateEmailStatus { opted_in, reason })
            .repeatable();
        let status: api::EmailStatus = self.http.fetch(&call).await?;
        match status.opted_in {
            Some(now) if now == opted_in => Ok(OptInOutcome::Applied),
            Some(_) => Ok(OptInOutcome::NotPermitted),
            None => Err(self.unclear("Keap did not say whether it changed the consent")),
        }
    }

    async fn note(&self, contact_id: &str, kind: Option<&str>, title: &str, body: &str) -> Result<()> {
        let author = self.author().await?;
        let title = Some(title.trim()).filter(|title| !title.is_empty());
        let note = api::CreateNote {
            user_id: &author,
            title,
            // Keap wants a title or a kind.
            kind: kind.or(title.is_none().then_some("Other")),
            text: body,
        };
        let call = Call::post("/contacts/{}/notes", &[contact_id])
            .about("contact")
            .json(&note);
        self.http.send(&call).await.map(drop)
    }

    /// The author of notes: the first user of the account.
    async fn author(&self) -> Result<String> {
        let users = &self.shared.caches().users;
        let users = users.get(&self.connection, self.list_users()).await?;
        users.first().map(|user| user.id.clone()).ok_or_else(|| {
            let message = "This Keap account has no active user who could be the author of a note";
            self.error(ErrorKind::NotFound, message)
        })
    }

    /// Keap's verdict about our contact in a result map.
    fn verdict(&self, result: Option<&String>, what: &str) -> Result<()> {
        let Some(result) = result else {
            return Err(self.unclear(&format!("Keap did not say whether it {what}")));
        };
        match result.to_ascii_uppercase().as_str() {
            "SUCCESS" | "ALREADY_IN_SEQUENCE" | "ALREADY_APPLIED" | "DUPLICATE" => Ok(()),
            missing if missing.contains("NOT_EXIST") || missing.contains("NOT_FOUND") => {
                Err(self.error(ErrorKind::NotFound, "Keap has no such contact"))
            }
            _ => Err(self.error(
                ErrorKind::InvalidInput,
                format!("Keap has not {what}. Check in Keap that it is active"),
            )),
        }
    }
}

fn has_email(contact: &api::Contact, email: &str) -> bool {
    let wanted = email.trim().to_lowercase();
    let mut emails = contact.email_addresses.iter().filter_map(|entry| entry.email.as_ref());
    emails.any(|email| email.trim().to_lowercase() == wanted)
}

impl Dialect for Keap {
    fn standard_fields(&self) -> &'static [StandardField] {
        map::standard_fields()
    }

    fn to_wire(&self, data_type: DataType, value: Value, _: Choices<'_>) -> std::result::Result<Value, String> {
        map::to_wire(data_type, value)
    }
}

#[async_trait]
impl Connector for Keap {
    fn metadata(&self) -> Metadata {
        Metadata {
            platform_slug: map::SLUG,
            platform_name: "Keap (Infusionsoft)",
            api_version: "v2",
            base_url: self.http.base_url().to_owned(),
        }
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[
            Capability::Contacts,
            Capability::Tags,
            Capability::CreateTags,
            Capability::CustomFields,
            Capability::Automations,
            Capability::Goals,
            Capability::OptIn,
            Capability::Notes,
            Capability::Owners,
        ]
    }

    /// Tagged contacts come as ids in the order they were tagged, and are then read in batches.
    async fn get_contacts(&self, query: &ContactQuery) -> Result<ContactPage> {
        let token = cursor::decode(map::SLUG, query)?;
        let conditions = self.conditions(query)?;
        let page = self.page(query, token).await?;
        let mut contacts = page.contacts;
        let ids_suffice = query.ids_only && conditions.is_empty();
        if query.tag_id.is_some() && !ids_suffice {
            let ids: Vec<String> = contacts.into_iter().filter_map(|contact| contact.id).collect();
            contacts = self.by_ids(&ids, &conditions).await?;
        }
        if let Some(email) = &query.email {
            contacts.retain(|contact| has_email(contact, email));
        }
        let next_cursor = page
            .next_page_token
            .map(|token| cursor::encode(map::SLUG, &token, query));
        let mut contacts: Vec<Contact> = contacts.into_iter().map(map::contact).collect();
        if query.ids_only {
            contacts.iter_mut().for_each(|contact| contact.tags = None);
        }
        Ok(ContactPage {
            contacts,
            total: None,
            next_cursor,
        })
    }

    async fn get_contact(&self, contact_id: &str) -> Result<Contact> {
        let contact = self.fetch_contact(contact_id, api::CONTACT_FIELDS).await?;
        if contact.id.is_none() {
            return Err(self.error(ErrorKind::Protocol, "Keap answered without a contact"));
        }
        Ok(map::contact(contact))
    }

    async fn find_contacts_by_email(&self, email: &str) -> Result<Vec<Contact>> {
        Ok(self.find(email).await?.into_iter().map(map::contact).collect())
    }

    /// Keap gives no totals: the pages are read, a thousand ids at a time.
    async fn count_contacts(&self, query: &ContactQuery) -> Result<u64> {
        count_pages(self, query).await
    }

    async fn create_contact(&self, new: &NewContact) -> Result<Contact> {
        Ok(self.create(new, false).await?.0)
    }

    /// Looks for the address first, because Keap's own duplicate handling would replace the contact's lists.
    async fn upsert_contact(&self, new: &NewContact) -> Result<(Contact, bool)> {
        let email = new.fields.get("email").and_then(Value::as_str).unwrap_or_default();
        let mut known = self.find(email).await?;
        let main = known.iter().position(|contact| {
            map::read(contact, "email")
                .as_str()
                .is_some_and(|main| main.trim().eq_ignore_ascii_case(email.trim()))
        });
        if known.is_empty() {
            return self.create(new, true).await;
        }
        let id = filled(known.swap_remove(main.unwrap_or(0)).id.as_ref())
            .ok_or_else(|| self.error(ErrorKind::Protocol, "Keap answered with a contact without an id"))?;
        {
            let _guard = self.lock(&id).await;
            self.patch(&id, &new.fields).await?;
        }
        let contact = self.get_contact(&id).await?;
        Ok((self.tag_new(contact, &new.tags).await?, false))
    }

    async fn update_contact(&self, contact_id: &str, update: &ContactUpdate) -> Result<()> {
        self.set_field_values(contact_id, &update.fields).await
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
        let page_size = PAGE.to_string();
        let tags = self.all(
            Call::get("/tags", &[])
                .query("page_size", page_size.as_str())
                .query("order_by", "name asc"),
            |list: api::TagList| (list.tags, list.next_page_token),
        );
        let categories = self.all(
            Call::get("/tags/categories", &[]).query("page_size", page_size.as_str()),
            |list: api::CategoryList| (list.tag_categories, list.next_page_token),
        );
        let (tags, categories) = tokio::try_join!(tags, categories)?;
        let names = map::category_names(categories);
        Ok(tags.into_iter().filter_map(|tag| map::tag(tag, &names)).collect())
    }

    async fn create_tag(&self, name: &str) -> Result<Tag> {
        let name = name.trim();
        if name.is_empty() {
            return Err(self.error(ErrorKind::InvalidInput, "A tag needs a name"));
        }
        let call = Call::post("/tags", &[]).about("tag").json(&api::CreateTag { name });
        let created: api::Tag = self.http.fetch(&call).await?;
        map::tag(created, &HashMap::new()).ok_or_else(|| self.unclear("Keap did not say which tag it created"))
    }

    async fn apply_tag(&self, contact_id: &str, tag_id: &str) -> Result<()> {
        let contact_id = contact_id.trim();
        let call = Call::post("/tags/{}/contacts:applyTags", &[tag_id])
            .about("tag or contact")
            .json(&api::ContactIds {
                contact_ids: [contact_id],
            })
            .repeatable();
        let answer: api::ApplyTagsResult = self.http.fetch(&call).await?;
        self.verdict(answer.results.get(contact_id), "applied the tag")
    }

    async fn remove_tag(&self, contact_id: &str, tag_id: &str) -> Result<()> {
        let call = Call::post("/tags/{}/contacts:removeTags", &[tag_id])
            .about("tag or contact")
            .json(&api::ContactIds {
                contact_ids: [contact_id.trim()],
            })
            .repeatable();
        self.http.send(&call).await.map(drop)
    }

    async fn get_custom_fields(&self) -> Result<Vec<CustomField>> {
        let model: api::ContactModel = self.http.fetch(&Call::get("/contacts/model", &[])).await?;
        let fields = model.custom_fields.into_iter();
        Ok(fields.filter_map(map::custom_field).collect())
    }

    async fn get_field_values(&self, contact_id: &str, keys: &[&str]) -> Result<Map<String, Value>> {
        let mut properties = map::properties(keys.iter().copied());
        properties.insert("id");
        let contact = self.fetch_properties(contact_id, properties).await?;
        let values = keys.iter().map(|key| ((*key).to_owned(), map::read(&contact, key)));
        Ok(values.collect())
    }

    async fn set_field_values(&self, contact_id: &str, values: &Map<String, Value>) -> Result<()> {
        let _guard = self.lock(contact_id).await;
        self.patch(contact_id, values).await
    }

    async fn list_automations(&self) -> Result<Vec<Automation>> {
        let call = Call::get("/automations", &[]).query("page_size", AUTOMATIONS_PAGE.to_string());
        let page = |list: api::AutomationList| (list.automations, list.next_page_token);
        let automation = |automation: api::Automation| {
            Some(Automation {
                id: automation.id?,
                name: automation.title.unwrap_or_default(),
                status: automation.status,
            })
        };
        Ok(self.all(call, page).await?.into_iter().filter_map(automation).collect())
    }

    async fn trigger_automation(&self, contact_id: &str, automation_id: &str) -> Result<()> {
        let contact_id = contact_id.trim();
        let (automation, sequence) = self.sequence(automation_id).await?;
        let call = Call::post("/automations/{}/sequences/{}:addContacts", &[&automation, &sequence])
            .about("automation or sequence")
            .json(&api::ContactIds {
                contact_ids: [contact_id],
            });
        let answer: api::AddToSequenceResult = self.http.fetch(&call).await?;
        let result = answer.results.get(contact_id);
        self.verdict(result, "put the contact into the automation")
    }

    async fn achieve_goal(&self, contact_id: &str, goal: &str, integration: &str) -> Result<()> {
        let contact_id = contact_id
            .trim()
            .parse()
            .map_err(|_| self.error(ErrorKind::InvalidInput, "A contact of Keap has a number as its id"))?;
        let integration = Some(integration.trim()).filter(|text| !text.is_empty());
        let integration = integration.unwrap_or(DEFAULT_INTEGRATION);
        let body = api::AchieveGoal {
            contact_id,
            integration,
            call_name: goal,
        };
        let call = Call::post("/automations/goals/achieve", &[]).about("goal").json(&body);
        let answer: api::GoalResults = self.http.fetch(&call).await?;
        if answer.results.iter().any(|result| result.success == Some(true)) {
            return Ok(());
        }
        let said = answer.results.iter().find_map(|result| filled(result.message.as_ref()));
        let said = said.map(|said| self.http.safe_text(&said));
        Err(match said {
            Some(said) => {
                let message = format!("Keap did not achieve the goal \"{goal}\": {said}");
                self.error(ErrorKind::InvalidInput, message)
            }
            None => {
                let message = format!(
                    "Keap has no goal with the call name \"{goal}\" and the integration \"{integration}\" in a published automation"
                );
                self.error(ErrorKind::NotFound, message)
            }
        })
    }

    async fn set_opt_in_status(&self, contact_id: &str, opted_in: bool, reason: &str) -> Result<OptInOutcome> {
        let contact = self.fetch_contact(contact_id, "id,email_addresses").await?;
        let main = map::email(&contact, "EMAIL1");
        let Some((entry, email)) = main.and_then(|entry| Some((entry, filled(entry.email.as_ref())?))) else {
            let message = "The contact has no e-mail address, so there is nothing to opt in or out";
            return Err(self.error(ErrorKind::InvalidInput, message));
        };
        if map::has_chosen(entry, opted_in) {
            return Ok(OptInOutcome::Already);
        }
        self.set_consent(&email, opted_in, reason).await
    }

    async fn set_address_opt_in(&self, _: &str, address: &str, opted_in: bool, reason: &str) -> Result<OptInOutcome> {
        self.set_consent(address.trim(), opted_in, reason).await
    }

    async fn get_opt_in_status(&self, contact_id: &str) -> Result<OptInStatus> {
        let contact = self.fetch_contact(contact_id, "id,email_addresses").await?;
        Ok(map::email(&contact, "EMAIL1").map_or(OptInStatus::Unknown, map::opt_in))
    }

    async fn add_note(&self, contact_id: &str, title: &str, body: &str) -> Result<()> {
        self.note(contact_id, None, title, body).await
    }

    async fn add_note_of_kind(&self, contact_id: &str, kind: &str, title: &str, body: &str) -> Result<()> {
        self.note(contact_id, Some(map::note_kind(kind)), title, body).await
    }

    async fn list_users(&self) -> Result<Vec<CrmUser>> {
        let call = Call::get("/users", &[]).query("page_size", USERS_PAGE.to_string());
        let page = |list: api::UserList| (list.users, list.next_page_token);
        Ok(self.all(call, page).await?.into_iter().filter_map(map::user).collect())
    }

    async fn set_owner(&self, contact_id: &str, user_id: &str) -> Result<()> {
        let owner = Map::from_iter([("owner_id".to_owned(), Value::from(user_id.trim()))]);
        self.patch(contact_id, &owner).await
    }

    async fn ask(&self, contact_id: &str, question: &Question) -> Result<Value> {
        self.answer(contact_id, question).await
    }

    async fn test_connection(&self) -> Result<()> {
        let call = Call::get("/oauth/connect/userinfo", &[]);
        self.http.send(&call).await.map(drop)
    }
}
