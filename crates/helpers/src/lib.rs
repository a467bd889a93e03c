//! The helpers: small units that read and write one contact.
//!
//! A helper *is* its configuration: a struct whose fields are the settings and whose doc comments are the texts users
//! read. One file holds definition, behaviour, example and tests; see [`tagging`] for six of them.

mod config;
pub mod contact;
mod context;
pub mod data;
pub mod dates;
mod error;
mod executor;
mod fields;
mod helper;
mod journal;
mod numbers;
mod objects;
pub mod outside;
mod phone;
mod registry;
mod schema;
mod services;
pub mod settings;
pub mod tagging;
mod template;
mod text;
pub mod values;
#[cfg(feature = "vectors")]
pub mod vectors;

pub use config::parse;
pub use context::{
    Caller, Context, Counters, History, MemoryCounters, Run, Sealer, ServiceAuth, SharedAnswers, StoreError, World,
};
pub use error::{FailureKind, Failures, HelperError};
pub use executor::{Report, execute};
pub use helper::{Category, Helper, Meta, Need, Outcome};
pub use journal::{Journal, JournalError, JournalStore, MemoryJournal};
pub use objects::{MemoryObjects, ObjectError, ObjectStore};
pub use registry::Registration;
#[cfg(feature = "catalogue")]
pub use registry::{catalogue, find};

/// Inventory under the name that [`register!`] uses.
#[cfg(feature = "catalogue")]
#[doc(hidden)]
pub use inventory as __inventory;
