//! Buckets and objects as files.
//!
//! Each object is two files in the folder of its bucket, both named after the hash of the key, so that no key can
//! leave the folder: the content, under a new name for each version, and a JSON sidecar that names the content.
//! Renaming the sidecar into place is what makes a new version valid.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use anyhow::Context;
use aws_lc_rs::digest::{SHA256, digest};
use http::StatusCode;
use mfh_types::{Clock, Random, TimestampMs};
use serde::{Deserialize, Serialize};

use super::S3Error;
use crate::aws::store::write_atomically;

/// All buckets; what the sidecars say is also kept in memory.
pub(super) struct Folder {
    root: PathBuf,
    buckets: RwLock<BTreeMap<String, Objects>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// The objects of a bucket by key, which is the order of listings.
type Objects = BTreeMap<String, Object>;

/// The sidecar of an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Object {
    pub(super) key: String,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified_at: TimestampMs,
    /// Headers that come back with the object.
    pub(super) headers: BTreeMap<String, String>,
    /// The file with the content.
    content: String,
}

impl Object {
    pub(super) fn quoted_etag(&self) -> String {
        format!("\"{}\"", self.etag)
    }
}

/// What to list; empty texts mean "none".
pub(super) struct ListRequest<'a> {
    pub(super) prefix: &'a str,
    pub(super) delimiter: &'a str,
    pub(super) after: &'a str,
    pub(super) limit: usize,
}

/// A page of a listing.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) objects: Vec<Object>,
    pub(super) common_prefixes: Vec<String>,
    /// Where the next page begins, if there is one.
    pub(super) next: Option<String>,
}

impl Folder {
    pub(super) fn open(root: &Path, clock: Arc<dyn Clock>, random: Arc<dyn Random>) -> anyhow::Result<Self> {
        let reading = || format!("cannot read {}", root.display());
        fs::create_dir_all(root).with_context(|| format!("cannot create {}", root.display()))?;
        let mut buckets = BTreeMap::new();
        for entry in fs::read_dir(root).with_context(reading)? {
            let entry = entry.with_context(reading)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() && is_bucket_name(&name) {
                buckets.insert(name, load_bucket(&entry.path())?);
            }
        }
        Ok(Self {
            root: root.to_owned(),
            buckets: RwLock::new(buckets),
            clock,
            random,
        })
    }

    pub(super) fn buckets(&self) -> Vec<String> {
        self.read().keys().cloned().collect()
    }

    pub(super) fn check_bucket(&self, bucket: &str) -> Result<(), S3Error> {
        self.read().get(bucket).map(|_| ()).ok_or_else(no_such_bucket)
    }

    pub(super) fn create_bucket(&self, bucket: &str) -> Result<(), S3Error> {
        if !is_bucket_name(bucket) {
            return Err(S3Error::new(
                StatusCode::BAD_REQUEST,
                "InvalidBucketName",
                "A bucket name has 3 to 63 lower-case letters, digits, dots and hyphens.",
            ));
        }
        let mut buckets = self.write();
        if buckets.contains_key(bucket) {
            return Err(S3Error::new(
                StatusCode::CONFLICT,
                "BucketAlreadyOwnedByYou",
                "The bucket already exists.",
            ));
        }
        fs::create_dir_all(self.root.join(bucket))?;
        buckets.insert(bucket.to_owned(), Objects::new());
        Ok(())
    }

    pub(super) fn delete_bucket(&self, bucket: &str) -> Result<(), S3Error> {
        let mut buckets = self.write();
        let objects = buckets.get(bucket).ok_or_else(no_such_bucket)?;
        if !objects.is_empty() {
            return Err(S3Error::new(
                StatusCode::CONFLICT,
                "BucketNotEmpty",
                "The bucket still holds objects; delete them first.",
            ));
        }
        fs::remove_dir_all(self.root.join(bucket))?;
        buckets.remove(bucket);
        Ok(())
    }

