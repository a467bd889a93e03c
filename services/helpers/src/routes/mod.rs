//! One file per resource or action.

pub(crate) mod catalogue;
pub(crate) mod execute;
pub(crate) mod executions;
pub(crate) mod health;
pub(crate) mod helpers;
pub(crate) mod trigger;
