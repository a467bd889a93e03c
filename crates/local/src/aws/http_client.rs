//! The HTTP client that hands SDK requests to the services of this process, without a socket.

use std::fmt;
use std::sync::Arc;

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use mfh_aws::REGION;

use super::{AwsService, Endpoint};

/// An address that is never connected to; that one is set makes S3 requests path-style.
const ADDRESS: &str = "http://aws.local";

/// The configuration of SDK clients that talk to `endpoint` inside this process. They have no credentials: nobody checks
/// a signature here, and making it takes a tenth of a call.
pub fn sdk_config(endpoint: Arc<Endpoint>) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .endpoint_url(ADDRESS)
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .http_client(InProcess(endpoint))
        .build()
}

/// Marks a request whose answer cannot get lost on the way, so that it is not sent a second time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Undivided;

/// Hands requests to the endpoint.
#[derive(Clone)]
pub struct InProcess(pub Arc<Endpoint>);

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProcess")
    }
}

impl HttpClient for InProcess {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let endpoint = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move {
            let (parts, body) = request
                .try_into_http1x()
                .map_err(|error| ConnectorError::user(error.into()))?
                .into_parts();
            let body = ByteStream::new(body)
                .collect()
                .await
                .map_err(|error| ConnectorError::io(error.into()))?
                .into_bytes();
            let mut request = http::Request::from_parts(parts, body);
            request.extensions_mut().insert(Undivided);
            let response = endpoint.call(request).await;
            HttpResponse::try_from(response.map(SdkBody::from))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}
