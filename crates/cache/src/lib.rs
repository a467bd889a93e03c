//! Values that are remembered for a while, and loaded once however many ask for them at a time.
//!
//! Each type of a moka cache adds more than 100 KB of code to every function. So there is one, whose keys and values have
//! no type of their own; [`Cache`] gives it back to them.

use std::any::Any;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

type Value = Arc<dyn Any + Send + Sync>;
type Load<'a> = Pin<Box<dyn Future<Output = Result<Value, Value>> + Send + 'a>>;

/// What a cache keeps; no limit where nothing is said.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keep {
    /// So many values at most; those that are used least go first.
    pub most: Option<u64>,
    /// A value at most so long.
    pub age: Option<Duration>,
    /// A value that nobody asks for at most so long.
    pub idle: Option<Duration>,
}

/// Remembers values by keys; clones share them. Loading a value may fail with `E`, which is not remembered.
pub struct Cache<K, V, E = Infallible> {
    entries: moka::future::Cache<Key, Value>,
    types: PhantomData<fn(K) -> Result<V, E>>,
}

impl<K, V, E> Cache<K, V, E>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    /// An empty cache.
    pub fn new(keep: Keep) -> Self {
        Self {
            entries: empty(keep),
            types: PhantomData,
        }
    }

    /// The remembered value.
    pub async fn get(&self, key: &K) -> Option<V> {
        let value = self.entries.get(&Key::of(key)).await?;
        value.downcast_ref::<V>().cloned()
    }

    /// Remembers a value, instead of one of before.
    pub async fn insert(&self, key: &K, value: V) {
        self.entries.insert(Key::of(key), Arc::new(value)).await;
    }

    /// Forgets a value.
    pub async fn forget(&self, key: &K) {
        self.entries.invalidate(&Key::of(key)).await;
    }

    /// The remembered value, or else what `load` gives. Of those who ask for one key at a time one loads, and the others
    /// get what it got.
    ///
    /// # Errors
    /// That of `load`, for all who waited for it.
    pub async fn get_or_load(&self, key: &K, load: impl Future<Output = Result<V, E>> + Send) -> Result<V, E> {
        let load = async {
            match load.await {
                Ok(value) => Ok(Arc::new(value) as Value),
                Err(error) => Err(Arc::new(error) as Value),
            }
        };
        match get_or_load(&self.entries, Key::of(key), Box::pin(load)).await {
            Ok(value) => Ok(typed(&value)),
            Err(error) => Err(typed(&error)),
        }
    }
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// The remembered value, or else a new one, which is the same for all who ask.
    pub async fn get_or_make(&self, key: &K, make: impl FnOnce() -> V + Send) -> V {
        let Ok(value) = self.get_or_load(key, async { Ok(make()) }).await;
        value
    }
}

impl<K, V, E> Clone for Cache<K, V, E> {
    fn clone(&self) -> Self {
        Self {
            entries: self.entries.clone(),
            types: PhantomData,
        }
    }
}

impl<K, V, E> fmt::Debug for Cache<K, V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("entries", &self.entries.entry_count())
            .finish_non_exhaustive()
    }
}

// These two are not generic, so that the code of the cache is there once.

fn empty(keep: Keep) -> moka::future::Cache<Key, Value> {
    let mut builder = moka::future::Cache::builder();
    if let Some(most) = keep.most {
        builder = builder.max_capacity(most);
    }
    if let Some(age) = keep.age {
        builder = builder.time_to_live(age);
    }
    if let Some(idle) = keep.idle {
        builder = builder.time_to_idle(idle);
    }
    builder.build()
}

async fn get_or_load(entries: &moka::future::Cache<Key, Value>, key: Key, load: Load<'_>) -> Result<Value, Value> {
    entries
        .try_get_with(key, load)
        .await
        .map_err(|error| Value::clone(&error))
}

fn typed<T: Clone + 'static>(value: &Value) -> T {
    let value = value.downcast_ref::<T>();
    value.cloned().expect("a cache holds nothing but values of its types")
}

/// A key of any type.
struct Key(Box<dyn AnyKey>);

impl Key {
    fn of<K: Hash + Eq + Clone + Send + Sync + 'static>(key: &K) -> Self {
        Self(Box::new(key.clone()))
    }
}

trait AnyKey: Any + Send + Sync {
    fn is(&self, other: &dyn Any) -> bool;
    fn feed(&self, hasher: &mut dyn Hasher);
}

impl<K: Hash + Eq + Send + Sync + 'static> AnyKey for K {
    fn is(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<K>().is_some_and(|other| self == other)
    }

    fn feed(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        let other: &dyn AnyKey = &*other.0;
        (*self.0).is(other as &dyn Any)
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.feed(state);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn values_are_told_apart_by_the_whole_key() {
        let cache = Cache::<(String, u64), &str>::new(Keep::default());
        let key = |name: &str, n| (name.to_owned(), n);
        cache.insert(&key("a", 1), "one").await;
        assert_eq!(cache.get(&key("a", 1)).await, Some("one"));
        assert_eq!(
            (cache.get(&key("a", 2)).await, cache.get(&key("b", 1)).await),
            (None, None)
        );
        cache.insert(&key("a", 1), "other").await;
        assert_eq!(cache.clone().get(&key("a", 1)).await, Some("other"));
        cache.forget(&key("a", 1)).await;
        assert_eq!(cache.get(&key("a", 1)).await, None);
    }

    #[tokio::test]
    async fn those_who_ask_at_a_time_get_one_load_and_its_failure_is_not_remembered() {
        let cache = Cache::<u8, String, String>::new(Keep::default());
        let loads = AtomicU32::new(0);
        let load = |answer: Result<&'static str, &'static str>| {
            let loads = &loads;
            async move {
                tokio::task::yield_now().await;
                let n = loads.fetch_add(1, Ordering::SeqCst);
                answer
                    .map(|text| format!("{text} {n}"))
                    .map_err(|text| format!("{text} {n}"))
            }
        };
        let all = futures::future::join_all((0..8).map(|_| cache.get_or_load(&1, load(Err("no"))))).await;
        assert_eq!(all, vec![Err("no 0".to_owned()); 8]);
        let all = futures::future::join_all((0..8).map(|_| cache.get_or_load(&1, load(Ok("yes"))))).await;
        assert_eq!(all, vec![Ok("yes 1".to_owned()); 8]);
        assert_eq!(cache.get(&1).await.as_deref(), Some("yes 1"));
    }

    #[tokio::test]
    async fn a_value_that_is_made_is_the_same_for_all() {
        let cache = Cache::<&str, Arc<AtomicU32>>::new(Keep {
            most: Some(10),
            age: Some(Duration::from_secs(60)),
            idle: Some(Duration::from_secs(60)),
        });
        let one = cache.get_or_make(&"a", Arc::default).await;
        let other = cache.get_or_make(&"a", || unreachable!("it is there")).await;
        assert!(Arc::ptr_eq(&one, &other));
        assert!(!Arc::ptr_eq(&one, &cache.get_or_make(&"b", Arc::default).await));
    }
}
