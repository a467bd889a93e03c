//! The interface that every CRM implements (`connectors` §1.3).

use std::fmt;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::error::{ConnectorError, ErrorKind};
use crate::model::{
    Automation, Contact, ContactPage, ContactQuery, ContactUpdate, CrmUser, CustomField, NewContact, OptInOutcome,
    OptInStatus, OptInTarget, Tag,
};
use crate::question::Question;

/// What a connector can do; it lists only what it implements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Contacts can be read and written.
    Contacts,
    /// Tags can be read, applied and removed.
    Tags,
    /// Tags can be created by name.
    CreateTags,
    /// Custom fields can be read and written.
    CustomFields,
    /// Automations can be listed and started.
    Automations,
    /// Goals can be achieved.
    Goals,
    /// Marketing consent can be read and set.
    OptIn,
    /// Notes can be added.
    Notes,
    /// Owners can be listed and set.
    Owners,
}

/// Who a connector talks to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Metadata {
    /// For example `keap`.
    pub platform_slug: &'static str,
    /// For example `Keap (Infusionsoft)`.
    pub platform_name: &'static str,
    /// For example `v2`.
    pub api_version: &'static str,
    /// Start of every address.
    pub base_url: String,
}

/// The result of every operation.
pub type Result<T> = std::result::Result<T, ConnectorError>;

/// A connected CRM account.
///
/// Reads and the writes called *repeatable* may be sent again after an unknown outcome; the connector does so itself
/// within one call (`connectors` §1.5) and callers never repeat an operation that is not repeatable.
#[async_trait]
pub trait Connector: Send + Sync + fmt::Debug {
    /// Who this connector talks to.
    fn metadata(&self) -> Metadata;

    /// What this connector can do.
    fn capabilities(&self) -> &'static [Capability];

    /// Whether this connector can do that.
    fn can(&self, capability: Capability) -> bool {
        self.capabilities().contains(&capability)
    }

    /// One page of contacts in a stable order; following the cursor visits every contact once.
    ///
    /// # Errors
    /// `Unsupported` for an option the CRM cannot honour, before any request is sent.
    async fn get_contacts(&self, query: &ContactQuery) -> Result<ContactPage>;

    /// One contact with its standard fields, tags and custom fields; a deleted one is `NotFound`.
    async fn get_contact(&self, contact_id: &str) -> Result<Contact>;

    /// Every contact that has this address, compared without regard to case.
    async fn find_contacts_by_email(&self, email: &str) -> Result<Vec<Contact>>;

    /// How many contacts the query matches.
    async fn count_contacts(&self, query: &ContactQuery) -> Result<u64>;

    /// Creates a contact with everything given, or fails; not repeatable.
    ///
    /// # Errors
    /// `Conflict` with the existing id for a duplicate, `Partial` with the new id when a later part failed.
    async fn create_contact(&self, new: &NewContact) -> Result<Contact>;

    /// Creates the contact or updates the one with the same address; tells which.
    async fn upsert_contact(&self, new: &NewContact) -> Result<(Contact, bool)>;

    /// Changes only the given fields: absent leaves, `null` and `""` clear; repeatable.
    async fn update_contact(&self, contact_id: &str, update: &ContactUpdate) -> Result<()>;

    /// Deletes a contact; one that is gone already counts as deleted.
    async fn delete_contact(&self, contact_id: &str) -> Result<()>;

    /// Every tag of the account.
    async fn get_tags(&self) -> Result<Vec<Tag>>;

    /// Creates a tag without a category; not repeatable.
    async fn create_tag(&self, name: &str) -> Result<Tag>;

    /// Applies a tag by id; one that is there already counts as applied; repeatable.
    async fn apply_tag(&self, contact_id: &str, tag_id: &str) -> Result<()>;

    /// Removes a tag by id; one that is not there counts as removed; repeatable.
    async fn remove_tag(&self, contact_id: &str, tag_id: &str) -> Result<()>;

    /// Every custom field of contacts.
    async fn get_custom_fields(&self) -> Result<Vec<CustomField>>;

    /// Several fields of a contact in one read, keyed as asked; empty ones are `null`.
    ///
    /// # Errors
    /// `UnknownField` naming the first key that is neither a standard nor a custom field.
    async fn get_field_values(&self, contact_id: &str, keys: &[&str]) -> Result<Map<String, Value>>;

