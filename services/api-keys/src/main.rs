//! The API-keys service as a Lambda function.

use mfh_api_keys::State;
use mfh_aws::Clients;
use mfh_http::{Core, lambda};

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    mfh_aws::logs::init();
    let clients = Clients::from_env().await;
    let core = Core::from_env(&clients)?;
    lambda::run(mfh_api_keys::router(State::new(core))).await
}
