//! The live state of one queue: what can be received now, what becomes visible when, what is a repeat.
//!
//! Every operation costs O(log n) in the number of messages. Times are Unix milliseconds. Nothing here touches the
//! file; the engine writes what it changes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use tokio::sync::Notify;

use super::message::Message;
use super::settings::Settings;

/// SQS recognises a repeat for five minutes after the first sending.
pub(super) const DEDUPLICATION_MS: i64 = 300_000;

/// Where a message stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// It can be received, unless its group is blocked.
    Visible,
    /// It cannot be received before this time.
    Delayed(i64),
    /// A receiver has it until this time.
    InFlight(i64),
}

/// A message with what changes about it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub message: Arc<Message>,
    pub state: State,
    pub receive_count: u32,
    pub first_received_at: Option<i64>,
}

/// How many messages are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Not received and not delayed; in a FIFO queue their group may still be blocked.
    pub visible: usize,
    /// Received and not deleted.
    pub in_flight: usize,
    /// Not yet visible for the first time.
    pub delayed: usize,
}

/// One queue.
#[derive(Debug)]
pub(super) struct Queue {
    pub id: i64,
    pub name: String,
    pub settings: Settings,
    /// As they were set.
    pub attributes: BTreeMap<String, String>,
    pub tags: BTreeMap<String, String>,
    pub created_at: i64,
    pub modified_at: i64,
    /// Wakes long polls.
    pub wake: Arc<Notify>,
    pub repeats: Repeats,
    entries: HashMap<u64, Entry>,
    order: Order,
    /// When delayed and in-flight messages become visible.
    timers: BTreeSet<(i64, u64)>,
    /// By age, for retention.
    ages: BTreeSet<(i64, u64)>,
    counts: QueueCounts,
}

/// Which messages come next.
#[derive(Debug)]
enum Order {
    /// Any visible message, oldest first.
    Standard(BTreeSet<u64>),
    /// The first message of each group that is not blocked.
    Fifo(Groups),
}

#[derive(Debug, Default)]
struct Groups {
    groups: HashMap<Arc<str>, Group>,
    /// The groups that can be received from, by their first message.
    ready: BTreeMap<u64, Arc<str>>,
}

#[derive(Debug, Default)]
struct Group {
    /// Visible and delayed messages in order.
    waiting: BTreeSet<u64>,
    in_flight: usize,
    /// Its key in `Groups::ready`.
    ready_at: Option<u64>,
}

impl Queue {
    pub fn new(id: i64, name: String, attributes: BTreeMap<String, String>, settings: Settings, now: i64) -> Self {
        let order = if settings.fifo {
            Order::Fifo(Groups::default())
        } else {
            Order::Standard(BTreeSet::new())
        };
        Self {
            id,
            name,
            settings,
            attributes,
            tags: BTreeMap::new(),
            created_at: now,
            modified_at: now,
            wake: Arc::new(Notify::new()),
            repeats: Repeats::default(),
            entries: HashMap::new(),
            order,
            timers: BTreeSet::new(),
            ages: BTreeSet::new(),
            counts: QueueCounts::default(),
        }
    }

    pub fn insert(&mut self, entry: Entry) {
        let sequence = entry.message.sequence;
        self.ages.insert((entry.message.sent_at, sequence));
        self.entries.insert(sequence, entry);
        self.attach(sequence);
    }

    pub fn remove(&mut self, sequence: u64) -> Option<Entry> {
        self.detach(sequence);
        let entry = self.entries.remove(&sequence)?;
        self.ages.remove(&(entry.message.sent_at, sequence));
        Some(entry)
    }

    /// All messages in the order of their numbers; the queue is empty after it.
    pub fn clear(&mut self) -> Vec<u64> {
        let mut all: Vec<_> = self.entries.keys().copied().collect();
        all.sort_unstable();
        for sequence in &all {
            self.remove(*sequence);
        }
        all
    }

    pub fn get(&self, sequence: u64) -> Option<&Entry> {
        self.entries.get(&sequence)
    }

    pub fn set_state(&mut self, sequence: u64, state: State) {
        self.detach(sequence);
        if let Some(entry) = self.entries.get_mut(&sequence) {
            entry.state = state;
        }
        self.attach(sequence);
    }

