//! How HubSpot connections sign in, and how fast they may send (`connectors` §2.0, §2.5).

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::HeaderMap;
use mfh_types::RateLimits;

use crate::rate::{Day, Quota};

pub(crate) use crate::http::bearer as authorize;

/// The smallest plan's 100 requests in ten seconds with a margin, used where the platform record states none.
const USUAL: RateLimits = RateLimits {
    requests_per_second: 9,
    requests_per_minute: 0,
    requests_per_hour: 0,
    burst_limit: 9,
};

/// Searches have a limit of their own, five in any second, which no header reports.
const SEARCH: RateLimits = RateLimits {
    requests_per_second: 5,
    requests_per_minute: 0,
    requests_per_hour: 0,
    burst_limit: 0,
};

/// The limits of everything but searches: those of the platform record, or ours where it states none.
pub(crate) fn rate_limits(stated: RateLimits) -> RateLimits {
    if stated == RateLimits::default() { USUAL } else { stated }
}

/// The limits of searches. A simulator on this machine, the only address without TLS that a connection may have, has
/// those of the platform record.
pub(crate) fn search_limits(base_url: Option<&str>, stated: RateLimits) -> RateLimits {
    let is_simulator = base_url.is_some_and(|url| url.starts_with("http://"));
    if is_simulator && stated != RateLimits::default() {
        stated
    } else {
        SEARCH
    }
}

/// What is left of the requests of the present interval.
pub(crate) fn quota(headers: &HeaderMap) -> Option<Quota> {
    Some(Quota {
        limit: number(headers, "x-hubspot-ratelimit-max")?.try_into().ok()?,
        available: number(headers, "x-hubspot-ratelimit-remaining")?.try_into().ok()?,
        window: interval(headers)?,
    })
}

/// How long to wait after a 429: the interval.
pub(crate) fn reset(headers: &HeaderMap) -> Option<Duration> {
    interval(headers)
}

/// What is left of the day of an account's private apps; OAuth apps have no such limit. A day ends at midnight of the
/// account's own time zone, which no header tells.
pub(crate) fn day(headers: &HeaderMap, _now: DateTime<Utc>) -> Option<Day> {
    Some(Day {
        limit: number(headers, "x-hubspot-ratelimit-daily").unwrap_or_default(),
        available: number(headers, "x-hubspot-ratelimit-daily-remaining")?,
        renewed_in: Day::ASK_AGAIN,
    })
}

fn interval(headers: &HeaderMap) -> Option<Duration> {
    number(headers, "x-hubspot-ratelimit-interval-milliseconds").map(Duration::from_millis)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(list: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in list {
            headers.insert(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_interval_is_the_window_and_the_wait() {
        let told = headers(&[
            ("x-hubspot-ratelimit-max", "100"),
            ("x-hubspot-ratelimit-remaining", "7"),
            ("x-hubspot-ratelimit-interval-milliseconds", "10000"),
        ]);
        let expected = Quota {
            limit: 100,
            available: 7,
            window: Duration::from_secs(10),
        };
        assert_eq!(quota(&told), Some(expected));
        assert_eq!(reset(&told), Some(Duration::from_secs(10)));
        assert_eq!((quota(&HeaderMap::new()), reset(&HeaderMap::new())), (None, None));
    }

    #[test]
    fn an_account_without_requests_for_the_day_is_left_alone_for_longer() {
        let left = |left| {
            let told = headers(&[
                ("x-hubspot-ratelimit-daily", "650000"),
                ("x-hubspot-ratelimit-daily-remaining", left),
                ("x-hubspot-ratelimit-interval-milliseconds", "10000"),
            ]);
            day(&told, DateTime::UNIX_EPOCH).unwrap()
        };
        assert!(left("0").is_spent() && left("6500").is_spent() && !left("6501").is_spent());
        assert_eq!(left("0").renewed_in, Duration::from_secs(3_600));
    }

    #[test]
    fn the_platform_record_decides_except_about_searches_at_the_vendor() {
        let stated = RateLimits {
            requests_per_second: 10_000,
            ..RateLimits::default()
        };
        assert_eq!(rate_limits(RateLimits::default()), USUAL);
        assert_eq!(rate_limits(stated), stated);
        assert_eq!(search_limits(Some("https://api.hubapi.com"), stated), SEARCH);
        assert_eq!(search_limits(None, stated), SEARCH);
        assert_eq!(
            search_limits(Some("http://127.0.0.1:8080/_sim/hubspot"), stated),
            stated
        );
    }
}
