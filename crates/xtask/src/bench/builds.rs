//! How long builds take: everything anew, and after a change of one helper.

use std::fs::File;
use std::path::Path;
use std::time::{Instant, SystemTime};

use anyhow::ensure;
use serde_json::{Value, json};

use super::rounded;
use crate::package;

/// The file whose change is built.
const CHANGED: &str = "crates/helpers/src/tagging/tag_it.rs";

/// Builds into a folder of its own. The sources are not changed, only the time of one file.
pub(super) fn measure(root: &Path) -> anyhow::Result<Value> {
    let folder = tempfile::tempdir()?;
    let build = |arguments: &[&str]| -> anyhow::Result<f64> {
        eprintln!("cargo build {} …", arguments.join(" "));
        let began = Instant::now();
        let status = package::cargo(root)
            .args(["build", "--quiet", "--locked", "--target-dir"])
            .arg(folder.path())
            .args(arguments)
            .status()?;
        ensure!(status.success(), "cargo build {} failed", arguments.join(" "));
        Ok(rounded(began.elapsed().as_secs_f64()))
    };
    let touch = || {
        File::options()
            .append(true)
            .open(root.join(CHANGED))?
            .set_modified(SystemTime::now())
    };

    let (mfh, worker) = (["--package", "mfh-local"], ["--package", "mfh-tag-it-worker"]);
    let clean_mfh = build(&mfh)?;
    let further_worker = build(&worker)?;
    touch()?;
    let changed_mfh = build(&mfh)?;
    let changed_worker = build(&worker)?;
    let lambda: Vec<&str> = ["--profile", "lambda"].into_iter().chain(worker).collect();
    let clean_lambda = build(&lambda)?;
    touch()?;
    let changed_lambda = build(&lambda)?;
    Ok(json!({
        "unit": "seconds", "changed_file": CHANGED,
        "dev": {
            "mfh_clean": clean_mfh, "worker_after_mfh": further_worker,
            "mfh_after_change": changed_mfh, "worker_after_change": changed_worker,
        },
        "lambda": { "worker_clean": clean_lambda, "worker_after_change": changed_lambda },
    }))
}
