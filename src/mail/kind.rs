use crate::auth::link::Purpose;

/// Which words a mail has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// With a link: somebody has opened an account with this address.
    VerifyEmail,
    /// With a link: somebody has forgotten the password.
    ResetPassword,
    /// With a link, to the address that the account shall have.
    ConfirmEmail,
    /// To the address that the account has until then.
    EmailChangeRequested,
    /// Somebody wanted to open an account with this address, which has one.
    RegistrationRepeated,
    /// Somebody used a sign-in token that had been replaced: the session was ended.
    TokenReused,
    PasswordChanged,
    PasswordReset,
    /// By an administrator.
    TemporaryPasswordIssued,
    TotpEnabled,
    TotpDisabled,
    BackupCodesReplaced,
    BackupCodeUsed,
    ApiTokenCreated,
}

impl Kind {
    pub(super) const ALL: [Self; 14] = [
        Self::VerifyEmail,
        Self::ResetPassword,
        Self::ConfirmEmail,
        Self::EmailChangeRequested,
        Self::RegistrationRepeated,
        Self::TokenReused,
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::TemporaryPasswordIssued,
        Self::TotpEnabled,
        Self::TotpDisabled,
        Self::BackupCodesReplaced,
        Self::BackupCodeUsed,
        Self::ApiTokenCreated,
    ];

    /// Its name in the outbox. Never changes.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ConfirmEmail => "confirm_email",
            Self::EmailChangeRequested => "email_change_requested",
            Self::RegistrationRepeated => "registration_repeated",
            Self::TokenReused => "token_reused",
            Self::PasswordChanged => "password_changed",
            Self::PasswordReset => "password_reset",
            Self::TemporaryPasswordIssued => "temporary_password_issued",
            Self::TotpEnabled => "totp_enabled",
            Self::TotpDisabled => "totp_disabled",
            Self::BackupCodesReplaced => "backup_codes_replaced",
            Self::BackupCodeUsed => "backup_code_used",
            Self::ApiTokenCreated => "api_token_created",
        }
    }

    /// `None`: a newer release has written it.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// What its link permits, if it carries one.
    pub const fn purpose(self) -> Option<Purpose> {
        match self {
            Self::VerifyEmail => Some(Purpose::VerifyEmail),
            Self::ResetPassword => Some(Purpose::ResetPassword),
            Self::ConfirmEmail => Some(Purpose::ConfirmEmail),
            _ => None,
        }
    }
}
