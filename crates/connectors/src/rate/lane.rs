//! The requests of one throttle key in this process, one after the other.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mfh_types::Clock;

use super::LONGEST_WAIT;
use super::ledger::{Ask, Ledger, Stretch};
use super::pace::{Micros, Pace, SECOND};

/// The longest that all requests of a key are held back.
const LONGEST_PAUSE: Micros = 24 * 3_600 * SECOND;

/// A slot that is over sooner than this cannot be used any more: sending takes a moment, too.
const HASTE: Micros = SECOND / 50;

/// When a request may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// From this time.
    pub(crate) opens: Micros,
    /// Up to this time.
    pub(crate) closes: Micros,
}

/// The requests of one throttle key. Slots are taken from the ledger a few at a time, as many as are soon used.
#[derive(Debug)]
pub(crate) struct Lane {
    key: String,
    pace: Option<Pace>,
    ledger: Arc<Ledger>,
    clock: Arc<dyn Clock>,
    /// Held while a slot is taken, so that requests get theirs in the order of their calls.
    turn: tokio::sync::Mutex<()>,
    waiting: AtomicU32,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    held: Stretch,
    not_before: Micros,
    /// The timeline is known to be taken up to this time.
    full_until: Micros,
    /// How many slots to ask for: doubled when all were used, halved when some were not.
    appetite: u32,
    /// Whether slots were missed since they were last asked for.
    wasted: bool,
    last_used: Micros,
    /// How long it took lately until the ledger answered.
    delay: Micros,
}

impl State {
    /// Drops slots that can no longer be used.
    fn drop_missed(&mut self, usable_from: Micros, pace: Pace) {
        let late = usable_from - life(pace) - self.held.next;
        let missed = (late + self.held.spacing - 1) / self.held.spacing;
        let missed = u32::try_from(missed.max(0)).unwrap_or(u32::MAX).min(self.held.slots);
        if missed > 0 {
            self.skip(missed);
            self.appetite = (self.appetite / 2).max(1);
            self.wasted = true;
        }
    }

    fn skip(&mut self, slots: u32) {
        self.held.slots -= slots;
        self.held.next += self.held.spacing * Micros::from(slots);
    }
}

/// How long after its beginning a slot can be given away.
fn life(pace: Pace) -> Micros {
    pace.grace - HASTE.min(pace.grace / 4)
}

/// Counts a caller while it waits for its turn.
struct Queued<'a>(&'a AtomicU32);

impl<'a> Queued<'a> {
    fn new(waiting: &'a AtomicU32) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Queued<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Lane {
    pub(crate) fn new(key: String, pace: Option<Pace>, ledger: Arc<Ledger>, clock: Arc<dyn Clock>) -> Self {
        let state = State {
            held: Stretch {
                next: 0,
                slots: 0,
                spacing: 1,
            },
            not_before: 0,
            full_until: 0,
            appetite: 1,
            wasted: false,
            last_used: 0,
            delay: 0,
        };
        Self {
            key,
            pace,
            ledger,
            clock,
            turn: tokio::sync::Mutex::default(),
            waiting: AtomicU32::new(0),
            state: Mutex::new(state),
        }
    }

    pub(crate) fn pace(&self) -> Option<Pace> {
        self.pace
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Takes the next slot that begins within `patience`; slots are at least `spacing` apart.
    ///
    /// # Errors
    /// How long it would take; nothing is taken then.
    pub(crate) async fn take(&self, patience: Micros, spacing: Micros) -> Result<Slot, Micros> {
        let _queued = Queued::new(&self.waiting);
        let _turn = self.turn.lock().await;
        let now = self.now();
        let Some(pace) = self.pace else {
            let opens = self.state().not_before.max(now);
            let slot = Slot {
                opens,
                closes: Micros::MAX,
            };
            return if opens - now > patience {
                Err(opens - now)
            } else {
                Ok(slot)
            };
        };
        if let Some(slot) = self.held(now, patience, pace)? {
            return Ok(slot);
        }
        self.refill(now, patience, pace, spacing).await?;
        // What was just taken may begin as late as the caller's patience allows, but no later.
        self.held(now, patience, pace)?.ok_or(pace.spacing)
    }

    /// The next slot that is held already, if any.
    fn held(&self, now: Micros, patience: Micros, pace: Pace) -> Result<Option<Slot>, Micros> {
        let mut state = self.state();
        let busy_until = state.not_before.max(state.full_until);
        if state.not_before - now > patience || (state.held.slots == 0 && busy_until - now > patience) {
            return Err(busy_until - now);
        }
        let usable_from = now.max(state.not_before);
        if state.held.slots > 0 {
            state.drop_missed(usable_from, pace);
        }
        if state.held.slots == 0 {
            return Ok(None);
        }
        let opens = state.held.next.max(state.not_before);
        if opens - now > patience {
            return Err(opens - now);
        }
        let slot = Slot {
            opens,
            closes: state.held.next + pace.grace,
        };
        state.skip(1);
        state.last_used = now;
        Ok(Some(slot))
    }

    async fn refill(&self, now: Micros, patience: Micros, pace: Pace, spacing: Micros) -> Result<(), Micros> {
        let spacing = pace.spacing.max(spacing);
        let ask = {
            let mut state = self.state();
            // A second's worth at most, so that no process keeps the others waiting.
            let most = u32::try_from(SECOND / spacing).unwrap_or(u32::MAX).max(1);
            let grown = match (now - state.last_used < SECOND, state.wasted) {
                (true, false) => state.appetite.saturating_mul(2),
                (true, true) => state.appetite,
                (false, _) => 1,
            };
            state.appetite = grown.min(most);
            state.wasted = false;
            let slots = state.appetite.max(self.waiting.load(Ordering::Relaxed)).min(most);
            let known_until = state.held.next.max(state.full_until);
            // A slot must not be over before the answer is here.
            let earliest = (now + state.delay - life(pace)).max(state.not_before);
            // Slots that lie far ahead are for the one who waits for them.
            let slots = if patience > LONGEST_WAIT { 1 } else { slots };
            Ask {
                slots,
                spacing,
                earliest,
                latest: now + patience.max(state.delay),
                is_idle: known_until < earliest,
            }
        };
        let taken = self.ledger.take(&self.key, ask).await;
        let delay = self.now() - now;
        let mut state = self.state();
        state.delay = delay.max(state.delay - state.delay / 4);
        match taken {
            Ok(stretch) => {
                state.held = stretch;
                Ok(())
            }
            Err(until) => {
                state.full_until = until;
                Err((until - now).max(1))
            }
        }
    }

    /// Lets nobody of this process send for this long.
    pub(crate) fn pause(&self, wait: Micros) -> Micros {
        let until = self.now() + wait.clamp(0, LONGEST_PAUSE);
        let mut state = self.state();
        state.not_before = state.not_before.max(until);
        until
    }

    /// Lets nobody of any process send for this long: the vendor refused a request.
    pub(crate) async fn back_off(&self, wait: Duration) {
        let wait = Micros::try_from(wait.as_micros()).unwrap_or(LONGEST_PAUSE);
        let until = self.pause(wait);
        if self.pace.is_some() {
            self.ledger.postpone(&self.key, until).await;
        }
    }

    pub(crate) fn now(&self) -> Micros {
        self.clock.now().timestamp_micros()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
