//! Lenient readers of vendors' JSON: numbers as texts, texts as numbers, `null` for nothing.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A text; numbers and booleans are written out, everything else is absent.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(plain(Value::deserialize(deserializer)?))
}

/// A list of texts; members that are none are dropped.
pub(crate) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let Value::Array(members) = Value::deserialize(deserializer)? else {
        return Ok(Vec::new());
    };
    Ok(members.into_iter().filter_map(plain).collect())
}

/// A flag, also as `0`/`1` or text; absent when it is neither.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::Bool(flag) => Some(flag),
        other => match plain(other).as_deref() {
            Some("true" | "1") => Some(true),
            Some("false" | "0") => Some(false),
            _ => None,
        },
    })
}

/// The default value where the vendor sends `null`.
pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A list of records; members that are none are dropped, and anything but a list is an empty one.
pub(crate) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let Value::Array(members) = Value::deserialize(deserializer)? else {
        return Ok(Vec::new());
    };
    Ok(members.into_iter().filter_map(record).collect())
}

/// A record; absent when it is none.
pub(crate) fn object<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    Ok(record(Value::deserialize(deserializer)?))
}

/// A text that is not blank.
pub(crate) fn filled(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.trim().is_empty()).cloned()
}

/// A list is no record, although its members could be read in the order of a record's.
fn record<T: DeserializeOwned>(value: Value) -> Option<T> {
    value.is_object().then(|| serde_json::from_value(value).ok())?
}

fn plain(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Answers as no vendor should send them, for the tests of what reads them.
#[cfg(test)]
pub(crate) mod odd {
    use proptest::prelude::*;
    use serde::de::DeserializeOwned;
    use serde_json::Value;

    /// Any JSON, with members of these names, which are separated by blanks, and with these texts among others.
    pub(crate) fn any_json(names: &'static str, texts: &[&'static str]) -> impl Strategy<Value = Value> {
        let names: Vec<&str> = names.split_whitespace().collect();
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<i64>().prop_map(|number| Value::from(number.to_string())),
            any::<f64>().prop_map(Value::from),
            "\\PC{0,12}".prop_map(Value::from),
            prop::sample::select([&names, texts].concat()).prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 6, move |inner| {
            let known = prop::sample::select(names.clone()).prop_map(str::to_owned);
            let name = prop_oneof![4 => known, 1 => "\\PC{0,6}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(name, inner, 0..8).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// The answer, where the JSON can be read as one.
    pub(crate) fn read<T: DeserializeOwned>(json: &Value) -> Option<T> {
        serde_json::from_value(json.clone()).ok()
    }
}
