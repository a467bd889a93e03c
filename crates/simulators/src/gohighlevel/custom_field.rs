//! Custom fields: what each type takes, and how values are stored and shown.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::Deserialize;
use serde_json::{Map, Number, Value, json};

use super::LOCATION_ID;
use super::contact::is_email;
use super::error::ApiError;
use super::state::{Contact, CustomField, FieldType, State};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    id: String,
    #[serde(default)]
    key: Option<String>,
    #[serde(default)]
    field_value: Value,
}

/// Sets the given values and keeps the others.
pub(crate) fn write(state: &State, contact: &mut Contact, value: &Value) -> Result<(), ApiError> {
    let sent: Vec<Sent> = serde_json::from_value(value.clone())
        .map_err(|error| ApiError::property(format!("customFields is not valid: {error}")))?;
    for Sent { id, key, field_value } in sent {
        let field = state.custom_fields.get(&id);
        let field = field.filter(|field| key.as_ref().is_none_or(|key| field.field_key.ends_with(key.as_str())));
        let field = field.ok_or_else(|| ApiError::missing("Custom field"))?;
        match read(field, &field_value)? {
            Some(value) => drop(contact.custom_fields.insert(id, value)),
            None => drop(contact.custom_fields.remove(&id)),
        }
    }
    Ok(())
}

/// Reads one value; `None` clears the field.
fn read(field: &CustomField, value: &Value) -> Result<Option<Value>, ApiError> {
    let refused = |expected: &str| ApiError::property(format!("{} expects {expected}", field.name));
    match value {
        Value::Null => return Err(refused("a value that is not null")),
        Value::String(text) if text.is_empty() => return Ok(None),
        Value::Array(members) if members.is_empty() => return Ok(None),
        _ => {}
    }
    let stored = match field.data_type {
        FieldType::Text | FieldType::LargeText | FieldType::Phone => text(value).ok_or_else(|| refused("text"))?,
        FieldType::Email => text(value)
            .filter(|text| text.as_str().is_some_and(is_email))
            .ok_or_else(|| refused("an e-mail address"))?,
        FieldType::Numerical | FieldType::Monetory => number(value).ok_or_else(|| refused("a number"))?,
        FieldType::SingleOptions | FieldType::Radio => {
            option(field, value).ok_or_else(|| refused("one of its options"))?
        }
        FieldType::Checkbox | FieldType::MultipleOptions => value
            .as_array()
            .and_then(|members| members.iter().map(|member| option(field, member)).collect())
            .ok_or_else(|| refused("a list of its options"))?,
        FieldType::Date => value
            .as_str()
            .filter(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok())
            .map(Value::from)
            .ok_or_else(|| refused("a date of the form YYYY-MM-DD"))?,
        FieldType::TextboxList | FieldType::FileUpload => value
            .is_object()
            .then(|| value.clone())
            .ok_or_else(|| refused("an object"))?,
    };
    Ok(Some(stored))
}

fn text(value: &Value) -> Option<Value> {
    match value {
        Value::String(text) => Some(Value::from(text.as_str())),
        Value::Number(number) => Some(Value::from(number.to_string())),
        _ => None,
    }
}

fn number(value: &Value) -> Option<Value> {
    let exact: Decimal = match value {
        Value::Number(number) => number.to_string().parse().ok()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    if exact.is_integer() {
        return exact.to_i64().map(Value::from);
    }
    exact.to_f64().and_then(Number::from_f64).map(Value::Number)
}

fn option(field: &CustomField, value: &Value) -> Option<Value> {
    let text = value.as_str()?;
    field.options.iter().any(|option| option == text).then(|| text.into())
}

/// The values of a contact as the API shows them.
pub(crate) fn show_all(state: &State, contact: &Contact) -> Vec<Value> {
    let values = contact.custom_fields.iter();
    let shown = values.filter_map(|(id, value)| {
        let field = state.custom_fields.get(id)?;
        Some(json!({ "id": id, "value": show_value(field, value) }))
    });
    shown.collect()
}

/// Days are shown as milliseconds since 1970.
fn show_value(field: &CustomField, value: &Value) -> Value {
    let day = value.as_str().filter(|_| field.data_type == FieldType::Date);
    let day = day.and_then(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok());
    match day {
        Some(day) => day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis().into(),
        None => value.clone(),
    }
}

/// The values of a contact by key without prefix, for people and tests.
pub(crate) fn by_key(state: &State, contact: &Contact) -> Value {
    let values = contact.custom_fields.iter();
    let named = values.filter_map(|(id, value)| {
        let key = &state.custom_fields.get(id)?.field_key;
        let key = key.strip_prefix("contact.").unwrap_or(key);
        Some((key.to_owned(), value.clone()))
    });
    Value::Object(named.collect::<Map<String, Value>>())
}

/// A definition.
pub(crate) fn show(field: &CustomField) -> Value {
    let mut shown = json!({
        "id": field.id,
        "name": field.name,
        "fieldKey": field.field_key,
        "placeholder": "",
        "dataType": field.data_type,
        "position": field.position,
        "locationId": LOCATION_ID,
        "model": "contact",
    });
    if !field.options.is_empty() {
        shown["picklistOptions"] = json!(field.options);
        shown["isAllowedCustomOption"] = false.into();
    }
    shown
}
