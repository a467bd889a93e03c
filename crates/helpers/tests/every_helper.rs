//! What every helper of the catalogue promises, shown with its vectors and its schema.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::path::Path;

use mfh_helpers::settings::{FieldKey, Number};
use mfh_helpers::vectors::{Trial, Vector};
use mfh_helpers::{Category, Context, Helper, HelperError, Meta, Outcome, Registration, catalogue};
use mfh_types::JsonObject;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Has a setting of every kind that has bounds, so that each of these tests tries at least one.
#[derive(Debug, Deserialize, JsonSchema)]
struct Bounds {
    #[schemars(range(min = 1, max = 10))]
    places: Number,
    #[schemars(length(min = 1))]
    fields: Vec<FieldKey>,
}

impl Helper for Bounds {
    const META: Meta = Meta::new("bounds", "Bounds", Category::Data, "Has bounds.");
    const EXAMPLE: &'static str = r#"{"places": 1, "fields": ["a"]}"#;

    async fn run(&self, _: &mut Context<'_>) -> Result<Outcome, HelperError> {
        Ok(Outcome::done(format!("{} of {}", self.places.0, self.fields.len())))
    }
}

static BOUNDS: Registration = Registration::of::<Bounds>();

/// Every vector of every type of the catalogue, with what to call it.
fn vectors() -> Vec<(String, Vector)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut vectors = Vec::new();
    for registration in catalogue() {
        let type_name = registration.meta.type_name;
        let lines = std::fs::read_to_string(folder.join(format!("{type_name}.jsonl"))).unwrap();
        for line in lines.lines() {
            let vector = Vector::parse(line).unwrap();
            vectors.push((format!("{type_name}: {}", vector.name), vector));
        }
    }
    vectors
}

/// The vectors whose run succeeds, each with what its run did.
async fn successes() -> Vec<(String, Vector, Trial)> {
    let mut successes = Vec::new();
    for (name, vector) in vectors() {
        let trial = vector.trial(false).await.unwrap();
        if trial.report.failure.is_none() {
            successes.push((name, vector, trial));
        }
    }
    assert!(successes.len() > 100, "only {} runs succeed", successes.len());
    successes
}

