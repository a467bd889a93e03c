//! What holds whatever the interleaving of processes, and the waits of one process.

use chrono::{DateTime, TimeDelta};
use mfh_types::ManualClock;
use proptest::prelude::*;

use super::*;

const START: i64 = 1_772_323_200;

fn limits(per_second: u32, per_minute: u32, burst: u32) -> RateLimits {
    RateLimits {
        requests_per_second: per_second,
        requests_per_minute: per_minute,
        requests_per_hour: 0,
        burst_limit: burst,
    }
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(DateTime::from_timestamp(START, 0).unwrap()))
}

/// Moves the clock instead of waiting.
#[derive(Debug)]
struct Skip(Arc<ManualClock>);

#[async_trait]
impl Sleeper for Skip {
    async fn sleep(&self, duration: Duration) {
        self.0.advance(TimeDelta::from_std(duration).unwrap());
    }
}

/// One connection in a process of its own.
struct One {
    clock: Arc<ManualClock>,
    throttle: Throttle,
}

impl One {
    fn new(limits: RateLimits) -> Self {
        let clock = clock();
        let throttles = Throttles::new(None, clock.clone());
        Self {
            throttle: throttles.throttle("keap", "a", limits, None),
            clock,
        }
    }

    /// How long a request waits, in milliseconds; the clock is moved by it.
    async fn wait(&self) -> Result<i64, Duration> {
        let before = self.clock.now();
        self.throttle.admit(&Skip(Arc::clone(&self.clock))).await?;
        Ok((self.clock.now() - before).num_milliseconds())
    }
}

#[tokio::test]
async fn a_burst_passes_at_once_and_the_rest_is_spaced() {
    let one = One::new(limits(10, 0, 5));
    let mut at_once = 0;
    while one.wait().await == Ok(0) {
        at_once += 1;
    }
    // The fifth slot is nearly over when an idle process begins.
    assert_eq!(at_once, 4);
    assert_eq!(one.wait().await, Ok(100));
    one.clock.advance(TimeDelta::seconds(5));
    assert_eq!(one.wait().await, Ok(0));
}

#[tokio::test]
async fn a_long_wait_is_refused_without_cost() {
    let one = One::new(limits(0, 2, 2));
    assert_eq!(one.wait().await, Ok(0));
    let refused = one.wait().await.unwrap_err();
    assert!(refused > Duration::from_secs(10), "{refused:?}");
    assert_eq!(one.wait().await.unwrap_err(), refused);
    one.clock.advance(TimeDelta::from_std(refused).unwrap());
    assert_eq!(one.wait().await, Ok(0));
}

#[tokio::test]
async fn a_quota_that_runs_out_slows_down_before_it_is_spent() {
    let one = One::new(limits(0, 0, 0));
    let quota = |available| Quota {
        limit: 240,
        available,
        window: Duration::from_secs(60),
    };
    one.throttle.observe(quota(24));
    assert_eq!(one.wait().await, Ok(0));
    one.throttle.observe(quota(19));
    assert_eq!(one.wait().await, Ok(2_000));
    // Nothing is left: another request would be refused until the window is over.
    one.throttle.observe(quota(0));
    assert_eq!(one.wait().await, Err(Duration::from_secs(60)));
}

#[tokio::test]
async fn a_refused_request_holds_back_the_others() {
    let one = One::new(limits(10, 0, 5));
    one.throttle.back_off(Duration::from_secs(4)).await;
    assert_eq!(one.wait().await, Ok(4_000));
    one.throttle.back_off(Duration::from_secs(400)).await;
    assert_eq!(one.wait().await, Err(Duration::from_secs(400)));
}

#[tokio::test]
async fn a_refusal_in_one_process_holds_back_another() {
    let clock = clock();
    let ledger = Ledger::new(None, clock.clone());
    let throttle = |ledger| Throttles::over(ledger, clock.clone()).throttle("keap", "a", limits(10, 0, 5), None);
    let (one, other) = (throttle(ledger.beside()), throttle(ledger));
    one.back_off(Duration::from_secs(90)).await;
    let wait = other.admit(&Skip(clock.clone())).await.unwrap_err();
    assert_eq!(wait, Duration::from_secs(90));
}

