//! OAuth 2 at the vendors: the address that a user is sent to, the token endpoint, and tokens that renew themselves.
//!
//! In what vendors differ is data, in the `oauth` block of their platform records; nothing here knows a vendor.

mod answer;
mod endpoint;
mod identity;
mod notice;
mod recovery;
mod refresh;
mod source;

pub use answer::{Grant, GrantError};
pub use endpoint::{TokenEndpoint, authorization_url, pkce_challenge};
pub use identity::Identity;
pub use notice::{LogNotice, SignInNotice};
pub use recovery::{RecoverError, Recovered};
pub use refresh::KeptAlive;

pub(crate) use notice::QueueNotice;
pub(crate) use refresh::{Held, Need, Refresher, Target};
pub(crate) use source::RenewingToken;
