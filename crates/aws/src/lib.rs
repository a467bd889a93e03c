//! AWS as this product uses it: one configuration, clients built once, names by convention, sealed credentials,
//! our clients at the vendors.

mod clients;
pub mod logs;
mod names;
mod oauth_clients;
mod queues;
mod vault;

pub use clients::{Clients, REGION};
pub use names::{Stage, Tables};
pub use oauth_clients::{OAuthClient, OAuthClientError, OAuthClients};
pub use queues::{QueueError, Queues, SharedQueue, SharedQueues};
pub use vault::{SealedSecrets, Vault, VaultError};
