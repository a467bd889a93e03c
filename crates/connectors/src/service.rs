//! Connections to services that are no CRM: their credentials, and whether those work (`connectors` §5).

use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Method, StatusCode};
use mfh_types::{CallMethod, Credentials, Platform, PlatformConnection, Secret, TestCall};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::Url;

use crate::connector::Result;
use crate::error::{ConnectorError, ErrorKind};
use crate::http::{TokenSource, plain_and_safe};
use crate::registry::{Shared, UNKNOWN};

/// How long a test call may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The largest answer of a test call that is read, in bytes.
const LARGEST_ANSWER: usize = 1024 * 1024;

/// The name under which templates mean the access token.
const ACCESS_TOKEN: &str = "access_token";

/// A connection to a service.
#[derive(Debug, Clone)]
pub struct Service {
    platform: Arc<Platform>,
    credentials: Credentials,
    tokens: Arc<dyn TokenSource>,
    shared: Arc<Shared>,
    external_app_id: Option<String>,
    external_user_id: Option<String>,
    base_url: Option<String>,
    marked: bool,
}

impl Service {
    pub(crate) fn new(
        platform: Arc<Platform>,
        credentials: Credentials,
        tokens: Arc<dyn TokenSource>,
        shared: &Arc<Shared>,
    ) -> Self {
        Self {
            platform,
            credentials,
            tokens,
            shared: Arc::clone(shared),
            external_app_id: None,
            external_user_id: None,
            base_url: None,
            marked: false,
        }
    }

    /// The same service as one that is stored.
    pub(crate) fn of(mut self, connection: &PlatformConnection, marked: bool) -> Self {
        self.external_app_id.clone_from(&connection.external_app_id);
        self.external_user_id.clone_from(&connection.external_user_id);
        self.base_url.clone_from(&connection.base_url);
        self.marked = marked;
        self
    }

    /// The platform.
    pub fn platform(&self) -> &Platform {
        &self.platform
    }

    /// The secret to sign in with, renewed where it has to be. An OAuth token must be asked for before every call.
    pub fn tokens(&self) -> &Arc<dyn TokenSource> {
        &self.tokens
    }

    /// What the user pasted, by the keys of the platform's form; OAuth tokens in it may have ended.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// The account at the vendor, where it is known.
    pub fn external_app_id(&self) -> Option<&str> {
        self.external_app_id.as_deref()
    }

    /// Who signed in at the vendor, where it is known.
    pub fn external_user_id(&self) -> Option<&str> {
        self.external_user_id.as_deref()
    }

    /// The account's own API address, where the user named one.
    pub fn base_url(&self) -> Option<&str> {
        self.base_url.as_deref()
    }

    /// Whether the connection was marked as not working.
    pub fn marked(&self) -> bool {
        self.marked
    }

    /// Asks the vendor whether the credentials work; a platform without a test call counts as working.
    ///
    /// # Errors
    /// `Unauthorized` when they do not, else why the vendor could not be asked.
    pub async fn test(&self) -> Result<()> {
        let Some(test) = &self.platform.test else {
            return Ok(());
        };
        let token = self.tokens.token().await?;
        match self.try_test(test, &token).await {
            Err(error) if error.kind == ErrorKind::Unauthorized => {
                let newer = self.tokens.refresh(&token).await.map_err(|refused| {
                    // A pasted key has no newer one: what the vendor said to it is the answer.
                    if refused.kind == ErrorKind::Unauthorized {
                        error
                    } else {
                        refused
                    }
                })?;
                self.try_test(test, &newer).await
            }
            answer => answer,
        }
    }

