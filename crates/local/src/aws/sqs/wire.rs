//! SQS on the wire: the AWS JSON 1.0 protocol.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Response, header};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::error::SqsError;
use super::message::{self, MessageAttributes, NewMessage, Receipt, ReceivedMessage, Sent};
use super::settings::MAX_MESSAGE_BYTES;
use super::{Receive, Sqs};
use crate::aws::{json as json_response, operation};

const QUERY_ERROR: HeaderName = HeaderName::from_static("x-amzn-query-error");
const MAX_VISIBILITY_SECS: u64 = 43_200;

/// Answers one request.
pub(super) async fn call(sqs: &Sqs, request: &Request<Bytes>) -> Response<Bytes> {
    let wire = Wire {
        sqs,
        address: address(request),
    };
    let outcome = match operation(request) {
        Some(operation) => wire.dispatch(operation, request.body()).await,
        None => Err(SqsError::MissingParameter("Action")),
    };
    match outcome {
        Ok(body) => json_response(200, &body),
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &SqsError) -> Response<Bytes> {
    let (shape, code) = error.codes();
    let (status, fault) = if error.is_ours() {
        (500, "Receiver")
    } else {
        (400, "Sender")
    };
    let body = json!({ "__type": format!("com.amazonaws.sqs#{shape}"), "message": error.to_string() });
    let mut response = json_response(status, &body);
    if let Ok(value) = HeaderValue::from_str(&format!("{code};{fault}")) {
        response.headers_mut().insert(QUERY_ERROR, value);
    }
    response
}

/// The address the client used, so that the queue URLs it gets lead back here.
fn address(request: &Request<Bytes>) -> String {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let scheme = request.uri().scheme_str().unwrap_or("http");
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    format!("{scheme}://{}", authority.or(host).unwrap_or("aws.local"))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueRequest {
    queue_url: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct CreateQueue {
    queue_name: String,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    #[serde(default, rename = "tags")]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct QueueName {
    queue_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListQueues {
    queue_name_prefix: Option<String>,
    max_results: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct GetAttributes {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SetAttributes {
    queue_url: String,
    attributes: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagQueue {
    queue_url: String,
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UntagQueue {
    queue_url: String,
    tag_keys: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendMessage {
    queue_url: String,
    #[serde(flatten)]
    message: WireMessage,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WireMessage {
    #[serde(default)]
    message_body: String,
    delay_seconds: Option<i64>,
    #[serde(default)]
    message_attributes: MessageAttributes,
    #[serde(default)]
    message_system_attributes: MessageAttributes,
    message_deduplication_id: Option<String>,
    message_group_id: Option<String>,
}

impl WireMessage {
    fn read(mut self) -> Result<NewMessage, SqsError> {
        let delay_secs = match self.delay_seconds.map(u32::try_from).transpose() {
            Ok(delay) => delay,
            Err(_) => return Err(out_of_range("DelaySeconds", "from 0 to 900")),
        };
        let trace = self.message_system_attributes.remove("AWSTraceHeader");
        Ok(NewMessage {
            body: self.message_body,
            group: self.message_group_id,
            deduplication_id: self.message_deduplication_id,
            delay_secs,
            attributes: self.message_attributes,
            trace_header: trace.and_then(|trace| trace.string_value),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Batch<T> {
    queue_url: String,
    #[serde(default = "Vec::new")]
    entries: Vec<BatchEntry<T>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct BatchEntry<T> {
    id: String,
    #[serde(flatten)]
    entry: T,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReceiveMessage {
    queue_url: String,
    #[serde(default)]
    attribute_names: Vec<String>,
    #[serde(default)]
    message_system_attribute_names: Vec<String>,
    #[serde(default)]
    message_attribute_names: Vec<String>,
    max_number_of_messages: Option<usize>,
    visibility_timeout: Option<u64>,
    wait_time_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteMessage {
    queue_url: String,
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DeleteEntry {
    receipt_handle: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ChangeVisibility {
    queue_url: String,
    receipt_handle: String,
    visibility_timeout: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VisibilityEntry {
    receipt_handle: String,
    visibility_timeout: u64,
}

/// What each entry of a batch came to.
#[derive(Serialize, Default)]
#[serde(rename_all = "PascalCase")]
struct BatchOutcome {
    successful: Vec<Value>,
    failed: Vec<Value>,
}

impl BatchOutcome {
    fn add(&mut self, id: String, outcome: Result<Map<String, Value>, SqsError>) {
        match outcome {
            Ok(mut fields) => {
                fields.insert("Id".to_owned(), id.into());
                self.successful.push(fields.into());
            }
            Err(error) => self.failed.push(json!({
                "Id": id,
                "SenderFault": !error.is_ours(),
                "Code": error.codes().1,
                "Message": error.to_string(),
            })),
        }
    }

    fn into_json(self) -> Value {
        json!({ "Successful": self.successful, "Failed": self.failed })
    }
}

struct Wire<'a> {
    sqs: &'a Sqs,
    address: String,
}

impl Wire<'_> {
    async fn dispatch(&self, operation: &str, body: &[u8]) -> Result<Value, SqsError> {
        match operation {
            "SendMessage" => self.send(read(body)?).await,
            "SendMessageBatch" => self.send_batch(read(body)?).await,
            "ReceiveMessage" => self.receive(read(body)?).await,
            "DeleteMessage" => self.delete(read(body)?).await,
            "DeleteMessageBatch" => self.delete_batch(read(body)?).await,
            "ChangeMessageVisibility" => self.change_visibility(read(body)?).await,
            "ChangeMessageVisibilityBatch" => self.change_visibility_batch(read(body)?).await,
            "CreateQueue" => self.create_queue(read(body)?).await,
            "GetQueueUrl" => self.queue_url(read(body)?).await,
            "ListQueues" => self.list_queues(read(body)?).await,
            "GetQueueAttributes" => self.attributes(read(body)?).await,
            "SetQueueAttributes" => self.set_attributes(read(body)?).await,
            "ListDeadLetterSourceQueues" => self.sources(read(body)?).await,
            "ListQueueTags" => self.tags(read(body)?).await,
            "TagQueue" => self.tag(read(body)?).await,
            "UntagQueue" => self.untag(read(body)?).await,
            "PurgeQueue" => {
                let name = queue_name(&read::<QueueRequest>(body)?.queue_url);
                self.sqs.run(move |engine| engine.purge(&name)).await?;
                Ok(json!({}))
            }
            "DeleteQueue" => {
                let name = queue_name(&read::<QueueRequest>(body)?.queue_url);
                self.sqs.run(move |engine| engine.delete_queue(&name)).await?;
                Ok(json!({}))
            }
            _ => Err(SqsError::UnknownOperation(operation.to_owned())),
        }
    }

    fn url(&self, name: &str) -> String {
        format!("{}/{}/{name}", self.address, self.sqs.account_id)
    }

    async fn create_queue(&self, request: CreateQueue) -> Result<Value, SqsError> {
        let url = self.url(&request.queue_name);
        self.sqs
            .run(move |engine| engine.create_queue(&request.queue_name, request.attributes, request.tags))
            .await?;
        Ok(json!({ "QueueUrl": url }))
    }

    async fn queue_url(&self, request: QueueName) -> Result<Value, SqsError> {
        let url = self.url(&request.queue_name);
        self.sqs
            .run(move |engine| engine.queue(&request.queue_name).map(drop))
            .await?;
        Ok(json!({ "QueueUrl": url }))
    }

    async fn list_queues(&self, request: ListQueues) -> Result<Value, SqsError> {
        let prefix = request.queue_name_prefix.unwrap_or_default();
        let limit = request.max_results.unwrap_or(1_000).clamp(1, 1_000);
        let mut names = self.sqs.queue_names().await?;
        // The token is the name after which the next page begins.
        names.retain(|name| name.starts_with(&prefix) && request.next_token.as_ref().is_none_or(|last| name > last));
        let has_more = names.len() > limit;
        names.truncate(limit);
        let urls: Vec<_> = names.iter().map(|name| self.url(name)).collect();
        let mut answer = json!({ "QueueUrls": urls });
        if has_more {
            answer["NextToken"] = names.last().cloned().into();
        }
        Ok(answer)
    }

    async fn attributes(&self, request: GetAttributes) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url);
        let mut all = self.sqs.run(move |engine| engine.attributes(&name)).await?;
        let wanted = Wanted(&request.attribute_names);
        all.retain(|name, _| wanted.has(name));
        Ok(json!({ "Attributes": all }))
    }

    async fn set_attributes(&self, request: SetAttributes) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url);
        self.sqs
            .run(move |engine| engine.set_attributes(&name, request.attributes))
            .await?;
        Ok(json!({}))
    }

    async fn sources(&self, request: QueueRequest) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url);
        let names = self.sqs.run(move |engine| engine.sources_of(&name)).await?;
        let urls: Vec<_> = names.iter().map(|name| self.url(name)).collect();
        Ok(json!({ "queueUrls": urls }))
    }

    async fn tags(&self, request: QueueRequest) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url);
        let tags = self
            .sqs
            .run(move |engine| Ok(engine.queue(&name)?.tags.clone()))
            .await?;
        Ok(json!({ "Tags": tags }))
    }

    async fn tag(&self, request: TagQueue) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url);
        self.sqs
            .run(move |engine| engine.set_tags(&name, |tags| tags.extend(request.tags)))
            .await?;
        Ok(json!({}))
    }

    async fn untag(&self, request: UntagQueue) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url);
        self.sqs
            .run(move |engine| engine.set_tags(&name, |tags| tags.retain(|key, _| !request.tag_keys.contains(key))))
            .await?;
        Ok(json!({}))
    }

    async fn send(&self, request: SendMessage) -> Result<Value, SqsError> {
        let message = request.message.read()?;
        let digests = Digests::of(&message);
        let sent = self.sqs.send(queue_name(&request.queue_url), message).await?;
        Ok(digests.answer(sent).into())
    }

    async fn send_batch(&self, request: Batch<WireMessage>) -> Result<Value, SqsError> {
        check_batch(&request.entries)?;
        let name = queue_name(&request.queue_url);
        let mut outcome = BatchOutcome::default();
        let mut entries = Vec::new();
        for BatchEntry { id, entry } in request.entries {
            match entry.read() {
                Ok(message) => entries.push((id, message)),
                Err(error) => outcome.add(id, Err(error)),
            }
        }
        if entries.iter().map(|(_, message)| message::size(message)).sum::<usize>() > MAX_MESSAGE_BYTES {
            return Err(SqsError::BatchRequestTooLong(MAX_MESSAGE_BYTES));
        }
        let digests: Vec<_> = entries.iter().map(|(_, message)| Digests::of(message)).collect();
        let sent = self
            .sqs
            .run(move |engine| {
                engine.queue(&name)?;
                let sent = entries
                    .into_iter()
                    .map(|(id, message)| (id, engine.send(&name, message)));
                Ok(sent.collect::<Vec<_>>())
            })
            .await?;
        for ((id, sent), digests) in sent.into_iter().zip(digests) {
            outcome.add(id, sent.map(|sent| digests.answer(sent)));
        }
        Ok(outcome.into_json())
    }

    async fn receive(&self, request: ReceiveMessage) -> Result<Value, SqsError> {
        let max = request.max_number_of_messages.unwrap_or(1);
        if !(1..=10).contains(&max) {
            return Err(out_of_range("MaxNumberOfMessages", "from 1 to 10"));
        }
        if request.wait_time_seconds.is_some_and(|secs| secs > 20) {
            return Err(out_of_range("WaitTimeSeconds", "from 0 to 20"));
        }
        let receive = Receive {
            max,
            visibility: request.visibility_timeout.map(visibility).transpose()?,
            wait: request.wait_time_seconds.map(Duration::from_secs),
        };
        let received = self.sqs.receive(queue_name(&request.queue_url), receive).await?;
        if received.is_empty() {
            return Ok(json!({}));
        }
        let messages: Vec<_> = received
            .iter()
            .map(|received| self.message(received, &request))
            .collect();
        Ok(json!({ "Messages": messages }))
    }

    fn message(&self, received: &ReceivedMessage, request: &ReceiveMessage) -> Value {
        let message = &received.message;
        let mut answer = json!({
            "MessageId": message.message_id,
            "ReceiptHandle": received.receipt.to_string(),
            "Body": message.body,
            "MD5OfBody": message.md5_of_body(),
        });
        let (system, wanted) = (
            Wanted(&request.message_system_attribute_names),
            Wanted(&request.attribute_names),
        );
        let mut attributes = self.system_attributes(received);
        attributes.retain(|name, _| system.has(name) || wanted.has(name));
        if !attributes.is_empty() {
            answer["Attributes"] = json!(attributes);
        }
        let wanted = Wanted(&request.message_attribute_names);
        let chosen: BTreeMap<_, _> = message.attributes.iter().filter(|(name, _)| wanted.has(name)).collect();
        if !chosen.is_empty() {
            answer["MD5OfMessageAttributes"] =
                message::md5_of_attributes(chosen.iter().map(|(name, value)| (*name, *value))).into();
            answer["MessageAttributes"] = json!(chosen);
        }
        answer
    }

    fn system_attributes(&self, received: &ReceivedMessage) -> BTreeMap<&'static str, String> {
        let message = &received.message;
        let mut all = BTreeMap::from([
            (
                "ApproximateFirstReceiveTimestamp",
                received.first_received_at.to_string(),
            ),
            ("ApproximateReceiveCount", received.receive_count.to_string()),
            ("SenderId", self.sqs.account_id.clone()),
            ("SentTimestamp", message.sent_at.to_string()),
        ]);
        if let Some(group) = &message.group {
            all.insert("MessageGroupId", group.to_string());
        }
        if let Some(id) = &message.deduplication_id {
            all.insert("MessageDeduplicationId", id.clone());
            all.insert("SequenceNumber", message.sequence_number());
        }
        if let Some(trace) = &message.trace_header {
            all.insert("AWSTraceHeader", trace.clone());
        }
        if let Some(source) = &message.source_arn {
            all.insert("DeadLetterQueueSourceArn", source.clone());
        }
        all
    }

    async fn delete(&self, request: DeleteMessage) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url);
        let receipt = request.receipt_handle.parse()?;
        self.sqs.delete(name, receipt).await?;
        Ok(json!({}))
    }

    async fn delete_batch(&self, request: Batch<DeleteEntry>) -> Result<Value, SqsError> {
        check_batch(&request.entries)?;
        let name = queue_name(&request.queue_url);
        let mut outcome = BatchOutcome::default();
        let entries: Vec<_> = request
            .entries
            .into_iter()
            .map(|entry| (entry.id, entry.entry.receipt_handle.parse::<Receipt>()))
            .collect();
        let deleted = self
            .sqs
            .run(move |engine| {
                engine.queue(&name)?;
                let deleted = entries
                    .into_iter()
                    .map(|(id, receipt)| (id, receipt.and_then(|receipt| engine.delete(&name, receipt))));
                Ok(deleted.collect::<Vec<_>>())
            })
            .await?;
        for (id, deleted) in deleted {
            outcome.add(id, deleted.map(|()| Map::new()));
        }
        Ok(outcome.into_json())
    }

    async fn change_visibility(&self, request: ChangeVisibility) -> Result<Value, SqsError> {
        let name = queue_name(&request.queue_url);
        let timeout = visibility(request.visibility_timeout)?;
        let receipt = request.receipt_handle.parse()?;
        self.sqs.change_visibility(name, receipt, timeout).await?;
        Ok(json!({}))
    }

    async fn change_visibility_batch(&self, request: Batch<VisibilityEntry>) -> Result<Value, SqsError> {
        check_batch(&request.entries)?;
        let name = queue_name(&request.queue_url);
        let mut outcome = BatchOutcome::default();
        self.sqs
            .run({
                let name = name.clone();
                move |engine| engine.queue(&name).map(drop)
            })
            .await?;
        for BatchEntry { id, entry } in request.entries {
            let changed = match (entry.receipt_handle.parse(), visibility(entry.visibility_timeout)) {
                (Ok(receipt), Ok(timeout)) => self.sqs.change_visibility(name.clone(), receipt, timeout).await,
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
            outcome.add(id, changed.map(|()| Map::new()));
        }
        Ok(outcome.into_json())
    }
}

/// A choice of names: each by itself, `All`, `.*`, or all with a prefix as `prefix.*`.
struct Wanted<'a>(&'a [String]);

impl Wanted<'_> {
    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|wanted| {
            wanted == name
                || wanted == "All"
                || wanted.strip_suffix(".*").is_some_and(|prefix| name.starts_with(prefix))
        })
    }
}