    /// Hands the message to a receiver until `until`; returns it with its new count.
    pub fn take(&mut self, sequence: u64, now: i64, until: i64) -> Option<Entry> {
        self.set_state(sequence, State::InFlight(until));
        let entry = self.entries.get_mut(&sequence)?;
        entry.receive_count += 1;
        entry.first_received_at.get_or_insert(now);
        Some(entry.clone())
    }

    /// Makes messages visible whose time has come.
    pub fn advance(&mut self, now: i64) {
        while let Some(&(at, sequence)) = self.timers.first()
            && at <= now
        {
            self.set_state(sequence, State::Visible);
        }
    }

    /// Removes and returns the messages that are older than the queue keeps them.
    pub fn expire(&mut self, now: i64) -> Vec<u64> {
        let mut expired = Vec::new();
        while let Some(&(sent_at, sequence)) = self.ages.first()
            && sent_at + self.settings.retention_ms <= now
        {
            self.remove(sequence);
            expired.push(sequence);
        }
        expired
    }

    /// The next message that can be received. A receive that took from a group goes on with it, in its order.
    pub fn next(&self, current: Option<&Arc<str>>) -> Option<u64> {
        match &self.order {
            Order::Standard(visible) => visible.first().copied(),
            Order::Fifo(groups) => {
                let goes_on = current
                    .and_then(|name| groups.groups.get(name))
                    .and_then(|group| group.waiting.first().copied())
                    .filter(|first| self.is_visible(*first));
                goes_on.or_else(|| groups.ready.keys().next().copied())
            }
        }
    }

    /// Whether a receive would get something.
    pub fn is_receivable(&self) -> bool {
        self.next(None).is_some()
    }

    /// When the next delayed or in-flight message becomes visible.
    pub fn next_due(&self) -> Option<i64> {
        self.timers.first().map(|(at, _)| *at)
    }

    pub fn counts(&self) -> QueueCounts {
        self.counts
    }

    fn is_visible(&self, sequence: u64) -> bool {
        is_visible(&self.entries, sequence)
    }

    fn attach(&mut self, sequence: u64) {
        let Some(entry) = self.entries.get(&sequence) else {
            return;
        };
        match entry.state {
            State::Visible => self.counts.visible += 1,
            State::Delayed(until) => {
                self.counts.delayed += 1;
                self.timers.insert((until, sequence));
            }
            State::InFlight(until) => {
                self.counts.in_flight += 1;
                self.timers.insert((until, sequence));
            }
        }
        match &mut self.order {
            Order::Standard(visible) => {
                if entry.state == State::Visible {
                    visible.insert(sequence);
                }
            }
            Order::Fifo(groups) => {
                let name = group_of(&entry.message);
                let group = groups.groups.entry(Arc::clone(&name)).or_default();
                match entry.state {
                    State::InFlight(_) => group.in_flight += 1,
                    State::Visible | State::Delayed(_) => {
                        group.waiting.insert(sequence);
                    }
                }
                groups.refresh(&name, &self.entries);
            }
        }
    }

    fn detach(&mut self, sequence: u64) {
        let Some(entry) = self.entries.get(&sequence) else {
            return;
        };
        match entry.state {
            State::Visible => self.counts.visible -= 1,
            State::Delayed(until) => {
                self.counts.delayed -= 1;
                self.timers.remove(&(until, sequence));
            }
            State::InFlight(until) => {
                self.counts.in_flight -= 1;
                self.timers.remove(&(until, sequence));
            }
        }
        match &mut self.order {
            Order::Standard(visible) => {
                visible.remove(&sequence);
            }
            Order::Fifo(groups) => {
                let name = group_of(&entry.message);
                if let Some(group) = groups.groups.get_mut(&name) {
                    if matches!(entry.state, State::InFlight(_)) {
                        group.in_flight -= 1;
                    }
                    group.waiting.remove(&sequence);
                }
                groups.refresh(&name, &self.entries);
            }
        }
    }
}

