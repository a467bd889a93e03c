//! What holds for every `serverless.yml` of the repository.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use mfh_aws::{REGION, Stage, Tables};
use serde_yaml_ng::Value;

const STAGES: [&str; 3] = ["dev", "staging", "prod"];
const STAGE_VARIABLE: &str = "${sls:stage}";

/// Tables of the product that no crate reads by a field of [`Tables`] yet.
const OTHER_TABLES: [(&str, &str); 2] = [
    ("COUNTDOWN_TIMERS_TABLE", "countdown-timers"),
    ("EMAIL_VALIDATIONS_TABLE", "email-validations"),
];

/// The tables that a worker reads or writes.
const WORKER_TABLES: [&str; 7] = [
    "ACCOUNTS_TABLE",
    "CONNECTIONS_TABLE",
    "EXECUTIONS_TABLE",
    "HELPERS_TABLE",
    "PLATFORMS_TABLE",
    "PLATFORM_CONNECTION_AUTHS_TABLE",
    "RATE_LIMITS_TABLE",
];

/// What a worker reads from its environment besides tables.
const WORKER_VARIABLES: [&str; 7] = [
    "COGNITO_REGION",
    "DATA_BUCKET",
    "HELPER_TYPE",
    "INTERNAL_SECRETS_PARAM",
    "NOTIFICATION_QUEUE_URL",
    "SECRETS_KEY_ID",
    "STAGE",
];

/// One Serverless file: a service, or a fragment that services take in.
struct File {
    path: PathBuf,
    text: String,
    yaml: Value,
}

impl File {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(root().join(path)).unwrap();
        let yaml = serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self {
            path: path.to_owned(),
            text,
            yaml,
        }
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn service(&self) -> &str {
        self.yaml["service"]
            .as_str()
            .unwrap_or_else(|| panic!("{} names no service", self.name()))
    }

    fn functions(&self) -> impl Iterator<Item = (&str, &Value)> {
        let functions = self.yaml["functions"].as_mapping();
        functions
            .into_iter()
            .flatten()
            .filter_map(|(key, function)| Some((key.as_str()?, function)))
    }

    fn resources(&self) -> impl Iterator<Item = (&str, &Value)> {
        let resources = self.yaml["resources"]["Resources"].as_mapping();
        resources
            .into_iter()
            .flatten()
            .filter_map(|(key, resource)| Some((key.as_str()?, resource)))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The folders directly under `folder`, from the root of the repository.
fn folders(folder: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(root().join(folder)) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| Path::new(folder).join(entry.file_name()))
        .collect();
    found.sort();
    found
}

fn services() -> Vec<File> {
    let mut files = vec![File::read(Path::new("serverless.yml"))];
    for folder in ["infra", "services", "workers"].into_iter().flat_map(folders) {
        let path = folder.join("serverless.yml");
        if root().join(&path).is_file() {
            files.push(File::read(&path));
        }
    }
    files
}

fn fragment() -> File {
    File::read(Path::new("infra/shared/helper-worker.yml"))
}

/// Every value of the tree that carries this tag, as text.
fn tagged<'a>(tree: &'a Value, tag: &str, found: &mut Vec<&'a str>) {
    match tree {
        Value::Tagged(inner) => {
            if inner.tag == tag
                && let Some(text) = inner.value.as_str()
            {
                found.push(text);
            }
            tagged(&inner.value, tag, found);
        }
        Value::Sequence(items) => items.iter().for_each(|item| tagged(item, tag, found)),
        Value::Mapping(entries) => entries.values().for_each(|value| tagged(value, tag, found)),
        _ => {}
    }
}

/// One entry or a list of them.
fn each(value: &Value) -> Vec<&Value> {
    value
        .as_sequence()
        .map_or_else(|| vec![value], |items| items.iter().collect())
}

#[test]
fn the_base_service_and_a_worker_are_found() {
    let names: Vec<String> = services().iter().map(|file| file.service().to_owned()).collect();
    for name in ["mfh-platform", "mfh-stream-router", "mfh-tag-it-worker"] {
        assert!(names.contains(&name.to_owned()), "{name} is not among {names:?}");
    }
}

