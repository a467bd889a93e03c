//! Values as text and numbers: the one place where helpers convert (`helpers/COMMON` §3, §4).

use rust_decimal::Decimal;
use serde_json::{Number, Value};

/// The text of a value: numbers in plain decimals, lists joined by `", "`, objects as compact JSON.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number_text(number),
        Value::String(text) => text.clone(),
        Value::Array(members) => members.iter().map(text).collect::<Vec<_>>().join(", "),
        Value::Object(_) => value.to_string(),
    }
}

/// Whether a value counts as empty: null, white space only, `[]` and `{}`; `0` and `false` are values.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(members) => members.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// The shortest exact plain decimal, never with an exponent and never `-0`.
fn number_text(number: &Number) -> String {
    if number.is_i64() || number.is_u64() {
        return number.to_string();
    }
    // Rust prints a float with the fewest digits that read back as the same value, and without an exponent.
    let plain = number
        .as_f64()
        .map_or_else(|| number.to_string(), |float| float.to_string());
    if plain == "-0" { "0".to_owned() } else { plain }
}

/// The plain digits of a decimal: `15`, `-10`, `0.3`, never `1.50` or `-0`.
pub fn decimal_text(value: Decimal) -> String {
    let value = value.normalize();
    if value.is_zero() {
        "0".to_owned()
    } else {
        value.to_string()
    }
}

/// Reads a number as users write it: a JSON number, or text with an optional sign, one currency sign, groups of three
/// separated by commas, a decimal point, an exponent (without groups), or parentheses for negative. Up to 28 digits.
pub fn number(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => number_from_text(&number_text(number)),
        Value::String(text) => number_from_text(text),
        _ => None,
    }
}

fn number_from_text(text: &str) -> Option<Decimal> {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        let inner = inner.trim();
        let signed = inner.starts_with(['+', '-', '(']);
        return if signed {
            None
        } else {
            number_from_text(inner).map(|value| -value)
        };
    }
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = without_currency_sign(rest)?;
    let value = plain_number(digits)?;
    Some(if negative { -value } else { value })
}

fn without_currency_sign(text: &str) -> Option<&str> {
    const SIGNS: [char; 4] = ['$', '€', '£', '¥'];
    if let Some(rest) = text.strip_prefix(SIGNS) {
        let rest = rest.trim_start();
        return (!rest.ends_with(SIGNS)).then_some(rest);
    }
    Some(text.strip_suffix(SIGNS).map_or(text, str::trim_end))
}

fn plain_number(text: &str) -> Option<Decimal> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let grouped = whole.contains(',');
    if grouped && (exponent.is_some() || !groups_of_three(whole)) {
        return None;
    }
    let whole = whole.replace(',', "");
    let fraction = fraction.unwrap_or_default();
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(&whole) || !all_digits(fraction) {
        return None;
    }
    let significant = whole.trim_start_matches('0').len() + fraction.trim_end_matches('0').len();
    if significant > 28 {
        return None;
    }
    let fraction = fraction.trim_end_matches('0');
    let plain = format!(
        "{}.{}",
        if whole.is_empty() { "0" } else { &whole },
        if fraction.is_empty() { "0" } else { fraction }
    );
    match exponent {
        None => Decimal::from_str_exact(&plain).ok(),
        Some(power) => {
            let digits = power.strip_prefix(['+', '-']).unwrap_or(power);
            if digits.is_empty() || digits.len() > 3 || !all_digits(digits) {
                return None;
            }
            Decimal::from_scientific(&format!("{plain}e{power}")).ok()
        }
    }
}

fn groups_of_three(whole: &str) -> bool {
    let mut groups = whole.split(',');
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len()) && groups.all(|group| group.len() == 3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn values_have_their_text() {
        let cases = [
            (json!(null), ""),
            (json!(true), "true"),
            (json!(1234567), "1234567"),
            (json!(9007199254740993_i64), "9007199254740993"),
            (json!(0.1), "0.1"),
            (json!(1e21), "1000000000000000000000"),
            (json!(-0.0), "0"),
            (json!(["a", 1, null]), "a, 1, "),
            (json!({"b": 1, "a": 2}), "{\"a\":2,\"b\":1}"),
        ];
        for (value, expected) in cases {
            assert_eq!(text(&value), expected);
        }
    }

    #[test]
    fn only_nothing_is_empty() {
        for value in [json!(null), json!(""), json!(" \u{2003}\t"), json!([]), json!({})] {
            assert!(is_empty(&value), "{value}");
        }
        for value in [json!(0), json!(false), json!("x"), json!([null])] {
            assert!(!is_empty(&value), "{value}");
        }
    }

    #[test]
    fn numbers_are_read_as_users_write_them() {
        let cases = [
            ("15", "15"),
            (" 3.0 ", "3"),
            ("-10", "-10"),
            ("+0.30", "0.3"),
            ("$1,234.56", "1234.56"),
            ("-$5", "-5"),
            ("12 €", "12"),
            ("(1,000)", "-1000"),
            ("1e3", "1000"),
            ("2.5E-1", "0.25"),
            (".5", "0.5"),
        ];
        for (given, expected) in cases {
            let value = number(&json!(given)).unwrap_or_else(|| panic!("{given} is a number"));
            assert_eq!(decimal_text(value), expected, "{given}");
        }
    }

    #[test]
    fn what_is_no_number_is_not_guessed() {
        for given in [
            "", " ", "12abc", "1.234,56", "12,34", "NaN", "inf", "0x10", "$", "--1", "1,23,456", "(-1)", "$5$", "1e",
            ".",
        ] {
            assert_eq!(number(&json!(given)), None, "{given}");
        }
        for value in [json!(true), json!([1]), json!({}), json!(null)] {
            assert_eq!(number(&value), None);
        }
    }

    proptest! {
        #[test]
        fn a_written_decimal_reads_back(mantissa in any::<i64>(), scale in 0_u32..10) {
            let value = Decimal::new(mantissa, scale);
            prop_assert_eq!(number(&json!(decimal_text(value))), Some(value));
        }

        #[test]
        fn no_text_panics(given in ".*") {
            let _ = number(&json!(given));
        }
    }
}
