//! The queue contract, asked through the real SDK client.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::primitives::Blob;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, DeleteMessageBatchRequestEntry, Message, MessageAttributeValue,
    MessageSystemAttributeName, QueueAttributeName, SendMessageBatchRequestEntry,
};
use chrono::DateTime;
use mfh_aws::Clients;
use mfh_local::aws::http_client::sdk_config;
use mfh_local::aws::sqs::{NewMessage, Receive, Sqs, SqsError};
use mfh_local::aws::{Endpoint, Service};
use mfh_types::{Clock, ManualClock};
use tempfile::TempDir;

const ACCOUNT: &str = "123456789012";

struct Fixture {
    folder: TempDir,
    clock: Arc<ManualClock>,
    sqs: Arc<Sqs>,
    client: Client,
}

impl Fixture {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(DateTime::from_timestamp(1_760_000_000, 0).unwrap()));
        let folder = tempfile::tempdir().unwrap();
        let (sqs, client) = open(folder.path(), &clock);
        Self {
            folder,
            clock,
            sqs,
            client,
        }
    }

    /// Opens a copy of the file as it lies on the disk, as a process would after this one was killed.
    fn after_a_kill(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(self.folder.path()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        let (sqs, client) = open(folder.path(), &self.clock);
        Self {
            folder,
            clock: Arc::clone(&self.clock),
            sqs,
            client,
        }
    }

    fn advance(&self, secs: i64) {
        self.clock.advance(chrono::Duration::seconds(secs));
    }

    async fn queue(&self, name: &str, attributes: &[(QueueAttributeName, &str)]) -> String {
        let attributes: HashMap<_, _> = attributes
            .iter()
            .map(|(name, value)| (name.clone(), (*value).to_owned()))
            .collect();
        let create = self.client.create_queue().queue_name(name);
        let answer = create.set_attributes(Some(attributes)).send().await.unwrap();
        answer.queue_url.unwrap()
    }

    async fn fifo(&self, name: &str) -> String {
        self.queue(name, &[(QueueAttributeName::FifoQueue, "true")]).await
    }

    /// A queue whose messages move to another after three receives; both.
    async fn redriven(&self) -> (String, String) {
        let dead = self.fifo("dead.fifo").await;
        let arn = format!("arn:aws:sqs:us-west-2:{ACCOUNT}:dead.fifo");
        let policy = format!("{{\"deadLetterTargetArn\":\"{arn}\",\"maxReceiveCount\":3}}");
        let attributes = [
            (QueueAttributeName::FifoQueue, "true"),
            (QueueAttributeName::RedrivePolicy, policy.as_str()),
        ];
        (self.queue("q.fifo", &attributes).await, dead)
    }

    async fn send(&self, url: &str, group: &str, body: &str) {
        let send = self.client.send_message().queue_url(url).message_body(body);
        send.message_group_id(group)
            .message_deduplication_id(body)
            .send()
            .await
            .unwrap();
    }

    async fn receive(&self, url: &str, max: i32) -> Vec<Message> {
        let answer = self
            .client
            .receive_message()
            .queue_url(url)
            .max_number_of_messages(max)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await
            .unwrap();
        answer.messages.unwrap_or_default()
    }

    async fn bodies(&self, url: &str, max: i32) -> Vec<String> {
        let messages = self.receive(url, max).await;
        messages.into_iter().map(|message| message.body.unwrap()).collect()
    }

    async fn delete(&self, url: &str, message: &Message) {
        let delete = self.client.delete_message().queue_url(url);
        delete.receipt_handle(receipt(message)).send().await.unwrap();
    }
}

fn open(folder: &Path, clock: &Arc<ManualClock>) -> (Arc<Sqs>, Client) {
    let clock: Arc<dyn Clock> = clock.clone();
    let sqs = Sqs::open(folder.join("sqs.db"), clock, ACCOUNT).unwrap();
    let endpoint = Endpoint::builder(ACCOUNT).with(Service::Sqs, sqs.clone()).build();
    (sqs, Clients::new(sdk_config(endpoint)).sqs().clone())
}

