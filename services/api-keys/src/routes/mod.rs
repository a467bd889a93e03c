//! The routes, one file each.

pub(crate) mod create;
pub(crate) mod health;
pub(crate) mod list;
pub(crate) mod revoke;
