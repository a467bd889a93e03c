//! HTTP to hosts that users name (`helpers/COMMON` §12, `api-automation` §7.3).
//!
//! A user's address could lead into our own network. So it is checked twice: its text ([`UserUrl`]), and every IP
//! address that its name stands for at the moment of connecting ([`guard`]). Only addresses that passed are connected,
//! so a name cannot be public when checked and private when used.

mod address;
mod client;
mod resolver;
mod tls;
mod user_url;

pub use address::is_public;
pub use client::{Answer, Client, Limits, Request, SendError};
pub use resolver::{Lookup, NotPublic, guard, guard_with, is_refusal};
pub use tls::client_builder;
pub use user_url::{Fault, UserUrl, same_origin};