fn receipt(message: &Message) -> &str {
    message.receipt_handle.as_deref().unwrap()
}

fn attribute(message: &Message, name: MessageSystemAttributeName) -> Option<&str> {
    message.attributes.as_ref()?.get(&name).map(String::as_str)
}

fn new_message(group: &str, body: &str) -> NewMessage {
    NewMessage {
        body: body.to_owned(),
        group: Some(group.to_owned()),
        deduplication_id: Some(body.to_owned()),
        ..NewMessage::default()
    }
}

const LONG_POLL: Receive = Receive {
    max: 1,
    visibility: None,
    wait: Some(Duration::from_secs(20)),
};

#[tokio::test]
async fn a_group_is_blocked_while_one_of_its_messages_is_in_flight() {
    let it = Fixture::new();
    let url = it.fifo("q.fifo").await;
    for (group, body) in [("a", "a1"), ("a", "a2"), ("b", "b1"), ("a", "a3")] {
        it.send(&url, group, body).await;
    }
    let first = it.receive(&url, 1).await.remove(0);
    assert_eq!(first.body.as_deref(), Some("a1"));
    assert_eq!(it.bodies(&url, 10).await, ["b1"]);
    assert!(it.bodies(&url, 10).await.is_empty());
    it.delete(&url, &first).await;
    assert_eq!(it.bodies(&url, 1).await, ["a2"]);
    assert!(it.bodies(&url, 10).await.is_empty());
}

#[tokio::test]
async fn one_receive_takes_the_messages_of_a_group_in_their_order() {
    let it = Fixture::new();
    let url = it.fifo("q.fifo").await;
    for (group, body) in [("a", "a1"), ("b", "b1"), ("a", "a2"), ("a", "a3")] {
        it.send(&url, group, body).await;
    }
    assert_eq!(it.bodies(&url, 10).await, ["a1", "a2", "a3", "b1"]);
    it.advance(30);
    assert_eq!(it.bodies(&url, 2).await, ["a1", "a2"]);
}

#[tokio::test]
async fn a_message_comes_back_when_its_visibility_runs_out_and_its_old_receipt_is_refused() {
    let it = Fixture::new();
    let url = it.fifo("q.fifo").await;
    it.send(&url, "a", "a1").await;
    let first = it.receive(&url, 1).await.remove(0);
    it.advance(29);
    assert!(it.bodies(&url, 1).await.is_empty());
    it.advance(1);
    let delete = it
        .client
        .delete_message()
        .queue_url(&url)
        .receipt_handle(receipt(&first));
    let refused = delete.send().await.unwrap_err().into_service_error();
    assert_eq!(refused.meta().code(), Some("InvalidParameterValue"));
    let again = it.receive(&url, 1).await.remove(0);
    assert_eq!(
        attribute(&again, MessageSystemAttributeName::ApproximateReceiveCount),
        Some("2")
    );
    it.delete(&url, &again).await;
    it.advance(60);
    assert!(it.bodies(&url, 1).await.is_empty());
}

#[tokio::test]
async fn visibility_can_be_prolonged_and_given_up_only_while_in_flight() {
    let it = Fixture::new();
    let url = it.fifo("q.fifo").await;
    it.send(&url, "a", "a1").await;
    let message = it.receive(&url, 1).await.remove(0);
    let change = |secs| {
        let change = it.client.change_message_visibility().queue_url(&url);
        change.receipt_handle(receipt(&message)).visibility_timeout(secs).send()
    };
    change(300).await.unwrap();
    it.advance(299);
    assert!(it.bodies(&url, 1).await.is_empty());
    change(0).await.unwrap();
    let refused = change(10).await.unwrap_err().into_service_error();
    assert!(refused.is_message_not_inflight(), "{refused:?}");
    let again = it.receive(&url, 1).await.remove(0);
    let give_up = |id: &str, message: &Message| {
        ChangeMessageVisibilityBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(receipt(message))
            .visibility_timeout(0)
            .build()
            .unwrap()
    };
    let batch = it.client.change_message_visibility_batch().queue_url(&url);
    let batch = batch
        .entries(give_up("now", &again))
        .entries(give_up("stale", &message))
        .send()
        .await
        .unwrap();
    assert_eq!(batch.successful[0].id, "now");
    assert_eq!(batch.failed[0].id, "stale");
    assert_eq!(it.bodies(&url, 1).await, ["a1"]);
}

