//! A time that passes only while every task waits: then it moves on to the first of their wake-ups.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use mfh_connectors::Sleeper;
use mfh_types::{Clock, ManualClock};
use tokio::sync::oneshot;

#[derive(Debug)]
pub struct VirtualTime {
    pub clock: Arc<ManualClock>,
    /// Wake-ups are put off to a multiple of so many microseconds, so that tasks wake together and work side by side.
    grain: i64,
    tasks: Mutex<Tasks>,
}

#[derive(Debug, Default)]
struct Tasks {
    awake: usize,
    woken: u64,
    sleeping: BinaryHeap<Reverse<(DateTime<Utc>, u64)>>,
    bells: BTreeMap<u64, oneshot::Sender<()>>,
}

impl VirtualTime {
    /// Begins at `start`; tasks wake when `grain` is over.
    pub fn from(start: DateTime<Utc>, grain: TimeDelta) -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::new(ManualClock::at(start)),
            grain: grain.num_microseconds().unwrap().max(1),
            tasks: Mutex::default(),
        })
    }

    /// Counts a task that begins; it has to end with [`VirtualTime::ended`].
    pub fn begin(&self) {
        self.tasks.lock().unwrap().awake += 1;
    }

    pub fn ended(&self) {
        let mut tasks = self.tasks.lock().unwrap();
        tasks.awake -= 1;
        self.move_on(&mut tasks);
    }

    fn move_on(&self, tasks: &mut Tasks) {
        if tasks.awake > 0 {
            return;
        }
        let Some(Reverse((first, _))) = tasks.sleeping.peek().copied() else {
            return;
        };
        self.clock.advance((first - self.clock.now()).max(TimeDelta::zero()));
        while let Some(Reverse((at, n))) = tasks.sleeping.peek().copied()
            && at <= first
        {
            tasks.sleeping.pop();
            // A task that was dropped in its sleep does not wake.
            let rang = tasks.bells.remove(&n).unwrap().send(()).is_ok();
            tasks.awake += usize::from(rang);
        }
    }

    fn wake_up(&self, after: Duration) -> DateTime<Utc> {
        let at = (self.clock.now() + TimeDelta::from_std(after).unwrap()).timestamp_micros();
        DateTime::from_timestamp_micros((at + self.grain - 1).div_euclid(self.grain) * self.grain).unwrap()
    }
}

#[async_trait]
impl Sleeper for VirtualTime {
    async fn sleep(&self, duration: Duration) {
        let rings = {
            let (bell, rings) = oneshot::channel();
            let at = self.wake_up(duration);
            let mut tasks = self.tasks.lock().unwrap();
            tasks.woken += 1;
            let n = tasks.woken;
            tasks.sleeping.push(Reverse((at, n)));
            tasks.bells.insert(n, bell);
            tasks.awake -= 1;
            self.move_on(&mut tasks);
            rings
        };
        rings.await.unwrap();
    }
}

/// The most times in any stretch of this length.
pub fn busiest(times: &[DateTime<Utc>], length: TimeDelta) -> usize {
    let mut times = times.to_vec();
    times.sort_unstable();
    (0..times.len())
        .map(|first| times[first..].partition_point(|time| *time < times[first] + length))
        .max()
        .unwrap_or_default()
}
