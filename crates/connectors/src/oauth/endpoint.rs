//! The token endpoint of a platform: exchange, refresh, revocation, user info (RFC 6749, RFC 7636, RFC 7009).

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue, RETRY_AFTER};
use mfh_aws::OAuthClient;
use mfh_types::{CallMethod, ClientAuth, Clock, OAuthConfig, RevokeStyle, Secret};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use url::Url;

use super::answer::{Grant, GrantError, refusal, tokens};
use crate::http::{Transport, plain_and_safe};

/// The longest that a call may take: far less than a lease on a refresh, so that no two of them overlap.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The largest answer that is read, in bytes.
const LARGEST_ANSWER: usize = 256 * 1024;

/// The address at the vendor that asks the user for consent.
///
/// # Errors
/// When the platform record has no valid address.
pub fn authorization_url(
    oauth: &OAuthConfig,
    client_id: &str,
    redirect_uri: &str,
    state: &str,
    verifier: Option<&str>,
) -> Result<Url, url::ParseError> {
    let mut url = Url::parse(&oauth.auth_url)?;
    let scope = oauth.scopes.join(" ");
    let mut query = url.query_pairs_mut();
    query
        .append_pair("client_id", client_id)
        .append_pair("redirect_uri", redirect_uri)
        .append_pair("response_type", &oauth.response_type);
    if !scope.is_empty() {
        query.append_pair("scope", &scope);
    }
    query.append_pair("state", state);
    if let Some(verifier) = verifier {
        query
            .append_pair("code_challenge", &pkce_challenge(verifier))
            .append_pair("code_challenge_method", "S256");
    }
    query.extend_pairs(&oauth.extra_authorize_params);
    drop(query);
    Ok(url)
}

/// The S256 challenge of a PKCE verifier.
pub fn pkce_challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

/// The token endpoint of one platform, with our client there.
#[derive(Debug, Clone)]
pub struct TokenEndpoint<'a> {
    oauth: &'a OAuthConfig,
    client: Arc<OAuthClient>,
    transport: &'a Transport,
    clock: &'a dyn Clock,
}

impl<'a> TokenEndpoint<'a> {
    pub(crate) fn new(
        oauth: &'a OAuthConfig,
        client: Arc<OAuthClient>,
        transport: &'a Transport,
        clock: &'a dyn Clock,
    ) -> Self {
        Self {
            oauth,
            client,
            transport,
            clock,
        }
    }

    /// Our id at the vendor.
    pub fn client_id(&self) -> &str {
        &self.client.id
    }

