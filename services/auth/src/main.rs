//! The auth service as a Lambda function.

use mfh_auth::AuthState;
use mfh_aws::Clients;
use mfh_http::{Core, lambda};

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    mfh_aws::logs::init();
    let clients = Clients::from_env().await;
    let core = Core::from_env(&clients)?;
    let state = AuthState::from_env(core, &clients)?;
    lambda::run(mfh_auth::router(state)).await
}
