//! Our model of CRM data; the JSON names are contract (`connectors` §1.2).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use mfh_types::Timestamp;

/// A tag of a contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagRef {
    /// The tag's id (GoHighLevel: its name).
    pub id: String,
    /// Its name; empty when the CRM gave only the id and the name was not looked up.
    #[serde(default)]
    pub name: String,
}

/// A tag of the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// The id helpers use.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The name of its category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The vendor's id, where `id` is something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor_id: Option<String>,
}

/// The normalised kind of a field's values (`connectors` §1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(
    missing_docs,
    reason = "the names say it; the normal form of each is in connectors §1.7"
)]
pub enum DataType {
    #[default]
    Text,
    LongText,
    Integer,
    Decimal,
    Currency,
    Percent,
    Boolean,
    Date,
    Datetime,
    Select,
    MultiSelect,
    Email,
    Phone,
    Url,
    Country,
    State,
    User,
    File,
    Other,
}

/// A custom field of contacts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CustomField {
    /// The vendor's id.
    pub id: String,
    /// The vendor's key.
    pub key: String,
    /// What users call it.
    pub label: String,
    /// The vendor's type.
    pub field_type: String,
    /// The kind of its values.
    #[serde(default)]
    pub data_type: DataType,
    /// The group it is shown in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group_name: Option<String>,
    /// The labels of its choices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// The vendor's ids of the choices, parallel to `options`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub option_ids: Vec<String>,
    /// What it holds when nothing was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_value: Option<String>,
    /// Whether it cannot be written.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
}

/// A postal address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// Street.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address1: Option<String>,
    /// Second line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address2: Option<String>,
    /// City.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// State or region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Postal code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zip: Option<String>,
    /// Country, alpha-2 where it can be converted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// An e-mail address or phone number with the CRM's name for its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// The CRM's name, such as `EMAIL2`.
    pub slot: String,
    /// The value.
    pub value: String,
}

/// Marketing consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptInStatus {
    /// Mail may be sent.
    OptedIn,
    /// Mail may not be sent.
    OptedOut,
    /// The CRM does not say.
    Unknown,
}

/// What came of setting marketing consent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptInOutcome {
    /// It is set now.
    Applied,
    /// It was so before.
    Already,
    /// The contact has to confirm.
    NeedsConfirmation,
    /// The CRM keeps the old status.
    NotPermitted,
}

/// A contact.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Contact {
    /// The vendor's id.
    pub id: String,
    /// Given name.
    pub first_name: String,
    /// Family name.
    pub last_name: String,
    /// Main address.
    pub email: String,
    /// Main phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub company: Option<String>,
    /// Job title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job_title: Option<String>,
    /// Tags in the CRM's order; `None` means not loaded, empty means none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<TagRef>>,
    /// Custom values by the key of their definition; empty ones are left out.
    pub custom_fields: Map<String, Value>,
    /// The slug of the CRM.
    pub source_crm: String,
    /// The vendor's id again (contract of templates and data sync).
    pub source_id: String,
    /// When it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When it was last changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
    /// The CRM user who owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<String>,
    /// Time zone, as the CRM writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Website.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub website: Option<String>,
    /// `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birthday: Option<String>,
    /// `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub anniversary: Option<String>,
    /// Where the contact came from, as the CRM writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Main address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<Address>,
    /// Every e-mail address.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<Slot>,
    /// Every phone number.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub phones: Vec<Slot>,
    /// Marketing consent of the main address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opt_in: Option<OptInStatus>,
}

impl Contact {
    /// A contact with this id and what `standard` gives for the standard fields that nearly every CRM has.
    pub(crate) fn new(source_crm: &str, id: String, standard: impl Fn(&'static str) -> Option<String>) -> Self {
        Self {
            source_id: id.clone(),
            id,
            first_name: standard("first_name").unwrap_or_default(),
            last_name: standard("last_name").unwrap_or_default(),
            email: standard("email").unwrap_or_default(),
            phone: standard("phone"),
            company: standard("company"),
            owner_id: standard("owner_id"),
            timezone: standard("timezone"),
            website: standard("website"),
            source_crm: source_crm.to_owned(),
            ..Self::default()
        }
    }
}

impl Contact {
    /// The first and last name joined by a blank.
    pub fn full_name(&self) -> String {
        format!("{} {}", self.first_name, self.last_name).trim().to_owned()
    }
}

/// One page of contacts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ContactPage {
    /// The contacts.
    pub contacts: Vec<Contact>,
    /// How many there are in all, when the vendor says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Opaque start of the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Which contacts, and how many at a time; a connector honours every option or answers `Unsupported`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ContactQuery {
    /// Contacts a page; clamped to the vendor's largest page, which is also the default.
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Only contacts with this tag, the longest tagged first where the CRM can sort by it.
    pub tag_id: Option<String>,
    /// Only contacts with this address.
    pub email: Option<String>,
    /// Only contacts changed at or after this time.
    pub updated_since: Option<Timestamp>,
    /// Whether the caller reads nothing but ids, so that the connector may leave out the rest.
    pub ids_only: bool,
}

/// A contact to create. Standard names, custom keys, labels and ids go into `fields` alike.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NewContact {
    /// Values by field name.
    pub fields: Map<String, Value>,
    /// Tag ids to apply.
    pub tags: Vec<String>,
}

/// Changes to a contact: absent leaves, `null` and `""` clear.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContactUpdate {
    /// Values by field name.
    pub fields: Map<String, Value>,
}

/// Something a contact can be put into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Automation {
    /// The vendor's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The vendor's status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// What a contact can opt in to, where consent is given for each list or subscription type of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptInTarget {
    /// The vendor's id.
    pub id: String,
    /// Display name.
    pub name: String,
}

/// A user of the CRM.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CrmUser {
    /// The vendor's id.
    pub id: String,
    /// Display name.
    pub name: String,
    /// Address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}
