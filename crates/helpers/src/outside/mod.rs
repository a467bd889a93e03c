//! Calls to services outside (`helpers/COMMON` §11): what is sent and what comes back, one attempt at a time.
//!
//! Helpers do not use this directly: [`Context::call`](crate::Context::call) repeats, waits and journals.

mod live;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mfh_types::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use live::LiveClient;

use crate::HelperError;

/// The time of a whole call unless its entry says otherwise.
const USUAL_TIMEOUT: Duration = Duration::from_secs(15);

/// The largest answer that is read, in bytes.
pub(crate) const LARGEST_ANSWER: usize = 1024 * 1024;

/// The most of a vendor's text that an error shows, in characters.
const LONGEST_SAID: usize = 300;

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'@');

/// A part of a path, percent-encoded.
pub fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// The methods that services are called with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// One request to a service.
#[derive(Debug, Clone)]
pub struct Request {
    /// How it is called.
    pub method: Method,
    /// The whole address. It may hold a secret: never log it.
    url: Secret,
    /// Headers with lower-case names.
    headers: BTreeMap<&'static str, Secret>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// The time of one attempt.
    pub timeout: Duration,
}

impl Request {
    /// A read.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url)
    }

    /// A request without a body.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        let mut request = Self {
            method,
            url: Secret::new(url.into()),
            headers: BTreeMap::new(),
            body: None,
            timeout: USUAL_TIMEOUT,
        };
        request.headers.insert("user-agent", Secret::new("MyFusionHelper/1.0"));
        request
    }

    /// Adds a query: sorted by key, in form encoding.
    #[must_use]
    pub fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        let mut pairs = pairs.to_vec();
        pairs.sort_unstable();
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish();
        let join = if self.url.expose().contains('?') { '&' } else { '?' };
        self.url = Secret::new(format!("{}{join}{query}", self.url.expose()));
        self
    }

    /// Adds a header; its value is treated as a secret.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.insert(name, Secret::new(value.into()));
        self
    }

    /// Signs in with a user and a password.
    #[must_use]
    pub fn basic(self, user: &Secret, password: &Secret) -> Self {
        let pair = STANDARD.encode(format!("{}:{}", user.expose(), password.expose()));
        self.header("authorization", format!("Basic {pair}"))
    }

    /// Signs in with a token.
    #[must_use]
    pub fn bearer(self, token: &Secret) -> Self {
        self.header("authorization", format!("Bearer {}", token.expose()))
    }

    /// A JSON body: compact, keys in ascending order at every level.
    #[must_use]
    pub fn json(mut self, body: &impl Serialize) -> Self {
        // A JSON value keeps its keys sorted, which a struct does not.
        let sorted = serde_json::to_value(body).unwrap_or(Value::Null);
        self.body = Some(sorted.to_string().into_bytes());
        self.header("content-type", "application/json")
    }

    /// The time of one attempt.
    #[must_use]
    pub fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The whole address; it may hold a secret.
    pub fn expose_url(&self) -> &str {
        self.url.expose()
    }

    /// The headers with lower-case names; their values may be secrets.
    pub fn expose_headers(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.headers.iter().map(|(name, value)| (*name, value.expose()))
    }
}

/// What a service answered, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Headers with lower-case names.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// Whether the status is one of success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header by its lower-case name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The JSON of a success.
    ///
    /// # Errors
    /// Permanent for another status, and for an answer that is not what the service describes.
    pub fn json<T: DeserializeOwned>(&self, service: &str) -> Result<T, HelperError> {
        if !self.is_success() {
            return Err(self.refusal(service));
        }
        serde_json::from_slice(&self.body)
            .map_err(|_| HelperError::permanent("PROTOCOL", format!("{service} answered in an unexpected way")))
    }

    /// The error for a status that is not one of success.
    pub fn refusal(&self, service: &str) -> HelperError {
        let (code, what) = match self.status {
            401 => (
                "UNAUTHORIZED",
                format!("{service} does not accept the sign-in. Connect it again"),
            ),
            403 => (
                "FORBIDDEN",
                format!("{service} does not allow this for the connected account"),
            ),
            404 => ("NOT_FOUND", format!("{service} does not know this")),
            300..=399 => (
                "PROTOCOL",
                format!("{service} answered with a redirect, which is not followed"),
            ),
            status => (
                "INVALID_INPUT",
                format!("{service} refused the request (status {status})"),
            ),
        };
        let said = self.said();
        let message = if said.is_empty() {
            what
        } else {
            format!("{what}: {said}")
        };
        HelperError::permanent(code, message)
    }

    /// The vendor's explanation, cut.
    fn said(&self) -> String {
        let Ok(body) = serde_json::from_slice::<Value>(&self.body) else {
            return String::new();
        };
        let places = [
            &body["error"]["message"],
            &body["message"],
            &body["error_description"],
            &body["error"],
            &body["detail"],
        ];
        let said = places.into_iter().find_map(Value::as_str).unwrap_or_default();
        said.trim().chars().take(LONGEST_SAID).collect()
    }
}

/// An attempt got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// No connection was made: the service has certainly not acted.
    NotConnected,
    /// No answer in time, or only a part of one.
    Lost,
    /// The answer is larger than what is read.
    TooLarge,
    /// The address may not be called.
    Forbidden,
}

/// The network as helpers see it.
#[async_trait]
pub trait Outside: Send + Sync + fmt::Debug {
    /// Sends a request once. Redirects are not followed.
    ///
    /// # Errors
    /// Why there is no answer.
    async fn send(&self, request: &Request) -> Result<Answer, Broken>;
}

/// No network: every call fails as if the service were out of reach.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offline;

#[async_trait]
impl Outside for Offline {
    async fn send(&self, _: &Request) -> Result<Answer, Broken> {
        Err(Broken::NotConnected)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn bodies_and_queries_are_sorted_and_secrets_are_not_printed() {
        let request = Request::new(Method::Post, "https://example.com/x")
            .query(&[("b", "a b"), ("a", "1&2")])
            .basic(&Secret::new("SKx"), &Secret::new("secret"))
            .json(&json!({"b": {"d": 1, "c": "<é>"}, "a": null}));
        assert_eq!(request.expose_url(), "https://example.com/x?a=1%262&b=a+b");
        assert_eq!(
            request.body.as_deref(),
            Some(r#"{"a":null,"b":{"c":"<é>","d":1}}"#.as_bytes())
        );
        let headers: BTreeMap<_, _> = request.expose_headers().collect();
        assert_eq!(headers["authorization"], "Basic U0t4OnNlY3JldA==");
        assert!(!format!("{request:?}").contains("U0t4"), "{request:?}");
        assert_eq!(segment("a/b c@d~é"), "a%2Fb%20c@d~%C3%A9");
    }

    #[test]
    fn a_refusal_says_what_the_vendor_said() {
        let answer = Answer {
            status: 403,
            headers: BTreeMap::new(),
            body: json!({"error": {"message": "no plan"}}).to_string().into_bytes(),
        };
        assert_eq!(
            answer.refusal("Twilio").message,
            "Twilio does not allow this for the connected account: no plan"
        );
    }
}
