//! The API's own description, read so that a test covers every route there is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    dead_code,
    missing_docs,
    reason = "tests; each uses a part of it"
)]

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::World;

pub struct Description(Value);

/// One method of one path.
pub struct Operation<'a> {
    description: &'a Description,
    pub method: String,
    pub path: String,
    value: &'a Value,
}

pub struct Parameter {
    pub name: String,
    pub schema: Value,
}

impl Description {
    pub async fn of(world: &World) -> Self {
        let (status, description) = world.call("GET", "/openapi.json", None, Value::Null).await;
        assert_eq!(status, 200, "{description}");
        Self(description)
    }

    pub fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.0["paths"].as_object().expect("paths");
        let operations: Vec<_> = paths
            .iter()
            .flat_map(|(path, methods)| {
                let methods = methods.as_object().expect("methods");
                methods.iter().map(move |(method, value)| (method, path, value))
            })
            .map(|(method, path, value)| Operation {
                description: self,
                method: method.to_uppercase(),
                path: path.clone(),
                value,
            })
            .collect();
        assert!(
            operations.len() > 30,
            "the description lists only {} operations",
            operations.len()
        );
        operations
    }

    /// The schema behind references and without `null`.
    pub fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        if let Some(target) = schema["$ref"].as_str() {
            let pointer = target.strip_prefix('#').expect("a reference within the description");
            return self.resolve(self.0.pointer(pointer).expect("the target of a reference"));
        }
        for choice in ["oneOf", "anyOf"] {
            let choices = schema[choice].as_array().into_iter().flatten();
            let mut choices = choices.filter(|choice| choice["type"] != "null");
            if let (Some(only), None) = (choices.next(), choices.next()) {
                return self.resolve(only);
            }
        }
        schema
    }

    /// The properties of an object, those of its parts included.
    pub fn properties(&self, schema: &Value) -> BTreeMap<String, Value> {
        let schema = self.resolve(schema);
        let parts = schema["allOf"].as_array().into_iter().flatten();
        let mut properties: BTreeMap<String, Value> = parts.flat_map(|part| self.properties(part)).collect();
        if let Some(own) = schema["properties"].as_object() {
            properties.extend(
                own.iter()
                    .map(|(name, schema)| (name.clone(), self.resolve(schema).clone())),
            );
        }
        properties
    }

    /// A value that has the schema's shape; of an object, what it must have.
    pub fn sample(&self, schema: &Value) -> Value {
        let schema = self.resolve(schema);
        if let Some(first) = schema["enum"].get(0) {
            return first.clone();
        }
        match type_of(schema) {
            "string" => json!("sample"),
            "boolean" => json!(true),
            "integer" | "number" => json!(1),
            "array" => json!([self.sample(&schema["items"])]),
            _ => {
                let required: Vec<&str> = schema["required"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .collect();
                let properties = self.properties(schema);
                let wanted = properties.iter().filter(|(name, _)| required.contains(&name.as_str()));
                let sample: Map<_, _> = wanted
                    .map(|(name, schema)| (name.clone(), self.sample(schema)))
                    .collect();
                Value::Object(sample)
            }
        }
    }
}

/// The schema's type, `null` aside; empty when it may be anything.
pub fn type_of(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(name) => name,
        Value::Array(names) => names
            .iter()
            .filter_map(Value::as_str)
            .find(|name| *name != "null")
            .unwrap_or_default(),
        _ => "",
    }
}

impl Operation<'_> {
    /// Method and path, such as `GET /helpers/{helper_id}`.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// `bearer`, `api_key`, or none for a public route.
    pub fn security(&self) -> Option<&str> {
        let schemes = self.value["security"].as_array()?;
        let names: Vec<&String> = schemes
            .iter()
            .filter_map(Value::as_object)
            .flat_map(Map::keys)
            .collect();
        match names.as_slice() {
            [] => None,
            [only] => Some(only),
            _ => panic!("{} names more than one security scheme: {names:?}", self.name()),
        }
    }

    /// The parameters in this place: `path`, `query` or `header`.
    pub fn parameters(&self, place: &str) -> Vec<Parameter> {
        let all = self.value["parameters"].as_array().into_iter().flatten();
        all.filter(|parameter| parameter["in"] == place)
            .map(|parameter| Parameter {
                name: parameter["name"].as_str().expect("a name").to_owned(),
                schema: self.description.resolve(&parameter["schema"]).clone(),
            })
            .collect()
    }

    /// The names in the braces of the path.
    pub fn path_names(&self) -> Vec<&str> {
        self.path
            .split('/')
            .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            .collect()
    }

    /// The path with each parameter replaced; the values must be fit for an address.
    pub fn path_with(&self, value: impl Fn(&str) -> String) -> String {
        let parts =
            self.path.split('/').map(
                |part| match part.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) => value(name),
                    None => part.to_owned(),
                },
            );
        parts.collect::<Vec<_>>().join("/")
    }

    /// The schema of the JSON body, if it takes one.
    pub fn body(&self) -> Option<&Value> {
        let content = self.value["requestBody"]["content"].as_object()?;
        content.get("application/json").map(|content| &content["schema"])
    }

    /// Whether it takes HTML forms too.
    pub fn takes_forms(&self) -> bool {
        self.value["requestBody"]["content"]["application/x-www-form-urlencoded"].is_object()
    }

    /// The properties of the JSON body.
    pub fn body_properties(&self) -> BTreeMap<String, Value> {
        self.body()
            .map(|schema| self.description.properties(schema))
            .unwrap_or_default()
    }

    /// A body with all that the schema requires; null when there is none.
    pub fn body_sample(&self) -> Value {
        self.body()
            .map_or(Value::Null, |schema| self.description.sample(schema))
    }
}
