//! `assign_it`: makes a team member the owner of the contact.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::settings::{FieldKey, UserKey};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register};

/// Makes one of your team members the owner of the contact.
///
/// A run replaces the owner that the contact has, whoever that is; running it again changes nothing more. Find the id
/// of a user in your CRM's user list.
///
/// Normally the CRM's own owner is set. With a field of your own as `owner_field`, the id is written there as text
/// instead, and the CRM's owner stays as it is.
///
/// The result lists the field and the owner's id. A CRM that does not know the user, or whose contacts have no owner,
/// refuses the change, and the run fails.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AssignIt {
    /// The new owner: the id of a user of the CRM.
    owner_id: UserKey,
    /// The field that receives the owner's id; leave it out to set the CRM's own owner.
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
