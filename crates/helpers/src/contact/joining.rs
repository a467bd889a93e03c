//! What `combine_it` and `merge_it` share: the values of several fields in one.

use crate::settings::{FieldKey, Separator};
use crate::{Context, HelperError, Outcome, values};

/// Joins the values of `sources` in their order into `target`; nothing is written when nothing is left.
pub(super) async fn join_into(
    cx: &mut Context<'_>,
    sources: &[FieldKey],
    target: &FieldKey,
    separator: &Separator,
    skip_empty: bool,
) -> Result<Outcome, HelperError> {
    let keys: Vec<&FieldKey> = sources.iter().collect();
    let mut found = cx.get_fields(&keys).await?;
    if skip_empty {
        found.retain(|value| !values::is_empty(value));
    }
    if found.is_empty() {
        return Ok(Outcome::done(format!("All sources are empty: {target} stays as it is")));
    }
    let texts: Vec<String> = found.iter().map(values::text).collect();
    let joined = texts.join(separator.as_str());
    cx.set_field(target, joined.clone()).await?;
    cx.set_result(target.as_str(), joined);
    Ok(Outcome::done(format!("{} values joined in {target}", texts.len())))
}