/// The digests by which a client checks that its message arrived whole.
struct Digests {
    body: String,
    attributes: Option<String>,
}

impl Digests {
    fn of(message: &NewMessage) -> Self {
        Self {
            body: message::md5_of_body(&message.body),
            attributes: message::md5_of_attributes(message.attributes.iter()),
        }
    }

    fn answer(self, sent: Sent) -> Map<String, Value> {
        let mut answer = Map::new();
        answer.insert("MessageId".to_owned(), sent.message_id.into());
        answer.insert("MD5OfMessageBody".to_owned(), self.body.into());
        if let Some(digest) = self.attributes {
            answer.insert("MD5OfMessageAttributes".to_owned(), digest.into());
        }
        if let Some(number) = sent.sequence_number {
            answer.insert("SequenceNumber".to_owned(), number.into());
        }
        answer
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, SqsError> {
    serde_json::from_slice(body).map_err(|error| SqsError::Malformed(error.to_string()))
}

/// The queue that a URL of any host, or a bare name, means.
fn queue_name(url: &str) -> String {
    let url = url.trim_end_matches('/');
    url.rsplit_once('/').map_or(url, |(_, name)| name).to_owned()
}

fn visibility(secs: u64) -> Result<Duration, SqsError> {
    if secs > MAX_VISIBILITY_SECS {
        return Err(out_of_range("VisibilityTimeout", "from 0 to 43200"));
    }
    Ok(Duration::from_secs(secs))
}

fn out_of_range(name: &'static str, range: &str) -> SqsError {
    SqsError::InvalidParameterValue {
        name,
        reason: format!("must be {range}"),
    }
}

fn check_batch<T>(entries: &[BatchEntry<T>]) -> Result<(), SqsError> {
    if entries.is_empty() {
        return Err(SqsError::EmptyBatchRequest);
    }
    if entries.len() > 10 {
        return Err(SqsError::TooManyEntriesInBatchRequest(entries.len()));
    }
    let mut seen = HashSet::new();
    for BatchEntry { id, .. } in entries {
        let is_good = (1..=80).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !is_good {
            return Err(SqsError::InvalidBatchEntryId);
        }
        if !seen.insert(id) {
            return Err(SqsError::BatchEntryIdsNotDistinct(id.clone()));
        }
    }
    Ok(())
}
