//! `when_is_it`: converts a date and time between time zones.

use schemars::JsonSchema;
use serde::Deserialize;

use super::date_calc::no_date;
use super::store;
use crate::dates::{self, Layout, Shown};
use crate::settings::{FieldKey, Text, Zone};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register, values};

/// Converts a date and time from one time zone to another and writes it in the format you like.
///
/// Reads a date and time from a field and writes what the clocks of another zone show at that moment, daylight saving
/// time included. A date alone is its midnight.
///
/// A value that ends in Z or an offset such as -05:00, as most CRMs write it, is that moment whatever the first zone
/// says; the first zone counts only for values without one. A time that clocks skip in spring moves forward by the gap;
/// one that they show twice in autumn is the first.
///
/// An empty field changes nothing; a text that is no date fails the run. Zones are named like America/New_York or
/// Europe/Berlin. Formats may be written as `MM/DD/YYYY h:mm A`, as `01/02/2006 3:04 PM` or as `%m/%d/%Y`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct WhenIsIt {
    /// The contact field with the date and time.
    source_field: FieldKey,
    /// The contact field that receives the result.
    target_field: FieldKey,
    /// The time zone of dates that name none themselves.
    #[serde(default)]
    from_timezone: Zone,
    /// The time zone of the result.
    to_timezone: Zone,
    /// The format of the result, such as YYYY-MM-DD HH:mm or MMMM D, YYYY h:mm A.
    #[serde(default = "iso_time")]
    output_format: Text,
}

fn iso_time() -> Text {
    Text::new("2006-01-02 15:04:05")
}

impl Helper for WhenIsIt {
    const META: Meta = Meta::new(
        "when_is_it",
        "When Is It",
        Category::Data,
        "Converts a date and time from one time zone to another and writes it in the format you like.",
    )
    .needs_crm();

    const EXAMPLE: &'static str = r#"{"source_field": "_WebinarUtc", "target_field": "_WebinarLocal",
        "to_timezone": "America/New_York", "output_format": "MMMM D, YYYY h:mm A z"}"#;

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let value = cx.get_field(&self.source_field).await?;
        if values::is_empty(&value) {
            return Ok(Outcome::done(format!(
                "{} is empty: nothing to convert",
                self.source_field
            )));
        }
        let moment = dates::read(&value).ok_or_else(|| no_date(&self.source_field))?;
        let shown = Shown::in_zone(moment.in_zone(self.from_timezone.0), self.to_timezone.0);
        let text = Layout::new(self.output_format.as_str()).write(&shown);
        store(cx, &self.target_field, text.clone()).await?;
        Ok(Outcome::done(format!("{} is now {text}", self.target_field)))
    }
}

register!(WhenIsIt);
