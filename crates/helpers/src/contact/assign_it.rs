//! `assign_it`: makes a team member the owner of the contact.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{FieldKey, UserKey};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register};

/// Makes one of your team members the owner of the contact.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AssignIt {
    /// The new owner: the id of a user of the CRM.
    owner_id: UserKey,
    /// The field that receives the owner's id instead of the CRM's own owner field.
    #[serde(default = "owner_field")]
    owner_field: FieldKey,
}

fn owner_field() -> FieldKey {
    FieldKey::new("owner_id")
}

impl Helper for AssignIt {
    const META: Meta = Meta::new(
        "assign_it",
        "Assign It",
        Category::Contact,
        "Makes one of your team members the owner of the contact.",
    )
    .needs_crm()
    .repeatable();

    const EXAMPLE: &'static str = r#"{"owner_id": "77"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let owner = self.owner_id.as_str();
        cx.set_field(&self.owner_field, owner).await?;
        cx.set_result(self.owner_field.as_str(), owner);
        Ok(Outcome::done(format!("The contact belongs to user {owner}")))
    }
}

register!(AssignIt);
