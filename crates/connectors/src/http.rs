//! The one HTTP client under every connector: limits, retries, token refresh and error mapping (`connectors` §1.5).

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use http::header::{AUTHORIZATION, HeaderValue, InvalidHeaderValue, RETRY_AFTER};
use http::{HeaderMap, Method, StatusCode};
use mfh_outbound::UserUrl;
use mfh_types::{Clock, Random, Secret};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::{Host, Url};

use crate::connector::{Metadata, Result};
use crate::error::{ConnectorError, ErrorKind, WriteOutcome};
use crate::mask::{cut, mask};
use crate::rate::{Day, Quota, Sleeper, Throttle};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(30);
const LARGEST_ANSWER: usize = 10 * 1024 * 1024;
const TRIES: u32 = 3;
/// A longer wait than that has another reason than a crowd: the vendor asked for it, or a quota is used up.
const A_MOMENT: Duration = Duration::from_secs(15 * 60);
/// A vendor that asks for a longer pause gets it from the caller, not from a waiting worker.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(10);
const VENDOR_TEXT: usize = 200;
const DETAILS: usize = 500;
const USER_AGENT: &str = concat!("MyFusionHelper/", env!("CARGO_PKG_VERSION"));

/// Everything in a path segment but RFC 3986's unreserved characters is encoded.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a connector gets the secret it signs in with.
#[async_trait]
pub trait TokenSource: Send + Sync + fmt::Debug {
    /// The secret to use now.
    ///
    /// # Errors
    /// `NotConfigured` or `ConnectionReauthRequired` when there is none.
    async fn token(&self) -> Result<Secret>;

    /// A new secret after the vendor answered 401 to `rejected`.
    ///
    /// # Errors
    /// `Unauthorized` or `ConnectionReauthRequired` when there is no newer one.
    async fn refresh(&self, rejected: &Secret) -> Result<Secret>;
}

/// A secret that cannot be refreshed: a pasted key or personal access token.
#[derive(Debug, Clone)]
pub struct StaticToken {
    platform: &'static str,
    token: Secret,
}

impl StaticToken {
    /// A source of this one secret.
    pub fn new(platform: &'static str, token: Secret) -> Self {
        Self { platform, token }
    }
}

#[async_trait]
impl TokenSource for StaticToken {
    async fn token(&self) -> Result<Secret> {
        Ok(self.token.clone())
    }

    async fn refresh(&self, _rejected: &Secret) -> Result<Secret> {
        let mut error = ConnectorError::new(
            self.platform,
            ErrorKind::Unauthorized,
            "The CRM does not accept the key of this connection. Connect it again with a valid key",
        );
        error.status = Some(StatusCode::UNAUTHORIZED.as_u16());
        Err(error)
    }
}

/// Puts the secret on a request.
pub(crate) type Authorize = fn(&mut HeaderMap, &Secret) -> std::result::Result<(), InvalidHeaderValue>;

/// `Authorization: Bearer`, as most vendors want it.
pub(crate) fn bearer(headers: &mut HeaderMap, token: &Secret) -> std::result::Result<(), InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))?;
    value.set_sensitive(true);
    headers.insert(AUTHORIZATION, value);
    Ok(())
}

/// What the body of a failed answer says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The vendor's own code.
    pub(crate) code: Option<String>,
    /// The vendor's explanation.
    pub(crate) message: Option<String>,
    /// What is wrong, where the body says it more exactly than the status.
    pub(crate) kind: Option<ErrorKind>,
    /// The contact that exists already.
    pub(crate) contact_id: Option<String>,
}

/// What differs between vendors below the level of operations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vendor {
    pub(crate) slug: &'static str,
    pub(crate) name: &'static str,
    pub(crate) authorize: Authorize,
    /// Reads the headers that tell what is left of a quota.
    pub(crate) quota: fn(&HeaderMap) -> Option<Quota>,
    /// Reads how long to wait after a 429 that has no `Retry-After`.
    pub(crate) reset: fn(&HeaderMap) -> Option<Duration>,
    /// Reads what is left of the requests of the day.
    pub(crate) day: fn(&HeaderMap, DateTime<Utc>) -> Option<Day>,
    /// Reads the body of a failed answer.
    pub(crate) fault: fn(&[u8]) -> Fault,
}

/// The body of a request.
#[derive(Debug, Clone)]
struct Body {
    content_type: &'static str,
    bytes: Vec<u8>,
}

