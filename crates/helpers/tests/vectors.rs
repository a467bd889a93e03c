//! Every vector of every helper type that the catalogue has.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use mfh_helpers::catalogue;
use mfh_helpers::vectors::{Vector, Verdict};

#[tokio::test]
async fn every_vector_of_the_catalogue_passes() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let mut failures = Vec::new();
    for registration in catalogue() {
        let type_name = registration.meta.type_name;
        let file = folder.join(format!("{type_name}.jsonl"));
        let lines = std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{type_name} has no vectors"));
        assert!(lines.lines().count() > 0, "{type_name} has no vectors");
        for line in lines.lines() {
            let vector = Vector::parse(line).unwrap();
            let name = vector.name.clone();
            match vector.run().await {
                Verdict::Passed => {}
                verdict => failures.push(format!("{type_name}: {name}: {verdict:?}")),
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
