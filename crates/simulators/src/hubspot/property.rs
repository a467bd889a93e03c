//! Properties of contacts: what there are, how a value is checked, and the form in which it is kept.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use mfh_types::TimestampMs;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::error::ApiError;
use super::state::State;

/// The vendor's types of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    Number,
    Bool,
    Enumeration,
    Date,
    Datetime,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "bool",
            Self::Enumeration => "enumeration",
            Self::Date => "date",
            Self::Datetime => "datetime",
        }
    }
}

/// Who made a property and who may see and write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The account.
    Account,
    /// The account, as a formula.
    Formula,
    /// The vendor.
    Vendor,
    /// The vendor, which alone writes it.
    Computed,
    /// The vendor, which alone writes and sees it.
    Hidden,
}

/// A property.
#[derive(Debug, Clone)]
pub(crate) struct Property {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) kind: Kind,
    /// How it is shown in forms: `text`, `checkbox`, …
    pub(crate) form: &'static str,
    pub(crate) origin: Origin,
    /// Label and value of each option.
    pub(crate) options: Vec<(&'static str, &'static str)>,
    pub(crate) is_money: bool,
    /// `percentage` and the like.
    pub(crate) hint: Option<&'static str>,
}

impl Property {
    fn writable(&self) -> bool {
        matches!(self.origin, Origin::Account | Origin::Vendor)
    }

    /// The property as the vendor shows it.
    pub(crate) fn show(&self, created_at: TimestampMs) -> Value {
        let by_vendor = !matches!(self.origin, Origin::Account | Origin::Formula);
        let options = self.options.iter().enumerate().map(|(index, (label, value))| {
            json!({
                "label": label, "value": value, "displayOrder": index, "hidden": false, "description": null,
            })
        });
        let to_owner = self.name == "hubspot_owner_id";
        let mut shown = json!({
            "name": self.name,
            "label": self.label,
            "type": self.kind.name(),
            "fieldType": self.form,
            "description": "",
            "groupName": if by_vendor { "contactinformation" } else { "demo_fields" },
            "options": options.collect::<Vec<_>>(),
            "displayOrder": -1,
            "calculated": self.origin == Origin::Formula,
            "externalOptions": to_owner,
            "hasUniqueValue": false,
            "hidden": self.origin == Origin::Hidden,
            "formField": self.writable(),
            "archived": false,
            "createdAt": created_at,
            "updatedAt": created_at,
            "modificationMetadata": {
                "archivable": !by_vendor,
                "readOnlyDefinition": by_vendor,
                "readOnlyValue": !self.writable(),
            },
        });
        if by_vendor {
            shown["hubspotDefined"] = true.into();
        }
        if to_owner {
            shown["referencedObjectType"] = "OWNER".into();
        }
        if self.is_money {
            shown["showCurrencySymbol"] = true.into();
        }
        if let Some(hint) = self.hint {
            shown["numberDisplayHint"] = hint.into();
        }
        shown
    }

    /// The form in which a value that is not empty is kept.
    pub(crate) fn keep(&self, state: &State, text: &str) -> Result<String, ApiError> {
        let refuse = |error: &str, message: String| Err(ApiError::property(self.name, error, message));
        if !self.writable() {
            return refuse("READ_ONLY_VALUE", format!("\"{}\" is a read only property", self.name));
        }
        match self.kind {
            Kind::String if self.name == "email" => match is_email(text) {
                true => Ok(text.trim().to_lowercase()),
                false => refuse("INVALID_EMAIL", "Email address is invalid".to_owned()),
            },
            Kind::String => Ok(text.to_owned()),
            Kind::Number => match text.parse::<Decimal>() {
                Ok(_) => Ok(text.to_owned()),
                Err(_) => refuse("INVALID_INTEGER", format!("{text} was not a valid number")),
            },
            Kind::Enumeration if self.name == "hubspot_owner_id" => {
                let is_owner = |id: u64| state.owners.iter().any(|owner| owner.id == id && !owner.archived);
                match text.parse().is_ok_and(is_owner) {
                    true => Ok(text.to_owned()),
                    false => refuse("INVALID_OWNER_ID", format!("{text} is not an owner")),
                }
            }
            Kind::Bool | Kind::Enumeration => self.keep_options(text),
            Kind::Date => match day(text) {
                Some(day) => Ok(day.to_string()),
                None => refuse(
                    "INVALID_DATE",
                    format!("{text} is not a day: use YYYY-MM-DD or midnight UTC"),
                ),
            },
            Kind::Datetime => match instant(text) {
                Some(time) => Ok(time.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
                None => refuse(
                    "INVALID_LONG",
                    format!("{text} is not a time in ISO 8601 or milliseconds"),
                ),
            },
        }
    }

    fn keep_options(&self, text: &str) -> Result<String, ApiError> {
        let chosen: Vec<&str> = match self.form {
            "checkbox" => text.split(';').map(str::trim).filter(|part| !part.is_empty()).collect(),
            _ => vec![text],
        };
        let is_option = |value: &&str| self.options.iter().any(|(_, known)| known == value);
        match chosen.iter().find(|value| !is_option(value)) {
            None => Ok(chosen.join(";")),
            Some(wrong) => {
                let allowed: Vec<&str> = self.options.iter().map(|(_, value)| *value).collect();
                let message = format!("{wrong} was not one of the allowed options: [{}]", allowed.join(", "));
                Err(ApiError::property(self.name, "INVALID_OPTION", message))
            }
        }
    }
}

/// The property of this name.
pub(crate) fn find<'a>(state: &'a State, name: &str) -> Result<&'a Property, ApiError> {
    let property = state.properties.iter().find(|property| property.name == name);
    property.ok_or_else(|| {
        let message = format!("Property \"{name}\" does not exist");
        ApiError::property(name, "PROPERTY_DOESNT_EXIST", message)
    })
}

/// Whether a text has the shape of an address.
pub(crate) fn is_email(text: &str) -> bool {
    let text = text.trim();
    let parts = text.split_once('@');
    !text.contains(char::is_whitespace) && parts.is_some_and(|(name, host)| !name.is_empty() && host.contains('.'))
}

/// `YYYY-MM-DD`, or milliseconds at midnight UTC.
fn day(text: &str) -> Option<NaiveDate> {
    let by_millis = || {
        let time = DateTime::from_timestamp_millis(text.parse().ok()?)?;
        (time.timestamp_millis() % 86_400_000 == 0).then(|| time.date_naive())
    };
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().or_else(by_millis)
}

/// ISO 8601 with offset, or milliseconds.
pub(crate) fn instant(text: &str) -> Option<DateTime<Utc>> {
    let by_millis = || DateTime::from_timestamp_millis(text.parse().ok()?);
    let iso = DateTime::parse_from_rfc3339(text).ok();
    iso.map(|time| time.to_utc()).or_else(by_millis)
}
