//! The vendor's filter grammar: `field==value;other>=value`.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::error::ApiError;

/// A comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    fn admits(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// One condition of a filter.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) field: String,
    operator: Operator,
    pub(crate) value: String,
}

/// Reads a filter; conditions are joined by `;`, a last `;` is allowed.
pub(crate) fn parse(filter: Option<&str>) -> Result<Vec<Condition>, ApiError> {
    filter
        .unwrap_or_default()
        .split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(parse_condition)
        .collect()
}

fn parse_condition(text: &str) -> Result<Condition, ApiError> {
    // Two-character operators first, so that `>=` is not read as `>`.
    const OPERATORS: [(&str, Operator); 6] = [
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        (">=", Operator::GreaterOrEqual),
        ("<=", Operator::LessOrEqual),
        (">", Operator::Greater),
        ("<", Operator::Less),
    ];
    let start = text.find(['=', '!', '<', '>']).ok_or_else(|| not_a_condition(text))?;
    let (field, rest) = text.split_at(start);
    let (symbol, operator) = OPERATORS
        .into_iter()
        .find(|(symbol, _)| rest.starts_with(symbol))
        .ok_or_else(|| not_a_condition(text))?;
    let value = rest[symbol.len()..].trim();
    if field.trim().is_empty() || value.is_empty() {
        return Err(not_a_condition(text));
    }
    Ok(Condition {
        field: field.trim().to_owned(),
        operator,
        value: value.to_owned(),
    })
}

fn not_a_condition(text: &str) -> ApiError {
    ApiError::property("filter", format!("`{text}` is not of the form field==value"))
}

impl Condition {
    fn refuse(&self, why: &str) -> ApiError {
        ApiError::property("filter", format!("{}: {why}", self.field))
    }

    /// The error for a field that this list cannot be filtered by.
    pub(crate) fn unknown_field(&self) -> ApiError {
        self.refuse("is not a field to filter by")
    }

    fn equality_only(&self) -> Result<(), ApiError> {
        if self.operator == Operator::Equal {
            Ok(())
        } else {
            Err(self.refuse("only == is supported"))
        }
    }

    /// A test for text: equal without regard to case, or a prefix when the value ends in `*`.
    pub(crate) fn text(&self) -> Result<impl Fn(&str) -> bool + use<>, ApiError> {
        self.equality_only()?;
        let (wanted, prefix) = match self.value.strip_suffix('*') {
            Some(start) => (start.to_lowercase(), true),
            None => (self.value.to_lowercase(), false),
        };
        if wanted.contains('*') {
            return Err(self.refuse("a wildcard may only stand at the end"));
        }
        Ok(move |actual: &str| {
            let actual = actual.to_lowercase();
            if prefix {
                actual.starts_with(&wanted)
            } else {
                actual == wanted
            }
        })
    }

    /// Like [`Condition::text`], with `NONE` for an absent value.
    pub(crate) fn text_or_none(&self) -> Result<impl Fn(Option<&str>) -> bool + use<>, ApiError> {
        let matches = self.text()?;
        let none = self.value == "NONE";
        Ok(
            move |actual: Option<&str>| match actual.filter(|text| !text.is_empty()) {
                Some(actual) => !none && matches(actual),
                None => none,
            },
        )
    }

    /// A test for text that contains the value, or begins with it when it ends in `*`.
    pub(crate) fn containing(&self) -> Result<impl Fn(&str) -> bool + use<>, ApiError> {
        let prefix = self.text()?;
        let part = (!self.value.ends_with('*')).then(|| self.value.to_lowercase());
        Ok(move |actual: &str| match &part {
            Some(part) => actual.to_lowercase().contains(part.as_str()),
            None => prefix(actual),
        })
    }

    /// The comma-separated values.
    pub(crate) fn set(&self) -> Result<Vec<String>, ApiError> {
        self.equality_only()?;
        Ok(self.value.split(',').map(|item| item.trim().to_owned()).collect())
    }

    /// The comma-separated ids.
    pub(crate) fn ids(&self) -> Result<Vec<u64>, ApiError> {
        self.set()?
            .iter()
            .map(|id| id.parse().map_err(|_| self.refuse("expects ids, separated by commas")))
            .collect()
    }

    /// The instant of a `since_…`, `until_…`, `start_…` or `end_…` field.
    pub(crate) fn time(&self) -> Result<DateTime<Utc>, ApiError> {
        self.equality_only()?;
        self.instant()
    }

    /// A full date-time with milliseconds and offset: the only form that the vendor takes.
    fn instant(&self) -> Result<DateTime<Utc>, ApiError> {
        ["%Y-%m-%dT%H:%M:%S%.3f%:z", "%Y-%m-%dT%H:%M:%S%.3fZ"]
            .into_iter()
            .filter(|_| self.value.contains('.'))
            .find_map(|format| {
                DateTime::parse_from_str(&self.value, format)
                    .map(|time| time.with_timezone(&Utc))
                    .or_else(|_| chrono::NaiveDateTime::parse_from_str(&self.value, format).map(|time| time.and_utc()))
                    .ok()
            })
            .ok_or_else(|| {
                self.refuse("expects a date-time with milliseconds and offset, such as 2026-01-01T00:00:00.000Z")
            })
    }

    /// A test for numbers.
    pub(crate) fn number(&self) -> Result<impl Fn(Decimal) -> bool + use<>, ApiError> {
        let wanted: Decimal = self.value.parse().map_err(|_| self.refuse("expects a number"))?;
        let operator = self.operator;
        Ok(move |actual: Decimal| operator.admits(actual.cmp(&wanted)))
    }

    /// A test for instants with any comparison.
    pub(crate) fn instants(&self) -> Result<impl Fn(DateTime<Utc>) -> bool + use<>, ApiError> {
        let wanted = self.instant()?;
        let operator = self.operator;
        Ok(move |actual: DateTime<Utc>| operator.admits(actual.cmp(&wanted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_joined_by_semicolons() {
        let conditions = parse(Some("email==a@example.com;contact_id>=5;")).unwrap();
        let read: Vec<_> = conditions
            .iter()
            .map(|c| (c.field.as_str(), c.operator, c.value.as_str()))
            .collect();
        assert_eq!(
            read,
            [
                ("email", Operator::Equal, "a@example.com"),
                ("contact_id", Operator::GreaterOrEqual, "5")
            ]
        );
        assert!(parse(Some("email=a")).is_err());
        assert!(parse(Some("email==")).is_err());
    }

    #[test]
    fn only_a_full_date_time_with_milliseconds_is_taken() {
        let time = |text: &str| parse(Some(&format!("since_create_time=={text}"))).unwrap()[0].time();
        assert_eq!(
            time("2026-01-01T02:00:00.000+02:00").unwrap(),
            time("2026-01-01T00:00:00.000Z").unwrap()
        );
        assert!(time("2026-01-01").is_err());
        assert!(time("2026-01-01T00:00:00").is_err());
    }
}
