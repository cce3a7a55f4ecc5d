/// Why an account refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserError {
    #[error("this account is already registered")]
    AlreadyRegistered,
    #[error("this account does not exist")]
    NotRegistered,
    #[error("this account is deactivated")]
    Deactivated,
    #[error("no other e-mail address was asked for")]
    NoEmailRequested,
    #[error("the second factor is already on: turn it off first")]
    TotpAlreadyEnabled,
    #[error("enrol a second factor first")]
    TotpNotEnrolled,
    #[error("the second factor is not on")]
    TotpNotEnabled,
}
