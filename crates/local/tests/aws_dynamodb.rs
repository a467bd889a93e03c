//! DynamoDB and its streams, asked through the real SDK client.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, Put, PutRequest, ReturnValuesOnConditionCheckFailure, ScalarAttributeType, StreamSpecification,
    StreamViewType, Tag, TimeToLiveSpecification, TransactWriteItem, Update, WriteRequest,
};
use mfh_aws::Clients;
use mfh_local::aws::dynamodb::DynamoDb;
use mfh_local::aws::http_client::sdk_config;
use mfh_local::aws::{AwsService, Endpoint, Service};
use serde_json::{Value, json};
use tempfile::TempDir;

const ACCOUNT: &str = "123456789012";
const TABLE: &str = "executions";

struct Fixture {
    folder: TempDir,
    dynamodb: Arc<DynamoDb>,
    client: Client,
}

impl Fixture {
    /// A file with one table: key `id`, index `ByStatus`, stream of both images.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (dynamodb, client) = open(folder.path());
        create_table(&client).await;
        Self {
            folder,
            dynamodb,
            client,
        }
    }

    async fn put(&self, id: &str, status: &str) {
        self.client
            .put_item()
            .table_name(TABLE)
            .set_item(Some(item(id, status)))
            .send()
            .await
            .unwrap();
    }

    async fn status(&self, id: &str) -> Option<String> {
        let answer = self
            .client
            .get_item()
            .table_name(TABLE)
            .key("id", text(id))
            .send()
            .await
            .unwrap();
        Some(answer.item?["status"].as_s().unwrap().clone())
    }

    async fn with_status(&self, status: &str) -> i32 {
        let query = self.client.query().table_name(TABLE).index_name("ByStatus");
        let query = query
            .key_condition_expression("#s = :s")
            .expression_attribute_names("#s", "status");
        query
            .expression_attribute_values(":s", text(status))
            .send()
            .await
            .unwrap()
            .count
    }
}

fn open(folder: &Path) -> (Arc<DynamoDb>, Client) {
    let dynamodb = DynamoDb::open(folder.join("dynamodb.db"), ACCOUNT).unwrap();
    let endpoint = Endpoint::builder(ACCOUNT)
        .with(Service::DynamoDb, dynamodb.clone())
        .build();
    (dynamodb, Clients::new(sdk_config(endpoint)).dynamodb().clone())
}

async fn create_table(client: &Client) {
    let defined = |name: &str| {
        let definition = AttributeDefinition::builder().attribute_name(name);
        definition.attribute_type(ScalarAttributeType::S).build().unwrap()
    };
    let all = Projection::builder().projection_type(ProjectionType::All).build();
    let index = GlobalSecondaryIndex::builder()
        .index_name("ByStatus")
        .key_schema(hash_key("status"))
        .projection(all);
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::NewAndOldImages);
    client
        .create_table()
        .table_name(TABLE)
        .attribute_definitions(defined("id"))
        .attribute_definitions(defined("status"))
        .key_schema(hash_key("id"))
        .global_secondary_indexes(index.build().unwrap())
        .billing_mode(BillingMode::PayPerRequest)
        .stream_specification(stream.build().unwrap())
        .send()
        .await
        .unwrap();
}

