//! Laws of the contact helpers: what one run does, another undoes.
#![allow(clippy::unwrap_used, reason = "tests")]

use mfh_helpers::vectors::{Trial, Vector};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Runs a helper on a contact with these custom fields and gives the fields afterwards.
fn run(helper_type: &str, config: Value, fields: &Value) -> Value {
    let trial = trial(helper_type, config, fields);
    assert_eq!(trial.report.failure, None);
    trial.contacts[0]["custom_fields"].clone()
}

fn trial(helper_type: &str, config: Value, fields: &Value) -> Trial {
    let vector = json!({
        "name": "law",
        "case": {
            "helper_type": helper_type, "contact_id": "c1", "contacts": [{ "id": "c1", "custom_fields": fields }],
            "config": config,
        },
        "expect": {},
    });
    let vector = Vector::parse(&vector.to_string()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(vector.trial(false)).unwrap()
}

/// A value that is not empty.
fn filled() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<i64>().prop_map(|number| json!(number)),
        any::<bool>().prop_map(|flag| json!(flag)),
        "[a-zé]{1,6}( [a-z]{0,3})?".prop_map(|text| json!(text)),
        prop::collection::vec("[a-z]{0,3}", 1..4).prop_map(|list| json!(list)),
    ]
}

proptest! {
    #[test]
    fn swapping_twice_changes_nothing(a in filled(), b in filled()) {
        let before = json!({ "a": a, "b": b });
        let swap = json!({ "mappings": [{ "source": "a", "target": "b" }, { "source": "b", "target": "a" }] });
        let swapped = run("field_to_field", swap.clone(), &before);
        prop_assert_eq!(&swapped, &json!({ "a": b, "b": a }));
        prop_assert_eq!(run("field_to_field", swap, &swapped), before);
    }

    #[test]
    fn a_copy_comes_back_as_it_was(value in filled()) {
        let copied = run("copy_it", json!({ "source_field": "a", "target_field": "b" }), &json!({ "a": value }));
        let emptied = run("clear_it", json!({ "fields": ["a"] }), &copied);
        let back = run("copy_it", json!({ "source_field": "b", "target_field": "a" }), &emptied);
        prop_assert_eq!(back, json!({ "a": value, "b": value }));
    }

    #[test]
    fn a_move_and_its_return_leave_the_value_where_it_was(value in filled()) {
        let moved = run("move_it", json!({ "source_field": "a", "target_field": "b" }), &json!({ "a": value }));
        prop_assert_eq!(&moved, &json!({ "a": "", "b": value }));
        let back = run("move_it", json!({ "source_field": "b", "target_field": "a" }), &moved);
        prop_assert_eq!(back, json!({ "a": value, "b": "" }));
    }

    #[test]
    fn what_is_joined_can_be_split_again(texts in prop::collection::vec("[a-z ]{0,4}", 2..5)) {
        let fields: serde_json::Map<String, Value> =
            texts.iter().enumerate().map(|(at, text)| (at.to_string(), json!(text))).collect();
        let sources: Vec<String> = fields.keys().cloned().collect();
        let config = |skip: bool| json!({
            "source_fields": sources, "target_field": "joined", "separator": "|", "skip_empty": skip,
        });
        let all = run("merge_it", config(false), &json!(fields));
        let split: Vec<&str> = all["joined"].as_str().unwrap().split('|').collect();
        prop_assert_eq!(&split, &texts);

        let filled: Vec<&String> = texts.iter().filter(|text| !text.trim().is_empty()).collect();
        let some = run("merge_it", config(true), &json!(fields));
        match some["joined"].as_str() {
            Some(joined) => prop_assert_eq!(joined.split('|').collect::<Vec<_>>(), filled),
            None => prop_assert!(filled.is_empty()),
        }
    }
}

#[test]
fn a_value_is_not_lost_when_two_names_mean_one_field() {
    let vector = json!({
        "name": "one field",
        "case": {
            "helper_type": "move_it", "contact_id": "c1",
            "contacts": [{ "id": "c1", "custom_fields": { "_Plan": "Gold" } }],
            "custom_fields": [{ "id": "7", "key": "_Plan", "label": "Chosen plan", "field_type": "Text" }],
            "config": { "source_field": "Chosen plan", "target_field": "id:7" },
        },
        "expect": {},
    });
    let vector = Vector::parse(&vector.to_string()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let trial = runtime.block_on(vector.trial(false)).unwrap();
    assert_eq!(trial.report.failure.unwrap().code, "SAME_FIELD");
    assert!(trial.writes.is_empty(), "{:?}", trial.writes);
}
