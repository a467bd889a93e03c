//! What the gateway is in the cloud: all services behind one address, and beside them what only one machine has.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use mfh_auth::AuthState;
use mfh_http::{Core, Envelope, Health, Reply, openapi};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::aws::cognito::DEFAULT_POOL_ID;
use crate::aws::{AwsService, Endpoint};
use crate::cloud::Cloud;

/// The largest body of an AWS request: what S3 takes in one part here.
const AWS_BODY_LIMIT: usize = 64 * 1024 * 1024;

/// The states of the API services.
pub struct Services {
    /// `/auth`.
    pub auth: AuthState,
    /// `/api-keys`.
    pub api_keys: mfh_api_keys::State,
    /// `/helpers`, `/helper`, `/executions`.
    pub helpers: mfh_helpers_service::State,
    /// `/platforms`, `/platform-connections`.
    pub platforms: mfh_platforms::State,
}

/// The API of all services, with its description.
pub fn api(services: Services) -> (Router, OpenApi) {
    let core = services.auth.core.clone();
    let gateway = OpenApiRouter::new().routes(routes!(health)).with_state(core);
    let router = [
        mfh_auth::router(services.auth),
        mfh_api_keys::router(services.api_keys),
        mfh_helpers_service::router(services.helpers),
        mfh_platforms::router(services.platforms),
    ]
    .into_iter()
    .fold(gateway, join);
    openapi::split(router, "MyFusion Helper")
}

/// Adds a service. Two types of one schema name would describe the routes of one of them wrongly.
fn join(all: OpenApiRouter, service: OpenApiRouter) -> OpenApiRouter {
    let clash = {
        let schemas = |router: &OpenApiRouter| router.get_openapi().components.clone().unwrap_or_default().schemas;
        let known = schemas(&all);
        let mut own = schemas(&service).into_iter();
        own.find_map(|(name, schema)| known.get(&name).is_some_and(|other| *other != schema).then_some(name))
    };
    debug_assert!(
        clash.is_none(),
        "two types have this schema name, rename one: {clash:?}"
    );
    all.merge(service)
}

/// Tells that the gateway runs.
#[utoipa::path(get, path = "/health", tag = "gateway", responses((status = 200, body = Envelope<Health>)))]
async fn health(State(core): State<Arc<Core>>) -> Reply<Health> {
    mfh_http::health("mfh-api-gateway", &core)
}

/// Everything that HTTP reaches on this machine. Requests that an AWS SDK has signed go to the AWS services.
pub(crate) fn router(services: Services, cloud: &Cloud, simulators: Router) -> Router {
    let (api, description) = api(services);
    let jwks = cloud.pool.jwks();
    let local = Router::new()
        .route("/", get(async || Redirect::temporary("/docs")))
        .route("/docs", get(async || Html(include_str!("docs.html"))))
        .route("/openapi.json", get(async move || Json(description)))
        .route(
            &format!("/_cognito/{DEFAULT_POOL_ID}/.well-known/jwks.json"),
            get(async move || Json(jwks)),
        )
        .nest("/_sim", simulators);
    local
        .fallback_service(mfh_http::finish(api))
        .layer(from_fn_with_state(cloud.endpoint.clone(), aws))
}

/// The AWS services alone, for a port of their own.
pub fn aws_router(endpoint: Arc<Endpoint>) -> Router {
    Router::new().fallback(async move |request: Request| answer(&endpoint, request).await)
}

async fn aws(State(endpoint): State<Arc<Endpoint>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let signed = headers
        .get("authorization")
        .is_some_and(|value| value.as_bytes().starts_with(b"AWS4-HMAC-SHA256"));
    if signed || headers.contains_key("x-amz-target") {
        answer(&endpoint, request).await
    } else {
        next.run(request).await
    }
}

async fn answer(endpoint: &Endpoint, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match to_bytes(body, AWS_BODY_LIMIT).await {
        Ok(body) => endpoint.call(Request::from_parts(parts, body)).await.map(Body::from),
        Err(_) => StatusCode::PAYLOAD_TOO_LARGE.into_response(),
    }
}
