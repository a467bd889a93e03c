//! Checks recorded traffic against a vendor's OpenAPI description (feature `conformance`).
//!
//! Stricter than JSON Schema alone: a member that the description does not name is a fault, too, wherever an object
//! lists its properties; and so is a query parameter that is not declared.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::access_log::Exchange;

/// What a description can be violated in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Method and path are an operation of the description.
    Operation,
    /// Query parameters are declared, required ones present, and values of their type.
    Query,
    /// The request's body has the declared shape.
    RequestBody,
    /// The status of the answer is declared.
    Status,
    /// The answer's body has the declared shape.
    ResponseBody,
}

/// A fault found in one exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The rule that is broken.
    pub rule: Rule,
    /// The operation, as method and path template; the path as sent when there is none.
    pub operation: String,
    /// Status of the answer.
    pub status: u16,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            operation,
            status,
            message,
        } = self;
        write!(f, "{operation} → {status}: {rule:?}: {message}")
    }
}

/// A known gap between the description and the service; conditions left out hold for every exchange.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    /// The rule that may be broken.
    pub rule: Rule,
    /// The operation, as method and path template.
    pub operation: Option<&'static str>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Text that the message contains.
    pub about: Option<&'static str>,
    /// Why this is right although the description says otherwise.
    pub reason: &'static str,
}

impl Allowance {
    fn covers(&self, violation: &Violation) -> bool {
        self.rule == violation.rule
            && self.operation.is_none_or(|operation| operation == violation.operation)
            && self.status.is_none_or(|status| status == violation.status)
            && self.about.is_none_or(|about| violation.message.contains(about))
    }
}

/// What is known to differ at Keap.
pub const KEAP_GAPS: &[Allowance] = &[
    Allowance {
        rule: Rule::Status,
        operation: None,
        status: Some(429),
        about: None,
        reason: "the gateway throttles every operation; the description declares no 429",
    },
    Allowance {
        rule: Rule::ResponseBody,
        operation: None,
        status: Some(401),
        about: None,
        reason: "the gateway refuses a token with its own {fault} body before the API is reached",
    },
];

/// What is known to be missing from Stripe's description.
pub const STRIPE_GAPS: &[Allowance] = &[Allowance {
    rule: Rule::Operation,
    operation: Some("GET /v1/balance"),
    status: None,
    about: None,
    reason: "the description at hand is cut down to customers",
}];

/// What is known to differ at Ontraport.
pub const ONTRAPORT_GAPS: &[Allowance] = &[Allowance {
    rule: Rule::ResponseBody,
    operation: Some("POST /objects/saveorupdate"),
    status: Some(200),
    about: None,
    reason: "a record that was created is answered whole; the description knows only `attrs` of a merged one",
}];

/// What is known to differ at GoHighLevel.
pub const GOHIGHLEVEL_GAPS: &[Allowance] = &[
    Allowance {
        rule: Rule::Status,
        operation: None,
        status: Some(429),
        about: None,
        reason: "the gateway throttles every operation; the description declares no 429",
    },
    Allowance {
        rule: Rule::RequestBody,
        operation: Some("POST /contacts/search"),
        status: None,
        about: None,
        reason: "the description names the body of the search, but none of its members",
    },
    Allowance {
        rule: Rule::ResponseBody,
        operation: Some("POST /contacts/search"),
        status: None,
        about: None,
        reason: "the description has no schema for the answers of the search",
    },
    Allowance {
        rule: Rule::ResponseBody,
        operation: Some("GET /contacts/search/duplicate"),
        status: Some(200),
        about: None,
        reason: "the description has no schema for the answer",
    },
    Allowance {
        rule: Rule::RequestBody,
        operation: None,
        status: None,
        about: Some("/dateOfBirth`"),
        reason: "declared as an object, but its text and example describe a date",
    },
    Allowance {
        rule: Rule::RequestBody,
        operation: Some("PUT /contacts/{contactId}"),
        status: None,
        about: Some("('companyName' was unexpected)"),
        reason: "declared for a new contact only; the connector sends it and looks whether it was taken",
    },
    Allowance {
        rule: Rule::ResponseBody,
        operation: None,
        status: None,
        about: Some("/value`"),
        reason: "declared as text, but numbers, dates and lists of choices are not",
    },
    Allowance {
        rule: Rule::ResponseBody,
        operation: None,
        status: Some(400),
        about: Some("('meta' was unexpected)"),
        reason: "a refused duplicate names the contact that exists",
    },
];

