//! What happens around a run, from acceptance to the queue and, when something breaks, to its end.

mod accept;
mod dead_letter;
mod router;
mod send;
mod sweeper;

pub use accept::{Accept, Accepted, BurstLimits, Refusal, Trigger};
pub use dead_letter::{DeadLetter, DeadLetters};
pub use router::{Router, StreamEvent, StreamImage, StreamRecord, StreamResponse};
pub use sweeper::{Sweep, Sweeper};