#[tokio::test]
async fn a_dry_run_writes_nothing_and_shows_what_it_would_do() {
    let mut faults = Vec::new();
    let mut shown = 0;
    for (name, vector, done) in successes().await {
        let dry = vector.trial(true).await.unwrap();
        if !dry.writes.is_empty() || !dry.objects.is_empty() {
            faults.push(format!("{name}: wrote {:?} {:?}", dry.writes, dry.objects.keys()));
        }
        if let Some(failure) = &dry.report.failure {
            faults.push(format!("{name}: failed: {failure}"));
        }
        // What the CRM will refuse, nobody can show beforehand.
        let refused = done.carried_out.len() < done.writes.len();
        let (expected, found) = (actions(&done), actions(&dry));
        if expected != found && !refused {
            faults.push(format!("{name}: shows {found}, but would do {expected}"));
        }
        shown += dry.report.output.actions.len();
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(shown > 100, "only {shown} actions are shown");
}

/// What a run shows, without the ids that only the CRM can hand out.
fn actions(trial: &Trial) -> String {
    let mut text = json!(trial.report.output.actions).to_string();
    for created in 1..10 {
        text = text.replace(&format!("\"new-{created}\""), "\"dry-run\"");
    }
    text
}

#[tokio::test]
async fn a_run_that_crashes_between_two_steps_ends_as_if_it_had_not() {
    let mut faults = Vec::new();
    let mut crashes = 0;
    for (name, vector, clean) in successes().await {
        for after in 1..=clean.writes.len() {
            let again = vector.trial_with_crash(after).await.unwrap();
            crashes += 1;
            if let Some(failure) = &again.report.failure {
                faults.push(format!("{name}, after {after}: failed: {failure}"));
            }
            if again.contacts != clean.contacts {
                let (found, expected) = (&again.contacts, &clean.contacts);
                faults.push(format!("{name}, after {after}: left {found} instead of {expected}"));
            }
            if again.once_writes() != clean.once_writes() {
                let (found, expected) = (again.once_writes(), clean.once_writes());
                faults.push(format!("{name}, after {after}: sent {found:?} instead of {expected:?}"));
            }
            if again.objects != clean.objects {
                faults.push(format!("{name}, after {after}: stored {:?}", again.objects.keys()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(crashes > 100, "only {crashes} crashes");
}

#[test]
fn all_settings_of_a_wrong_type_are_reported_at_once() {
    expect_faults("of a wrong type", wrong_type);
}

#[test]
fn all_entries_and_members_of_a_wrong_type_are_reported_at_once() {
    for_every_helper(|registration, schema, report| {
        let (mut config, mut paths) = (Map::new(), BTreeSet::new());
        for (name, property) in properties(schema) {
            if let Some(value) = wrong_inside(property, name, &mut paths) {
                config.insert(name.clone(), value);
            }
        }
        report(registration, config, paths);
    });
}

#[test]
fn all_missing_settings_are_reported_at_once() {
    for_every_helper(|registration, schema, report| {
        let paths = required(schema).map(str::to_owned).collect();
        report(registration, Map::new(), paths);
        // The same within the entries of a list.
        let (mut config, mut paths) = (Map::new(), BTreeSet::new());
        for (name, property) in properties(schema) {
            let members: Vec<&str> = required(&property["items"]).collect();
            if !members.is_empty() {
                config.insert(name.clone(), json!([{}, {}]));
                for at in 0..2 {
                    paths.extend(members.iter().map(|member| format!("{name}[{at}].{member}")));
                }
            }
        }
        report(registration, config, paths);
    });
}

#[test]
fn all_choices_that_do_not_exist_are_reported_at_once() {
    expect_faults("with unknown choices", |property| {
        property["enum"].is_array().then(|| json!("no such choice"))
    });
}

#[test]
fn all_numbers_below_and_above_their_range_are_reported_at_once() {
    expect_faults("below their range", |property| {
        Some(json!(property.get("minimum")?.as_f64()? - 1.0))
    });
    expect_faults("above their range", |property| {
        Some(json!(property.get("maximum")?.as_f64()? + 1.0))
    });
}

#[test]
fn all_lists_with_too_few_entries_are_reported_at_once() {
    expect_faults("that are too short", |property| {
        (property["minItems"].as_u64()? > 0).then(|| json!([]))
    });
}

/// Gives every setting for which there is a wrong value that value, all in one configuration, and expects a fault for
/// each of them.
fn expect_faults(what: &str, wrong: impl Fn(&Value) -> Option<Value>) {
    let mut tried = 0;
    for_every_helper(|registration, schema, report| {
        let mut config = Map::new();
        for (name, property) in properties(schema) {
            if let Some(value) = wrong(property) {
                config.insert(name.clone(), value);
            }
        }
        let paths: BTreeSet<String> = config.keys().cloned().collect();
        tried += paths.len();
        report(registration, config, paths);
    });
    assert!(tried > 0, "no settings {what} were tried");
}

/// Calls `tries` for every helper; each report compares the faults of a configuration with the paths expected.
fn for_every_helper(
    mut tries: impl FnMut(&Registration, &Value, &mut dyn FnMut(&Registration, JsonObject, BTreeSet<String>)),
) {
    let mut failures = Vec::new();
    for registration in catalogue().into_iter().chain([&BOUNDS]) {
        let schema = registration.config_schema();
        let mut report = |registration: &Registration, config: JsonObject, paths: BTreeSet<String>| {
            if paths.is_empty() {
                return;
            }
            let faults = registration.validate(&config).err().unwrap_or_default();
            let found: BTreeSet<String> = faults.iter().map(|fault| fault.field.clone()).collect();
            let unreported: Vec<&String> = paths.difference(&found).collect();
            let mute = faults.iter().any(|fault| fault.message.trim().is_empty());
            if !unreported.is_empty() || mute {
                let type_name = registration.meta.type_name;
                failures.push(format!("{type_name}: {unreported:?} are not among {faults:?}"));
            }
        };
        tries(registration, &schema, &mut report);
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn properties(schema: &Value) -> impl Iterator<Item = (&String, &Value)> {
    schema["properties"].as_object().into_iter().flatten()
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
}

/// A value that no setting of this type takes; none where the schema allows anything.
fn wrong_type(schema: &Value) -> Option<Value> {
    match schema.get("type")?.as_str()? {
        "string" => Some(json!({ "not": "a text" })),
        "number" | "integer" => Some(json!("many")),
        "boolean" => Some(json!(7)),
        "array" | "object" => Some(json!("a text")),
        _ => None,
    }
}

/// A list or an object that is one, with wrong values inside; notes their paths.
fn wrong_inside(schema: &Value, path: &str, paths: &mut BTreeSet<String>) -> Option<Value> {
    let mut wrong_at = |schema: &Value, path: String| {
        wrong_inside(schema, &path, paths).or_else(|| {
            let value = wrong_type(schema)?;
            paths.insert(path);
            Some(value)
        })
    };
    match schema.get("type")?.as_str()? {
        "array" => {
            let items = schema.get("items")?;
            let entries: Option<Vec<Value>> = (0..3).map(|at| wrong_at(items, format!("{path}[{at}]"))).collect();
            entries.map(Value::Array)
        }
        "object" if schema.get("properties").is_some() => {
            let members = properties(schema);
            let members: Map<String, Value> = members
                .filter_map(|(name, member)| Some((name.clone(), wrong_at(member, format!("{path}.{name}"))?)))
                .collect();
            Some(Value::Object(members))
        }
        _ => None,
    }
}
