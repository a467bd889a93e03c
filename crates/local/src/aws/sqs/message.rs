//! Messages, on their way in, at rest and on their way out.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::error::SqsError;

/// Attributes of a message by name.
pub type MessageAttributes = BTreeMap<String, MessageAttribute>;

/// One attribute a sender gave a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageAttribute {
    /// `String`, `Number` or `Binary`, perhaps with a suffix after a dot.
    pub data_type: String,
    /// The value of a string or number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub string_value: Option<String>,
    /// The value of a binary attribute in Base64.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary_value: Option<String>,
}

/// A message to send.
#[derive(Debug, Clone, Default)]
pub struct NewMessage {
    /// The text.
    pub body: String,
    /// The group whose order it keeps; FIFO queues require one.
    pub group: Option<String>,
    /// What a repeat of it is recognised by; FIFO queues only.
    pub deduplication_id: Option<String>,
    /// Seconds until it can be received; standard queues only.
    pub delay_secs: Option<u32>,
    /// Attributes by name.
    pub attributes: MessageAttributes,
    /// The system attribute `AWSTraceHeader`.
    pub trace_header: Option<String>,
}

/// What SQS says of an accepted message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The message's id; that of the first sending when this one is a repeat.
    pub message_id: String,
    /// Its place in a FIFO queue.
    pub sequence_number: Option<String>,
}

/// A message that was received.
#[derive(Debug, Clone)]
pub struct ReceivedMessage {
    /// Proof of this receive: deletes the message or changes its visibility.
    pub receipt: Receipt,
    /// The message itself.
    pub message: Arc<Message>,
    /// How often it has been received, this time included.
    pub receive_count: u32,
    /// When it was received first, in Unix milliseconds.
    pub first_received_at: i64,
}

/// What of a message never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The id SQS gave it.
    pub message_id: String,
    /// Its number; rises over all queues.
    pub sequence: u64,
    /// The text.
    pub body: String,
    /// Its group.
    pub group: Option<Arc<str>>,
    /// What its repeats are recognised by.
    pub deduplication_id: Option<String>,
    /// When it was sent, in Unix milliseconds.
    pub sent_at: i64,
    /// Attributes by name.
    pub attributes: MessageAttributes,
    /// The system attribute `AWSTraceHeader`.
    pub trace_header: Option<String>,
    /// In a dead-letter queue: the ARN of the queue it failed in.
    pub source_arn: Option<String>,
}

impl Message {
    /// The sequence number as SQS writes it: 20 digits.
    pub fn sequence_number(&self) -> String {
        sequence_number(self.sequence)
    }

    /// MD5 of the body in hex.
    pub fn md5_of_body(&self) -> String {
        md5_of_body(&self.body)
    }
}

/// Proof of one receive of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Receipt {
    pub(super) queue: i64,
    pub(super) sequence: u64,
    pub(super) receive: u32,
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = format!("{}:{}:{}", self.queue, self.sequence, self.receive);
        f.write_str(&URL_SAFE_NO_PAD.encode(plain))
    }
}

impl FromStr for Receipt {
    type Err = SqsError;

    fn from_str(text: &str) -> Result<Self, SqsError> {
        let read = || {
            let plain = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
            let mut parts = plain.split(':');
            let receipt = Self {
                queue: parts.next()?.parse().ok()?,
                sequence: parts.next()?.parse().ok()?,
                receive: parts.next()?.parse().ok()?,
            };
            parts.next().is_none().then_some(receipt)
        };
        read().ok_or(SqsError::ReceiptHandleIsInvalid)
    }
}

pub(super) fn sequence_number(sequence: u64) -> String {
    format!("{sequence:020}")
}

pub(super) fn md5_of_body(body: &str) -> String {
    format!("{:x}", md5::compute(body))
}

/// SHA-256 of the body in hex: the deduplication id of queues that deduplicate by content.
pub(super) fn content_id(body: &str) -> String {
    hex::encode(digest(&SHA256, body.as_bytes()))
}

