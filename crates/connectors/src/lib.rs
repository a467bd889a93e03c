//! One interface to the CRMs, so that a helper never thinks about which one is behind it.

mod activecampaign;
mod connector;
mod cursor;
mod error;
mod gohighlevel;
mod http;
mod hubspot;
mod keap;
mod loader;
mod mask;
mod model;
pub mod oauth;
mod ontraport;
mod opt_in;
mod question;
mod rate;
mod registry;
mod service;
mod standstill;
mod stripe;
mod translate;
mod wire;

pub use connector::{Capability, Connector, Metadata, Result};
pub use error::{ConnectorError, ErrorKind, WriteOutcome};
pub use http::{StaticToken, TokenSource, Transport};
pub use loader::{Loaded, Loader, Site, external_app_id};
pub use model::{
    Address, Automation, Contact, ContactPage, ContactQuery, ContactUpdate, CrmUser, CustomField, DataType, NewContact,
    OptInOutcome, OptInStatus, OptInTarget, Slot, Tag, TagRef,
};
pub use opt_in::OptInSetting;
pub use question::{EmailEvent, End, Question, RecordKind};
pub use rate::{Sleeper, TokioSleeper, patiently};
pub use registry::{ConnectorConfig, PLATFORMS, Shared, build};
pub use service::Service;
pub use translate::cache::Caches;
