//! Helpers that compute, convert, look up and copy the values of contact fields.

mod advance_math;
mod date_calc;
mod format_it;
mod get_the_first;
mod get_the_last;
mod ip_location;
mod last_click_it;
mod last_email;
mod last_open_it;
mod last_send_it;
mod math_it;
mod password_it;
mod phone_lookup;
mod quote_it;
mod related;
mod split;
mod split_it;
mod split_it_basic;
mod text_it;
mod when_is_it;
mod word_count_it;

pub use advance_math::AdvanceMath;
pub use date_calc::DateCalc;
pub use format_it::FormatIt;
pub use get_the_first::GetTheFirst;
pub use get_the_last::GetTheLast;
pub use ip_location::IpLocation;
pub use last_click_it::LastClickIt;
pub use last_open_it::LastOpenIt;
pub use last_send_it::LastSendIt;
pub use math_it::MathIt;
pub use password_it::PasswordIt;
pub use phone_lookup::PhoneLookup;
pub use quote_it::QuoteIt;
pub use split_it::SplitIt;
pub use split_it_basic::SplitItBasic;
pub use text_it::TextIt;
pub use when_is_it::WhenIsIt;
pub use word_count_it::WordCountIt;

use mfh_types::ConfigFault;
use rust_decimal::Decimal;
use serde_json::Value;

use crate::settings::FieldKey;
use crate::{Context, Failures, HelperError, numbers, values};

/// A setting that the chosen mode needs.
fn required(field: &str, when: &str) -> ConfigFault {
    ConfigFault {
        field: field.to_owned(),
        message: format!("is required {when}"),
    }
}

/// Writes a field and shows it in the result; what was not written is not shown.
async fn store(cx: &mut Context<'_>, field: &FieldKey, value: impl Into<Value>) -> Result<(), HelperError> {
    let value = value.into();
    cx.set_field(field, value.clone()).await?;
    cx.set_result(field.as_str(), value);
    Ok(())
}

/// The number in a field's value.
fn number_in(field: &FieldKey, value: &Value) -> Result<Decimal, HelperError> {
    let number = values::number(value).ok_or_else(|| {
        HelperError::permanent(
            "NOT_A_NUMBER",
            format!("Field {field} holds no number. Write one into it, such as 12 or 1,234.50"),
        )
    })?;
    numbers::checked(Some(number))
}

/// One of several independent writes to fields that need not be set.
async fn store_optional(
    cx: &mut Context<'_>,
    failures: &mut Failures,
    what: &str,
    field: Option<&FieldKey>,
    value: Value,
) {
    if let Some(field) = field {
        failures.note(what, cx.set_field(field, value).await);
    }
}
