//! The vendor's conditions: a JSON array of comparisons that the words `AND` and `OR` join.

use std::cmp::Ordering;

use mfh_types::JsonObject;
use serde::Deserialize;
use serde_json::Value;

use super::error::ApiError;
use super::params::{compare, text};

/// A list's `condition`; without any it holds for every record.
#[derive(Debug, Default)]
pub(crate) struct Filter(Vec<(Joint, Test)>);

/// How a comparison is joined to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Joint {
    And,
    Or,
}

#[derive(Debug)]
struct Test {
    field: String,
    op: Op,
    values: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
    Like,
    In,
    NotIn,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTest {
    field: RawField,
    op: String,
    value: RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawField {
    field: String,
}

#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum RawValue {
    One { value: Value },
    Several { list: Vec<RawMember> },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMember {
    value: Value,
}

impl Filter {
    /// Reads a `condition`; only these properties can be compared.
    pub(crate) fn parse(condition: Option<&str>, properties: &[String]) -> Result<Self, ApiError> {
        let Some(condition) = condition else {
            return Ok(Self::default());
        };
        let invalid = || ApiError::invalid("Invalid condition");
        let terms: Vec<Value> = serde_json::from_str(condition).map_err(|_| invalid())?;
        let mut tests = Vec::new();
        let mut joint = Some(Joint::And);
        for term in terms {
            match (joint.take(), term) {
                (None, Value::String(word)) if word == "AND" => joint = Some(Joint::And),
                (None, Value::String(word)) if word == "OR" => joint = Some(Joint::Or),
                (Some(joint), test @ Value::Object(_)) => tests.push((joint, Test::read(test, properties)?)),
                _ => return Err(invalid()),
            }
        }
        // A word at the end joins nothing.
        if joint.is_some() {
            return Err(invalid());
        }
        Ok(Self(tests))
    }

    /// Whether it holds for a record; from left to right.
    pub(crate) fn holds(&self, record: &JsonObject) -> bool {
        self.0.iter().fold(true, |before, (joint, test)| match joint {
            Joint::And => before && test.holds(record),
            Joint::Or => before || test.holds(record),
        })
    }
}

impl Test {
    fn read(raw: Value, properties: &[String]) -> Result<Self, ApiError> {
        let raw: RawTest = serde_json::from_value(raw).map_err(|_| ApiError::invalid("Invalid condition"))?;
        let field = raw.field.field;
        if !properties.contains(&field) {
            return Err(ApiError::invalid(format!("Invalid condition: no field {field}")));
        }
        let values: Vec<String> = match raw.value {
            RawValue::One { value } => vec![text(Some(&value))],
            RawValue::Several { list } => list.iter().map(|member| text(Some(&member.value))).collect(),
        };
        let op = match raw.op.as_str() {
            "=" => Op::Equal,
            "!=" | "<>" => Op::Unequal,
            "<" => Op::Less,
            "<=" => Op::AtMost,
            ">" => Op::More,
            ">=" => Op::AtLeast,
            "LIKE" => Op::Like,
            "IN" => Op::In,
            "NOT IN" => Op::NotIn,
            other => return Err(ApiError::invalid(format!("Invalid condition: no operator {other}"))),
        };
        Ok(Self { field, op, values })
    }

    fn holds(&self, record: &JsonObject) -> bool {
        let own = text(record.get(&self.field));
        let mut orders = self.values.iter().map(|value| compare(&own, value));
        match self.op {
            Op::Equal | Op::In => orders.any(Ordering::is_eq),
            Op::Unequal | Op::NotIn => orders.all(Ordering::is_ne),
            Op::Less => orders.all(Ordering::is_lt),
            Op::AtMost => orders.all(Ordering::is_le),
            Op::More => orders.all(Ordering::is_gt),
            Op::AtLeast => orders.all(Ordering::is_ge),
            Op::Like => self.values.iter().all(|pattern| like(&own, pattern)),
        }
    }
}

/// `%` at either end of a pattern stands for any text.
fn like(own: &str, pattern: &str) -> bool {
    let (own, pattern) = (own.to_lowercase(), pattern.to_lowercase());
    let part = pattern.trim_matches('%');
    match (pattern.starts_with('%'), pattern.ends_with('%')) {
        (true, true) => own.contains(part),
        (true, false) => own.ends_with(part),
        (false, true) => own.starts_with(part),
        (false, false) => own == part,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn holds(condition: Value) -> Option<bool> {
        let record = json!({"id": "10", "email": "Ada\"\\@example.com", "dlm": "1772323200"});
        let properties: Vec<String> = ["id", "email", "dlm"].map(str::to_owned).to_vec();
        let filter = Filter::parse(Some(&condition.to_string()), &properties).ok()?;
        Some(filter.holds(record.as_object().unwrap()))
    }

    fn test(field: &str, op: &str, value: &str) -> Value {
        json!({"field": {"field": field}, "op": op, "value": {"value": value}})
    }

    #[test]
    fn comparisons_are_joined_from_left_to_right() {
        let (yes, no) = (test("id", ">", "9"), test("id", "<", "9"));
        assert_eq!(holds(json!([yes])), Some(true));
        assert_eq!(holds(json!([yes, "AND", no])), Some(false));
        assert_eq!(holds(json!([no, "OR", yes])), Some(true));
        assert_eq!(holds(json!([test("email", "=", "ADA\"\\@example.com")])), Some(true));
        assert_eq!(holds(json!([test("email", "LIKE", "ada%")])), Some(true));
        let list = json!({"field": {"field": "id"}, "op": "IN", "value": {"list": [{"value": "1"}, {"value": 10}]}});
        assert_eq!(holds(json!([list])), Some(true));
    }

    #[test]
    fn anything_else_is_refused() {
        let yes = test("id", "=", "10");
        for wrong in [
            json!("id = 10"),
            json!([yes, yes]),
            json!([yes, "AND"]),
            json!(["AND", yes]),
            json!([]),
            json!([test("shoe", "=", "1")]),
            json!([test("id", "~", "1")]),
            json!([{"field": "id", "op": "=", "value": "10"}]),
        ] {
            assert_eq!(holds(wrong.clone()), None, "{wrong}");
        }
    }
}
