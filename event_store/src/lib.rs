//! The log of DocuVault in PostgreSQL, and the only way into it.
//!
//! What the log promises: positions are dense (1, 2, 3, …) and follow commit order, so a reader needs nothing but
//! `WHERE position > $checkpoint ORDER BY position`; an append, over however many streams, is taken whole or not at
//! all; an acknowledged append is durable; a retried append is taken once; personal data is sealed under its subject's
//! own key before it leaves the process.
//!
//! To write, use [`EventStore::execute`] (load, decide, append, retried on conflict) or [`EventStore::execute_with`]
//! when rows of your own must commit with the events. To read, [`EventStore::read`] gives the log by position and
//! [`EventStore::watch`] says when there is more.

mod append;
mod cache;
mod clock;
mod error;
mod execute;
mod group_commit;
mod idempotency;
pub mod keys;
mod lane;
pub mod leaf;
mod load;
mod read;
mod repository;
mod seal;
mod snapshot;
mod statement;
mod store;
mod unit;
mod watch;

pub use clock::Clock;
pub use error::{ExecuteError, StoreError};
pub use execute::{Context, Executed};
pub use idempotency::{Claim, CommandKey, IdempotencyError};
pub use keys::{InstallationKey, Keyring, MasterKeys, NewUserKey};
pub use load::Loaded;
pub use read::{RawEvent, RecordedEvent};
pub use repository::SealedRepository;
pub use seal::SealError;
pub use store::{EventStore, migrate};
pub use unit::{Unit, UnitError};
pub use watch::LogHead;
