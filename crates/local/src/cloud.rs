//! The AWS services of this machine, opened from the data folder, and what the stacks would create in them.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use aws_sdk_s3::error::DisplayErrorContext;
use mfh_aws::{Clients, Queues, SharedQueues, Stage};
use mfh_types::{Clock, HelperType, Random};

use crate::aws::cognito::{DEFAULT_CLIENT_ID, DEFAULT_POOL_ID, UserPool};
use crate::aws::dynamodb::DynamoDb;
use crate::aws::http_client::sdk_config;
use crate::aws::kms::KeyService;
use crate::aws::s3::ObjectStore;
use crate::aws::sqs::Sqs;
use crate::aws::ssm::ParameterStore;
use crate::aws::{Endpoint, Service};
use crate::data_dir::DataDir;

/// The account that every ARN of this machine names.
pub const ACCOUNT_ID: &str = "000000000000";

/// The stage of this machine.
pub const STAGE: &str = "local";

/// The bucket for large outputs and dead letters.
pub const DATA_BUCKET: &str = "mfh-data-local";

/// The key that seals credentials; any name is the one local key.
pub const SECRETS_KEY: &str = "alias/mfh-local-secrets";

/// The AWS services of this machine.
pub struct Cloud {
    /// DynamoDB and its streams.
    pub dynamodb: Arc<DynamoDb>,
    /// SQS.
    pub sqs: Arc<Sqs>,
    /// The user pool.
    pub pool: Arc<UserPool>,
    /// All of them behind one address.
    pub endpoint: Arc<Endpoint>,
    /// SDK clients that talk to them in process.
    pub clients: Clients,
}

impl Cloud {
    /// Opens the services; `url` is where this machine's API listens, which tokens name as their issuer.
    ///
    /// # Errors
    /// When a file of the folder cannot be read: says which, and how to begin anew.
    pub fn open(dir: &DataDir, url: &str, clock: &Arc<dyn Clock>, random: &Arc<dyn Random>) -> anyhow::Result<Self> {
        let damaged = |what: &str| {
            format!("{what} in the data folder cannot be opened. Restore the folder, or begin anew with --reset")
        };
        let dynamodb = DynamoDb::open(dir.join("dynamodb.db"), ACCOUNT_ID).with_context(|| damaged("The tables"))?;
        let sqs = Sqs::open(dir.join("sqs.db"), clock.clone(), ACCOUNT_ID).with_context(|| damaged("The queues"))?;
        let pool = UserPool::open(
            &dir.join("cognito"),
            clock.clone(),
            random.clone(),
            issuer(url),
            DEFAULT_POOL_ID,
            DEFAULT_CLIENT_ID,
        )
        .with_context(|| damaged("The user pool"))?;
        let keys =
            KeyService::open(&dir.join("kms"), ACCOUNT_ID, random.clone()).with_context(|| damaged("The key"))?;
        let parameters = ParameterStore::open(&dir.join("ssm"), ACCOUNT_ID, clock.clone())
            .with_context(|| damaged("The parameters"))?;
        let objects = ObjectStore::open(&dir.join("s3"), clock.clone(), random.clone())
            .with_context(|| damaged("The objects"))?;
        let endpoint = Endpoint::builder(ACCOUNT_ID)
            .with(Service::DynamoDb, dynamodb.clone())
            .with(Service::Sqs, sqs.clone())
            .with(Service::Cognito, pool.clone())
            .with(Service::Kms, keys)
            .with(Service::Ssm, parameters)
            .with(Service::S3, objects)
            .build();
        let clients = Clients::new(sdk_config(endpoint.clone()));
        Ok(Self {
            dynamodb,
            sqs,
            pool,
            endpoint,
            clients,
        })
    }

    /// Creates what the stacks create in the cloud, as far as it is missing: tables, queues, the data bucket.
    ///
    /// # Errors
    /// When a service refuses.
    pub async fn deploy(&self) -> anyhow::Result<()> {
        let stage = Stage::new(STAGE);
        mfh_database::schema::create_missing(self.clients.dynamodb(), &stage)
            .await
            .context("the tables cannot be created")?;
        for helper_type in helper_types() {
            self.create_helper_queues(&stage, &helper_type).await?;
        }
        self.create_shared_queues(&stage).await?;
        let created = self.clients.s3().create_bucket().bucket(DATA_BUCKET).send().await;
        match created {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_bucket_already_owned_by_you()) =>
            {
                Ok(())
            }
            Err(error) => anyhow::bail!("the data bucket cannot be created: {}", DisplayErrorContext(&error)),
        }
    }

    /// The queue of a type and its dead-letter queue, with the attributes of `infra/shared/helper-worker.yml`.
    async fn create_helper_queues(&self, stage: &Stage, helper_type: &HelperType) -> anyhow::Result<()> {
        let (queue, dlq) = (
            Queues::helper_queue(stage, helper_type),
            Queues::helper_dlq(stage, helper_type),
        );
        let fifo = [
            ("FifoQueue", "true"),
            ("ContentBasedDeduplication", "true"),
            ("MessageRetentionPeriod", "1209600"),
        ];
        let redrive = serde_json::json!({ "deadLetterTargetArn": self.sqs.queue_arn(&dlq), "maxReceiveCount": 3 });
        let own = [
            ("DeduplicationScope", "messageGroup".to_owned()),
            ("FifoThroughputLimit", "perMessageGroupId".to_owned()),
            ("VisibilityTimeout", "360".to_owned()),
            ("RedrivePolicy", redrive.to_string()),
        ];
        let common = || {
            fifo.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        };
        let dlq_attributes: BTreeMap<_, _> = common()
            .chain([("VisibilityTimeout".to_owned(), "120".to_owned())])
            .collect();
        let attributes = common()
            .chain(own.into_iter().map(|(name, value)| (name.to_owned(), value)))
            .collect();
        self.sqs.create_queue(dlq, dlq_attributes).await?;
        self.sqs.create_queue(queue, attributes).await?;
        Ok(())
    }

    /// The queues that belong to no helper type (`data-model` §6). Nobody on this machine reads the notifications.
    async fn create_shared_queues(&self, stage: &Stage) -> anyhow::Result<()> {
        let attributes = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let owned = pairs
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            owned.collect()
        };
        let dlq = SharedQueues::notification_dlq(stage);
        let redrive = serde_json::json!({ "deadLetterTargetArn": self.sqs.queue_arn(&dlq), "maxReceiveCount": 5 });
        let fifo = [
            ("FifoQueue", "true"),
            ("ContentBasedDeduplication", "true"),
            ("MessageRetentionPeriod", "604800"),
            ("VisibilityTimeout", "120"),
        ];
        let mut notifications = attributes(&fifo);
        notifications.insert("RedrivePolicy".to_owned(), redrive.to_string());
        let recovery = [("MessageRetentionPeriod", "1209600"), ("VisibilityTimeout", "120")];
        self.sqs.create_queue(dlq, attributes(&fifo)).await?;
        self.sqs
            .create_queue(SharedQueues::notification_queue(stage), notifications)
            .await?;
        self.sqs
            .create_queue(SharedQueues::recovery_queue(stage), attributes(&recovery))
            .await?;
        Ok(())
    }
}

/// The issuer of this machine's tokens.
pub fn issuer(url: &str) -> String {
    format!("{url}/_cognito/{DEFAULT_POOL_ID}")
}

/// Every helper type of the catalogue.
pub fn helper_types() -> Vec<HelperType> {
    mfh_helpers::catalogue()
        .iter()
        .filter_map(|entry| HelperType::parse(entry.meta.type_name))
        .collect()
}
