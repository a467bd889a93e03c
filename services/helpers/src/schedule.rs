//! Schedule expressions in EventBridge syntax, checked before they are stored (`api-automation` §11).
//!
//! Only the syntax and the shortest interval are checked here; the scheduler computes the times.

use std::collections::BTreeSet;

/// The shortest interval between two runs, in minutes.
const MIN_INTERVAL_MINUTES: u32 = 5;

/// Why an expression is refused, in words for the user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ScheduleFault(pub &'static str);

const SYNTAX: ScheduleFault = ScheduleFault("must look like \"rate(15 minutes)\" or \"cron(0 9 * * ? *)\"");
const TOO_OFTEN: ScheduleFault = ScheduleFault("must leave at least 5 minutes between two runs");

/// Checks `rate(value unit)` or `cron(minutes hours day-of-month month day-of-week year)`.
pub(crate) fn check(expression: &str) -> Result<(), ScheduleFault> {
    let expression = expression.trim();
    if let Some(inner) = inside(expression, "rate(") {
        check_rate(inner)
    } else if let Some(inner) = inside(expression, "cron(") {
        check_cron(inner)
    } else {
        Err(SYNTAX)
    }
}

fn inside<'a>(expression: &'a str, prefix: &str) -> Option<&'a str> {
    expression.strip_prefix(prefix)?.strip_suffix(')')
}

fn check_rate(inner: &str) -> Result<(), ScheduleFault> {
    let mut words = inner.split_whitespace();
    let (Some(value), Some(unit), None) = (words.next(), words.next(), words.next()) else {
        return Err(SYNTAX);
    };
    let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
    let value: u32 = value.parse().ok().filter(|_| is_number).ok_or(SYNTAX)?;
    let minutes_of_unit = match (unit, value) {
        (_, 0) => return Err(SYNTAX),
        ("minute", 1) | ("minutes", 2..) => 1,
        ("hour", 1) | ("hours", 2..) => 60,
        ("day", 1) | ("days", 2..) => 60 * 24,
        _ => return Err(SYNTAX),
    };
    if value.saturating_mul(minutes_of_unit) < MIN_INTERVAL_MINUTES {
        return Err(TOO_OFTEN);
    }
    Ok(())
}

/// One of the six fields of a cron expression.
struct Field {
    min: u32,
    max: u32,
    /// Names of values, the first standing for `min`.
    names: &'static [&'static str],
}

const MINUTES: Field = Field {
    min: 0,
    max: 59,
    names: &[],
};
const HOURS: Field = Field {
    min: 0,
    max: 23,
    names: &[],
};
const DAYS: Field = Field {
    min: 1,
    max: 31,
    names: &[],
};
const MONTHS: Field = Field {
    min: 1,
    max: 12,
    names: &[
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ],
};
const WEEKDAYS: Field = Field {
    min: 1,
    max: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};
const YEARS: Field = Field {
    min: 1970,
    max: 2199,
    names: &[],
};

fn check_cron(inner: &str) -> Result<(), ScheduleFault> {
    let fields: Vec<&str> = inner.split_whitespace().collect();
    let [minutes, hours, days, months, weekdays, years] = fields.as_slice() else {
        return Err(SYNTAX);
    };
    let minutes = MINUTES.values(minutes).ok_or(SYNTAX)?;
    let hours = HOURS.values(hours).ok_or(SYNTAX)?;
    let is_valid = match (*days, *weekdays) {
        // Exactly one of the two says on which days; the other is left open.
        ("?", "?") => false,
        (days, "?") => is_day_of_month(days),
        ("?", weekdays) => is_day_of_week(weekdays),
        _ => false,
    };
    if !is_valid || MONTHS.values(months).is_none() || YEARS.values(years).is_none() {
        return Err(SYNTAX);
    }
    if shortest_gap(&minutes, &hours) < MIN_INTERVAL_MINUTES {
        return Err(TOO_OFTEN);
    }
    Ok(())
}

impl Field {
    /// The values that a list of single values, ranges and steps names; `None` when it is not well formed.
    fn values(&self, text: &str) -> Option<BTreeSet<u32>> {
        let mut values = BTreeSet::new();
        for part in text.split(',') {
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, Some(number(step).filter(|step| *step > 0)?)),
                None => (part, None),
            };
            let (first, last) = match (range, range.split_once('-')) {
                ("*", _) => (self.min, self.max),
                (_, Some((first, last))) => (self.value(first)?, self.value(last)?),
                (single, None) => {
                    let first = self.value(single)?;
                    (first, if step.is_some() { self.max } else { first })
                }
            };
            if first > last {
                return None;
            }
            let step = usize::try_from(step.unwrap_or(1)).ok()?;
            values.extend((first..=last).step_by(step));
        }
        Some(values)
    }

    fn value(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| text.eq_ignore_ascii_case(name));
        let value = match named {
            Some(place) => self.min + u32::try_from(place).ok()?,
            None => number(text)?,
        };
        (self.min..=self.max).contains(&value).then_some(value)
    }
}

fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// `L` is the last day, `LW` the last weekday, `15W` the weekday nearest to the 15th.
fn is_day_of_month(text: &str) -> bool {
    let nearest = || text.strip_suffix('W').and_then(|day| DAYS.value(day)).is_some();
    matches!(text, "L" | "LW") || nearest() || DAYS.values(text).is_some()
}

/// `L` is Saturday, `6L` the last Friday, `3#2` the second Tuesday of the month.
fn is_day_of_week(text: &str) -> bool {
    let last = || text.strip_suffix('L').and_then(|day| WEEKDAYS.value(day)).is_some();
    let nth = || {
        text.split_once('#')
            .is_some_and(|(day, n)| WEEKDAYS.value(day).is_some() && number(n).is_some_and(|n| (1..=5).contains(&n)))
    };
    text == "L" || last() || nth() || WEEKDAYS.values(text).is_some()
}

/// Minutes between the two closest runs, looking across hours and midnight.
fn shortest_gap(minutes: &BTreeSet<u32>, hours: &BTreeSet<u32>) -> u32 {
    const DAY: u32 = 24 * 60;
    let runs: Vec<u32> = hours
        .iter()
        .flat_map(|hour| minutes.iter().map(move |minute| hour * 60 + minute))
        .collect();
    let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
        return DAY;
    };
    let across_midnight = first + DAY - last;
    let within = runs.windows(2).map(|pair| pair[1] - pair[0]).min();
    within.unwrap_or(DAY).min(across_midnight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expressions_that_the_web_app_offers_are_accepted() {
        for expression in [
            "rate(5 minutes)",
            "rate(15 minutes)",
            "rate(1 hour)",
            "rate(6 hours)",
            "rate(1 day)",
            "cron(0 9 * * ? *)",
            "cron(0 0 * * ? *)",
            "cron(0 9 ? * MON *)",
            "cron(0 9 1 * ? *)",
        ] {
            assert_eq!(check(expression), Ok(()), "{expression}");
        }
    }

    #[test]
    fn the_rest_of_the_syntax_is_accepted_too() {
        for expression in [
            "cron(0/15 8-17 ? * MON-FRI *)",
            "cron(5,35 14 * JAN,jul ? 2026-2030)",
            "cron(0 10 L * ? *)",
            "cron(0 10 LW * ? *)",
            "cron(0 10 15W * ? *)",
            "cron(0 10 ? * 6L *)",
            "cron(0 10 ? * 3#2 *)",
            "cron(*/10 * * * ? *)",
        ] {
            assert_eq!(check(expression), Ok(()), "{expression}");
        }
    }

    #[test]
    fn anything_else_is_not_an_expression() {
        for expression in [
            "",
            "every day",
            "rate()",
            "rate(0 minutes)",
            "rate(-5 minutes)",
            "rate(+5 minutes)",
            "rate(1 hours)",
            "rate(5 hour)",
            "rate(5 weeks)",
            "rate(5minutes)",
            "rate(99999999999 days)",
            "cron(0 9 * * *)",
            "cron(0 9 * * * *)",
            "cron(0 9 ? * ? *)",
            "cron(60 9 * * ? *)",
            "cron(0 24 * * ? *)",
            "cron(0 9 32 * ? *)",
            "cron(0 9 ? * FUN *)",
            "cron(0 9 ? * 3#6 *)",
            "cron(0 9 * 13 ? *)",
            "cron(0 9 * * ? 1969)",
            "cron(30-10 9 * * ? *)",
            "cron(*/0 9 * * ? *)",
            "cron(0 9 * * ? *",
            "0 9 * * ? *",
        ] {
            assert_eq!(check(expression), Err(SYNTAX), "{expression}");
        }
    }

    #[test]
    fn less_than_five_minutes_is_too_often() {
        for expression in [
            "rate(1 minute)",
            "rate(4 minutes)",
            "cron(* * * * ? *)",
            "cron(0,3 9 * * ? *)",
            "cron(0/7 * * * ? *)",
            "cron(0,58 * * * ? *)",
        ] {
            assert_eq!(check(expression), Err(TOO_OFTEN), "{expression}");
        }
    }

    #[test]
    fn a_gap_across_an_hour_or_midnight_that_no_run_follows_does_not_count() {
        assert_eq!(check("cron(0,58 9 * * ? *)"), Ok(()));
        assert_eq!(check("cron(58 23 * * ? *)"), Ok(()));
    }
}
