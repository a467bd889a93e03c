//! How Stripe connections sign in, and how fast they may send (`connectors` §2.6, §5).

use http::header::{HeaderMap, HeaderName, HeaderValue};
use mfh_types::RateLimits;

pub(crate) use crate::http::bearer as authorize;

/// The API version that our wire types are written for; without it, each account would answer in its own.
const VERSION: &str = "2020-08-27";

/// Stripe takes 25 requests a second in test mode, and more in live mode.
const USUAL: RateLimits = RateLimits {
    requests_per_second: 25,
    requests_per_minute: 0,
    requests_per_hour: 0,
    burst_limit: 0,
};

/// The headers of every request beside the key.
pub(crate) fn headers() -> HeaderMap {
    let version = (
        HeaderName::from_static("stripe-version"),
        HeaderValue::from_static(VERSION),
    );
    HeaderMap::from_iter([version])
}

/// The limits of a connection: those of the platform record, where it states any.
pub(crate) fn rate_limits(stated: RateLimits) -> RateLimits {
    if stated == RateLimits::default() { USUAL } else { stated }
}
