//! Stores the platforms of this build in the table of a stage: run by the pipeline after a deployment, as often as it
//! likes. `STAGE` names the stage; `PLATFORMS_TABLE` may name the table.

use mfh_aws::{Clients, Stage, Tables};
use mfh_database::Database;
use mfh_http::lambda;
use mfh_types::{SystemClock, Timestamp};

#[tokio::main]
async fn main() -> Result<(), lambda::Error> {
    mfh_aws::logs::init();
    let stage = Stage::from_env();
    let clients = Clients::from_env().await;
    let database = Database::new(clients.dynamodb().clone(), Tables::from_env(&stage));
    let seeded = mfh_platforms::seed(&database, mfh_platforms::seeds(Timestamp::now(&SystemClock))).await?;
    println!(
        "stage {stage}: created {:?}, updated {:?}, retired {:?}, unchanged {}",
        seeded.created, seeded.updated, seeded.retired, seeded.unchanged
    );
    Ok(())
}
