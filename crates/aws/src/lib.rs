//! AWS as this product uses it: one configuration, clients built once, names by convention, sealed credentials.

mod clients;
mod names;
mod queues;
mod vault;

pub use clients::{Clients, REGION};
pub use names::{Stage, Tables};
pub use queues::{QueueError, Queues};
pub use vault::{SealedSecrets, Vault, VaultError};
