//! Where OAuth sign-ins come back to, and where users go afterwards.

use mfh_http::{ApiError, MissingSetting};
use url::Url;

/// The addresses of OAuth sign-ins.
#[derive(Debug, Clone)]
pub struct OAuthSettings {
    /// Where vendors send the browser back to; registered with every vendor.
    pub redirect_uri: String,
    /// Where a user goes when it is done and the request named nothing else.
    pub success_url: String,
    /// Where a user goes when it failed and the request named nothing else.
    pub failure_url: String,
    /// Scheme, host and port of every place that a request may name.
    allowed_origins: Vec<String>,
}

impl OAuthSettings {
    /// Users go back to the page of connections in the web app; requests may name other pages of it, and of the
    /// further origins.
    pub fn new(redirect_uri: impl Into<String>, app_url: &str, further_origins: &[&str]) -> Self {
        let origins = [app_url].into_iter().chain(further_origins.iter().copied());
        Self {
            redirect_uri: redirect_uri.into(),
            success_url: format!("{app_url}/connections?oauth=success"),
            failure_url: format!("{app_url}/connections?oauth=error"),
            allowed_origins: origins.filter_map(origin).collect(),
        }
    }

    /// Reads `OAUTH_REDIRECT_URI`, and, where they are set, `FRONTEND_SUCCESS_URL`, `FRONTEND_ERROR_URL` and
    /// `ALLOWED_REDIRECT_HOSTS` (host names with commas between them).
    ///
    /// # Errors
    /// Names the variable that is missing.
    pub fn from_env(app_url: &str) -> Result<Self, MissingSetting> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
        let redirect_uri = variable("OAUTH_REDIRECT_URI").ok_or(MissingSetting("OAUTH_REDIRECT_URI"))?;
        let mut settings = Self::new(redirect_uri, app_url, &[]);
        if let Some(url) = variable("FRONTEND_SUCCESS_URL") {
            settings.success_url = url;
        }
        if let Some(url) = variable("FRONTEND_ERROR_URL") {
            settings.failure_url = url;
        }
        let hosts = variable("ALLOWED_REDIRECT_HOSTS").unwrap_or_default();
        let further = hosts
            .split(',')
            .filter_map(|host| origin(&format!("https://{}", host.trim())));
        settings.allowed_origins.extend(further);
        Ok(settings)
    }

    /// A place that a request names, if users may be sent there.
    ///
    /// # Errors
    /// 400 for everything but a page of an allowed origin.
    pub(crate) fn check(&self, field: &str, address: Option<String>) -> Result<Option<String>, ApiError> {
        let Some(address) = address.filter(|address| !address.trim().is_empty()) else {
            return Ok(None);
        };
        let refused = || ApiError::invalid_field(field, "must be an address of the web app");
        let url = Url::parse(address.trim()).map_err(|_| refused())?;
        let plain = url.username().is_empty() && url.password().is_none();
        let is_allowed = self.allowed_origins.contains(&url.origin().ascii_serialization());
        if plain && is_allowed {
            Ok(Some(url.into()))
        } else {
            Err(refused())
        }
    }
}

/// Scheme, host and port of an http or https address.
fn origin(address: &str) -> Option<String> {
    let url = Url::parse(address).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.origin().ascii_serialization())
}

/// An address with further parameters; one that it has already keeps its value.
pub(crate) fn with_parameters(address: &str, parameters: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse(address) else {
        return address.to_owned();
    };
    let present: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    let missing = parameters
        .iter()
        .filter(|(name, _)| !present.iter().any(|known| known == name));
    url.query_pairs_mut().extend_pairs(missing);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_allowed_origins_are_taken() {
        let settings = OAuthSettings::new("https://api.test/cb", "https://app.test", &["http://localhost:3001"]);
        for good in [
            "https://app.test/connections?x=1",
            "https://APP.test:443/a",
            "http://localhost:3001/b",
        ] {
            assert!(
                settings.check("success_redirect", Some(good.to_owned())).is_ok(),
                "{good}"
            );
        }
        for bad in [
            "https://app.test.evil.com/",
            "https://app.test@evil.com/",
            "https://user:secret@app.test/",
            "https://evil.com/https://app.test",
            "http://app.test/",
            "https://app.test:8443/",
            "http://localhost:3002/",
            "//app.test/",
            "javascript:alert(1)",
            "data:text/html,x",
            "/connections",
        ] {
            assert!(
                settings.check("success_redirect", Some(bad.to_owned())).is_err(),
                "{bad}"
            );
        }
        assert_eq!(settings.check("x", Some("  ".to_owned())).unwrap(), None);
    }

    #[test]
    fn parameters_are_encoded_and_not_doubled() {
        assert_eq!(
            with_parameters(
                "https://app.test/c?oauth=success",
                &[("oauth", "success"), ("id", "connection:1&2")]
            ),
            "https://app.test/c?oauth=success&id=connection%3A1%262"
        );
        assert_eq!(
            with_parameters("https://app.test/c#top", &[("a", "b")]),
            "https://app.test/c?a=b#top"
        );
    }
}
