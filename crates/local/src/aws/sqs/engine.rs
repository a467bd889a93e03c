//! All queues of the machine, owned by one thread.
//!
//! Requests are jobs. The thread takes what is waiting, does it in memory and in one transaction, commits, and only
//! then answers: what was answered is in the file, and many callers share the cost of a commit.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, mpsc};

use mfh_types::{Clock, Random, SystemRandom};
use tokio::sync::Notify;
use uuid::Builder;

use super::error::SqsError;
use super::message::{self, Message, NewMessage, Receipt, ReceivedMessage, Sent};
use super::queue::{DEDUPLICATION_MS, Entry, FirstSending, Queue, QueueCounts, State};
use super::settings::{self, Settings};
use super::store::Store;

/// How many requests share a transaction at most.
const BATCH: usize = 256;
/// How many sequence numbers are set aside at a time.
const SEQUENCES: u64 = 100_000;
/// The longest poll: a message due later than this need not wake the polls of now.
const LONGEST_WAIT_MS: i64 = 20_000;

/// A request: changes the engine and returns how to answer once the outcome of the commit is known.
pub(super) type Job = Box<dyn FnOnce(&mut Engine) -> Reply + Send>;
pub(super) type Reply = Box<dyn FnOnce(Result<(), SqsError>)>;

/// What a receive found.
pub(super) enum Found {
    Messages(Vec<ReceivedMessage>),
    Nothing {
        wake: Arc<Notify>,
        /// When to look again, in Unix milliseconds.
        due: Option<i64>,
        /// How long the queue waits when the request does not say.
        default_wait_ms: i64,
    },
}

/// All queues.
pub(super) struct Engine {
    store: Store,
    queues: HashMap<String, Queue>,
    next_sequence: u64,
    reserved: u64,
    clock: Arc<dyn Clock>,
    account_id: String,
    /// Polls to wake after the commit.
    wakes: Vec<Wake>,
}

enum Wake {
    One(Arc<Notify>),
    All(Arc<Notify>),
}

impl Engine {
    pub fn open(path: &Path, clock: Arc<dyn Clock>, account_id: String) -> anyhow::Result<Self> {
        let mut engine = Self {
            store: Store::open(path)?,
            queues: HashMap::new(),
            next_sequence: 0,
            reserved: 0,
            clock,
            account_id,
            wakes: Vec::new(),
        };
        engine.store.take_back_receives()?;
        engine.load()?;
        Ok(engine)
    }

    /// Works until the last sender of jobs has gone.
    pub fn run(mut self, jobs: &mpsc::Receiver<Job>) {
        while let Ok(first) = jobs.recv() {
            let mut replies = vec![first(&mut self)];
            while replies.len() < BATCH
                && let Ok(job) = jobs.try_recv()
            {
                replies.push(job(&mut self));
            }
            let outcome = self.store.commit();
            if let Err(error) = &outcome {
                tracing::error!("{error}");
                if let Err(error) = self.load() {
                    tracing::error!("the queues cannot be read back: {error:#}");
                    return;
                }
            }
            for reply in replies {
                reply(outcome.clone());
            }
            for wake in self.wakes.drain(..) {
                match wake {
                    Wake::One(notify) => notify.notify_one(),
                    Wake::All(notify) => notify.notify_waiters(),
                }
            }
        }
    }

    /// Replaces the state in memory by what the file holds; those who wait on a queue go on waiting on it.
    fn load(&mut self) -> anyhow::Result<()> {
        let now = self.now();
        let mut before = std::mem::take(&mut self.queues);
        for mut queue in self.store.load(now)? {
            if let Some(known) = before.remove(&queue.name) {
                queue.wake = known.wake;
            }
            self.queues.insert(queue.name.clone(), queue);
        }
        self.next_sequence = 0;
        self.reserved = 0;
        Ok(())
    }

    fn now(&self) -> i64 {
        self.clock.now().timestamp_millis()
    }

    pub fn arn(&self, queue: &str) -> String {
        format!("arn:aws:sqs:{}:{}:{queue}", mfh_aws::REGION, self.account_id)
    }

    pub fn queue(&self, name: &str) -> Result<&Queue, SqsError> {
        self.queues.get(name).ok_or(SqsError::QueueDoesNotExist)
    }

