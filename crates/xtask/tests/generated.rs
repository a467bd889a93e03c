//! The generated files in the repository are those that the code asks for.

use std::path::Path;

use xtask::{generate, workspace_root};

#[test]
fn generated_files_are_up_to_date() -> anyhow::Result<()> {
    let root = workspace_root(Path::new(env!("CARGO_MANIFEST_DIR")))?;
    let found = generate::drift(&root, &generate::all())?;
    assert!(found.is_empty(), "run `cargo xtask gen`: {found:?}");
    Ok(())
}
