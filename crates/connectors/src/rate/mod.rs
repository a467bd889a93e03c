//! How fast requests may be sent (`connectors` §1.5, §2.0).
//!
//! What a vendor counts together (an account, an app) has one timeline of [slots](pace::Pace). All processes take
//! slots of the same timeline in the rate-limits table, a few at a time ([`ledger`]), and each uses its own in the
//! order of its calls ([`lane`]). Where a vendor counts a whole app, the tenants with waiting work get equal shares
//! of it ([`shares`]).

mod lane;
mod ledger;
mod pace;
mod shares;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mfh_database::Database;
use mfh_types::{Clock, RateLimits};

use self::lane::{Lane, Slot};
use self::ledger::Ledger;
use self::pace::Micros;
pub(crate) use self::pace::{Pace, SECOND};
use self::shares::Shares;

/// A call that would have to wait longer is refused, so that the caller can come back later. See [`patiently`].
const LONGEST_WAIT: Micros = 10 * SECOND;

/// The largest gap between two requests while some of the vendor's quota is left.
const WIDEST_GAP: Duration = Duration::from_secs(2);

/// How often a slot is taken again whose time was over before it could be used.
const TRIES: u32 = 10;

/// Waits; tests skip the wait.
#[async_trait]
pub trait Sleeper: Send + Sync + fmt::Debug {
    /// Returns after `duration`.
    async fn sleep(&self, duration: Duration);
}

/// Waits in real time.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioSleeper;

#[async_trait]
impl Sleeper for TokioSleeper {
    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

tokio::task_local! {
    static PATIENT_UNTIL: Micros;
}

/// Does `work`, whose calls to vendors may wait for their turn until `until`, not only for ten seconds: for work that
/// cannot come back later.
pub async fn patiently<F: Future>(until: DateTime<Utc>, work: F) -> F::Output {
    PATIENT_UNTIL.scope(until.timestamp_micros(), work).await
}

/// What a vendor says is left of the requests of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Day {
    /// Requests allowed a day; 0 when the vendor does not say.
    pub(crate) limit: u64,
    /// Requests left.
    pub(crate) available: u64,
    /// When there are new ones, or when to ask again where the vendor does not say.
    pub(crate) renewed_in: Duration,
}

impl Day {
    /// One request in a hundred is kept back: those that other processes have under way when the news comes, and those
    /// that ask now and then whether the new day has begun, must not be too many.
    const RESERVE: u64 = 100;

    /// When the vendor does not say when its day begins, it is asked this often.
    pub(crate) const ASK_AGAIN: Duration = Duration::from_secs(3_600);

    /// Whether nothing but the reserve is left.
    pub(crate) fn is_spent(self) -> bool {
        self.available <= self.limit / Self::RESERVE
    }
}

/// What a vendor says is left of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    /// Requests allowed per window.
    pub(crate) limit: u32,
    /// Requests left.
    pub(crate) available: u32,
    /// Length of the window.
    pub(crate) window: Duration,
}

/// What the vendor allows an app over all its tenants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AppQuota {
    /// The name of the app among those of the platform.
    pub(crate) name: &'static str,
    pub(crate) limits: RateLimits,
}

/// An app whose tenants share a quota.
#[derive(Debug)]
struct App {
    lane: Lane,
    shares: Shares,
}

/// The limits that a connector keeps to.
#[derive(Debug)]
pub(crate) struct Throttle {
    own: Arc<Lane>,
    app: Option<Arc<App>>,
}

impl Throttle {
    /// Waits until a request may be sent.
    ///
    /// # Errors
    /// The wait, when it is longer than ten seconds and the caller is not [patient](patiently); nothing is sent then.
    pub(crate) async fn admit(&self, sleeper: &dyn Sleeper) -> Result<(), Duration> {
        let usual = self.own.now() + LONGEST_WAIT;
        let patient_until = PATIENT_UNTIL.try_with(|until| usual.max(*until)).unwrap_or(usual);
        for _ in 0..TRIES {
            let in_time = match &self.app {
                None => self.wait_for(&self.own, patient_until, 0, sleeper).await?.in_time,
                Some(app) => self.wait_for_app(app, patient_until, sleeper).await?,
            };
            if in_time {
                return Ok(());
            }
        }
        Err(Duration::from_secs(1))
    }

