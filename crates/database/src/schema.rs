//! The tables as the cloud has them, read from `infra/dynamodb-core/serverless.yml`: that file is their only
//! description, so that the machine of a developer and the tests never differ from it.

use std::collections::{BTreeMap, HashSet};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{BuildError, DisplayErrorContext};
use aws_sdk_dynamodb::operation::create_table::builders::CreateTableInputBuilder;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, StreamSpecification, StreamViewType, TimeToLiveSpecification,
};
use mfh_aws::Stage;
use serde::Deserialize;
use serde_yaml_ng::Value;

use crate::DatabaseError;

const FILE: &str = include_str!("../../../infra/dynamodb-core/serverless.yml");

/// A table that is to exist.
#[derive(Debug, Clone)]
pub struct TableDefinition {
    /// Its name, such as `mfh-local-users`.
    pub name: String,
    /// How it is created.
    pub create: CreateTableInputBuilder,
    /// The attribute that says when an item goes, if any.
    pub ttl_attribute: Option<String>,
}

/// The file of the tables cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum SchemaError {
    /// It is not the YAML that is expected.
    #[error("infra/dynamodb-core/serverless.yml: {0}")]
    Yaml(#[from] serde_yaml_ng::Error),
    /// A table lacks something.
    #[error("infra/dynamodb-core/serverless.yml: {0}")]
    Incomplete(#[from] BuildError),
}

/// The tables of a stage, by name.
///
/// # Panics
/// Never: the file is compiled in, and a test reads it.
pub fn tables(stage: &Stage) -> Vec<TableDefinition> {
    read(FILE, stage).expect("the file is compiled in and a test reads it")
}

/// Creates the tables of a stage that do not exist yet, with their time to live.
///
/// # Errors
/// A table cannot be created.
pub async fn create_missing(client: &Client, stage: &Stage) -> Result<(), DatabaseError> {
    let existing = existing(client).await?;
    for table in tables(stage) {
        if existing.contains(&table.name) {
            continue;
        }
        create(client, table).await?;
    }
    Ok(())
}

async fn existing(client: &Client) -> Result<HashSet<String>, DatabaseError> {
    let mut names = HashSet::new();
    let mut start = None;
    loop {
        let answer = client
            .list_tables()
            .set_exclusive_start_table_name(start)
            .send()
            .await
            .map_err(|error| DatabaseError::of_call("the list of tables", &error))?;
        names.extend(answer.table_names.unwrap_or_default());
        match answer.last_evaluated_table_name {
            Some(name) => start = Some(name),
            None => return Ok(names),
        }
    }
}

async fn create(client: &Client, table: TableDefinition) -> Result<(), DatabaseError> {
    let created = table.create.send_with(client).await;
    if let Err(error) = created {
        // Another process may create the tables at the same time.
        if !error
            .as_service_error()
            .is_some_and(|e| e.is_resource_in_use_exception())
        {
            return Err(DatabaseError::Unavailable(format!(
                "table {} cannot be created: {}",
                table.name,
                DisplayErrorContext(&error)
            )));
        }
    }
    let Some(attribute) = table.ttl_attribute else {
        return Ok(());
    };
    let ttl = TimeToLiveSpecification::builder()
        .enabled(true)
        .attribute_name(attribute)
        .build()
        .map_err(|error| DatabaseError::Unavailable(error.to_string()))?;
    client
        .update_time_to_live()
        .table_name(&table.name)
        .time_to_live_specification(ttl)
        .send()
        .await
        .map(drop)
        .map_err(|error| DatabaseError::of_call(&table.name, &error))
}

/// The parts of the file that say what a table is; tags such as `!Ref` stand only outside of them.
#[derive(Debug, Deserialize)]
struct Service {
    resources: Stack,
}

#[derive(Debug, Deserialize)]
struct Stack {
    #[serde(rename = "Resources")]
    resources: BTreeMap<String, Resource>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Resource {
    r#type: String,
    properties: Value,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Properties {
    table_name: String,
    attribute_definitions: Vec<Attribute>,
    key_schema: Vec<Key>,
    #[serde(default)]
    global_secondary_indexes: Vec<Index>,
    time_to_live_specification: Option<TimeToLive>,
    stream_specification: Option<Stream>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attribute {
    attribute_name: String,
    attribute_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Key {
    attribute_name: String,
    key_type: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Index {
    index_name: String,
    key_schema: Vec<Key>,
    projection: Projected,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Projected {
    projection_type: String,
    non_key_attributes: Option<Vec<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TimeToLive {
    attribute_name: String,
    enabled: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stream {
    stream_view_type: String,
}

fn read(file: &str, stage: &Stage) -> Result<Vec<TableDefinition>, SchemaError> {
    let text = file.replace("${sls:stage}", stage.as_str());
    // Through `Value`, which keeps CloudFormation's tags apart from the values they stand before.
    let service: Service = serde_yaml_ng::from_value(serde_yaml_ng::from_str::<Value>(&text)?)?;
    let mut tables = service
        .resources
        .resources
        .into_values()
        .filter(|resource| resource.r#type == "AWS::DynamoDB::Table")
        .map(|resource| define(serde_yaml_ng::from_value(resource.properties)?))
        .collect::<Result<Vec<_>, SchemaError>>()?;
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(tables)
}

fn define(table: Properties) -> Result<TableDefinition, SchemaError> {
    let attributes = table.attribute_definitions.into_iter().map(|attribute| {
        AttributeDefinition::builder()
            .attribute_name(attribute.attribute_name)
            .attribute_type(ScalarAttributeType::from(attribute.attribute_type.as_str()))
            .build()
    });
    let indexes = table
        .global_secondary_indexes
        .into_iter()
        .map(index)
        .collect::<Result<Vec<_>, _>>()?;
    let stream = table
        .stream_specification
        .map(|stream| {
            StreamSpecification::builder()
                .stream_enabled(true)
                .stream_view_type(StreamViewType::from(stream.stream_view_type.as_str()))
                .build()
        })
        .transpose()?;
    let create = CreateTableInputBuilder::default()
        .table_name(&table.table_name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(attributes.collect::<Result<_, _>>()?))
        .set_key_schema(Some(keys(table.key_schema)?))
        .set_global_secondary_indexes(Some(indexes).filter(|indexes| !indexes.is_empty()))
        .set_stream_specification(stream);
    Ok(TableDefinition {
        name: table.table_name,
        create,
        ttl_attribute: table
            .time_to_live_specification
            .filter(|ttl| ttl.enabled)
            .map(|ttl| ttl.attribute_name),
    })
}

fn index(index: Index) -> Result<GlobalSecondaryIndex, BuildError> {
    let projection = Projection::builder()
        .projection_type(ProjectionType::from(index.projection.projection_type.as_str()))
        .set_non_key_attributes(index.projection.non_key_attributes)
        .build();
    GlobalSecondaryIndex::builder()
        .index_name(index.index_name)
        .set_key_schema(Some(keys(index.key_schema)?))
        .projection(projection)
        .build()
}

fn keys(keys: Vec<Key>) -> Result<Vec<KeySchemaElement>, BuildError> {
    keys.into_iter()
        .map(|key| {
            KeySchemaElement::builder()
                .attribute_name(key.attribute_name)
                .key_type(KeyType::from(key.key_type.as_str()))
                .build()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use mfh_aws::Tables;

    use super::*;

    #[test]
    fn the_file_names_every_table_of_the_product() {
        let stage = Stage::new("local");
        let names: Vec<String> = read(FILE, &stage)
            .unwrap()
            .into_iter()
            .map(|table| table.name)
            .collect();
        assert_eq!(names.len(), 19);
        for (_, suffix) in Tables::VARIABLES {
            assert!(names.contains(&format!("mfh-local-{suffix}")), "{suffix}");
        }
        let by_convention = Tables::by_convention(&stage);
        assert!(names.contains(&by_convention.executions));
        assert!(names.contains(&by_convention.platform_connection_auths));
    }

    #[test]
    fn the_executions_table_is_as_the_repository_needs_it() {
        let tables = tables(&Stage::new("local"));
        let executions = tables
            .iter()
            .find(|table| table.name == "mfh-local-executions")
            .unwrap();
        assert_eq!(executions.ttl_attribute.as_deref(), Some("ttl"));
        let create = executions.create.clone().build().unwrap();
        let stream = create.stream_specification().unwrap();
        assert_eq!(stream.stream_view_type(), Some(&StreamViewType::NewAndOldImages));
        let indexes: Vec<&str> = create
            .global_secondary_indexes()
            .iter()
            .map(|index| index.index_name())
            .collect();
        assert_eq!(
            indexes,
            ["AccountIdCreatedAtIndex", "HelperIdCreatedAtIndex", "PendingIndex"]
        );
        let next_action = create
            .attribute_definitions()
            .iter()
            .find(|attribute| attribute.attribute_name() == "next_action_at")
            .unwrap();
        assert_eq!(next_action.attribute_type(), &ScalarAttributeType::N);
    }

    #[test]
    fn what_is_retained_is_protected_and_can_be_restored() {
        let document: Value = serde_yaml_ng::from_str(FILE).unwrap();
        let Some(Value::Mapping(resources)) = document.get("resources").and_then(|r| r.get("Resources")) else {
            panic!("no resources");
        };
        for (name, resource) in resources {
            let retained = resource.get("DeletionPolicy").is_some();
            let properties = resource.get("Properties").unwrap();
            let protected = properties.get("DeletionProtectionEnabled").is_some();
            let restorable = properties.get("PointInTimeRecoverySpecification").is_some();
            let expires = properties.get("TimeToLiveSpecification").is_some();
            assert_eq!((protected, restorable), (retained, retained), "{name:?}");
            assert!(retained || expires, "{name:?}");
        }
    }
}
