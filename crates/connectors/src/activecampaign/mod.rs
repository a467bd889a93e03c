//! ActiveCampaign, API v3 (`connectors` §2.3).
//!
//! Calls per operation, when nothing has to be repeated:
//! - a contact: 2 to read (itself with its fields, lists and account, and its tags), and 1 for the name of its account,
//!   which is remembered for five minutes; its fields: 1, or 2 with the company;
//! - a list: 1 per page of a hundred contacts with everything that belongs to them, and the names of accounts as above;
//!   should the vendor send a page without field values or tags, its contacts are read one by one;
//! - a count: 1;
//! - fields written: 1 for any number; company and job title besides: 1 to read, 1 or 2 to find or make the account,
//!   1 to write, because ActiveCampaign keeps both on the contact's place in an account;
//! - create: 1, company as above without the read, and 1 per tag; upsert: the same, and a read when it existed;
//! - a tag applied: 1; removed: 1 to find how it is attached, and 1 for each way; created: 2, the first to look for it;
//! - consent read: 1; opted out: 1, and 1 for each active list; opted in: 1 or 2 where the connection names the list,
//!   else 1 to 3; a reason is written as a note: 1;
//! - an automation: 1; a note: 1; tags, fields and automations: 1 per page of a hundred.
//!
//! A refusal (403) costs 1 more, because ActiveCampaign also answers so to a wrong key.

mod api;
mod auth;
mod company;
mod consent;
mod map;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{SecondsFormat, TimeDelta};
use http::HeaderMap;
use mfh_cache::{Cache, Keep};
use mfh_types::ConnectionId;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::connector::{Capability, Connector, Metadata, Result, count_pages};
use crate::cursor;
use crate::error::{ConnectorError, ErrorKind, WriteOutcome};
use crate::http::{Answer, Call, HttpClient, Vendor};
use crate::model::{
    Automation, Contact, ContactPage, ContactQuery, ContactUpdate, CrmUser, CustomField, DataType, NewContact,
    OptInOutcome, OptInStatus, OptInTarget, Tag,
};
use crate::opt_in;
use crate::registry::{ConnectorConfig, Shared};
use crate::translate::Dialect;
use crate::translate::codec::Choices;
use crate::translate::names::{StandardField, normal};
use crate::wire::filled;

use map::{Employment, Record, SLUG};

const NAME: &str = "ActiveCampaign";
/// The largest page of every list.
const PAGE: u32 = 100;
/// The rows that come with the contacts of a list.
const BESIDES: &str = "fieldValues,contactTags,contactLists,accountContacts";
/// How long the name of an account is remembered, and how many are.
const NAMES_FRESH: Duration = Duration::from_secs(300);
const NAMES: u64 = 10_000;

const VENDOR: Vendor = Vendor {
    slug: SLUG,
    name: NAME,
    authorize: auth::authorize,
    quota: auth::quota,
    reset: |_| None,
    day: |_, _| None,
    fault: map::fault,
};

/// A connected ActiveCampaign account.
#[derive(Debug)]
pub(crate) struct ActiveCampaign {
    http: HttpClient,
    connection: ConnectionId,
    shared: Arc<Shared>,
    account_names: Cache<String, String>,
    /// The list that contacts opt in to, where the connection names one.
    default_list: Option<String>,
}