    /// Sets several fields of a contact in one write; repeatable.
    async fn set_field_values(&self, contact_id: &str, values: &Map<String, Value>) -> Result<()>;

    /// One field of a contact.
    async fn get_field_value(&self, contact_id: &str, key: &str) -> Result<Value> {
        let mut values = self.get_field_values(contact_id, &[key]).await?;
        Ok(values.remove(key).unwrap_or(Value::Null))
    }

    /// Sets one field of a contact; repeatable.
    async fn set_field_value(&self, contact_id: &str, key: &str, value: &Value) -> Result<()> {
        let values = Map::from_iter([(key.to_owned(), value.clone())]);
        self.set_field_values(contact_id, &values).await
    }

    /// Every automation a contact can be put into.
    async fn list_automations(&self) -> Result<Vec<Automation>>;

    /// Puts a contact into an automation; being in it already counts as done; not repeatable.
    async fn trigger_automation(&self, contact_id: &str, automation_id: &str) -> Result<()>;

    /// Achieves a goal by its call name; not repeatable.
    async fn achieve_goal(&self, contact_id: &str, goal: &str, integration: &str) -> Result<()>;

    /// What a contact can opt in to, where the CRM gives consent for each list or subscription type of its own; none
    /// where a contact has one consent for everything.
    async fn opt_in_targets(&self) -> Result<Vec<OptInTarget>> {
        Ok(Vec::new())
    }

    /// Sets marketing consent and tells what came of it; repeatable. Where there are several
    /// [`Connector::opt_in_targets`], opting in goes to the one that the connection's settings name.
    ///
    /// # Errors
    /// When the connection names none of several, or one that there is not: lists the candidates.
    async fn set_opt_in_status(&self, contact_id: &str, opted_in: bool, reason: &str) -> Result<OptInOutcome>;

    /// Sets marketing consent of one address, where the CRM keeps it for each address of a contact; repeatable.
    ///
    /// # Errors
    /// `Unsupported` where the CRM keeps one consent for the whole contact.
    async fn set_address_opt_in(&self, _: &str, _: &str, _: bool, _: &str) -> Result<OptInOutcome> {
        let what = "marketing consent for another address than the contact's main one";
        Err(ConnectorError::unsupported(self.metadata().platform_slug, what))
    }

    /// Reads marketing consent.
    async fn get_opt_in_status(&self, contact_id: &str) -> Result<OptInStatus>;

    /// Adds a note; not repeatable.
    async fn add_note(&self, contact_id: &str, title: &str, body: &str) -> Result<()>;

    /// Adds a note of a kind such as `call`; a CRM without kinds adds it all the same; not repeatable.
    async fn add_note_of_kind(&self, contact_id: &str, _kind: &str, title: &str, body: &str) -> Result<()> {
        self.add_note(contact_id, title, body).await
    }

    /// The CRM's users, who can own contacts.
    async fn list_users(&self) -> Result<Vec<CrmUser>>;

    /// Sets the owner of a contact; repeatable.
    async fn set_owner(&self, contact_id: &str, user_id: &str) -> Result<()>;

    /// Answers a question about a contact from the CRM's own records; null when there is no such record.
    ///
    /// # Errors
    /// `Unsupported` for a question that the CRM cannot answer, never null.
    async fn ask(&self, _contact_id: &str, question: &Question) -> Result<Value> {
        let metadata = self.metadata();
        let message = format!("{} does not tell {}", metadata.platform_name, question.topic());
        Err(ConnectorError::new(
            metadata.platform_slug,
            ErrorKind::Unsupported,
            message,
        ))
    }

    /// The cheapest authenticated read; `Unauthorized` is told apart from an outage.
    async fn test_connection(&self) -> Result<()>;
}

/// Counts what a query matches by reading ids page by page, where the vendor tells no total.
pub(crate) async fn count_pages(crm: &impl Connector, query: &ContactQuery) -> Result<u64> {
    let mut query = ContactQuery {
        ids_only: true,
        limit: None,
        cursor: None,
        ..query.clone()
    };
    let mut count = 0;
    loop {
        let page = crm.get_contacts(&query).await?;
        count += page.contacts.len() as u64;
        match page.next_cursor {
            Some(cursor) => query.cursor = Some(cursor),
            None => return Ok(count),
        }
    }
}
