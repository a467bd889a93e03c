//! A new helper: its file from a template that compiles, and the lines that make it known.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use mfh_helpers::Category;
use mfh_types::HelperType;

use crate::generate::MAX_KEBAB_LEN;

/// Where the helpers lie, from the root of the repository.
const SOURCES: &str = "crates/helpers/src";

/// A helper that works; its names are replaced by those of the new one.
const TEMPLATE: &str = include_str!("../templates/helper.rs");

/// Names that mean something else in Rust or in a helper's file.
const RESERVED: [&str; 20] = [
    "abstract",
    "async",
    "await",
    "become",
    "break",
    "category",
    "const",
    "context",
    "crate",
    "final",
    "helper",
    "helper_error",
    "macro",
    "match",
    "meta",
    "outcome",
    "static",
    "super",
    "type",
    "yield",
];

/// Writes the file of a new helper under `root` and names it in its category; answers the files it wrote, the
/// helper's own first.
///
/// # Errors
/// There is no such category, the name cannot be one of a helper type or is taken, or a file cannot be written.
pub fn create(root: &Path, category: &str, type_name: &str) -> anyhow::Result<Vec<PathBuf>> {
    let category = parse_category(category)?;
    check_name(type_name)?;
    check_free(root, type_name)?;

    let folder = root.join(SOURCES).join(category.as_str());
    let helper = folder.join(format!("{type_name}.rs"));
    let module = folder.join("mod.rs");
    let mut written = vec![helper.clone(), module.clone()];
    if !module.exists() {
        let library = root.join(SOURCES).join("lib.rs");
        edit(&library, |text| {
            with_line(text, &format!("pub mod {category};"), "mod ")
        })?;
        fs::create_dir_all(&folder)?;
        fs::write(&module, format!("//! Helpers of the category {category}.\n"))?;
        written.push(library);
    }
    edit(&module, |text| {
        let text = with_line(text, &format!("mod {type_name};"), "mod ");
        let export = format!("pub use {type_name}::{};", camel_case(type_name));
        with_line(&text, &export, "use ")
    })?;
    fs::write(&helper, source(category, type_name)).with_context(|| format!("writing {}", helper.display()))?;
    Ok(written)
}

fn parse_category(name: &str) -> anyhow::Result<Category> {
    Category::ALL
        .into_iter()
        .find(|category| category.as_str() == name)
        .with_context(|| {
            let names = Category::ALL.map(Category::as_str).join(", ");
            format!("there is no category {name}; choose one of: {names}")
        })
}

fn check_name(name: &str) -> anyhow::Result<()> {
    let words_are_whole = name.split('_').all(|word| !word.is_empty());
    ensure!(
        HelperType::parse(name).is_some()
            && words_are_whole
            && name.starts_with(|first: char| first.is_ascii_lowercase()),
        "{name:?} cannot name a helper type; use lower-case words joined by single underscores, such as score_it"
    );
    ensure!(
        !RESERVED.contains(&name),
        "{name} already has a meaning in Rust or in a helper's file; choose another name"
    );
    ensure!(
        name.len() <= MAX_KEBAB_LEN,
        "{name} has {} characters; use at most {MAX_KEBAB_LEN}, so that the name of its worker's IAM role fits into 64",
        name.len()
    );
    Ok(())
}

fn check_free(root: &Path, name: &str) -> anyhow::Result<()> {
    let sources = root.join(SOURCES);
    for category in Category::ALL {
        let file = sources.join(category.as_str()).join(format!("{name}.rs"));
        if file.exists() {
            bail!(
                "the helper type {name} exists: {}; change it there or choose another name",
                file.display()
            );
        }
    }
    ensure!(
        mfh_helpers::find(name).is_none(),
        "the helper type {name} exists; choose another name"
    );
    Ok(())
}

/// The template with the names of the new helper.
fn source(category: Category, type_name: &str) -> String {
    TEMPLATE
        .replace("NewHelper", &camel_case(type_name))
        .replace("new_helper", type_name)
        .replace("New Helper", &words(type_name).join(" "))
        .replace("Category::Data", &format!("Category::{category:?}"))
}

fn camel_case(type_name: &str) -> String {
    words(type_name).concat()
}

/// `hook_it_v2` reads Hook, It, V2.
fn words(type_name: &str) -> Vec<String> {
    type_name
        .split('_')
        .map(|word| {
            let mut letters = word.chars();
            letters
                .next()
                .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        })
        .collect()
}

fn edit(path: &Path, change: impl FnOnce(&str) -> String) -> anyhow::Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    fs::write(path, change(&text)).with_context(|| format!("writing {}", path.display()))
}

