//! Secret settings never leave in answers: a mask stands in for them, and sent back it means "unchanged" (DECISIONS 23).
//!
//! A setting is secret when its schema says `writeOnly`.

use mfh_types::JsonObject;
use serde_json::Value;

/// What stands in for a secret.
pub(crate) const MASK: &str = "********";

/// The paths of the secret settings, such as `webhook_secret` or `accounts[].password`.
pub(crate) fn fields(schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(schema, "", &mut found);
    found
}

fn collect(schema: &Value, path: &str, found: &mut Vec<String>) {
    if is_secret(schema) {
        found.push(path.to_owned());
        return;
    }
    if schema["items"].is_object() {
        collect(&schema["items"], &format!("{path}[]"), found);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let dot = if path.is_empty() { "" } else { "." };
        collect(property, &format!("{path}{dot}{name}"), found);
    }
}

/// The configuration with a mask for every secret that is set.
pub(crate) fn masked(mut config: JsonObject, schema: &Value) -> JsonObject {
    for (key, value) in &mut config {
        mask(value, property(schema, key));
    }
    config
}

fn mask(value: &mut Value, schema: &Value) {
    match value {
        Value::Null => {}
        Value::String(text) if text.is_empty() => {}
        _ if is_secret(schema) => *value = MASK.into(),
        Value::Object(map) => map
            .iter_mut()
            .for_each(|(key, value)| mask(value, property(schema, key))),
        Value::Array(list) => list.iter_mut().for_each(|value| mask(value, &schema["items"])),
        _ => {}
    }
}

/// The configuration with the stored secrets where the mask was sent back; entries of lists are matched by place.
pub(crate) fn restored(mut config: JsonObject, stored: &JsonObject, schema: &Value) -> JsonObject {
    for (key, value) in &mut config {
        restore(value, stored.get(key), property(schema, key));
    }
    config
}

fn restore(value: &mut Value, stored: Option<&Value>, schema: &Value) {
    if is_secret(schema) {
        if value == MASK {
            *value = stored.cloned().unwrap_or_default();
        }
        return;
    }
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let stored = stored.and_then(|stored| stored.get(key));
                restore(value, stored, property(schema, key));
            }
        }
        Value::Array(list) => {
            for (at, value) in list.iter_mut().enumerate() {
                restore(value, stored.and_then(|stored| stored.get(at)), &schema["items"]);
            }
        }
        _ => {}
    }
}

fn is_secret(schema: &Value) -> bool {
    schema["writeOnly"] == true
}

/// The schema of this key, which may be written in camelCase as well.
fn property<'a>(schema: &'a Value, key: &str) -> &'a Value {
    let mut snake = String::with_capacity(key.len());
    for letter in key.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    let exact = &schema["properties"][key];
    if exact.is_null() {
        &schema["properties"][snake.as_str()]
    } else {
        exact
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema() -> Value {
        json!({
            "type": "object",
            "properties": {
                "url": {"type": "string"},
                "webhook_secret": {"type": "string", "writeOnly": true},
                "accounts": {"type": "array", "items": {
                    "type": "object",
                    "properties": {"user": {"type": "string"}, "password": {"type": "string", "writeOnly": true}},
                }},
            },
        })
    }

    fn object(value: Value) -> JsonObject {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn secrets_are_masked_wherever_they_stand_and_however_their_key_is_written() {
        let config = object(json!({
            "url": "https://example.com",
            "webhookSecret": "s3cret",
            "accounts": [{"user": "jo", "password": "hunter2"}, {"user": "al", "password": ""}],
        }));
        assert_eq!(
            Value::Object(masked(config, &schema())),
            json!({
                "url": "https://example.com",
                "webhookSecret": MASK,
                "accounts": [{"user": "jo", "password": MASK}, {"user": "al", "password": ""}],
            })
        );
        assert_eq!(fields(&schema()), ["accounts[].password", "webhook_secret"]);
    }

    #[test]
    fn a_mask_sent_back_means_unchanged() {
        let stored = object(json!({"webhook_secret": "old", "accounts": [{"password": "hunter2"}]}));
        let sent = object(json!({
            "url": MASK,
            "webhook_secret": MASK,
            "accounts": [{"password": MASK}, {"password": "new"}],
        }));
        assert_eq!(
            Value::Object(restored(sent, &stored, &schema())),
            json!({
                "url": MASK,
                "webhook_secret": "old",
                "accounts": [{"password": "hunter2"}, {"password": "new"}],
            })
        );
    }
}
