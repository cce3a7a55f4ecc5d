//! What a handler asks of a request. Each of these answers for itself when the request does not hold it, so a handler
//! begins where everything it needs is there, checked and allowed.

mod body;
mod caller;
mod client;
mod forwarded;
mod id;
mod idempotency;
mod if_match;
mod nothing;
mod params;
mod patch;
mod present;
mod serde_fields;

pub use body::{Body, MAX_BODY};
pub use caller::{Admin, Auditing, Caller, Member, Session};
pub use client::{Client, RequestId};
pub use id::Id;
pub use idempotency::{IdempotencyKey, once, once_in_secret};
pub use if_match::IfMatch;
pub use nothing::{Empty, NoParams};
pub use params::Params;
pub use patch::Patch;
pub use present::present;
