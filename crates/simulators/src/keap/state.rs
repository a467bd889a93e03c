//! The records of a Keap account.

use std::collections::BTreeMap;

use mfh_types::{JsonObject, TimestampMs};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::error::ApiError;
use super::seed;
use crate::records::{self, Records, Step};

/// A contact with everything that belongs to it alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub(crate) id: u64,
    /// Properties in the vendor's own shape, without what is derived (opt-in state, tags, custom fields).
    pub(crate) properties: JsonObject,
    pub(crate) company_id: Option<u64>,
    /// Value by custom field id.
    pub(crate) custom_fields: BTreeMap<u64, Value>,
    /// When each tag was applied.
    pub(crate) tags: BTreeMap<u64, TimestampMs>,
    /// When each automation sequence was entered.
    pub(crate) sequences: BTreeMap<u64, TimestampMs>,
    /// Goals in the order they were achieved; a goal may occur twice.
    pub(crate) goals: Vec<AchievedGoal>,
    pub(crate) create_time: TimestampMs,
    pub(crate) update_time: TimestampMs,
}

impl Contact {
    pub(crate) fn new(id: u64, now: TimestampMs) -> Self {
        Self {
            id,
            properties: JsonObject::new(),
            company_id: None,
            custom_fields: BTreeMap::new(),
            tags: BTreeMap::new(),
            sequences: BTreeMap::new(),
            goals: Vec::new(),
            create_time: now,
            update_time: now,
        }
    }

    /// A text property; absent and empty are the same.
    pub(crate) fn text(&self, property: &str) -> Option<&str> {
        self.properties.get(property)?.as_str().filter(|text| !text.is_empty())
    }

    /// The entries of an array property.
    pub(crate) fn entries(&self, property: &str) -> impl Iterator<Item = &JsonObject> {
        self.properties
            .get(property)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
    }

    /// All e-mail addresses, the primary one first.
    pub(crate) fn emails(&self) -> impl Iterator<Item = &str> {
        self.entries("email_addresses")
            .filter_map(|entry| entry.get("email")?.as_str())
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct AchievedGoal {
    pub(crate) goal_id: u64,
    pub(crate) at: TimestampMs,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tag {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) category_id: Option<u64>,
    pub(crate) create_time: TimestampMs,
    pub(crate) update_time: TimestampMs,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TagCategory {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) create_time: TimestampMs,
    pub(crate) update_time: TimestampMs,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CustomField {
    pub(crate) id: u64,
    pub(crate) label: String,
    pub(crate) field_name: String,
    pub(crate) field_type: FieldType,
    pub(crate) options: Vec<FieldOption>,
    pub(crate) default_value: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FieldOption {
    pub(crate) id: String,
    pub(crate) label: String,
}

/// The vendor's types of custom fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum FieldType {
    Currency,
    Date,
    DateTime,
    DayOfWeek,
    DecimalNumber,
    Drilldown,
    Dropdown,
    Email,
    ListBox,
    Month,
    Name,
    Percent,
    PhoneNumber,
    Radio,
    SocialSecurityNumber,
    State,
    Text,
    TextArea,
    User,
    UserListBox,
    Website,
    WholeNumber,
    Year,
    YesNo,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Company {
    pub(crate) id: u64,
    pub(crate) name: String,
}

/// Whether an address may be mailed; it holds for the address, whichever contacts have it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct EmailStatus {
    pub(crate) email: String,
    pub(crate) status: OptStatus,
    pub(crate) create_time: TimestampMs,
}

/// The vendor's opt-in states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum OptStatus {
    UnengagedMarketable,
    SingleOptIn,
    DoubleOptIn,
    Confirmed,
    UnengagedNonMarketable,
    NonMarketable,
    Lockdown,
    Bounce,
    HardBounce,
    Manual,
    Admin,
    System,
    ListUnsubscribe,
    Feedback,
    Spam,
    Invalid,
    Deactivated,
}

impl OptStatus {
    pub(crate) fn opted_in(self) -> bool {
        matches!(
            self,
            Self::UnengagedMarketable | Self::SingleOptIn | Self::DoubleOptIn | Self::Confirmed
        )
    }

    /// The state after an opt-in: only four states give way to it.
    pub(crate) fn after_opt_in(self) -> Self {
        match self {
            Self::UnengagedMarketable | Self::UnengagedNonMarketable | Self::NonMarketable | Self::Manual => {
                Self::SingleOptIn
            }
            kept => kept,
        }
    }

    /// The state after an opt-out: states that already bar mail stay.
    pub(crate) fn after_opt_out(self) -> Self {
        if self.opted_in() || matches!(self, Self::UnengagedNonMarketable | Self::NonMarketable) {
            Self::Manual
        } else {
            self
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) id: u64,
    pub(crate) contact_id: u64,
    pub(crate) user_id: u64,
    pub(crate) title: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) note_type: Option<String>,
    pub(crate) pinned_at: Option<TimestampMs>,
    pub(crate) create_time: TimestampMs,
    pub(crate) update_time: TimestampMs,
}

/// An automation; automations, goals and users come from the seed and do not change.
#[derive(Debug, Clone)]
pub(crate) struct Automation {
    pub(crate) id: u64,
    pub(crate) title: &'static str,
    pub(crate) published: bool,
    pub(crate) sequences: Vec<Sequence>,
    pub(crate) create_time: TimestampMs,
}

#[derive(Debug, Clone)]
pub(crate) struct Sequence {
    pub(crate) id: u64,
    pub(crate) name: &'static str,
}

#[derive(Debug, Clone)]
pub(crate) struct Goal {
    pub(crate) id: u64,
    pub(crate) automation_id: u64,
    pub(crate) name: &'static str,
    pub(crate) integration: &'static str,
    pub(crate) call_name: &'static str,
    /// The sequence that a contact enters on achieving the goal.
    pub(crate) starts: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) given_name: &'static str,
    pub(crate) family_name: &'static str,
    pub(crate) email: &'static str,
    pub(crate) admin: bool,
    pub(crate) active: bool,
    pub(crate) create_time: TimestampMs,
}

/// Anything that is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Record {
    Contact(Contact),
    Tag(Tag),
    TagCategory(TagCategory),
    CustomField(CustomField),
    Company(Company),
    EmailStatus(EmailStatus),
    Note(Note),
}