#[tokio::test]
async fn a_slot_is_not_used_after_its_time() {
    let clock = clock();
    let throttles = Throttles::new(None, clock.clone());
    let throttle = throttles.throttle("keap", "a", limits(5, 0, 0), None);
    for _ in 0..4 {
        throttle.admit(&Skip(clock.clone())).await.unwrap();
    }
    /// Wakes up much too late, once.
    #[derive(Debug)]
    struct Late(Arc<ManualClock>, Mutex<u32>);
    #[async_trait]
    impl Sleeper for Late {
        async fn sleep(&self, duration: Duration) {
            let mut sleeps = self.1.lock().unwrap();
            *sleeps += 1;
            let late = TimeDelta::milliseconds(if *sleeps == 1 { 700 } else { 0 });
            self.0.advance(TimeDelta::from_std(duration).unwrap() + late);
        }
    }
    let late = Late(clock.clone(), Mutex::default());
    throttle.admit(&late).await.unwrap();
    let first = clock.now();
    // Five a second: the late one counts from when it was sent.
    for _ in 0..5 {
        throttle.admit(&Skip(clock.clone())).await.unwrap();
    }
    assert!(
        clock.now() - first >= TimeDelta::milliseconds(750),
        "{:?}",
        clock.now() - first
    );
}

#[tokio::test]
async fn a_slow_table_costs_time_but_no_call() {
    for (limits, millis) in [
        (limits(10_000, 0, 10_000), 300),
        (limits(5, 0, 0), 400),
        (limits(20, 1_000, 9), 60),
    ] {
        let clock = clock();
        let mut ledger = Ledger::new(None, clock.clone());
        ledger.slow = Some((clock.clone(), TimeDelta::milliseconds(millis)));
        let throttle = Throttles::over(ledger, clock.clone()).throttle("keap", "a", limits, None);
        for call in 0..5 {
            let before = clock.now();
            let admitted = throttle.admit(&Skip(clock.clone())).await;
            assert_eq!(admitted, Ok(()), "call {call} with {millis} ms");
            let took = (clock.now() - before).num_milliseconds();
            assert!(took <= 3 * millis + 500, "call {call} with {millis} ms took {took} ms");
            // Idle for so long that nothing is held any more.
            clock.advance(TimeDelta::seconds(7));
        }
    }
}

#[tokio::test]
async fn who_cannot_come_back_later_waits_for_a_turn() {
    let one = One::new(limits(0, 2, 2));
    assert_eq!(one.wait().await, Ok(0));
    let refused = one.wait().await.unwrap_err();
    let soon = one.clock.now() + TimeDelta::seconds(20);
    assert_eq!(patiently(soon, one.wait()).await, Err(refused));
    let late = one.clock.now() + TimeDelta::seconds(100);
    let waited = patiently(late, one.wait()).await.unwrap();
    assert_eq!(waited, i64::try_from(refused.as_millis()).unwrap());
    // Patience that is over is as if there was none.
    let past = one.clock.now() - TimeDelta::seconds(1);
    assert!(patiently(past, one.wait()).await.unwrap_err() > Duration::from_secs(10));
}

#[tokio::test]
async fn a_call_that_is_given_up_keeps_nobody_waiting() {
    /// Never wakes up.
    #[derive(Debug)]
    struct Forever;
    #[async_trait]
    impl Sleeper for Forever {
        async fn sleep(&self, _duration: Duration) {
            std::future::pending().await
        }
    }
    let one = One::new(limits(10, 0, 2));
    while one.wait().await == Ok(0) {}
    for _ in 0..30 {
        let given_up = tokio::time::timeout(Duration::ZERO, one.throttle.admit(&Forever)).await;
        assert!(given_up.is_err());
    }
    // Thirty slots were taken and not used: three seconds.
    let waited = one.wait().await.unwrap();
    assert!(waited <= 3_200, "{waited} ms");
    assert_eq!(one.wait().await, Ok(100));
}