#[tokio::test]
async fn a_repeat_within_five_minutes_is_accepted_and_not_delivered() {
    let it = Fixture::new();
    let url = it.fifo("q.fifo").await;
    let send = || {
        let send = it.client.send_message().queue_url(&url).message_body("body");
        send.message_group_id("a").message_deduplication_id("1").send()
    };
    let first = send().await.unwrap();
    let message = it.receive(&url, 1).await.remove(0);
    it.delete(&url, &message).await;
    it.advance(299);
    let repeat = send().await.unwrap();
    assert_eq!(repeat.message_id, first.message_id);
    assert_eq!(repeat.sequence_number, first.sequence_number);
    assert!(it.bodies(&url, 1).await.is_empty());
    it.advance(1);
    assert_ne!(send().await.unwrap().message_id, first.message_id);
    assert_eq!(it.bodies(&url, 1).await, ["body"]);
}

#[tokio::test]
async fn content_and_scope_decide_what_is_a_repeat() {
    let it = Fixture::new();
    let per_group = [
        (QueueAttributeName::FifoQueue, "true"),
        (QueueAttributeName::ContentBasedDeduplication, "true"),
        (QueueAttributeName::DeduplicationScope, "messageGroup"),
        (QueueAttributeName::FifoThroughputLimit, "perMessageGroupId"),
    ];
    for (name, attributes, expected) in [("queue.fifo", &per_group[..2], 1), ("group.fifo", &per_group[..], 2)] {
        let url = it.queue(name, attributes).await;
        for group in ["a", "b", "a"] {
            let send = it.client.send_message().queue_url(&url).message_body("same");
            send.message_group_id(group).send().await.unwrap();
        }
        assert_eq!(it.bodies(&url, 10).await.len(), expected, "{name}");
    }
}

#[tokio::test]
async fn a_fifo_queue_wants_a_group_and_something_to_know_repeats_by() {
    let it = Fixture::new();
    let url = it.fifo("q.fifo").await;
    let send = || it.client.send_message().queue_url(&url).message_body("body");
    let delayed = send()
        .message_group_id("a")
        .message_deduplication_id("1")
        .delay_seconds(5);
    for (refused, code) in [
        (send().message_deduplication_id("1").send().await, "MissingParameter"),
        (send().message_group_id("a").send().await, "InvalidParameterValue"),
        (delayed.send().await, "InvalidParameterValue"),
    ] {
        let error = refused.unwrap_err().into_service_error();
        assert_eq!(error.meta().code(), Some(code));
    }
}

#[tokio::test]
async fn a_message_received_too_often_moves_to_the_dead_letter_queue_and_frees_its_group() {
    let it = Fixture::new();
    let (url, dead) = it.redriven().await;
    it.send(&url, "a", "bad").await;
    it.send(&url, "a", "good").await;
    let mut id = None;
    for _ in 0..3 {
        let message = it.receive(&url, 1).await.remove(0);
        assert_eq!(message.body.as_deref(), Some("bad"));
        id = message.message_id;
        it.advance(30);
    }
    assert_eq!(it.bodies(&url, 1).await, ["good"]);
    let failed = it.receive(&dead, 1).await.remove(0);
    assert_eq!(failed.body.as_deref(), Some("bad"));
    assert_eq!(failed.message_id, id);
    assert_eq!(
        attribute(&failed, MessageSystemAttributeName::MessageGroupId),
        Some("a")
    );
    assert_eq!(
        attribute(&failed, MessageSystemAttributeName::ApproximateReceiveCount),
        Some("1")
    );
    let source = attribute(&failed, MessageSystemAttributeName::DeadLetterQueueSourceArn);
    assert_eq!(source, Some(it.sqs.queue_arn("q.fifo").as_str()));
}