fn hash_key(name: &str) -> KeySchemaElement {
    KeySchemaElement::builder()
        .attribute_name(name)
        .key_type(KeyType::Hash)
        .build()
        .unwrap()
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn item(id: &str, status: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([("id".to_owned(), text(id)), ("status".to_owned(), text(status))])
}

fn put_new(id: &str) -> TransactWriteItem {
    let put = Put::builder()
        .table_name(TABLE)
        .set_item(Some(item(id, "pending")))
        .condition_expression("attribute_not_exists(id)")
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .build()
        .unwrap();
    TransactWriteItem::builder().put(put).build()
}

fn set_status(id: &str, status: &str) -> TransactWriteItem {
    let update = Update::builder()
        .table_name(TABLE)
        .key("id", text(id))
        .update_expression("SET #s = :s")
        .expression_attribute_names("#s", "status")
        .expression_attribute_values(":s", text(status))
        .build()
        .unwrap();
    TransactWriteItem::builder().update(update).build()
}

#[tokio::test]
async fn a_failed_condition_says_so_and_changes_nothing() {
    let it = Fixture::new().await;
    it.put("1", "pending").await;
    let put = it
        .client
        .put_item()
        .table_name(TABLE)
        .set_item(Some(item("1", "running")));
    let refused = put
        .condition_expression("attribute_not_exists(id)")
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert!(refused.is_conditional_check_failed_exception(), "{refused:?}");
    assert_eq!(it.status("1").await.as_deref(), Some("pending"));
    let missing = it
        .client
        .get_item()
        .table_name("nothing")
        .key("id", text("1"))
        .send()
        .await
        .unwrap_err();
    assert!(missing.into_service_error().is_resource_not_found_exception());
    let bad = it
        .client
        .query()
        .table_name(TABLE)
        .key_condition_expression("id >")
        .send()
        .await
        .unwrap_err();
    assert_eq!(bad.into_service_error().meta().code(), Some("ValidationException"));
}

#[tokio::test]
async fn a_transaction_is_done_whole_or_not_at_all_and_gives_its_reasons() {
    let it = Fixture::new().await;
    it.put("1", "pending").await;
    let transact = |items| it.client.transact_write_items().set_transact_items(Some(items)).send();
    transact(vec![set_status("1", "running"), put_new("2")]).await.unwrap();
    assert_eq!(it.status("1").await.as_deref(), Some("running"));
    let refused = transact(vec![set_status("1", "failed"), put_new("2")]).await;
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = refused.unwrap_err().into_service_error()
    else {
        panic!("the transaction is cancelled");
    };
    let reasons = cancelled.cancellation_reasons();
    assert_eq!(reasons[0].code(), Some("None"));
    assert_eq!(reasons[1].code(), Some("ConditionalCheckFailed"));
    assert_eq!(reasons[1].item().unwrap()["status"], text("pending"));
    assert_eq!(it.status("1").await.as_deref(), Some("running"));
}

#[tokio::test]
async fn indexes_follow_their_items() {
    let it = Fixture::new().await;
    it.put("1", "pending").await;
    it.put("2", "pending").await;
    assert_eq!(it.with_status("pending").await, 2);
    it.put("2", "running").await;
    assert_eq!(
        (it.with_status("pending").await, it.with_status("running").await),
        (1, 1)
    );
}

#[tokio::test]
async fn a_stream_tells_every_change_in_order_and_forgets_what_was_consumed() {
    let it = Fixture::new().await;
    assert_eq!(it.dynamodb.latest_sequence(TABLE).await.unwrap(), 0);
    it.put("1", "pending").await;
    it.put("1", "running").await;
    it.client
        .delete_item()
        .table_name(TABLE)
        .key("id", text("1"))
        .send()
        .await
        .unwrap();

    let records = it.dynamodb.read_stream(TABLE, 0, 100).await.unwrap();
    let names: Vec<_> = records.iter().map(|record| record.event_name.as_str()).collect();
    assert_eq!(names, ["INSERT", "MODIFY", "REMOVE"]);
    assert!(records.is_sorted_by(|a, b| a.sequence < b.sequence));
    assert_eq!(records[1].keys, json!({ "id": { "S": "1" } }));
    assert_eq!(
        records[1].new_image,
        Some(json!({ "id": { "S": "1" }, "status": { "S": "running" } }))
    );
    assert_eq!(
        records[1].old_image,
        Some(json!({ "id": { "S": "1" }, "status": { "S": "pending" } }))
    );
    assert_eq!(records[2].new_image, None);
    assert_eq!(it.dynamodb.latest_sequence(TABLE).await.unwrap(), records[2].sequence);

    let next = it.dynamodb.read_stream(TABLE, records[0].sequence, 1).await.unwrap();
    assert_eq!(next, records[1..2]);
    assert_eq!(it.dynamodb.trim_stream(TABLE, records[2].sequence).await.unwrap(), 2);
    assert_eq!(
        it.dynamodb.read_stream(TABLE, 0, 100).await.unwrap(),
        records[2..],
        "the newest stays"
    );
    it.put("2", "pending").await;
    assert_eq!(
        it.dynamodb
            .read_stream(TABLE, records[2].sequence, 100)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn who_wants_new_items_alone_gets_no_images_of_other_changes() {
    let it = Fixture::new().await;
    it.put("1", "pending").await;
    it.put("1", "running").await;
    it.put("2", "pending").await;
    let all = it.dynamodb.read_stream(TABLE, 0, 100).await.unwrap();
    let records = it.dynamodb.read_stream_for_new_items(TABLE, 0, 100).await.unwrap();
    assert_eq!(records.len(), 3, "the place in the stream of every change");
    assert_eq!((&records[0], &records[2]), (&all[0], &all[2]));
    assert_eq!(records[1].event_name, "MODIFY");
    assert_eq!(records[1].sequence, all[1].sequence);
    assert_eq!((&records[1].new_image, &records[1].old_image), (&None, &None));
}

#[tokio::test]
async fn every_kind_of_write_wakes_the_readers_of_its_table() {
    let it = Fixture::new().await;
    let mut changes = it.dynamodb.watch(TABLE);
    let mut has_changed = move || {
        let changed = changes.has_changed().unwrap();
        changes.mark_unchanged();
        changed
    };
    assert!(!has_changed());
    it.put("1", "pending").await;
    assert!(has_changed(), "put");
    it.client
        .transact_write_items()
        .transact_items(put_new("2"))
        .send()
        .await
        .unwrap();
    assert!(has_changed(), "transaction");
    let put = PutRequest::builder()
        .set_item(Some(item("3", "pending")))
        .build()
        .unwrap();
    let write = WriteRequest::builder().put_request(put).build();
    it.client
        .batch_write_item()
        .request_items(TABLE, vec![write])
        .send()
        .await
        .unwrap();
    assert!(has_changed(), "batch");
    let update = it
        .client
        .update_item()
        .table_name(TABLE)
        .key("id", text("2"))
        .update_expression("SET seen = :n");
    update
        .expression_attribute_values(":n", text("yes"))
        .send()
        .await
        .unwrap();
    assert!(has_changed(), "update");
    it.client
        .delete_item()
        .table_name(TABLE)
        .key("id", text("2"))
        .send()
        .await
        .unwrap();
    assert!(has_changed(), "delete");
    it.client
        .get_item()
        .table_name(TABLE)
        .key("id", text("1"))
        .send()
        .await
        .unwrap();
    assert!(!has_changed(), "read");
}

/// Asks the streams service, for which there is no client here, in its own protocol.
async fn streams(service: &DynamoDb, operation: &str, body: Value) -> Value {
    let request = http::Request::post("/")
        .header("x-amz-target", format!("DynamoDBStreams_20120810.{operation}"))
        .body(body.to_string().into())
        .unwrap();
    let answer = service.call(request).await;
    assert_eq!(answer.status(), 200, "{operation}: {:?}", answer.body());
    serde_json::from_slice(answer.body()).unwrap()
}

#[tokio::test]
async fn outside_tools_read_streams_by_our_arns() {
    let it = Fixture::new().await;
    it.put("1", "pending").await;
    let table = it
        .client
        .describe_table()
        .table_name(TABLE)
        .send()
        .await
        .unwrap()
        .table
        .unwrap();
    assert_eq!(
        table.table_arn(),
        Some("arn:aws:dynamodb:us-west-2:123456789012:table/executions")
    );
    let arn = table.latest_stream_arn().unwrap();
    let listed = streams(&it.dynamodb, "ListStreams", json!({ "TableName": TABLE })).await;
    assert_eq!(listed["Streams"][0]["StreamArn"], arn);
    let stream = streams(&it.dynamodb, "DescribeStream", json!({ "StreamArn": arn })).await;
    let shard = &stream["StreamDescription"]["Shards"][0]["ShardId"];
    let start = json!({ "StreamArn": arn, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON" });
    let start = streams(&it.dynamodb, "GetShardIterator", start).await;
    let read = streams(
        &it.dynamodb,
        "GetRecords",
        json!({ "ShardIterator": start["ShardIterator"] }),
    )
    .await;
    let record = &read["Records"][0];
    assert_eq!(record["awsRegion"], "us-west-2");
    assert_eq!(record["dynamodb"]["NewImage"]["status"]["S"], "pending");
    let typed = it.dynamodb.read_stream(TABLE, 0, 1).await.unwrap().remove(0);
    assert_eq!(record["dynamodb"]["SequenceNumber"], typed.sequence_number());
    assert_eq!(record["eventID"], typed.event_id);

    let arn = table.table_arn().unwrap();
    let tag = Tag::builder().key("stage").value("dev").build().unwrap();
    it.client
        .tag_resource()
        .resource_arn(arn)
        .tags(tag.clone())
        .send()
        .await
        .unwrap();
    let tags = it
        .client
        .list_tags_of_resource()
        .resource_arn(arn)
        .send()
        .await
        .unwrap();
    assert_eq!(tags.tags(), [tag]);
}

#[tokio::test]
async fn items_past_their_time_to_live_are_swept_and_told_to_the_stream() {
    let it = Fixture::new().await;
    let ttl = TimeToLiveSpecification::builder()
        .attribute_name("ttl")
        .enabled(true)
        .build()
        .unwrap();
    it.client
        .update_time_to_live()
        .table_name(TABLE)
        .time_to_live_specification(ttl)
        .send()
        .await
        .unwrap();
    // The engine sweeps by the machine's clock and, as DynamoDB does, leaves what expired over five years ago.
    let an_hour_ago = (chrono::Utc::now().timestamp() - 3_600).to_string();
    let mut old = item("old", "done");
    old.insert("ttl".to_owned(), AttributeValue::N(an_hour_ago));
    it.client
        .put_item()
        .table_name(TABLE)
        .set_item(Some(old))
        .send()
        .await
        .unwrap();
    it.put("young", "done").await;
    assert_eq!(it.dynamodb.sweep_expired().await.unwrap(), 1);
    assert_eq!(it.status("old").await, None);
    assert_eq!(it.with_status("done").await, 1);
    let last = it.dynamodb.read_stream(TABLE, 0, 10).await.unwrap().pop().unwrap();
    assert_eq!(last.event_name, "REMOVE");
}

#[tokio::test]
async fn what_was_written_survives_the_death_of_the_process() {
    let it = Fixture::new().await;
    it.put("1", "pending").await;
    let folder = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(it.folder.path()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let (dynamodb, client) = open(folder.path());
    let answer = client
        .get_item()
        .table_name(TABLE)
        .key("id", text("1"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.item.unwrap(), item("1", "pending"));
    assert_eq!(dynamodb.read_stream(TABLE, 0, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn unknown_operations_are_refused() {
    let it = Fixture::new().await;
    let refused = it
        .client
        .describe_limits()
        .send()
        .await
        .unwrap_err()
        .into_service_error();
    assert_eq!(refused.meta().code(), Some("UnknownOperationException"));
}
