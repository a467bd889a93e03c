//! Stripe, API version 2020-08-27 (`connectors` §2.6): customers as contacts, their metadata as custom fields.
//!
//! Calls per operation, when nothing has to be repeated:
//! - a contact or its fields: 1 to read; 1 to write, or 2 when only one part of the name is written;
//! - create: 1; upsert: 1 to find, then 1 or 2 to write; delete: 1;
//! - find by address: 1, or 2 when it has capitals; lists: 1 per page.

mod api;
mod auth;
mod map;

use std::sync::Arc;

use async_trait::async_trait;
use http::HeaderMap;
use serde_json::{Map, Value};

use self::map::Refusal;
use crate::connector::{Capability, Connector, Metadata, Result};
use crate::cursor;
use crate::error::{ConnectorError, ErrorKind, WriteOutcome};
use crate::http::{Call, HttpClient, Vendor};
use crate::model::{
    Automation, Contact, ContactPage, ContactQuery, ContactUpdate, CrmUser, CustomField, NewContact, OptInOutcome,
    OptInStatus, Tag,
};
use crate::rate::Quota;
use crate::registry::{ConnectorConfig, Shared};

const NAME: &str = "Stripe";
const BASE_URL: &str = "https://api.stripe.com/v1";
const PAGE: u32 = 100;

const VENDOR: Vendor = Vendor {
    slug: map::SLUG,
    name: NAME,
    authorize: auth::authorize,
    quota: no_quota,
    reset: |_| None,
    day: |_, _| None,
    fault: map::fault,
};

/// Stripe does not tell what is left.
fn no_quota(_: &HeaderMap) -> Option<Quota> {
    None
}

/// A connected Stripe account.
#[derive(Debug)]
pub(crate) struct Stripe {
    http: HttpClient,
    shared: Arc<Shared>,
}

