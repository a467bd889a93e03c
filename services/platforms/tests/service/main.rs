//! The routes of the service over local tables, a local key service and the simulated CRM.
#![allow(clippy::unwrap_used, reason = "tests")]

mod changes;
mod connecting;
mod crm;
mod deployment;
mod oauth;
mod platforms;
mod support;
