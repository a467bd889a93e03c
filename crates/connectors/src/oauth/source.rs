//! The tokens of one connection, renewed when they end.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use mfh_types::Secret;

use super::refresh::{Held, Need, Refresher, Target};
use crate::connector::Result;
use crate::error::{ConnectorError, ErrorKind};
use crate::http::TokenSource;
use crate::registry::known_slug;

/// An access token that renews itself.
#[derive(Debug)]
pub(crate) struct RenewingToken {
    refresher: Arc<Refresher>,
    target: Target,
    held: Mutex<Held>,
}

impl RenewingToken {
    pub(crate) fn new(refresher: Arc<Refresher>, target: Target, held: Held) -> Self {
        Self {
            refresher,
            target,
            held: Mutex::new(held),
        }
    }

    fn held(&self) -> Held {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn renewed(&self, need: &Need) -> Result<Secret> {
        let held = self.refresher.renew(&self.target, need).await?;
        let token = held.token().cloned();
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = held;
        token.ok_or_else(|| {
            let message = format!(
                "The connection to {} has no access token. Sign in again",
                self.target.platform.name
            );
            let slug = known_slug(&self.target.platform.slug);
            ConnectorError::new(slug, ErrorKind::ConnectionReauthRequired, message)
        })
    }
}

#[async_trait]
impl TokenSource for RenewingToken {
    async fn token(&self) -> Result<Secret> {
        let held = self.held();
        match held.token() {
            Some(token) if !held.ends_soon(self.refresher.now()) => Ok(token.clone()),
            _ => self.renewed(&Need::Soon).await,
        }
    }

    async fn refresh(&self, rejected: &Secret) -> Result<Secret> {
        let held = self.held();
        match held.token() {
            // Another call of this process has renewed it meanwhile.
            Some(token) if token != rejected => Ok(token.clone()),
            _ => self.renewed(&Need::Rejected(rejected.clone())).await,
        }
    }
}