    async fn try_test(&self, test: &TestCall, token: &Secret) -> Result<()> {
        let request = self.request(test, token)?;
        let mut response = request.send().await.map_err(|error| self.lost(&error))?;
        let status = response.status();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        if !status.is_success() {
            return Err(self.refused(status, retry_after));
        }
        let Some(success) = &test.success else {
            return Ok(());
        };
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.lost(&error))? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(self.error(ErrorKind::Protocol, "answered in an unexpected way"));
            }
            body.extend_from_slice(&chunk);
        }
        let answer: Value = serde_json::from_slice(&body)
            .map_err(|_| self.error(ErrorKind::Protocol, "answered in an unexpected way"))?;
        let found = success.path.split('.').try_fold(&answer, |value, name| value.get(name));
        let is_good = match found {
            Some(Value::String(text)) => *text == success.equals,
            Some(Value::Bool(flag)) => success.equals == if *flag { "true" } else { "false" },
            Some(Value::Number(number)) => number.to_string() == success.equals,
            Some(_) => false,
            None => false,
        };
        if is_good {
            Ok(())
        } else {
            Err(self.refused(StatusCode::UNAUTHORIZED, None))
        }
    }

    fn request(&self, test: &TestCall, token: &Secret) -> Result<reqwest::RequestBuilder> {
        let unusable = || {
            self.error(
                ErrorKind::NotConfigured,
                "cannot be tested: a credential is missing or damaged",
            )
        };
        let fill = |template: &str| self.fill(template, token, false).ok_or_else(unusable);
        let address = self.fill(&test.url, token, true).ok_or_else(unusable)?;
        let mut url = Url::parse(&address).ok().filter(plain_and_safe).ok_or_else(unusable)?;
        for (name, value) in &test.query {
            url.query_pairs_mut().append_pair(name, &fill(value)?);
        }
        let mut headers = HeaderMap::new();
        for (name, value) in &test.headers {
            let name = HeaderName::try_from(name.as_str()).map_err(|_| unusable())?;
            let mut value = HeaderValue::try_from(fill(value)?).map_err(|_| unusable())?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let method = match test.method {
            CallMethod::Get => Method::GET,
            CallMethod::Post => Method::POST,
        };
        let mut request = self
            .shared
            .transport()
            .ours()
            .request(method, url)
            .timeout(TIMEOUT)
            .header(ACCEPT, "application/json")
            .headers(headers);
        if let Some(basic) = &test.basic {
            request = request.basic_auth(fill(&basic.user)?, Some(fill(&basic.password)?));
        }
        if !test.form.is_empty() {
            let form = test.form.iter().map(|(name, value)| Ok((name, fill(value)?)));
            request = request.form(&form.collect::<Result<Vec<_>>>()?);
        }
        Ok(request)
    }

    /// Puts credentials in the place of `{name}`; `None` when one of them is missing.
    fn fill(&self, template: &str, token: &Secret, encode: bool) -> Option<String> {
        let mut pieces = template.split('{');
        let mut text = pieces.next()?.to_owned();
        for piece in pieces {
            let (name, rest) = piece.split_once('}')?;
            let value = if name == ACCESS_TOKEN {
                token
            } else {
                self.credentials.get(name)?
            };
            if encode {
                text.extend(utf8_percent_encode(value.expose(), NON_ALPHANUMERIC));
            } else {
                text.push_str(value.expose());
            }
            text.push_str(rest);
        }
        Some(text)
    }

    fn refused(&self, status: StatusCode, retry_after: Option<Duration>) -> ConnectorError {
        let (kind, what) = match status.as_u16() {
            401 | 403 => (
                ErrorKind::Unauthorized,
                "does not accept these credentials. Check them, or connect it again",
            ),
            429 => (ErrorKind::RateLimited, "takes no more requests for the moment"),
            408 | 425 | 500.. => (ErrorKind::Unavailable, "is not available at the moment"),
            _ => (ErrorKind::InvalidInput, "refused the test. Check the credentials"),
        };
        let mut error = self.error(kind, what);
        error.status = Some(status.as_u16());
        error.retry_after = retry_after;
        error
    }

    fn lost(&self, error: &reqwest::Error) -> ConnectorError {
        if error.is_timeout() {
            self.error(ErrorKind::Timeout, "did not answer in time")
        } else {
            self.error(ErrorKind::Network, "could not be reached")
        }
    }

    fn error(&self, kind: ErrorKind, what: &str) -> ConnectorError {
        ConnectorError::new(UNKNOWN, kind, format!("{} {what}", self.platform.name))
    }
}
