//! Clients are built once per process, in Lambda's Init phase.

use std::sync::OnceLock;

use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

/// The only region this product runs in (DECISIONS 2).
pub const REGION: &str = "us-west-2";

/// A client of this SDK crate, whose configuration `$finish` completes. One without credentials sends unsigned requests.
macro_rules! client {
    ($sdk:ident, $config:expr) => {
        client!($sdk, $config, |builder| builder)
    };
    ($sdk:ident, $config:expr, |$builder:ident| $finish:expr) => {{
        let $builder = $sdk::config::Builder::from($config);
        let $builder = match $config.credentials_provider() {
            Some(_) => $builder,
            None => $builder.allow_no_auth(),
        };
        $sdk::Client::from_conf($finish.build())
    }};
}

/// The AWS clients of a process; each is built when it is first asked for.
#[derive(Debug)]
pub struct Clients {
    config: SdkConfig,
    dynamodb: OnceLock<aws_sdk_dynamodb::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
    ssm: OnceLock<aws_sdk_ssm::Client>,
    s3: OnceLock<aws_sdk_s3::Client>,
    kms: OnceLock<aws_sdk_kms::Client>,
    cognito: OnceLock<aws_sdk_cognitoidentityprovider::Client>,
}

impl Clients {
    /// Reads credentials and `AWS_ENDPOINT_URL` from the environment; the region is fixed. A function has its credentials
    /// in its environment and looks nowhere else.
    pub async fn from_env() -> Self {
        // One HTTP client for all services: each of its own would read and keep the trusted roots anew.
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
            .build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(Region::from_static(REGION))
            .http_client(http);
        if std::env::var_os("AWS_LAMBDA_FUNCTION_NAME").is_some() {
            loader = loader.credentials_provider(EnvironmentVariableCredentialsProvider::new());
        }
        Self::new(loader.load().await)
    }

    /// Clients over this configuration.
    pub fn new(config: SdkConfig) -> Self {
        Self {
            config,
            dynamodb: OnceLock::new(),
            sqs: OnceLock::new(),
            ssm: OnceLock::new(),
            s3: OnceLock::new(),
            kms: OnceLock::new(),
            cognito: OnceLock::new(),
        }
    }

    /// DynamoDB.
    pub fn dynamodb(&self) -> &aws_sdk_dynamodb::Client {
        self.dynamodb.get_or_init(|| client!(aws_sdk_dynamodb, &self.config))
    }

    /// SQS.
    pub fn sqs(&self) -> &aws_sdk_sqs::Client {
        self.sqs.get_or_init(|| client!(aws_sdk_sqs, &self.config))
    }

    /// SSM Parameter Store.
    pub fn ssm(&self) -> &aws_sdk_ssm::Client {
        self.ssm.get_or_init(|| client!(aws_sdk_ssm, &self.config))
    }

    /// S3; with path-style addresses when an endpoint is set, because emulators have no host per bucket.
    pub fn s3(&self) -> &aws_sdk_s3::Client {
        self.s3.get_or_init(|| {
            let path_style = self.config.endpoint_url().is_some();
            client!(aws_sdk_s3, &self.config, |builder| builder.force_path_style(path_style))
        })
    }

    /// KMS.
    pub fn kms(&self) -> &aws_sdk_kms::Client {
        self.kms.get_or_init(|| client!(aws_sdk_kms, &self.config))
    }

    /// Cognito user pools.
    pub fn cognito(&self) -> &aws_sdk_cognitoidentityprovider::Client {
        self.cognito
            .get_or_init(|| client!(aws_sdk_cognitoidentityprovider, &self.config))
    }
}