/// One request, and whether it may be sent again when nobody knows what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    /// The path with `{}` for each segment that comes from data; this is what logs show.
    template: &'static str,
    path: std::result::Result<String, &'static str>,
    query: Vec<(&'static str, String)>,
    body: Option<Body>,
    idempotency_key: Option<String>,
    repeatable: bool,
    /// It changes nothing.
    reads: bool,
    subject: &'static str,
}

impl Call {
    pub(crate) fn get(template: &'static str, segments: &[&str]) -> Self {
        Self::new(Method::GET, template, segments).reading()
    }

    pub(crate) fn post(template: &'static str, segments: &[&str]) -> Self {
        Self::new(Method::POST, template, segments)
    }

    pub(crate) fn put(template: &'static str, segments: &[&str]) -> Self {
        Self::new(Method::PUT, template, segments)
    }

    pub(crate) fn patch(template: &'static str, segments: &[&str]) -> Self {
        Self::new(Method::PATCH, template, segments)
    }

    pub(crate) fn delete(template: &'static str, segments: &[&str]) -> Self {
        Self::new(Method::DELETE, template, segments)
    }

    fn new(method: Method, template: &'static str, segments: &[&str]) -> Self {
        Self {
            method,
            template,
            path: fill(template, segments),
            query: Vec::new(),
            body: None,
            idempotency_key: None,
            repeatable: false,
            reads: false,
            subject: "record",
        }
    }

    /// Sending it twice has the effect of sending it once.
    pub(crate) fn repeatable(mut self) -> Self {
        self.repeatable = true;
        self
    }

    /// It only asks, whatever its method.
    pub(crate) fn reading(mut self) -> Self {
        self.repeatable = true;
        self.reads = true;
        self
    }

    /// What a 404 is about, for the user.
    pub(crate) fn about(mut self, subject: &'static str) -> Self {
        self.subject = subject;
        self
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => {
                self.body = Some(Body {
                    content_type: "application/json",
                    bytes,
                });
            }
            Err(_) => self.path = Err("a value cannot be written as JSON"),
        }
        self
    }

    /// Sends these pairs as a form.
    pub(crate) fn form<N: AsRef<str>, V: AsRef<str>>(mut self, pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(pairs);
        self.body = Some(Body {
            content_type: "application/x-www-form-urlencoded",
            bytes: form.finish().into_bytes(),
        });
        self
    }

    /// Names the call, so that the vendor carries it out once however often it is sent.
    pub(crate) fn once_as(mut self, key: impl Into<String>) -> Self {
        self.idempotency_key = Some(key.into());
        self.repeatable()
    }
}

/// Puts encoded segments into the template. Dot segments would change the path even when encoded.
fn fill(template: &str, segments: &[&str]) -> std::result::Result<String, &'static str> {
    let mut segments = segments.iter();
    let mut path = String::with_capacity(template.len() + 16);
    for (index, literal) in template.split("{}").enumerate() {
        if index > 0 {
            let segment = segments.next().map_or("", |segment| segment.trim());
            if matches!(segment, "" | "." | "..") {
                return Err("an id is missing or not valid");
            }
            path.extend(utf8_percent_encode(segment, SEGMENT));
        }
        path.push_str(literal);
    }
    Ok(path)
}

/// A successful answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    body: Vec<u8>,
}

impl Answer {
    /// Whether it says nothing at all.
    pub(crate) fn is_blank(&self) -> bool {
        self.body.trim_ascii().is_empty()
    }
}

/// A failed try, and what that says about another one.
struct Failure {
    error: ConnectorError,
    repeat: Repeat,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    Never,
    /// Only when sending twice has the effect of sending once.
    IfRepeatable,
    /// The vendor has certainly not acted on it.
    Always,
}

/// TCP and TLS connections, shared by every connector of the process.
#[derive(Debug, Clone)]
pub struct Transport {
    /// To the hosts of our platform records.
    ours: reqwest::Client,
    /// To hosts that users named: public addresses only. Made when it is first needed, for that takes a moment.
    guarded: Arc<OnceLock<reqwest::Client>>,
}

impl Transport {
    /// Timeouts of 5 s to connect and 30 s in all, no redirects.
    ///
    /// # Errors
    /// When no client can be made.
    pub fn new() -> std::result::Result<Self, reqwest::Error> {
        Ok(Self {
            ours: Self::builder().build()?,
            guarded: Arc::default(),
        })
    }

    fn builder() -> reqwest::ClientBuilder {
        mfh_outbound::client_builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TOTAL_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(USER_AGENT)
    }

