use chrono::{DateTime, Utc};

use super::{Preferences, Role, Scope};
use crate::{ApiTokenId, Personal};

/// What an account can be asked to do. Secrets do not travel here: what a command makes of them goes to the
/// credentials, in the same statement as its events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserCommand {
    Register {
        email: Personal<String>,
        display_name: Option<Personal<String>>,
        role: Role,
    },
    /// The address was shown to be the person's own.
    VerifyEmail,
    RequestEmailChange {
        email: Personal<String>,
    },
    /// The address of the last request was shown to be the person's own.
    ConfirmEmailChange,
    ChangePassword,
    /// By a link that went to the address.
    ResetPassword,
    /// By an administrator or operator, who learns it; it must be changed at the next login.
    IssueTemporaryPassword,
    StartTotpEnrollment,
    EnableTotp,
    DisableTotp,
    ReplaceBackupCodes,
    ChangeDisplayName {
        display_name: Option<Personal<String>>,
    },
    ChangePreferences {
        preferences: Preferences,
    },
    ChangeRole {
        role: Role,
    },
    Deactivate,
    Reactivate,
    CreateApiToken {
        token_id: ApiTokenId,
        name: Personal<String>,
        scopes: Vec<Scope>,
        expires_at: DateTime<Utc>,
    },
    RevokeApiToken {
        token_id: ApiTokenId,
    },
}
