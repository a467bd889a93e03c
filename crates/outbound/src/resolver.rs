//! The DNS resolver that gives public addresses only.

use std::error::Error;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::address::is_public;

/// A name stands for no public address. The text is for logs; it does not say which address it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host has no public address")]
pub struct NotPublic;

/// What a name stands for; tests answer by themselves.
#[async_trait]
pub trait Lookup: Send + Sync + fmt::Debug {
    /// All addresses of a host name.
    ///
    /// # Errors
    /// When the name cannot be resolved.
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of the system.
#[derive(Debug, Clone, Copy)]
struct System;

#[async_trait]
impl Lookup for System {
    async fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    }
}

/// Leaves out what is not public.
#[derive(Debug, Clone)]
struct Guarded(Arc<dyn Lookup>);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = Arc::clone(&self.0);
        Box::pin(async move {
            let mut addresses = lookup.addresses(name.as_str()).await?;
            addresses.retain(|address| is_public(*address));
            if addresses.is_empty() {
                return Err(NotPublic.into());
            }
            // The port of the request takes the place of 0.
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// Makes a client connect to public addresses only: by https, without redirects, and never through a proxy.
///
/// A client takes an IP address in a URL as it is: every URL must have been a [`UserUrl`](crate::UserUrl).
pub fn guard(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    guard_with(builder, Arc::new(System))
}

/// The same with names resolved by `lookup`.
pub fn guard_with(builder: reqwest::ClientBuilder, lookup: Arc<dyn Lookup>) -> reqwest::ClientBuilder {
    builder
        .https_only(true)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .dns_resolver(Arc::new(Guarded(lookup)))
}

/// Whether a request failed because its host has no public address.
pub fn is_refusal(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return true;
        }
        cause = error.source();
    }
    false
}
