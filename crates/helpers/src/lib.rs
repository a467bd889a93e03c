//! The helpers: small units that read and write one contact.
//!
//! A helper *is* its configuration: a struct whose fields are the settings and whose doc comments are the texts users
//! read. One file holds definition, behaviour, example and tests; see [`tagging`] for six of them.

mod config;
mod context;
mod error;
mod executor;
mod helper;
mod journal;
mod registry;
mod schema;
pub mod settings;
pub mod tagging;
pub mod values;
#[cfg(feature = "vectors")]
pub mod vectors;

pub use config::parse;
pub use context::{Context, Run};
pub use error::{FailureKind, Failures, HelperError};
pub use executor::{Report, execute};
pub use helper::{Category, Helper, Meta, Need, Outcome};
pub use journal::{Journal, JournalError, JournalStore, MemoryJournal};
pub use registry::{Registration, catalogue, find};

/// Inventory under the name that [`register!`] uses.
#[doc(hidden)]
pub use inventory as __inventory;
