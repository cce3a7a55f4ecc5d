//! What happens when events come out of NATS.

pub mod classification;
