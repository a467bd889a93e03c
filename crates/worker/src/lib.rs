//! The SQS handler that every helper worker shares (`pipeline` §6.3).
//!
//! A delivery is claimed with a lease, checked against what happened since it was accepted, run with a journal, and
//! ended exactly once. What can be repeated goes back to the queue with its visibility set, so that its contact's order
//! is kept; nothing is acknowledged that was not handled.

mod event;
mod gate;
mod journal;
mod lambda;
mod outputs;
mod retry;
mod worker;
mod world;

pub use event::{BatchResponse, Delivery, DeliveryAttributes, ItemFailure, SqsEvent};
pub use lambda::run;
pub use outputs::Outputs;
pub use worker::{Disposition, Worker};
pub use world::Reach;