#[tokio::test]
async fn a_dead_letter_queue_must_exist_and_be_of_the_same_kind() {
    let it = Fixture::new();
    it.queue("plain", &[]).await;
    for target in ["plain", "missing.fifo"] {
        let policy = format!(
            "{{\"deadLetterTargetArn\":\"arn:aws:sqs:us-west-2:{ACCOUNT}:{target}\",\"maxReceiveCount\":\"3\"}}"
        );
        let create = it
            .client
            .create_queue()
            .queue_name("q.fifo")
            .attributes(QueueAttributeName::FifoQueue, "true");
        let refused = create
            .attributes(QueueAttributeName::RedrivePolicy, policy)
            .send()
            .await
            .unwrap_err();
        assert_eq!(
            refused.into_service_error().meta().code(),
            Some("InvalidParameterValue"),
            "{target}"
        );
    }
}

#[tokio::test]
async fn a_standard_queue_delays_messages_and_does_not_block() {
    let it = Fixture::new();
    let url = it.queue("q", &[]).await;
    let send = |body: &'static str| it.client.send_message().queue_url(&url).message_body(body);
    send("late").delay_seconds(10).send().await.unwrap();
    send("one").send().await.unwrap();
    send("two").send().await.unwrap();
    assert_eq!(it.bodies(&url, 1).await, ["one"]);
    assert_eq!(it.bodies(&url, 1).await, ["two"]);
    let counts = it.sqs.counts("q").await.unwrap();
    assert_eq!((counts.visible, counts.in_flight, counts.delayed), (0, 2, 1));
    it.advance(10);
    assert_eq!(it.bodies(&url, 10).await, ["late"]);
}

#[tokio::test]
async fn attributes_travel_with_their_digests() {
    let it = Fixture::new();
    let url = it.queue("q", &[]).await;
    let text = MessageAttributeValue::builder()
        .data_type("String")
        .string_value("exec:1")
        .build()
        .unwrap();
    let bytes = MessageAttributeValue::builder()
        .data_type("Binary")
        .binary_value(Blob::new([1, 2, 255]))
        .build()
        .unwrap();
    let send = it.client.send_message().queue_url(&url).message_body("héllo");
    let send = send
        .message_attributes("execution_id", text.clone())
        .message_attributes("raw", bytes.clone());
    let sent = send.send().await.unwrap();
    let message = it.receive(&url, 1).await.remove(0);
    assert_eq!(message.message_id, sent.message_id);
    assert_eq!(message.md5_of_body, sent.md5_of_message_body);
    assert!(sent.md5_of_message_attributes.is_some());
    assert_eq!(message.md5_of_message_attributes, sent.md5_of_message_attributes);
    let attributes = message.message_attributes.as_ref().unwrap();
    assert_eq!(attributes["execution_id"], text);
    assert_eq!(attributes["raw"], bytes);
    assert_eq!(
        attribute(&message, MessageSystemAttributeName::SentTimestamp),
        Some("1760000000000")
    );
    assert_eq!(attribute(&message, MessageSystemAttributeName::MessageGroupId), None);
}

#[tokio::test]
async fn a_long_poll_wakes_when_a_message_is_sent() {
    let it = Fixture::new();
    let url = it.fifo("q.fifo").await;
    let poll = it.client.receive_message().queue_url(&url).wait_time_seconds(20).send();
    let (polled, ()) = tokio::join!(poll, it.send(&url, "a", "hello"));
    assert_eq!(polled.unwrap().messages()[0].body(), Some("hello"));
}

