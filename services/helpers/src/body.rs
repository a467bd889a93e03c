//! What a trigger sends: a contact and data of the run, as JSON or as a form (`api-automation` §4).

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use mfh_http::ApiError;
use mfh_types::JsonObject;
use serde_json::Value;

use crate::request::QueryParams;
use crate::storable;

/// The largest body of a trigger in bytes.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// The longest contact id in characters.
const MAX_CONTACT_ID_CHARS: usize = 256;

/// What CRMs call the contact in the forms they post, the best name first.
const CONTACT_FIELDS: [&str; 4] = ["contact_id", "contactId", "ContactId", "Id"];

/// The contact and input of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TriggerBody {
    /// The contact to work on.
    pub contact_id: Option<String>,
    /// Data of the run.
    pub input: Option<JsonObject>,
}

impl TriggerBody {
    /// Reads a body of this content type; an empty one says nothing.
    ///
    /// # Errors
    /// 400 for what cannot be read, 413 for more than 64 KB.
    pub fn read(content_type: &str, body: &[u8]) -> Result<Self, ApiError> {
        if body.len() > MAX_BODY {
            return Err(ApiError::too_large());
        }
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        let kind = content_type.split(';').next().unwrap_or_default().trim();
        if kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            Self::of_form(body)
        } else {
            Self::of_json(body)
        }
    }

    fn of_json(body: &[u8]) -> Result<Self, ApiError> {
        let Ok(Value::Object(mut sent)) = serde_json::from_slice(body) else {
            return Err(ApiError::bad_request(
                "Invalid request format: send a JSON object such as {\"contact_id\":\"42\"}",
            ));
        };
        let contact_id = match sent.remove("contact_id") {
            Some(value) => contact_id(&value)?,
            None => None,
        };
        let explicit = match sent.remove("input") {
            None | Some(Value::Null) => None,
            Some(Value::Object(input)) => Some(input),
            Some(_) => {
                return Err(ApiError::invalid_field("input", "must be a JSON object"));
            }
        };
        let is_given = explicit.is_some() || !sent.is_empty();
        // What else is sent belongs to the input as well; where both name a key, `input` wins.
        sent.extend(explicit.unwrap_or_default());
        storable::check("input", &sent)?;
        Ok(Self {
            contact_id,
            input: is_given.then_some(sent),
        })
    }

    fn of_form(body: &[u8]) -> Result<Self, ApiError> {
        let mut input = JsonObject::new();
        let named = url::form_urlencoded::parse(body).filter(|(name, _)| !name.is_empty());
        for (name, value) in named {
            let value = Value::String(value.into_owned());
            match input.get_mut(name.as_ref()) {
                None => {
                    input.insert(name.into_owned(), value);
                }
                Some(Value::Array(values)) => values.push(value),
                Some(first) => *first = Value::Array(vec![first.take(), value]),
            }
        }
        let sent = CONTACT_FIELDS.iter().find_map(|name| input.get(*name));
        let contact_id = match sent {
            Some(value) => contact_id(value)?,
            None => None,
        };
        Ok(Self {
            contact_id,
            input: Some(input),
        })
    }

    /// The body as the web app means it: `overrides` is another name for `input`, which may carry the contact too.
    ///
    /// # Errors
    /// 400 for a contact id that is too long.
    pub fn of_web_app(mut self) -> Result<Self, ApiError> {
        let Some(input) = &mut self.input else {
            return Ok(self);
        };
        if let Some(Value::Object(overrides)) = input.remove("overrides") {
            for (key, value) in overrides {
                input.entry(key).or_insert(value);
            }
        }
        if self.contact_id.is_none() {
            let sent = input.get("contact_id");
            let sent = sent.filter(|value| value.is_string() || value.is_number());
            self.contact_id = sent.map(contact_id).transpose()?.flatten();
        }
        Ok(self)
    }

    /// Takes the contact from the query string where the body has none.
    ///
    /// # Errors
    /// 400 for a contact id that is too long.
    pub fn or_query(mut self, query: &QueryParams) -> Result<Self, ApiError> {
        if self.contact_id.is_none() {
            let sent = query.0.get("contact_id").map(String::as_str);
            self.contact_id = contact_id(&sent.into())?;
        }
        Ok(self)
    }
}

/// A contact id as text; numbers become their digits, blanks count as absent.
fn contact_id(value: &Value) -> Result<Option<String>, ApiError> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) => number.to_string(),
        _ => {
            return Err(ApiError::invalid_field("contact_id", "must be a text or a number"));
        }
    };
    if text.chars().count() > MAX_CONTACT_ID_CHARS {
        return Err(ApiError::invalid_field(
            "contact_id",
            format!("must have at most {MAX_CONTACT_ID_CHARS} characters"),
        ));
    }
    Ok(Some(text).filter(|text| !text.is_empty()))
}