    fn client(&self, user_host: bool) -> std::result::Result<reqwest::Client, reqwest::Error> {
        if !user_host {
            return Ok(self.ours.clone());
        }
        if let Some(client) = self.guarded.get() {
            return Ok(client.clone());
        }
        let client = mfh_outbound::guard(Self::builder()).build()?;
        Ok(self.guarded.get_or_init(|| client).clone())
    }

    /// The client for hosts of our platform records, for calls that no connector makes.
    pub(crate) fn ours(&self) -> &reqwest::Client {
        &self.ours
    }
}

/// What a client is made of.
#[derive(Debug)]
pub(crate) struct HttpConfig {
    pub(crate) vendor: Vendor,
    /// Sent with every request, beside what signs in.
    pub(crate) headers: HeaderMap,
    pub(crate) base_url: String,
    /// Whether a user named the host: then it must be public.
    pub(crate) user_host: bool,
    pub(crate) tokens: Arc<dyn TokenSource>,
    pub(crate) throttle: Throttle,
    pub(crate) transport: Transport,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) sleeper: Arc<dyn Sleeper>,
}

/// Sends the calls of one connector.
#[derive(Debug)]
pub(crate) struct HttpClient {
    config: HttpConfig,
    base: Url,
    client: reqwest::Client,
}

impl HttpClient {
    /// A client for the host of `base_url`.
    ///
    /// # Errors
    /// `NotConfigured` for a base that is not https (http is for simulators on this machine) or not a plain address,
    /// and for a user's host that is not public.
    pub(crate) fn new(mut config: HttpConfig) -> Result<Self> {
        let trimmed = config.base_url.trim().trim_end_matches('/').to_owned();
        let base = Url::parse(&trimmed).ok().filter(plain_and_safe);
        let base = base.filter(|_| !config.user_host || UserUrl::parse(&trimmed).is_ok());
        let Some(base) = base else {
            return Err(ConnectorError::new(
                config.vendor.slug,
                ErrorKind::NotConfigured,
                format!(
                    "The API address of {} must be a plain public https:// address. Correct it in the connection",
                    config.vendor.name
                ),
            ));
        };
        config.base_url = trimmed;
        let client = config.transport.client(config.user_host).map_err(|error| {
            tracing::error!(%error, "no HTTP client can be made");
            ConnectorError::new(
                config.vendor.slug,
                ErrorKind::Network,
                "No secure connection can be made",
            )
        })?;
        Ok(Self { config, base, client })
    }

    /// A text of the vendor, fit for an error message.
    pub(crate) fn safe_text(&self, text: &str) -> String {
        cut(&mask(text, &Secret::new("")), VENDOR_TEXT)
    }

    /// Who is asked, by this version of the API.
    pub(crate) fn metadata(&self, api_version: &'static str) -> Metadata {
        Metadata {
            platform_slug: self.config.vendor.slug,
            platform_name: self.config.vendor.name,
            api_version,
            base_url: self.base_url().to_owned(),
        }
    }

    pub(crate) fn base_url(&self) -> &str {
        &self.config.base_url
    }

    /// Sends a call and reads its JSON answer.
    ///
    /// # Errors
    /// As [`HttpClient::send`], and `Protocol` when the answer is not the expected JSON.
    pub(crate) async fn fetch<T: DeserializeOwned>(&self, call: &Call) -> Result<T> {
        let answer = self.send(call).await?;
        self.decode(call, &answer)
    }

    /// Reads the JSON of an answer.
    ///
    /// # Errors
    /// `Protocol`; a write was applied all the same, so its outcome is unknown.
    pub(crate) fn decode<T: DeserializeOwned>(&self, call: &Call, answer: &Answer) -> Result<T> {
        serde_json::from_slice(&answer.body).map_err(|error| {
            tracing::warn!(
                platform = self.config.vendor.slug,
                path = call.template,
                line = error.line(),
                column = error.column(),
                "the answer is not the JSON that the vendor describes"
            );
            let mut error = self.error(ErrorKind::Protocol, self.strange());
            error.status = Some(answer.status.as_u16());
            error.outcome = sent(call);
            error
        })
    }

