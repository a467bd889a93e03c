//! HubSpot, API v3 and its neighbours (`connectors` §2.5). Manual and snapshot lists of contacts stand for tags.
//!
//! Calls per operation, when nothing has to be repeated:
//! - a contact: 2 (the record, its lists); some of its fields: 1; its consent: 1, or 2 when mail is not refused as a
//!   whole;
//! - fields written, an owner set, a tag applied or removed, a contact deleted: 1;
//! - create: 1, and 1 per tag; upsert: 1, 2 more to show a contact that was there before, and 1 per tag;
//! - contacts by address: 2; a page of contacts: 2, and with a tag 1 more per 100 contacts, because a list names only
//!   ids; a count: 1, with a tag 1 per 250 contacts;
//! - consent set: 2, and 1 more in doubt whether a refusal was meant; an automation: 2, and 2 more when it is named by
//!   the id of its flow; a note: 1;
//! - lists: 1 per page; automations besides 1 per 100 for the ids that enrolment wants.
//!
//! A whole contact needs the names of the custom properties and the kind of its lists, both remembered for five
//! minutes. A name list too long for an address goes into the body of a batch read, which is 1 call more for a page.

mod api;
mod auth;
mod map;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use http::HeaderMap;
use mfh_types::ConnectionId;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::OnceCell;

use self::api::path;
use crate::connector::{Capability, Connector, Metadata, Result, count_pages};
use crate::cursor;
use crate::error::{ConnectorError, ErrorKind, WriteOutcome};
use crate::http::{Call, HttpClient, Vendor};
use crate::model::{
    Automation, Contact, ContactPage, ContactQuery, ContactUpdate, CrmUser, CustomField, DataType, NewContact,
    OptInOutcome, OptInStatus, OptInTarget, Tag, TagRef,
};
use crate::opt_in;
use crate::question::{EmailEvent, Question};
use crate::registry::{ConnectorConfig, Shared};
use crate::translate::Dialect;
use crate::translate::codec::{Choices, rfc3339};
use crate::translate::names::StandardField;
use crate::wire::filled;

const NAME: &str = "HubSpot";
const BASE_URL: &str = "https://api.hubapi.com";
const LIST_PAGE: u32 = 100;
const SEARCH_PAGE: u32 = 200;
const MEMBERS_PAGE: u32 = 250;
const LISTS_PAGE: u32 = 500;
const OWNERS_PAGE: u32 = 500;
const FLOWS_PAGE: u32 = 100;
const BATCH: usize = 100;
/// A search shows no more than this, however many it found.
const SEARCH_CAP: u64 = 10_000;
/// Longer lists of property names do not go into an address.
const NAMES_IN_ADDRESS: usize = 3_000;
/// How long the names of the custom properties are used.
const NAMES_FRESH: TimeDelta = TimeDelta::minutes(5);
/// The longest note in characters.
const LONGEST_NOTE: usize = 65_536;
/// HubSpot's number for the association of a note with a contact.
const NOTE_TO_CONTACT: u32 = 202;
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

/// A connected HubSpot account.
#[derive(Debug)]
pub(crate) struct HubSpot {
    http: HttpClient,
    /// The same account with the limits of searches.
    search: HttpClient,
    connection: ConnectionId,
    shared: Arc<Shared>,
    custom_names: Mutex<Option<CustomNames>>,
    /// Lists that HubSpot fills itself, so that they are no tags.
    active_lists: Mutex<HashSet<String>>,
    /// The subscription type that contacts opt in to, where the connection names one.
    default_subscription: Option<String>,
    /// The subscription that stands for marketing consent.
    subscription: OnceCell<String>,
}

#[derive(Debug, Clone)]
struct CustomNames {
    loaded_at: DateTime<Utc>,
    names: Arc<Vec<String>>,
}

/// Contacts as HubSpot sent them, and where the next ones begin.
struct Found {
    contacts: Vec<api::Contact>,
    next: Option<String>,
    total: Option<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn names<'a>(list: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    list.into_iter().map(str::to_owned).collect()
}

/// The call for the page that begins at `after`.
fn starting(call: Call, after: Option<&str>) -> Call {
    match after {
        Some(after) => call.query("after", after),
        None => call,
    }
}

fn size(limit: Option<u32>, largest: u32) -> u32 {
    limit.unwrap_or(largest).clamp(1, largest)
}

