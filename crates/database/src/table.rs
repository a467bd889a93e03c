//! The few calls that all repositories are made of.

use std::collections::HashMap;
use std::fmt::Write as _;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, KeysAndAttributes, Put, ReturnValue, ReturnValuesOnConditionCheckFailure,
    TransactWriteItem, Update as UpdateAction,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::DatabaseError;
use crate::expression::{Condition, Update};
use crate::retry::with_retries;

/// An item as DynamoDB holds it.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// A write that its condition refused, with the item as it is, if there is one.
#[derive(Debug)]
pub(crate) struct Refused(pub(crate) Option<Item>);

/// One table with the names of its key attributes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Table<'a> {
    pub(crate) client: &'a Client,
    pub(crate) name: &'a str,
    pub(crate) keys: &'static [&'static str],
}

/// A query of a table or of one of its indexes.
#[derive(Debug, Clone)]
pub(crate) struct Query {
    pub(crate) index: Option<&'static str>,
    pub(crate) key: Condition,
    pub(crate) filter: Condition,
    pub(crate) newest_first: bool,
}

impl Query {
    /// All items of an index under one value of its hash key.
    pub(crate) fn index(index: &'static str, attribute: &str, value: &str) -> Self {
        Self {
            index: Some(index),
            key: Condition::new(&format!("#{attribute} = :hash")).bind("hash", value),
            filter: Condition::default(),
            newest_first: false,
        }
    }
}

/// One answer to a query.
#[derive(Debug)]
pub(crate) struct Slice {
    pub(crate) items: Vec<Item>,
    pub(crate) last_key: Option<Item>,
}

impl<'a> Table<'a> {
    /// The key of an item, from the values of the key attributes in their order.
    pub(crate) fn key(&self, values: &[&str]) -> Item {
        let values = values.iter().map(|text| AttributeValue::S((*text).to_owned()));
        self.keys.iter().map(|key| (*key).to_owned()).zip(values).collect()
    }

    /// The condition that the item exists.
    pub(crate) fn exists(&self) -> Condition {
        Condition::new(&format!("attribute_exists(#{})", self.keys[0]))
    }

    /// The condition that the item does not exist.
    pub(crate) fn absent(&self) -> Condition {
        Condition::new(&format!("attribute_not_exists(#{})", self.keys[0]))
    }

    /// Reads the item of a key, consistently.
    pub(crate) async fn get<T: DeserializeOwned>(&self, values: &[&str]) -> Result<Option<T>, DatabaseError> {
        let item = self.get_item(values).await?;
        item.map(|item| self.decode(item)).transpose()
    }

    /// Reads the item of a key as it is, consistently.
    pub(crate) async fn get_item(&self, values: &[&str]) -> Result<Option<Item>, DatabaseError> {
        let key = self.key(values);
        with_retries(|| async {
            let answer = self
                .client
                .get_item()
                .table_name(self.name)
                .set_key(Some(key.clone()))
                .consistent_read(true)
                .send()
                .await;
            answer
                .map(|found| found.item)
                .map_err(|error| DatabaseError::of_call(self.name, &error))
        })
        .await
    }

    /// Takes this table's item out of what [`get_one_of_each`] found.
    pub(crate) fn take_from<T: DeserializeOwned>(
        &self,
        found: &mut HashMap<String, Item>,
    ) -> Result<Option<T>, DatabaseError> {
        found.remove(self.name).map(|item| self.decode(item)).transpose()
    }

    /// Reads an item as a record.
    pub(crate) fn decode<T: DeserializeOwned>(&self, item: Item) -> Result<T, DatabaseError> {
        let key = self.key_text(&item);
        serde_dynamo::aws_sdk_dynamodb_1::from_item(item).map_err(|error| DatabaseError::Corrupt {
            table: self.name.to_owned(),
            key,
            reason: error.to_string(),
        })
    }

    /// Reads an item of a list: one that cannot be read is logged and left out, so that the others are seen.
    pub(crate) fn decode_or_skip<T: DeserializeOwned>(&self, item: Item) -> Option<T> {
        self.decode(item)
            .inspect_err(|error| tracing::error!(%error, "a record was left out of a list"))
            .ok()
    }

    /// A record as an item.
    pub(crate) fn encode(&self, record: &impl Serialize) -> Result<Item, DatabaseError> {
        serde_dynamo::aws_sdk_dynamodb_1::to_item(record).map_err(|error| DatabaseError::Corrupt {
            table: self.name.to_owned(),
            key: String::new(),
            reason: error.to_string(),
        })
    }

    fn key_text(&self, item: &Item) -> String {
        let mut text = String::new();
        for key in self.keys {
            let value = item.get(*key).and_then(|value| value.as_s().ok());
            let _ = write!(text, "{key}={} ", value.map_or("?", String::as_str));
        }
        text.trim_end().to_owned()
    }

