//! The one-machine platform: the whole product in one process, with no cloud account.

pub mod aws;
pub mod cli;
pub mod cloud;
pub mod data_dir;
pub mod demo;
pub mod gateway;
mod mappings;
pub mod platform;
mod private_file;
pub mod runtime_api;
mod simulated;