impl Groups {
    /// Brings `ready` in line with the group: it is ready when nothing of it is in flight and its first message is
    /// visible. A group without messages is forgotten.
    fn refresh(&mut self, name: &Arc<str>, entries: &HashMap<u64, Entry>) {
        let Some(group) = self.groups.get_mut(name) else {
            return;
        };
        let first = group.waiting.first().copied();
        let ready_at = first.filter(|first| group.in_flight == 0 && is_visible(entries, *first));
        if group.ready_at != ready_at {
            if let Some(before) = group.ready_at {
                self.ready.remove(&before);
            }
            if let Some(now) = ready_at {
                self.ready.insert(now, Arc::clone(name));
            }
            group.ready_at = ready_at;
        }
        if group.in_flight == 0 && first.is_none() {
            self.groups.remove(name);
        }
    }
}

fn is_visible(entries: &HashMap<u64, Entry>, sequence: u64) -> bool {
    entries
        .get(&sequence)
        .is_some_and(|entry| entry.state == State::Visible)
}

/// The message's group; FIFO queues accept none without.
fn group_of(message: &Message) -> Arc<str> {
    message.group.clone().unwrap_or_else(|| Arc::from(""))
}

/// The sendings of the last five minutes, by what a repeat is recognised by.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    known: HashMap<Arc<str>, FirstSending>,
    by_end: BTreeSet<(i64, Arc<str>)>,
}

/// What a repeat is answered with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FirstSending {
    pub message_id: String,
    pub sequence: u64,
    pub until: i64,
}

impl Repeats {
    pub fn get(&self, key: &str, now: i64) -> Option<&FirstSending> {
        self.known.get(key).filter(|first| now < first.until)
    }

    pub fn insert(&mut self, key: Arc<str>, first: FirstSending) {
        self.by_end.insert((first.until, Arc::clone(&key)));
        if let Some(before) = self.known.insert(Arc::clone(&key), first.clone())
            && before.until != first.until
        {
            self.by_end.remove(&(before.until, key));
        }
    }

    /// Forgets the sendings whose five minutes are over; returns their keys.
    pub fn expire(&mut self, now: i64) -> Vec<Arc<str>> {
        let mut expired = Vec::new();
        while self.by_end.first().is_some_and(|(until, _)| *until <= now) {
            if let Some((_, key)) = self.by_end.pop_first() {
                self.known.remove(&key);
                expired.push(key);
            }
        }
        expired
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The queue as SQS describes it, without any index: a list of messages in order.
    #[derive(Default)]
    struct Model(Vec<(u64, u8, State)>);

    impl Model {
        fn next(&self, fifo: bool) -> Option<u64> {
            let blocked = |index: usize, group: u8| {
                self.0.iter().enumerate().any(|(at, (_, other, state))| {
                    *other == group && (matches!(state, State::InFlight(_)) || (at < index && *state != State::Visible))
                })
            };
            let mut free =
                self.0.iter().enumerate().filter(|(index, (_, group, state))| {
                    *state == State::Visible && !(fifo && blocked(*index, *group))
                });
            free.next().map(|(_, (sequence, ..))| *sequence)
        }

        fn advance(&mut self, now: i64) {
            for (_, _, state) in &mut self.0 {
                if matches!(state, State::Delayed(at) | State::InFlight(at) if *at <= now) {
                    *state = State::Visible;
                }
            }
        }

        fn counts(&self) -> QueueCounts {
            let count = |is: fn(&State) -> bool| self.0.iter().filter(|(.., state)| is(state)).count();
            QueueCounts {
                visible: count(|state| *state == State::Visible),
                in_flight: count(|state| matches!(state, State::InFlight(_))),
                delayed: count(|state| matches!(state, State::Delayed(_))),
            }
        }
    }

    #[derive(Debug, Clone)]
    enum Step {
        Send { group: u8, delay: i64 },
        Receive { visibility: i64 },
        Delete { which: usize },
        ChangeVisibility { which: usize, timeout: i64 },
        Wait { by: i64 },
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (0..4_u8, prop_oneof![Just(0), 1..6_i64]).prop_map(|(group, delay)| Step::Send { group, delay }),
            3 => (1..10_i64).prop_map(|visibility| Step::Receive { visibility }),
            2 => any::<usize>().prop_map(|which| Step::Delete { which }),
            1 => (any::<usize>(), 0..10_i64).prop_map(|(which, timeout)| Step::ChangeVisibility { which, timeout }),
            1 => (1..8_i64).prop_map(|by| Step::Wait { by }),
        ];
        prop::collection::vec(step, 1..120)
    }

