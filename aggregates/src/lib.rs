//! The pure domain of DocuVault: what may happen, and what has happened.
//!
//! Nothing here reads a clock, rolls dice or does I/O: commands bring their time and ids with them, `decide`
//! turns a command into events or a refusal, `apply` folds events into state.
//!
//! To add an event: a variant in the aggregate's `event.rs` (the compiler then leads to `event_type`, `apply`,
//! the projections and `docuvault-replay`), a command in `command.rs` if one causes it, and a golden file in
//! `tests/golden/`. Stored names and shapes are frozen: to change one, raise its version and add an upcaster to
//! [`upcasters`].

pub mod access;
pub mod document;
mod event;
mod id;
pub mod log;
mod metadata;
mod name;
mod personal;
pub mod quota;
mod state_version;
pub mod user;

pub use access::AccessEvent;
pub use document::{Document, DocumentCommand, DocumentError, DocumentEvent};
pub use event::{DecodeError, Event, upcasters};
pub use id::{ApiTokenId, DocumentId, FolderId, SessionId, UploadId, UserId};
pub use log::LogEvent;
pub use metadata::{Actor, Metadata, MetadataError, Part};
pub use name::{Name, NameError};
pub use personal::{Personal, PersonalValue};
pub use quota::{Quota, QuotaCommand, QuotaError, QuotaEvent};
pub use state_version::state_version;
pub use user::{Preferences, Role, Scope, User, UserCommand, UserError, UserEvent};
