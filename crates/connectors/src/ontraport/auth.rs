//! How Ontraport connections sign in, and how fast they may send (`connectors` §2.0, §2.4).

use std::time::Duration;

use http::header::{HeaderValue, InvalidHeaderValue};
use http::{HeaderMap, HeaderName};
use mfh_types::{RateLimits, Secret};

use crate::connector::Result;
use crate::error::{ConnectorError, ErrorKind};
use crate::rate::Quota;

const APP_ID: HeaderName = HeaderName::from_static("api-appid");
const KEY: HeaderName = HeaderName::from_static("api-key");

/// Ontraport lets an account send 180 requests in a minute; this keeps a margin of a sixth.
const USUAL: RateLimits = RateLimits {
    requests_per_second: 3,
    requests_per_minute: 150,
    requests_per_hour: 0,
    burst_limit: 5,
};

/// The limits of the platform record, or ours where it states none.
pub(crate) fn rate_limits(stated: RateLimits) -> RateLimits {
    if stated == RateLimits::default() { USUAL } else { stated }
}

/// The header that names the app, sent with every request beside the key.
///
/// # Errors
/// `NotConfigured` when the app id is missing or holds what no header can.
pub(crate) fn app_header(app_id: Option<&str>) -> Result<HeaderMap> {
    let app_id = app_id.map(str::trim).filter(|id| !id.is_empty());
    let value = app_id.and_then(|id| HeaderValue::try_from(id).ok());
    let Some(value) = value else {
        return Err(ConnectorError::new(
            super::map::SLUG,
            ErrorKind::NotConfigured,
            "The connection to Ontraport has no valid app id (app_id). Connect it again with app id and API key",
        ));
    };
    Ok(HeaderMap::from_iter([(APP_ID, value)]))
}

/// Puts the key on a request.
pub(crate) fn authorize(headers: &mut HeaderMap, key: &Secret) -> std::result::Result<(), InvalidHeaderValue> {
    let mut value = HeaderValue::try_from(key.expose().trim())?;
    value.set_sensitive(true);
    headers.insert(KEY, value);
    Ok(())
}

/// What is left of the requests of this minute.
pub(crate) fn quota(headers: &HeaderMap) -> Option<Quota> {
    Some(Quota {
        limit: number(headers, "x-rate-limit-limit")?.try_into().ok()?,
        available: number(headers, "x-rate-limit-remaining")?.try_into().ok()?,
        window: reset(headers)?,
    })
}

/// When the minute is over; Ontraport sends no `Retry-After`.
pub(crate) fn reset(headers: &HeaderMap) -> Option<Duration> {
    number(headers, "x-rate-limit-reset").map(Duration::from_secs)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quota_is_read_from_the_vendors_headers() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-rate-limit-limit", "180"),
            ("x-rate-limit-remaining", "7"),
            ("x-rate-limit-reset", "41"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let expected = Quota {
            limit: 180,
            available: 7,
            window: Duration::from_secs(41),
        };
        assert_eq!(quota(&headers), Some(expected));
        headers.insert("x-rate-limit-remaining", "-3".parse().unwrap());
        assert_eq!(quota(&headers), None);
        assert_eq!(reset(&HeaderMap::new()), None);
    }

    #[test]
    fn without_an_app_id_nothing_is_configured() {
        for missing in [None, Some(""), Some("  "), Some("a\nb")] {
            let error = app_header(missing).unwrap_err();
            assert_eq!(error.kind, ErrorKind::NotConfigured);
            assert!(error.message.contains("app_id"));
        }
        assert_eq!(app_header(Some(" 2_1_x ")).unwrap()["api-appid"], "2_1_x");
    }

    #[test]
    fn the_key_is_sent_as_a_header_that_is_not_shown() {
        let mut headers = HeaderMap::new();
        authorize(&mut headers, &Secret::new("k 1")).unwrap();
        assert!(headers["api-key"].is_sensitive());
        assert!(authorize(&mut headers, &Secret::new("a\nb")).is_err());
    }

    #[test]
    fn the_platform_record_decides_about_limits_when_it_states_them() {
        let stated = RateLimits {
            requests_per_second: 2,
            requests_per_minute: 120,
            requests_per_hour: 0,
            burst_limit: 5,
        };
        assert_eq!(rate_limits(stated), stated);
        assert_eq!(rate_limits(RateLimits::default()).requests_per_minute, 150);
    }
}
