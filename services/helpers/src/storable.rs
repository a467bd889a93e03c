//! Free-form JSON that a table can hold: keys, numbers and nesting have limits there that JSON does not have.

use mfh_http::ApiError;
use mfh_types::JsonObject;
use serde_json::Value;

/// The deepest nesting, with room for the attributes around it: a table takes 32 levels.
const MAX_DEPTH: usize = 24;

/// Beyond this, and below its inverse, a table refuses numbers.
const LARGEST: f64 = 1e125;

/// Refuses what a table would refuse, under the name of the field that holds it.
///
/// # Errors
/// 400 for empty keys, and for nesting or numbers beyond the limits.
pub(crate) fn check(field: &str, object: &JsonObject) -> Result<(), ApiError> {
    match fault_within(object, 1) {
        None => Ok(()),
        Some(fault) => Err(ApiError::invalid_field(field, fault)),
    }
}

fn fault_within(object: &JsonObject, depth: usize) -> Option<&'static str> {
    if object.contains_key("") {
        return Some("has an empty key; give it a name");
    }
    object.values().find_map(|value| fault(value, depth))
}

fn fault(value: &Value, depth: usize) -> Option<&'static str> {
    match value {
        Value::Number(number) => {
            let size = number.as_f64().map_or(0.0, f64::abs);
            let fits = size == 0.0 || (LARGEST.recip()..=LARGEST).contains(&size);
            (!fits).then_some("has a number that is too large or too small; send it as a text")
        }
        Value::Array(_) | Value::Object(_) if depth == MAX_DEPTH => Some("is nested too deeply; use at most 24 levels"),
        Value::Array(values) => values.iter().find_map(|value| fault(value, depth + 1)),
        Value::Object(object) => fault_within(object, depth + 1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn is_storable(value: Value) -> bool {
        check("input", &JsonObject::from_iter([("x".to_owned(), value)])).is_ok()
    }

    #[test]
    fn numbers_of_everyday_are_stored_and_others_refused() {
        for number in [json!(0), json!(-1.5), json!(1e125), json!(1e-125), json!(u64::MAX)] {
            assert!(is_storable(number.clone()), "{number}");
        }
        for number in [json!(1e126), json!(-1e300), json!(1e-126), json!([{ "a": 1e200 }])] {
            assert!(!is_storable(number.clone()), "{number}");
        }
    }

    #[test]
    fn keys_are_not_empty() {
        assert!(!is_storable(json!({ "": 1 })));
        assert!(!is_storable(json!([{ "a": { "": 1 } }])));
        assert!(check("input", &JsonObject::from_iter([(String::new(), json!(1))])).is_err());
    }

    #[test]
    fn nesting_has_an_end() {
        let nested = |levels| (0..levels).fold(json!(1), |inner, _| json!([inner]));
        assert!(is_storable(nested(MAX_DEPTH - 1)));
        assert!(!is_storable(nested(MAX_DEPTH)));
    }
}