#[test]
fn every_package_of_services_and_workers_is_a_stack_and_every_stack_a_package() {
    for folder in ["services", "workers"].into_iter().flat_map(folders) {
        let has = |file: &str| root().join(&folder).join(file).is_file();
        assert!(has("Cargo.toml"), "{} has no Cargo.toml", folder.display());
        assert!(has("serverless.yml"), "{} has no serverless.yml", folder.display());
    }
}

#[test]
fn every_service_has_the_common_header() {
    for file in services() {
        let (yaml, provider) = (&file.yaml, &file.yaml["provider"]);
        let name = file.name();
        assert_eq!(yaml["frameworkVersion"], "4", "{name}");
        assert_eq!(yaml["configValidationMode"], "error", "{name}");
        assert_eq!(provider["name"], "aws", "{name}");
        assert_eq!(provider["region"], REGION, "{name}");
        assert_eq!(provider["runtime"], "provided.al2023", "{name}");
        assert_eq!(provider["architecture"], "arm64", "{name}");
        assert_eq!(provider["stage"], "${opt:stage, 'dev'}", "{name}");
    }
}

#[test]
fn services_are_named_after_their_folders() {
    for file in services() {
        let folder = file.path.parent().unwrap();
        let leaf = folder.file_name().map_or("", |leaf| leaf.to_str().unwrap());
        let expected = match folder.parent().and_then(Path::to_str) {
            None => "mfh-platform".to_owned(),
            Some("infra") => format!("mfh-infrastructure-{leaf}"),
            Some("services") if leaf == "gateway" => "mfh-api-gateway".to_owned(),
            Some(_) => format!("mfh-{leaf}"),
        };
        assert_eq!(file.service(), expected, "{}", file.name());
    }
}

#[test]
fn nothing_needs_the_cloud_to_be_packaged() {
    for file in services().into_iter().chain([fragment()]) {
        let name = file.name();
        for forbidden in ["${cf:", "${cf(", "${ssm:", "${aws:", "execute-api"] {
            assert!(!file.text.contains(forbidden), "{name} contains {forbidden}");
        }
        let longest_number = file
            .text
            .split(|c: char| !c.is_ascii_digit())
            .map(str::len)
            .max()
            .unwrap();
        assert!(longest_number < 12, "{name} may contain an AWS account number");
        assert!(file.yaml["build"].is_null(), "{name} has a build block");
        assert!(file.yaml["plugins"].is_null(), "{name} has plugins");
    }
}

#[test]
fn role_names_fit_into_64_characters_in_every_stage() {
    for file in services() {
        for stage in STAGES {
            let role = format!("{}-{stage}-{REGION}-lambdaRole", file.service());
            assert!(role.len() <= 64, "{role} has {} characters", role.len());
        }
    }
}

#[test]
fn every_artifact_is_a_binary_of_its_package() {
    for file in services() {
        let manifest = root().join(file.path.with_file_name("Cargo.toml"));
        let Ok(manifest) = fs::read_to_string(manifest) else {
            continue;
        };
        for (key, function) in file.functions() {
            let artifact = function["package"]["artifact"].as_str().unwrap();
            let artifact = artifact.replace("${self:service}", file.service());
            let binary = artifact
                .strip_prefix("../../target/lambda/")
                .and_then(|rest| rest.strip_suffix("/bootstrap.zip"))
                .unwrap_or_else(|| panic!("{} {key}: {artifact}", file.name()));
            assert!(
                manifest.contains(&format!("name = \"{binary}\"")),
                "{} {key}: its package builds no {binary}",
                file.name()
            );
        }
    }
}

#[test]
fn every_import_of_our_stacks_is_exported() {
    let services = services();
    let mut exports = BTreeSet::new();
    for file in &services {
        let outputs = file.yaml["resources"]["Outputs"].as_mapping();
        for (key, output) in outputs.into_iter().flatten() {
            let Some(export) = output["Export"]["Name"].as_str() else {
                continue;
            };
            let key = key.as_str().unwrap();
            assert!(
                export.starts_with(&format!("{}-{STAGE_VARIABLE}-", file.service())),
                "{} exports {key} as {export}",
                file.name()
            );
            assert!(exports.insert(export.to_owned()), "{export} is exported twice");
        }
    }
    let known: BTreeSet<&str> = services.iter().map(File::service).collect();
    let fragment = fragment();
    for file in services.iter().chain([&fragment]) {
        let mut imports = Vec::new();
        tagged(&file.yaml, "!ImportValue", &mut imports);
        for import in imports {
            let (service, _) = import
                .split_once(&format!("-{STAGE_VARIABLE}-"))
                .unwrap_or_else(|| panic!("{} imports {import} of no stage", file.name()));
            assert!(
                !known.contains(service) || exports.contains(import),
                "{} imports {import}, which nothing exports",
                file.name()
            );
        }
    }
}

