//! Reads a configuration and reports every fault at once, each with its path (`helpers/COMMON` §6).
//!
//! First the schema smooths what users may write differently (camelCase keys, blanks, nulls) and finds what is missing
//! or out of range. Then serde reads the rest; a value it refuses is noted and replaced by one the schema allows, so
//! that reading goes on to the next fault.

use mfh_types::{ConfigFault, JsonObject};
use serde_json::{Map, Value, json};
use serde_path_to_error::{Path, Segment};

use crate::{Helper, schema, values};

/// More faults than this are not worth listing.
const MAX_FAULTS: usize = 50;

/// The settings of a helper, or everything that is wrong with them.
///
/// # Errors
/// Every fault with its path, such as `rules[2].points`.
pub fn parse<H: Helper>(config: &JsonObject) -> Result<H, Vec<ConfigFault>> {
    let schema = schema::of::<H>();
    let mut faults = Vec::new();
    let mut candidate = smooth(&Value::Object(config.clone()), &schema, "", &mut faults);
    let settings: H = loop {
        match serde_path_to_error::deserialize(&candidate) {
            Ok(settings) => break settings,
            Err(error) => {
                let path = error.path().clone();
                faults.push(ConfigFault {
                    field: path_text(&path),
                    message: reason(error.inner()),
                });
                let repaired = faults.len() < MAX_FAULTS && repair(&mut candidate, &schema, &path);
                if !repaired {
                    return Err(faults);
                }
            }
        }
    };
    // Rules between settings only make sense over settings that are right one by one.
    if faults.is_empty() {
        faults = settings.check();
    }
    if faults.is_empty() { Ok(settings) } else { Err(faults) }
}

/// The value as the schema wants it: known keys in snake_case, blanks and nulls dropped, what is missing put in as a
/// stand-in after the fault is noted.
fn smooth(value: &Value, schema: &Value, path: &str, faults: &mut Vec<ConfigFault>) -> Value {
    match (value, schema["type"].as_str()) {
        (Value::Object(given), Some("object")) if schema.get("properties").is_some() => {
            Value::Object(smooth_object(given, schema, path, faults))
        }
        (Value::Array(given), Some("array")) => {
            let items = &schema["items"];
            let kept: Vec<Value> = given
                .iter()
                .filter(|entry| !is_blank_text(entry, items))
                .enumerate()
                .map(|(at, entry)| smooth(entry, items, &format!("{path}[{at}]"), faults))
                .collect();
            check_length(&kept, schema, path, faults);
            Value::Array(kept)
        }
        (_, Some("number" | "integer")) => {
            check_range(value, schema, path, faults);
            value.clone()
        }
        _ => value.clone(),
    }
}

fn smooth_object(given: &JsonObject, schema: &Value, path: &str, faults: &mut Vec<ConfigFault>) -> JsonObject {
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    let required = |name: &str| {
        schema["required"]
            .as_array()
            .is_some_and(|names| names.iter().any(|required| required == name))
    };
    let mut smoothed = Map::new();
    for (name, property) in properties {
        let field = join(path, name);
        let filled = |value: &&Value| !value.is_null() && !is_blank_text(value, property);
        let spelled = |name: &str| given.get(name).filter(filled);
        match spelled(name).or_else(|| spelled(&camel_case(name))) {
            Some(value) => {
                smoothed.insert(name.clone(), smooth(value, property, &field, faults));
            }
            None if required(name) => {
                faults.push(ConfigFault {
                    field,
                    message: "is required".to_owned(),
                });
                smoothed.insert(name.clone(), stand_in(property));
            }
            None => {}
        }
    }
    smoothed
}

fn is_blank_text(value: &Value, schema: &Value) -> bool {
    if schema["x-empty-counts"] == true {
        return false;
    }
    let raw = schema["x-raw"] == true;
    value
        .as_str()
        .is_some_and(|text| if raw { text.is_empty() } else { text.trim().is_empty() })
}

fn check_length(entries: &[Value], schema: &Value, path: &str, faults: &mut Vec<ConfigFault>) {
    let count = entries.len() as u64;
    let message = match (schema["minItems"].as_u64(), schema["maxItems"].as_u64()) {
        (Some(1), _) if count == 0 => "needs at least one entry".to_owned(),
        (Some(min), _) if count < min => format!("needs at least {min} entries"),
        (_, Some(max)) if count > max => format!("takes at most {max} entries"),
        _ => return,
    };
    faults.push(ConfigFault {
        field: path.to_owned(),
        message,
    });
}

fn check_range(value: &Value, schema: &Value, path: &str, faults: &mut Vec<ConfigFault>) {
    let Some(number) = values::number(value) else {
        return;
    };
    let bound = |key: &str| schema.get(key).and_then(values::number);
    let message = match (bound("minimum"), bound("maximum")) {
        (Some(min), _) if number < min => format!("must be at least {}", values::decimal_text(min)),
        (_, Some(max)) if number > max => format!("must be at most {}", values::decimal_text(max)),
        _ => return,
    };
    faults.push(ConfigFault {
        field: path.to_owned(),
        message,
    });
}

