//! How Keap connections sign in, and how fast each kind may send (`connectors` §2.0).

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use mfh_types::{AuthType, RateLimits};

use crate::rate::{AppQuota, Day, Quota};

pub(crate) use crate::http::bearer as authorize;

/// Keap takes this many requests in any second.
const SPIKE: u32 = 25;

/// No next day begins sooner or later than this after an answer.
const SHORTEST_DAY: Duration = Duration::from_secs(60);
const LONGEST_DAY: Duration = Duration::from_secs(24 * 3_600);

/// A tenant's part of the app's limits, used where the platform record states none.
const OAUTH: RateLimits = RateLimits {
    requests_per_second: 20,
    requests_per_minute: 1_000,
    requests_per_hour: 0,
    burst_limit: 9,
};

/// All tenants of our app together: Keap allows 1500 a minute. Nobody says whether the spike is a tenant's or the app's,
/// so the app keeps to it, too: twenty a second and five at once on top.
const APP: AppQuota = AppQuota {
    name: "oauth",
    limits: RateLimits {
        requests_per_second: 0,
        requests_per_minute: 1_200,
        requests_per_hour: 0,
        burst_limit: 6,
    },
};

/// Personal access tokens and service account keys: Keap allows 240 a minute and 10 in any second.
const KEY: RateLimits = RateLimits {
    requests_per_second: 3,
    requests_per_minute: 240,
    requests_per_hour: 0,
    burst_limit: 7,
};

/// The quota of our app, which only tokens of the app count for; a simulator for which limits are stated has none.
pub(crate) fn app_quota(auth_type: AuthType, base_url: Option<&str>, stated: RateLimits) -> Option<AppQuota> {
    let is_free = is_simulator(base_url) && stated != RateLimits::default();
    (auth_type == AuthType::OAuth2 && !is_free).then_some(APP)
}

fn is_simulator(base_url: Option<&str>) -> bool {
    base_url.is_some_and(|url| url.starts_with("http://"))
}

/// The limits of a connection. The platform record speaks of OAuth; pasted keys have the vendor's lower limits, except
/// at a simulator on this machine, the only address without TLS that a connection may have. What the record states for
/// the vendor counts as far as the vendor allows it.
pub(crate) fn rate_limits(auth_type: AuthType, base_url: Option<&str>, stated: RateLimits) -> RateLimits {
    let usual = match auth_type {
        AuthType::ApiKey => KEY,
        AuthType::OAuth2 => OAUTH,
    };
    match (is_simulator(base_url), auth_type) {
        _ if stated == RateLimits::default() => usual,
        (true, _) => stated,
        (false, AuthType::ApiKey) => KEY,
        (false, AuthType::OAuth2) => allowed(stated),
    }
}

/// As much of these limits as Keap allows an app for one tenant.
fn allowed(stated: RateLimits) -> RateLimits {
    let tighter = |stated: u32, ours: u32| if stated == 0 { ours } else { stated.min(ours) };
    let per_second = tighter(stated.requests_per_second, OAUTH.requests_per_second);
    RateLimits {
        requests_per_second: per_second,
        requests_per_minute: tighter(stated.requests_per_minute, OAUTH.requests_per_minute),
        requests_per_hour: stated.requests_per_hour,
        // A burst comes on top of what a second allows.
        burst_limit: tighter(stated.burst_limit, SPIKE + 1 - per_second),
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

/// What is left of the day: of the app's requests, or of those of a pasted key. Keap says when the next day begins.
pub(crate) fn day(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Day> {
    let header = |name: &str| {
        let text = headers.get(format!("x-keap-product-quota-{name}"))?.to_str().ok()?;
        text.trim().parse::<i64>().ok()
    };
    let count = |name: &str| header(name).map(|count| count.max(0).unsigned_abs());
    let begins = header("expiry-time").and_then(DateTime::from_timestamp_millis);
    let renewed_in = begins.and_then(|begins| (begins - now).to_std().ok());
    Some(Day {
        limit: count("limit").unwrap_or_default(),
        available: count("available")?,
        renewed_in: renewed_in.map_or(Day::ASK_AGAIN, |wait| wait.clamp(SHORTEST_DAY, LONGEST_DAY)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate::{Pace, SECOND};

    #[test]
    fn what_is_left_of_the_day_is_read_with_the_time_of_the_next_one() {
        let now = DateTime::from_timestamp(1_772_323_200, 0).unwrap();
        let told = |expiry: i64| {
            let mut headers = HeaderMap::new();
            headers.insert("x-keap-product-quota-limit", 30_000.into());
            headers.insert("x-keap-product-quota-available", 300.into());
            headers.insert("x-keap-product-quota-expiry-time", expiry.into());
            day(&headers, now).unwrap()
        };
        let in_an_hour = told((now.timestamp() + 3_000) * 1_000);
        assert_eq!(in_an_hour.renewed_in, Duration::from_secs(3_000));
        assert!(in_an_hour.is_spent(), "one in a hundred is kept back");
        assert!(
            !Day {
                available: 301,
                ..in_an_hour
            }
            .is_spent()
        );
        // A time that has passed, or that nobody would mean, is not waited for.
        assert_eq!(told(0).renewed_in, Day::ASK_AGAIN);
        assert_eq!(told(i64::MAX / 1_000_000).renewed_in, LONGEST_DAY);
        assert_eq!(day(&HeaderMap::new(), now), None);
    }

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
        let within = RateLimits {
            requests_per_minute: 1_000,
            burst_limit: 16,
            ..stated
        };
        assert_eq!(rate_limits(AuthType::OAuth2, None, stated), within);
        assert_eq!(
            rate_limits(AuthType::OAuth2, None, RateLimits::default()).requests_per_minute,
            1_000
        );
        for vendor in [None, Some("https://api.infusionsoft.com/crm/rest/v2")] {
            assert_eq!(rate_limits(AuthType::ApiKey, vendor, stated).requests_per_second, 3);
        }
    }

    #[test]
    fn neither_a_tenant_nor_the_app_sends_more_in_any_second_than_keap_takes() {
        for limits in [OAUTH, APP.limits] {
            let pace = Pace::of(limits).unwrap();
            let most = (SECOND + pace.grace) / pace.spacing;
            assert!(most <= i64::from(SPIKE), "{most} in a second: {limits:?}");
        }
    }

    #[test]
    fn only_tokens_of_the_app_count_for_the_app() {
        let stated = RateLimits {
            requests_per_second: 10_000,
            ..RateLimits::default()
        };
        let simulator = Some("http://127.0.0.1:8080/_sim/keap/rest/v2");
        assert!(app_quota(AuthType::OAuth2, None, stated).is_some());
        assert!(app_quota(AuthType::ApiKey, None, stated).is_none());
        assert!(app_quota(AuthType::OAuth2, simulator, stated).is_none());
        assert!(app_quota(AuthType::OAuth2, simulator, RateLimits::default()).is_some());
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