#[tokio::test]
async fn many_waiting_receivers_get_one_message_each() {
    let it = Fixture::new();
    it.fifo("q.fifo").await;
    let receivers: Vec<_> = (0..8)
        .map(|_| {
            let sqs = Arc::clone(&it.sqs);
            tokio::spawn(async move {
                sqs.receive("q.fifo", LONG_POLL)
                    .await
                    .unwrap()
                    .remove(0)
                    .message
                    .body
                    .clone()
            })
        })
        .collect();
    tokio::task::yield_now().await;
    for number in ["0", "1", "2", "3", "4", "5", "6", "7"] {
        it.sqs.send("q.fifo", new_message(number, number)).await.unwrap();
    }
    let mut received = Vec::new();
    for receiver in receivers {
        received.push(receiver.await.unwrap());
    }
    received.sort();
    assert_eq!(received, ["0", "1", "2", "3", "4", "5", "6", "7"]);
}

#[tokio::test]
async fn a_long_poll_wakes_when_the_message_before_it_in_the_group_is_returned_or_deleted() {
    let it = Fixture::new();
    let url = it.fifo("q.fifo").await;
    it.send(&url, "a", "a1").await;
    it.send(&url, "a", "a2").await;
    let first = it.sqs.receive("q.fifo", LONG_POLL).await.unwrap().remove(0);
    let give_up = it.sqs.change_visibility("q.fifo", first.receipt, Duration::ZERO);
    let (again, given_up) = tokio::join!(it.sqs.receive("q.fifo", LONG_POLL), give_up);
    given_up.unwrap();
    let again = again.unwrap().remove(0);
    assert_eq!((again.message.body.as_str(), again.receive_count), ("a1", 2));
    let (next, deleted) = tokio::join!(
        it.sqs.receive("q.fifo", LONG_POLL),
        it.sqs.delete("q.fifo", again.receipt)
    );
    deleted.unwrap();
    assert_eq!(next.unwrap()[0].message.body, "a2");
}

#[tokio::test]
async fn a_long_poll_wakes_when_a_visibility_is_cut_short() {
    let clock: Arc<dyn Clock> = Arc::new(mfh_types::SystemClock);
    let folder = tempfile::tempdir().unwrap();
    let sqs = Sqs::open(folder.path().join("sqs.db"), clock, ACCOUNT).unwrap();
    sqs.create_queue("q", Default::default()).await.unwrap();
    let message = NewMessage {
        body: "body".to_owned(),
        ..NewMessage::default()
    };
    sqs.send("q", message).await.unwrap();
    let first = sqs.receive("q", LONG_POLL).await.unwrap().remove(0);
    let shorten = sqs.change_visibility("q", first.receipt, Duration::from_millis(20));
    let (again, shortened) = tokio::join!(sqs.receive("q", LONG_POLL), shorten);
    shortened.unwrap();
    assert_eq!(again.unwrap()[0].receive_count, 2);
}

#[tokio::test]
async fn a_long_poll_ends_empty_after_its_time_and_at_once_when_the_queue_goes() {
    let it = Fixture::new();
    let url = it
        .queue("q", &[(QueueAttributeName::ReceiveMessageWaitTimeSeconds, "1")])
        .await;
    assert!(it.bodies(&url, 1).await.is_empty());
    let gone = it.client.delete_queue().queue_url(&url).send();
    let (polled, gone) = tokio::join!(it.sqs.receive("q", LONG_POLL), gone);
    gone.unwrap();
    assert_eq!(polled.unwrap_err(), SqsError::QueueDoesNotExist);
}