    /// First the tenant's share, then the app's timeline. Only the latter has to be kept to the moment: the share is
    /// our own measure.
    async fn wait_for_app(&self, app: &App, patient_until: Micros, sleeper: &dyn Sleeper) -> Result<bool, Duration> {
        let tenant = self.own.key();
        let tenants = app.shares.tenants(app.lane.now()).await;
        let share = app.lane.pace().map_or(0, |pace| pace.spacing.saturating_mul(tenants));
        let passed = match self.wait_for(&self.own, patient_until, share, sleeper).await {
            Ok(own) => {
                let slot = self.wait_for(&app.lane, patient_until, 0, sleeper).await;
                slot.map(|slot| Passed {
                    waited: own.waited || slot.waited,
                    ..slot
                })
            }
            Err(wait) => Err(wait),
        };
        if !matches!(passed, Ok(Passed { waited: false, .. })) {
            app.shares.join(tenant, app.lane.now()).await;
        }
        Ok(passed?.in_time)
    }

    async fn wait_for(
        &self,
        lane: &Lane,
        patient_until: Micros,
        spacing: Micros,
        sleeper: &dyn Sleeper,
    ) -> Result<Passed, Duration> {
        let patience = patient_until - lane.now();
        let Slot { opens, closes } = lane.take(patience.max(0), spacing).await.map_err(length)?;
        let wait = opens - lane.now();
        if wait > 0 {
            sleeper.sleep(length(wait)).await;
        }
        Ok(Passed {
            waited: wait > 0,
            in_time: lane.now() <= closes,
        })
    }

    /// Slows down when less than a tenth of the vendor's quota is left, and stops when nothing is.
    pub(crate) fn observe(&self, quota: Quota) {
        if u64::from(quota.available) * 10 >= u64::from(quota.limit) {
            return;
        }
        let gap = match quota.available {
            0 => quota.window,
            left => (quota.window / (left + 1)).min(WIDEST_GAP),
        };
        self.own.pause(Micros::try_from(gap.as_micros()).unwrap_or(Micros::MAX));
    }

    /// Lets nobody send for this long: the vendor refused a request.
    pub(crate) async fn back_off(&self, wait: Duration) {
        self.own.back_off(wait).await;
    }

    /// Lets nobody send for this long whose requests are of the same quota of a day: it is used up. Where the vendor
    /// counts an app, that is every tenant of the app.
    pub(crate) async fn rest(&self, wait: Duration) {
        let lane = self.app.as_ref().map_or(&*self.own, |app| &app.lane);
        lane.back_off(wait).await;
    }
}

/// What came of waiting for a slot.
struct Passed {
    waited: bool,
    /// Whether the slot can still be used.
    in_time: bool,
}

fn length(micros: Micros) -> Duration {
    Duration::from_micros(micros.max(0).unsigned_abs())
}

/// The throttles of this process.
#[derive(Debug)]
pub(crate) struct Throttles {
    ledger: Arc<Ledger>,
    clock: Arc<dyn Clock>,
    lanes: Mutex<HashMap<String, Arc<Lane>>>,
    apps: Mutex<HashMap<String, Arc<App>>>,
}

impl Throttles {
    /// Throttles of one process, which shares its limits with others through `table`.
    pub(crate) fn new(table: Option<Database>, clock: Arc<dyn Clock>) -> Self {
        Self::over(Ledger::new(table, Arc::clone(&clock)), clock)
    }

    fn over(ledger: Ledger, clock: Arc<dyn Clock>) -> Self {
        Self {
            ledger: Arc::new(ledger),
            clock,
            lanes: Mutex::default(),
            apps: Mutex::default(),
        }
    }

    /// The throttle of this key, within the quota of its app where there is one.
    pub(crate) fn throttle(
        &self,
        platform: &'static str,
        key: &str,
        limits: RateLimits,
        app: Option<AppQuota>,
    ) -> Throttle {
        Throttle {
            own: self.lane(format!("crm:{platform}:{key}"), limits),
            app: app.map(|app| self.app(format!("crm-app:{platform}:{}", app.name), app.limits)),
        }
    }

    /// The lane of this name; one with other limits is replaced.
    fn lane(&self, name: String, limits: RateLimits) -> Arc<Lane> {
        let pace = Pace::of(limits);
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = lanes
            .entry(name)
            .and_modify(|lane| {
                if lane.pace() != pace {
                    *lane = Arc::new(self.new_lane(lane.key().to_owned(), pace));
                }
            })
            .or_insert_with_key(|name| Arc::new(self.new_lane(name.clone(), pace)));
        Arc::clone(lane)
    }

    fn app(&self, name: String, limits: RateLimits) -> Arc<App> {
        let pace = Pace::of(limits);
        let mut apps = self.apps.lock().unwrap_or_else(PoisonError::into_inner);
        let app = apps.entry(name).or_insert_with_key(|name| {
            Arc::new(App {
                lane: self.new_lane(name.clone(), pace),
                shares: Shares::new(name.clone(), Arc::clone(&self.ledger)),
            })
        });
        Arc::clone(app)
    }

    fn new_lane(&self, name: String, pace: Option<Pace>) -> Lane {
        Lane::new(name, pace, Arc::clone(&self.ledger), Arc::clone(&self.clock))
    }
}