/// A value that the schema allows, to go on reading with.
fn stand_in(schema: &Value) -> Value {
    let known = ["enum", "examples"]
        .iter()
        .find_map(|key| schema[*key].as_array()?.first());
    if let Some(known) = known.or_else(|| schema.get("default")) {
        return known.clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let properties = schema["properties"].as_object();
            let entries = properties.into_iter().flatten();
            Value::Object(
                entries
                    .map(|(name, property)| (name.clone(), stand_in(property)))
                    .collect(),
            )
        }
        Some("array") => json!([]),
        Some("number" | "integer") => schema.get("minimum").cloned().unwrap_or_else(|| json!(0)),
        Some("boolean") => json!(false),
        _ => json!("x"),
    }
}

/// Puts a stand-in at the path, or at the nearest place above it that exists; false when that changes nothing.
fn repair(candidate: &mut Value, schema: &Value, path: &Path) -> bool {
    let mut schema = schema;
    let mut pointer = String::new();
    for segment in path {
        let (step, below) = match segment {
            Segment::Map { key } => (format!("/{}", escape(key)), &schema["properties"][key.as_str()]),
            Segment::Seq { index } => (format!("/{index}"), &schema["items"]),
            Segment::Enum { .. } | Segment::Unknown => break,
        };
        if candidate.pointer(&format!("{pointer}{step}")).is_none() {
            break;
        }
        pointer.push_str(&step);
        schema = below;
    }
    let value = stand_in(schema);
    match candidate.pointer_mut(&pointer) {
        Some(place) if *place != value => {
            *place = value;
            true
        }
        _ => false,
    }
}

/// A key as a JSON pointer writes it.
fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn path_text(path: &Path) -> String {
    let text = path.to_string();
    if text == "." { String::new() } else { text }
}

/// serde's sentence without its internal words.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.split(" at line ").next().unwrap_or_default();
    text.replace("invalid type: ", "found ")
        .replace("invalid value: ", "found ")
        .replace("unknown variant ", "found ")
        .replace("a sequence", "a list")
        .replace("a map", "an object")
        .replace("sequence", "a list")
        .replace("found map", "found an object")
        .replace("found null", "found nothing")
        .replace("expected struct", "expected an object")
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// `save_count_to` is also understood as `saveCountTo`.
fn camel_case(name: &str) -> String {
    let mut camel = String::with_capacity(name.len());
    let mut upper = false;
    for letter in name.chars() {
        match letter {
            '_' => upper = true,
            letter if upper => {
                camel.extend(letter.to_uppercase());
                upper = false;
            }
            letter => camel.push(letter),
        }
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tagging::{CountItTags, ScoreIt, TagIt};

    fn faults<H: Helper>(config: Value) -> Vec<String> {
        let Value::Object(config) = config else {
            panic!("an object")
        };
        parse::<H>(&config)
            .err()
            .unwrap_or_default()
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn every_fault_is_reported_with_its_path() {
        let found = faults::<ScoreIt>(json!({
            "rules": [{"tag_id": {}, "points": "many"}, {"points": 1, "has_tag": "perhaps"}, 7],
        }));
        let fields: Vec<&str> = found.iter().filter_map(|fault| fault.split(':').next()).collect();
        for field in [
            "rules[0].tag_id",
            "rules[0].points",
            "rules[1].tag_id",
            "rules[1].has_tag",
            "rules[2]",
            "target_field",
        ] {
            assert!(fields.contains(&field), "{field} in {found:?}");
        }
        assert_eq!(found.len(), 6, "{found:?}");
    }

    #[test]
    fn an_unknown_choice_lists_the_known_ones() {
        let found = faults::<TagIt>(json!({"action": "add", "tag_ids": ["1"]}));
        assert_eq!(found, ["action: found `add`, expected `apply` or `remove`"]);
    }

    #[test]
    fn camel_case_blanks_and_unknown_keys_are_forgiven() {
        assert!(
            faults::<CountItTags>(json!({
                "tagId": 50, "saveCountTo": "count", "threshold": "", "save_position_to": null, "extra": {"a": 1},
            }))
            .is_empty()
        );
    }

    #[test]
    fn a_list_counts_what_is_left_after_blanks() {
        assert_eq!(
            faults::<TagIt>(json!({"action": "apply", "tag_ids": ["", "  "]})),
            ["tag_ids: needs at least one entry"]
        );
    }

    #[test]
    fn a_list_is_not_guessed_from_a_single_text() {
        let found = faults::<TagIt>(json!({"action": "apply", "tag_ids": "101"}));
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("tag_ids: found string \"101\", expected a list"),
            "{found:?}"
        );
    }
}