#[tokio::test]
async fn nothing_accepted_is_lost_when_the_process_is_killed() {
    let it = Fixture::new();
    let url = it.fifo("q.fifo").await;
    for body in ["1", "2", "3", "4"] {
        it.send(&url, body, body).await;
    }
    let deleted = it.receive(&url, 1).await.remove(0);
    it.delete(&url, &deleted).await;
    let in_flight = it.receive(&url, 1).await.remove(0);
    let held_back = it.receive(&url, 1).await.remove(0);
    let hold = it.client.change_message_visibility().queue_url(&url);
    hold.receipt_handle(receipt(&held_back))
        .visibility_timeout(300)
        .send()
        .await
        .unwrap();

    let after = it.after_a_kill();
    let messages = after.receive(&url, 10).await;
    let bodies: Vec<_> = messages
        .iter()
        .map(|message| message.body.as_deref().unwrap())
        .collect();
    assert_eq!(
        bodies,
        ["2", "4"],
        "in flight is visible again, deleted is gone, the asked-for delay holds"
    );
    assert_eq!(messages[0].message_id, in_flight.message_id);
    assert_eq!(
        attribute(&messages[0], MessageSystemAttributeName::ApproximateReceiveCount),
        Some("1"),
        "the receive that ended with the process does not count"
    );
    after.send(&url, "1", "1").await;
    assert!(after.bodies(&url, 10).await.is_empty(), "repeats are still known");
    after.send(&url, "5", "5").await;
    let newest = after.receive(&url, 10).await.remove(0);
    let number = |message| attribute(message, MessageSystemAttributeName::SequenceNumber).unwrap();
    assert!(number(&newest) > number(&messages[1]), "sequence numbers go on rising");
    after.advance(300);
    let all = after.receive(&url, 10).await;
    let given_back = all.iter().find(|message| message.body.as_deref() == Some("3")).unwrap();
    assert_eq!(
        attribute(given_back, MessageSystemAttributeName::ApproximateReceiveCount),
        Some("2"),
        "a receive that was given back counts"
    );
}

#[tokio::test]
async fn kills_do_not_make_a_message_a_dead_letter_and_failures_still_do() {
    let mut it = Fixture::new();
    let (url, dead) = it.redriven().await;
    it.send(&url, "a", "1").await;
    for failures in 0..3 {
        for _ in 0..3 {
            let killed = it.receive(&url, 1).await.remove(0);
            let count = attribute(&killed, MessageSystemAttributeName::ApproximateReceiveCount);
            assert_eq!(count, Some((failures + 1).to_string().as_str()));
            // A process that is killed before it receives anything takes nothing back a second time.
            it = it.after_a_kill().after_a_kill();
        }
        let failed = it.receive(&url, 1).await.remove(0);
        let back = it.client.change_message_visibility().queue_url(&url);
        back.receipt_handle(receipt(&failed))
            .visibility_timeout(30)
            .send()
            .await
            .unwrap();
        it = it.after_a_kill();
        it.advance(30);
    }
    assert!(it.bodies(&url, 1).await.is_empty());
    assert_eq!(it.bodies(&dead, 1).await, ["1"]);
}

#[tokio::test]
async fn batches_answer_for_each_entry() {
    let it = Fixture::new();
    let url = it.fifo("q.fifo").await;
    let entry = |id: &str, group: Option<&str>| {
        let entry = SendMessageBatchRequestEntry::builder()
            .id(id)
            .message_body(id)
            .message_deduplication_id(id);
        entry.set_message_group_id(group.map(str::to_owned)).build().unwrap()
    };
    let batch = || it.client.send_message_batch().queue_url(&url);
    let sent = batch()
        .entries(entry("good", Some("a")))
        .entries(entry("groupless", None))
        .send()
        .await
        .unwrap();
    assert_eq!(sent.successful[0].id, "good");
    assert_eq!(
        (sent.failed[0].id.as_str(), sent.failed[0].sender_fault),
        ("groupless", true)
    );
    let message = it.receive(&url, 10).await.remove(0);
    let entry_of = |id: &str, handle: &str| {
        DeleteMessageBatchRequestEntry::builder()
            .id(id)
            .receipt_handle(handle)
            .build()
            .unwrap()
    };
    let delete = it.client.delete_message_batch().queue_url(&url);
    let delete = delete
        .entries(entry_of("good", receipt(&message)))
        .entries(entry_of("bad", "nonsense"));
    let deleted = delete.send().await.unwrap();
    assert_eq!(deleted.successful[0].id, "good");
    assert_eq!(deleted.failed[0].code, "ReceiptHandleIsInvalid");
    let twice = batch()
        .entries(entry("x", Some("a")))
        .entries(entry("x", Some("a")))
        .send()
        .await;
    assert!(
        twice
            .unwrap_err()
            .into_service_error()
            .is_batch_entry_ids_not_distinct()
    );
    let empty = batch().set_entries(Some(vec![])).send().await;
    assert!(empty.unwrap_err().into_service_error().is_empty_batch_request());
}