    /// Sends a call, repeats it where that is safe, and refreshes the token once after a 401.
    ///
    /// # Errors
    /// By the vendor's status or the failing connection. `outcome` is unknown as soon as one try may have been applied.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer> {
        let url = self.url(call)?;
        let mut token = self.config.tokens.token().await?;
        let mut refreshed = false;
        let mut failed = 0;
        let mut outcome = WriteOutcome::NotApplied;
        loop {
            self.pace().await.map_err(|error| settle(error, outcome))?;
            let Failure { error, repeat } = match self.attempt(call, url.clone(), &token).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let error = settle(error, outcome);
            outcome = error.outcome;
            if error.kind == ErrorKind::Unauthorized && !refreshed {
                let newer = self.config.tokens.refresh(&token).await;
                token = newer.map_err(|error| settle(error, outcome))?;
                refreshed = true;
                continue;
            }
            failed += 1;
            let wait = error.retry_after.unwrap_or_else(|| self.back_off(failed));
            if error.kind == ErrorKind::RateLimited {
                self.config.throttle.back_off(wait).await;
            }
            let may_repeat = match repeat {
                Repeat::Never => false,
                Repeat::IfRepeatable => call.repeatable,
                Repeat::Always => true,
            };
            if !may_repeat || failed == TRIES || wait > LONGEST_RETRY_AFTER {
                return Err(error);
            }
            if error.kind != ErrorKind::RateLimited {
                self.config.sleeper.sleep(wait).await;
            }
        }
    }

    /// Waits for a place within the limits, which also keep the pause after a 429.
    async fn pace(&self) -> Result<()> {
        let admitted = self.config.throttle.admit(&*self.config.sleeper).await;
        admitted.map_err(|wait| {
            let mut error = self.error(ErrorKind::RateLimited, self.busy(wait));
            error.retry_after = Some(wait);
            error.held_back = true;
            error
        })
    }

    /// Stops before the requests of the day are used up; tells for how long, if so.
    async fn save_the_day(&self, headers: &HeaderMap) -> Option<Duration> {
        let day = (self.config.vendor.day)(headers, self.config.clock.now()).filter(|day| day.is_spent())?;
        self.config.throttle.rest(day.renewed_in).await;
        Some(day.renewed_in)
    }

    /// About 1 s after the first failure and 2 s after the second, a fifth up or down.
    fn back_off(&self, failed: u32) -> Duration {
        let jitter = 0.8 + 0.4 * self.config.random.fraction();
        Duration::from_secs(1 << (failed - 1)).mul_f64(jitter)
    }

    fn url(&self, call: &Call) -> Result<Url> {
        let invalid = |why: &str| {
            let message = format!("{} cannot be asked: {why}", self.config.vendor.name);
            self.error(ErrorKind::InvalidInput, message)
        };
        let path = call.path.as_ref().map_err(|why| invalid(why))?;
        let mut url = Url::parse(&format!("{}{path}", self.config.base_url))
            .ok()
            .filter(|url| url.host() == self.base.host())
            .ok_or_else(|| invalid("an id is not valid"))?;
        if !call.query.is_empty() {
            url.query_pairs_mut()
                .extend_pairs(call.query.iter().map(|(name, value)| (name, value)));
        }
        Ok(url)
    }

    async fn attempt(&self, call: &Call, url: Url, token: &Secret) -> std::result::Result<Answer, Failure> {
        let mut headers = self.config.headers.clone();
        (self.config.vendor.authorize)(&mut headers, token).map_err(|_| Failure {
            error: self.error(
                ErrorKind::NotConfigured,
                "The key of this connection holds characters that no key has. Connect it again",
            ),
            repeat: Repeat::Never,
        })?;
        let mut request = self
            .client
            .request(call.method.clone(), url)
            .headers(headers)
            .header(http::header::ACCEPT, "application/json");
        if let Some(body) = &call.body {
            request = request
                .header(http::header::CONTENT_TYPE, body.content_type)
                .body(body.bytes.clone());
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let started = Instant::now();
        let response = request.send().await;
        self.log(call, started, &response);
        let response = response.map_err(|error| self.broken(call, &error))?;
        if let Some(quota) = (self.config.vendor.quota)(response.headers()) {
            self.config.throttle.observe(quota);
        }
        let status = response.status();
        let reset =
            || (self.config.vendor.reset)(response.headers()).filter(|_| status == StatusCode::TOO_MANY_REQUESTS);
        let retry_after = self.retry_after(response.headers()).or_else(reset);
        let spent_for = self.save_the_day(response.headers()).await;
        let body = self.read(call, response).await;
        if status.is_success() {
            let body = body?;
            if breaks_off(&body) {
                return Err(self.interrupted(call));
            }
            return Ok(Answer { status, body });
        }
        // The status says enough when the explanation cannot be read.
        let mut failure = self.refused(call, status, retry_after, &body.unwrap_or_default(), token);
        if let (Some(wait), ErrorKind::RateLimited) = (spent_for, failure.error.kind) {
            let wait = retry_after.map_or(wait, |asked| asked.max(wait));
            failure.error.retry_after = Some(wait);
            failure.error.held_back = true;
            failure.error.message = format!(
                "The requests that {} allows a day are used up. It takes new ones in about {}",
                self.config.vendor.name,
                spoken(wait)
            );
        }
        Err(failure)
    }

    async fn read(&self, call: &Call, mut response: reqwest::Response) -> std::result::Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        loop {
            match response.chunk().await {
                Ok(None) => return Ok(body),
                Ok(Some(chunk)) if body.len() + chunk.len() <= LARGEST_ANSWER => {
                    body.extend_from_slice(&chunk);
                }
                Ok(Some(_)) => {
                    let message = format!("{} answered with more than 10 MB", self.config.vendor.name);
                    let mut error = self.error(ErrorKind::Protocol, message);
                    error.outcome = sent(call);
                    return Err(Failure {
                        error,
                        repeat: Repeat::Never,
                    });
                }
                Err(error) => return Err(self.broken(call, &error)),
            }
        }
    }

    /// The answer ends in the middle: something between the vendor and us lost the rest.
    fn interrupted(&self, call: &Call) -> Failure {
        let message = format!("The connection to {} broke off", self.config.vendor.name);
        let mut error = self.error(ErrorKind::Network, message);
        error.outcome = sent(call);
        Failure {
            error,
            repeat: Repeat::IfRepeatable,
        }
    }

    /// The request got no answer, or only a part of one.
    fn broken(&self, call: &Call, cause: &reqwest::Error) -> Failure {
        let name = self.config.vendor.name;
        if mfh_outbound::is_refusal(cause) {
            let message = format!(
                "The API address of {name} leads to a network that is not public. Correct it in the connection"
            );
            return Failure {
                error: self.error(ErrorKind::NotConfigured, message),
                repeat: Repeat::Never,
            };
        }
        let (kind, message) = if cause.is_timeout() {
            (ErrorKind::Timeout, format!("{name} did not answer in time"))
        } else {
            (ErrorKind::Network, format!("{name} could not be reached"))
        };
        let mut error = self.error(kind, message);
        if cause.is_connect() {
            return Failure {
                error,
                repeat: Repeat::Always,
            };
        }
        error.outcome = sent(call);
        Failure {
            error,
            repeat: Repeat::IfRepeatable,
        }
    }

    /// The vendor answered with something other than success.
    fn refused(
        &self,
        call: &Call,
        status: StatusCode,
        retry_after: Option<Duration>,
        body: &[u8],
        token: &Secret,
    ) -> Failure {
        let (kind, repeat) = classify(status);
        let hide = |text: &str| mask(text, token);
        let fault = (self.config.vendor.fault)(body);
        // Only a refusal has reasons to tell apart; an outage stays one whatever its body says.
        let kind = fault.kind.filter(|_| repeat == Repeat::Never).unwrap_or(kind);
        let said = fault.message.map(|text| cut(&hide(&text), VENDOR_TEXT));
        let mut error = self.error(kind, self.explain(call, kind, status, said.as_deref()));
        error.status = Some(status.as_u16());
        error.retry_after = retry_after;
        error.contact_id = fault.contact_id;
        error.vendor_code = fault.code.map(|code| cut(&hide(&code), 60));
        if repeat == Repeat::IfRepeatable {
            error.outcome = sent(call);
        }
        let details = cut(&hide(&String::from_utf8_lossy(body)), DETAILS);
        tracing::debug!(
            platform = self.config.vendor.slug,
            path = call.template,
            status = status.as_u16(),
            details,
            "the vendor refused a request"
        );
        Failure { error, repeat }
    }

    /// A sentence for the user.
    fn explain(&self, call: &Call, kind: ErrorKind, status: StatusCode, said: Option<&str>) -> String {
        let name = self.config.vendor.name;
        let base = match kind {
            ErrorKind::InvalidInput => format!("{name} does not accept these values"),
            ErrorKind::Unauthorized => {
                return format!("{name} no longer accepts the sign-in of this connection. Connect it again");
            }
            ErrorKind::Forbidden => format!("This connection may not do that in {name}"),
            ErrorKind::NotFound => format!("{name} has no such {}", call.subject),
            ErrorKind::Conflict => format!("{name} already has such a {}", call.subject),
            ErrorKind::RateLimited => return self.busy(Duration::ZERO),
            ErrorKind::Unavailable => {
                return format!("{name} is not available at the moment (status {})", status.as_u16());
            }
            ErrorKind::Unsupported => format!("{name} does not support this"),
            _ => return self.strange(),
        };
        match said {
            Some(said) if !said.trim().is_empty() => format!("{base}: {}", said.trim()),
            _ => base,
        }
    }

    fn busy(&self, wait: Duration) -> String {
        let name = self.config.vendor.name;
        if wait <= A_MOMENT {
            return format!("{name} takes no more requests for the moment");
        }
        format!(
            "{name} takes no more requests for about {}: those that it allows until then are used up",
            spoken(wait)
        )
    }

    fn strange(&self) -> String {
        format!("{} answered in an unexpected way", self.config.vendor.name)
    }

    fn error(&self, kind: ErrorKind, message: impl Into<String>) -> ConnectorError {
        ConnectorError::new(self.config.vendor.slug, kind, message)
    }

    /// `Retry-After` in seconds or as a date.
    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date: DateTime<Utc> = httpdate::parse_http_date(text).ok()?.into();
        Some((date - self.config.clock.now()).to_std().unwrap_or_default())
    }

    fn log(&self, call: &Call, started: Instant, response: &std::result::Result<reqwest::Response, reqwest::Error>) {
        let status = response.as_ref().map_or(0, |response| response.status().as_u16());
        let request_id = response.as_ref().ok().and_then(vendor_request_id);
        tracing::info!(
            platform = self.config.vendor.slug,
            method = call.method.as_str(),
            host = self.base.host_str(),
            path = call.template,
            status,
            ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            vendor_request_id = request_id,
            "crm request"
        );
    }
}

