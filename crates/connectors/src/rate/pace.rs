//! How far apart requests leave, so that no stretch of time holds more of them than a vendor allows.

use mfh_types::RateLimits;

/// Microseconds: a length, or a time since 1970.
pub(crate) type Micros = i64;

/// One second.
pub(crate) const SECOND: Micros = 1_000_000;

/// Requests leave through slots that begin one `spacing` after the other; a slot may be used until its `grace` is over.
///
/// The slots that can be used in a stretch of length W begin in a stretch of length W + grace, so there are never more
/// than (W + grace) / spacing of them, however late each one is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    /// From the beginning of one slot to that of the next.
    pub(crate) spacing: Micros,
    /// How long after its beginning a slot may be used; this is what lets a burst pass.
    pub(crate) grace: Micros,
}

impl Pace {
    /// The fastest pace within these limits; none when nothing is stated.
    ///
    /// The limits of a minute and an hour hold for every stretch of that length, and so does that of a second as long
    /// as no burst is stated. With a burst of B, requests leave at the stated rate per second and B of them at once.
    /// Without one, a fifth of the tightest limit is kept for bursts.
    pub(crate) fn of(limits: RateLimits) -> Option<Self> {
        let stated = || {
            [
                (limits.requests_per_second, SECOND),
                (limits.requests_per_minute, 60 * SECOND),
                (limits.requests_per_hour, 3_600 * SECOND),
            ]
            .into_iter()
            .filter(|(requests, _)| *requests > 0)
            .map(|(requests, per)| (Micros::from(requests), per))
        };
        let burst = Micros::from(limits.burst_limit);
        let strict = || stated().filter(|(_, per)| burst == 0 || *per > SECOND);
        let sustained = stated().map(|(requests, per)| over(per, requests)).max()?;
        let room = strict().map(|(requests, per)| (sustained.saturating_mul(requests) / 4).saturating_mul(5) - per);
        let asked = (burst > 0).then(|| sustained.saturating_mul(burst.max(2) - 1));
        let grace = room
            .chain(asked)
            .min()?
            .clamp(sustained.min(SECOND / 20), 3_600 * SECOND);
        let spacing = strict().map(|(requests, per)| over(per + grace, requests)).max();
        Some(Self {
            spacing: spacing.unwrap_or_default().max(sustained),
            grace,
        })
    }
}

/// Division that rounds up.
fn over(length: Micros, parts: Micros) -> Micros {
    (length + parts - 1) / parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(per_second: u32, per_minute: u32, per_hour: u32, burst: u32) -> RateLimits {
        RateLimits {
            requests_per_second: per_second,
            requests_per_minute: per_minute,
            requests_per_hour: per_hour,
            burst_limit: burst,
        }
    }

    #[test]
    fn a_fifth_of_a_strict_limit_is_kept_for_bursts() {
        let per_account = Pace::of(limits(5, 0, 0, 0)).unwrap();
        assert_eq!((per_account.spacing, per_account.grace), (250_000, 250_000));
        let rolling = Pace::of(limits(0, 180, 0, 0)).unwrap();
        // 2.4 a second, and 36 at once.
        assert_eq!(rolling.grace / 1_000, 15_000);
        assert!((416_000..418_000).contains(&rolling.spacing), "{rolling:?}");
        assert_eq!(Pace::of(limits(0, 0, 0, 9)), None);
    }

    #[test]
    fn a_stated_burst_leaves_at_once_and_the_rest_at_the_stated_rate() {
        let pace = Pace::of(limits(10, 0, 0, 25)).unwrap();
        assert_eq!((pace.spacing, pace.grace), (100_000, 2_400_000));
        // The minute is tighter than the second, and holds for every minute.
        let key = Pace::of(limits(3, 240, 0, 7)).unwrap();
        assert!((60 * SECOND + key.grace) / key.spacing <= 240);
    }

    proptest! {
        #[test]
        fn no_strict_limit_is_ever_broken(
            second in 0_u32..2_000, minute in 0_u32..50_000, hour in 0_u32..1_000_000, burst in 0_u32..200,
        ) {
            let Some(pace) = Pace::of(limits(second, minute, hour, burst)) else {
                return Ok(());
            };
            prop_assert!(pace.spacing > 0 && pace.grace > 0);
            let most = |per: Micros| (per + pace.grace + pace.spacing - 1) / pace.spacing;
            for (requests, per) in [(minute, 60 * SECOND), (hour, 3_600 * SECOND)] {
                prop_assert!(requests == 0 || most(per) <= Micros::from(requests), "{pace:?}");
            }
            if second > 0 {
                let allowed = if burst == 0 { second } else { second + burst.max(2) - 1 };
                prop_assert!(most(SECOND) <= Micros::from(allowed), "{pace:?}");
            }
        }

        #[test]
        fn any_limits_give_a_usable_pace(second: u32, minute: u32, hour: u32, burst: u32) {
            if let Some(pace) = Pace::of(limits(second, minute, hour, burst)) {
                prop_assert!(pace.spacing > 0 && pace.grace > 0);
            }
        }
    }
}