impl Stripe {
    /// A connector for this connection; sends nothing.
    ///
    /// # Errors
    /// `NotConfigured` for a base address that is not https.
    pub(crate) fn new(config: ConnectorConfig) -> Result<Self> {
        let limits = auth::rate_limits(config.rate_limits);
        Ok(Self {
            shared: Arc::clone(&config.shared),
            http: config.into_client(VENDOR, BASE_URL, auth::headers(), limits)?,
        })
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> ConnectorError {
        ConnectorError::new(map::SLUG, kind, message)
    }

    fn unsupported<T>(&self, what: &str) -> Result<T> {
        Err(ConnectorError::unsupported(map::SLUG, what))
    }

    fn refused(&self, refusal: Refusal) -> ConnectorError {
        match refusal {
            Refusal::Unknown(key) => {
                let message = format!("Stripe has no field \"{key}\" for contacts");
                self.error(ErrorKind::UnknownField, message)
            }
            Refusal::Invalid(message) => self.error(ErrorKind::InvalidInput, message),
        }
    }

    /// Stripe answers for a deleted customer, too.
    async fn customer(&self, contact_id: &str) -> Result<api::Customer> {
        let call = Call::get("/customers/{}", &[contact_id]).about("contact");
        let customer: api::Customer = self.http.fetch(&call).await?;
        if customer.deleted == Some(true) {
            return Err(self.error(ErrorKind::NotFound, "Stripe has no such contact: it was deleted"));
        }
        Ok(customer)
    }

    /// One page of customers, and the state of the next.
    async fn page(
        &self,
        limit: u32,
        email: Option<&str>,
        after: Option<&str>,
    ) -> Result<(Vec<api::Customer>, Option<String>)> {
        let mut call = Call::get("/customers", &[]).query("limit", limit.to_string());
        if let Some(email) = email {
            call = call.query("email", email);
        }
        if let Some(after) = after {
            call = call.query("starting_after", after);
        }
        let list: api::CustomerList = self.http.fetch(&call).await?;
        let last = list.data.last().and_then(|customer| customer.id.clone());
        let next = last.filter(|_| list.has_more == Some(true));
        if next.is_some() && next.as_deref() == after {
            return Err(self.error(ErrorKind::Protocol, "Stripe answered the same page twice"));
        }
        Ok((list.data, next))
    }

    /// Refuses, before anything is sent, what Stripe cannot filter by.
    fn check(&self, query: &ContactQuery) -> Result<()> {
        if query.tag_id.is_some() {
            return self.unsupported("contacts by tag");
        }
        if query.updated_since.is_some() {
            return self.unsupported("contacts by the time of their last change");
        }
        Ok(())
    }

    /// Every customer that matches; Stripe compares addresses exactly, so an address with capitals is asked for in
    /// lower case, too.
    async fn with_email(&self, email: &str) -> Result<Vec<api::Customer>> {
        let email = email.trim();
        if email.is_empty() {
            return Err(self.error(ErrorKind::InvalidInput, "Give an e-mail address to search for"));
        }
        let lower = email.to_lowercase();
        let mut found: Vec<api::Customer> = Vec::new();
        for spelling in [Some(email), Some(lower.as_str()).filter(|lower| *lower != email)]
            .into_iter()
            .flatten()
        {
            let mut after: Option<String> = None;
            loop {
                let (page, next) = self.page(PAGE, Some(spelling), after.as_deref()).await?;
                found.extend(page);
                match next {
                    Some(_) => after = next,
                    None => break,
                }
            }
        }
        Ok(found)
    }

    /// Writes these fields and gives the customer as it is then.
    async fn write(&self, contact_id: &str, fields: &Map<String, Value>) -> Result<api::Customer> {
        let present = if map::needs_present_name(fields) {
            // What cannot be sent is refused before anything is read.
            map::form(fields, "").map_err(|refusal| self.refused(refusal))?;
            self.customer(contact_id).await?.name.unwrap_or_default()
        } else {
            String::new()
        };
        let form = map::form(fields, &present).map_err(|refusal| self.refused(refusal))?;
        let call = Call::post("/customers/{}", &[contact_id]).about("contact").form(form);
        self.http.fetch(&call.once_as(self.idempotency_key())).await
    }

    async fn create(&self, new: &NewContact) -> Result<Contact> {
        let form = map::form(&new.fields, "").map_err(|refusal| self.refused(refusal))?;
        let call = Call::post("/customers", &[]).about("contact").form(form);
        let customer: api::Customer = self.http.fetch(&call.once_as(self.idempotency_key())).await?;
        if customer.id.is_none() {
            let mut error = self.error(ErrorKind::Protocol, "Stripe did not say which contact it created");
            error.outcome = WriteOutcome::Unknown;
            return Err(error);
        }
        Ok(map::contact(customer))
    }

    /// One for each call, the same for its repeats.
    fn idempotency_key(&self) -> String {
        format!("mfh-{}", self.shared.random().hex(16))
    }

    fn without_tags(&self, new: &NewContact) -> Result<()> {
        if new.tags.is_empty() {
            Ok(())
        } else {
            self.unsupported("tags")
        }
    }
}

#[async_trait]
impl Connector for Stripe {
    fn metadata(&self) -> Metadata {
        self.http.metadata("v1")
    }

    fn capabilities(&self) -> &'static [Capability] {
        &[Capability::Contacts, Capability::CustomFields]
    }

    /// The newest contacts come first.
    async fn get_contacts(&self, query: &ContactQuery) -> Result<ContactPage> {
        let after = cursor::decode(map::SLUG, query)?;
        self.check(query)?;
        let limit = query.limit.unwrap_or(PAGE).clamp(1, PAGE);
        let (customers, next) = self.page(limit, query.email.as_deref(), after.as_deref()).await?;
        Ok(ContactPage {
            contacts: customers.into_iter().map(map::contact).collect(),
            total: None,
            next_cursor: next.map(|last| cursor::encode(map::SLUG, &last, query)),
        })
    }

    async fn get_contact(&self, contact_id: &str) -> Result<Contact> {
        self.customer(contact_id).await.map(map::contact)
    }

    async fn find_contacts_by_email(&self, email: &str) -> Result<Vec<Contact>> {
        let customers = self.with_email(email).await?;
        let mut contacts: Vec<Contact> = customers.into_iter().map(map::contact).collect();
        contacts.retain(|contact| contact.email.trim().to_lowercase() == email.trim().to_lowercase());
        Ok(contacts)
    }

    async fn count_contacts(&self, query: &ContactQuery) -> Result<u64> {
        self.check(query)?;
        let (mut count, mut after) = (0, None::<String>);
        loop {
            let (page, next) = self.page(PAGE, query.email.as_deref(), after.as_deref()).await?;
            count += u64::try_from(page.len()).unwrap_or(u64::MAX);
            match next {
                Some(_) => after = next,
                None => return Ok(count),
            }
        }
    }