#[test]
fn helper_queues_have_the_agreed_attributes() {
    let fragment = fragment();
    let queues: BTreeMap<&str, &Value> = fragment
        .resources()
        .filter(|(_, resource)| resource["Type"] == "AWS::SQS::Queue")
        .map(|(key, resource)| (key, &resource["Properties"]))
        .collect();
    let (queue, dlq) = (queues["HelperQueue"], queues["HelperDLQ"]);
    assert_eq!(
        queue["QueueName"],
        "mfh-${sls:stage}-${self:custom.helper.name}-executions.fifo"
    );
    assert_eq!(dlq["QueueName"], "mfh-${sls:stage}-${self:custom.helper.name}-dlq.fifo");
    assert_eq!(queue["VisibilityTimeout"], 360);
    assert_eq!(queue["RedrivePolicy"]["maxReceiveCount"], 3);
    assert_eq!(queue["DeduplicationScope"], "messageGroup");
    assert_eq!(queue["FifoThroughputLimit"], "perMessageGroupId");
    for queue in [queue, dlq] {
        assert_eq!(queue["FifoQueue"], true);
        assert_eq!(queue["ContentBasedDeduplication"], true);
        assert_eq!(queue["SqsManagedSseEnabled"], true);
        assert_eq!(queue["MessageRetentionPeriod"], 14 * 24 * 60 * 60);
    }
    let event = &fragment.yaml["events"][0]["sqs"];
    assert_eq!(event["batchSize"], 1);
    assert_eq!(event["functionResponseType"], "ReportBatchItemFailures");
}

#[test]
fn queues_hide_a_message_for_longer_than_its_consumer_runs() {
    let fragment = fragment();
    let visibility = |queue: &str| {
        let queue = &fragment.yaml["resources"]["Resources"][queue]["Properties"];
        queue["VisibilityTimeout"].as_u64().unwrap()
    };
    for file in services() {
        let timeout = |function: &Value| {
            function["timeout"]
                .as_u64()
                .or_else(|| file.yaml["provider"]["timeout"].as_u64())
                .unwrap()
        };
        for (key, function) in file.functions() {
            if file.yaml["custom"]["helper"].is_mapping() {
                assert_eq!(visibility("HelperQueue"), timeout(function) + 60, "{}", file.name());
            } else if key == "dead-letter" {
                assert_eq!(visibility("HelperDLQ"), timeout(function) + 60, "{}", file.name());
            } else if key == "token-recovery" {
                let queue = &file.yaml["resources"]["Resources"]["TokenRecoveryQueue"]["Properties"];
                assert_eq!(queue["VisibilityTimeout"].as_u64(), Some(timeout(function) + 60));
            }
        }
    }
}

#[test]
fn every_dead_letter_queue_has_an_alarm() {
    for file in services().into_iter().chain([fragment()]) {
        let mut watched = Vec::new();
        for (_, alarm) in file.resources().filter(|(_, r)| r["Type"] == "AWS::CloudWatch::Alarm") {
            tagged(&alarm["Properties"]["Dimensions"], "!GetAtt", &mut watched);
            assert!(
                !alarm["Properties"]["AlarmActions"].is_null(),
                "{}: an alarm tells nobody",
                file.name()
            );
        }
        for (key, resource) in file.resources() {
            let name = resource["Properties"]["QueueName"].as_str().unwrap_or_default();
            if resource["Type"] == "AWS::SQS::Queue" && name.contains("-dlq") {
                assert!(
                    watched.contains(&format!("{key}.QueueName").as_str()),
                    "{}: nobody watches {key}",
                    file.name()
                );
            }
        }
    }
}

