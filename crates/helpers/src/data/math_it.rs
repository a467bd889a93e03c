//! `math_it`: exact arithmetic on a number field.

use mfh_types::ConfigFault;
use rust_decimal::Decimal;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{number_in, required, store};
use crate::settings::{FieldKey, Number, Whole};
use crate::{Category, Context, Helper, HelperError, Meta, Outcome, numbers, register, values};

/// Adds to, subtracts from, multiplies, divides or rounds a number field, exactly to the cent.
///
/// Reads the number in the field, computes with the operand, and writes the result back, or to the target field. An
/// empty field counts as 0. 1,234.50, $5 and (5) for minus 5 are read as numbers; any other text fails the run and
/// stays as it is.
///
/// Whole results have no decimals (30), others exactly as many as you ask for (2.50). Halves round away from zero:
/// 1.005 becomes 1.01. Nothing is lost to binary fractions: 0.1 and 0.2 make 0.3.
///
/// Dividing by 0 and results of more than 28 digits fail the run. Each run computes afresh: adding 5 twice adds 10.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct MathIt {
    /// The contact field with the number; an empty one counts as 0.
    field: FieldKey,
    /// What to compute.
    operation: Operation,
    /// The second number, for add, subtract, multiply, divide and percent.
    operand: Option<Number>,
    /// The contact field that receives the result; left empty, the field itself.
    target_field: Option<FieldKey>,
    /// The number of decimal places of the result.
    #[serde(default = "two")]
    #[schemars(range(min = 0, max = 10))]
    decimal_places: Whole,
}

fn two() -> Whole {
    Whole(2)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Operation {
    /// Add the second number.
    Add,
    /// Subtract the second number.
    Subtract,
    /// Multiply by the second number.
    Multiply,
    /// Divide by the second number.
    Divide,
    /// Round to the decimal places, halves away from zero.
    Round,
    /// Round up to a whole number.
    Ceil,
    /// Round down to a whole number.
    Floor,
    /// Drop the sign.
    Abs,
    /// Take this many percent of the number.
    Percent,
}

impl Operation {
    fn needs_operand(self) -> bool {
        matches!(
            self,
            Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Percent
        )
    }

    /// `None` when the result is too large.
    fn apply(self, value: Decimal, operand: Decimal) -> Option<Decimal> {
        match self {
            Self::Add => value.checked_add(operand),
            Self::Subtract => value.checked_sub(operand),
            Self::Multiply => value.checked_mul(operand),
            Self::Divide => value.checked_div(operand),
            Self::Percent => value.checked_mul(operand)?.checked_div(Decimal::ONE_HUNDRED),
            Self::Round => Some(value),
            Self::Ceil => Some(value.ceil()),
            Self::Floor => Some(value.floor()),
            Self::Abs => Some(value.abs()),
        }
    }
}

impl Helper for MathIt {
    const META: Meta = Meta::new(
        "math_it",
        "Math It",
        Category::Data,
        "Adds to, subtracts from, multiplies, divides or rounds a number field, exactly to the cent.",
    )
    .needs_crm();

    const EXAMPLE: &'static str = r#"{"field": "_Points", "operation": "add", "operand": 5, "decimal_places": 0}"#;

    fn check(&self) -> Vec<ConfigFault> {
        if self.operation.needs_operand() && self.operand.is_none() {
            return vec![required("operand", "for add, subtract, multiply, divide and percent")];
        }
        Vec::new()
    }

    async fn run(&self, cx: &mut Context<'_>) -> Result<Outcome, HelperError> {
        let value = cx.get_field(&self.field).await?;
        let value = if values::is_empty(&value) {
            Decimal::ZERO
        } else {
            number_in(&self.field, &value)?
        };
        let operand = self.operand.unwrap_or_default().0;
        if self.operation == Operation::Divide && operand.is_zero() {
            return Err(HelperError::permanent(
                "DIVISION_BY_ZERO",
                "Nothing can be divided by 0. Choose another operand",
            ));
        }
        let result = numbers::checked(self.operation.apply(value, operand))?;
        let places = u32::try_from(self.decimal_places.0).unwrap_or_default();
        numbers::checked(Some(numbers::round(result, places)))?;
        let text = numbers::rounded_text(result, places);
        store(cx, self.target_field.as_ref().unwrap_or(&self.field), text.clone()).await?;
        Ok(Outcome::done(format!("The result is {text}")))
    }
}

register!(MathIt);