    async fn create_contact(&self, new: &NewContact) -> Result<Contact> {
        self.without_tags(new)?;
        self.create(new).await
    }

    async fn upsert_contact(&self, new: &NewContact) -> Result<(Contact, bool)> {
        self.without_tags(new)?;
        let email = new
            .fields
            .iter()
            .find(|(key, _)| map::place(key) == Some(map::Place::Plain("email")));
        let Some(email) = email
            .and_then(|(_, value)| value.as_str())
            .filter(|email| !email.trim().is_empty())
        else {
            let message = "Give the e-mail address of the contact, by which Stripe finds it";
            return Err(self.error(ErrorKind::InvalidInput, message));
        };
        let known = self.find_contacts_by_email(email).await?;
        match known.last() {
            Some(oldest) => Ok((map::contact(self.write(&oldest.id, &new.fields).await?), false)),
            None => Ok((self.create(new).await?, true)),
        }
    }

    async fn update_contact(&self, contact_id: &str, update: &ContactUpdate) -> Result<()> {
        self.set_field_values(contact_id, &update.fields).await
    }

    async fn delete_contact(&self, contact_id: &str) -> Result<()> {
        let call = Call::delete("/customers/{}", &[contact_id])
            .about("contact")
            .repeatable();
        match self.http.send(&call).await {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            answer => answer.map(drop),
        }
    }

    async fn get_tags(&self) -> Result<Vec<Tag>> {
        self.unsupported("tags")
    }

    async fn create_tag(&self, _name: &str) -> Result<Tag> {
        self.unsupported("tags")
    }

    async fn apply_tag(&self, _contact_id: &str, _tag_id: &str) -> Result<()> {
        self.unsupported("tags")
    }

    async fn remove_tag(&self, _contact_id: &str, _tag_id: &str) -> Result<()> {
        self.unsupported("tags")
    }

    /// Stripe has no definitions: any name can be written, and a name that nobody wrote is empty.
    async fn get_custom_fields(&self) -> Result<Vec<CustomField>> {
        Ok(Vec::new())
    }

    async fn get_field_values(&self, contact_id: &str, keys: &[&str]) -> Result<Map<String, Value>> {
        let places = keys
            .iter()
            .map(|key| map::place(key).ok_or_else(|| self.refused(Refusal::Unknown((*key).to_owned()))))
            .collect::<Result<Vec<_>>>()?;
        let customer = self.customer(contact_id).await?;
        let values = places.iter().map(|place| map::read(&customer, place));
        Ok(keys.iter().map(|key| (*key).to_owned()).zip(values).collect())
    }

    async fn set_field_values(&self, contact_id: &str, values: &Map<String, Value>) -> Result<()> {
        if values.is_empty() {
            return Ok(());
        }
        self.write(contact_id, values).await.map(drop)
    }

    async fn list_automations(&self) -> Result<Vec<Automation>> {
        self.unsupported("automations")
    }

    async fn trigger_automation(&self, _contact_id: &str, _automation_id: &str) -> Result<()> {
        self.unsupported("automations")
    }

    async fn achieve_goal(&self, _contact_id: &str, _goal: &str, _integration: &str) -> Result<()> {
        self.unsupported("goals")
    }

    async fn set_opt_in_status(&self, _contact_id: &str, _opted_in: bool, _reason: &str) -> Result<OptInOutcome> {
        self.unsupported("marketing consent")
    }

    async fn get_opt_in_status(&self, _contact_id: &str) -> Result<OptInStatus> {
        self.unsupported("marketing consent")
    }

    async fn add_note(&self, _contact_id: &str, _title: &str, _body: &str) -> Result<()> {
        self.unsupported("notes")
    }

    async fn list_users(&self) -> Result<Vec<CrmUser>> {
        self.unsupported("users")
    }

    async fn set_owner(&self, _contact_id: &str, _user_id: &str) -> Result<()> {
        self.unsupported("owners")
    }

    async fn test_connection(&self) -> Result<()> {
        let call = Call::get("/balance", &[]);
        self.http.send(&call).await.map(drop)
    }
}
