//! One interface to the CRMs, so that a helper never thinks about which one is behind it.

mod connector;
mod error;
mod model;

pub use connector::{Capability, Connector, Metadata, Result};
pub use error::{ConnectorError, ErrorKind, WriteOutcome};
pub use model::{
    Address, Automation, Contact, ContactPage, ContactQuery, ContactUpdate, CrmUser, CustomField,
    DataType, NewContact, OptInOutcome, OptInStatus, Slot, Tag, TagRef,
};
