//! The routes, by resource.

pub(crate) mod connections;
pub(crate) mod health;
pub(crate) mod platforms;
