//! OAuth 2 at the vendors: the address that a user is sent to, the token endpoint, and tokens that renew themselves.
//!
//! In what vendors differ is data, in the `oauth` block of their platform records; nothing here knows a vendor.

mod answer;
mod endpoint;
mod identity;
mod refresh;
mod source;

pub use answer::{Grant, GrantError};
pub use endpoint::{TokenEndpoint, authorization_url, pkce_challenge};
pub use identity::Identity;
pub use refresh::{KeptAlive, LogNotice, SignInNotice};

pub(crate) use refresh::{Held, Need, Refresher, Target};
pub(crate) use source::RenewingToken;
