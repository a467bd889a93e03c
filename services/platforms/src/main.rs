//! The platforms service as a Lambda function.

use mfh_aws::Clients;
use mfh_http::{Core, lambda};
use mfh_platforms::State;

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    mfh_aws::logs::init();
    let clients = Clients::from_env().await;
    let core = Core::from_env(&clients)?;
    let state = State::from_env(core, &clients)?;
    lambda::run(mfh_platforms::router(state)).await
}
