//! Custom fields: what each type takes, and how values are stored and shown.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use mfh_types::TimestampMs;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde_json::{Number, Value, json};

use super::error::ApiError;
use super::filter::Condition;
use super::state::{Contact, CustomField, FieldType, State};

/// The longest text value, in characters.
const MAX_TEXT: usize = 65_535;

pub(crate) fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(name, domain)| {
        !name.is_empty() && domain.contains('.') && !domain.contains('@') && !text.contains(char::is_whitespace)
    })
}

/// Reads the whole `custom_fields` array; what is not in it is not kept.
pub(crate) fn read_all(state: &State, value: &Value) -> Result<BTreeMap<u64, Value>, ApiError> {
    let entries = match value {
        Value::Null => return Ok(BTreeMap::new()),
        Value::Array(entries) => entries,
        _ => return Err(ApiError::property("custom_fields", "expects an array")),
    };
    let mut values = BTreeMap::new();
    for entry in entries {
        let id = entry.get("id").and_then(Value::as_str).unwrap_or_default();
        let field = id
            .parse::<u64>()
            .ok()
            .and_then(|id| state.custom_fields.get(&id))
            .ok_or_else(|| {
                let message = format!("there is no contact custom field with id `{id}`");
                ApiError::property("custom_fields", message)
            })?;
        let content = entry.get("content").unwrap_or(&Value::Null);
        if let Some(content) = read(state, field, content)? {
            values.insert(field.id, content);
        }
    }
    Ok(values)
}

/// Reads one value; `None` clears the field.
fn read(state: &State, field: &CustomField, content: &Value) -> Result<Option<Value>, ApiError> {
    if content.is_null() || content.as_str().is_some_and(str::is_empty) {
        return Ok(None);
    }
    let refused = |expected: &str| {
        ApiError::property(
            "custom_fields",
            format!("{} ({}) expects {expected}", field.label, field.field_name),
        )
    };
    let value = match field.field_type {
        FieldType::Currency | FieldType::DecimalNumber | FieldType::Percent => {
            { decimal(content).and_then(number) }.ok_or_else(|| refused("a number"))?
        }
        FieldType::WholeNumber | FieldType::Year => {
            whole(content, i64::MIN, i64::MAX).ok_or_else(|| refused("a whole number"))?
        }
        FieldType::DayOfWeek => whole(content, 1, 7).ok_or_else(|| refused("a number from 1 to 7"))?,
        FieldType::Month => whole(content, 1, 12).ok_or_else(|| refused("a number from 1 to 12"))?,
        FieldType::Date => date(content).ok_or_else(|| refused("a date of the form YYYY-MM-DD"))?,
        FieldType::DateTime => date_time(content).ok_or_else(|| refused("a date-time with offset"))?,
        FieldType::YesNo => yes_no(content).ok_or_else(|| refused("true or false"))?,
        FieldType::Dropdown | FieldType::Radio | FieldType::Drilldown => {
            option(field, content).ok_or_else(|| refused("one of its options"))?
        }
        FieldType::ListBox => {
            each(content, |item| option(field, item)).ok_or_else(|| refused("some of its options"))?
        }
        FieldType::User => user(state, content).ok_or_else(|| refused("the id of a user"))?,
        FieldType::UserListBox => each(content, |item| user(state, item)).ok_or_else(|| refused("ids of users"))?,
        FieldType::Email => text(content)
            .filter(|value| value.as_str().is_some_and(is_email))
            .ok_or_else(|| refused("an e-mail address"))?,
        FieldType::Name
        | FieldType::PhoneNumber
        | FieldType::SocialSecurityNumber
        | FieldType::State
        | FieldType::Text
        | FieldType::TextArea
        | FieldType::Website => text(content).ok_or_else(|| refused("text of at most 65535 characters"))?,
    };
    Ok(Some(value))
}

fn text(content: &Value) -> Option<Value> {
    let text = match content {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(flag) => flag.to_string(),
        _ => return None,
    };
    (text.chars().count() <= MAX_TEXT).then_some(Value::String(text))
}