    /// The queue as it stands now: due messages visible, old ones gone.
    fn current(&mut self, name: &str) -> Result<&mut Queue, SqsError> {
        let now = self.now();
        let queue = self.queues.get_mut(name).ok_or(SqsError::QueueDoesNotExist)?;
        queue.advance(now);
        for expired in queue.expire(now) {
            self.store.delete_message(expired)?;
        }
        Ok(queue)
    }

    pub fn queue_names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.queues.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    pub fn create_queue(
        &mut self,
        name: &str,
        attributes: BTreeMap<String, String>,
        tags: BTreeMap<String, String>,
    ) -> Result<(), SqsError> {
        let settings = Settings::read(name, &attributes)?;
        if let Some(existing) = self.queues.get(name) {
            let in_force = settings::in_force(&existing.attributes);
            let other = attributes
                .iter()
                .find(|(name, value)| in_force.get(*name) != Some(*value));
            return other.map_or(Ok(()), |(name, _)| Err(SqsError::QueueNameExists(name.clone())));
        }
        self.check_redrive(&settings)?;
        let now = self.now();
        let id = self.store.insert_queue(name, &attributes, now)?;
        let mut queue = Queue::new(id, name.to_owned(), attributes, settings, now);
        if !tags.is_empty() {
            queue.tags = tags;
            self.store.update_queue(&queue)?;
        }
        self.queues.insert(name.to_owned(), queue);
        Ok(())
    }

    /// A dead-letter queue exists and is of the same kind.
    fn check_redrive(&self, settings: &Settings) -> Result<(), SqsError> {
        let Some(redrive) = &settings.redrive else {
            return Ok(());
        };
        let reason = match self.queues.get(redrive.target()) {
            None => "Dead letter target does not exist; create it first.",
            Some(target) if target.settings.fifo != settings.fifo => {
                "Dead-letter queue must be same type of queue as the source."
            }
            Some(_) => return Ok(()),
        };
        Err(SqsError::InvalidParameterValue {
            name: "RedrivePolicy",
            reason: reason.to_owned(),
        })
    }

    pub fn set_attributes(&mut self, name: &str, changes: BTreeMap<String, String>) -> Result<(), SqsError> {
        let mut attributes = self.queue(name)?.attributes.clone();
        for (attribute, value) in changes {
            if attribute == "FifoQueue" && attributes.get("FifoQueue") != Some(&value) {
                return Err(SqsError::InvalidAttributeValue {
                    name: attribute,
                    reason: "the kind of a queue cannot be changed".to_owned(),
                });
            }
            // An empty policy takes the policy away.
            if value.is_empty() && settings::is_attribute(&attribute) {
                attributes.remove(&attribute);
            } else {
                attributes.insert(attribute, value);
            }
        }
        let settings = Settings::read(name, &attributes)?;
        self.check_redrive(&settings)?;
        let now = self.now();
        let queue = self.current(name)?;
        queue.attributes = attributes;
        queue.settings = settings;
        self.update(name, now)
    }

    pub fn set_tags(&mut self, name: &str, change: impl FnOnce(&mut BTreeMap<String, String>)) -> Result<(), SqsError> {
        let now = self.now();
        change(&mut self.current(name)?.tags);
        self.update(name, now)
    }

    fn update(&mut self, name: &str, now: i64) -> Result<(), SqsError> {
        let queue = self.queues.get_mut(name).ok_or(SqsError::QueueDoesNotExist)?;
        queue.modified_at = now;
        self.store.update_queue(queue)
    }

    /// The attributes in force with those that are computed.
    pub fn attributes(&mut self, name: &str) -> Result<BTreeMap<String, String>, SqsError> {
        let arn = self.arn(name);
        let queue = self.current(name)?;
        let counts = queue.counts();
        let mut all = settings::in_force(&queue.attributes);
        let computed = [
            ("ApproximateNumberOfMessages", counts.visible.to_string()),
            ("ApproximateNumberOfMessagesDelayed", counts.delayed.to_string()),
            ("ApproximateNumberOfMessagesNotVisible", counts.in_flight.to_string()),
            ("CreatedTimestamp", (queue.created_at / 1_000).to_string()),
            ("LastModifiedTimestamp", (queue.modified_at / 1_000).to_string()),
            ("QueueArn", arn),
        ];
        all.extend(computed.map(|(name, value)| (name.to_owned(), value)));
        Ok(all)
    }

