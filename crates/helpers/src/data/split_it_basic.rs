//! `split_it_basic`: sends contacts alternately to two groups.

use mfh_types::ConfigFault;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::required;
use super::split::Variant;
use crate::settings::{GoalKey, IntegrationKey, TagKey};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register};

/// Sends contacts alternately to group A and group B.
///
/// Each run takes the other group than the run before, whichever contact it is for, and applies the tag or achieves the
/// goal of that group. The group of the last run is kept by the helper; the setting only says where to start.
///
/// A tag is taken off first and then applied, so that campaigns that wait for it start again for contacts that have it
/// already. The tag of the other group stays. Goals exist in Keap only.
///
/// Split It divides into up to five variants and can remember the variant on the contact.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct SplitItBasic {
    /// Whether a group is a tag or a goal.
    split_type: Option<SplitType>,
    /// The group before the first run; the first contact gets the other one.
    last_group: Option<Group>,
    /// The tag of group A.
    split_tag_a: Option<TagKey>,
    /// The tag of group B.
    split_tag_b: Option<TagKey>,
    /// The goal of group A.
    split_goal_a: Option<GoalKey>,
    /// The goal of group B.
    split_goal_b: Option<GoalKey>,
    /// Whether a group is a tag or a goal; the web form sends it instead of the split type.
    mode: Option<Mode>,
    /// The tag or goal of group A; the web form sends it instead of the two settings above.
    option_a: Option<TagKey>,
    /// The tag or goal of group B; the web form sends it instead of the two settings above.
    option_b: Option<TagKey>,
    /// The integration name under which the goals are set up in Keap.
    #[serde(default = "own_integration")]
    integration: IntegrationKey,
}

fn own_integration() -> IntegrationKey {
    IntegrationKey::new("myfusionhelper")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum SplitType {
    /// Apply the tag of the group.
    TagSplit,
    /// Achieve the goal of the group.
    GoalSplit,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    /// Apply the tag of the group.
    Tag,
    /// Achieve the goal of the group.
    Goal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Group {
    /// Group A.
    A,
    /// Group B.
    B,
}

impl Group {
    fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
        }
    }

    /// 0 in the store means that there was no run yet.
    fn from_state(state: u64) -> Option<Self> {
        match state {
            1 => Some(Self::A),
            2 => Some(Self::B),
            _ => None,
        }
    }

    fn state(self) -> u64 {
        match self {
            Self::A => 1,
            Self::B => 2,
        }
    }
}

impl Helper for SplitItBasic {
    const META: Meta = Meta::new(
        "split_it_basic",
        "Split It Basic",
        Category::Data,
        "Sends contacts alternately to group A and group B.",
    )
    .needs_crm();

    const EXAMPLE: &'static str = r#"{"split_type": "tag_split", "last_group": "b", "split_tag_a": "Group A",
        "split_tag_b": "Group B"}"#;

    fn check(&self) -> Vec<ConfigFault> {
        let mut faults = Vec::new();
        let Some(kind) = self.kind() else {
            return vec![required("split_type", "to say whether a group is a tag or a goal")];
        };
        if self.seed().is_none() {
            faults.push(required("last_group", "to know where to start"));
        }
        for group in [Group::A, Group::B] {
            if self.variant(group).is_none() {
                let (what, why) = match kind {
                    SplitType::TagSplit => ("tag", "to split by tags"),
                    SplitType::GoalSplit => ("goal", "to split by goals"),
                };
                faults.push(required(&format!("split_{what}_{}", group.as_str()), why));
            }
        }
        faults
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let Some(seed) = self.seed() else {
            return Err(HelperError::configuration(&self.check()));
        };
        let next = |state| Group::from_state(state).unwrap_or(seed).other().state();
        let state = cx.advance_state(next).await?;
        let group = Group::from_state(state).unwrap_or(seed);
        let Some(variant) = self.variant(group) else {
            return Err(HelperError::configuration(&self.check()));
        };
        variant.enter(cx, &self.integration, true).await?;
        cx.set_result("run_group", group.as_str());
        Ok(Outcome::done(format!(
            "The contact is in group {}",
            group.as_str().to_uppercase()
        )))
    }
}

impl SplitItBasic {
    fn kind(&self) -> Option<SplitType> {
        self.split_type.or(self.mode.map(|mode| match mode {
            Mode::Tag => SplitType::TagSplit,
            Mode::Goal => SplitType::GoalSplit,
        }))
    }

    /// The group before the first run; a configuration in the form's words starts with A.
    fn seed(&self) -> Option<Group> {
        let form = self.split_type.is_none() && self.mode.is_some();
        self.last_group.or(form.then_some(Group::B))
    }

    fn variant(&self, group: Group) -> Option<Variant> {
        let (tag, goal, option) = match group {
            Group::A => (&self.split_tag_a, &self.split_goal_a, &self.option_a),
            Group::B => (&self.split_tag_b, &self.split_goal_b, &self.option_b),
        };
        match self.kind()? {
            SplitType::TagSplit => tag.clone().or(option.clone()).map(Variant::Tag),
            SplitType::GoalSplit => {
                let option = || option.as_ref().map(|option| GoalKey::new(option.as_str()));
                goal.clone().or_else(option).map(Variant::Goal)
            }
        }
    }
}

register!(SplitItBasic);