fn decimal(content: &Value) -> Option<Decimal> {
    match content {
        Value::Number(number) => number.to_string().parse().ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn number(decimal: Decimal) -> Option<Value> {
    if decimal.is_integer() {
        return decimal.to_i64().map(Value::from);
    }
    decimal.to_f64().and_then(Number::from_f64).map(Value::Number)
}

fn whole(content: &Value, min: i64, max: i64) -> Option<Value> {
    let number = decimal(content).filter(Decimal::is_integer)?.to_i64()?;
    (min..=max).contains(&number).then(|| number.into())
}

fn date(content: &Value) -> Option<Value> {
    let text = content.as_str()?;
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .or_else(|_| DateTime::parse_from_rfc3339(text).map(|time| time.date_naive()))
        .ok()?;
    Some(date.to_string().into())
}

fn date_time(content: &Value) -> Option<Value> {
    let time = DateTime::parse_from_rfc3339(content.as_str()?).ok()?;
    Some(json!(TimestampMs(time.with_timezone(&Utc))))
}

fn yes_no(content: &Value) -> Option<Value> {
    let word = match content {
        Value::Bool(flag) => return Some((*flag).into()),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.to_lowercase(),
        _ => return None,
    };
    match word.as_str() {
        "1" | "true" | "yes" => Some(true.into()),
        "0" | "false" | "no" => Some(false.into()),
        _ => None,
    }
}

/// The label of an option that is given by label or id.
fn option(field: &CustomField, content: &Value) -> Option<Value> {
    let given = text(content)?;
    let given = given.as_str()?;
    let mut options = field.options.iter();
    options
        .find(|option| option.label.eq_ignore_ascii_case(given) || option.id == given)
        .map(|option| option.label.as_str().into())
}

fn user(state: &State, content: &Value) -> Option<Value> {
    let id = text(content)?;
    state.user(id.as_str()?).ok().map(|_| id.clone())
}

/// Several values: an array, or text with commas.
fn each(content: &Value, read: impl Fn(&Value) -> Option<Value>) -> Option<Value> {
    match content {
        Value::Array(items) => items.iter().map(read).collect(),
        Value::String(text) => text.split(',').map(|item| read(&item.trim().into())).collect(),
        other => Some(Value::Array(vec![read(other)?])),
    }
}

/// All custom fields of a contact in the vendor's shape; those without a value have a null content.
pub(crate) fn show_all(state: &State, contact: &Contact) -> Value {
    state
        .custom_fields
        .keys()
        .map(|id| json!({ "id": id.to_string(), "content": contact.custom_fields.get(id) }))
        .collect()
}

/// Values by field name, for people and logs.
pub(crate) fn by_name(state: &State, values: &BTreeMap<u64, Value>) -> Value {
    values
        .iter()
        .filter_map(|(id, value)| Some((state.custom_fields.get(id)?.field_name.clone(), value.clone())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The definition in the vendor's shape.
pub(crate) fn show(field: &CustomField) -> Value {
    let mut shown = json!({
        "id": field.id.to_string(),
        "label": field.label,
        "field_name": field.field_name,
        "field_type": field.field_type,
        "record_type": "CONTACT",
        "group_id": "1",
        "group_name": "Custom Fields",
        "options": field
            .options
            .iter()
            .map(|option| json!({ "id": option.id, "label": option.label }))
            .collect::<Value>(),
    });
    if let Some(default) = &field.default_value {
        shown["default_value"] = default.as_str().into();
    }
    shown
}

/// A test of a stored value.
type ValueTest = Box<dyn Fn(&Value) -> bool>;

/// A test of a contact's stored value, as the filter grammar allows it for the field's type.
pub(crate) fn filter(field: &CustomField, condition: &Condition) -> Result<ValueTest, ApiError> {
    Ok(match field.field_type {
        FieldType::Currency
        | FieldType::DecimalNumber
        | FieldType::Percent
        | FieldType::WholeNumber
        | FieldType::Year
        | FieldType::Month
        | FieldType::DayOfWeek
        | FieldType::User => {
            let holds = condition.number()?;
            Box::new(move |value| decimal(value).is_some_and(&holds))
        }
        FieldType::Date | FieldType::DateTime => {
            let holds = condition.instants()?;
            Box::new(move |value| instant(value).is_some_and(&holds))
        }
        FieldType::ListBox | FieldType::UserListBox => {
            let holds = condition.text()?;
            Box::new(move |value| {
                let mut items = value.as_array().into_iter().flatten();
                items.any(|item| item.as_str().is_some_and(&holds))
            })
        }
        FieldType::YesNo => {
            let wanted = condition.set()?;
            let wanted = wanted.first().and_then(|word| yes_no(&word.as_str().into()));
            Box::new(move |value| Some(value) == wanted.as_ref())
        }
        _ => {
            let holds = condition.text()?;
            Box::new(move |value| value.as_str().is_some_and(&holds))
        }
    })
}

fn instant(value: &Value) -> Option<DateTime<Utc>> {
    let text = value.as_str()?;
    match NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        Ok(date) => Some(date.and_hms_opt(0, 0, 0)?.and_utc()),
        Err(_) => DateTime::parse_from_rfc3339(text)
            .ok()
            .map(|time| time.with_timezone(&Utc)),
    }
}
