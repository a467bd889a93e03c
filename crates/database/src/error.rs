//! What can go wrong between a repository and its table.

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// A table did not do what was asked; refused conditions are outcomes of the methods, not errors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    /// The table was still too busy after several tries.
    #[error("the database is busy; try again in a moment")]
    Throttled,
    /// The table could not be asked; the text says why and is for the log.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A record, or a request made from one, cannot be understood; the text is for the log.
    #[error("record {key} of table {table} cannot be used: {reason}")]
    Corrupt {
        /// The table.
        table: String,
        /// The key of the record, if it is known.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The record is larger than a table holds (400 KB).
    #[error("the record is too large to be stored; make it smaller")]
    TooLarge,
    /// Another write got in between, or the id is taken; do the whole operation again.
    #[error("the record was changed at the same time; try again")]
    Conflict,
}

impl DatabaseError {
    /// Whether doing the same again may help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Throttled | Self::Unavailable(_) | Self::Conflict)
    }

    /// The error of a call to `table`. Items that the answer carries never reach the text.
    pub(crate) fn of_call<E>(table: &str, error: &SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match error.as_service_error() {
            Some(service) => Self::of_service(table, service),
            None => Self::Unavailable(DisplayErrorContext(error).to_string()),
        }
    }

    /// The error that the service of `table` reports.
    pub(crate) fn of_service(table: &str, error: &impl ProvideErrorMetadata) -> Self {
        Self::of_code(
            table,
            error.code().unwrap_or("unknown error"),
            error.message().unwrap_or_default(),
        )
    }

    /// The error with this code: of a whole call, or of one write of a transaction.
    pub(crate) fn of_code(table: &str, code: &str, message: &str) -> Self {
        match code {
            "ThrottlingException"
            | "ThrottlingError"
            | "ProvisionedThroughputExceededException"
            | "ProvisionedThroughputExceeded"
            | "RequestLimitExceeded"
            | "TransactionConflictException"
            | "TransactionConflict"
            | "TransactionInProgressException" => Self::Throttled,
            "ItemCollectionSizeLimitExceededException" | "ItemCollectionSizeLimitExceeded" => Self::TooLarge,
            "ValidationException" | "ValidationError" if message.contains("size") && message.contains("exceeded") => {
                Self::TooLarge
            }
            "ValidationException" | "ValidationError" => Self::Corrupt {
                table: table.to_owned(),
                key: String::new(),
                reason: message.to_owned(),
            },
            _ => Self::Unavailable(format!("{code} on {table}: {message}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_of_the_service_has_its_meaning() {
        let of = |code, message| DatabaseError::of_code("t", code, message);
        for code in [
            "TransactionConflict",
            "TransactionInProgressException",
            "ThrottlingError",
            "ProvisionedThroughputExceededException",
        ] {
            assert_eq!(of(code, ""), DatabaseError::Throttled, "{code}");
        }
        let size = "Item size has exceeded the maximum allowed size";
        assert_eq!(of("ValidationException", size), DatabaseError::TooLarge);
        let wrong = of("ValidationException", "unknown operand");
        assert!(!wrong.is_retryable());
        assert!(matches!(wrong, DatabaseError::Corrupt { .. }));
        assert!(of("InternalServerError", "").is_retryable());
    }
}
