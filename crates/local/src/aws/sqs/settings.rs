//! The attributes of a queue: read, checked, and in force.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::error::SqsError;

/// The longest message, in bytes, that SQS carries.
pub(super) const MAX_MESSAGE_BYTES: usize = 1_048_576;

/// The attributes that may be set, with their defaults; an empty default means "absent unless set".
const ATTRIBUTES: &[(&str, &str)] = &[
    ("ContentBasedDeduplication", ""),
    ("DeduplicationScope", ""),
    ("DelaySeconds", "0"),
    ("FifoQueue", ""),
    ("FifoThroughputLimit", ""),
    ("KmsDataKeyReusePeriodSeconds", ""),
    ("KmsMasterKeyId", ""),
    ("MaximumMessageSize", "1048576"),
    ("MessageRetentionPeriod", "345600"),
    ("Policy", ""),
    ("ReceiveMessageWaitTimeSeconds", "0"),
    ("RedriveAllowPolicy", ""),
    ("RedrivePolicy", ""),
    ("SqsManagedSseEnabled", ""),
    ("VisibilityTimeout", "30"),
];

/// What a queue's attributes mean; times in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Settings {
    pub fifo: bool,
    pub content_deduplication: bool,
    pub deduplicate_per_group: bool,
    pub visibility_ms: i64,
    pub delay_ms: i64,
    pub retention_ms: i64,
    pub wait_ms: i64,
    pub max_bytes: usize,
    pub redrive: Option<Redrive>,
}

/// Where a message goes that was received too often.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Redrive {
    pub target_arn: String,
    pub max_receives: u32,
}

