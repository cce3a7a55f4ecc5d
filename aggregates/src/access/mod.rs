//! Accesses: facts that nothing decides on. They go to one stream per person and month by blind appends, so that
//! logins and downloads, however many, never load or block an aggregate.

use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::{DocumentId, Personal, SessionId, UserId};

/// Aggregate type of the access streams.
pub const TYPE: &str = "access";

/// Id of the access stream of `user` at `at`: `<user id>:<year>-<month>`.
pub fn stream_id(user: UserId, at: DateTime<Utc>) -> String {
    format!("{user}:{}", at.format("%Y-%m"))
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RevocationReason {
    Logout,
    /// From the list of sessions.
    Revoked,
    PasswordChanged,
    PasswordReset,
    TokenReused,
    FactorChanged,
    RoleChanged,
    Deactivated,
    EndedByAdministrator,
}

/// What somebody did without changing a document. Names and shapes are frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AccessEvent {
    SessionStarted {
        session_id: SessionId,
        user_agent: Option<Personal<String>>,
    },
    /// A login of a known account with a wrong password.
    LoginFailed {},
    /// Somebody who is signed in gave a wrong password where it is asked for again.
    ReauthenticationFailed {},
    /// A code of the second factor, or a backup code, was wrong or used before.
    CodeRejected {},
    BackupCodeUsed {
        /// How many are left.
        left: u8,
    },
    PasswordResetRequested {},
    /// Another link to verify the address was asked for.
    VerificationRequested {},
    /// Somebody tried to register with the address of this account.
    RegistrationRepeated {},
    SessionRevoked {
        session_id: SessionId,
        reason: RevocationReason,
    },
    /// A rotated refresh token came back: somebody copied it. The session was revoked.
    RefreshTokenReused {
        session_id: SessionId,
    },
    DocumentDownloaded {
        document_id: DocumentId,
    },
}

impl DomainEvent for AccessEvent {
    fn event_type(&self) -> String {
        match self {
            Self::SessionStarted { .. } => "SessionStarted",
            Self::LoginFailed {} => "LoginFailed",
            Self::ReauthenticationFailed {} => "ReauthenticationFailed",
            Self::CodeRejected {} => "CodeRejected",
            Self::BackupCodeUsed { .. } => "BackupCodeUsed",
            Self::PasswordResetRequested {} => "PasswordResetRequested",
            Self::VerificationRequested {} => "VerificationRequested",
            Self::RegistrationRepeated {} => "RegistrationRepeated",
            Self::SessionRevoked { .. } => "SessionRevoked",
            Self::RefreshTokenReused { .. } => "RefreshTokenReused",
            Self::DocumentDownloaded { .. } => "DocumentDownloaded",
        }
        .into()
    }

    fn event_version(&self) -> String {
        "1.0".into()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_stream_is_a_person_and_a_month() {
        let user = UserId(Uuid::from_u128(1));
        let at = |seconds| DateTime::UNIX_EPOCH + TimeDelta::days(31) + TimeDelta::seconds(seconds);
        assert_eq!(stream_id(user, at(-1)), "00000000-0000-0000-0000-000000000001:1970-01");
        assert_eq!(stream_id(user, at(0)), "00000000-0000-0000-0000-000000000001:1970-02");
    }
}
