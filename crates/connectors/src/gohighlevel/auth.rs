//! How GoHighLevel connections sign in, and how fast they may send (`connectors` §2.0).

use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue};
use mfh_types::RateLimits;

use crate::rate::{Day, Quota};

pub(crate) use crate::http::bearer as authorize;

/// The edition of the API that everything here is written for; `v3` spells several things differently.
const EDITION: &str = "2021-07-28";
/// The pause after a 429 that does not say how long its window is: the documented window.
const WINDOW: Duration = Duration::from_secs(10);

/// 100 requests in ten seconds per app and location, with a margin.
const USUAL: RateLimits = RateLimits {
    requests_per_second: 9,
    requests_per_minute: 0,
    requests_per_hour: 0,
    burst_limit: 10,
};

/// What goes with every request beside the token.
pub(crate) fn headers() -> HeaderMap {
    HeaderMap::from_iter([(HeaderName::from_static("version"), HeaderValue::from_static(EDITION))])
}

/// The limits of the platform record, or ours for the vendor where it states none.
pub(crate) fn rate_limits(stated: RateLimits) -> RateLimits {
    if stated == RateLimits::default() { USUAL } else { stated }
}

/// What is left of the window.
pub(crate) fn quota(headers: &HeaderMap) -> Option<Quota> {
    Some(Quota {
        limit: number(headers, "x-ratelimit-max")?,
        available: number(headers, "x-ratelimit-remaining")?,
        window: window(headers).unwrap_or(WINDOW),
    })
}

/// How long to wait after a 429.
pub(crate) fn reset(headers: &HeaderMap) -> Option<Duration> {
    window(headers)
}

/// What is left of the day. The vendor does not say when its day begins.
pub(crate) fn day(headers: &HeaderMap, _now: DateTime<Utc>) -> Option<Day> {
    Some(Day {
        limit: number(headers, "x-ratelimit-limit-daily").unwrap_or_default().into(),
        available: number(headers, "x-ratelimit-daily-remaining")?.into(),
        renewed_in: Day::ASK_AGAIN,
    })
}

fn window(headers: &HeaderMap) -> Option<Duration> {
    number(headers, "x-ratelimit-interval-milliseconds").map(|ms| Duration::from_millis(u64::from(ms)))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u32> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn the_quota_is_read_from_the_headers_and_absent_without_them() {
        let headers = with(&[
            ("x-ratelimit-max", "100"),
            ("x-ratelimit-remaining", "7"),
            ("x-ratelimit-interval-milliseconds", "10000"),
        ]);
        let expected = Quota {
            limit: 100,
            available: 7,
            window: Duration::from_secs(10),
        };
        assert_eq!(quota(&headers), Some(expected));
        assert_eq!(quota(&with(&[("x-ratelimit-max", "many")])), None);
    }

    #[test]
    fn a_spent_day_means_a_longer_pause_than_a_spent_window() {
        let window = ("x-ratelimit-interval-milliseconds", "10000");
        assert_eq!(reset(&with(&[window])), Some(Duration::from_secs(10)));
        let limit = ("x-ratelimit-limit-daily", "200000");
        let left = |left| {
            day(
                &with(&[limit, ("x-ratelimit-daily-remaining", left)]),
                DateTime::UNIX_EPOCH,
            )
            .unwrap()
        };
        assert!(left("0").is_spent() && left("2000").is_spent() && !left("2001").is_spent());
        assert_eq!(left("0").renewed_in, Duration::from_secs(3_600));
        assert_eq!(
            (reset(&HeaderMap::new()), day(&HeaderMap::new(), DateTime::UNIX_EPOCH)),
            (None, None)
        );
    }

    #[test]
    fn the_limits_of_the_platform_record_win() {
        let stated = RateLimits {
            requests_per_second: 3,
            ..RateLimits::default()
        };
        assert_eq!(rate_limits(stated), stated);
        assert_eq!(rate_limits(RateLimits::default()).requests_per_second, 9);
    }
}