impl Redrive {
    /// The name of the dead-letter queue.
    pub fn target(&self) -> &str {
        self.target_arn.rsplit(':').next().unwrap_or_default()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RedrivePolicy {
    dead_letter_target_arn: String,
    max_receive_count: NumberOrText,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(u32),
    Text(String),
}

impl Settings {
    /// Reads the attributes of the queue `name`.
    ///
    /// # Errors
    /// Names the first attribute that is unknown or has a bad value.
    pub fn read(name: &str, attributes: &BTreeMap<String, String>) -> Result<Self, SqsError> {
        if let Some(unknown) = attributes.keys().find(|name| !is_attribute(name)) {
            return Err(SqsError::InvalidAttributeName(unknown.clone()));
        }
        let reader = Reader(attributes);
        let fifo = reader.boolean("FifoQueue")?;
        check_name(name, fifo)?;
        if !fifo
            && let Some(only_fifo) =
                reader.first_of(&["ContentBasedDeduplication", "DeduplicationScope", "FifoThroughputLimit"])
        {
            return Err(SqsError::InvalidAttributeName(only_fifo.to_owned()));
        }
        reader.one_of("FifoThroughputLimit", &["perQueue", "perMessageGroupId"])?;
        let scope = reader.one_of("DeduplicationScope", &["queue", "messageGroup"])?;
        let max_bytes = reader.number("MaximumMessageSize", 1_024, MAX_MESSAGE_BYTES as i64)?;
        Ok(Self {
            fifo,
            content_deduplication: reader.boolean("ContentBasedDeduplication")?,
            deduplicate_per_group: scope == Some("messageGroup"),
            visibility_ms: 1_000 * reader.number("VisibilityTimeout", 0, 43_200)?,
            delay_ms: 1_000 * reader.number("DelaySeconds", 0, 900)?,
            retention_ms: 1_000 * reader.number("MessageRetentionPeriod", 60, 1_209_600)?,
            wait_ms: 1_000 * reader.number("ReceiveMessageWaitTimeSeconds", 0, 20)?,
            max_bytes: usize::try_from(max_bytes).unwrap_or(MAX_MESSAGE_BYTES),
            redrive: reader.redrive()?,
        })
    }
}

/// Whether this attribute can be set.
pub(super) fn is_attribute(name: &str) -> bool {
    ATTRIBUTES.iter().any(|(known, _)| *known == name)
}

/// The attributes in force: what was set, and the defaults.
pub(super) fn in_force(attributes: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut all: BTreeMap<_, _> = ATTRIBUTES
        .iter()
        .filter(|(_, default)| !default.is_empty())
        .map(|(name, default)| ((*name).to_owned(), (*default).to_owned()))
        .collect();
    all.extend(attributes.iter().map(|(name, value)| (name.clone(), value.clone())));
    if all.get("FifoQueue").is_some_and(|value| value == "true") {
        for (name, default) in [
            ("ContentBasedDeduplication", "false"),
            ("DeduplicationScope", "queue"),
            ("FifoThroughputLimit", "perQueue"),
        ] {
            all.entry(name.to_owned()).or_insert_with(|| default.to_owned());
        }
    }
    all
}

fn check_name(name: &str, fifo: bool) -> Result<(), SqsError> {
    let bare = if fifo { name.strip_suffix(".fifo") } else { Some(name) };
    let is_good = bare.is_some_and(|bare| {
        !bare.is_empty()
            && bare
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    });
    if is_good && name.len() <= 80 {
        return Ok(());
    }
    let ending = if fifo { ", must end with .fifo suffix" } else { "" };
    Err(SqsError::InvalidParameterValue {
        name: "QueueName",
        reason: format!(
            "a name can only include alphanumeric characters, hyphens, or underscores{ending} and be 1 to 80 in length"
        ),
    })
}

struct Reader<'a>(&'a BTreeMap<String, String>);

impl Reader<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn first_of<'n>(&self, names: &[&'n str]) -> Option<&'n str> {
        names.iter().copied().find(|name| self.0.contains_key(*name))
    }

    fn boolean(&self, name: &str) -> Result<bool, SqsError> {
        Ok(self.one_of(name, &["true", "false"])? == Some("true"))
    }

    fn one_of(&self, name: &str, allowed: &[&str]) -> Result<Option<&str>, SqsError> {
        match self.get(name) {
            Some(value) if !allowed.contains(&value) => Err(SqsError::InvalidAttributeValue {
                name: name.to_owned(),
                reason: format!("must be one of {}", allowed.join(", ")),
            }),
            value => Ok(value),
        }
    }

    fn number(&self, name: &str, least: i64, most: i64) -> Result<i64, SqsError> {
        let default = ATTRIBUTES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, default)| *default);
        let value = self.get(name).or(default).unwrap_or_default();
        value
            .parse()
            .ok()
            .filter(|number| (least..=most).contains(number))
            .ok_or_else(|| SqsError::InvalidAttributeValue {
                name: name.to_owned(),
                reason: format!("must be a whole number from {least} to {most}"),
            })
    }

    fn redrive(&self) -> Result<Option<Redrive>, SqsError> {
        let invalid = |reason: &str| SqsError::InvalidAttributeValue {
            name: "RedrivePolicy".to_owned(),
            reason: reason.to_owned(),
        };
        let Some(text) = self.get("RedrivePolicy").filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let policy: RedrivePolicy = serde_json::from_str(text)
            .map_err(|_| invalid("must be JSON with deadLetterTargetArn and maxReceiveCount"))?;
        let max_receives = match policy.max_receive_count {
            NumberOrText::Number(number) => Some(number),
            NumberOrText::Text(text) => text.parse().ok(),
        };
        match max_receives {
            Some(max_receives @ 1..=1_000) => Ok(Some(Redrive {
                target_arn: policy.dead_letter_target_arn,
                max_receives,
            })),
            _ => Err(invalid("maxReceiveCount must be a whole number from 1 to 1000")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn defaults_are_those_of_sqs() {
        let settings = Settings::read("plain", &attributes(&[])).unwrap();
        assert!(!settings.fifo);
        assert_eq!(settings.visibility_ms, 30_000);
        assert_eq!(settings.retention_ms, 345_600_000);
    }

    #[test]
    fn bad_attributes_are_named() {
        for (pairs, named) in [
            (vec![("Colour", "red")], "Colour"),
            (vec![("VisibilityTimeout", "soon")], "VisibilityTimeout"),
            (vec![("DelaySeconds", "901")], "DelaySeconds"),
            (vec![("RedrivePolicy", "{}")], "RedrivePolicy"),
            (vec![("ContentBasedDeduplication", "true")], "ContentBasedDeduplication"),
            (vec![("FifoQueue", "true")], "QueueName"),
        ] {
            let error = Settings::read("plain", &attributes(&pairs)).unwrap_err();
            assert!(error.to_string().contains(named), "{error}");
        }
    }

    #[test]
    fn the_redrive_policy_takes_the_count_as_number_and_as_text() {
        for count in ["3", "\"3\""] {
            let policy =
                format!("{{\"deadLetterTargetArn\":\"arn:aws:sqs:us-west-2:1:dead\",\"maxReceiveCount\":{count}}}");
            let redrive = Settings::read("plain", &attributes(&[("RedrivePolicy", &policy)]))
                .unwrap()
                .redrive
                .unwrap();
            assert_eq!((redrive.target(), redrive.max_receives), ("dead", 3));
        }
    }
}
