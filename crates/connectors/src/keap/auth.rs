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

/// The limits of a connection. The platform record speaks of OAuth; pasted keys always have the vendor's lower limits.
pub(crate) fn rate_limits(auth_type: AuthType, stated: RateLimits) -> RateLimits {
    match auth_type {
        AuthType::ApiKey => KEY,
        AuthType::OAuth2 if stated == RateLimits::default() => OAUTH,
        AuthType::OAuth2 => stated,
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
        assert_eq!(rate_limits(AuthType::OAuth2, stated), stated);
        assert_eq!(
            rate_limits(AuthType::OAuth2, RateLimits::default()).requests_per_minute,
            1_000
        );
        assert_eq!(rate_limits(AuthType::ApiKey, stated).requests_per_second, 3);
    }
}
