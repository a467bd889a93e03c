//! What connections of this process remember for a few minutes: field definitions, tags, users.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};
use mfh_cache::{Cache, Keep};
use mfh_types::{Clock, ConnectionId};

use crate::connector::Result;
use crate::error::ConnectorError;
use crate::model::{CrmUser, CustomField, Tag};

/// How long an entry is used.
const FRESH: TimeDelta = TimeDelta::minutes(5);
/// An entry this old is loaded again when something is not found in it.
const RELOAD: TimeDelta = TimeDelta::seconds(60);
/// Connections remembered at a time.
const ENTRIES: u64 = 10_000;

/// The lists of each connection, never shared between connections.
#[derive(Debug, Clone)]
pub struct Caches {
    pub(crate) fields: Shelf<Vec<CustomField>>,
    pub(crate) tags: Shelf<Vec<Tag>>,
    pub(crate) users: Shelf<Vec<CrmUser>>,
}

impl Caches {
    /// Empty caches.
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self {
            fields: Shelf::new(clock),
            tags: Shelf::new(clock),
            users: Shelf::new(clock),
        }
    }

    /// Forgets everything about a connection, so that the next call asks the CRM.
    pub async fn forget(&self, connection: &ConnectionId) {
        self.fields.forget(connection).await;
        self.tags.forget(connection).await;
        self.users.forget(connection).await;
    }
}

/// One kind of list. Concurrent loads of one connection are one load, and failures are not remembered.
#[derive(Clone)]
pub(crate) struct Shelf<T> {
    clock: Arc<dyn Clock>,
    entries: Cache<ConnectionId, Arc<Entry<T>>, ConnectorError>,
}

struct Entry<T> {
    loaded_at: DateTime<chrono::Utc>,
    value: Arc<T>,
}

impl<T: Send + Sync + 'static> Shelf<T> {
    fn new(clock: &Arc<dyn Clock>) -> Self {
        // The injected clock decides about age; this bound only frees the memory of idle connections.
        let idle = Duration::from_secs(3_600);
        Self {
            clock: Arc::clone(clock),
            entries: Cache::new(Keep {
                most: Some(ENTRIES),
                age: None,
                idle: Some(idle),
            }),
        }
    }

    /// The list, at most five minutes old.
    pub(crate) async fn get(
        &self,
        connection: &ConnectionId,
        load: impl Future<Output = Result<T>> + Send,
    ) -> Result<Arc<T>> {
        self.not_older_than(FRESH, connection, load).await
    }

    /// The list after something was missing from it, at most a minute old.
    pub(crate) async fn get_newer(
        &self,
        connection: &ConnectionId,
        load: impl Future<Output = Result<T>> + Send,
    ) -> Result<Arc<T>> {
        self.not_older_than(RELOAD, connection, load).await
    }

    /// Makes the next use load the list.
    pub(crate) async fn forget(&self, connection: &ConnectionId) {
        self.entries.forget(connection).await;
    }

    async fn not_older_than(
        &self,
        age: TimeDelta,
        connection: &ConnectionId,
        load: impl Future<Output = Result<T>> + Send,
    ) -> Result<Arc<T>> {
        if let Some(entry) = self.entries.get(connection).await {
            if self.clock.now() - entry.loaded_at < age {
                return Ok(Arc::clone(&entry.value));
            }
            self.entries.forget(connection).await;
        }
        let load = async {
            let loaded_at = self.clock.now();
            let value = Arc::new(load.await?);
            Ok::<_, ConnectorError>(Arc::new(Entry { loaded_at, value }))
        };
        let entry = self.entries.get_or_load(connection, load).await?;
        Ok(Arc::clone(&entry.value))
    }
}

impl<T> fmt::Debug for Shelf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use mfh_types::ManualClock;

    use super::*;
    use crate::error::ErrorKind;

    fn shelf() -> (Arc<ManualClock>, Shelf<u32>, ConnectionId) {
        let clock = Arc::new(ManualClock::at(DateTime::from_timestamp(0, 0).unwrap()));
        let dynamic: Arc<dyn Clock> = clock.clone();
        let id = ConnectionId::parse("test");
        (clock, Shelf::new(&dynamic), id.unwrap())
    }

    #[tokio::test]
    async fn a_list_is_loaded_once_at_a_time_and_again_after_five_minutes() {
        let (clock, shelf, id) = shelf();
        let loads = AtomicU32::new(0);
        let load = || async {
            tokio::task::yield_now().await;
            Ok(loads.fetch_add(1, Ordering::SeqCst))
        };
        let (one, two) = tokio::join!(shelf.get(&id, load()), shelf.get(&id, load()));
        assert_eq!((*one.unwrap(), *two.unwrap()), (0, 0));
        clock.advance(TimeDelta::seconds(61));
        assert_eq!(*shelf.get(&id, load()).await.unwrap(), 0);
        assert_eq!(*shelf.get_newer(&id, load()).await.unwrap(), 1);
        assert_eq!(*shelf.get_newer(&id, load()).await.unwrap(), 1);
        clock.advance(TimeDelta::minutes(5));
        assert_eq!(*shelf.get(&id, load()).await.unwrap(), 2);
        shelf.forget(&id).await;
        assert_eq!(*shelf.get(&id, load()).await.unwrap(), 3);
    }

    #[tokio::test]
    async fn a_failure_is_not_remembered() {
        let (_, shelf, id) = shelf();
        let broken = async { Err(ConnectorError::new("keap", ErrorKind::Network, "down")) };
        assert_eq!(shelf.get(&id, broken).await.unwrap_err().kind, ErrorKind::Network);
        assert_eq!(*shelf.get(&id, async { Ok(7) }).await.unwrap(), 7);
    }
}
