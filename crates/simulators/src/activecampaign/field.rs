//! Custom fields: their types, and what a value must look like.

use chrono::{DateTime, NaiveDate};
use serde_json::{Value, json};

use super::error::ApiError;

/// The vendor's types of custom fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    TextArea,
    Date,
    DateTime,
    Dropdown,
    ListBox,
    Radio,
    CheckBox,
    Hidden,
    /// Old fields have no type.
    Null,
}

impl Kind {
    fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::Text => "text",
            Self::TextArea => "textarea",
            Self::Date => "date",
            Self::DateTime => "datetime",
            Self::Dropdown => "dropdown",
            Self::ListBox => "listbox",
            Self::Radio => "radio",
            Self::CheckBox => "checkbox",
            Self::Hidden => "hidden",
            Self::Null => return None,
        })
    }
}

/// A custom field; fields come from the seed and do not change.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) id: u64,
    pub(crate) title: &'static str,
    pub(crate) perstag: String,
    pub(crate) kind: Kind,
    pub(crate) options: Vec<FieldOption>,
    pub(crate) default: Option<&'static str>,
}

#[derive(Debug, Clone)]
pub(crate) struct FieldOption {
    pub(crate) id: u64,
    pub(crate) label: &'static str,
}

/// The personalisation tag of a title.
pub(crate) fn perstag(title: &str) -> String {
    let words: Vec<String> = title.split_whitespace().map(str::to_uppercase).collect();
    words.join("_")
}

/// Says whether a value is one of this field; a blank one clears it.
pub(crate) fn check(field: &Field, value: &str) -> Result<(), ApiError> {
    if value.is_empty() {
        return Ok(());
    }
    let is_option = |text: &str| field.options.iter().any(|option| option.label == text);
    let fits = match field.kind {
        Kind::Text | Kind::TextArea | Kind::Hidden | Kind::Null => true,
        Kind::Date => NaiveDate::parse_from_str(value, "%Y-%m-%d").is_ok(),
        Kind::DateTime => DateTime::parse_from_rfc3339(value).is_ok(),
        Kind::Dropdown | Kind::Radio => is_option(value),
        Kind::ListBox | Kind::CheckBox => value
            .strip_prefix("||")
            .and_then(|rest| rest.strip_suffix("||"))
            .is_some_and(|inner| inner.split("||").all(is_option)),
    };
    if fits {
        return Ok(());
    }
    let title = format!("The value of field {} is not valid.", field.id);
    Err(ApiError::invalid("value", "field_invalid", title))
}

pub(crate) fn show(field: &Field) -> Value {
    let options: Vec<String> = field.options.iter().map(|option| option.id.to_string()).collect();
    json!({
        "id": field.id.to_string(), "title": field.title, "descript": "", "type": field.kind.name(),
        "isrequired": "0", "perstag": field.perstag, "defval": field.default, "visible": "1",
        "ordernum": field.id.to_string(), "options": options, "links": {},
    })
}

pub(crate) fn show_options(field: &Field) -> impl Iterator<Item = Value> {
    (1u64..).zip(&field.options).map(|(order, option)| {
        json!({
            "id": option.id.to_string(), "field": field.id.to_string(), "label": option.label,
            "value": option.label, "orderid": order.to_string(), "isdefault": "0",
        })
    })
}
