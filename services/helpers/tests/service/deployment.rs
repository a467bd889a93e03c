//! The deployed routes and their authorizers are those of the code.

use mfh_http::testing;
use serde_json::json;

use crate::support::App;

#[tokio::test]
async fn every_route_is_deployed_with_its_authorizer() {
    let description = testing::description(App::new().await.routes());
    testing::assert_deployed(&description, include_str!("../../serverless.yml"), &["/helpers/health"]);
}

#[tokio::test]
async fn every_parameter_is_described_once() {
    let description = testing::description(App::new().await.routes());
    testing::assert_parameters_described(&description);
    let key = &description["paths"]["/helpers/{helper_id}/execute"]["post"]["parameters"][1];
    assert_eq!(
        (&key["name"], &key["in"]),
        (&json!("Idempotency-Key"), &json!("header"))
    );
    assert_eq!(key["schema"], json!({"type": ["string", "null"]}));
    let filters = description["paths"]["/executions"]["get"]["parameters"].as_array();
    assert_eq!(filters.unwrap().len(), 9);
}
