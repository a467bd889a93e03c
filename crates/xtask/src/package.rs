//! Lambda packages: one release binary in a zip that is the same for the same binary.

use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// For which processor a binary is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// That of this machine, for `mfh invoke` and for measuring.
    Host,
    /// Lambda's, through `cargo lambda`.
    Arm64,
}

/// The profile of what runs on Lambda.
const LAMBDA: &str = "lambda";

/// A finished package.
#[derive(Debug)]
pub struct Package {
    /// The zip.
    pub path: PathBuf,
    /// Bytes of the binary.
    pub binary_len: u64,
    /// Bytes of the zip.
    pub zip_len: u64,
}

/// Where a binary of the workspace comes from.
#[derive(Debug, PartialEq, Eq)]
struct Binary {
    package: String,
    name: String,
    target: PathBuf,
}

/// Builds `binary` as it is uploaded and packs it into `target/lambda/<binary>/bootstrap.zip` under `root`.
///
/// # Errors
/// There is no such binary, the build fails, or the package cannot be written.
pub fn package(root: &Path, binary: &str, architecture: Architecture) -> anyhow::Result<Package> {
    let binary = find(&metadata(root)?, binary)?;
    let folder = root.join("target/lambda").join(&binary.name);
    fs::create_dir_all(&folder)?;
    let built = match architecture {
        Architecture::Host => build_for_host(root, &binary, LAMBDA)?,
        Architecture::Arm64 => build_for_arm64(root, &binary)?,
    };
    let executable = fs::read(&built).with_context(|| format!("reading the built {}", built.display()))?;
    let zipped = bootstrap_zip(&executable)?;
    let path = folder.join("bootstrap.zip");
    fs::write(&path, &zipped).with_context(|| format!("writing {}", path.display()))?;
    Ok(Package {
        path,
        binary_len: executable.len() as u64,
        zip_len: zipped.len() as u64,
    })
}

/// Builds `binary` for release on this machine; its path.
///
/// # Errors
/// There is no such binary, or the build fails.
pub(crate) fn build_release(root: &Path, binary: &str) -> anyhow::Result<PathBuf> {
    build_for_host(root, &find(&metadata(root)?, binary)?, "release")
}

/// Builds `binary` as it runs on Lambda, but for this machine; its path.
///
/// # Errors
/// There is no such binary, or the build fails.
pub(crate) fn build_function(root: &Path, binary: &str) -> anyhow::Result<PathBuf> {
    build_for_host(root, &find(&metadata(root)?, binary)?, LAMBDA)
}

/// The cargo that runs this program, in the workspace.
pub(crate) fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root);
    command
}

fn metadata(root: &Path) -> anyhow::Result<Value> {
    let output = cargo(root)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .output()
        .context("starting cargo metadata")?;
    ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Finds the package that builds `name`; binary names are unique in the workspace.
fn find(metadata: &Value, name: &str) -> anyhow::Result<Binary> {
    let target = metadata["target_directory"]
        .as_str()
        .context("cargo metadata names no target directory")?;
    let mut others = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        for candidate in binaries(package) {
            if candidate == name {
                return Ok(Binary {
                    package: package["name"].as_str().unwrap_or(name).to_owned(),
                    name: name.to_owned(),
                    target: target.into(),
                });
            }
            others.push(candidate);
        }
    }
    others.sort_unstable();
    bail!("no binary is called {name}; choose one of: {}", others.join(", "))
}

fn binaries(package: &Value) -> impl Iterator<Item = &str> {
    let is_binary = |target: &&Value| {
        target["kind"]
            .as_array()
            .is_some_and(|kinds| kinds.iter().any(|kind| kind == "bin"))
    };
    package["targets"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(is_binary)
        .filter_map(|target| target["name"].as_str())
}

/// Only the package is selected: with the whole workspace a worker would hold the helpers of all workers.
fn build_for_host(root: &Path, binary: &Binary, profile: &str) -> anyhow::Result<PathBuf> {
    let status = cargo(root)
        .args(["build", "--profile", profile, "--locked"])
        .args(["--package", &binary.package, "--bin", &binary.name])
        .status()
        .context("starting cargo build")?;
    ensure!(status.success(), "building {} failed", binary.name);
    Ok(binary
        .target
        .join(profile)
        .join(format!("{}{}", binary.name, env::consts::EXE_SUFFIX)))
}

fn build_for_arm64(root: &Path, binary: &Binary) -> anyhow::Result<PathBuf> {
    let built = binary.target.join("lambda-arm64");
    let status = cargo(root)
        .args(["lambda", "build", "--profile", LAMBDA, "--arm64", "--locked"])
        .args(["--package", &binary.package, "--bin", &binary.name])
        .arg("--lambda-dir")
        .arg(&built)
        .status()
        .context("starting cargo lambda")?;
    ensure!(
        status.success(),
        "building {} for arm64 failed; if cargo knows no command `lambda`, \
         install it with `pip install cargo-lambda` and run `rustup target add aarch64-unknown-linux-gnu`",
        binary.name
    );
    Ok(built.join(&binary.name).join("bootstrap"))
}

/// The zip that Lambda runs: exactly one file `bootstrap`, executable, with the earliest time a zip can hold.
fn bootstrap_zip(executable: &[u8]) -> anyhow::Result<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default())
        .unix_permissions(0o755);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file("bootstrap", options)?;
    zip.write_all(executable)?;
    Ok(zip.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use serde_json::json;
    use zip::ZipArchive;

    use super::*;

    fn workspace() -> Value {
        json!({
            "target_directory": "/build",
            "packages": [
                {"name": "mfh-types", "targets": [{"kind": ["lib"], "name": "mfh_types"}]},
                {"name": "mfh-stream-router", "targets": [
                    {"kind": ["bin"], "name": "mfh-stream-router"},
                    {"kind": ["bin"], "name": "mfh-sweeper"},
                ]},
            ],
        })
    }

    #[test]
    fn a_binary_is_found_in_the_package_that_builds_it() {
        let found = find(&workspace(), "mfh-sweeper").unwrap();
        assert_eq!(found.package, "mfh-stream-router");
        assert_eq!(found.target, Path::new("/build"));
    }

    #[test]
    fn an_unknown_binary_is_answered_with_the_known_ones() {
        let error = find(&workspace(), "mfh_types").unwrap_err().to_string();
        assert_eq!(
            error,
            "no binary is called mfh_types; choose one of: mfh-stream-router, mfh-sweeper"
        );
    }

    #[test]
    fn the_package_holds_one_executable_called_bootstrap() {
        let zipped = bootstrap_zip(b"\x7fELF program").unwrap();
        let mut archive = ZipArchive::new(Cursor::new(zipped)).unwrap();
        assert_eq!(archive.len(), 1);
        let mut file = archive.by_index(0).unwrap();
        assert_eq!(file.name(), "bootstrap");
        assert_eq!(file.unix_mode().unwrap() & 0o777, 0o755);
        assert_eq!(file.last_modified(), Some(DateTime::default()));
        let mut contents = Vec::new();
        file.read_to_end(&mut contents).unwrap();
        assert_eq!(contents, b"\x7fELF program");
    }

    #[test]
    fn equal_binaries_give_equal_packages() {
        let binary: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        assert_eq!(bootstrap_zip(&binary).unwrap(), bootstrap_zip(&binary).unwrap());
    }
}
