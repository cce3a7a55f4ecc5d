//! Where a mail goes: looked up in the log when it is sent, so that no address is kept anywhere else.

use aggregates::{PersonalValue, User, UserId};
use anyhow::Context;
use event_store::EventStore;
use lettre::Address;

use super::Kind;

/// Where a mail of this kind to `user` goes; `None` when there is no such address any more.
pub(super) async fn address(store: &EventStore, user: UserId, kind: Kind) -> anyhow::Result<Option<Address>> {
    let (account, _) = store.load::<User>(&user.to_string()).await?;
    let email = if kind == Kind::ConfirmEmail { account.requested_email() } else { account.email() };
    match email.map(|email| &email.value) {
        // The parser's message would show it.
        Some(PersonalValue::Open(email)) => {
            email.parse().map(Some).ok().context("the recipient's address is none that mail can go to")
        }
        Some(PersonalValue::Sealed(_)) => anyhow::bail!("the recipient's address cannot be opened"),
        Some(PersonalValue::Erased(_)) | None => Ok(None),
    }
}