/// A vendor's file below the folder of descriptions: `$MFH_VENDOR_DIR`, or `shared/vendor` beside the workspace.
/// None when it is not there.
pub fn vendor_file(relative: &str) -> Option<PathBuf> {
    let dir = std::env::var_os("MFH_VENDOR_DIR").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/vendor")),
        PathBuf::from,
    );
    Some(dir.join(relative)).filter(|file| file.is_file())
}

/// An OpenAPI 3 description, ready to check exchanges.
#[derive(Debug)]
pub struct Description {
    operations: Vec<Operation>,
    schemas: Map<String, Value>,
}

#[derive(Debug)]
struct Operation {
    method: String,
    template: String,
    parameters: Vec<Value>,
    body: Option<Value>,
    responses: Map<String, Value>,
}

impl Operation {
    fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }
}

impl Description {
    /// Reads a YAML or JSON file.
    pub fn load(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        Self::parse(&text).with_context(|| format!("in {}", file.display()))
    }

    /// Reads a YAML or JSON text.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let document: Value = serde_yaml_ng::from_str(text).context("the description is not valid YAML")?;
        let paths = document["paths"].as_object().context("the description has no paths")?;
        let mut operations = Vec::new();
        for (template, item) in paths {
            let shared = item["parameters"].as_array().cloned().unwrap_or_default();
            for method in ["get", "post", "put", "patch", "delete"] {
                let Some(operation) = item.get(method) else {
                    continue;
                };
                let own = operation["parameters"].as_array().cloned().unwrap_or_default();
                let parameters = shared.iter().cloned().chain(own);
                operations.push(Operation {
                    method: method.to_uppercase(),
                    template: template.clone(),
                    parameters: parameters.map(|it| resolve(&document, it)).collect(),
                    body: operation.get("requestBody").cloned().map(|it| resolve(&document, it)),
                    responses: operation["responses"].as_object().cloned().unwrap_or_default(),
                });
            }
        }
        let schemas = document["components"]["schemas"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        let schemas = schemas
            .into_iter()
            .map(|(name, schema)| (name, close(schema)))
            .collect();
        Ok(Self { operations, schemas })
    }

    /// The operation, as `METHOD /path/{template}`, that a request belongs to.
    pub fn operation_of(&self, method: &str, path: &str) -> Option<String> {
        self.find(method, path).map(Operation::name)
    }

    /// The faults of an exchange that no allowance covers. A request that met a fault on demand is checked without
    /// its answer.
    pub fn check(&self, exchange: &Exchange, gaps: &[Allowance]) -> Vec<Violation> {
        let request = &exchange.request;
        let Some(operation) = self.find(&request.method, &request.path) else {
            let violation = Violation {
                rule: Rule::Operation,
                operation: format!("{} {}", request.method, request.path),
                status: request.status,
                message: "the description has no such operation".to_owned(),
            };
            return Vec::from_iter((!gaps.iter().any(|gap| gap.covers(&violation))).then_some(violation));
        };
        let mut faults = Vec::new();
        // A request that was refused as wrong may be wrong.
        if request.status != 400 {
            faults.extend(self.check_query(operation, request.query.as_deref()));
            faults.extend(self.check_request_body(operation, exchange.request_body.as_ref()));
        }
        if request.fault.is_none() {
            faults.extend(self.check_response(operation, request.status, exchange.response_body.as_ref()));
        }
        faults
            .into_iter()
            .map(|(rule, message)| Violation {
                rule,
                operation: operation.name(),
                status: request.status,
                message,
            })
            .filter(|violation| !gaps.iter().any(|gap| gap.covers(violation)))
            .collect()
    }

    fn find(&self, method: &str, path: &str) -> Option<&Operation> {
        self.operations
            .iter()
            .filter(|operation| operation.method == method && matches(&operation.template, path))
            // Fixed text wins over a parameter: `/tags/categories` over `/tags/{tag_id}`, `{id}:merge` over `{id}`.
            .min_by_key(|operation| {
                let template = &operation.template;
                (template.matches('{').count(), Reverse(template.len()))
            })
    }

