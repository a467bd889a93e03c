//! The routes, one file for each resource.

pub(crate) mod challenge;
pub(crate) mod health;
pub(crate) mod password;
pub(crate) mod profile;
pub(crate) mod register;
pub(crate) mod session;