    /// Stores an object in place of its old version; `only_new` refuses to replace one.
    pub(super) fn put(
        &self,
        bucket: &str,
        key: &str,
        body: &[u8],
        headers: BTreeMap<String, String>,
        only_new: bool,
    ) -> Result<Object, S3Error> {
        self.check_bucket(bucket)?;
        let folder = self.root.join(bucket);
        let name = file_name(key);
        let object = Object {
            key: key.to_owned(),
            size: body.len() as u64,
            etag: format!("{:x}", md5::compute(body)),
            modified_at: TimestampMs::now(&*self.clock),
            headers,
            content: format!("{name}.{}", self.random.hex(8)),
        };
        let sidecar = serde_json::to_vec(&object).map_err(io::Error::from)?;
        write_atomically(&folder.join(&object.content), body)?;

        let mut buckets = self.write();
        let committed = match buckets.get_mut(bucket) {
            None => Err(no_such_bucket()),
            Some(objects) if only_new && objects.contains_key(key) => Err(S3Error::new(
                StatusCode::PRECONDITION_FAILED,
                "PreconditionFailed",
                "An object with this key exists already.",
            )),
            Some(objects) => write_atomically(&folder.join(format!("{name}.json")), &sidecar)
                .map(|()| objects.insert(key.to_owned(), object.clone()))
                .map_err(S3Error::from),
        };
        let useless = match &committed {
            Ok(old) => old.as_ref().map(|old| &old.content),
            Err(_) => Some(&object.content),
        };
        if let Some(useless) = useless {
            remove_content(&folder.join(useless));
        }
        committed.map(|_| object)
    }

    /// An object and its open content, which stays readable when the object is replaced meanwhile.
    pub(super) fn open_object(&self, bucket: &str, key: &str) -> Result<(Object, File), S3Error> {
        let buckets = self.read();
        let objects = buckets.get(bucket).ok_or_else(no_such_bucket)?;
        let object = objects
            .get(key)
            .ok_or_else(|| S3Error::new(StatusCode::NOT_FOUND, "NoSuchKey", "The specified key does not exist."))?;
        let file = File::open(self.root.join(bucket).join(&object.content))?;
        Ok((object.clone(), file))
    }

    /// Deletes an object; one that does not exist is deleted already.
    pub(super) fn delete(&self, bucket: &str, key: &str) -> Result<(), S3Error> {
        let mut buckets = self.write();
        let objects = buckets.get_mut(bucket).ok_or_else(no_such_bucket)?;
        if let Some(object) = objects.get(key) {
            let folder = self.root.join(bucket);
            fs::remove_file(folder.join(format!("{}.json", file_name(key))))?;
            remove_content(&folder.join(&object.content));
            objects.remove(key);
        }
        Ok(())
    }

    pub(super) fn list(&self, bucket: &str, request: &ListRequest) -> Result<Listing, S3Error> {
        let buckets = self.read();
        let objects = buckets.get(bucket).ok_or_else(no_such_bucket)?;
        let mut listing = Listing::default();
        let mut last: Option<String> = None;
        let mut count = 0;
        let from = (Bound::Included(request.prefix), Bound::Unbounded);
        let matching = objects
            .range::<str, _>(from)
            .take_while(|(key, _)| key.starts_with(request.prefix));
        for (key, object) in matching {
            let common_prefix = request.common_prefix(key);
            let entry = common_prefix.unwrap_or(key);
            if entry <= request.after || last.as_deref() == Some(entry) {
                continue;
            }
            if count == request.limit {
                listing.next = last;
                break;
            }
            count += 1;
            last = Some(entry.to_owned());
            match common_prefix {
                Some(prefix) => listing.common_prefixes.push(prefix.to_owned()),
                None => listing.objects.push(object.clone()),
            }
        }
        Ok(listing)
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Objects>> {
        self.buckets.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Objects>> {
        self.buckets.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ListRequest<'_> {
    /// The part of the key up to the first delimiter after the prefix.
    fn common_prefix<'k>(&self, key: &'k str) -> Option<&'k str> {
        if self.delimiter.is_empty() {
            return None;
        }
        let rest = &key[self.prefix.len()..];
        let end = rest.find(self.delimiter)? + self.delimiter.len();
        Some(&key[..self.prefix.len() + end])
    }
}

/// The bytes from `start` up to, but without, `end`.
pub(super) fn read_range(mut file: File, start: u64, end: u64) -> Result<Vec<u8>, S3Error> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(end - start).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Reads the sidecars of a bucket and removes content that none of them names: a kill left it behind.
fn load_bucket(folder: &Path) -> anyhow::Result<Objects> {
    let mut objects = Objects::new();
    let mut others = HashSet::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".json") {
            others.insert(name);
            continue;
        }
        let path = folder.join(&name);
        let object: Object =
            serde_json::from_slice(&fs::read(&path)?).with_context(|| format!("{} is damaged", path.display()))?;
        objects.insert(object.key.clone(), object);
    }
    for object in objects.values() {
        others.remove(&object.content);
    }
    for name in others {
        remove_content(&folder.join(name));
    }
    Ok(objects)
}