/// A change to such an account in the making.
pub(crate) type Transaction<'a> = records::Transaction<'a, State>;

/// The whole account in memory.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) contacts: BTreeMap<u64, Contact>,
    pub(crate) tags: BTreeMap<u64, Tag>,
    pub(crate) tag_categories: BTreeMap<u64, TagCategory>,
    pub(crate) custom_fields: BTreeMap<u64, CustomField>,
    pub(crate) companies: BTreeMap<u64, Company>,
    /// By lower-case address.
    pub(crate) email_statuses: BTreeMap<String, EmailStatus>,
    pub(crate) notes: BTreeMap<u64, Note>,
    pub(crate) automations: Vec<Automation>,
    pub(crate) goals: Vec<Goal>,
    pub(crate) users: Vec<User>,
}

impl Records for State {
    type Record = Record;

    /// Users, automations and goals are there from the beginning.
    fn bare() -> Self {
        Self {
            automations: seed::automations(),
            goals: seed::goals(),
            users: seed::users(),
            ..Self::default()
        }
    }

    fn key(record: &Record) -> (&'static str, String) {
        match record {
            Record::Contact(it) => ("contact", it.id.to_string()),
            Record::Tag(it) => ("tag", it.id.to_string()),
            Record::TagCategory(it) => ("tag_category", it.id.to_string()),
            Record::CustomField(it) => ("custom_field", it.id.to_string()),
            Record::Company(it) => ("company", it.id.to_string()),
            Record::EmailStatus(it) => ("email_status", it.email.to_lowercase()),
            Record::Note(it) => ("note", it.id.to_string()),
        }
    }

    fn apply(&mut self, step: Step, record: Record) {
        match record {
            Record::Contact(it) => step.on(&mut self.contacts, it.id, it),
            Record::Tag(it) => step.on(&mut self.tags, it.id, it),
            Record::TagCategory(it) => step.on(&mut self.tag_categories, it.id, it),
            Record::CustomField(it) => step.on(&mut self.custom_fields, it.id, it),
            Record::Company(it) => step.on(&mut self.companies, it.id, it),
            Record::EmailStatus(it) => step.on(&mut self.email_statuses, it.email.to_lowercase(), it),
            Record::Note(it) => step.on(&mut self.notes, it.id, it),
        }
    }

    fn first_id(kind: &str) -> u64 {
        match kind {
            "contact" => 1001,
            "tag" => 101,
            "tag_category" => 11,
            "note" => 5001,
            "company" => 301,
            _ => 1,
        }
    }
}

impl State {
    /// The contact of an id as it stands in a path or body.
    pub(crate) fn contact(&self, id: &str) -> Result<&Contact, ApiError> {
        find(&self.contacts, "contact", id)
    }

    /// The tag of an id as it stands in a path.
    pub(crate) fn tag(&self, id: &str) -> Result<&Tag, ApiError> {
        find(&self.tags, "tag", id)
    }

    /// The user of an id as it stands in a path or body.
    pub(crate) fn user(&self, id: &str) -> Result<&User, ApiError> {
        self.users
            .iter()
            .find(|user| user.id.to_string() == id)
            .ok_or_else(|| ApiError::missing("user", id))
    }

    /// The state of an address; one that was never seen may not be marketed to.
    pub(crate) fn opt_status(&self, email: &str) -> OptStatus {
        self.email_statuses
            .get(&email.to_lowercase())
            .map_or(OptStatus::NonMarketable, |status| status.status)
    }
}

/// The record of an id that may be malformed.
pub(crate) fn find<'a, T>(records: &'a BTreeMap<u64, T>, what: &str, id: &str) -> Result<&'a T, ApiError> {
    id.parse()
        .ok()
        .and_then(|id: u64| records.get(&id))
        .ok_or_else(|| ApiError::missing(what, id))
}
