use super::Role;
use crate::Personal;

/// What an account can be asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserCommand {
    Register {
        email: Personal<String>,
        display_name: Option<Personal<String>>,
        role: Role,
    },
    /// The new password itself goes to the credentials, in the same statement as the event.
    ChangePassword,
}