fn remove_content(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(path = %path.display(), %error, "cannot remove unused content");
    }
}

fn file_name(key: &str) -> String {
    hex::encode(digest(&SHA256, key.as_bytes()))
}

/// The rules also keep the name inside the folder: no slash, and no dot first.
fn is_bucket_name(name: &str) -> bool {
    let is_inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let is_outer = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = name.as_bytes();
    (3..=63).contains(&bytes.len())
        && bytes.iter().copied().all(is_inner)
        && is_outer(bytes.first())
        && is_outer(bytes.last())
        && !name.contains("..")
}

fn no_such_bucket() -> S3Error {
    S3Error::new(
        StatusCode::NOT_FOUND,
        "NoSuchBucket",
        "The specified bucket does not exist",
    )
}

impl From<io::Error> for S3Error {
    fn from(error: io::Error) -> Self {
        tracing::error!(%error, "object store");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            "The file cannot be read or written; see the log of mfh.",
        )
    }
}

#[cfg(test)]
mod tests {
    use mfh_types::{SeededRandom, SystemClock};

    use super::*;

    fn open(root: &Path) -> Folder {
        Folder::open(root, Arc::new(SystemClock), Arc::new(SeededRandom::new(1))).unwrap()
    }

    #[test]
    fn content_that_a_kill_left_behind_is_removed_and_the_object_keeps_its_old_version() {
        let dir = tempfile::tempdir().unwrap();
        let folder = open(dir.path());
        folder.create_bucket("data").unwrap();
        folder.put("data", "k", b"old", BTreeMap::new(), false).unwrap();
        let half = dir.path().join("data").join(format!("{}.0123", file_name("k")));
        fs::write(&half, b"ne").unwrap();

        let folder = open(dir.path());
        let (object, file) = folder.open_object("data", "k").unwrap();
        assert_eq!(read_range(file, 0, object.size).unwrap(), b"old");
        assert!(!half.exists());
    }

    #[test]
    fn replaced_and_refused_versions_leave_no_files() {
        let dir = tempfile::tempdir().unwrap();
        let folder = open(dir.path());
        folder.create_bucket("data").unwrap();
        for body in [b"one", b"two"] {
            folder.put("data", "k", body, BTreeMap::new(), false).unwrap();
        }
        let refused = folder.put("data", "k", b"three", BTreeMap::new(), true);
        assert_eq!(refused.unwrap_err().code, "PreconditionFailed");
        assert_eq!(fs::read_dir(dir.path().join("data")).unwrap().count(), 2);
        folder.delete("data", "k").unwrap();
        assert_eq!(fs::read_dir(dir.path().join("data")).unwrap().count(), 0);
    }

    #[test]
    fn bucket_names_cannot_leave_the_folder() {
        for bad in ["..", "a/b", "../x", ".hidden", "ab", "Upper", "a..b", "x-"] {
            assert!(!is_bucket_name(bad), "{bad}");
        }
        assert!(is_bucket_name("mfh-dev-data.1"));
    }
}
