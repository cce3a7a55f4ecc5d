//! Tells people by mail what they should know. What happens here is a row in the outbox, which cannot fail for long; the mail
//! itself goes out when it can (`crate::mail`).

use aggregates::{AccessEvent, Event, UserEvent};
use event_store::{EventStore, RecordedEvent};
use futures::FutureExt;
use futures::future::BoxFuture;

use super::{Consumer, Trouble};
use crate::mail::{self, Kind, Mail};

/// The consumer.
pub(super) struct Notification {
    pub(super) store: EventStore,
}

impl Consumer for Notification {
    fn name(&self) -> &'static str {
        "notification"
    }

    fn subjects(&self) -> &'static [&'static str] {
        &[
            "docuvault.access.refresh_token_reused",
            "docuvault.access.backup_code_used",
            "docuvault.user.password_changed",
            "docuvault.user.password_reset",
            "docuvault.user.temporary_password_issued",
            "docuvault.user.totp_enabled",
            "docuvault.user.totp_disabled",
            "docuvault.user.backup_codes_replaced",
            "docuvault.user.api_token_created",
        ]
    }

    fn handle(&self, event: RecordedEvent) -> BoxFuture<'_, Result<(), Trouble>> {
        async move {
            let Some(kind) = worth_a_mail(&event.event) else { return Ok(()) };
            let (event_id, recipient, at) = (event.event_id, event.owner_id, event.recorded_at);
            let mail = Mail { event_id, recipient, kind, at };
            Ok(mail::enqueue(self.store.pool(), &mail).await.map_err(anyhow::Error::from)?)
        }
        .boxed()
    }
}

/// Mails with links, and what else commits with its event, are in the outbox already.
fn worth_a_mail(event: &Event) -> Option<Kind> {
    match event {
        Event::Access(AccessEvent::RefreshTokenReused { .. }) => Some(Kind::TokenReused),
        Event::Access(AccessEvent::BackupCodeUsed { .. }) => Some(Kind::BackupCodeUsed),
        Event::User(UserEvent::PasswordChanged {}) => Some(Kind::PasswordChanged),
        Event::User(UserEvent::PasswordReset {}) => Some(Kind::PasswordReset),
        Event::User(UserEvent::TemporaryPasswordIssued {}) => Some(Kind::TemporaryPasswordIssued),
        Event::User(UserEvent::TotpEnabled {}) => Some(Kind::TotpEnabled),
        Event::User(UserEvent::TotpDisabled {}) => Some(Kind::TotpDisabled),
        Event::User(UserEvent::BackupCodesReplaced {}) => Some(Kind::BackupCodesReplaced),
        Event::User(UserEvent::ApiTokenCreated { .. }) => Some(Kind::ApiTokenCreated),
        Event::Access(_) | Event::Document(_) | Event::Quota(_) | Event::User(_) | Event::Log(_) => None,
    }
}
