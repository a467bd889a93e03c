//! Ontraport's wire types, as far as they are used. A record is flat and its values are texts, so it stays a map.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::wire;

/// The numbers that Ontraport gives to kinds of records.
pub(crate) mod object {
    pub(crate) const CONTACT: u32 = 0;
    pub(crate) const USER: u32 = 2;
    pub(crate) const SEQUENCE: u32 = 5;
    pub(crate) const NOTE: u32 = 12;
    pub(crate) const TAG: u32 = 14;
    /// An automation; Ontraport calls it `CampaignBuilder`.
    pub(crate) const AUTOMATION: u32 = 140;
}

/// One record of any kind.
pub(crate) type Record = Map<String, Value>;

/// What every answer comes in; a code other than 0 is a failure, whatever the status says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Envelope {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) code: Option<String>,
    pub(crate) data: Value,
}

/// A failure as JSON; most failures are plain text.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Failure {
    #[serde(deserialize_with = "wire::text")]
    pub(crate) code: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) message: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) error: Option<String>,
    #[serde(deserialize_with = "wire::text")]
    pub(crate) data: Option<String>,
}

/// A change to one record, or a new one when `id` is absent.
#[derive(Debug, Serialize)]
pub(crate) struct Save<'a> {
    #[serde(rename = "objectID")]
    pub(crate) object: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<&'a str>,
    #[serde(flatten)]
    pub(crate) values: &'a Record,
}

/// Tags to add to one contact.
#[derive(Debug, Serialize)]
pub(crate) struct AddTags<'a> {
    #[serde(rename = "objectID")]
    pub(crate) object: u32,
    pub(crate) ids: &'a str,
    pub(crate) add_list: &'a str,
}

/// An automation or legacy sequence to put one contact into.
#[derive(Debug, Serialize)]
pub(crate) struct Subscribe<'a> {
    #[serde(rename = "objectID")]
    pub(crate) object: u32,
    pub(crate) ids: &'a str,
    pub(crate) add_list: &'a str,
    pub(crate) sub_type: &'static str,
}

/// A note on a contact. Ontraport's notes have no title.
#[derive(Debug, Serialize)]
pub(crate) struct CreateNote<'a> {
    #[serde(rename = "objectID")]
    pub(crate) object: u32,
    pub(crate) object_type_id: u32,
    pub(crate) contact_id: &'a str,
    pub(crate) data: &'a str,
}

#[derive(Debug, Serialize)]
pub(crate) struct CreateTag<'a> {
    #[serde(rename = "objectID")]
    pub(crate) object: u32,
    pub(crate) tag_name: &'a str,
}

/// One comparison of a list's `condition`.
pub(crate) fn condition(field: &str, op: &str, value: &str) -> Value {
    json!({"field": {"field": field}, "op": op, "value": {"value": value}})
}

/// The `condition` under which all of these hold; none when there are none.
pub(crate) fn all_of(conditions: Vec<Value>) -> Option<String> {
    let mut terms = Vec::with_capacity(conditions.len() * 2);
    for condition in conditions {
        if !terms.is_empty() {
            terms.push(Value::from("AND"));
        }
        terms.push(condition);
    }
    (!terms.is_empty()).then(|| Value::Array(terms).to_string())
}

/// The records of a list; PHP writes a list with gaps as an object.
pub(crate) fn records(data: Value) -> Vec<Record> {
    let members: Vec<Value> = match data {
        Value::Array(members) => members,
        Value::Object(members) => members.into_iter().map(|(_, member)| member).collect(),
        _ => Vec::new(),
    };
    let record = |member| match member {
        Value::Object(record) => Some(record),
        _ => None,
    };
    members.into_iter().filter_map(record).collect()
}

/// The record of an answer about one; none when there is nothing in it.
pub(crate) fn record(data: Value) -> Option<Record> {
    match data {
        Value::Object(record) if !record.is_empty() => Some(record),
        _ => None,
    }
}

/// A record that was written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Saved {
    /// All of it, as after a creation.
    Whole(Record),
    /// What changed, with its id.
    Changes(Record),
}