/// A length of time as people say it, rounded up.
fn spoken(length: Duration) -> String {
    let minutes = length.as_secs().div_ceil(60);
    match minutes {
        0 | 1 => "a minute".to_owned(),
        2..=90 => format!("{minutes} minutes"),
        _ => format!("{} hours", minutes.div_ceil(60)),
    }
}

fn vendor_request_id(response: &reqwest::Response) -> Option<&str> {
    [
        "x-request-id",
        "request-id",
        "x-correlation-id",
        "x-hubspot-correlation-id",
        "x-amzn-requestid",
    ]
    .into_iter()
    .find_map(|name| response.headers().get(name)?.to_str().ok())
}

/// Whether an address is https (or http on this machine) and nothing but a place.
pub(crate) fn plain_and_safe(url: &Url) -> bool {
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return false,
    };
    plain && (url.scheme() == "https" || (url.scheme() == "http" && loopback))
}

/// Whether this is the beginning of a JSON text whose end is missing.
fn breaks_off(body: &[u8]) -> bool {
    !body.trim_ascii().is_empty()
        && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err_and(|error| error.is_eof())
}

fn classify(status: StatusCode) -> (ErrorKind, Repeat) {
    match status.as_u16() {
        400 | 422 => (ErrorKind::InvalidInput, Repeat::Never),
        401 => (ErrorKind::Unauthorized, Repeat::Never),
        403 => (ErrorKind::Forbidden, Repeat::Never),
        404 | 410 => (ErrorKind::NotFound, Repeat::Never),
        409 => (ErrorKind::Conflict, Repeat::Never),
        429 => (ErrorKind::RateLimited, Repeat::Always),
        501 => (ErrorKind::Unsupported, Repeat::Never),
        408 | 425 | 500.. => (ErrorKind::Unavailable, Repeat::IfRepeatable),
        300..=399 => (ErrorKind::Protocol, Repeat::Never),
        _ => (ErrorKind::InvalidInput, Repeat::Never),
    }
}

/// What is known of a write that reached the vendor and got no clear answer; a read changes nothing.
fn sent(call: &Call) -> WriteOutcome {
    if call.reads {
        WriteOutcome::NotApplied
    } else {
        WriteOutcome::Unknown
    }
}

/// A doubt about an earlier try outlives a clear answer to a later one.
fn settle(mut error: ConnectorError, earlier: WriteOutcome) -> ConnectorError {
    if earlier == WriteOutcome::Unknown {
        error.outcome = WriteOutcome::Unknown;
    }
    error
}
