//! The routes, by resource.

pub(crate) mod connections;
pub(crate) mod health;
pub(crate) mod oauth;
pub(crate) mod platforms;