    /// Writes an item where the condition holds; tells whether it did.
    pub(crate) async fn put(&self, item: Item, condition: Condition) -> Result<bool, DatabaseError> {
        let maps = condition.bindings.into_maps(self.name)?;
        with_retries(|| async {
            let answer = self
                .client
                .put_item()
                .table_name(self.name)
                .set_item(Some(item.clone()))
                .condition_expression(&condition.text)
                .set_expression_attribute_names(maps.names.clone())
                .set_expression_attribute_values(maps.values.clone())
                .send()
                .await;
            match answer {
                Ok(_) => Ok(true),
                Err(error) if is_refusal(&error) => Ok(false),
                Err(error) => Err(DatabaseError::of_call(self.name, &error)),
            }
        })
        .await
    }

    /// Changes an item and returns it as it is then; a refusal carries it as it is instead.
    pub(crate) async fn update(&self, values: &[&str], update: Update) -> Result<Result<Item, Refused>, DatabaseError> {
        self.send_update(values, update, ReturnValue::AllNew).await
    }

    /// Changes an item; tells whether its condition held.
    pub(crate) async fn apply(&self, values: &[&str], update: Update) -> Result<bool, DatabaseError> {
        let answer = self.send_update(values, update, ReturnValue::None).await?;
        Ok(answer.is_ok())
    }

    async fn send_update(
        &self,
        values: &[&str],
        update: Update,
        returned: ReturnValue,
    ) -> Result<Result<Item, Refused>, DatabaseError> {
        let key = self.key(values);
        let (text, condition, maps) = update.into_parts(self.name)?;
        let on_failure = match returned {
            ReturnValue::None => ReturnValuesOnConditionCheckFailure::None,
            _ => ReturnValuesOnConditionCheckFailure::AllOld,
        };
        with_retries(|| async {
            let answer = self
                .client
                .update_item()
                .table_name(self.name)
                .set_key(Some(key.clone()))
                .update_expression(&text)
                .condition_expression(&condition)
                .set_expression_attribute_names(maps.names.clone())
                .set_expression_attribute_values(maps.values.clone())
                .return_values(returned.clone())
                .return_values_on_condition_check_failure(on_failure.clone())
                .send()
                .await;
            match answer {
                Ok(answer) => Ok(Ok(answer.attributes.unwrap_or_default())),
                Err(SdkError::ServiceError(error)) => match error.into_err() {
                    UpdateItemError::ConditionalCheckFailedException(refusal) => Ok(Err(Refused(refusal.item))),
                    other => Err(DatabaseError::of_service(self.name, &other)),
                },
                Err(error) => Err(DatabaseError::of_call(self.name, &error)),
            }
        })
        .await
    }

    /// Takes an item away where the condition holds, and returns it.
    pub(crate) async fn delete(&self, values: &[&str], condition: Condition) -> Result<Option<Item>, DatabaseError> {
        let key = self.key(values);
        let maps = condition.bindings.into_maps(self.name)?;
        with_retries(|| async {
            let answer = self
                .client
                .delete_item()
                .table_name(self.name)
                .set_key(Some(key.clone()))
                .condition_expression(&condition.text)
                .set_expression_attribute_names(maps.names.clone())
                .set_expression_attribute_values(maps.values.clone())
                .return_values(ReturnValue::AllOld)
                .send()
                .await;
            match answer {
                Ok(answer) => Ok(answer.attributes),
                Err(error) if is_refusal(&error) => Ok(None),
                Err(error) => Err(DatabaseError::of_call(self.name, &error)),
            }
        })
        .await
    }

    /// One answer to a query: at most `limit` items read, from `start` on.
    pub(crate) async fn query_slice(
        &self,
        query: &Query,
        limit: Option<i32>,
        start: Option<Item>,
    ) -> Result<Slice, DatabaseError> {
        let mut bindings = query.key.bindings.clone();
        bindings.merge(query.filter.bindings.clone());
        let maps = bindings.into_maps(self.name)?;
        let filter = (!query.filter.is_empty()).then(|| query.filter.text.clone());
        with_retries(|| async {
            let answer = self
                .client
                .query()
                .table_name(self.name)
                .set_index_name(query.index.map(str::to_owned))
                .key_condition_expression(&query.key.text)
                .set_filter_expression(filter.clone())
                .set_expression_attribute_names(maps.names.clone())
                .set_expression_attribute_values(maps.values.clone())
                .scan_index_forward(!query.newest_first)
                .set_limit(limit)
                .set_exclusive_start_key(start.clone())
                .send()
                .await
                .map_err(|error| DatabaseError::of_call(self.name, &error))?;
            Ok(Slice {
                items: answer.items.unwrap_or_default(),
                last_key: answer.last_evaluated_key.filter(|key| !key.is_empty()),
            })
        })
        .await
    }

    /// Everything that a query finds, over all its pages.
    pub(crate) async fn query_all<T: DeserializeOwned>(&self, query: &Query) -> Result<Vec<T>, DatabaseError> {
        let mut records = Vec::new();
        let mut start = None;
        loop {
            let slice = self.query_slice(query, None, start).await?;
            records.extend(slice.items.into_iter().filter_map(|item| self.decode_or_skip(item)));
            match slice.last_key {
                Some(key) => start = Some(key),
                None => return Ok(records),
            }
        }
    }

