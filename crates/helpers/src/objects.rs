//! Where helpers store what they keep for an account.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

/// An object could not be stored; a repeat may help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectError(pub String);

impl fmt::Display for ObjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ObjectError {}

/// A private, encrypted store of objects by key.
#[async_trait]
pub trait ObjectStore: Send + Sync + fmt::Debug {
    /// Stores an object; one with the same key is replaced.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn put(&self, key: &str, content_type: &str, body: Vec<u8>) -> Result<(), ObjectError>;
}

/// A store in memory: for tests.
#[derive(Debug, Default)]
pub struct MemoryObjects(Mutex<BTreeMap<String, Vec<u8>>>);

impl MemoryObjects {
    /// What is stored, by key.
    pub fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[async_trait]
impl ObjectStore for MemoryObjects {
    async fn put(&self, key: &str, _: &str, body: Vec<u8>) -> Result<(), ObjectError> {
        let mut objects = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        objects.insert(key.to_owned(), body);
        Ok(())
    }
}
