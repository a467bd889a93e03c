//! What SQS refuses, with the codes its clients know.

/// A request SQS refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SqsError {
    /// There is no queue of this name.
    #[error("The specified queue does not exist.")]
    QueueDoesNotExist,
    /// A queue of this name exists with another value of the named attribute.
    #[error("A queue already exists with the same name and a different value for attribute {0}")]
    QueueNameExists(String),
    /// No such queue attribute.
    #[error("Unknown Attribute {0}.")]
    InvalidAttributeName(String),
    /// A queue attribute's value is not allowed.
    #[error("Invalid value for the parameter {name}. Reason: {reason}")]
    InvalidAttributeValue {
        /// The attribute.
        name: String,
        /// What is expected.
        reason: String,
    },
    /// A parameter's value is not allowed.
    #[error("Value for parameter {name} is invalid. Reason: {reason}")]
    InvalidParameterValue {
        /// The parameter.
        name: &'static str,
        /// What is expected.
        reason: String,
    },
    /// A required parameter is missing.
    #[error("The request must contain the parameter {0}.")]
    MissingParameter(&'static str),
    /// The body holds characters that SQS does not carry.
    #[error("The message contains characters outside the allowed set: #x9, #xA, #xD, and #x20 or above.")]
    InvalidMessageContents,
    /// The receipt was not given out by this queue.
    #[error("The input receipt handle is invalid.")]
    ReceiptHandleIsInvalid,
    /// The message is not in flight, or was received again since.
    #[error("The message referred to is not in flight.")]
    MessageNotInflight,
    /// A batch without entries.
    #[error("There should be at least one entry in the request.")]
    EmptyBatchRequest,
    /// A batch with more than ten entries.
    #[error("Maximum number of entries per request are 10. You have sent {0}.")]
    TooManyEntriesInBatchRequest(usize),
    /// Two entries of a batch share an id.
    #[error("Id {0} repeated.")]
    BatchEntryIdsNotDistinct(String),
    /// The entries of a batch are together too long.
    #[error("Batch requests cannot be longer than {0} bytes.")]
    BatchRequestTooLong(usize),
    /// An entry's id has a bad form.
    #[error(
        "A batch entry id can only contain alphanumeric characters, hyphens and underscores. It can be at most 80 letters long."
    )]
    InvalidBatchEntryId,
    /// The body of the request is not the JSON expected.
    #[error("The request could not be read: {0}")]
    Malformed(String),
    /// No such operation.
    #[error("The operation {0} is not answered by this SQS.")]
    UnknownOperation(String),
    /// The queue file could not be written; nothing of the request was done.
    #[error("The queue file failed: {0}; check the disk and try again.")]
    Storage(String),
}

impl SqsError {
    /// The shape's name in the JSON protocol and the code of the older query protocol.
    pub(super) fn codes(&self) -> (&'static str, &'static str) {
        match self {
            Self::QueueDoesNotExist => ("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"),
            Self::QueueNameExists(_) => ("QueueNameExists", "QueueAlreadyExists"),
            Self::InvalidAttributeName(_) => ("InvalidAttributeName", "InvalidAttributeName"),
            Self::InvalidAttributeValue { .. } => ("InvalidAttributeValue", "InvalidAttributeValue"),
            Self::InvalidParameterValue { .. } => ("InvalidParameterValueException", "InvalidParameterValue"),
            Self::MissingParameter(_) => ("MissingRequiredParameterException", "MissingParameter"),
            Self::InvalidMessageContents => ("InvalidMessageContents", "InvalidMessageContents"),
            Self::ReceiptHandleIsInvalid => ("ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid"),
            Self::MessageNotInflight => ("MessageNotInflight", "AWS.SimpleQueueService.MessageNotInflight"),
            Self::EmptyBatchRequest => ("EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest"),
            Self::TooManyEntriesInBatchRequest(_) => (
                "TooManyEntriesInBatchRequest",
                "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
            ),
            Self::BatchEntryIdsNotDistinct(_) => (
                "BatchEntryIdsNotDistinct",
                "AWS.SimpleQueueService.BatchEntryIdsNotDistinct",
            ),
            Self::BatchRequestTooLong(_) => ("BatchRequestTooLong", "AWS.SimpleQueueService.BatchRequestTooLong"),
            Self::InvalidBatchEntryId => ("InvalidBatchEntryId", "AWS.SimpleQueueService.InvalidBatchEntryId"),
            Self::Malformed(_) => ("SerializationException", "MalformedInput"),
            Self::UnknownOperation(_) => ("UnknownOperationException", "InvalidAction"),
            Self::Storage(_) => ("InternalFailure", "InternalFailure"),
        }
    }

    /// Whether the fault is ours: such a request may be repeated.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self, Self::Storage(_))
    }
}

impl From<rusqlite::Error> for SqsError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(error.to_string())
    }
}
