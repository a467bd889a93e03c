//! The CRMs as stateful in-process HTTP servers: the vendors' wire shapes, limits and habits, and faults on demand.
//!
//! An [`Account`] is the same at every CRM: its records in memory and on disk, the transactions that change them, its
//! tokens, its limits and its paths. Each CRM has one folder with the same file names, which says in what it differs.
//! They share also [`faults`] (what goes wrong when asked to), [`access_log`] (what was received and what it changed),
//! the people of the demo data, and the server that tests start on a free port.
//!
//! Beside the vendor's own paths every simulator serves `GET /_state`, `GET /_log`, `GET /_log/requests`,
//! `POST /_reset`, `GET|POST|DELETE /_control/faults`, `POST /_control/limits` and `POST /_control/expire_tokens`, all
//! without a token.

pub mod access_log;
mod account;
pub mod activecampaign;
mod demo;
pub mod faults;
pub mod gohighlevel;
pub mod hubspot;
mod journal;
pub mod keap;
mod limits;
pub mod oauth;
pub mod ontraport;
#[cfg(feature = "conformance")]
pub mod openapi;
mod params;
mod records;
mod server;
pub mod services;
mod simulator;
pub mod stripe;
mod tokens;

pub use account::Account;
pub use activecampaign::ActiveCampaign;
pub use gohighlevel::GoHighLevel;
pub use hubspot::HubSpot;
pub use keap::Keap;
pub use oauth::OAuthProvider;
pub use ontraport::Ontraport;
pub use server::Server;
pub use services::Services;
pub use simulator::{Simulator, all};
pub use stripe::Stripe;
pub use tokens::TokenPair;