    fn check_query(&self, operation: &Operation, query: Option<&str>) -> Vec<(Rule, String)> {
        let mut sent: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            sent.entry(name.into_owned()).or_default().push(value.into_owned());
        }
        let mut faults = Vec::new();
        let declared: Vec<&Value> = operation.parameters.iter().filter(|it| it["in"] == "query").collect();
        for (name, values) in &sent {
            match declared.iter().find(|parameter| parameter["name"] == **name) {
                None => faults.push(format!("query parameter `{name}` is not declared")),
                Some(parameter) => faults.extend(
                    self.faults_of(&parameter["schema"], &typed(&parameter["schema"], values))
                        .into_iter()
                        .map(|fault| format!("query parameter `{name}`: {fault}")),
                ),
            }
        }
        for parameter in declared {
            let name = parameter["name"].as_str().unwrap_or_default();
            if parameter["required"] == true && !sent.contains_key(name) {
                faults.push(format!("query parameter `{name}` is missing"));
            }
        }
        faults.into_iter().map(|fault| (Rule::Query, fault)).collect()
    }

    fn check_request_body(&self, operation: &Operation, body: Option<&Value>) -> Vec<(Rule, String)> {
        let faults = match (&operation.body, body) {
            (None, None) => Vec::new(),
            (None, Some(_)) => vec!["the operation takes no body".to_owned()],
            (Some(declared), None) if declared["required"] == true => {
                vec!["the body is missing".to_owned()]
            }
            (Some(_), None) => Vec::new(),
            (Some(declared), Some(body)) => match (json_schema(declared), form_schema(declared), body) {
                (Some(schema), _, body) => self.faults_of(schema, body),
                (None, Some(schema), Value::String(form)) => self.faults_of(schema, &form_members(form)),
                (None, Some(_), _) => vec!["the body is no form".to_owned()],
                (None, None, _) => Vec::new(),
            },
        };
        faults.into_iter().map(|fault| (Rule::RequestBody, fault)).collect()
    }

    fn check_response(&self, operation: &Operation, status: u16, body: Option<&Value>) -> Vec<(Rule, String)> {
        let declared = operation
            .responses
            .get(&status.to_string())
            .or_else(|| operation.responses.get("default"));
        let Some(declared) = declared else {
            return vec![(Rule::Status, "the description does not declare this status".to_owned())];
        };
        let faults = match (json_schema(declared), body) {
            (Some(schema), Some(body)) => self.faults_of(schema, body),
            (Some(_), None) => vec!["the answer has no body".to_owned()],
            (None, Some(_)) if declared.get("content").is_none() => {
                vec!["the answer has a body where none is declared".to_owned()]
            }
            (None, _) => Vec::new(),
        };
        faults.into_iter().map(|fault| (Rule::ResponseBody, fault)).collect()
    }

    /// What `instance` does wrong under `schema`.
    fn faults_of(&self, schema: &Value, instance: &Value) -> Vec<String> {
        let schema = close(schema.clone());
        let mut needed = Map::new();
        self.collect(&schema, &mut needed);
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": { "schemas": needed },
        });
        let options = jsonschema::options().should_validate_formats(true);
        match options.build(&whole) {
            Ok(validator) => validator
                .iter_errors(instance)
                .map(|error| format!("at `{}`: {error}", error.instance_path()))
                .collect(),
            Err(error) => vec![format!("the description's schema cannot be used: {error}")],
        }
    }

    /// Gathers the named schemas that `schema` refers to, directly or not.
    fn collect(&self, schema: &Value, needed: &mut Map<String, Value>) {
        match schema {
            Value::Object(members) => {
                let name = members.get("$ref").and_then(Value::as_str).and_then(schema_name);
                if let Some((name, named)) = name.and_then(|name| Some((name, self.schemas.get(name)?)))
                    && !needed.contains_key(name)
                {
                    needed.insert(name.to_owned(), named.clone());
                    self.collect(named, needed);
                }
                members.values().for_each(|member| self.collect(member, needed));
            }
            Value::Array(items) => items.iter().for_each(|item| self.collect(item, needed)),
            _ => {}
        }
    }
}

