//! The data folder: one instance at a time, and a sentence for everything that can be wrong with it.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// The layout of the folder that this version reads and writes.
const FORMAT: u32 = 1;

/// What a running instance tells other commands about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its process.
    pub pid: u32,
    /// Its address, such as `http://127.0.0.1:8080`.
    pub url: String,
}

/// The folder while this process holds it.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    // Held for its lock, which the system lets go when the process ends, however it ends.
    _lock: File,
}

impl DataDir {
    /// Takes the folder for this process, creating it when there is none.
    ///
    /// # Errors
    /// A sentence that says what to do: another instance runs, another version wrote the folder, no permission.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(path).with_context(|| {
            format!(
                "The data folder {} cannot be created. Choose another with --data-dir",
                path.display()
            )
        })?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join("lock"))
            .with_context(|| {
                format!(
                    "The data folder {} cannot be written. Choose another with --data-dir",
                    path.display()
                )
            })?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => bail!(
                "Another mfh{} uses the data folder {}. Stop it, or start this one with --data-dir <folder> --port <port>",
                running(path).map_or_else(String::new, |instance| format!(
                    " ({}, process {})",
                    instance.url, instance.pid
                )),
                path.display()
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("The data folder {} cannot be locked", path.display()));
            }
        }
        let folder = Self {
            path: path.to_owned(),
            _lock: lock,
        };
        folder.check_format()?;
        Ok(folder)
    }

    /// Deletes everything in the folder but the lock.
    ///
    /// # Errors
    /// When something in it cannot be deleted.
    pub fn reset(&self) -> anyhow::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name == "lock") {
                continue;
            }
            let deleted = if path.is_dir() {
                fs::remove_dir_all(&path)
            } else {
                fs::remove_file(&path)
            };
            deleted.with_context(|| format!("{} cannot be deleted", path.display()))?;
        }
        self.check_format()
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of something in the folder.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Tells other commands where this instance listens.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn announce(&self, url: &str) -> anyhow::Result<()> {
        let instance = Instance {
            pid: std::process::id(),
            url: url.to_owned(),
        };
        fs::write(self.join("instance.json"), serde_json::to_vec_pretty(&instance)?)?;
        Ok(())
    }

    fn check_format(&self) -> anyhow::Result<()> {
        let file = self.join("format");
        match fs::read_to_string(&file) {
            Ok(text) if text.trim() == FORMAT.to_string() => Ok(()),
            Ok(text) => bail!(
                "The data folder {} has the format {:?}, this mfh reads format {FORMAT}. \
                 Start with --reset to begin anew, or with --data-dir <folder>",
                self.path.display(),
                text.trim()
            ),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                fs::write(&file, FORMAT.to_string())?;
                Ok(())
            }
            Err(error) => Err(error).with_context(|| format!("{} cannot be read", file.display())),
        }
    }
}

/// The instance that announced itself in the folder, whether it still runs or not.
pub fn running(path: &Path) -> Option<Instance> {
    serde_json::from_slice(&fs::read(path.join("instance.json")).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_instance_is_told_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let first = DataDir::open(folder.path()).unwrap();
        first.announce("http://127.0.0.1:8080").unwrap();
        let error = DataDir::open(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("http://127.0.0.1:8080") && error.contains("--data-dir"),
            "{error}"
        );
        drop(first);
        assert!(DataDir::open(folder.path()).is_ok());
    }

    #[test]
    fn another_format_is_refused_until_it_is_reset() {
        let folder = tempfile::tempdir().unwrap();
        drop(DataDir::open(folder.path()).unwrap());
        fs::write(folder.path().join("format"), "99").unwrap();
        let error = DataDir::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("--reset"), "{error}");
    }
}