    /// Exchanges the code that the browser brought back.
    ///
    /// # Errors
    /// Why the vendor gave no tokens.
    pub async fn exchange(&self, code: &str, redirect_uri: &str, verifier: Option<&str>) -> Result<Grant, GrantError> {
        let mut form = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
        ];
        form.extend(verifier.map(|verifier| ("code_verifier", verifier)));
        self.grant(form, self.oauth.token_auth).await
    }

    /// New tokens for a refresh token.
    ///
    /// # Errors
    /// Why the vendor gave none.
    pub async fn refresh(&self, refresh_token: &Secret) -> Result<Grant, GrantError> {
        let form = vec![
            ("grant_type", "refresh_token"),
            ("refresh_token", refresh_token.expose()),
        ];
        let auth = self.oauth.refresh_auth.unwrap_or(self.oauth.token_auth);
        self.grant(form, auth).await
    }

    /// Gives tokens back; does nothing where the vendor has no place for that.
    ///
    /// # Errors
    /// Why they may still be good.
    pub async fn revoke(
        &self,
        access_token: Option<&Secret>,
        refresh_token: Option<&Secret>,
    ) -> Result<(), GrantError> {
        let Some(revoke) = &self.oauth.revoke else {
            return Ok(());
        };
        let Some(token) = refresh_token.or(access_token) else {
            return Ok(());
        };
        let form = vec![("token", token.expose())];
        let request = match revoke.style {
            RevokeStyle::Client => self.post(&revoke.url, form, Some(self.oauth.token_auth))?,
            RevokeStyle::Token => self.post(&revoke.url, form, None)?,
            RevokeStyle::Bearer => {
                let Some(token) = access_token else {
                    return Ok(());
                };
                self.request(Method::POST, &revoke.url)?
                    .header(AUTHORIZATION, bearer(token)?)
            }
        };
        self.send(request).await.map(drop)
    }

    /// What the vendor says about the person who signed in; `None` where it has no such address.
    ///
    /// # Errors
    /// Why it did not say.
    pub async fn user_info(&self, access_token: &Secret) -> Result<Option<Value>, GrantError> {
        let Some(url) = &self.oauth.user_info_url else {
            return Ok(None);
        };
        let method = match self.oauth.user_info_method {
            CallMethod::Get => Method::GET,
            CallMethod::Post => Method::POST,
        };
        let request = self.request(method, url)?.header(AUTHORIZATION, bearer(access_token)?);
        let body = self.send(request).await?;
        let info = serde_json::from_slice(&body);
        info.map(Some)
            .map_err(|_| GrantError::unavailable("the user info is not the expected JSON"))
    }

    async fn grant(&self, mut form: Vec<(&str, &str)>, auth: ClientAuth) -> Result<Grant, GrantError> {
        let extra = &self.oauth.extra_token_params;
        form.extend(extra.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let request = self.post(&self.oauth.token_url, form, Some(auth))?;
        let body = self.send(request).await?;
        tokens(&body, self.clock.unix())
    }

    /// A form with our client's proof, where one is asked for. Secrets stand in the form or a header, never in the
    /// address.
    fn post<'f>(
        &'f self,
        url: &str,
        mut form: Vec<(&'f str, &'f str)>,
        auth: Option<ClientAuth>,
    ) -> Result<reqwest::RequestBuilder, GrantError> {
        let request = self.request(Method::POST, url)?;
        let (id, secret) = (self.client.id.as_str(), self.client.secret.expose());
        let request = match auth {
            Some(ClientAuth::Body) => {
                form.extend([("client_id", id), ("client_secret", secret)]);
                request
            }
            Some(ClientAuth::Basic) => request.header(AUTHORIZATION, basic(id, secret)?),
            None => request,
        };
        Ok(request.form(&form))
    }

    fn request(&self, method: Method, url: &str) -> Result<reqwest::RequestBuilder, GrantError> {
        let url = Url::parse(url)
            .ok()
            .filter(plain_and_safe)
            .ok_or_else(|| GrantError::unavailable("the platform record has no valid https address for this"))?;
        let request = self.transport.ours().request(method, url);
        Ok(request.timeout(TIMEOUT).header(ACCEPT, "application/json"))
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, GrantError> {
        let lost = |error: reqwest::Error| {
            let what = if error.is_timeout() {
                "did not answer in time"
            } else {
                "could not be reached"
            };
            GrantError::unavailable(format!("the vendor's sign-in service {what}"))
        };
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(GrantError::unavailable("the answer of the token endpoint is too large"));
            }
            body.extend_from_slice(&chunk);
        }
        let url = response.url();
        tracing::info!(
            host = url.host_str(),
            path = url.path(),
            status = status.as_u16(),
            "oauth request"
        );
        if status.is_success() {
            Ok(body)
        } else {
            Err(refusal(status.as_u16(), retry_after, &body))
        }
    }
}

fn bearer(token: &Secret) -> Result<HeaderValue, GrantError> {
    sensitive(format!("Bearer {}", token.expose()))
}

/// HTTP Basic with both parts form-encoded first (RFC 6749 §2.3.1).
fn basic(id: &str, secret: &str) -> Result<HeaderValue, GrantError> {
    let encode = |text| utf8_percent_encode(text, UNRESERVED).to_string();
    sensitive(format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", encode(id), encode(secret)))
    ))
}

/// Vendors that compare without decoding see the usual letters of ids and secrets as they are.
const UNRESERVED: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn sensitive(text: String) -> Result<HeaderValue, GrantError> {
    let mut value = HeaderValue::try_from(text)
        .map_err(|_| GrantError::Client("the client id, secret or token holds characters that none has".to_owned()))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_address_carries_everything_encoded_once() {
        let oauth: OAuthConfig = serde_json::from_value(json!({
            "auth_url": "https://vendor.test/authorize", "token_url": "https://vendor.test/token",
            "scopes": ["a.read", "b:write"], "response_type": "code", "pkce": true,
            "extra_authorize_params": {"access_type": "offline"},
        }))
        .unwrap();
        let url = authorization_url(&oauth, "id", "https://api.test/cb", "st ate", Some("verifier")).unwrap();
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let value = |name: &str| {
            pairs
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.as_str())
        };
        assert_eq!(value("scope"), Some("a.read b:write"));
        assert_eq!(value("state"), Some("st ate"));
        assert_eq!(value("redirect_uri"), Some("https://api.test/cb"));
        assert_eq!(value("access_type"), Some("offline"));
        assert_eq!(value("code_challenge_method"), Some("S256"));
        assert!(!url.as_str().contains("verifier"));
    }

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // The example of RFC 7636, appendix B.
        assert_eq!(
            pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn basic_encodes_what_would_split_it() {
        let header = basic("id:1", "s%ecret").unwrap();
        let encoded = header.to_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
        assert_eq!(STANDARD.decode(encoded).unwrap(), b"id%3A1:s%25ecret");
        assert!(header.is_sensitive());
    }
}