fn schema_name(reference: &str) -> Option<&str> {
    reference.strip_prefix("#/components/schemas/")
}

/// Follows a reference at the top of a parameter or body.
fn resolve(document: &Value, value: Value) -> Value {
    let target = value["$ref"]
        .as_str()
        .and_then(|reference| document.pointer(reference.strip_prefix('#')?));
    target.cloned().unwrap_or(value)
}

fn json_schema(declared: &Value) -> Option<&Value> {
    let content = declared["content"].as_object()?;
    let (_, media) = content
        .iter()
        .find(|(name, _)| name.contains("json") || *name == "*/*")?;
    media.get("schema")
}

fn form_schema(declared: &Value) -> Option<&Value> {
    declared["content"]["application/x-www-form-urlencoded"].get("schema")
}

/// The members of a form body; `a[b]=c` is the member `b` of the object `a`.
fn form_members(form: &str) -> Value {
    let mut members = json!({});
    for (name, value) in url::form_urlencoded::parse(form.as_bytes()) {
        match name
            .split_once('[')
            .and_then(|(outer, rest)| Some((outer, rest.strip_suffix(']')?)))
        {
            Some((outer, inner)) => members[outer][inner] = Value::from(value),
            None => members[name.as_ref()] = Value::from(value),
        }
    }
    members
}

/// Whether a path fits a template; a parameter may share its segment with fixed text (`{id}:addContacts`).
fn matches(template: &str, path: &str) -> bool {
    let (template, path): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template.iter().zip(&path).all(|(pattern, segment)| {
            let segment = percent_decode_str(segment).decode_utf8_lossy();
            match (pattern.find('{'), pattern.rfind('}')) {
                (Some(start), Some(end)) => {
                    let (before, after) = (&pattern[..start], &pattern[end + 1..]);
                    segment.len() > before.len() + after.len()
                        && segment.starts_with(before)
                        && segment.ends_with(after)
                }
                _ => segment == *pattern,
            }
        })
}

/// The value of a query parameter as its schema sees it. Lists may be repeated or joined by commas: the vendors'
/// servers take both, whatever `explode` says.
fn typed(schema: &Value, values: &[String]) -> Value {
    let scalar = |schema: &Value, text: &str| match schema["type"].as_str() {
        Some("integer") => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        Some("number") => text.parse::<f64>().map_or_else(|_| text.into(), Value::from),
        Some("boolean") => text.parse::<bool>().map_or_else(|_| text.into(), Value::from),
        _ => Value::from(text),
    };
    if schema["type"] == "array" {
        let items = values.iter().flat_map(|value| value.split(','));
        return items.map(|item| scalar(&schema["items"], item)).collect();
    }
    match values {
        [value] => scalar(schema, value),
        several => several.iter().map(|value| scalar(schema, value)).collect(),
    }
}

/// Forbids members that a schema does not list, all the way down; composed schemas stay open, as their parts see
/// each other's members. `nullable` of OpenAPI 3.0 becomes a type.
fn close(schema: Value) -> Value {
    close_within(schema, false)
}

