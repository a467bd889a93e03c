//! Questions about a contact that only the CRM itself can answer: its records and e-mail statistics (`data` C3).

use std::fmt;

use chrono::{DateTime, Utc};

/// A question about one contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// A column of the contact's oldest or newest record of a kind.
    Related {
        /// Which records.
        record: RecordKind,
        /// Which of them.
        end: End,
        /// The column by the name that users choose from, such as `InvoiceTotal`.
        column: String,
    },
    /// The time when an e-mail to this address was last clicked, opened or sent.
    LastEmail {
        /// The address.
        address: String,
        /// What happened to it.
        event: EmailEvent,
    },
    /// How many of the contact's e-mails were clicked in the days before `until`.
    ClicksInLast {
        /// The address.
        address: String,
        /// Length of the period.
        days: u32,
        /// End of the period.
        until: DateTime<Utc>,
    },
}

/// Kinds of records that belong to a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum RecordKind {
    Invoice,
    /// An order.
    Job,
    Subscription,
    /// An opportunity.
    Lead,
    CreditCard,
    Payment,
}

impl RecordKind {
    /// The name in keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invoice => "invoice",
            Self::Job => "job",
            Self::Subscription => "subscription",
            Self::Lead => "lead",
            Self::CreditCard => "creditcard",
            Self::Payment => "payment",
        }
    }
}

/// An end of a list of records by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// The oldest record.
    First,
    /// The newest record.
    Last,
}

/// What happens to an e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the names say it")]
pub enum EmailEvent {
    Click,
    Open,
    Send,
}

impl Question {
    /// What is asked, without the address, to complete "the CRM does not tell …".
    pub(crate) fn topic(&self) -> String {
        match self {
            Self::Related { record, .. } => format!("the {} records of a contact", record.as_str()),
            Self::LastEmail { event, .. } => {
                let event = match event {
                    EmailEvent::Click => "clicked",
                    EmailEvent::Open => "opened",
                    EmailEvent::Send => "sent",
                };
                format!("when an e-mail was last {event}")
            }
            Self::ClicksInLast { .. } => "how often e-mails were clicked".to_owned(),
        }
    }
}

impl fmt::Display for Question {
    /// The key of the question, such as `_related.invoice.first.InvoiceTotal`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Related { record, end, column } => {
                let end = match end {
                    End::First => "first",
                    End::Last => "last",
                };
                write!(f, "_related.{}.{end}.{column}", record.as_str())
            }
            Self::LastEmail { address, event } => {
                let name = match event {
                    EmailEvent::Click => "LastClickDate",
                    EmailEvent::Open => "LastOpenDate",
                    EmailEvent::Send => "LastSentDate",
                };
                write!(f, "_email_stats.{address}.{name}")
            }
            Self::ClicksInLast { address, days, .. } => write!(f, "_email_stats.{address}.ClicksInLast.{days}d"),
        }
    }
}
