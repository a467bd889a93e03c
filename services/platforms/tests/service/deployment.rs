//! The deployed routes and their authorizers are those of the code.

use mfh_http::testing;

use crate::support::App;

#[tokio::test]
async fn every_route_is_deployed_with_its_authorizer() {
    let description = testing::description(mfh_platforms::router(App::new().await.state));
    let public = ["/platforms/health", "/platforms/oauth/callback"];
    testing::assert_deployed(&description, include_str!("../../serverless.yml"), &public);
}

#[tokio::test]
async fn every_parameter_is_described_once() {
    let description = testing::description(mfh_platforms::router(App::new().await.state));
    testing::assert_parameters_described(&description);
}