impl HubSpot {
    /// A connector for this connection; sends nothing.
    ///
    /// # Errors
    /// `NotConfigured` for a base address that is not https.
    pub(crate) fn new(mut config: ConnectorConfig) -> Result<Self> {
        // HubSpot counts by account, whichever of our connections leads there.
        let portal = filled(config.external_app_id.as_ref());
        config.throttle_key = config.throttle_key.or(portal);
        let default_subscription = opt_in::HUBSPOT.read(&config.settings).map(str::to_owned);
        let key = config.throttle_key.as_deref();
        let key = key.unwrap_or_else(|| config.connection_id.as_str());
        let searches = ConnectorConfig {
            throttle_key: Some(format!("{key}:search")),
            ..config.clone()
        };
        let search_limits = auth::search_limits(config.base_url.as_deref(), config.rate_limits);
        let limits = auth::rate_limits(config.rate_limits);
        Ok(Self {
            connection: config.connection_id.clone(),
            shared: Arc::clone(&config.shared),
            search: searches.into_client(VENDOR, BASE_URL, HeaderMap::new(), search_limits)?,
            http: config.into_client(VENDOR, BASE_URL, HeaderMap::new(), limits)?,
            custom_names: Mutex::default(),
            active_lists: Mutex::default(),
            default_subscription,
            subscription: OnceCell::new(),
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

    fn endless(&self) -> ConnectorError {
        self.error(ErrorKind::Protocol, "HubSpot answered the same page twice")
    }

    fn no_such_contact(&self) -> ConnectorError {
        self.error(ErrorKind::NotFound, "HubSpot has no such contact")
    }

    /// Where the page after the one that began at `after` begins; a page that leads to itself is refused.
    fn next(&self, paging: &api::Paging, after: Option<&str>) -> Result<Option<String>> {
        let next = filled(paging.next.after.as_ref());
        if next.is_some() && next.as_deref() == after {
            return Err(self.endless());
        }
        Ok(next)
    }

    /// Every entry of a paged list.
    async fn all<T: DeserializeOwned>(&self, call: Call) -> Result<Vec<T>> {
        let mut entries = Vec::new();
        let mut after: Option<String> = None;
        loop {
            let mut page: api::Page<T> = self.http.fetch(&starting(call.clone(), after.as_deref())).await?;
            entries.append(&mut page.results);
            after = self.next(&page.paging, after.as_deref())?;
            if after.is_none() {
                return Ok(entries);
            }
        }
    }
}

/// What is remembered of the account.
impl HubSpot {
    /// The properties of a whole contact: those of our model and those that the account made.
    async fn whole(&self) -> Result<Vec<String>> {
        let custom = self.custom_names().await.map_err(not_the_contact)?;
        let mut wanted = names(map::contact_properties());
        wanted.extend(custom.iter().cloned());
        Ok(wanted)
    }

    /// The names of the custom properties. They are loaded together with the definitions that the translation keeps, so
    /// that both cost one call; another connector of the same connection may have loaded those without us.
    async fn custom_names(&self) -> Result<Arc<Vec<String>>> {
        if let Some(names) = self.fresh_names() {
            return Ok(names);
        }
        let definitions = &self.shared.caches().fields;
        definitions.get(&self.connection, self.get_custom_fields()).await?;
        if let Some(names) = self.fresh_names() {
            return Ok(names);
        }
        self.get_custom_fields().await?;
        Ok(self.fresh_names().unwrap_or_default())
    }

    fn fresh_names(&self) -> Option<Arc<Vec<String>>> {
        let known = lock(&self.custom_names).clone()?;
        let is_fresh = self.shared.now() - known.loaded_at < NAMES_FRESH;
        is_fresh.then_some(known.names)
    }

    async fn known_tags(&self) -> Result<Arc<Vec<Tag>>> {
        let tags = &self.shared.caches().tags;
        let load = tags.get(&self.connection, self.get_tags()).await;
        load.map_err(not_the_contact)
    }

    /// The tags among lists. A list that is neither a known tag nor known to be filled by HubSpot may be new: the tags
    /// are loaded again then.
    async fn tags_among(&self, lists: &[&str]) -> Result<HashMap<String, TagRef>> {
        if lists.is_empty() {
            return Ok(HashMap::new());
        }
        let pick = |tags: &[Tag]| -> HashMap<String, TagRef> {
            let tags = tags.iter().filter(|tag| lists.contains(&tag.id.as_str()));
            tags.map(|tag| (tag.id.clone(), map::tag_ref(tag.id.clone(), tag.name.clone())))
                .collect()
        };
        let found = pick(&self.known_tags().await?);
        let is_known = |id: &&str, active: &HashSet<String>| found.contains_key(*id) || active.contains(*id);
        let all_known = {
            let active = lock(&self.active_lists);
            lists.iter().all(|id| is_known(id, &active))
        };
        if all_known {
            return Ok(found);
        }
        self.shared.caches().tags.forget(&self.connection).await;
        let found = pick(&self.known_tags().await?);
        let others = lists.iter().filter(|id| !found.contains_key(**id));
        lock(&self.active_lists).extend(others.map(|id| (*id).to_owned()));
        Ok(found)
    }

    /// The subscriptions that can stand for marketing consent.
    async fn subscriptions(&self) -> Result<map::Marketing> {
        let subscriptions = self.all(Call::get(path::SUBSCRIPTIONS, &[])).await;
        Ok(map::marketing(subscriptions.map_err(not_the_contact)?))
    }

    /// The subscription that stands for marketing consent: the connection's, else HubSpot's default or the only one.
    async fn subscription(&self) -> Result<&str> {
        let load = async {
            let found = self.subscriptions().await?;
            let wanted = self.default_subscription.as_deref().or(found.default.as_deref());
            match opt_in::HUBSPOT.choose(&found.targets, wanted) {
                Ok(chosen) => Ok(chosen.id.clone()),
                Err(message) => Err(self.error(ErrorKind::NotConfigured, message)),
            }
        };
        self.subscription.get_or_try_init(|| load).await.map(String::as_str)
    }
}

/// A list that the account must have is not there: HubSpot's mistake, which must not read as a missing contact.
fn not_the_contact(mut error: ConnectorError) -> ConnectorError {
    if error.kind == ErrorKind::NotFound {
        error.kind = ErrorKind::Protocol;
    }
    error
}

/// Reading contacts.
impl HubSpot {
    async fn fetch_contact(&self, contact_id: &str, properties: &[String]) -> Result<api::Contact> {
        let call = Call::get(path::CONTACT, &[contact_id]).about("contact");
        self.fetch_one(call, properties).await
    }

    /// The contact that `call` asks for, with many properties by a batch read.
    async fn fetch_one(&self, call: Call, properties: &[String]) -> Result<api::Contact> {
        let joined = properties.join(",");
        let fits = joined.len() <= NAMES_IN_ADDRESS;
        let call = call.query("properties", if fits { joined.as_str() } else { "email" });
        let contact: api::Contact = self.http.fetch(&call).await?;
        let Some(id) = contact.id.clone() else {
            return Err(self.error(ErrorKind::Protocol, "HubSpot answered without a contact"));
        };
        if fits {
            return Ok(contact);
        }
        let mut contacts = self.by_ids(&[id], properties).await?;
        contacts.pop().ok_or_else(|| self.no_such_contact())
    }

    /// These contacts in this order; those that no longer exist are left out.
    async fn by_ids(&self, ids: &[String], properties: &[String]) -> Result<Vec<api::Contact>> {
        let mut found = HashMap::with_capacity(ids.len());
        for batch in ids.chunks(BATCH) {
            let body = api::ReadContacts {
                inputs: batch.iter().map(|id| api::Id { id }).collect(),
                properties,
                properties_with_history: [],
            };
            let call = Call::post(path::READ_CONTACTS, &[])
                .about("contact")
                .json(&body)
                .repeatable();
            let page: api::Page<api::Contact> = self.http.fetch(&call).await?;
            let with_id = |contact: api::Contact| Some((contact.id.clone()?, contact));
            found.extend(page.results.into_iter().filter_map(with_id));
        }
        Ok(ids.iter().filter_map(|id| found.remove(id)).collect())
    }

    /// The address of a contact, and whether it wants no mail at all.
    async fn address(&self, contact_id: &str) -> Result<(Option<String>, bool)> {
        let wanted = names(["email", "hs_email_optout"]);
        let contact = self.fetch_contact(contact_id, &wanted).await?;
        let email = map::read(&contact, "email").as_str().map(str::to_owned);
        Ok((email, map::is_unsubscribed(&contact)))
    }

    async fn by_email(&self, email: &str, properties: &[String]) -> Result<Option<api::Contact>> {
        let email = self.checked_email(email)?;
        let call = Call::get(path::CONTACT, &[&email])
            .about("contact")
            .query("idProperty", "email");
        match self.fetch_one(call, properties).await {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            other => other.map(Some),
        }
    }

    fn checked_email(&self, email: &str) -> Result<String> {
        let email = email.trim().to_lowercase();
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ';' | ',' | '*');
        let parts = email
            .split_once('@')
            .filter(|(name, host)| !name.is_empty() && !host.is_empty());
        if parts.is_none() || email.contains(odd) {
            let message = "HubSpot cannot search for this e-mail address. Give one complete address";
            return Err(self.error(ErrorKind::InvalidInput, message));
        }
        Ok(email)
    }

    /// The lists that each of these contacts is on.
    async fn lists_of(&self, ids: &[String]) -> Result<HashMap<String, Vec<String>>> {
        let mut lists = HashMap::with_capacity(ids.len());
        for batch in ids.chunks(BATCH) {
            let inputs = batch.iter().map(|id| api::RecordId {
                object_type_id: api::CONTACT_TYPE,
                record_id: id,
            });
            let body = api::Batch {
                inputs: inputs.collect(),
            };
            let call = Call::post(path::LISTS_OF_CONTACTS, &[]).json(&body).repeatable();
            let page: api::Page<api::Memberships> = self.http.fetch(&call).await.map_err(not_the_contact)?;
            let members = page
                .results
                .into_iter()
                .filter_map(|it| Some((it.record_id?, it.record_list_memberships)));
            lists.extend(members.map(|(id, memberships)| (id, list_ids(memberships))));
        }
        Ok(lists)
    }

    async fn lists_of_one(&self, contact_id: &str) -> Result<Vec<String>> {
        let call = Call::get(path::LISTS_OF_CONTACT, &[contact_id]).about("contact");
        Ok(list_ids(self.all(call).await?))
    }

    /// Contacts in our model with their tags; `lists` names the lists of each.
    async fn tagged(
        &self,
        contacts: Vec<api::Contact>,
        mut lists: HashMap<String, Vec<String>>,
    ) -> Result<Vec<Contact>> {
        let mut all: Vec<&str> = lists.values().flatten().map(String::as_str).collect();
        all.sort_unstable();
        all.dedup();
        let known = self.tags_among(&all).await?;
        let mut contacts: Vec<Contact> = contacts.into_iter().map(map::contact).collect();
        for contact in &mut contacts {
            let own = lists.remove(&contact.id).unwrap_or_default();
            contact.tags = Some(own.iter().filter_map(|id| known.get(id).cloned()).collect());
        }
        Ok(contacts)
    }

    async fn with_tags(&self, contacts: Vec<api::Contact>) -> Result<Vec<Contact>> {
        let ids: Vec<String> = contacts.iter().filter_map(|contact| contact.id.clone()).collect();
        let lists = self.lists_of(&ids).await?;
        self.tagged(contacts, lists).await
    }
}

/// List ids in their numerical order, which is the order in which the lists were made.
fn list_ids(memberships: Vec<api::Membership>) -> Vec<String> {
    let mut ids: Vec<String> = memberships.into_iter().filter_map(|it| it.list_id).collect();
    ids.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    ids.dedup();
    ids
}

/// Pages of contacts. The state of a cursor tells where its page comes from: `list:`, `search:` or `members:`.
impl HubSpot {
    async fn find(&self, query: &ContactQuery, state: Option<&str>) -> Result<Found> {
        if let Some(email) = &query.email {
            self.checked_email(email)?;
        }
        let wanted = if query.ids_only {
            names(["email"])
        } else {
            self.whole().await?
        };
        let mut found = match (state.and_then(|state| state.split_once(':')), &query.tag_id) {
            (None, Some(tag)) if query.email.is_some() => self.tagged_address(tag, query, &wanted).await?,
            (state, Some(tag)) => self.members(tag, query, state.map(|(_, after)| after), &wanted).await?,
            (Some(("list", after)), None) => self.listed(query, Some(after), &wanted).await?,
            (state, None) if query.email.is_some() || query.updated_since.is_some() => {
                self.searched(query, state.map(|(_, after)| after), &wanted).await?
            }
            (_, None) => self.listed(query, None, &wanted).await?,
        };
        if let Some(since) = query.updated_since {
            let is_newer = |contact: &api::Contact| map::updated_at(contact).is_none_or(|at| at >= since);
            found.contacts.retain(is_newer);
        }
        Ok(found)
    }

    /// The list of all contacts by their ids.
    async fn listed(&self, query: &ContactQuery, after: Option<&str>, wanted: &[String]) -> Result<Found> {
        let joined = wanted.join(",");
        let fits = joined.len() <= NAMES_IN_ADDRESS;
        let call = Call::get(path::CONTACTS, &[])
            .query("limit", size(query.limit, LIST_PAGE).to_string())
            .query("properties", if fits { joined.as_str() } else { "email" });
        let page: api::Page<api::Contact> = self.http.fetch(&starting(call, after)).await?;
        let next = self.next(&page.paging, after)?;
        let mut contacts = page.results;
        if !fits {
            let ids: Vec<String> = contacts.into_iter().filter_map(|contact| contact.id).collect();
            contacts = self.by_ids(&ids, wanted).await?;
        }
        Ok(Found {
            contacts,
            next: next.map(|after| format!("list:{after}")),
            total: None,
        })
    }

    /// A search by address or time of change. More contacts than a search shows are taken from the list instead.
    async fn searched(&self, query: &ContactQuery, after: Option<&str>, wanted: &[String]) -> Result<Found> {
        let page = self
            .search(query, after, size(query.limit, SEARCH_PAGE), wanted)
            .await?;
        let total = page.total.and_then(|total| total.parse().ok());
        if after.is_none() && query.email.is_none() && total.is_some_and(|total| total > SEARCH_CAP) {
            return self.listed(query, None, wanted).await;
        }
        Ok(Found {
            next: self.next(&page.paging, after)?.map(|after| format!("search:{after}")),
            contacts: page.results,
            total,
        })
    }

    async fn search(
        &self,
        query: &ContactQuery,
        after: Option<&str>,
        limit: u32,
        properties: &[String],
    ) -> Result<api::Page<api::Contact>> {
        let email = query
            .email
            .as_deref()
            .map(|email| self.checked_email(email))
            .transpose()?;
        let since = query.updated_since.map(|since| since.0.timestamp_millis().to_string());
        let filter = |property_name, operator, value| api::Filter {
            property_name,
            operator,
            value,
        };
        let by_email = email.as_deref().map(|email| filter("email", "EQ", email));
        let by_time = since.as_deref().map(|since| filter("lastmodifieddate", "GTE", since));
        let filters: Vec<api::Filter<'_>> = by_email.into_iter().chain(by_time).collect();
        let groups = (!filters.is_empty()).then_some(api::FilterGroup { filters });
        let body = api::Search {
            filter_groups: groups.into_iter().collect(),
            sorts: [],
            properties,
            limit,
            after: after.unwrap_or("0"),
        };
        let call = Call::post(path::SEARCH_CONTACTS, &[]).json(&body).repeatable();
        self.search.fetch(&call).await
    }

    /// The members of a list, the longest on it first.
    async fn members(&self, tag: &str, query: &ContactQuery, after: Option<&str>, wanted: &[String]) -> Result<Found> {
        let limit = size(query.limit, MEMBERS_PAGE).to_string();
        let members = |list: &str| {
            let call = Call::get(path::MEMBERS_BY_AGE, &[list]).about("list");
            starting(call.query("limit", limit.as_str()), after)
        };
        let page: api::Page<api::Member> = self.on_list(tag, members).await?;
        let next = self.next(&page.paging, after)?;
        let ids: Vec<String> = page.results.into_iter().filter_map(|member| member.record_id).collect();
        let with_id = |id: &String| api::Contact {
            id: Some(id.clone()),
            ..api::Contact::default()
        };
        let contacts = if query.ids_only && query.updated_since.is_none() {
            ids.iter().map(with_id).collect()
        } else {
            self.by_ids(&ids, wanted).await?
        };
        Ok(Found {
            contacts,
            next: next.map(|after| format!("members:{after}")),
            total: None,
        })
    }

    async fn is_member(&self, contact_id: &str, tag: &str) -> Result<bool> {
        let lists = self.lists_of_one(contact_id).await?;
        let is_on = |id: &str| lists.iter().any(|list| list == id);
        if is_on(tag) || self.known_tags().await?.iter().any(|known| known.id == tag) {
            return Ok(is_on(tag));
        }
        Ok(self.present_id(tag).await?.is_some_and(|present| is_on(&present)))
    }

    /// The contact of an address, if it is on the list.
    async fn tagged_address(&self, tag: &str, query: &ContactQuery, wanted: &[String]) -> Result<Found> {
        let email = query.email.as_deref().unwrap_or_default();
        let mut contacts = Vec::new();
        if let Some(contact) = self.by_email(email, wanted).await?
            && let Some(id) = &contact.id
            && self.is_member(id, tag.trim()).await?
        {
            contacts.push(contact);
        }
        Ok(Found {
            contacts,
            next: None,
            total: None,
        })
    }
}

/// Lists and automations, whose ids changed in the course of HubSpot's history.
impl HubSpot {
    /// Sends a call about a list. Old configurations hold the id that the list had before; only when there is no such
    /// list is it looked up.
    async fn on_list<T: DeserializeOwned>(
        &self,
        list_id: &str,
        call: impl Fn(&str) -> Call + Send + Sync,
    ) -> Result<T> {
        let list_id = list_id.trim();
        match self.http.fetch(&call(list_id)).await {
            Err(error) if error.kind == ErrorKind::NotFound => match self.present_id(list_id).await? {
                Some(present) if present != list_id => self.http.fetch(&call(&present)).await,
                _ => Err(error),
            },
            other => other,
        }
    }

    async fn present_id(&self, legacy_id: &str) -> Result<Option<String>> {
        if !legacy_id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(None);
        }
        let call = Call::get(path::LEGACY_LIST, &[]).query("legacyListId", legacy_id);
        match self.http.fetch::<api::LegacyList>(&call).await {
            Ok(list) => Ok(list.list_id),
            Err(error) if matches!(error.kind, ErrorKind::NotFound | ErrorKind::InvalidInput) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn change_membership(&self, path: &'static str, contact_id: &str, list_id: &str) -> Result<()> {
        let contact_id = contact_id.trim();
        let call = |list: &str| Call::put(path, &[list]).about("list").json(&[contact_id]).repeatable();
        let change: api::MembershipChange = self.on_list(list_id, call).await?;
        if change.record_ids_missing.iter().any(|missing| missing == contact_id) {
            return Err(self.no_such_contact());
        }
        Ok(())
    }

    /// Applies tags to a contact that was just written.
    async fn tag_new(&self, mut contact: Contact, tags: &[String]) -> Result<Contact> {
        let mut failures = Vec::new();
        for tag in tags {
            match self.apply_tag(&contact.id, tag).await {
                Ok(()) => {
                    let applied = contact.tags.get_or_insert_default();
                    if !applied.iter().any(|known| known.id == *tag) {
                        applied.push(map::tag_ref(tag.clone(), String::new()));
                    }
                }
                Err(error) => failures.push(format!("tag {tag}: {error}")),
            }
        }
        if failures.is_empty() {
            return Ok(contact);
        }
        let message = format!(
            "The contact was saved in HubSpot, but not everything: {}",
            failures.join("; ")
        );
        let mut error = self.error(ErrorKind::Partial, message);
        error.contact_id = Some(contact.id);
        Err(error)
    }

    async fn enrol(&self, workflow_id: &str, email: &str) -> Result<()> {
        let call = Call::post(path::ENROL, &[workflow_id, email]).about("automation or contact");
        self.http.send(&call).await.map(drop)
    }

    /// The ids that enrolment wants, by the ids of their flows.
    async fn workflow_ids(&self, flow_ids: &[&str]) -> Result<HashMap<String, String>> {
        let mut ids = HashMap::with_capacity(flow_ids.len());
        for batch in flow_ids.chunks(BATCH) {
            let inputs = batch.iter().map(|flow_id| api::FlowId {
                kind: "FLOW_ID",
                flow_id,
            });
            let body = api::Batch {
                inputs: inputs.collect(),
            };
            let call = Call::post(path::WORKFLOW_IDS, &[]).json(&body).repeatable();
            let page: api::Page<api::WorkflowId> = self.http.fetch(&call).await?;
            let pair = |mapping: api::WorkflowId| Some((mapping.flow_id?, mapping.workflow_id?));
            ids.extend(page.results.into_iter().filter_map(pair));
        }
        Ok(ids)
    }
}

/// Writing contacts.
impl HubSpot {
    async fn patch(&self, contact_id: &str, fields: &Map<String, Value>) -> Result<()> {
        let properties = map::update(fields, true);
        if properties.is_empty() {
            return Ok(());
        }
        let body = api::UpdateContact {
            properties: &properties,
        };
        let call = Call::patch(path::CONTACT, &[contact_id])
            .about("contact")
            .json(&body)
            .repeatable();
        self.http.send(&call).await.map(drop)
    }

    /// A contact that was just created. The answer holds more than was sent; what the account did not ask for is left
    /// out, as it is of a contact that is read.
    fn created(&self, mut contact: api::Contact, sent: &Map<String, Value>) -> Contact {
        let mine = |name: &str| !map::is_custom(name) || sent.contains_key(name);
        contact.properties.retain(|name, _| mine(name));
        let mut contact = map::contact(contact);
        contact.tags = Some(Vec::new());
        contact
    }
}

/// Marketing consent.
impl HubSpot {
    fn needs_address(&self, email: Option<String>, what: &str) -> Result<String> {
        email.ok_or_else(|| {
            let message = format!("The contact has no e-mail address, {what}");
            self.error(ErrorKind::InvalidInput, message)
        })
    }

    async fn opt_out(&self, email: &str) -> Result<OptInOutcome> {
        let call = Call::post(path::UNSUBSCRIBE_ALL, &[email])
            .about("e-mail address")
            .query("channel", "EMAIL")
            .repeatable();
        self.http.send(&call).await?;
        Ok(OptInOutcome::Applied)
    }

    /// HubSpot keeps some addresses opted out, and says so by a refusal or by an answer with the old status.
    async fn opt_in(&self, email: &str, was_unsubscribed: bool, reason: &str) -> Result<OptInOutcome> {
        let reason = Some(reason.trim()).filter(|reason| !reason.is_empty());
        let subscription = self.subscription().await?;
        let subscription_id = subscription.parse().map_err(|_| {
            self.error(
                ErrorKind::Protocol,
                "HubSpot names a subscription type by an id that is no number",
            )
        })?;
        let body = api::SetConsent {
            channel: "EMAIL",
            status_state: "SUBSCRIBED",
            subscription_id,
            legal_basis: "CONSENT_WITH_NOTICE",
            legal_basis_explanation: reason.unwrap_or(DEFAULT_REASON),
        };
        let call = Call::post(path::CONSENT, &[email])
            .about("e-mail address")
            .json(&body)
            .repeatable();
        let answer: api::Page<api::Consent> = match self.http.fetch(&call).await {
            Ok(answer) => answer,
            Err(error) if matches!(error.kind, ErrorKind::InvalidInput | ErrorKind::Conflict) => {
                let kept = was_unsubscribed || self.consent(email).await? == OptInStatus::OptedOut;
                return if kept {
                    Ok(OptInOutcome::NotPermitted)
                } else {
                    Err(error)
                };
            }
            Err(error) => return Err(error),
        };
        let mut results = answer.results.into_iter();
        let ours = results.find(|it| it.subscription_id.as_deref().is_none_or(|id| id == subscription));
        let Some(ours) = ours else {
            return Err(self.unclear("HubSpot did not say whether it changed the consent"));
        };
        if ours.status.as_deref() != Some("SUBSCRIBED") {
            return Ok(OptInOutcome::NotPermitted);
        }
        if was_unsubscribed && self.wants_no_mail(email).await? {
            return Ok(OptInOutcome::NotPermitted);
        }
        let unchanged = ours.set_status_success_reason.as_deref() == Some("NO_STATUS_CHANGE");
        Ok(if unchanged {
            OptInOutcome::Already
        } else {
            OptInOutcome::Applied
        })
    }

    /// Whether HubSpot still keeps all mail from an address.
    async fn wants_no_mail(&self, email: &str) -> Result<bool> {
        let call = Call::get(path::UNSUBSCRIBE_ALL, &[email])
            .about("e-mail address")
            .query("channel", "EMAIL");
        let statuses: api::Page<api::Consent> = self.http.fetch(&call).await?;
        let mut statuses = statuses.results.iter();
        Ok(statuses.any(|it| it.status.as_deref() == Some("UNSUBSCRIBED")))
    }

    /// The consent of an address to marketing mail.
    async fn consent(&self, email: &str) -> Result<OptInStatus> {
        let call = Call::get(path::CONSENT, &[email])
            .about("e-mail address")
            .query("channel", "EMAIL");
        let subscription = self.subscription().await?;
        let statuses: api::Page<api::Consent> = self.http.fetch(&call).await?;
        let ours = statuses
            .results
            .iter()
            .find(|it| it.subscription_id.as_deref() == Some(subscription));
        Ok(match ours.and_then(|it| it.status.as_deref()) {
            Some("SUBSCRIBED") => OptInStatus::OptedIn,
            Some("UNSUBSCRIBED") => OptInStatus::OptedOut,
            _ => OptInStatus::Unknown,
        })
    }
}

impl Dialect for HubSpot {
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
impl Connector for HubSpot {
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
            Capability::Owners,
        ]
    }

    async fn get_contacts(&self, query: &ContactQuery) -> Result<ContactPage> {
        let state = cursor::decode(map::SLUG, query)?;
        let found = self.find(query, state.as_deref()).await?;
        let contacts = if query.ids_only {
            found.contacts.into_iter().map(map::contact).collect()
        } else {
            self.with_tags(found.contacts).await?
        };
        Ok(ContactPage {
            contacts,
            total: found.total,
            next_cursor: found.next.map(|state| cursor::encode(map::SLUG, &state, query)),
        })
    }

    async fn get_contact(&self, contact_id: &str) -> Result<Contact> {
        let wanted = self.whole().await?;
        let record = self.fetch_contact(contact_id, &wanted);
        let (contact, lists) = tokio::try_join!(record, self.lists_of_one(contact_id))?;
        let id = contact.id.clone().unwrap_or_default();
        let mut contacts = self.tagged(vec![contact], HashMap::from([(id, lists)])).await?;
        contacts.pop().ok_or_else(|| self.no_such_contact())
    }

    /// An address belongs to one contact at most, also as one of its further addresses.
    async fn find_contacts_by_email(&self, email: &str) -> Result<Vec<Contact>> {
        let email = self.checked_email(email)?;
        let wanted = self.whole().await?;
        match self.by_email(&email, &wanted).await? {
            Some(contact) => self.with_tags(vec![contact]).await,
            None => Ok(Vec::new()),
        }
    }

    /// A search counts without showing; the members of a list have to be read.
    async fn count_contacts(&self, query: &ContactQuery) -> Result<u64> {
        if query.tag_id.is_none() {
            let page = self.search(query, None, 1, &[]).await?;
            let total = page.total.and_then(|total| total.parse().ok());
            return total
                .ok_or_else(|| self.error(ErrorKind::Protocol, "HubSpot did not say how many contacts it found"));
        }
        count_pages(self, query).await
    }

    async fn create_contact(&self, new: &NewContact) -> Result<Contact> {
        let properties = map::update(&new.fields, false);
        if !["email", "firstname", "lastname"]
            .iter()
            .any(|name| properties.contains_key(*name))
        {
            let message = "HubSpot needs an e-mail address, a first name or a last name for a new contact";
            return Err(self.error(ErrorKind::InvalidInput, message));
        }
        let body = api::CreateContact {
            properties: &properties,
            associations: [],
        };
        let call = Call::post(path::CONTACTS, &[]).about("contact").json(&body);
        let contact: api::Contact = self.http.fetch(&call).await?;
        if contact.id.is_none() {
            return Err(self.unclear("HubSpot did not say which contact it created"));
        }
        self.tag_new(self.created(contact, &properties), &new.tags).await
    }

    /// HubSpot matches the address itself, so that two of us at once make one contact.
    async fn upsert_contact(&self, new: &NewContact) -> Result<(Contact, bool)> {
        let email = new.fields.get("email").and_then(Value::as_str).unwrap_or_default();
        let email = self.checked_email(email)?;
        let properties = map::update(&new.fields, true);
        let body = api::Batch {
            inputs: vec![api::Upsert {
                id: &email,
                id_property: "email",
                properties: &properties,
            }],
        };
        let call = Call::post(path::UPSERT_CONTACTS, &[])
            .about("contact")
            .json(&body)
            .repeatable();
        let mut page: api::Page<api::Contact> = self.http.fetch(&call).await?;
        let written = page
            .results
            .pop()
            .and_then(|contact| Some((contact.id.clone()?, contact)));
        let Some((id, contact)) = written else {
            let said = page.errors.pop().and_then(|failure| filled(failure.message.as_ref()));
            return Err(match said {
                Some(said) => {
                    let message = format!("HubSpot does not accept these values: {}", self.http.safe_text(&said));
                    self.error(ErrorKind::InvalidInput, message)
                }
                None => self.unclear("HubSpot did not say which contact it wrote"),
            });
        };
        let is_new = contact.new == Some(true);
        let contact = if is_new {
            self.created(contact, &properties)
        } else {
            self.get_contact(&id).await?
        };
        Ok((self.tag_new(contact, &new.tags).await?, is_new))
    }

    async fn update_contact(&self, contact_id: &str, update: &ContactUpdate) -> Result<()> {
        self.patch(contact_id, &update.fields).await
    }

    /// HubSpot keeps it for ninety days, from which a user can bring it back.
    async fn delete_contact(&self, contact_id: &str) -> Result<()> {
        let call = Call::delete(path::CONTACT, &[contact_id]).about("contact").repeatable();
        match self.http.send(&call).await {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            other => other.map(drop),
        }
    }

    async fn get_tags(&self) -> Result<Vec<Tag>> {
        let mut tags = Vec::new();
        let mut offset = 0;
        loop {
            let body = api::SearchLists {
                object_type_id: api::CONTACT_TYPE,
                processing_types: ["MANUAL", "SNAPSHOT"],
                offset,
                count: LISTS_PAGE,
                additional_properties: [],
            };
            let call = Call::post(path::SEARCH_LISTS, &[]).json(&body).repeatable();
            let page: api::ListPage = self.http.fetch(&call).await?;
            tags.extend(page.lists.into_iter().filter_map(map::tag));
            if page.has_more != Some(true) {
                return Ok(tags);
            }
            let next = page.offset.and_then(|offset| offset.parse().ok());
            offset = next.filter(|next| *next > offset).ok_or_else(|| self.endless())?;
        }
    }

    async fn create_tag(&self, name: &str) -> Result<Tag> {
        let name = name.trim();
        if name.is_empty() {
            return Err(self.error(ErrorKind::InvalidInput, "A tag needs a name"));
        }
        let body = api::CreateList {
            name,
            object_type_id: api::CONTACT_TYPE,
            processing_type: "MANUAL",
        };
        let call = Call::post(path::LISTS, &[]).about("list").json(&body);
        let created: api::CreatedList = self.http.fetch(&call).await?;
        map::tag(created.list).ok_or_else(|| self.unclear("HubSpot did not say which list it created"))
    }

    async fn apply_tag(&self, contact_id: &str, tag_id: &str) -> Result<()> {
        self.change_membership(path::ADD_MEMBERS, contact_id, tag_id).await
    }

    async fn remove_tag(&self, contact_id: &str, tag_id: &str) -> Result<()> {
        self.change_membership(path::REMOVE_MEMBERS, contact_id, tag_id).await
    }

    /// Every property that users see, those that the account made first.
    async fn get_custom_fields(&self) -> Result<Vec<CustomField>> {
        let properties = self.all(Call::get(path::PROPERTIES, &[])).await?;
        let definitions = properties.into_iter().filter_map(map::custom_field);
        let (custom, built_in): (Vec<_>, Vec<_>) = definitions.partition(|definition| definition.is_custom);
        *lock(&self.custom_names) = Some(CustomNames {
            loaded_at: self.shared.now(),
            names: Arc::new(custom.iter().map(|definition| definition.field.id.clone()).collect()),
        });
        let all = custom.into_iter().chain(built_in);
        Ok(all.map(|definition| definition.field).collect())
    }

    async fn get_field_values(&self, contact_id: &str, keys: &[&str]) -> Result<Map<String, Value>> {
        let mut wanted = names(map::properties(keys.iter().copied()));
        if wanted.is_empty() {
            wanted = names(["email"]);
        }
        let contact = self.fetch_contact(contact_id, &wanted).await?;
        let values = keys.iter().map(|key| ((*key).to_owned(), map::read(&contact, key)));
        Ok(values.collect())
    }

    async fn set_field_values(&self, contact_id: &str, values: &Map<String, Value>) -> Result<()> {
        self.patch(contact_id, values).await
    }

    /// When a marketing e-mail was last sent, opened or clicked: HubSpot keeps that with the contact, for its first
    /// address.
    async fn ask(&self, contact_id: &str, question: &Question) -> Result<Value> {
        let unanswered = || {
            let message = format!("{NAME} does not tell {}", question.topic());
            self.error(ErrorKind::Unsupported, message)
        };
        let Question::LastEmail { address, event } = question else {
            return Err(unanswered());
        };
        let property = match event {
            EmailEvent::Click => "hs_email_last_click_date",
            EmailEvent::Open => "hs_email_last_open_date",
            EmailEvent::Send => "hs_email_last_send_date",
        };
        let contact = self.fetch_contact(contact_id, &names(["email", property])).await?;
        let is_first = map::read(&contact, "email")
            .as_str()
            .is_some_and(|email| email.eq_ignore_ascii_case(address.trim()));
        if is_first {
            Ok(map::read(&contact, property))
        } else {
            Err(unanswered())
        }
    }

    /// Workflows for contacts, under the ids that enrolment wants; one without such an id cannot be started from here.
    async fn list_automations(&self) -> Result<Vec<Automation>> {
        let call = Call::get(path::FLOWS, &[]).query("limit", FLOWS_PAGE.to_string());
        let mut flows: Vec<api::Flow> = self.all(call).await?;
        flows.retain(|flow| {
            flow.object_type_id
                .as_deref()
                .is_none_or(|kind| kind == api::CONTACT_TYPE)
        });
        let flow_ids: Vec<&str> = flows.iter().filter_map(|flow| flow.id.as_deref()).collect();
        let workflow_ids = self.workflow_ids(&flow_ids).await?;
        let automation = |flow: api::Flow| {
            let id = workflow_ids.get(flow.id.as_ref()?)?.clone();
            let status = flow.is_enabled.map(|on| if on { "enabled" } else { "disabled" });
            Some(Automation {
                name: filled(flow.name.as_ref()).unwrap_or_else(|| id.clone()),
                id,
                status: status.map(str::to_owned),
            })
        };
        Ok(flows.into_iter().filter_map(automation).collect())
    }

    /// Takes the id of a workflow, and that of a flow, which HubSpot shows in its addresses.
    async fn trigger_automation(&self, contact_id: &str, automation_id: &str) -> Result<()> {
        let (email, _) = self.address(contact_id).await?;
        let email = self.needs_address(email, "which HubSpot needs to enrol it in a workflow")?;
        let id = automation_id.trim();
        match self.enrol(id, &email).await {
            Err(error) if error.kind == ErrorKind::NotFound => match self.workflow_ids(&[id]).await?.remove(id) {
                Some(workflow) if workflow != id => self.enrol(&workflow, &email).await,
                _ => Err(error),
            },
            other => other,
        }
    }

    async fn achieve_goal(&self, _contact_id: &str, _goal: &str, _integration: &str) -> Result<()> {
        Err(ConnectorError::unsupported(map::SLUG, "goals"))
    }

    async fn opt_in_targets(&self) -> Result<Vec<OptInTarget>> {
        Ok(self.subscriptions().await?.targets)
    }

    /// Opting out stops all mail; opting in subscribes to marketing mail.
    async fn set_opt_in_status(&self, contact_id: &str, opted_in: bool, reason: &str) -> Result<OptInOutcome> {
        let (email, is_unsubscribed) = self.address(contact_id).await?;
        let email = self.needs_address(email, "so there is nothing to opt in or out")?;
        if opted_in {
            self.opt_in(&email, is_unsubscribed, reason).await
        } else if is_unsubscribed {
            Ok(OptInOutcome::Already)
        } else {
            self.opt_out(&email).await
        }
    }

    async fn get_opt_in_status(&self, contact_id: &str) -> Result<OptInStatus> {
        match self.address(contact_id).await? {
            (_, true) => Ok(OptInStatus::OptedOut),
            (Some(email), false) => self.consent(&email).await,
            (None, false) => Ok(OptInStatus::Unknown),
        }
    }

    /// A note of HubSpot has no title: it becomes the first line.
    async fn add_note(&self, contact_id: &str, title: &str, body: &str) -> Result<()> {
        let title = title.trim();
        let text = if title.is_empty() {
            body.to_owned()
        } else {
            format!("{title}\n{body}")
        };
        if text.chars().count() > LONGEST_NOTE {
            let message = format!("A note in HubSpot may have at most {LONGEST_NOTE} characters. Shorten it");
            return Err(self.error(ErrorKind::InvalidInput, message));
        }
        let note = api::CreateNote {
            properties: api::NoteProperties {
                hs_note_body: &text,
                hs_timestamp: &rfc3339(self.shared.now(), SecondsFormat::Millis),
            },
            associations: [api::Association {
                to: api::Id { id: contact_id.trim() },
                types: [api::AssociationType {
                    association_category: "HUBSPOT_DEFINED",
                    association_type_id: NOTE_TO_CONTACT,
                }],
            }],
        };
        let call = Call::post(path::NOTES, &[]).about("contact").json(&note);
        self.http.send(&call).await.map(drop)
    }

    async fn list_users(&self) -> Result<Vec<CrmUser>> {
        let call = Call::get(path::OWNERS, &[]).query("limit", OWNERS_PAGE.to_string());
        Ok(self.all(call).await?.into_iter().filter_map(map::owner).collect())
    }

    async fn set_owner(&self, contact_id: &str, user_id: &str) -> Result<()> {
        let owner = Map::from_iter([("owner_id".to_owned(), Value::from(user_id.trim()))]);
        self.patch(contact_id, &owner).await
    }

    async fn test_connection(&self) -> Result<()> {
        let call = Call::get(path::CONTACTS, &[]).query("limit", "1");
        self.http.send(&call).await.map(drop)
    }
}
