//! How Keap connections sign in, and how fast each kind may send (`connectors` §2.0).

use http::HeaderMap;
use mfh_types::{AuthType, RateLimits};

use crate::rate::Quota;
use std::time::Duration;

pub(crate) use crate::http::bearer as authorize;

/// Keap's documented limits with a margin, used where the platform record states none.
const OAUTH: RateLimits = RateLimits {
    requests_per_second: 20,
    requests_per_minute: 1_000,
    requests_per_hour: 0,
    burst_limit: 25,
};

/// Personal access tokens and service account keys: 240 a minute, 10 at once.
const KEY: RateLimits = RateLimits {
    requests_per_second: 3,
    requests_per_minute: 240,
    requests_per_hour: 0,
    burst_limit: 10,
};

/// The limits of a connection. The platform record speaks of OAuth; pasted keys have the vendor's lower limits, except
/// at a simulator on this machine, the only address without TLS that a connection may have.
pub(crate) fn rate_limits(auth_type: AuthType, base_url: Option<&str>, stated: RateLimits) -> RateLimits {
    let usual = match auth_type {
        AuthType::ApiKey => KEY,
        AuthType::OAuth2 => OAUTH,
    };
    let is_simulator = base_url.is_some_and(|url| url.starts_with("http://"));
    let is_for_key = auth_type == AuthType::ApiKey && !is_simulator;
    if is_for_key || stated == RateLimits::default() {
        usual
    } else {
        stated
    }
}

/// The tighter of the two throttles that Keap reports.
pub(crate) fn quota(headers: &HeaderMap) -> Option<Quota> {
    ["x-keap-product-throttle", "x-keap-tenant-throttle"]
        .into_iter()
        .filter_map(|prefix| throttle(headers, prefix))
        .min_by_key(|quota| u64::from(quota.available) * 1_000 / u64::from(quota.limit.max(1)))
}

fn throttle(headers: &HeaderMap, prefix: &str) -> Option<Quota> {
    let header = |name: &str| headers.get(format!("{prefix}-{name}"))?.to_str().ok();
    let unit = match header("time-unit")?.to_ascii_lowercase().trim_end_matches('s') {
        "second" => 1,
        "minute" => 60,
        "hour" => 3_600,
        _ => return None,
    };
    let interval: u64 = header("interval").and_then(|text| text.parse().ok()).unwrap_or(1);
    Some(Quota {
        limit: header("limit")?.parse().ok()?,
        available: header("available")?.parse().ok()?,
        window: Duration::from_secs(interval.checked_mul(unit)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tighter_throttle_counts() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("x-keap-product-throttle-limit", "240"),
            ("x-keap-product-throttle-available", "200"),
            ("x-keap-product-throttle-time-unit", "minute"),
            ("x-keap-product-throttle-interval", "1"),
            ("x-keap-tenant-throttle-limit", "1000"),
            ("x-keap-tenant-throttle-available", "50"),
            ("x-keap-tenant-throttle-time-unit", "SECONDS"),
            ("x-keap-tenant-throttle-interval", "10"),
            ("x-keap-product-quota-available", "1"),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        let expected = Quota {
            limit: 1000,
            available: 50,
            window: Duration::from_secs(10),
        };
        assert_eq!(quota(&headers), Some(expected));
        assert_eq!(quota(&HeaderMap::new()), None);
    }

    #[test]
    fn a_pasted_key_never_gets_the_limits_of_an_app() {
        let stated = RateLimits {
            requests_per_second: 10,
            burst_limit: 25,
            ..RateLimits::default()
        };
        assert_eq!(rate_limits(AuthType::OAuth2, None, stated), stated);
        assert_eq!(
            rate_limits(AuthType::OAuth2, None, RateLimits::default()).requests_per_minute,
            1_000
        );
        for vendor in [None, Some("https://api.infusionsoft.com/crm/rest/v2")] {
            assert_eq!(rate_limits(AuthType::ApiKey, vendor, stated).requests_per_second, 3);
        }
    }

    #[test]
    fn a_key_for_a_simulator_has_the_limits_of_the_platform_record() {
        let simulator = Some("http://127.0.0.1:8080/_sim/keap/rest/v2");
        let stated = RateLimits {
            requests_per_second: 10_000,
            ..RateLimits::default()
        };
        assert_eq!(rate_limits(AuthType::ApiKey, simulator, stated), stated);
        assert_eq!(rate_limits(AuthType::ApiKey, simulator, RateLimits::default()), KEY);
    }
}
