//! The deployed routes and their authorizers are those of the code.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use serde_yaml_ng::Value as Yaml;

use crate::support::App;

const FILE: &str = include_str!("../../serverless.yml");

/// Who may call a route: `bearer`, `api_key` or nobody in particular.
type Routes = BTreeMap<(String, String), Option<String>>;

async fn in_code() -> (Routes, Value) {
    let app = App::new().await;
    let (_, api) = mfh_http::openapi::split(mfh_platforms::router(app.state), "platforms");
    let api = serde_json::to_value(api).unwrap();
    let mut routes = Routes::new();
    for (path, operations) in api["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let scheme = operation["security"][0].as_object();
            let scheme = scheme.and_then(|scheme| scheme.keys().next().cloned());
            routes.insert((method.to_uppercase(), path.clone()), scheme);
        }
    }
    (routes, api)
}

fn deployed() -> Routes {
    let file: Yaml = serde_yaml_ng::from_str(FILE).unwrap();
    let events = file["functions"]["api"]["events"].as_sequence().unwrap();
    let text = |value: &Yaml| value.as_str().unwrap().to_owned();
    let routes = events.iter().map(|event| {
        let event = &event["httpApi"];
        let scheme = event
            .get("authorizer")
            .map(|authorizer| match authorizer["type"].as_str().unwrap() {
                "jwt" => "bearer".to_owned(),
                other => panic!("an authorizer of type {other}"),
            });
        ((text(&event["method"]), text(&event["path"])), scheme)
    });
    routes.collect()
}

#[tokio::test]
async fn every_route_is_deployed_with_its_authorizer() {
    let (in_code, _) = in_code().await;
    assert_eq!(in_code, deployed());
    let public = in_code.iter().filter(|(_, scheme)| scheme.is_none());
    let public: Vec<&str> = public.map(|((_, path), _)| path.as_str()).collect();
    assert_eq!(public, ["/platforms/health", "/platforms/oauth/callback"]);
}

#[tokio::test]
async fn every_parameter_is_described_once() {
    let (_, api) = in_code().await;
    for (path, operations) in api["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let names: Vec<&str> = parameters.map(|one| one["name"].as_str().unwrap()).collect();
            let distinct: BTreeSet<&str> = names.iter().copied().collect();
            assert_eq!(names.len(), distinct.len(), "{method} {path}: {names:?}");
            for name in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
                assert!(distinct.contains(name), "{method} {path}: {name}");
            }
        }
    }
}
