//! A simulator listening on a free port of this machine.

use std::net::Ipv4Addr;

use anyhow::Context as _;
use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A running simulator; dropping it stops the server at once.
#[derive(Debug)]
pub struct Server {
    origin: String,
    base_path: &'static str,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves `router` on a free local port.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(router: Router, base_path: &'static str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .context("binding a local port for the simulator")?;
        let address = listener.local_addr().context("reading the bound port")?;
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "the simulator's server ended");
            }
        });
        Ok(Self {
            origin: format!("http://{address}"),
            base_path,
            task,
        })
    }

    /// The base URL that a connector is given, without a trailing slash.
    pub fn base_url(&self) -> String {
        format!("{}{}", self.origin, self.base_path)
    }

    /// Scheme, host and port, for the token endpoint and the control paths.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