    pub fn counts(&mut self, name: &str) -> Result<QueueCounts, SqsError> {
        Ok(self.current(name)?.counts())
    }

    /// The queues whose failed messages go to `name`.
    pub fn sources_of(&self, name: &str) -> Result<Vec<String>, SqsError> {
        self.queue(name)?;
        let is_source = |queue: &&Queue| {
            queue
                .settings
                .redrive
                .as_ref()
                .is_some_and(|redrive| redrive.target() == name)
        };
        let mut names: Vec<_> = self
            .queues
            .values()
            .filter(is_source)
            .map(|queue| queue.name.clone())
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    pub fn delete_queue(&mut self, name: &str) -> Result<(), SqsError> {
        let queue = self.queues.remove(name).ok_or(SqsError::QueueDoesNotExist)?;
        self.wakes.push(Wake::All(Arc::clone(&queue.wake)));
        self.store.delete_queue(queue.id)
    }

    pub fn purge(&mut self, name: &str) -> Result<(), SqsError> {
        let queue = self.queues.get_mut(name).ok_or(SqsError::QueueDoesNotExist)?;
        queue.clear();
        let id = queue.id;
        self.store.delete_messages_of(id)
    }

    pub fn send(&mut self, name: &str, new: NewMessage) -> Result<Sent, SqsError> {
        let now = self.now();
        let queue = self.current(name)?;
        let settings = queue.settings.clone();
        message::check(&new, settings.max_bytes)?;
        let id = deduplication_id(&settings, &new)?;
        let key = id
            .as_deref()
            .filter(|_| settings.fifo)
            .map(|id| repeat_key(&settings, &new, id));
        if let Some(key) = &key
            && let Some(first) = queue.repeats.get(key, now)
        {
            return Ok(Sent {
                message_id: first.message_id.clone(),
                sequence_number: Some(message::sequence_number(first.sequence)),
            });
        }
        let sequence = self.sequence()?;
        let delay_ms = new.delay_secs.map_or(settings.delay_ms, |secs| 1_000 * i64::from(secs));
        let message = Message {
            message_id: message_id(),
            sequence,
            body: new.body,
            group: new.group.map(Arc::from),
            deduplication_id: id,
            sent_at: now,
            attributes: new.attributes,
            trace_header: new.trace_header,
            source_arn: None,
        };
        let sent = Sent {
            message_id: message.message_id.clone(),
            sequence_number: settings.fifo.then(|| message.sequence_number()),
        };
        if let Some(key) = key {
            self.remember(name, key, &sent.message_id, sequence, now)?;
        }
        let state = if delay_ms == 0 {
            State::Visible
        } else {
            State::Delayed(now + delay_ms)
        };
        self.insert(
            name,
            Entry {
                message: Arc::new(message),
                state,
                receive_count: 0,
                first_received_at: None,
            },
        )?;
        Ok(sent)
    }

    fn remember(&mut self, name: &str, key: String, message_id: &str, sequence: u64, now: i64) -> Result<(), SqsError> {
        let queue = self.queues.get_mut(name).ok_or(SqsError::QueueDoesNotExist)?;
        for expired in queue.repeats.expire(now) {
            self.store.delete_repeat(queue.id, &expired)?;
        }
        let first = FirstSending {
            message_id: message_id.to_owned(),
            sequence,
            until: now + DEDUPLICATION_MS,
        };
        self.store.insert_repeat(queue.id, &key, &first)?;
        queue.repeats.insert(Arc::from(key), first);
        Ok(())
    }

    fn insert(&mut self, name: &str, entry: Entry) -> Result<(), SqsError> {
        let now = self.now();
        let queue = self.queues.get_mut(name).ok_or(SqsError::QueueDoesNotExist)?;
        self.store.insert_message(queue.id, &entry)?;
        let due_before = queue.next_due();
        queue.insert(entry);
        self.wakes.extend(wakes(queue, due_before, now));
        Ok(())
    }

    fn sequence(&mut self) -> Result<u64, SqsError> {
        if self.next_sequence == self.reserved {
            self.next_sequence = self.store.reserve_sequences(SEQUENCES)?;
            self.reserved = self.next_sequence + SEQUENCES;
        }
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        Ok(sequence)
    }

    pub fn receive(&mut self, name: &str, max: usize, visibility_ms: Option<i64>) -> Result<Found, SqsError> {
        let now = self.now();
        let queue = self.current(name)?;
        let due_before = queue.next_due();
        let until = now + visibility_ms.unwrap_or(queue.settings.visibility_ms);
        let mut received: Vec<ReceivedMessage> = Vec::new();
        while received.len() < max {
            let current = received.last().and_then(|last| last.message.group.clone());
            let queue = self.queue(name)?;
            let Some(sequence) = queue.next(current.as_ref()) else {
                break;
            };
            if let Some(target) = self.dead_letter_target(queue, sequence) {
                self.move_to(name, sequence, &target)?;
            } else if let Some(entry) = self.take(name, sequence, now, until)? {
                received.push(entry);
            }
        }
        let queue = self.queues.get(name).ok_or(SqsError::QueueDoesNotExist)?;
        self.wakes.extend(wakes(queue, due_before, now));
        if received.is_empty() {
            return Ok(Found::Nothing {
                wake: Arc::clone(&queue.wake),
                due: queue.next_due(),
                default_wait_ms: queue.settings.wait_ms,
            });
        }
        Ok(Found::Messages(received))
    }

    fn take(&mut self, name: &str, sequence: u64, now: i64, until: i64) -> Result<Option<ReceivedMessage>, SqsError> {
        let queue = self.queues.get_mut(name).ok_or(SqsError::QueueDoesNotExist)?;
        let Some(entry) = queue.take(sequence, now, until) else {
            return Ok(None);
        };
        self.store.mark_received(&entry)?;
        let receipt = Receipt {
            queue: queue.id,
            sequence,
            receive: entry.receive_count,
        };
        Ok(Some(ReceivedMessage {
            receipt,
            message: entry.message,
            receive_count: entry.receive_count,
            first_received_at: entry.first_received_at.unwrap_or(now),
        }))
    }

    /// Where a message goes that has been received as often as its queue allows; nowhere when that queue is gone.
    fn dead_letter_target(&self, queue: &Queue, sequence: u64) -> Option<String> {
        let redrive = queue.settings.redrive.as_ref()?;
        let entry = queue.get(sequence)?;
        let target = redrive.target();
        (entry.receive_count >= redrive.max_receives && self.queues.contains_key(target)).then(|| target.to_owned())
    }

    /// Moves a message to its dead-letter queue; it keeps its id, group and attributes. As in SQS its age goes on
    /// in a standard queue and begins anew in a FIFO queue.
    fn move_to(&mut self, from: &str, sequence: u64, target: &str) -> Result<(), SqsError> {
        let (now, source_arn) = (self.now(), self.arn(from));
        let queue = self.queues.get_mut(from).ok_or(SqsError::QueueDoesNotExist)?;
        let fifo = queue.settings.fifo;
        let Some(mut entry) = queue.remove(sequence) else {
            return Ok(());
        };
        self.store.delete_message(sequence)?;
        let mut message = Message::clone(&entry.message);
        message.sequence = self.sequence()?;
        message.source_arn = Some(source_arn);
        if fifo {
            message.sent_at = now;
        }
        entry.message = Arc::new(message);
        entry.state = State::Visible;
        entry.receive_count = 0;
        entry.first_received_at = None;
        self.insert(target, entry)
    }

    /// Deletes a message. One that is gone already counts as deleted.
    pub fn delete(&mut self, name: &str, receipt: Receipt) -> Result<(), SqsError> {
        let now = self.now();
        let queue = self.current(name)?;
        if receipt.queue != queue.id {
            return Err(SqsError::ReceiptHandleIsInvalid);
        }
        let Some(entry) = queue.get(receipt.sequence) else {
            return Ok(());
        };
        let is_in_flight = matches!(entry.state, State::InFlight(_));
        let is_current = entry.receive_count == receipt.receive;
        if queue.settings.fifo && !(is_current && is_in_flight) {
            return Err(SqsError::InvalidParameterValue {
                name: "ReceiptHandle",
                reason: "The receipt handle has expired.".to_owned(),
            });
        }
        if !is_current {
            // Somebody received it after: SQS answers yes and keeps the message for them.
            return Ok(());
        }
        let due_before = queue.next_due();
        queue.remove(receipt.sequence);
        let wake = wakes(queue, due_before, now);
        self.wakes.extend(wake);
        self.store.delete_message(receipt.sequence)
    }

    pub fn change_visibility(&mut self, name: &str, receipt: Receipt, timeout_ms: i64) -> Result<(), SqsError> {
        let now = self.now();
        let queue = self.current(name)?;
        if receipt.queue != queue.id {
            return Err(SqsError::ReceiptHandleIsInvalid);
        }
        let is_held = queue
            .get(receipt.sequence)
            .is_some_and(|entry| entry.receive_count == receipt.receive && matches!(entry.state, State::InFlight(_)));
        if !is_held {
            return Err(SqsError::MessageNotInflight);
        }
        let due_before = queue.next_due();
        let state = if timeout_ms == 0 {
            State::Visible
        } else {
            State::InFlight(now + timeout_ms)
        };
        queue.set_state(receipt.sequence, state);
        let wake = wakes(queue, due_before, now);
        self.wakes.extend(wake);
        self.store.set_visible_at(receipt.sequence, now + timeout_ms)
    }

    /// Passes a wake on that its receiver no longer needs.
    pub fn pass_wake_on(&mut self, name: &str) {
        if let Some(queue) = self.queues.get(name) {
            self.wakes.push(Wake::One(Arc::clone(&queue.wake)));
        }
    }
}

/// Whom a change of the queue wakes: one poll when there is something to receive (it wakes the next one when there is
/// more), and all when something falls due earlier than they know.
fn wakes(queue: &Queue, due_before: Option<i64>, now: i64) -> Option<Wake> {
    let is_earlier = queue
        .next_due()
        .is_some_and(|due| due < now + LONGEST_WAIT_MS && due_before.is_none_or(|before| due < before));
    if is_earlier {
        Some(Wake::All(Arc::clone(&queue.wake)))
    } else {
        queue.is_receivable().then(|| Wake::One(Arc::clone(&queue.wake)))
    }
}

/// What repeats of the message are recognised by; required where the queue is FIFO.
fn deduplication_id(settings: &Settings, new: &NewMessage) -> Result<Option<String>, SqsError> {
    let invalid = |name, reason: &str| SqsError::InvalidParameterValue {
        name,
        reason: reason.to_owned(),
    };
    check_id("MessageGroupId", new.group.as_deref())?;
    check_id("MessageDeduplicationId", new.deduplication_id.as_deref())?;
    if new.delay_secs.is_some_and(|secs| secs > 900) {
        return Err(invalid("DelaySeconds", "must be from 0 to 900"));
    }
    if !settings.fifo {
        if new.deduplication_id.is_some() {
            return Err(invalid(
                "MessageDeduplicationId",
                "the request includes a parameter that is only valid for FIFO queues",
            ));
        }
        return Ok(None);
    }
    if new.group.is_none() {
        return Err(SqsError::MissingParameter("MessageGroupId"));
    }
    if new.delay_secs.is_some_and(|secs| secs > 0) {
        return Err(invalid(
            "DelaySeconds",
            "a FIFO queue has no delay per message; set it on the queue",
        ));
    }
    match &new.deduplication_id {
        Some(id) => Ok(Some(id.clone())),
        None if settings.content_deduplication => Ok(Some(message::content_id(&new.body))),
        None => Err(invalid(
            "MessageDeduplicationId",
            "the queue should either have ContentBasedDeduplication enabled or MessageDeduplicationId provided explicitly",
        )),
    }
}

fn check_id(name: &'static str, id: Option<&str>) -> Result<(), SqsError> {
    let is_good = id.is_none_or(|id| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic()));
    if is_good {
        return Ok(());
    }
    Err(SqsError::InvalidParameterValue {
        name,
        reason: "it can only include alphanumeric and punctuation characters, 1 to 128 in length".to_owned(),
    })
}

fn repeat_key(settings: &Settings, new: &NewMessage, id: &str) -> String {
    match &new.group {
        // Neither part can hold a space.
        Some(group) if settings.deduplicate_per_group => format!("{group} {id}"),
        _ => id.to_owned(),
    }
}

fn message_id() -> String {
    let mut bytes = [0; 16];
    SystemRandom.fill(&mut bytes);
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}
