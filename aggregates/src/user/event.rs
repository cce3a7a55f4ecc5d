use chrono::{DateTime, Utc};
use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::{ApiTokenId, Personal};

/// What an account may do. An auditor sees the audit trail and no documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Admin,
    Auditor,
}

/// What an API token may do. None of them opens the administration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    Read,
    Write,
}

/// How a person likes to be spoken to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preferences {
    /// A language identifier (BCP 47), such as `de-AT`.
    pub language: Option<Personal<String>>,
    /// A name of the IANA time zone database, such as `Europe/Vienna`.
    pub time_zone: Option<Personal<String>>,
}

/// What happened to an account. Names and shapes are frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserEvent {
    UserRegistered {
        email: Personal<String>,
        display_name: Option<Personal<String>>,
        role: Role,
    },
    EmailVerified {},
    EmailChangeRequested {
        email: Personal<String>,
    },
    EmailChanged {
        email: Personal<String>,
    },
    PasswordChanged {},
    PasswordReset {},
    TemporaryPasswordIssued {},
    TotpEnrollmentStarted {},
    /// With ten backup codes.
    TotpEnabled {},
    TotpDisabled {},
    BackupCodesReplaced {},
    DisplayNameChanged {
        display_name: Option<Personal<String>>,
    },
    PreferencesChanged {
        preferences: Preferences,
    },
    RoleChanged {
        role: Role,
    },
    UserDeactivated {},
    UserReactivated {},
    ApiTokenCreated {
        token_id: ApiTokenId,
        name: Personal<String>,
        scopes: Vec<Scope>,
        expires_at: DateTime<Utc>,
    },
    ApiTokenRevoked {
        token_id: ApiTokenId,
    },
}

impl DomainEvent for UserEvent {
    fn event_type(&self) -> String {
        match self {
            Self::UserRegistered { .. } => "UserRegistered",
            Self::EmailVerified {} => "EmailVerified",
            Self::EmailChangeRequested { .. } => "EmailChangeRequested",
            Self::EmailChanged { .. } => "EmailChanged",
            Self::PasswordChanged {} => "PasswordChanged",
            Self::PasswordReset {} => "PasswordReset",
            Self::TemporaryPasswordIssued {} => "TemporaryPasswordIssued",
            Self::TotpEnrollmentStarted {} => "TotpEnrollmentStarted",
            Self::TotpEnabled {} => "TotpEnabled",
            Self::TotpDisabled {} => "TotpDisabled",
            Self::BackupCodesReplaced {} => "BackupCodesReplaced",
            Self::DisplayNameChanged { .. } => "DisplayNameChanged",
            Self::PreferencesChanged { .. } => "PreferencesChanged",
            Self::RoleChanged { .. } => "RoleChanged",
            Self::UserDeactivated {} => "UserDeactivated",
            Self::UserReactivated {} => "UserReactivated",
            Self::ApiTokenCreated { .. } => "ApiTokenCreated",
            Self::ApiTokenRevoked { .. } => "ApiTokenRevoked",
        }
        .into()
    }

    fn event_version(&self) -> String {
        "1.0".into()
    }
}

impl Role {
    /// As stored and as in the API: `user`, `admin` or `auditor`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Admin => "admin",
            Self::Auditor => "auditor",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "user" => Ok(Self::User),
            "admin" => Ok(Self::Admin),
            "auditor" => Ok(Self::Auditor),
            other => Err(format!("`{other}` is not a role: use user, admin or auditor")),
        }
    }
}

impl Scope {
    /// As stored and as in the API: `read` or `write`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

impl std::str::FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "read" => Ok(Self::Read),
            "write" => Ok(Self::Write),
            other => Err(format!("`{other}` is not a scope: use read or write")),
        }
    }
}
