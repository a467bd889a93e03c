//! What `cargo xtask` does: generate derived files, start a new helper, package a binary, measure.

pub mod bench;
pub mod generate;
pub mod new_helper;
pub mod package;

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The folder of the workspace that `start` lies in.
///
/// # Errors
/// No folder above `start` holds a `Cargo.lock`.
pub fn workspace_root(start: &Path) -> anyhow::Result<PathBuf> {
    start
        .ancestors()
        .find(|folder| folder.join("Cargo.lock").is_file())
        .map(Path::to_owned)
        .with_context(|| {
            format!(
                "{} is not inside the workspace; run `cargo xtask` in the repository",
                start.display()
            )
        })
}
