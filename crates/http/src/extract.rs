//! Body, query and path extractors whose refusals are envelopes that name the wrong field.

use std::error::Error;

use axum::extract::rejection::{BytesRejection, FailedToBufferBody};
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, Request};
use bytes::Bytes;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use crate::{ApiError, FieldFault};

/// A JSON object as request body, whatever its content type is called.
///
/// `Option<Json<T>>` takes a request without a body as `None`.
#[derive(Debug, Clone, Copy)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let body = read(request, state).await?;
        if is_blank(&body) {
            return Err(ApiError::bad_request("The request body is empty; send a JSON object"));
        }
        parse(&body).map(Self)
    }
}

impl<T: DeserializeOwned, S: Send + Sync> OptionalFromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ApiError> {
        let body = read(request, state).await?;
        if is_blank(&body) {
            return Ok(None);
        }
        parse(&body).map(|value| Some(Self(value)))
    }
}

async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, state)
        .await
        .map_err(|rejection| match rejection {
            BytesRejection::FailedToBufferBody(FailedToBufferBody::LengthLimitError(_)) => ApiError::too_large(),
            _ => ApiError::bad_request("The request body could not be read; send it again"),
        })
}

fn is_blank(body: &[u8]) -> bool {
    body.iter().all(u8::is_ascii_whitespace)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // A list would otherwise be taken for the fields of a struct, in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(ApiError::bad_request("The request body must be a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = path_text(error.path());
        refusal(path, error.inner())
    })?;
    match deserializer.end() {
        Ok(()) => Ok(value),
        Err(error) => Err(refusal(String::new(), &error)),
    }
}

fn refusal(path: String, error: &serde_json::Error) -> ApiError {
    if !error.is_data() {
        return ApiError::bad_request(format!(
            "The request body is not valid JSON (line {}, column {})",
            error.line(),
            error.column()
        ));
    }
    let (field, message) = explain(path, &error.to_string());
    ApiError::invalid(vec![FieldFault::new(field, message)])
}

fn path_text(path: &serde_path_to_error::Path) -> String {
    let mut text = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key: name } | Segment::Enum { variant: name } => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(name);
            }
            Segment::Unknown => {}
        }
    }
    text
}

/// The field and what is expected of it, without the value that was sent: it may be a secret.
fn explain(path: String, error: &str) -> (String, String) {
    let error = error.rsplit_once(" at line ").map_or(error, |(text, _)| text);
    if let Some(missing) = error
        .strip_prefix("missing field `")
        .and_then(|rest| rest.strip_suffix('`'))
    {
        let field = if path.is_empty() {
            missing.to_owned()
        } else {
            format!("{path}.{missing}")
        };
        return (field, "is required".to_owned());
    }
    let field = if path.is_empty() { "body".to_owned() } else { path };
    let is_mismatch = error.starts_with("invalid ") || error.starts_with("unknown variant");
    match error.rfind(", expected ") {
        Some(start) if is_mismatch => (field, error[start + 2..].to_owned()),
        _ => (field, error.to_owned()),
    }
}

/// Query parameters.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match axum::extract::Query::try_from_uri(&parts.uri) {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => {
                let text = rejection.source().map_or_else(String::new, ToString::to_string);
                let (field, message) = text.split_once(": ").unwrap_or(("query", &text));
                let (field, message) = explain(field.to_owned(), message);
                Err(ApiError::invalid(vec![FieldFault::new(field, message)]))
            }
        }
    }
}

/// Path parameters; one that cannot be an id answers like a missing thing.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|_| ApiError::not_found("Not found: check the id in the address"))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::ErrorCode;

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Outer {
        name: String,
        #[serde(default)]
        rules: Vec<Rule>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code)]
    struct Rule {
        points: i32,
    }

    fn fault(body: &str) -> (String, String) {
        let error = parse::<Outer>(body.as_bytes()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ValidationFailed);
        let body = format!("{error:?}");
        let field = body.split("field: \"").nth(1).unwrap();
        let (field, rest) = field.split_once('"').unwrap();
        let message = rest.split("message: \"").nth(1).unwrap();
        (field.to_owned(), message.split('"').next().unwrap().to_owned())
    }

    #[test]
    fn a_wrong_type_names_its_path_and_not_its_value() {
        let (field, message) = fault(r#"{"name":"x","rules":[{"points":1},{"points":"hunter2"}]}"#);
        assert_eq!((field.as_str(), message.as_str()), ("rules[1].points", "expected i32"));
        let (field, message) = fault(r#"{"name":17}"#);
        assert_eq!((field.as_str(), message.as_str()), ("name", "expected a string"));
    }

    #[test]
    fn a_missing_field_is_named() {
        assert_eq!(fault("{}").0, "name");
        assert_eq!(fault(r#"{"name":"x","rules":[{}]}"#).0, "rules[0].points");
    }

    #[test]
    fn lists_rests_and_broken_json_are_refused() {
        for body in [r#"["x"]"#, r#"{"name":"x"} {}"#, r#"{"name":"#, "null"] {
            let error = parse::<Outer>(body.as_bytes()).unwrap_err();
            assert_eq!(error.code(), ErrorCode::BadRequest, "{body}");
        }
    }
}
