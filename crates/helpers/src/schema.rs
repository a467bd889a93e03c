//! The JSON Schema of a configuration: the form that the web app draws and the guide by which configurations are read.

use std::fmt;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::{DeserializeOwned, Deserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::{Value, json};

/// The schema of `T`: draft 2020-12 without references, every property with a title, `x-order` in the order of the
/// struct. Text properties that are taken as typed carry `x-raw`.
pub(crate) fn of<T: JsonSchema + DeserializeOwned>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    tidy(&mut schema);
    if let Some(object) = schema.as_object_mut() {
        object.remove("title");
        object.remove("description");
        object.insert("x-order".to_owned(), json!(field_order::<T>()));
    }
    schema
}

/// What the doc comment of `T` says, a paragraph each.
pub(crate) fn about<T: JsonSchema>() -> Vec<String> {
    let schema = schemars::schema_for!(T);
    let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
    let paragraphs = text.split("\n\n").map(|paragraph| paragraph.trim().to_owned());
    paragraphs.filter(|paragraph| !paragraph.is_empty()).collect()
}

/// Forms have no null: an optional setting is one that is not in `required`. Titles come from the names.
fn tidy(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [single] = types.as_slice() {
            let single = single.clone();
            object.insert("type".to_owned(), single);
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    flatten_optional(object);
    flatten_choices(object);
    if object.get("default") == Some(&Value::Null) {
        object.remove("default");
    }
    if let Some(items) = object.get_mut("items") {
        tidy(items);
    }
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        for (name, property) in properties {
            tidy(property);
            if let Some(property) = property.as_object_mut() {
                property.entry("title").or_insert_with(|| json!(title(name)));
            }
        }
    }
}

/// `anyOf: [X, null]` is X.
fn flatten_optional(object: &mut serde_json::Map<String, Value>) {
    let Some(Value::Array(variants)) = object.get("anyOf") else {
        return;
    };
    let mut variants: Vec<Value> = variants
        .iter()
        .filter(|variant| variant["type"] != "null")
        .cloned()
        .collect();
    if variants.len() == 1
        && let Some(Value::Object(only)) = variants.pop()
    {
        object.remove("anyOf");
        for (key, value) in only {
            object.entry(key).or_insert(value);
        }
    }
}

/// `oneOf` constants with descriptions (a documented enum) is an `enum` with `x-choices`.
fn flatten_choices(object: &mut serde_json::Map<String, Value>) {
    let Some(Value::Array(variants)) = object.get("oneOf") else {
        return;
    };
    let constants: Option<Vec<(Value, Value)>> = variants
        .iter()
        .map(|variant| {
            Some((
                variant.get("const")?.clone(),
                variant.get("description").cloned().unwrap_or_default(),
            ))
        })
        .collect();
    let Some(constants) = constants else {
        return;
    };
    let choices: Vec<Value> = constants
        .iter()
        .map(|(value, about)| json!({ "value": value, "description": about }))
        .collect();
    let values: Vec<Value> = constants.into_iter().map(|(value, _)| value).collect();
    object.remove("oneOf");
    object.insert("type".to_owned(), json!("string"));
    object.insert("enum".to_owned(), Value::Array(values));
    object.insert("x-choices".to_owned(), Value::Array(choices));
}

/// `save_count_to` reads "Save count to".
fn title(name: &str) -> String {
    let words = name.replace('_', " ");
    let mut letters = words.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The fields of a struct in the order of its declaration, which a JSON object does not keep.
fn field_order<T: DeserializeOwned>() -> Vec<&'static str> {
    let mut fields = Vec::new();
    // The reader refuses to read; all it is asked for is the list of fields that a struct announces first.
    let _refused: Result<T, Announced> = T::deserialize(FieldReader(&mut fields));
    fields
}

struct FieldReader<'a>(&'a mut Vec<&'static str>);

#[derive(Debug)]
struct Announced;

impl fmt::Display for Announced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("only the names of the fields are read")
    }
}

impl std::error::Error for Announced {}

impl serde::de::Error for Announced {
    fn custom<M: fmt::Display>(_: M) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for FieldReader<'_> {
    type Error = Announced;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Announced> {
        Err(Announced)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Announced> {
        self.0.extend_from_slice(fields);
        Err(Announced)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