#[test]
fn table_variables_name_the_tables_that_the_code_expects() {
    let known: BTreeMap<&str, &str> = Tables::VARIABLES.iter().copied().chain(OTHER_TABLES).collect();
    let convention = Tables::by_convention(&Stage::new(STAGE_VARIABLE));
    assert_eq!(convention.helpers, "mfh-${sls:stage}-helpers");

    let fragment = fragment();
    let mut environments = vec![(fragment.name(), &fragment.yaml["environment"])];
    let services = services();
    for file in &services {
        environments.push((file.name(), &file.yaml["provider"]["environment"]));
        environments.extend(file.functions().map(|(_, f)| (file.name(), &f["environment"])));
    }
    for (file, environment) in environments {
        for (variable, value) in environment.as_mapping().into_iter().flatten() {
            let variable = variable.as_str().unwrap();
            if variable.ends_with("_TABLE") {
                let Some(table) = known.get(variable) else {
                    panic!("{file}: the code knows no {variable}");
                };
                assert_eq!(*value, format!("mfh-{STAGE_VARIABLE}-{table}"), "{file}: {variable}");
            }
        }
    }
}

#[test]
fn workers_are_given_what_they_read() {
    let fragment = fragment();
    let given: BTreeSet<&str> = fragment.yaml["environment"]
        .as_mapping()
        .unwrap()
        .keys()
        .filter_map(Value::as_str)
        .collect();
    let read: BTreeSet<&str> = WORKER_TABLES.into_iter().chain(WORKER_VARIABLES).collect();
    assert_eq!(given, read);
    for variable in WORKER_TABLES {
        assert!(
            Tables::VARIABLES.iter().any(|(name, _)| *name == variable),
            "the code knows no {variable}"
        );
    }
}

#[test]
fn a_worker_may_use_every_table_it_is_told_of() {
    let fragment = fragment();
    let mut resources = Vec::new();
    for statement in fragment.yaml["statements"].as_mapping().unwrap().values() {
        tagged(&statement["Resource"], "!Sub", &mut resources);
    }
    for (_, table) in Tables::VARIABLES
        .iter()
        .filter(|(name, _)| WORKER_TABLES.contains(name))
    {
        let arn = format!("table/mfh-{STAGE_VARIABLE}-{table}");
        assert!(
            resources.iter().any(|resource| resource.ends_with(&arn)),
            "no statement for {table}"
        );
    }
}

#[test]
fn roles_name_their_actions_and_resources() {
    let fragment = fragment();
    let services = services();
    let mut statements: Vec<(String, &Value)> = fragment.yaml["statements"]
        .as_mapping()
        .unwrap()
        .values()
        .map(|statement| (fragment.name(), statement))
        .collect();
    for file in &services {
        let own = file.yaml["provider"]["iam"]["role"]["statements"].as_sequence();
        let own = own.into_iter().flatten().filter(|statement| statement.is_mapping());
        statements.extend(own.map(|statement| (file.name(), statement)));
    }
    for (file, statement) in statements {
        for action in each(&statement["Action"]) {
            let action = action.as_str().unwrap();
            assert!(!action.contains('*'), "{file} allows {action}");
        }
        for resource in each(&statement["Resource"]) {
            assert!(*resource != "*", "{file} allows an action on everything");
        }
    }
}

#[test]
fn the_router_takes_pending_inserts_and_loses_none() {
    let router = File::read(Path::new("workers/stream-router/serverless.yml"));
    let stream = &router.yaml["functions"]["router"]["events"][0]["stream"];
    assert_eq!(stream["startingPosition"], "TRIM_HORIZON");
    assert_eq!(stream["functionResponseType"], "ReportBatchItemFailures");
    assert_eq!(stream["bisectBatchOnFunctionError"], true);
    assert_eq!(stream["maximumRetryAttempts"], 10);
    assert_eq!(stream["maximumRecordAgeInSeconds"], 6 * 60 * 60);
    assert_eq!(stream["destinations"]["onFailure"]["type"], "sqs");
    let filter = &stream["filterPatterns"][0];
    assert_eq!(filter["eventName"][0], "INSERT");
    assert_eq!(filter["dynamodb"]["NewImage"]["status"]["S"][0], "pending");
}
