//! Clients of the services that helpers call; each knows one vendor's addresses and answers.

pub(crate) mod ip_api;
pub(crate) mod they_said_so;
pub(crate) mod twilio_lookup;
