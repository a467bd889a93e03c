//! The CRMs as stateful in-process HTTP servers: the vendors' wire shapes, limits and habits, and faults on demand.
//!
//! Each CRM has one folder with the same file names. What they share: [`faults`] (what goes wrong when asked to),
//! [`access_log`] (what was received and what it changed), the journal that keeps their state over a restart, and
//! the server that tests start on a free port.
//!
//! Beside the vendor's own paths every simulator serves `GET /_state`, `GET /_log`, `GET /_log/requests`,
//! `POST /_reset`, `GET|POST|DELETE /_control/faults` and `POST /_control/limits`, all without a token.

pub mod access_log;
pub mod activecampaign;
pub mod faults;
pub mod gohighlevel;
pub mod hubspot;
mod journal;
pub mod keap;
pub mod oauth;
pub mod ontraport;
#[cfg(feature = "conformance")]
pub mod openapi;
mod server;
pub mod services;
mod simulator;
pub mod stripe;

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
