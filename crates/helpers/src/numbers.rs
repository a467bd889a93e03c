//! Exact arithmetic with decimals of up to 28 digits (`helpers/COMMON` §4).

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Value, json};

use crate::HelperError;

/// Results from here on have more than 28 digits before the point.
const LIMIT: f64 = 1e28;

/// A result that the product keeps, or why it does not.
///
/// # Errors
/// More than 28 digits before the point, or an operation that overflowed (`None`).
pub fn checked(result: Option<Decimal>) -> Result<Decimal, HelperError> {
    let digits = |value: &Decimal| value.trunc().abs().to_string().len();
    result.filter(|value| digits(value) <= 28).ok_or_else(too_large)
}

/// Rounds to this many places, halves away from zero.
pub fn round(value: Decimal, places: u32) -> Decimal {
    value.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)
}

/// A decimal rounded to `places`: whole numbers without a point, others with exactly that many digits, never `-0`.
pub fn rounded_text(value: Decimal, places: u32) -> String {
    let value = round(value, places);
    if value.is_zero() {
        return "0".to_owned();
    }
    if value.fract().is_zero() {
        return value.trunc().to_string();
    }
    format!("{value:.0$}", places as usize)
}

/// A decimal as a JSON number, never `-0`.
pub fn json_number(value: Decimal) -> Value {
    let value = value.normalize();
    if value.is_zero() {
        return json!(0);
    }
    if value.scale() == 0 {
        if let Some(whole) = value.to_i64() {
            return json!(whole);
        }
        if let Some(whole) = value.to_u64() {
            return json!(whole);
        }
    }
    json!(double(value))
}

/// A binary result as a JSON number.
///
/// # Errors
/// Infinite, not a number, or more than 28 digits before the point.
pub fn json_double(value: f64) -> Result<Value, HelperError> {
    if value.is_nan() {
        return Err(HelperError::permanent(
            "NOT_A_NUMBER",
            "This operation has no result for these numbers",
        ));
    }
    if value.abs() >= LIMIT {
        return Err(too_large());
    }
    let whole = Decimal::from_f64_retain(value).filter(|exact| exact.fract().is_zero() && value.fract() == 0.0);
    Ok(whole.map_or_else(|| json!(value), json_number))
}

/// The nearest binary number.
pub fn double(value: Decimal) -> f64 {
    // The detour over the text rounds correctly, which a conversion by division does not.
    value.to_string().parse().unwrap_or(f64::NAN)
}

/// `base` to a power: exact for whole exponents, in double precision for others.
///
/// # Errors
/// Zero to a negative power, a negative base with a fractional exponent, a result that is too large.
pub fn power(base: Decimal, exponent: Decimal) -> Result<Value, HelperError> {
    if base.is_zero() && exponent.is_sign_negative() && !exponent.is_zero() {
        return Err(HelperError::permanent(
            "DIVISION_BY_ZERO",
            "Zero has no negative power. Choose another exponent",
        ));
    }
    if !exponent.fract().is_zero() {
        return json_double(double(base).powf(double(exponent)));
    }
    let times = exponent.abs().trunc().to_u64();
    // A result that is too small for the decimals is not zero, so it has no exact form either.
    let kept = |raised: &Decimal| base.is_zero() || !raised.is_zero();
    let raised = match times {
        Some(times) => checked(raise(base, times).filter(kept))?,
        None => checked(raise_beyond(base, exponent))?,
    };
    if exponent.is_sign_negative() && !exponent.is_zero() {
        return Ok(json_number(checked(Decimal::ONE.checked_div(raised))?));
    }
    Ok(json_number(raised))
}

/// Squares and multiplies; 0 to the power 0 is 1.
fn raise(base: Decimal, times: u64) -> Option<Decimal> {
    let mut result = Decimal::ONE;
    let mut square = base;
    let mut left = times;
    while left > 0 {
        if left & 1 == 1 {
            result = result.checked_mul(square)?;
        }
        left >>= 1;
        if left > 0 {
            square = square.checked_mul(square)?;
        }
    }
    Some(result)
}

/// Exponents beyond 64 bits: only 0, 1 and -1 stay what they are.
fn raise_beyond(base: Decimal, exponent: Decimal) -> Option<Decimal> {
    let even = (exponent % Decimal::TWO).is_zero();
    if base.is_zero() {
        Some(Decimal::ZERO)
    } else if base.abs() == Decimal::ONE {
        Some(if even { Decimal::ONE } else { base })
    } else {
        None
    }
}

fn too_large() -> HelperError {
    HelperError::permanent("TOO_LARGE", "The result has more than 28 digits. Use smaller numbers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decimal(text: &str) -> Decimal {
        Decimal::from_str_exact(text).unwrap()
    }

    #[test]
    fn powers_with_whole_exponents_are_exact() {
        for (base, exponent, expected) in [
            ("1.1", "2", json!(1.21)),
            ("3", "4", json!(81)),
            ("0", "0", json!(1)),
            ("2", "-1", json!(0.5)),
            ("-2", "3", json!(-8)),
            ("-1", "99999999999999999999999", json!(-1)),
            ("4", "0.5", json!(2)),
        ] {
            assert_eq!(
                power(decimal(base), decimal(exponent)).unwrap(),
                expected,
                "{base}^{exponent}"
            );
        }
    }

    #[test]
    fn powers_without_a_result_fail() {
        for (base, exponent) in [
            ("10", "400"),
            ("-8", "0.5"),
            ("0", "-1"),
            ("2", "99999999999999999999"),
            ("10", "28.5"),
            ("0.1", "40"),
        ] {
            assert!(power(decimal(base), decimal(exponent)).is_err(), "{base}^{exponent}");
        }
    }

    #[test]
    fn rounded_texts_are_plain() {
        for (value, places, expected) in [
            ("30.00", 2, "30"),
            ("2.5", 2, "2.50"),
            ("1.005", 2, "1.01"),
            ("-0.001", 2, "0"),
            ("-2.5", 0, "-3"),
            ("9007199254740993", 2, "9007199254740993"),
        ] {
            assert_eq!(rounded_text(decimal(value), places), expected);
        }
    }

    proptest! {
        #[test]
        fn whole_powers_agree_with_integers(base in -50_i64..50, exponent in 0_u32..10) {
            let expected = i128::from(base).pow(exponent);
            let found = raise(Decimal::from(base), u64::from(exponent)).unwrap();
            prop_assert_eq!(found, Decimal::from_i128_with_scale(expected, 0));
        }

        #[test]
        fn rounding_agrees_with_integers(cents in any::<i32>()) {
            let value = Decimal::new(i64::from(cents), 2);
            let magnitude = (i64::from(cents).abs() + 50) / 100;
            prop_assert_eq!(round(value, 0), Decimal::from(magnitude * i64::from(cents).signum()));
        }

        #[test]
        fn sums_of_cents_agree_with_integers(left in any::<i32>(), right in any::<i32>()) {
            let sum = Decimal::new(i64::from(left), 2) + Decimal::new(i64::from(right), 2);
            let text = rounded_text(sum, 2);
            let read = crate::values::number(&json!(text)).unwrap();
            prop_assert_eq!(read * Decimal::ONE_HUNDRED, Decimal::from(i64::from(left) + i64::from(right)));
        }
    }
}