impl ActiveCampaign {
    /// A connector for this connection; sends nothing.
    ///
    /// # Errors
    /// `NotConfigured` without the address of an account.
    pub(crate) fn new(mut config: ConnectorConfig) -> Result<Self> {
        let base = auth::Base::read(config.base_url.as_deref())?;
        let limits = auth::rate_limits(&base, config.rate_limits);
        config.throttle_key.get_or_insert(base.host);
        config.base_url = None;
        Ok(Self {
            connection: config.connection_id.clone(),
            shared: Arc::clone(&config.shared),
            account_names: Cache::new(Keep {
                most: Some(NAMES),
                age: Some(NAMES_FRESH),
                idle: None,
            }),
            default_list: opt_in::ACTIVECAMPAIGN.read(&config.settings).map(str::to_owned),
            http: config.into_client(VENDOR, &base.url, HeaderMap::new(), limits)?,
        })
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> ConnectorError {
        ConnectorError::new(SLUG, kind, message)
    }

    /// A 2xx answer that does not say what it must: the write may have been applied.
    fn unclear(&self, message: &str) -> ConnectorError {
        let mut error = self.error(ErrorKind::Protocol, message);
        error.outcome = WriteOutcome::Unknown;
        error
    }

    /// An id as the number that some bodies want.
    fn number(&self, what: &str, id: &str) -> Result<u64> {
        id.trim().parse().map_err(|_| {
            let message = format!("{what} of ActiveCampaign has a number as its id");
            self.error(ErrorKind::InvalidInput, message)
        })
    }

    /// Sends a call; a refusal is looked into.
    async fn send(&self, call: &Call) -> Result<Answer> {
        match self.http.send(call).await {
            Err(error) if error.kind == ErrorKind::Forbidden => Err(self.explain_refusal(error).await),
            other => other,
        }
    }

    /// A key that is wrong altogether may not even ask whose it is.
    async fn explain_refusal(&self, error: ConnectorError) -> ConnectorError {
        match self.test_connection().await {
            Err(check) if check.kind == ErrorKind::Unauthorized => check,
            _ => error,
        }
    }

    /// Sends a call and reads its answer.
    async fn fetch<T: DeserializeOwned>(&self, call: &Call) -> Result<T> {
        let answer = self.send(call).await?;
        self.read(call, &answer)
    }

    /// Sends a call whose answer matters only when it is a refusal.
    async fn done(&self, call: &Call) -> Result<()> {
        let answer = self.send(call).await?;
        if answer.is_blank() {
            Ok(())
        } else {
            self.check(call, &answer)
        }
    }

    /// Reads a successful answer.
    fn read<T: DeserializeOwned>(&self, call: &Call, answer: &Answer) -> Result<T> {
        self.check(call, answer)?;
        self.http.decode(call, answer)
    }

    /// An answer with a status of success may report a failure all the same.
    fn check(&self, call: &Call, answer: &Answer) -> Result<()> {
        let verdict: api::Verdict = self.http.decode(call, answer)?;
        if !verdict.is_refusal() {
            return Ok(());
        }
        let fault = verdict.into_fault();
        let said = fault.message.map(|said| self.http.safe_text(&said)).unwrap_or_default();
        let kind = fault.kind.unwrap_or(ErrorKind::InvalidInput);
        let mut error = self.error(kind, format!("ActiveCampaign refused this: {said}"));
        error.status = Some(answer.status.as_u16());
        error.vendor_code = fault.code.map(|code| self.http.safe_text(&code));
        Err(error)
    }

    /// Every row of a list.
    async fn all<P: api::Page>(&self, call: Call) -> Result<Vec<P::Row>> {
        let mut rows: Vec<P::Row> = Vec::new();
        loop {
            let next = call
                .clone()
                .query("limit", PAGE.to_string())
                .query("offset", rows.len().to_string());
            let (page, total) = self.fetch::<P>(&next).await?.into_rows();
            let size = page.len();
            let first = page.first().and_then(P::id);
            if size > 0 && rows.iter().any(|known| P::id(known) == first) {
                // Where no total is told, pages may not be known either, and the first one was all.
                return if total.is_none() { Ok(rows) } else { Err(self.endless()) };
            }
            rows.extend(page);
            let more = match total {
                Some(total) => u64::try_from(rows.len()).is_ok_and(|read| read < total),
                None => size == PAGE as usize,
            };
            if size == 0 || !more {
                return Ok(rows);
            }
        }
    }

    fn endless(&self) -> ConnectorError {
        self.error(ErrorKind::Protocol, "ActiveCampaign answered the same page twice")
    }

    /// A contact with its fields, lists and place in an account; tags are not among them.
    async fn fetch_contact(&self, contact_id: &str) -> Result<Record> {
        let call = Call::get("/contacts/{}", &[contact_id]).about("contact");
        let answer: api::ContactAnswer = self.fetch(&call).await?;
        if answer.contact.id.is_none() {
            return Err(self.error(ErrorKind::Protocol, "ActiveCampaign answered without a contact"));
        }
        if answer.contact.deleted == Some(true) {
            return Err(self.error(ErrorKind::NotFound, "ActiveCampaign has no such contact"));
        }
        Ok(Record::new(answer.contact, answer.related))
    }

    async fn fetch_tags(&self, contact_id: &str) -> Result<Vec<api::ContactTag>> {
        let call = Call::get("/contacts/{}/contactTags", &[contact_id]).about("contact");
        self.all::<api::ContactTagPage>(call).await
    }

    async fn fetch_lists(&self, contact_id: &str) -> Result<Vec<api::ContactList>> {
        let call = Call::get("/contacts/{}/contactLists", &[contact_id]).about("contact");
        self.all::<api::ContactListPage>(call).await
    }

    /// A contact with everything but the name of its account.
    async fn fetch_whole(&self, contact_id: &str) -> Result<Record> {
        let (mut record, tags) = tokio::try_join!(self.fetch_contact(contact_id), self.fetch_tags(contact_id))?;
        record.related.contact_tags = Some(tags);
        record.related.contact_lists.get_or_insert_default();
        Ok(record)
    }

    /// Contacts of a list with everything but the names of their accounts. That lists bring the rows beside them is
    /// known from other clients only; without fields or tags each contact is read on its own.
    async fn complete(&self, page: api::ContactPage) -> Result<Vec<Record>> {
        let related = page.related;
        let whole = related.field_values.is_some() && related.contact_tags.is_some();
        let mut records = Vec::with_capacity(page.contacts.len());
        for contact in page.contacts {
            let missing = || {
                self.error(
                    ErrorKind::Protocol,
                    "ActiveCampaign answered with a contact without an id",
                )
            };
            let id = filled(contact.id.as_ref()).ok_or_else(missing)?;
            if whole {
                let rows = related.of(&id);
                records.push(Record::new(contact, rows));
                continue;
            }
            match self.fetch_whole(&id).await {
                Ok(record) => records.push(record),
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(records)
    }

    async fn show(&self, mut record: Record) -> Result<Contact> {
        self.name_companies(std::slice::from_mut(&mut record)).await?;
        Ok(map::contact(record))
    }

    /// Deletes a row; one that is gone already counts as deleted.
    async fn delete(&self, call: Call) -> Result<()> {
        match self.send(&call.repeatable()).await {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            other => other.map(drop),
        }
    }

    /// Changes the given fields only. A job title that has no company to stand with is refused before anything is sent.
    async fn write(&self, contact_id: &str, fields: &Map<String, Value>) -> Result<()> {
        let body = map::body(fields);
        let has_body = body != api::ContactBody::default();
        let Some(employment) = Employment::of(fields) else {
            return if has_body {
                self.put(contact_id, &body).await
            } else {
                Ok(())
            };
        };
        let _guard = self.shared.lock_contact(&self.connection, contact_id).await;
        let present = self.fetch_contact(contact_id).await?;
        let step = self.plan(&employment, present.position())?;
        if has_body {
            self.put(contact_id, &body).await?;
        }
        let placed = self.carry_out(contact_id, step).await.map(drop);
        placed.map_err(|error| {
            if has_body {
                self.half_done(contact_id, error)
            } else {
                error
            }
        })
    }

    async fn put(&self, contact_id: &str, body: &api::ContactBody) -> Result<()> {
        let call = Call::put("/contacts/{}", &[contact_id])
            .about("contact")
            .json(&api::WriteContact { contact: body })
            .repeatable();
        self.done(&call).await
    }

    /// The contact was written, its company was not: a repeat does both again, where it can help.
    fn half_done(&self, contact_id: &str, mut error: ConnectorError) -> ConnectorError {
        if error.is_retryable() {
            error.outcome = WriteOutcome::Unknown;
            return error;
        }
        self.partial(contact_id, &[format!("company: {error}")])
    }

    fn partial(&self, contact_id: &str, failures: &[String]) -> ConnectorError {
        let message = format!(
            "The contact was saved in ActiveCampaign, but not everything: {}",
            failures.join("; ")
        );
        let mut error = self.error(ErrorKind::Partial, message);
        error.contact_id = Some(contact_id.to_owned());
        error
    }

    /// Applies tags and tells what failed.
    async fn tag_all(&self, contact_id: &str, tags: &[String], failures: &mut Vec<String>) -> Vec<api::ContactTag> {
        let mut applied = Vec::with_capacity(tags.len());
        for tag in tags {
            match self.apply_tag(contact_id, tag).await {
                Ok(()) => applied.push(api::ContactTag {
                    tag: Some(tag.clone()),
                    ..api::ContactTag::default()
                }),
                Err(error) => failures.push(format!("tag {tag}: {error}")),
            }
        }
        applied
    }

    /// Adds company and tags to a contact that was just created with `body`.
    async fn finish(&self, contact: api::Contact, body: &api::ContactBody, new: &NewContact) -> Result<Contact> {
        let missing = || self.unclear("ActiveCampaign did not say which contact it created");
        let id = filled(contact.id.as_ref()).ok_or_else(missing)?;
        let mut record = Record::new(contact, map::written(body));
        let mut failures = Vec::new();
        if let Some(employment) = Employment::of(&new.fields) {
            let placed = match self.plan(&employment, None) {
                Ok(step) => self.carry_out(&id, step).await,
                Err(error) => Err(error),
            };
            match placed {
                Ok(position) => record.related.account_contacts = Some(position.into_iter().collect()),
                Err(error) => failures.push(format!("company: {error}")),
            }
        }
        record.related.contact_tags = Some(self.tag_all(&id, &new.tags, &mut failures).await);
        if !failures.is_empty() {
            return Err(self.partial(&id, &failures));
        }
        // Its account was named a moment ago.
        self.show(record).await.map_err(|error| written(&id, error))
    }

    /// The contact with this address, for an error that says there is one; nothing is asked for what is no address.
    async fn id_of(&self, email: Option<&str>) -> Option<String> {
        let email = self.address(email?).ok()?;
        let query = ContactQuery {
            email: Some(email.to_owned()),
            ids_only: true,
            ..ContactQuery::default()
        };
        match self.get_contacts(&query).await {
            Ok(mut page) => (page.contacts.len() == 1).then(|| page.contacts.remove(0).id),
            Err(error) => {
                tracing::warn!(
                    platform = SLUG,
                    code = error.kind.code(),
                    "the contact that has an e-mail address already could not be looked up"
                );
                None
            }
        }
    }

    /// The part of a contact that a create call sends.
    fn new_body(&self, new: &NewContact) -> Result<api::ContactBody> {
        let body = map::body(&new.fields);
        if filled(body.email.as_ref()).is_none() {
            let message = "ActiveCampaign needs an e-mail address for a new contact";
            return Err(self.error(ErrorKind::InvalidInput, message));
        }
        Ok(body)
    }

    /// The list that the query asks for, without its page.
    fn narrowed(&self, query: &ContactQuery) -> Result<Call> {
        let mut call = Call::get("/contacts", &[]);
        if let Some(tag) = &query.tag_id {
            call = call.query("tagid", self.number("A tag", tag)?.to_string());
        }
        if let Some(email) = &query.email {
            call = call.query("email", self.address(email)?);
        }
        if let Some(since) = query.updated_since {
            // The vendor's "after" may leave out the second itself.
            let after = since.0 - TimeDelta::seconds(1);
            let after = after.to_rfc3339_opts(SecondsFormat::Secs, false);
            call = call.query("filters[updated_after]", after);
        }
        Ok(call)
    }

    /// An address to search for; the vendor would take a blank one for no condition at all.
    fn address<'a>(&self, email: &'a str) -> Result<&'a str> {
        let email = email.trim();
        if !email.contains('@') || email.contains(char::is_whitespace) {
            let message = "ActiveCampaign cannot search for this e-mail address. Correct it";
            return Err(self.error(ErrorKind::InvalidInput, message));
        }
        Ok(email)
    }

    /// The id that the next page begins after; none on the last page.
    fn next_state(&self, contacts: &[api::Contact], size: u32, after: Option<&str>) -> Result<Option<String>> {
        let mut last = after.and_then(|after| after.parse().ok());
        for contact in contacts {
            let number = contact.id.as_deref().and_then(|id| id.parse::<u64>().ok());
            if number.is_none() {
                let message = "ActiveCampaign listed a contact without a number as its id";
                return Err(self.error(ErrorKind::Protocol, message));
            }
            if number <= last {
                return Err(self.endless());
            }
            last = number;
        }
        let full = contacts.len() >= size as usize;
        Ok(last.filter(|_| full).map(|last| last.to_string()))
    }
}

/// The contact was written, and only reading it failed.
fn written(contact_id: &str, mut error: ConnectorError) -> ConnectorError {
    error.outcome = WriteOutcome::Unknown;
    error.contact_id = Some(contact_id.to_owned());
    error
}

fn has_email(contact: &Contact, email: &str) -> bool {
    contact.email.trim().to_lowercase() == email.trim().to_lowercase()
}

impl Dialect for ActiveCampaign {
    fn standard_fields(&self) -> &'static [StandardField] {
        map::standard_fields()
    }

