//! The routes of the service over tables that enforce DynamoDB's conditions and transactions.
#![allow(clippy::unwrap_used, reason = "tests")]

mod catalogue;
mod deployment;
mod executions;
mod helpers;
mod support;
mod triggers;
