//! Where an ActiveCampaign account lives, how its key is sent, and how fast it may be called (`connectors` §2.3).

use std::time::Duration;

use http::header::{HeaderName, HeaderValue, InvalidHeaderValue};
use http::{HeaderMap, StatusCode};
use mfh_types::{RateLimits, Secret};
use url::{Host, Url};

use super::map::SLUG;
use crate::connector::Result;
use crate::error::{ConnectorError, ErrorKind};
use crate::rate::Quota;

const API_TOKEN: HeaderName = HeaderName::from_static("api-token");
/// Path of the API on every account's host.
const API_PATH: &str = "/api/3";
/// Top-level names that never lead to an account.
const PRIVATE: [&str; 9] = [
    "arpa",
    "corp",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localhost",
];

/// The vendor allows five requests a second for each account, in any second: there is nothing to spare for a burst.
const USUAL: RateLimits = RateLimits {
    requests_per_second: 5,
    requests_per_minute: 0,
    requests_per_hour: 0,
    burst_limit: 0,
};

/// Start of every address of an account, and the host that its requests are counted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) url: String,
    pub(crate) host: String,
}

impl Base {
    /// Reads the address that the user pasted, with or without `/api/3`. Only public host names are taken, and plain
    /// http only for a simulator on this machine.
    ///
    /// # Errors
    /// `NotConfigured` telling where to find the right one.
    pub(crate) fn read(given: Option<&str>) -> Result<Self> {
        let trimmed = given.unwrap_or_default().trim().trim_end_matches('/');
        let root = trimmed.strip_suffix(API_PATH).unwrap_or(trimmed);
        let url = Url::parse(root).ok().filter(is_account);
        let host = url.as_ref().and_then(Url::host_str).map(str::to_owned);
        let (Some(url), Some(mut host)) = (url, host) else {
            let message = "ActiveCampaign needs the API URL of your account (api_url), such as \
                https://youraccount.api-us1.com. Copy it from Settings, Developer in ActiveCampaign";
            return Err(ConnectorError::new(SLUG, ErrorKind::NotConfigured, message));
        };
        if let Some(port) = url.port() {
            host = format!("{host}:{port}");
        }
        let root = url.as_str().trim_end_matches('/');
        Ok(Self {
            url: format!("{root}{API_PATH}"),
            host,
        })
    }

    /// Whether this is a simulator on this machine.
    pub(crate) fn is_simulator(&self) -> bool {
        self.url.starts_with("http://")
    }
}

fn is_account(url: &Url) -> bool {
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    let reachable = match (url.scheme(), url.host()) {
        ("https", Some(Host::Domain(name))) => url.port().is_none() && is_public(name),
        ("http", Some(Host::Domain(name))) => name == "localhost",
        ("http", Some(Host::Ipv4(address))) => address.is_loopback(),
        ("http", Some(Host::Ipv6(address))) => address.is_loopback(),
        _ => false,
    };
    plain && reachable
}

/// A host name with a public ending; braces are left from a template that nobody filled in.
fn is_public(name: &str) -> bool {
    let name = name.trim_end_matches('.');
    let spelled = name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
    let named = name
        .rsplit_once('.')
        .is_some_and(|(rest, top)| !rest.is_empty() && !PRIVATE.contains(&top));
    spelled && named
}

/// The limits of a connection: those of the platform record, but never more than the vendor allows an account.
pub(crate) fn rate_limits(base: &Base, stated: RateLimits) -> RateLimits {
    if stated == RateLimits::default() {
        return USUAL;
    }
    if base.is_simulator() {
        return stated;
    }
    RateLimits {
        requests_per_second: match stated.requests_per_second {
            0 => USUAL.requests_per_second,
            stated => stated.min(USUAL.requests_per_second),
        },
        burst_limit: USUAL.burst_limit,
        ..stated
    }
}

/// Puts the key on a request.
pub(crate) fn authorize(headers: &mut HeaderMap, key: &Secret) -> std::result::Result<(), InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(key.expose())?;
    value.set_sensitive(true);
    headers.insert(API_TOKEN, value);
    Ok(())
}

