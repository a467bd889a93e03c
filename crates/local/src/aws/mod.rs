//! AWS on this machine: each service answers its own wire protocol, so that the SDK clients of this process and
//! outside tools talk to the same thing.

pub mod cognito;
pub mod dynamodb;
mod fault;
pub mod http_client;
pub mod kms;
pub mod s3;
pub mod sqs;
pub mod ssm;
mod store;
mod sts;

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};

/// A service that answers AWS requests.
#[async_trait]
pub trait AwsService: Send + Sync {
    /// Answers one request; failures are answers too.
    async fn call(&self, request: Request<Bytes>) -> Response<Bytes>;
}

/// Answers a request of the JSON protocols with this status and body.
pub(crate) fn json(status: u16, body: &serde_json::Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/x-amz-json-1.0"),
    );
    response
}

/// Answers with an error of the JSON protocols: `__type` is the error's short name.
pub(crate) fn json_error(status: u16, code: &str, message: &str) -> Response<Bytes> {
    json(status, &serde_json::json!({ "__type": code, "message": message }))
}

/// The operation of a JSON protocol request: what follows the last dot of `X-Amz-Target`.
pub(crate) fn operation<T>(request: &Request<T>) -> Option<&str> {
    let target = request.headers().get("x-amz-target")?.to_str().ok()?;
    target.rsplit_once('.').map(|(_, operation)| operation)
}

/// A service of the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// DynamoDB and its streams.
    DynamoDb,
    /// SQS.
    Sqs,
    /// SSM Parameter Store.
    Ssm,
    /// Cognito user pools.
    Cognito,
    /// KMS.
    Kms,
    /// S3, with path-style addresses.
    S3,
}

impl Service {
    /// The service that `X-Amz-Target` names by its prefix.
    fn of_target(target: &str) -> Option<Self> {
        let (prefix, _) = target.rsplit_once('.')?;
        Some(match prefix {
            "DynamoDB_20120810" | "DynamoDBStreams_20120810" => Self::DynamoDb,
            "AmazonSQS" => Self::Sqs,
            "AmazonSSM" => Self::Ssm,
            "AWSCognitoIdentityProviderService" => Self::Cognito,
            "TrentService" => Self::Kms,
            _ => return None,
        })
    }
}

/// All AWS services of this machine behind one address.
///
/// The services of the JSON protocols are told apart by `X-Amz-Target`; what has no target is S3, except the form
/// that asks STS who is calling, which tools send first.
pub struct Endpoint {
    account_id: String,
    services: HashMap<Service, Arc<dyn AwsService>>,
}

impl Endpoint {
    /// An endpoint of this AWS account with no services yet.
    pub fn builder(account_id: impl Into<String>) -> EndpointBuilder {
        EndpointBuilder(Self {
            account_id: account_id.into(),
            services: HashMap::new(),
        })
    }

    async fn hand_to(&self, service: Service, request: Request<Bytes>) -> Response<Bytes> {
        match self.services.get(&service) {
            Some(service) => service.call(request).await,
            None => unknown_operation(),
        }
    }
}

/// Collects the services of an [`Endpoint`].
pub struct EndpointBuilder(Endpoint);

impl EndpointBuilder {
    /// Lets `implementation` answer for `service`.
    #[must_use]
    pub fn with(mut self, service: Service, implementation: Arc<dyn AwsService>) -> Self {
        self.0.services.insert(service, implementation);
        self
    }

    /// The finished endpoint.
    pub fn build(self) -> Arc<Endpoint> {
        Arc::new(self.0)
    }
}

#[async_trait]
impl AwsService for Endpoint {
    async fn call(&self, request: Request<Bytes>) -> Response<Bytes> {
        if let Some(target) = request.headers().get("x-amz-target") {
            return match target.to_str().ok().and_then(Service::of_target) {
                Some(service) => self.hand_to(service, request).await,
                None => unknown_operation(),
            };
        }
        match query_action(&request) {
            Some(action) => sts::answer(&action, &self.account_id),
            None => self.hand_to(Service::S3, request).await,
        }
    }
}

fn unknown_operation() -> Response<Bytes> {
    json_error(
        400,
        "UnknownOperationException",
        "this service or operation does not exist on this machine",
    )
}

/// The `Action` of a request of the query protocol: a form posted to `/`, or the query string of `/`.
fn query_action(request: &Request<Bytes>) -> Option<String> {
    if request.uri().path() != "/" {
        return None;
    }
    let is_form = request
        .headers()
        .get(http::header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    let pairs = if is_form {
        request.body().as_ref()
    } else {
        request.uri().query()?.as_bytes()
    };
    url::form_urlencoded::parse(pairs).find_map(|(name, value)| (name == "Action").then(|| value.into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers with its own name.
    struct Named(&'static str);

    #[async_trait]
    impl AwsService for Named {
        async fn call(&self, _: Request<Bytes>) -> Response<Bytes> {
            Response::new(Bytes::from_static(self.0.as_bytes()))
        }
    }

    fn request(target: Option<&str>, path: &str, body: &'static str) -> Request<Bytes> {
        let mut builder = Request::post(path);
        if let Some(target) = target {
            builder = builder.header("x-amz-target", target);
        } else if body.contains('=') {
            builder = builder.header("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        }
        builder.body(Bytes::from_static(body.as_bytes())).unwrap()
    }

    fn text(response: &Response<Bytes>) -> &str {
        std::str::from_utf8(response.body()).unwrap()
    }

    #[tokio::test]
    async fn each_target_reaches_its_service_and_everything_else_is_s3() {
        let endpoint = Endpoint::builder("123456789012")
            .with(Service::Sqs, Arc::new(Named("sqs")))
            .with(Service::DynamoDb, Arc::new(Named("dynamodb")))
            .with(Service::S3, Arc::new(Named("s3")))
            .build();
        for (target, path, expected) in [
            (Some("AmazonSQS.SendMessage"), "/", "sqs"),
            (Some("DynamoDB_20120810.GetItem"), "/", "dynamodb"),
            (Some("DynamoDBStreams_20120810.GetRecords"), "/", "dynamodb"),
            (None, "/bucket/key?Action=GetCallerIdentity", "s3"),
            (None, "/", "s3"),
        ] {
            let answer = endpoint.call(request(target, path, "")).await;
            assert_eq!(text(&answer), expected, "{target:?} {path}");
        }
        for target in ["TrentService.Decrypt", "Nothing.Here", "nothing"] {
            let answer = endpoint.call(request(Some(target), "/", "{}")).await;
            assert_eq!(answer.status(), 400);
            assert!(text(&answer).contains("UnknownOperationException"), "{target}");
        }
    }

    #[tokio::test]
    async fn sts_tells_the_account_and_refuses_other_actions() {
        let endpoint = Endpoint::builder("123456789012").build();
        let answer = endpoint
            .call(request(None, "/", "Action=GetCallerIdentity&Version=2011-06-15"))
            .await;
        assert_eq!(answer.status(), 200);
        assert!(text(&answer).contains("<Account>123456789012</Account>"));
        let answer = endpoint.call(request(None, "/", "Action=AssumeRole")).await;
        assert_eq!(answer.status(), 400);
        assert!(text(&answer).contains("<Code>InvalidAction</Code>"));
    }
}
