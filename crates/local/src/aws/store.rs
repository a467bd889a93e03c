//! Files that survive a kill: each is written beside its old version and then renamed over it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::fault::Fault;

/// Replaces a file in one step; only its owner can read it.
pub(super) fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let mut file = create_private(Path::new(&beside))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The bytes of a key file, made by `generate` when it does not exist yet.
pub(super) fn key_file(path: &Path, generate: impl FnOnce() -> anyhow::Result<Vec<u8>>) -> anyhow::Result<Vec<u8>> {
    match fs::read(path) {
        Ok(bytes) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let bytes = generate()?;
            write_atomically(path, &bytes).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(bytes)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// A value that lives in memory and is written to a JSON file whenever it changes.
pub(super) struct JsonFile<T> {
    path: PathBuf,
    saved: Mutex<Saved<T>>,
}

struct Saved<T> {
    value: T,
    bytes: Vec<u8>,
}

impl<T: Serialize + DeserializeOwned + Clone> JsonFile<T> {
    /// Reads the file; without one, starts with `initial`.
    pub(super) fn open(path: PathBuf, initial: impl FnOnce() -> T) -> anyhow::Result<Self> {
        let (value, bytes) = match fs::read(&path) {
            Ok(bytes) => {
                let value = serde_json::from_slice(&bytes).with_context(|| format!("{} is damaged", path.display()))?;
                (value, bytes)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => (initial(), Vec::new()),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let saved = Mutex::new(Saved { value, bytes });
        Ok(Self { path, saved })
    }

    /// Looks at the value.
    pub(super) fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock().value)
    }

    /// Changes the value and saves what changed, also when `change` ends with a fault: a wrong password is such a
    /// fault that must be counted. If the file cannot be written, nothing changes.
    pub(super) fn change<R>(&self, change: impl FnOnce(&mut T) -> Result<R, Fault>) -> Result<R, Fault> {
        let mut saved = self.lock();
        let mut value = saved.value.clone();
        let result = change(&mut value);
        let bytes = serde_json::to_vec_pretty(&value).map_err(|error| Fault::internal(&self.path, &error))?;
        if bytes != saved.bytes {
            write_atomically(&self.path, &bytes).map_err(|error| Fault::internal(&self.path, &error))?;
            *saved = Saved { value, bytes };
        }
        result
    }

    fn lock(&self) -> MutexGuard<'_, Saved<T>> {
        // A panic in `change` leaves the saved value untouched, so a poisoned lock holds good data.
        self.saved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_on_disk_when_it_returns_and_a_fault_keeps_what_it_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("numbers.json");
        let file = JsonFile::open(path.clone(), Vec::new).unwrap();
        file.change(|numbers: &mut Vec<u32>| {
            numbers.push(1);
            Ok(())
        })
        .ok()
        .unwrap();
        let refused: Result<(), Fault> = file.change(|numbers| {
            numbers.push(2);
            Err(Fault::new("Refused", "no"))
        });
        assert!(refused.is_err());
        let again: JsonFile<Vec<u32>> = JsonFile::open(path.clone(), Vec::new).unwrap();
        assert_eq!(again.read(Clone::clone), [1, 2]);

        fs::write(&path, "[1,").unwrap();
        assert!(JsonFile::<Vec<u32>>::open(path, Vec::new).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_key_file_is_made_once_and_private() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        assert_eq!(key_file(&path, || Ok(vec![7])).unwrap(), [7]);
        assert_eq!(key_file(&path, || Ok(vec![8])).unwrap(), [7]);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