fn close_within(schema: Value, composed: bool) -> Value {
    let Value::Object(mut members) = schema else {
        return schema;
    };
    let composes = ["allOf", "anyOf", "oneOf"]
        .iter()
        .any(|word| members.contains_key(*word));
    if members.contains_key("properties") && !composed && !composes {
        members.entry("additionalProperties").or_insert(Value::Bool(false));
    }
    if members.remove("nullable") == Some(Value::Bool(true)) {
        if let Some(kind) = members.get_mut("type") {
            *kind = json!([kind.take(), "null"]);
        } else if let Some(Value::Array(parts)) = members.get_mut("anyOf") {
            parts.push(json!({ "type": "null" }));
        }
    }
    for (word, member) in &mut members {
        match (word.as_str(), member) {
            ("properties" | "patternProperties" | "$defs", Value::Object(named)) => {
                named.values_mut().for_each(|it| *it = close_within(it.take(), false));
            }
            ("items" | "additionalProperties" | "not", nested) => *nested = close_within(nested.take(), false),
            ("allOf" | "anyOf" | "oneOf", Value::Array(parts)) => {
                parts.iter_mut().for_each(|it| *it = close_within(it.take(), true));
            }
            _ => {}
        }
    }
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access_log::RequestEntry;
    use mfh_types::TimestampMs;

    const SMALL: &str = r##"
openapi: 3.1.0
paths:
  /things/{id}:
    get:
      parameters:
        - { name: id, in: path, required: true, schema: { type: string } }
        - { name: size, in: query, required: true, schema: { type: integer, maximum: 5 } }
      responses:
        "200": { content: { application/json: { schema: { $ref: "#/components/schemas/Thing" } } } }
  /things/{id}:paint:
    post:
      requestBody: { required: true, content: { application/json: { schema: { $ref: "#/components/schemas/Thing" } } } }
      responses: { "204": { description: done } }
components:
  schemas:
    Thing: { type: object, properties: { id: { type: string }, part: { $ref: "#/components/schemas/Part" } } }
    Part: { type: object, required: [name], properties: { name: { type: string } } }
"##;

    fn exchange(method: &str, target: &str, sent: Option<Value>, status: u16, answered: Option<Value>) -> Exchange {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Exchange {
            request: RequestEntry {
                n: 1,
                at: TimestampMs(chrono::DateTime::UNIX_EPOCH),
                request_id: "1".into(),
                method: method.into(),
                path: path.into(),
                query: (!query.is_empty()).then(|| query.into()),
                status,
                fault: None,
            },
            request_body: sent,
            response_body: answered,
        }
    }

    fn rules(exchange: &Exchange) -> Vec<Rule> {
        let description = Description::parse(SMALL).unwrap();
        let found = description.check(exchange, &[]);
        found.iter().map(|violation| violation.rule).collect()
    }

    #[test]
    fn what_fits_the_description_passes() {
        let part = json!({ "id": "1", "part": { "name": "wheel" } });
        assert_eq!(
            rules(&exchange("GET", "/things/1?size=5", None, 200, Some(part.clone()))),
            []
        );
        assert_eq!(rules(&exchange("POST", "/things/1:paint", Some(part), 204, None)), []);
    }

    #[test]
    fn each_rule_finds_its_fault() {
        let ok = || Some(json!({ "id": "1" }));
        assert_eq!(rules(&exchange("GET", "/nowhere", None, 200, ok())), [Rule::Operation]);
        assert_eq!(rules(&exchange("PUT", "/things/1", None, 200, ok())), [Rule::Operation]);
        assert_eq!(rules(&exchange("GET", "/things/1", None, 200, ok())), [Rule::Query]);
        assert_eq!(
            rules(&exchange("GET", "/things/1?size=9", None, 200, ok())),
            [Rule::Query]
        );
        assert_eq!(
            rules(&exchange("GET", "/things/1?size=1&limit=2", None, 200, ok())),
            [Rule::Query]
        );
        assert_eq!(
            rules(&exchange("GET", "/things/1?size=1", None, 429, ok())),
            [Rule::Status]
        );
        let odd = Some(json!({ "id": 1 }));
        assert_eq!(
            rules(&exchange("GET", "/things/1?size=1", None, 200, odd)),
            [Rule::ResponseBody]
        );
        let unnamed = Some(json!({ "part": {} }));
        assert_eq!(
            rules(&exchange("GET", "/things/1?size=1", None, 200, unnamed)),
            [Rule::ResponseBody]
        );
        let undeclared = Some(json!({ "part": { "name": "x", "extra": 1 } }));
        assert_eq!(
            rules(&exchange("POST", "/things/1:paint", undeclared, 204, None)),
            [Rule::RequestBody]
        );
        assert_eq!(
            rules(&exchange("POST", "/things/1:paint", None, 204, None)),
            [Rule::RequestBody]
        );
    }

    #[test]
    fn an_allowance_covers_only_what_it_names() {
        let description = Description::parse(SMALL).unwrap();
        let gap = Allowance {
            rule: Rule::Status,
            operation: Some("GET /things/{id}"),
            status: Some(429),
            about: None,
            reason: "throttled",
        };
        let at = |status| exchange("GET", "/things/1?size=1", None, status, None);
        assert_eq!(description.check(&at(429), &[gap]), []);
        assert_eq!(description.check(&at(418), &[gap]).len(), 1);
    }
}
