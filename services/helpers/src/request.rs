//! What a trigger says outside its body: the query string and the idempotency key (`api-automation` §4.3).

use std::collections::BTreeMap;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use mfh_http::ApiError;

/// The longest idempotency key in characters.
const MAX_KEY_CHARS: usize = 200;

/// The whole query string; of a repeated name the last value counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct QueryParams(pub BTreeMap<String, String>);

impl QueryParams {
    pub(crate) fn of(query: &str) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes());
        Self(pairs.into_owned().filter(|(name, _)| !name.is_empty()).collect())
    }

    /// The parameters, if there are any.
    pub fn into_option(self) -> Option<BTreeMap<String, String>> {
        Some(self.0).filter(|params| !params.is_empty())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for QueryParams {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Ok(Self::of(parts.uri.query().unwrap_or_default()))
    }
}

/// The `Idempotency-Key` of a request: a repeat with the same key is the same execution.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(pub Option<String>);

impl IdempotencyKey {
    fn of(headers: &HeaderMap) -> Result<Self, ApiError> {
        let Some(value) = headers.get("idempotency-key") else {
            return Ok(Self(None));
        };
        let key = value.to_str().map(str::trim).unwrap_or_default();
        if key.is_empty() || key.chars().count() > MAX_KEY_CHARS {
            return Err(ApiError::invalid_field(
                "Idempotency-Key",
                format!("must have 1 to {MAX_KEY_CHARS} visible ASCII characters"),
            ));
        }
        Ok(Self(Some(key.to_owned())))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IdempotencyKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        Self::of(&parts.headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idempotency_key_is_neither_empty_nor_endless() {
        let read = |key: &str| {
            let value = http::HeaderValue::from_bytes(key.as_bytes()).unwrap();
            let name = http::HeaderName::from_static("idempotency-key");
            IdempotencyKey::of(&HeaderMap::from_iter([(name, value)]))
        };
        assert_eq!(read("order-17").unwrap().0.as_deref(), Some("order-17"));
        for key in ["", "  ", "ü", &"k".repeat(201)] {
            assert!(read(key).is_err(), "{key}");
        }
        assert_eq!(IdempotencyKey::of(&HeaderMap::new()).unwrap(), IdempotencyKey(None));
    }
}
