//! What the tests of the services share: requests as the gateway passes them on, answers, and the deployed routes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use lambda_http::request::RequestContext;
use mfh_aws::Stage;
use mfh_database::Database;
use mfh_database::testing::record;
use mfh_types::{Clock, SystemRandom};
use serde_json::{Value, json};
use serde_yaml_ng::Value as Yaml;
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;

use crate::{Config, Core, FixedKeys, JwtVerifier, finish, openapi};

/// What handlers share, of the stage `test`; no token counts.
pub fn core(database: Database, clock: Arc<dyn Clock>) -> Core {
    let no_keys = Arc::new(FixedKeys(record(json!({"keys": []}))));
    Core {
        database,
        verifier: JwtVerifier::new("issuer", "client", no_keys, clock.clone()),
        clock,
        random: Arc::new(SystemRandom),
        stage: Stage::new("test"),
        config: Config {
            version: "test".to_owned(),
            app_url: "https://app.test".to_owned(),
        },
    }
}

/// A service as it is served.
pub fn served(routes: OpenApiRouter) -> Router {
    finish(openapi::split(routes, "test").0)
}

/// A request with this body; null stands for none.
pub fn request(method: Method, path: &str, body: Value) -> Request<Body> {
    let body = match body {
        Value::Null => Body::empty(),
        body => Body::from(body.to_string()),
    };
    Request::builder().method(method).uri(path).body(body).unwrap()
}

/// A request of a user, as it comes through the gateway.
pub fn signed_in(user: &str, method: Method, path: &str, body: Value) -> Request<Body> {
    through_gateway(
        request(method, path, body),
        &json!({"sub": user, "token_use": "access"}),
    )
}

/// A request whose token the gateway has let pass, with the token's claims.
pub fn through_gateway(mut request: Request<Body>, claims: &Value) -> Request<Body> {
    let context: RequestContext = record(json!({
        "accountId": "1", "requestId": "gateway-1", "stage": "$default", "timeEpoch": 0,
        "authorizer": {"jwt": {"claims": claims, "scopes": null}},
        "http": {"method": request.method().as_str(), "path": request.uri().path(), "protocol": "HTTP/1.1",
            "sourceIp": "203.0.113.9", "userAgent": "test"},
    }));
    request.extensions_mut().insert(context);
    request
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body; null when it is no JSON.
    pub body: Value,
}

impl Answer {
    /// What a service answers.
    pub async fn of(service: &Router, request: Request<Body>) -> Self {
        let response = service.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Self {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }

    /// The data of an answer of this status.
    #[track_caller]
    pub fn data(&self, status: u16) -> &Value {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        &self.body["data"]
    }

    /// Fails unless it is an error of this status and code.
    #[track_caller]
    pub fn is_error(&self, status: u16, code: &str) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{}", self.body);
        assert_eq!(self.body["code"], code, "{}", self.body);
        assert_eq!(self.body["success"], false);
        self
    }

    /// The text of an error.
    #[track_caller]
    pub fn error(&self) -> &str {
        self.body["error"].as_str().unwrap()
    }

    /// The names of the wrong fields.
    pub fn fields(&self) -> Vec<&str> {
        let fields = self.body["fields"].as_array().into_iter().flatten();
        fields.filter_map(|fault| fault["field"].as_str()).collect()
    }

    /// The error without what differs between any two requests.
    pub fn anonymous(&self) -> (StatusCode, Value) {
        let mut body = self.body.clone();
        body.as_object_mut().unwrap().remove("request_id");
        (self.status, body)
    }
}

/// Who may call a route, by its method and path: `bearer`, `api_key` or nobody in particular.
type Routes = BTreeMap<(String, String), Option<String>>;

/// The description of a service.
pub fn description(routes: OpenApiRouter) -> Value {
    serde_json::to_value(openapi::split(routes, "test").1).unwrap()
}

/// Fails unless the Serverless file deploys exactly the described routes with their authorizers, and those of these
/// paths without one.
pub fn assert_deployed(description: &Value, serverless: &str, public: &[&str]) {
    let described: Routes = operations(description)
        .map(|(method, path, operation)| {
            let scheme = operation["security"][0].as_object();
            let scheme = scheme.and_then(|scheme| scheme.keys().next().cloned());
            ((method.to_uppercase(), path.to_owned()), scheme)
        })
        .collect();
    assert_eq!(described, deployed(serverless));
    let without = described.iter().filter(|(_, scheme)| scheme.is_none());
    let without: Vec<&str> = without.map(|((_, path), _)| path.as_str()).collect();
    assert_eq!(without, public);
}

/// Fails unless every operation describes each of its parameters once, and those of its path all.
pub fn assert_parameters_described(description: &Value) {
    for (method, path, operation) in operations(description) {
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let names: Vec<&str> = parameters.map(|one| one["name"].as_str().unwrap()).collect();
        let distinct: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), distinct.len(), "{method} {path}: {names:?}");
        for name in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            assert!(distinct.contains(name), "{method} {path}: {name}");
        }
    }
}

/// Method, path and description of every operation.
pub fn operations(description: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = description["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, operations)| {
        let operations = operations.as_object().unwrap();
        operations
            .iter()
            .map(move |(method, operation)| (method.as_str(), path.as_str(), operation))
    })
}

fn deployed(serverless: &str) -> Routes {
    let file: Yaml = serde_yaml_ng::from_str(serverless).unwrap();
    let events = file["functions"]["api"]["events"].as_sequence().unwrap();
    let text = |value: &Yaml| value.as_str().unwrap().to_owned();
    let routes = events.iter().map(|event| {
        let event = &event["httpApi"];
        let scheme = event
            .get("authorizer")
            .map(|authorizer| match authorizer["type"].as_str() {
                Some("jwt") => openapi::BEARER.to_owned(),
                Some("request") => openapi::API_KEY.to_owned(),
                other => panic!("an authorizer of type {other:?}"),
            });
        ((text(&event["method"]), text(&event["path"])), scheme)
    });
    routes.collect()
}
