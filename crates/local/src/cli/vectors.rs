//! `mfh vectors`: runs helper vectors below a folder and prints a line a failure and the totals.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use mfh_helpers::vectors::{Vector, Verdict};

pub(super) async fn run(folder: &Path) -> anyhow::Result<()> {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for file in files(folder)? {
        let lines = std::fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        for (at, line) in lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let vector = Vector::parse(line).with_context(|| format!("{}, line {}", file.display(), at + 1))?;
            let name = format!("{}: {}", vector.helper_type(), vector.name);
            match vector.run().await {
                Verdict::Passed => passed += 1,
                Verdict::UnknownType(_) => skipped += 1,
                Verdict::Failed(differences) => {
                    failed += 1;
                    println!("FAILED {name}: {}", differences.join("; "));
                }
            }
        }
    }
    println!("{passed} passed, {failed} failed, {skipped} skipped");
    if failed > 0 {
        bail!("{failed} vectors failed");
    }
    Ok(())
}

fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "jsonl") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