    /// Everything in the table; for small ones.
    pub(crate) async fn scan_all<T: DeserializeOwned>(&self) -> Result<Vec<T>, DatabaseError> {
        self.scan_where(Condition::default()).await
    }

    /// Everything in the table for which the filter holds; reads it all.
    pub(crate) async fn scan_where<T: DeserializeOwned>(&self, filter: Condition) -> Result<Vec<T>, DatabaseError> {
        let maps = filter.bindings.into_maps(self.name)?;
        let filter = Some(filter.text).filter(|text| !text.is_empty());
        let mut records = Vec::new();
        let mut start: Option<Item> = None;
        loop {
            let answer = with_retries(|| async {
                let scan = self.client.scan().table_name(self.name);
                scan.set_filter_expression(filter.clone())
                    .set_expression_attribute_names(maps.names.clone())
                    .set_expression_attribute_values(maps.values.clone())
                    .set_exclusive_start_key(start.clone())
                    .send()
                    .await
                    .map_err(|error| DatabaseError::of_call(self.name, &error))
            })
            .await?;
            let items = answer.items.unwrap_or_default();
            records.extend(items.into_iter().filter_map(|item| self.decode_or_skip(item)));
            match answer.last_evaluated_key.filter(|key| !key.is_empty()) {
                Some(key) => start = Some(key),
                None => return Ok(records),
            }
        }
    }

    /// A put for a transaction; a refusal carries the item that is there.
    pub(crate) fn put_action(&self, item: Item, condition: Condition) -> Result<TransactWriteItem, DatabaseError> {
        let maps = condition.bindings.into_maps(self.name)?;
        let put = Put::builder()
            .table_name(self.name)
            .set_item(Some(item))
            .condition_expression(condition.text)
            .set_expression_attribute_names(maps.names)
            .set_expression_attribute_values(maps.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|error| DatabaseError::Unavailable(error.to_string()))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// An update for a transaction; a refusal carries the item that is there.
    pub(crate) fn update_action(&self, values: &[&str], update: Update) -> Result<TransactWriteItem, DatabaseError> {
        let (text, condition, maps) = update.into_parts(self.name)?;
        let update = UpdateAction::builder()
            .table_name(self.name)
            .set_key(Some(self.key(values)))
            .update_expression(text)
            .condition_expression(condition)
            .set_expression_attribute_names(maps.names)
            .set_expression_attribute_values(maps.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|error| DatabaseError::Unavailable(error.to_string()))?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// A deletion for a transaction.
    pub(crate) fn delete_action(
        &self,
        values: &[&str],
        condition: Condition,
    ) -> Result<TransactWriteItem, DatabaseError> {
        let maps = condition.bindings.into_maps(self.name)?;
        let delete = Delete::builder()
            .table_name(self.name)
            .set_key(Some(self.key(values)))
            .condition_expression(condition.text)
            .set_expression_attribute_names(maps.names)
            .set_expression_attribute_values(maps.values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(|error| DatabaseError::Unavailable(error.to_string()))?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }
}

/// Reads one item of each of these tables, consistently, in one call; found items by the names of their tables.
pub(crate) async fn get_one_of_each(
    client: &Client,
    wanted: &[(Table<'_>, &str)],
) -> Result<HashMap<String, Item>, DatabaseError> {
    let mut keys = HashMap::new();
    for (table, id) in wanted {
        let key = KeysAndAttributes::builder()
            .keys(table.key(&[id]))
            .consistent_read(true);
        let key = key
            .build()
            .map_err(|error| DatabaseError::Unavailable(error.to_string()))?;
        keys.insert(table.name.to_owned(), key);
    }
    with_retries(|| async {
        let answer = client
            .batch_get_item()
            .set_request_items(Some(keys.clone()))
            .send()
            .await;
        let answer = answer.map_err(|error| DatabaseError::of_call("batch", &error))?;
        // What a busy table left out is asked for again, with the rest.
        if answer.unprocessed_keys.is_some_and(|keys| !keys.is_empty()) {
            return Err(DatabaseError::Throttled);
        }
        let tables = answer.responses.unwrap_or_default().into_iter();
        Ok(tables
            .filter_map(|(table, items)| Some((table, items.into_iter().next()?)))
            .collect())
    })
    .await
}

/// The text of an attribute, if it is one.
pub(crate) fn text<'i>(item: &'i Item, attribute: &str) -> Option<&'i str> {
    item.get(attribute)?.as_s().ok().map(String::as_str)
}

/// The whole number of an attribute, if it is one.
pub(crate) fn number(item: &Item, attribute: &str) -> Option<i64> {
    item.get(attribute)?.as_n().ok()?.parse().ok()
}

/// Whether the condition of a write did not hold.
fn is_refusal(error: &impl ProvideErrorMetadata) -> bool {
    error.code() == Some("ConditionalCheckFailedException")
}