#[tokio::test]
async fn a_day_that_is_used_up_holds_back_every_tenant_of_the_app() {
    let clock = clock();
    let throttles = Throttles::new(None, clock.clone());
    let app = || {
        Some(AppQuota {
            name: "app",
            limits: limits(0, 1_200, 20),
        })
    };
    let one = throttles.throttle("keap", "one", limits(20, 0, 9), app());
    let other = throttles.throttle("keap", "other", limits(20, 0, 9), app());
    let key = throttles.throttle("keap", "key", limits(3, 0, 7), None);
    one.rest(Duration::from_secs(7_200)).await;
    let skip = Skip(clock);
    for held_back in [&one, &other] {
        assert_eq!(held_back.admit(&skip).await, Err(Duration::from_secs(7_200)));
    }
    assert_eq!(key.admit(&skip).await, Ok(()));
}

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// This process takes a slot and uses it at this part of the time that it has, in percent.
    Send { process: usize, late: i64 },
    /// Time passes, in milliseconds.
    Pass(i64),
    /// A vendor refuses a request of this process for so many milliseconds.
    Refuse { process: usize, wait: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0_usize..4, 0_i64..=100).prop_map(|(process, late)| Step::Send { process, late }),
        3 => (0_i64..1_500).prop_map(Step::Pass),
        1 => (0_i64..90_000).prop_map(Step::Pass),
        1 => (0_usize..4, 0_u64..3_000).prop_map(|(process, wait)| Step::Refuse { process, wait }),
    ]
}

/// The most requests in any stretch of `per` microseconds.
fn busiest(sent: &[Micros], per: Micros) -> usize {
    let mut times = sent.to_vec();
    times.sort_unstable();
    (0..times.len())
        .map(|first| times[first..].partition_point(|time| *time < times[first] + per))
        .max()
        .unwrap_or_default()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_stretch_of_time_ever_holds_more_than_a_limit(
        second in 1_u32..20,
        minute in prop_oneof![Just(0_u32), 5_u32..300],
        burst in prop_oneof![Just(0_u32), 2_u32..10],
        steps in prop::collection::vec(step(), 1..250),
    ) {
        let clock = clock();
        let limits = limits(second, minute, burst);
        let ledger = Ledger::new(None, clock.clone());
        let pace = Pace::of(limits);
        let lanes: Vec<Lane> = (0..4)
            .map(|_| Lane::new("a".to_owned(), pace, Arc::new(ledger.beside()), clock.clone()))
            .collect();
        let mut sent = Vec::new();
        block_on(async {
            for step in steps {
                match step {
                    Step::Send { process, late } => {
                        if let Ok(slot) = lanes[process].take(LONGEST_WAIT, 0).await {
                            let from = slot.opens.max(lanes[process].now());
                            assert!(from <= slot.closes, "{slot:?}");
                            sent.push(from + (slot.closes - from) * late / 100);
                        }
                    }
                    Step::Pass(millis) => clock.advance(TimeDelta::milliseconds(millis)),
                    Step::Refuse { process, wait } => lanes[process].back_off(Duration::from_millis(wait)).await,
                }
            }
        });
        if minute > 0 {
            prop_assert!(busiest(&sent, 60 * SECOND) <= minute as usize);
        }
        let in_a_second = if burst == 0 { second } else { second + burst - 1 };
        prop_assert!(busiest(&sent, SECOND) <= in_a_second as usize, "{} > {in_a_second}", busiest(&sent, SECOND));
    }
}

fn block_on(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(future);
}

#[tokio::test]
async fn a_busy_process_asks_the_table_seldom() {
    let clock = clock();
    let ledger = Arc::new(Ledger::new(None, clock.clone()));
    let pace = Pace::of(limits(20, 0, 20));
    let lane = Lane::new("a".to_owned(), pace, Arc::clone(&ledger), clock.clone());
    for _ in 0..400 {
        let slot = lane.take(LONGEST_WAIT, 0).await.unwrap();
        let wait = (slot.opens - lane.now()).max(0);
        clock.advance(TimeDelta::microseconds(wait));
    }
    assert!(ledger.asked() <= 40, "{}", ledger.asked());
}

#[tokio::test]
async fn a_process_with_little_to_do_takes_little() {
    let clock = clock();
    let ledger = Arc::new(Ledger::new(None, clock.clone()));
    let lane = |ledger| Lane::new("a".to_owned(), Pace::of(limits(2, 0, 2)), ledger, clock.clone());
    let (quiet, other) = (lane(Arc::clone(&ledger)), lane(ledger));
    for _ in 0..20 {
        quiet.take(LONGEST_WAIT, 0).await.unwrap();
        // Half a second is left for the other: nothing that is not used is kept from it.
        let slot = other.take(LONGEST_WAIT, 0).await.unwrap();
        assert!(slot.opens - other.now() <= SECOND / 2, "{slot:?}");
        clock.advance(TimeDelta::seconds(3));
    }
}