    fn to_wire(&self, data_type: DataType, value: Value, choices: Choices<'_>) -> std::result::Result<Value, String> {
        map::to_wire(data_type, &value, choices)
    }

    fn from_wire(&self, data_type: DataType, value: Value, choices: Choices<'_>) -> Value {
        map::from_wire(data_type, value, choices)
    }
}

#[async_trait]
impl Connector for ActiveCampaign {
    fn metadata(&self) -> Metadata {
        self.http.metadata("v3")
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
        ]
    }

    /// In the order of ids: ActiveCampaign cannot sort by the time of tagging.
    async fn get_contacts(&self, query: &ContactQuery) -> Result<ContactPage> {
        let after = cursor::decode(SLUG, query)?;
        let size = query.limit.unwrap_or(PAGE).clamp(1, PAGE);
        let mut call = self
            .narrowed(query)?
            .query("limit", size.to_string())
            .query("orders[id]", "ASC");
        if let Some(after) = &after {
            call = call.query("id_greater", after.as_str());
        }
        if !query.ids_only {
            call = call.query("include", BESIDES);
        }
        let mut page: api::ContactPage = self.fetch(&call).await?;
        let next = self.next_state(&page.contacts, size, after.as_deref())?;
        let total = page.total.filter(|_| after.is_none() && query.updated_since.is_none());
        page.contacts.retain(|contact| contact.deleted != Some(true));
        let mut contacts: Vec<Contact> = if query.ids_only {
            let bare = |contact| map::contact(Record::new(contact, api::Related::default()));
            page.contacts.into_iter().map(bare).collect()
        } else {
            let mut records = self.complete(page).await?;
            self.name_companies(&mut records).await?;
            records.into_iter().map(map::contact).collect()
        };
        if let Some(email) = &query.email {
            contacts.retain(|contact| has_email(contact, email));
        }
        if let Some(since) = query.updated_since {
            // The vendor shows whole seconds.
            contacts.retain(|contact| {
                contact
                    .updated_at
                    .is_none_or(|at| at.0.timestamp() >= since.0.timestamp())
            });
        }
        Ok(ContactPage {
            contacts,
            total,
            next_cursor: next.map(|state| cursor::encode(SLUG, &state, query)),
        })
    }

    async fn get_contact(&self, contact_id: &str) -> Result<Contact> {
        let record = self.fetch_whole(contact_id).await?;
        self.show(record).await
    }

    async fn find_contacts_by_email(&self, email: &str) -> Result<Vec<Contact>> {
        let query = ContactQuery {
            email: Some(email.to_owned()),
            ..ContactQuery::default()
        };
        Ok(self.get_contacts(&query).await?.contacts)
    }

    /// The vendor counts, except from a moment on: its border may be a second off, so the pages are read.
    async fn count_contacts(&self, query: &ContactQuery) -> Result<u64> {
        if query.updated_since.is_none() {
            let call = self.narrowed(query)?.query("limit", "1");
            let page: api::ContactPage = self.fetch(&call).await?;
            let missing = || {
                self.error(
                    ErrorKind::Protocol,
                    "ActiveCampaign did not say how many contacts there are",
                )
            };
            return page.total.ok_or_else(missing);
        }
        count_pages(self, query).await
    }

    async fn create_contact(&self, new: &NewContact) -> Result<Contact> {
        let body = self.new_body(new)?;
        if let Some(employment) = Employment::of(&new.fields) {
            self.plan(&employment, None)?;
        }
        let call = Call::post("/contacts", &[])
            .about("contact")
            .json(&api::WriteContact { contact: &body });
        let answer = match self.fetch::<api::ContactAnswer>(&call).await {
            Ok(answer) => answer,
            Err(mut error) => {
                if error.kind == ErrorKind::Conflict {
                    "ActiveCampaign already has a contact with this e-mail address".clone_into(&mut error.message);
                    error.contact_id = self.id_of(body.email.as_deref()).await;
                }
                return Err(error);
            }
        };
        if answer.contact.id.is_none() {
            return Err(self.unclear("ActiveCampaign did not say which contact it created"));
        }
        self.finish(answer.contact, &body, new).await
    }

    /// ActiveCampaign itself looks for the address, so that two upserts at once do not make two contacts.
    async fn upsert_contact(&self, new: &NewContact) -> Result<(Contact, bool)> {
        let body = self.new_body(new)?;
        let call = Call::post("/contact/sync", &[])
            .about("contact")
            .json(&api::WriteContact { contact: &body })
            .repeatable();
        let answer = self.send(&call).await?;
        let contact = self.read::<api::ContactAnswer>(&call, &answer)?.contact;
        let Some(id) = contact.id.clone() else {
            return Err(self.unclear("ActiveCampaign did not say which contact it saved"));
        };
        if answer.status == http::StatusCode::CREATED {
            return Ok((self.finish(contact, &body, new).await?, true));
        }
        let mut failures = Vec::new();
        if let Some(employment) = Employment::of(&new.fields)
            && let Err(error) = self.employ(&id, &employment).await
        {
            failures.push(format!("company: {error}"));
        }
        self.tag_all(&id, &new.tags, &mut failures).await;
        if !failures.is_empty() {
            return Err(self.partial(&id, &failures));
        }
        let contact = self.get_contact(&id).await;
        Ok((contact.map_err(|error| written(&id, error))?, false))
    }

    async fn update_contact(&self, contact_id: &str, update: &ContactUpdate) -> Result<()> {
        self.write(contact_id, &update.fields).await
    }

    async fn delete_contact(&self, contact_id: &str) -> Result<()> {
        self.delete(Call::delete("/contacts/{}", &[contact_id]).about("contact"))
            .await
    }

    async fn get_tags(&self) -> Result<Vec<Tag>> {
        let tags = self.all::<api::TagPage>(Call::get("/tags", &[])).await?;
        Ok(tags.into_iter().filter_map(map::tag).collect())
    }

    /// Looks for the name first: what ActiveCampaign answers to one that exists is not documented.
    async fn create_tag(&self, name: &str) -> Result<Tag> {
        let name = name.trim();
        if name.is_empty() {
            return Err(self.error(ErrorKind::InvalidInput, "A tag needs a name"));
        }
        let call = Call::get("/tags", &[]).query("filters[search][eq]", name);
        let tags = self.all::<api::TagPage>(call).await?.into_iter().filter_map(map::tag);
        if tags.into_iter().any(|tag| normal(&tag.name) == normal(name)) {
            let message = format!("ActiveCampaign already has a tag \"{name}\"");
            return Err(self.error(ErrorKind::Conflict, message));
        }
        let body = api::CreateTag {
            tag: api::CreateTagBody {
                tag: name,
                tag_type: "contact",
            },
        };
        let created: api::TagAnswer = self.fetch(&Call::post("/tags", &[]).about("tag").json(&body)).await?;
        map::tag(created.tag).ok_or_else(|| self.unclear("ActiveCampaign did not say which tag it created"))
    }

    async fn apply_tag(&self, contact_id: &str, tag_id: &str) -> Result<()> {
        let body = api::ApplyTag {
            contact_tag: api::ApplyTagBody {
                contact: self.number("A contact", contact_id)?,
                tag: self.number("A tag", tag_id)?,
            },
        };
        let call = Call::post("/contactTags", &[])
            .about("tag or contact")
            .json(&body)
            .repeatable();
        self.done(&call).await
    }

    async fn remove_tag(&self, contact_id: &str, tag_id: &str) -> Result<()> {
        let rows = self.fetch_tags(contact_id).await?;
        let attached = rows.iter().filter(|row| row.tag.as_deref() == Some(tag_id.trim()));
        for row in attached.filter_map(|row| row.id.as_deref()) {
            self.delete(Call::delete("/contactTags/{}", &[row])).await?;
        }
        Ok(())
    }

    async fn get_custom_fields(&self) -> Result<Vec<CustomField>> {
        let fields = self.all::<api::FieldPage>(Call::get("/fields", &[])).await?;
        Ok(fields.into_iter().filter_map(map::custom_field).collect())
    }

    async fn get_field_values(&self, contact_id: &str, keys: &[&str]) -> Result<Map<String, Value>> {
        let mut record = self.fetch_contact(contact_id).await?;
        if keys.contains(&"company") {
            self.name_companies(std::slice::from_mut(&mut record)).await?;
        }
        let values = keys.iter().map(|key| ((*key).to_owned(), map::read(&record, key)));
        Ok(values.collect())
    }

    async fn set_field_values(&self, contact_id: &str, values: &Map<String, Value>) -> Result<()> {
        self.write(contact_id, values).await
    }

    async fn list_automations(&self) -> Result<Vec<Automation>> {
        let automations = self.all::<api::AutomationPage>(Call::get("/automations", &[])).await?;
        Ok(automations.into_iter().filter_map(map::automation).collect())
    }

    /// A contact that may not enter a second time is refused like one that may not enter at all, so it is looked at.
    async fn trigger_automation(&self, contact_id: &str, automation_id: &str) -> Result<()> {
        let body = api::EnterAutomation {
            contact_automation: api::EnterAutomationBody {
                contact: self.number("A contact", contact_id)?,
                automation: self.number("An automation", automation_id)?,
            },
        };
        let call = Call::post("/contactAutomations", &[])
            .about("automation or contact")
            .json(&body);
        let error = match self.done(&call).await {
            Ok(()) => return Ok(()),
            Err(error) if error.kind == ErrorKind::Forbidden => error,
            Err(error) => return Err(error),
        };
        let contact = self.fetch_contact(contact_id).await?;
        let entered = contact.related.contact_automations.unwrap_or_default();
        let is_in = entered
            .iter()
            .any(|row| row.automation.as_deref() == Some(automation_id.trim()));
        if is_in { Ok(()) } else { Err(error) }
    }

    async fn achieve_goal(&self, _contact_id: &str, _goal: &str, _integration: &str) -> Result<()> {
        let mut error = ConnectorError::unsupported(SLUG, "goals");
        error.message = "ActiveCampaign has no goals that can be achieved from outside. Apply a tag that the goal of \
            the automation waits for"
            .to_owned();
        Err(error)
    }

    async fn opt_in_targets(&self) -> Result<Vec<OptInTarget>> {
        self.lists().await
    }

    async fn set_opt_in_status(&self, contact_id: &str, opted_in: bool, reason: &str) -> Result<OptInOutcome> {
        let rows = self.fetch_lists(contact_id).await?;
        let outcome = if opted_in {
            self.opt_in(contact_id, &rows).await?
        } else {
            self.opt_out(contact_id, &rows).await?
        };
        let reason = reason.trim();
        if outcome == OptInOutcome::Applied && !reason.is_empty() {
            let title = if opted_in { "Opted in" } else { "Opted out" };
            // The consent is what counts: it is set, whatever becomes of the note.
            if let Err(error) = self.add_note(contact_id, title, reason).await {
                tracing::warn!(
                    platform = SLUG,
                    code = error.kind.code(),
                    "the reason of a change of consent could not be noted"
                );
            }
        }
        Ok(outcome)
    }

    async fn get_opt_in_status(&self, contact_id: &str) -> Result<OptInStatus> {
        Ok(map::consent(&self.fetch_lists(contact_id).await?))
    }

    /// Notes have no title of their own: it becomes the first line.
    async fn add_note(&self, contact_id: &str, title: &str, body: &str) -> Result<()> {
        let title = title.trim();
        let note = if title.is_empty() {
            body.to_owned()
        } else {
            format!("{title}\n{body}")
        };
        let call = Call::post("/notes", &[]).about("contact").json(&api::CreateNote {
            note: api::CreateNoteBody {
                note,
                relid: contact_id.trim(),
                reltype: "Subscriber",
            },
        });
        self.done(&call).await
    }

    async fn list_users(&self) -> Result<Vec<CrmUser>> {
        Err(ConnectorError::unsupported(SLUG, "owners of contacts"))
    }

    async fn set_owner(&self, _contact_id: &str, _user_id: &str) -> Result<()> {
        Err(ConnectorError::unsupported(SLUG, "owners of contacts"))
    }

    async fn test_connection(&self) -> Result<()> {
        match self.http.send(&Call::get("/users/me", &[])).await {
            Err(error) if matches!(error.kind, ErrorKind::Forbidden | ErrorKind::Unauthorized) => {
                Err(auth::refused(error.status))
            }
            other => other.map(drop),
        }
    }
}
