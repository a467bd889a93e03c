//! The repositories against an engine that speaks DynamoDB's protocol and enforces its reserved words.
#![allow(clippy::unwrap_used, reason = "tests")]

mod acceptance;
mod api_keys;
mod connections;
mod executions;
mod helpers;
mod identity;
mod lists;
mod small_tables;
mod support;
