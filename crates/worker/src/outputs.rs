//! What lies in the data bucket: outputs too large for the execution record (`pipeline` §2.4) and what helpers store.

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use mfh_helpers::{ObjectError, ObjectStore};
use mfh_types::{AccountId, ExecutionId, ExecutionOutput};

/// The largest output that is kept in the record, in bytes of JSON.
const MAX_INLINE: usize = 64 * 1024;

/// Where large outputs go.
#[derive(Debug, Clone)]
pub struct Outputs {
    client: Client,
    bucket: String,
}

impl Outputs {
    /// Large outputs go to this bucket.
    pub fn new(client: Client, bucket: impl Into<String>) -> Self {
        Self {
            client,
            bucket: bucket.into(),
        }
    }

    /// The output as the record keeps it: itself, or its sentence and where the rest lies.
    ///
    /// # Errors
    /// A text for the log when the bucket cannot be written.
    pub(crate) async fn fit(
        &self,
        account: &AccountId,
        execution: &ExecutionId,
        output: ExecutionOutput,
    ) -> Result<ExecutionOutput, String> {
        let json = serde_json::to_vec(&output).map_err(|error| error.to_string())?;
        if json.len() <= MAX_INLINE {
            return Ok(output);
        }
        let key = format!("executions/{account}/{execution}/output.json");
        self.write(&key, "application/json", json).await?;
        Ok(ExecutionOutput {
            success: output.success,
            message: output.message,
            truncated: true,
            s3_key: Some(key),
            ..ExecutionOutput::default()
        })
    }

    async fn write(&self, key: &str, content_type: &str, body: Vec<u8>) -> Result<(), String> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type(content_type)
            .body(ByteStream::from(body))
            .send()
            .await
            .map_err(|error| DisplayErrorContext(&error).to_string())?;
        Ok(())
    }
}

#[async_trait]
impl ObjectStore for Outputs {
    async fn put(&self, key: &str, content_type: &str, body: Vec<u8>) -> Result<(), ObjectError> {
        self.write(key, content_type, body).await.map_err(|error| {
            // The vendor's words are for the log; the user learns that the store is out of reach.
            tracing::warn!(key, error, "an object could not be stored");
            ObjectError("the store is out of reach".to_owned())
        })
    }
}
