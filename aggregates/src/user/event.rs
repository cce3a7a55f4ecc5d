use cqrs_es::DomainEvent;
use serde::{Deserialize, Serialize};

use crate::Personal;

/// What an account may do. An auditor sees the audit trail and no documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    User,
    Admin,
    Auditor,
}

/// What happened to an account. Names and shapes are frozen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserEvent {
    UserRegistered { email: Personal<String>, display_name: Option<Personal<String>>, role: Role },
    PasswordChanged {},
}

impl DomainEvent for UserEvent {
    fn event_type(&self) -> String {
        match self {
            Self::UserRegistered { .. } => "UserRegistered",
            Self::PasswordChanged {} => "PasswordChanged",
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