/// MD5 over the attributes as SQS computes it; nothing without attributes.
///
/// By name in order: length and bytes of name and type, one byte for the kind of the value, its length and bytes.
pub(super) fn md5_of_attributes<'a>(
    attributes: impl Iterator<Item = (&'a String, &'a MessageAttribute)>,
) -> Option<String> {
    let mut context = md5::Context::new();
    let mut any = false;
    for (name, attribute) in attributes {
        any = true;
        let mut part = |bytes: &[u8]| {
            context.consume(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
            context.consume(bytes);
        };
        part(name.as_bytes());
        part(attribute.data_type.as_bytes());
        match (&attribute.string_value, &attribute.binary_value) {
            (Some(text), _) => {
                context.consume([1]);
                context.consume(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
                context.consume(text);
            }
            (None, binary) => {
                // A message is only taken with binary values that can be decoded.
                let bytes = STANDARD
                    .decode(binary.as_deref().unwrap_or_default())
                    .unwrap_or_default();
                context.consume([2]);
                context.consume(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
                context.consume(bytes);
            }
        }
    }
    any.then(|| format!("{:x}", context.compute()))
}

/// Checks a message's text and attributes; returns their size in bytes.
pub(super) fn check(message: &NewMessage, max_bytes: usize) -> Result<usize, SqsError> {
    if message.body.is_empty() {
        return Err(SqsError::MissingParameter("MessageBody"));
    }
    let is_allowed = |c: char| matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{FFFD}' | '\u{10000}'..);
    if !message.body.chars().all(is_allowed) {
        return Err(SqsError::InvalidMessageContents);
    }
    let invalid = |name, reason: &str| SqsError::InvalidParameterValue {
        name,
        reason: reason.to_owned(),
    };
    if message.attributes.len() > 10 {
        return Err(invalid("MessageAttributes", "a message has at most 10 attributes"));
    }
    for (name, attribute) in &message.attributes {
        check_attribute(attribute)
            .map_err(|reason| invalid("MessageAttributes", &format!("attribute '{name}' {reason}")))?;
    }
    let size = size(message);
    if size > max_bytes {
        return Err(invalid(
            "MessageBody",
            &format!("a message must be shorter than {max_bytes} bytes"),
        ));
    }
    Ok(size)
}

fn check_attribute(attribute: &MessageAttribute) -> Result<(), &'static str> {
    let kind = attribute.data_type.split('.').next().unwrap_or_default();
    match (kind, &attribute.string_value, &attribute.binary_value) {
        ("String" | "Number", Some(text), None) if !text.is_empty() => Ok(()),
        ("Binary", None, Some(text)) if STANDARD.decode(text).is_ok() => Ok(()),
        ("String" | "Number", ..) => Err("must have a non-empty StringValue"),
        ("Binary", ..) => Err("must have a BinaryValue in Base64"),
        _ => Err("must have the type String, Number or Binary"),
    }
}

/// The size SQS counts: the body with names, types and values of the attributes.
pub(super) fn size(message: &NewMessage) -> usize {
    let attributes = message.attributes.iter().map(|(name, attribute)| {
        let text = attribute.string_value.as_ref().map_or(0, String::len);
        let binary = attribute.binary_value.as_ref().map_or(0, |value| value.len() / 4 * 3);
        name.len() + attribute.data_type.len() + text + binary
    });
    message.body.len() + attributes.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_sqs() {
        assert_eq!(
            md5_of_body("This is a test message"),
            "fafb00f5732ab283681e124bf8747ed1"
        );
        let attributes = MessageAttributes::from([(
            "timestamp".to_owned(),
            MessageAttribute {
                data_type: "Number".to_owned(),
                string_value: Some("1493147359900".to_owned()),
                binary_value: None,
            },
        )]);
        assert_eq!(
            md5_of_attributes(attributes.iter()).as_deref(),
            Some("235c5c510d26fb653d073faed50ae77c")
        );
        assert_eq!(md5_of_attributes(MessageAttributes::new().iter()), None);
    }

    #[test]
    fn a_receipt_survives_the_wire_and_nothing_else_passes_for_one() {
        let receipt = Receipt {
            queue: 7,
            sequence: 42,
            receive: 3,
        };
        assert_eq!(receipt.to_string().parse(), Ok(receipt));
        for text in ["", "7:42:3", "!!", "NzQy"] {
            assert_eq!(text.parse::<Receipt>(), Err(SqsError::ReceiptHandleIsInvalid), "{text}");
        }
    }

    #[test]
    fn bodies_with_control_characters_and_long_ones_are_refused() {
        let message = |body: &str| NewMessage {
            body: body.to_owned(),
            ..NewMessage::default()
        };
        assert!(check(&message("plain\ttext"), 100).is_ok());
        assert_eq!(check(&message("bell\u{7}"), 100), Err(SqsError::InvalidMessageContents));
        assert!(check(&message("too long"), 3).is_err());
        assert_eq!(check(&message(""), 3), Err(SqsError::MissingParameter("MessageBody")));
    }
}