/// What is left of the present second.
pub(crate) fn quota(headers: &HeaderMap) -> Option<Quota> {
    let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse().ok();
    Some(Quota {
        limit: number("ratelimit-limit")?,
        available: number("ratelimit-remaining")?,
        window: Duration::from_secs(1),
    })
}

/// The key of the connection is not accepted: ActiveCampaign says so with 403 as often as with 401.
pub(crate) fn refused(status: Option<u16>) -> ConnectorError {
    let message = "ActiveCampaign does not accept the API key of this connection. Connect it again with a valid key";
    let mut error = ConnectorError::new(SLUG, ErrorKind::Unauthorized, message);
    error.status = status.or(Some(StatusCode::FORBIDDEN.as_u16()));
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_with_or_without_the_path_of_the_api() {
        for given in [
            "https://x.api-us1.com",
            "https://x.api-us1.com/",
            "https://x.api-us1.com/api/3",
            " https://X.api-us1.com/api/3/ ",
        ] {
            let base = Base::read(Some(given)).unwrap();
            assert_eq!(base.url, "https://x.api-us1.com/api/3", "{given}");
            assert_eq!(base.host, "x.api-us1.com");
            assert!(!base.is_simulator());
        }
        let simulator = Base::read(Some("http://127.0.0.1:8080/_sim/activecampaign")).unwrap();
        assert_eq!(simulator.url, "http://127.0.0.1:8080/_sim/activecampaign/api/3");
        assert_eq!(
            (simulator.host.as_str(), simulator.is_simulator()),
            ("127.0.0.1:8080", true)
        );
    }

    #[test]
    fn addresses_that_are_no_account_are_refused() {
        let refused = [
            None,
            Some(" "),
            Some("x.api-us1.com"),
            Some("https://{account}.api-us1.com/api/3"),
            Some("http://x.api-us1.com"),
            Some("http://10.0.0.1"),
            Some("https://127.0.0.1"),
            Some("https://2130706433"),
            Some("https://169.254.169.254/latest/meta-data"),
            Some("https://[::1]"),
            Some("https://localhost"),
            Some("https://crm.localhost."),
            Some("https://crm"),
            Some("https://db.internal/api/3"),
            Some("https://printer.local"),
            Some("https://user:secret@x.api-us1.com"),
            Some("https://x.api-us1.com:8443"),
            Some("https://x.api-us1.com/api/3?x=1"),
            Some("ftp://x.api-us1.com"),
        ];
        for given in refused {
            let error = Base::read(given).unwrap_err();
            assert_eq!(error.kind, ErrorKind::NotConfigured, "{given:?}");
            assert!(
                error.message.contains("api_url") && !error.message.contains("secret"),
                "{given:?}"
            );
        }
    }

    #[test]
    fn an_account_is_never_called_faster_than_the_vendor_allows() {
        let account = Base::read(Some("https://x.api-us1.com")).unwrap();
        let simulator = Base::read(Some("http://127.0.0.1:1")).unwrap();
        let stated = RateLimits {
            requests_per_second: 50,
            burst_limit: 100,
            ..RateLimits::default()
        };
        let limits = rate_limits(&account, stated);
        assert_eq!((limits.requests_per_second, limits.burst_limit), (5, 0));
        assert_eq!(rate_limits(&account, RateLimits::default()), USUAL);
        assert_eq!(rate_limits(&simulator, stated), stated);
    }

    #[test]
    fn the_quota_of_the_second_is_read() {
        let mut headers = HeaderMap::new();
        assert_eq!(quota(&headers), None);
        headers.insert("ratelimit-limit", HeaderValue::from_static("5"));
        headers.insert("ratelimit-remaining", HeaderValue::from_static("2"));
        let expected = Quota {
            limit: 5,
            available: 2,
            window: Duration::from_secs(1),
        };
        assert_eq!(quota(&headers), Some(expected));
    }
}
