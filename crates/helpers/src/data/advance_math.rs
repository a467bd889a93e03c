//! `advance_math`: powers, roots, rounding and comparison of number fields.

use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{number_in, required};
use crate::settings::{FieldKey, Number};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, numbers, register};
use mfh_types::ConfigFault;

/// Raises a number field to a power, takes its square root, rounds it or compares it with another number.
///
/// Reads the number in the source field, computes, and writes the result to the target field. Power, min and max also
/// need a second number: from the second field if you choose one, else the operand. 1,234.50, $5 and (5) for minus 5
/// are read as numbers.
///
/// An empty field, or a text that is no number, fails the run and nothing is written. So do the square root of a
/// negative number and a result of more than 28 digits.
///
/// Rounding goes away from zero at a half: 2.5 becomes 3 and -2.5 becomes -3. Powers with a whole exponent are exact,
/// and 1.1 squared is 1.21; roots and other powers are as precise as a spreadsheet's.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct AdvanceMath {
    /// What to compute.
    operation: Operation,
    /// The contact field with the number.
    source_field: FieldKey,
    /// The second number: the exponent of a power, or what min and max compare with.
    operand: Option<Number>,
    /// A contact field with the second number; it is used instead of the operand when both are given.
    second_field: Option<FieldKey>,
    /// The contact field that receives the result.
    target_field: FieldKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Operation {
    /// Raise the number to the power of the second number.
    Power,
    /// Take the square root.
    Sqrt,
    /// Drop the sign.
    Abs,
    /// Round to a whole number, halves away from zero.
    Round,
    /// Round up to a whole number.
    Ceil,
    /// Round down to a whole number.
    Floor,
    /// Take the smaller of the two numbers.
    Min,
    /// Take the larger of the two numbers.
    Max,
}

impl Operation {
    fn needs_second(self) -> bool {
        matches!(self, Self::Power | Self::Min | Self::Max)
    }

    fn apply(self, first: Decimal, second: Decimal) -> Result<Value, HelperError> {
        let result = match self {
            Self::Power => return numbers::power(first, second),
            Self::Sqrt => {
                if first.is_sign_negative() && !first.is_zero() {
                    return Err(HelperError::permanent(
                        "NOT_A_NUMBER",
                        "A negative number has no square root",
                    ));
                }
                return numbers::json_double(numbers::double(first).sqrt());
            }
            Self::Abs => first.abs(),
            Self::Round => numbers::round(first, 0),
            Self::Ceil => first.ceil(),
            Self::Floor => first.floor(),
            Self::Min => first.min(second),
            Self::Max => first.max(second),
        };
        numbers::checked(Some(result)).map(numbers::json_number)
    }
}

impl Helper for AdvanceMath {
    const META: Meta = Meta::new(
        "advance_math",
        "Advance Math",
        Category::Data,
        "Raises a number field to a power, takes its square root, rounds it or compares it with another number.",
    )
    .needs_crm();

    const EXAMPLE: &'static str =
        r#"{"operation": "max", "source_field": "_Score", "operand": 0, "target_field": "_Score"}"#;

    fn check(&self) -> Vec<ConfigFault> {
        if self.operation.needs_second() && self.operand.is_none() && self.second_field.is_none() {
            return vec![required(
                "operand",
                "for power, min and max, unless second_field is set",
            )];
        }
        Vec::new()
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let value = cx.get_field(&self.source_field).await?;
        let first = number_in(&self.source_field, &value)?;
        let second = match (&self.second_field, self.operand) {
            _ if !self.operation.needs_second() => Decimal::ZERO,
            (Some(field), _) => {
                let value = cx.get_field(field).await?;
                number_in(field, &value)?
            }
            (None, Some(operand)) => operand.0,
            (None, None) => Decimal::ZERO,
        };
        let result = self.operation.apply(first, second)?;
        cx.set_field(&self.target_field, result.clone()).await?;
        cx.set_result(self.target_field.as_str(), result.clone());
        cx.set_result("operation", serde_json::to_value(self.operation).unwrap_or_default());
        cx.set_result("source", numbers::json_number(first));
        cx.set_result("result", result.clone());
        Ok(Outcome::done(format!("The result is {}", crate::values::text(&result))))
    }
}

register!(AdvanceMath);
