//! `clear_tags`: removes all tags of a contact, or some of them.

use std::collections::HashMap;

use mfh_connectors::TagRef;
use mfh_types::ConfigFault;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{Distinct, FreeText, RawText, TagKey};
use crate::{Category, Context, Failures, Helper, HelperError, Meta, Outcome, register};

/// Removes all tags of a contact, or the ones you list, or those with a name prefix or in a category.
///
/// The mode decides which tags go; settings of the other modes are ignored. A tag that the contact does not carry
/// counts as removed, and a contact without a fitting tag is left as it is. Every tag is tried: when one cannot be
/// removed, the others still are, and the run names those that failed.
///
/// The tags themselves stay in the CRM.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct ClearTags {
    /// Which tags go.
    mode: Mode,
    /// The tags to remove, by id or name; for the mode "specific".
    #[serde(default)]
    tag_ids: Distinct<TagKey>,
    /// How the names of the tags to remove begin; upper and lower case count. For the mode "prefix".
    #[serde(default)]
    prefix: RawText,
    /// The category whose tags go, exactly as in the CRM; for the mode "category".
    category: Option<FreeText>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// The tags you list.
    Specific,
    /// Every tag of the contact.
    All,
    /// Tags whose name begins with the prefix.
    Prefix,
    /// Tags of one category.
    Category,
}

impl Helper for ClearTags {
    const META: Meta = Meta::new(
        "clear_tags",
        "Clear Tags",
        Category::Tagging,
        "Removes all tags of a contact, or the ones you list, or those with a name prefix or in a category.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str = r#"{"mode": "prefix", "prefix": "Webinar: "}"#;

    fn check(&self) -> Vec<ConfigFault> {
        let (field, message, missing) = match self.mode {
            Mode::Specific => (
                "tag_ids",
                "needs at least one tag in the mode \"specific\"",
                self.tag_ids.is_empty(),
            ),
            Mode::Prefix => (
                "prefix",
                "is required in the mode \"prefix\"",
                self.prefix.as_str().is_empty(),
            ),
            Mode::Category => (
                "category",
                "is required in the mode \"category\"",
                self.category.is_none(),
            ),
            Mode::All => return Vec::new(),
        };
        let fault = || ConfigFault {
            field: field.to_owned(),
            message: message.to_owned(),
        };
        missing.then(fault).into_iter().collect()
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let carried = cx.contact().await?.tags.clone().unwrap_or_default();
        let doomed = self.doomed(cx, carried).await?;

        let mut failures = Failures::new();
        for (id, shown) in &doomed {
            failures.note(format!("Tag {shown}"), cx.remove_tag_id(id, shown).await);
        }
        failures.into_result()?;
        Ok(Outcome::done(match doomed.len() {
            0 => "No tag to remove".to_owned(),
            count => format!("{count} tags removed"),
        }))
    }
}

impl ClearTags {
    /// The tags to remove in their order, each once: id, and the name under which results show it.
    async fn doomed(&self, cx: &mut Context<'_>, carried: Vec<TagRef>) -> Result<Vec<(String, String)>, HelperError> {
        let mut doomed: Vec<(String, String)> = Vec::new();
        match self.mode {
            Mode::Specific => {
                for tag in &self.tag_ids {
                    doomed.push((cx.resolve_tag(tag).await?, tag.to_string()));
                }
            }
            Mode::All => doomed.extend(carried.into_iter().map(|tag| (tag.id.clone(), tag.id))),
            Mode::Prefix => {
                let names = names_of(cx, &carried).await?;
                let begins = |tag: &TagRef| {
                    names
                        .get(&tag.id)
                        .is_some_and(|name| name.starts_with(self.prefix.as_str()))
                };
                doomed.extend(carried.into_iter().filter(begins).map(|tag| (tag.id.clone(), tag.id)));
            }
            Mode::Category => {
                let wanted = self.category.as_ref().map(FreeText::as_str);
                let members: Vec<&str> = cx
                    .tags()
                    .await?
                    .iter()
                    .filter(|tag| tag.category.as_deref() == wanted)
                    .map(|tag| tag.id.as_str())
                    .collect();
                let inside = |tag: &TagRef| members.contains(&tag.id.as_str());
                doomed.extend(carried.into_iter().filter(inside).map(|tag| (tag.id.clone(), tag.id)));
            }
        }
        let mut seen = std::collections::HashSet::new();
        doomed.retain(|(id, _)| seen.insert(id.clone()));
        Ok(doomed)
    }
}

/// The names of the contact's tags by id, from the CRM's tag list where the contact came without some.
async fn names_of(cx: &mut Context<'_>, carried: &[TagRef]) -> Result<HashMap<String, String>, HelperError> {
    let mut names: HashMap<String, String> = carried.iter().map(|tag| (tag.id.clone(), tag.name.clone())).collect();
    if names.values().any(String::is_empty) {
        for tag in cx.tags().await? {
            if let Some(name) = names.get_mut(&tag.id)
                && name.is_empty()
            {
                name.clone_from(&tag.name);
            }
        }
    }
    Ok(names)
}

register!(ClearTags);