impl<S: Send + Sync> FromRequest<S> for TriggerBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = request.headers().get(CONTENT_TYPE);
        let kind = kind
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let body = Bytes::from_request(request, state).await.map_err(|rejection| {
            if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
                ApiError::too_large()
            } else {
                ApiError::bad_request("The request body could not be read; send it again")
            }
        })?;
        Self::read(&kind, &body)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

    fn json_body(body: &Value) -> TriggerBody {
        TriggerBody::read("application/json", body.to_string().as_bytes()).unwrap()
    }

    fn input(body: &TriggerBody) -> Value {
        body.input.clone().map_or(Value::Null, Value::Object)
    }

    fn refused(content_type: &str, body: &str) -> StatusCode {
        TriggerBody::read(content_type, body.as_bytes()).unwrap_err().status()
    }

    #[test]
    fn a_contact_id_is_a_text_or_a_number() {
        for (sent, read) in [
            (json!("42"), Some("42")),
            (json!(42), Some("42")),
            (json!(" 42 "), Some("42")),
            (json!(""), None),
            (json!(null), None),
        ] {
            let body = json_body(&json!({"contact_id": sent}));
            assert_eq!(body.contact_id.as_deref(), read);
            assert_eq!(body.input, None);
        }
        assert_eq!(refused("", r#"{"contact_id":["42"]}"#), StatusCode::BAD_REQUEST);
        let long = json!({"contact_id": "x".repeat(257)}).to_string();
        assert_eq!(refused("", &long), StatusCode::BAD_REQUEST);
    }

    #[test]
    fn other_keys_join_the_input_and_explicit_input_wins() {
        let body = json_body(&json!({"contact_id": 7, "a": 1, "b": 2, "input": {"b": 3}}));
        assert_eq!(input(&body), json!({"a": 1, "b": 3}));
        assert_eq!(input(&json_body(&json!({"input": {}}))), json!({}));
        assert_eq!(input(&json_body(&json!({"input": null}))), json!(null));
    }

    #[test]
    fn an_empty_body_says_nothing() {
        for body in ["", " \n"] {
            let read = TriggerBody::read("application/json", body.as_bytes()).unwrap();
            assert_eq!(read, TriggerBody::default());
        }
    }

    #[test]
    fn what_is_not_a_json_object_is_refused() {
        for body in ["{", "[1]", "\"x\"", "contact_id=42", r#"{"input":[1]}"#] {
            assert_eq!(refused("application/json", body), StatusCode::BAD_REQUEST, "{body}");
        }
    }

    #[test]
    fn a_form_becomes_the_input_and_names_its_contact_in_many_ways() {
        let body = TriggerBody::read(FORM, b"Id=1&ContactId=2&contactId=3&name=J%C3%B6+D").unwrap();
        assert_eq!(body.contact_id.as_deref(), Some("3"));
        assert_eq!(
            input(&body),
            json!({"Id": "1", "ContactId": "2", "contactId": "3", "name": "Jö D"})
        );
        let body = TriggerBody::read(FORM, b"tag=a&tag=b&tag=c").unwrap();
        assert_eq!(input(&body), json!({"tag": ["a", "b", "c"]}));
        assert_eq!(body.contact_id, None);
    }

    #[test]
    fn more_than_64_kilobytes_are_too_much() {
        let body = json!({"x": "y".repeat(MAX_BODY)}).to_string();
        assert_eq!(refused("", &body), StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[test]
    fn the_web_app_may_say_overrides_and_put_the_contact_into_the_input() {
        let body = json_body(&json!({"overrides": {"a": 1, "b": 2}, "input": {"b": 3, "contact_id": 42}}));
        let body = body.of_web_app().unwrap();
        assert_eq!(input(&body), json!({"a": 1, "b": 3, "contact_id": 42}));
        assert_eq!(body.contact_id.as_deref(), Some("42"));
        let explicit = json_body(&json!({"contact_id": "1", "input": {"contact_id": "2"}}));
        assert_eq!(explicit.of_web_app().unwrap().contact_id.as_deref(), Some("1"));
    }

    #[test]
    fn the_query_names_the_contact_where_the_body_does_not() {
        let query = QueryParams::of("contact_id=9&x=1&x=2");
        assert_eq!(query.0["x"], "2");
        let body = TriggerBody::default().or_query(&query).unwrap();
        assert_eq!(body.contact_id.as_deref(), Some("9"));
        let body = json_body(&json!({"contact_id": 1})).or_query(&query).unwrap();
        assert_eq!(body.contact_id.as_deref(), Some("1"));
        assert_eq!(QueryParams::of("").into_option(), None);
    }
}