/// `text` with `line` in its alphabetical place among the lines that begin with `keyword`, `pub` aside.
fn with_line(text: &str, line: &str, keyword: &str) -> String {
    let name = |line: &str| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix(keyword).map(str::to_owned)
    };
    let mut lines: Vec<&str> = text.lines().collect();
    let group: Vec<usize> = (0..lines.len()).filter(|&at| name(lines[at]).is_some()).collect();
    let later = group.iter().copied().find(|&at| name(lines[at]) > name(line));
    let mut place = match (later, group.last()) {
        (Some(at), _) => at,
        (None, Some(&last)) => last + 1,
        (None, None) => {
            lines.push("");
            lines.len()
        }
    };
    // An attribute belongs to the line below it.
    while later.is_some() && place > 0 && lines[place - 1].starts_with("#[") {
        place -= 1;
    }
    lines.insert(place, line);
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    /// A copy of what `create` reads and changes.
    fn copy_of_helpers() -> TempDir {
        let root = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../helpers/src");
        let to = root.path().join(SOURCES);
        fs::create_dir_all(to.join("tagging")).unwrap();
        for file in ["lib.rs", "tagging/mod.rs", "tagging/tag_it.rs"] {
            fs::copy(from.join(file), to.join(file)).unwrap();
        }
        root
    }

    fn read(root: &TempDir, file: &str) -> String {
        fs::read_to_string(root.path().join(SOURCES).join(file)).unwrap()
    }

    #[test]
    fn a_new_helper_is_known_in_its_category() {
        let root = copy_of_helpers();
        let before = read(&root, "tagging/mod.rs");
        let written = create(root.path(), "tagging", "sort_it_v2").unwrap();
        assert_eq!(written.len(), 2);

        let module = read(&root, "tagging/mod.rs");
        assert!(module.contains("mod score_it;\nmod sort_it_v2;\nmod tag_it;\n"));
        assert!(module.contains("pub use score_it::ScoreIt;\npub use sort_it_v2::SortItV2;\n"));
        assert_eq!(module.lines().count(), before.lines().count() + 2);

        let helper = read(&root, "tagging/sort_it_v2.rs");
        assert!(helper.contains("pub struct SortItV2 {"));
        assert!(helper.contains("impl Helper for SortItV2 {"));
        assert!(helper.contains("\"sort_it_v2\""));
        assert!(helper.contains("\"Sort It V2\""));
        assert!(helper.contains("Category::Tagging"));
        assert!(helper.contains("register!(SortItV2);"));
        for left in ["NewHelper", "new_helper", "New Helper"] {
            assert!(!helper.contains(left), "{left} is left");
        }
    }

    #[test]
    fn the_first_helper_of_a_category_makes_its_folder() {
        let root = copy_of_helpers();
        let library = root.path().join(SOURCES).join("lib.rs");
        fs::write(
            &library,
            "//! Helpers.\n\nmod context;\n#[cfg(test)]\nmod fake;\npub mod tagging;\n",
        )
        .unwrap();
        create(root.path(), "data", "double_it").unwrap();
        assert_eq!(
            read(&root, "lib.rs"),
            "//! Helpers.\n\nmod context;\npub mod data;\n#[cfg(test)]\nmod fake;\npub mod tagging;\n"
        );
        assert_eq!(
            read(&root, "data/mod.rs"),
            "//! Helpers of the category data.\n\nmod double_it;\n\npub use double_it::DoubleIt;\n"
        );
        assert!(read(&root, "data/double_it.rs").contains("Category::Data"));
    }

    #[test]
    fn a_type_that_exists_is_refused_in_every_category() {
        let root = copy_of_helpers();
        for category in ["tagging", "data"] {
            let error = create(root.path(), category, "tag_it").unwrap_err().to_string();
            assert!(error.contains("tag_it exists"), "{error}");
        }
        assert!(!root.path().join(SOURCES).join("data").exists());
    }

    #[test]
    fn bad_names_are_refused_with_a_reason() {
        let root = copy_of_helpers();
        let refused = |name: &str| create(root.path(), "data", name).unwrap_err().to_string();
        for name in [
            "", "Score", "score-it", "score it", "_it", "it_", "a__b", "2_it", "../x",
        ] {
            assert!(refused(name).contains("such as score_it"), "{name}");
        }
        assert!(refused("match").contains("choose another name"));
        assert!(refused("a_name_longer_than_its_role").contains("at most 24"));
    }

    #[test]
    fn an_unknown_category_is_answered_with_the_known_ones() {
        let root = copy_of_helpers();
        let error = create(root.path(), "tags", "new_it").unwrap_err().to_string();
        assert!(error.contains("analytics, automation, contact"), "{error}");
    }
}