/// The record of an answer to a write: whole, or its changes under `attrs`.
pub(crate) fn saved(data: Value) -> Option<Saved> {
    let mut record = record(data)?;
    match record.remove("attrs") {
        Some(Value::Object(changes)) => Some(Saved::Changes(changes)),
        Some(_) => None,
        None => Some(Saved::Whole(record)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::DataType;
    use crate::ontraport::map;
    use crate::translate::codec::Choices;
    use crate::wire::odd::any_json;

    #[test]
    fn conditions_are_built_by_a_serialiser() {
        let email = r#"o"hara\"] OR 1=1@example.com"#;
        let text = all_of(vec![condition("email", "=", email), condition("id", ">", "7")]).unwrap();
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            read,
            json!([
                {"field": {"field": "email"}, "op": "=", "value": {"value": email}},
                "AND",
                {"field": {"field": "id"}, "op": ">", "value": {"value": "7"}}
            ])
        );
        assert_eq!(all_of(Vec::new()), None);
    }

    #[test]
    fn an_answer_to_a_write_is_whole_or_holds_what_changed() {
        let record = |json: Value| json.as_object().cloned().unwrap();
        assert_eq!(
            saved(json!({"attrs": {"id": "5"}})),
            Some(Saved::Changes(record(json!({"id": "5"}))))
        );
        assert_eq!(
            saved(json!({"id": "5"})),
            Some(Saved::Whole(record(json!({"id": "5"}))))
        );
        assert_eq!(saved(json!({"attrs": []})), None);
        assert_eq!(saved(json!([])), None);
    }

    #[test]
    fn a_list_may_be_an_object() {
        assert_eq!(records(json!({"3": {"id": "1"}, "4": "x"})).len(), 1);
        assert_eq!(records(json!([{"id": "1"}, null])).len(), 1);
        assert!(records(json!(false)).is_empty());
    }

    const NAMES: &str = "\
        id code data attrs firstname email office_phone birthday owner country date dlm bulk_mail contact_cat f1501 \
        f1502 tag_id tag_name object_type_id fields alias type options editable count pause deleted 0";

    const TEXTS: &[&str] = &[
        "0",
        "1",
        "-2",
        "*/*1*/*2*/*",
        "*/*",
        "drop",
        "fulldate",
        "99999999999999999",
    ];

    const TYPES: [DataType; 19] = [
        DataType::Text,
        DataType::LongText,
        DataType::Integer,
        DataType::Decimal,
        DataType::Currency,
        DataType::Percent,
        DataType::Boolean,
        DataType::Date,
        DataType::Datetime,
        DataType::Select,
        DataType::MultiSelect,
        DataType::Email,
        DataType::Phone,
        DataType::Url,
        DataType::Country,
        DataType::State,
        DataType::User,
        DataType::File,
        DataType::Other,
    ];

    proptest! {
        #[test]
        fn no_answer_makes_a_reader_panic(json in any_json(NAMES, TEXTS)) {
            let envelope: Envelope = serde_json::from_value(json.clone()).unwrap_or_default();
            for data in [json.clone(), envelope.data] {
                for found in records(data.clone()) {
                    drop(map::tag(&found));
                    drop(map::automation(&found));
                    drop(map::user(&found));
                }
                if let Some(found) = record(data.clone()) {
                    for field in map::standard_fields() {
                        map::read(&found, field.name);
                    }
                    map::contact(&found);
                }
                drop(saved(data.clone()));
                map::count(&data);
                for field in map::custom_fields(&data) {
                    for data_type in TYPES {
                        let value = map::from_wire(data_type, data.clone(), Choices::of(&field));
                        drop(map::to_wire(data_type, value, Choices::of(&field)));
                    }
                }
            }
            map::fault(json.to_string().as_bytes());
        }

        #[test]
        fn a_custom_value_that_means_nothing_to_us_survives(json in any_json(NAMES, TEXTS)) {
            let contact = Record::from_iter([("id".to_owned(), Value::from("1")), ("f77".to_owned(), json.clone())]);
            let shown = map::contact(&contact);
            prop_assert_eq!(shown.custom_fields.get("f77"), Some(&json));
            prop_assert_eq!(map::from_wire(DataType::Other, json.clone(), Choices::default()), json.clone());
            prop_assert_eq!(map::read(&contact, "f77"), json);
        }
    }
}