#[tokio::test]
async fn a_queue_is_created_once_and_found_under_any_host() {
    let it = Fixture::new();
    let url = it.queue("q", &[(QueueAttributeName::VisibilityTimeout, "360")]).await;
    assert_eq!(
        it.queue("q", &[(QueueAttributeName::VisibilityTimeout, "360")]).await,
        url
    );
    let other = it
        .client
        .create_queue()
        .queue_name("q")
        .attributes(QueueAttributeName::VisibilityTimeout, "10");
    assert!(
        other
            .send()
            .await
            .unwrap_err()
            .into_service_error()
            .is_queue_name_exists()
    );

    let set = it.client.set_queue_attributes().queue_url(&url);
    set.attributes(QueueAttributeName::MessageRetentionPeriod, "60")
        .send()
        .await
        .unwrap();
    it.client
        .send_message()
        .queue_url(&url)
        .message_body("old")
        .send()
        .await
        .unwrap();
    let describe = it
        .client
        .get_queue_attributes()
        .queue_url("https://sqs.us-west-2.amazonaws.com/999/q");
    let described = describe.attribute_names(QueueAttributeName::All).send().await.unwrap();
    let attributes = described.attributes.unwrap();
    for (name, value) in [
        (QueueAttributeName::QueueArn, "arn:aws:sqs:us-west-2:123456789012:q"),
        (QueueAttributeName::VisibilityTimeout, "360"),
        (QueueAttributeName::MessageRetentionPeriod, "60"),
        (QueueAttributeName::ApproximateNumberOfMessages, "1"),
    ] {
        assert_eq!(attributes[&name], value);
    }
    it.advance(60);
    assert!(it.bodies(&url, 1).await.is_empty(), "the retention has passed");
}

#[tokio::test]
async fn queues_are_listed_tagged_purged_and_deleted() {
    let it = Fixture::new();
    let url = it.queue("q", &[]).await;
    it.queue("other", &[]).await;
    let listed = it.client.list_queues().queue_name_prefix("q").send().await.unwrap();
    assert_eq!(listed.queue_urls(), std::slice::from_ref(&url));
    let page = it.client.list_queues().max_results(1).send().await.unwrap();
    assert!(page.queue_urls()[0].ends_with("/other"));
    let page = it
        .client
        .list_queues()
        .set_next_token(page.next_token)
        .send()
        .await
        .unwrap();
    assert_eq!(page.queue_urls(), std::slice::from_ref(&url));
    it.client
        .tag_queue()
        .queue_url(&url)
        .tags("stage", "dev")
        .send()
        .await
        .unwrap();
    let tags = it.client.list_queue_tags().queue_url(&url).send().await.unwrap();
    assert_eq!(tags.tags.unwrap()["stage"], "dev");

    it.client
        .send_message()
        .queue_url(&url)
        .message_body("purged")
        .send()
        .await
        .unwrap();
    it.client.purge_queue().queue_url(&url).send().await.unwrap();
    assert!(it.bodies(&url, 1).await.is_empty());
    it.client.delete_queue().queue_url(&url).send().await.unwrap();
    let gone = it.client.get_queue_url().queue_name("q").send().await.unwrap_err();
    assert!(gone.into_service_error().is_queue_does_not_exist());
    let gone = it
        .client
        .send_message()
        .queue_url(&url)
        .message_body("x")
        .send()
        .await
        .unwrap_err();
    assert!(gone.into_service_error().is_queue_does_not_exist());
    assert_eq!(it.sqs.queue_names().await.unwrap(), ["other"]);
    assert_eq!(it.after_a_kill().sqs.queue_names().await.unwrap(), ["other"]);
}
