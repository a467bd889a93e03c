//! `date_calc`: shifts, compares, stamps and rewrites dates.

use mfh_types::ConfigFault;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{required, store};
use crate::dates::{self, Layout, Moment, Shown};
use crate::settings::{FieldKey, Text, Whole, Zone};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, register, values};

const SECONDS_A_DAY: i64 = 86_400;

/// Adds or subtracts days, months or years, measures the days between two dates, stamps today's date, or rewrites a
/// date in another format.
///
/// Reads a date from a field, computes, and writes the result to the target field, or back to the same field when you
/// choose no target. Counting days always needs a target field, so that no date is overwritten with a number.
///
/// A month after January 31 is the last day of February: a day that the month does not have becomes its last. The
/// difference in days counts whole periods of 24 hours and is negative when the second date is the earlier one. A time
/// of day and an offset from UTC in the value are kept.
///
/// Dates are read as 2024-01-31 or, with the month first, 1/31/2024, each with or without a time, and as Jan 31, 2024
/// or 31 January 2024; for numbers with the day first set an input format. A field that is empty or holds no real date
/// fails the run and stays as it is.
///
/// Formats may be written as `MM/DD/YYYY h:mm A`, as `01/02/2006` or as `%m/%d/%Y`. In the first kind put words into
/// brackets: `[on] MMMM D`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct DateCalc {
    /// What to do with the date.
    operation: Operation,
    /// The contact field with the date; needed for everything but the current date.
    field: Option<FieldKey>,
    /// How many days, months or years to add or subtract; a negative number goes the other way.
    amount: Option<Whole>,
    /// The contact field that receives the result; left empty, the field with the date.
    target_field: Option<FieldKey>,
    /// The contact field with the second date, up to which the days are counted.
    compare_field: Option<FieldKey>,
    /// The format of the result, such as YYYY-MM-DD, MM/DD/YYYY or MMMM DD, YYYY.
    #[serde(default = "iso_date")]
    output_format: Text,
    /// The time zone in which the current date is taken, such as America/New_York.
    #[serde(default)]
    timezone: Zone,
    /// A format in which dates are read first, such as DD/MM/YYYY for dates that start with the day.
    input_format: Option<Text>,
}

fn iso_date() -> Text {
    Text::new("2006-01-02")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Operation {
    /// Add days.
    AddDays,
    /// Subtract days.
    SubtractDays,
    /// Add months; a day that the month does not have becomes its last.
    AddMonths,
    /// Subtract months; a day that the month does not have becomes its last.
    SubtractMonths,
    /// Add years.
    AddYears,
    /// Subtract years.
    SubtractYears,
    /// Write the current date.
    SetNow,
    /// Count the days from the date to the second date.
    DiffDays,
    /// Write the date in another format.
    Format,
}

impl Operation {
    fn is_step(self) -> bool {
        !matches!(self, Self::SetNow | Self::DiffDays | Self::Format)
    }

    /// The date after the operation; `None` when it is out of range.
    fn shift(self, date: Moment, amount: i64) -> Option<Moment> {
        match self {
            Self::AddDays => date.add_days(amount),
            Self::SubtractDays => date.add_days(amount.checked_neg()?),
            Self::AddMonths => date.add_months(amount),
            Self::SubtractMonths => date.add_months(amount.checked_neg()?),
            Self::AddYears => date.add_months(amount.checked_mul(12)?),
            Self::SubtractYears => date.add_months(amount.checked_mul(-12)?),
            Self::SetNow | Self::DiffDays | Self::Format => Some(date),
        }
    }
}

impl Helper for DateCalc {
    const META: Meta = Meta::new(
        "date_calc",
        "Date Calc",
        Category::Data,
        "Adds or subtracts days, months or years, measures the days between two dates, stamps today's date, or rewrites \
         a date in another format.",
    )
    .needs_crm();

    const EXAMPLE: &'static str = r#"{"operation": "add_days", "field": "_TrialStart", "amount": 14,
        "target_field": "_TrialEnd", "output_format": "YYYY-MM-DD"}"#;

    fn check(&self) -> Vec<ConfigFault> {
        let mut faults = Vec::new();
        let stamps = self.operation == Operation::SetNow;
        let compares = self.operation == Operation::DiffDays;
        if self.field.is_none() && !stamps {
            faults.push(required("field", "for everything but the current date"));
        }
        if self.amount.is_none() && self.operation.is_step() {
            faults.push(required("amount", "to add or subtract"));
        }
        if self.target_field.is_none() && (compares || (stamps && self.field.is_none())) {
            faults.push(required("target_field", "here, so that no date is overwritten"));
        }
        if self.compare_field.is_none() && compares {
            faults.push(required("compare_field", "to count days between two dates"));
        }
        faults
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let text = match (self.operation, &self.field) {
            (Operation::SetNow, _) => self.write(&Shown::in_zone(cx.now(), self.timezone.0)),
            (_, None) => return Err(HelperError::configuration(&self.check())),
            (Operation::DiffDays, Some(field)) => {
                let first = self.read(cx, field).await?;
                let second = self.read(cx, self.compare_field.as_ref().unwrap_or(field)).await?;
                let [first, second] = [first, second].map(|date| date.in_zone(chrono_tz::UTC));
                ((second - first).num_seconds() / SECONDS_A_DAY).to_string()
            }
            (operation, Some(field)) => {
                let date = self.read(cx, field).await?;
                let amount = self.amount.unwrap_or_default().0;
                let date = operation.shift(date, amount).ok_or_else(out_of_range)?;
                self.write(&date.as_written())
            }
        };
        let Some(target) = self.target_field.as_ref().or(self.field.as_ref()) else {
            return Err(HelperError::configuration(&self.check()));
        };
        store(cx, target, text.clone()).await?;
        Ok(Outcome::done(format!("{target} is now {text}")))
    }
}

impl DateCalc {
    fn write(&self, date: &Shown) -> String {
        Layout::new(self.output_format.as_str()).write(date)
    }

    async fn read(&self, cx: &mut Context<'_>, field: &FieldKey) -> Result<Moment, HelperError> {
        let value = cx.get_field(field).await?;
        let formatted = match (&self.input_format, &value) {
            (Some(format), Value::String(_) | Value::Number(_)) => {
                Layout::new(format.as_str()).read(&values::text(&value))
            }
            _ => None,
        };
        formatted.or_else(|| dates::read(&value)).ok_or_else(|| no_date(field))
    }
}

/// The failure of a field that holds no date.
pub(super) fn no_date(field: &FieldKey) -> HelperError {
    HelperError::permanent(
        "NOT_A_DATE",
        format!("Field {field} holds no date that can be read. Write one such as 2024-01-31 into it"),
    )
}

fn out_of_range() -> HelperError {
    HelperError::permanent(
        "TOO_LARGE",
        "The date would lie outside the years 1 to 9999. Choose a smaller amount",
    )
}

register!(DateCalc);