    fn entry(sequence: u64, group: u8, state: State, now: i64) -> Entry {
        Entry {
            message: Arc::new(Message {
                message_id: sequence.to_string(),
                sequence,
                body: "body".to_owned(),
                group: Some(Arc::from(group.to_string())),
                deduplication_id: None,
                sent_at: now,
                attributes: BTreeMap::new(),
                trace_header: None,
                source_arn: None,
            }),
            state,
            receive_count: 0,
            first_received_at: None,
        }
    }

    fn queue(fifo: bool) -> Queue {
        let (name, attributes) = if fifo {
            ("q.fifo", BTreeMap::from([("FifoQueue".to_owned(), "true".to_owned())]))
        } else {
            ("q", BTreeMap::new())
        };
        let settings = Settings::read(name, &attributes).unwrap();
        Queue::new(1, name.to_owned(), attributes, settings, 0)
    }

    /// The message that `which` picks among those in flight.
    fn in_flight(model: &Model, which: usize) -> Option<usize> {
        let all: Vec<_> = (0..model.0.len())
            .filter(|at| matches!(model.0[*at].2, State::InFlight(_)))
            .collect();
        (!all.is_empty()).then(|| all[which % all.len()])
    }

    proptest! {
        #[test]
        fn the_queue_behaves_like_a_plain_list_of_messages(fifo: bool, steps in steps()) {
            let (mut queue, mut model) = (queue(fifo), Model::default());
            let (mut now, mut sequence) = (0, 0);
            for step in steps {
                match step {
                    Step::Send { group, delay } => {
                        sequence += 1;
                        let state = if delay == 0 { State::Visible } else { State::Delayed(now + delay) };
                        queue.insert(entry(sequence, group, state, now));
                        model.0.push((sequence, group, state));
                    }
                    Step::Receive { visibility } => {
                        let expected = model.next(fifo);
                        prop_assert_eq!(queue.next(None), expected);
                        if let Some(next) = expected {
                            queue.take(next, now, now + visibility);
                            let at = model.0.iter().position(|(other, ..)| *other == next).unwrap();
                            model.0[at].2 = State::InFlight(now + visibility);
                        }
                    }
                    Step::Delete { which } => {
                        if let Some(at) = in_flight(&model, which) {
                            queue.remove(model.0.remove(at).0);
                        }
                    }
                    Step::ChangeVisibility { which, timeout } => {
                        if let Some(at) = in_flight(&model, which) {
                            let state = if timeout == 0 { State::Visible } else { State::InFlight(now + timeout) };
                            queue.set_state(model.0[at].0, state);
                            model.0[at].2 = state;
                        }
                    }
                    Step::Wait { by } => {
                        now += by;
                        queue.advance(now);
                        model.advance(now);
                    }
                }
                prop_assert_eq!(queue.counts(), model.counts());
                prop_assert_eq!(queue.is_receivable(), model.next(fifo).is_some());
            }
        }
    }

    #[test]
    fn messages_older_than_the_retention_leave_and_free_their_group() {
        let mut queue = queue(true);
        queue.insert(entry(1, 0, State::Visible, 0));
        queue.insert(entry(2, 0, State::Visible, 10));
        queue.take(1, 0, i64::MAX);
        assert_eq!(queue.next(None), None);
        assert_eq!(queue.expire(queue.settings.retention_ms + 5), [1]);
        assert_eq!(queue.next(None), Some(2));
    }

    #[test]
    fn a_repeat_is_known_for_its_time_only() {
        let mut repeats = Repeats::default();
        let first = FirstSending {
            message_id: "m".to_owned(),
            sequence: 1,
            until: 100,
        };
        repeats.insert(Arc::from("key"), first.clone());
        assert_eq!(repeats.get("key", 99), Some(&first));
        assert_eq!(repeats.get("key", 100), None);
        assert_eq!(repeats.expire(100), [Arc::from("key")]);
    }
}
