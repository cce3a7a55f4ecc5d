//! A person with an account. Credentials are not here: they are secrets, and secrets never enter an event.

mod command;
mod error;
mod event;
#[cfg(test)]
mod tests;

use cqrs_es::Aggregate;
use cqrs_es::event_sink::EventSink;
use serde::{Deserialize, Serialize};

pub use command::UserCommand;
pub use error::UserError;
pub use event::{Preferences, Role, Scope, UserEvent};

use crate::Personal;

/// State of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    account: Option<Account>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Account {
    email: Personal<String>,
    email_verified: bool,
    /// Waits to be confirmed.
    requested_email: Option<Personal<String>>,
    display_name: Option<Personal<String>>,
    preferences: Preferences,
    role: Role,
    is_active: bool,
    totp: Totp,
}

/// How far the second factor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Totp {
    Off,
    Enrolling,
    On,
}

impl User {
    pub fn role(&self) -> Option<Role> {
        self.account.as_ref().map(|account| account.role)
    }

    /// Whether the person can sign in.
    pub fn is_active(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.is_active)
    }

    /// The address of the account, if there is one.
    pub fn email(&self) -> Option<&Personal<String>> {
        self.account.as_ref().map(|account| &account.email)
    }

    /// The address that the account shall have once it is confirmed.
    pub fn requested_email(&self) -> Option<&Personal<String>> {
        self.account.as_ref().and_then(|account| account.requested_email.as_ref())
    }

    pub fn display_name(&self) -> Option<&Personal<String>> {
        self.account.as_ref().and_then(|account| account.display_name.as_ref())
    }

    pub fn preferences(&self) -> Option<&Preferences> {
        self.account.as_ref().map(|account| &account.preferences)
    }

    /// The events that `command` causes, or why it is refused. No events: it changes nothing.
    pub fn decide(&self, command: UserCommand) -> Result<Vec<UserEvent>, UserError> {
        match (command, &self.account) {
            (UserCommand::Register { email, display_name, role }, None) => {
                Ok(vec![UserEvent::UserRegistered { email, display_name, role }])
            }
            (UserCommand::Register { .. }, Some(_)) => Err(UserError::AlreadyRegistered),
            (_, None) => Err(UserError::NotRegistered),
            (command, Some(account)) => account.decide(command),
        }
    }
}

impl Account {
    fn decide(&self, command: UserCommand) -> Result<Vec<UserEvent>, UserError> {
        if !self.is_active && !is_administrative(&command) {
            return Err(UserError::Deactivated);
        }
        let changes = |is_change: bool, event| if is_change { vec![event] } else { vec![] };
        Ok(match command {
            UserCommand::Register { .. } => return Err(UserError::AlreadyRegistered),
            UserCommand::VerifyEmail => changes(!self.email_verified, UserEvent::EmailVerified {}),
            UserCommand::RequestEmailChange { email } => vec![UserEvent::EmailChangeRequested { email }],
            UserCommand::ConfirmEmailChange => {
                let email = self.requested_email.clone().ok_or(UserError::NoEmailRequested)?;
                vec![UserEvent::EmailChanged { email }]
            }
            UserCommand::ChangePassword => vec![UserEvent::PasswordChanged {}],
            UserCommand::ResetPassword => vec![UserEvent::PasswordReset {}],
            UserCommand::IssueTemporaryPassword => vec![UserEvent::TemporaryPasswordIssued {}],
            UserCommand::StartTotpEnrollment if self.totp == Totp::On => {
                return Err(UserError::TotpAlreadyEnabled);
            }
            UserCommand::StartTotpEnrollment => vec![UserEvent::TotpEnrollmentStarted {}],
            UserCommand::EnableTotp => match self.totp {
                Totp::Off => return Err(UserError::TotpNotEnrolled),
                Totp::Enrolling => vec![UserEvent::TotpEnabled {}],
                Totp::On => return Err(UserError::TotpAlreadyEnabled),
            },
            UserCommand::DisableTotp => vec![self.with_totp(UserEvent::TotpDisabled {})?],
            UserCommand::ReplaceBackupCodes => vec![self.with_totp(UserEvent::BackupCodesReplaced {})?],
            UserCommand::ChangeDisplayName { display_name } => {
                let is_change = display_name != self.display_name;
                changes(is_change, UserEvent::DisplayNameChanged { display_name })
            }
            UserCommand::ChangePreferences { preferences } => {
                let is_change = preferences != self.preferences;
                changes(is_change, UserEvent::PreferencesChanged { preferences })
            }
            UserCommand::ChangeRole { role } => changes(role != self.role, UserEvent::RoleChanged { role }),
            UserCommand::Deactivate => changes(self.is_active, UserEvent::UserDeactivated {}),
            UserCommand::Reactivate => changes(!self.is_active, UserEvent::UserReactivated {}),
            UserCommand::CreateApiToken { token_id, name, scopes, expires_at } => {
                vec![UserEvent::ApiTokenCreated { token_id, name, scopes, expires_at }]
            }
            UserCommand::RevokeApiToken { token_id } => vec![UserEvent::ApiTokenRevoked { token_id }],
        })
    }

    fn with_totp(&self, event: UserEvent) -> Result<UserEvent, UserError> {
        if self.totp == Totp::On { Ok(event) } else { Err(UserError::TotpNotEnabled) }
    }
}

/// What is done about an account rather than by it, and so also while it is deactivated.
const fn is_administrative(command: &UserCommand) -> bool {
    matches!(
        command,
        UserCommand::IssueTemporaryPassword
            | UserCommand::DisableTotp
            | UserCommand::ChangeRole { .. }
            | UserCommand::Deactivate
            | UserCommand::Reactivate
    )
}

impl Aggregate for User {
    const TYPE: &'static str = "user";
    type Command = UserCommand;
    type Event = UserEvent;
    type Error = UserError;
    type Services = ();

    async fn handle(
        &mut self,
        command: UserCommand,
        (): &(),
        sink: &EventSink<Self>,
    ) -> Result<(), UserError> {
        for event in self.decide(command)? {
            sink.write(event, self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: UserEvent) {
        if let UserEvent::UserRegistered { email, display_name, role } = event {
            self.account = Some(Account {
                email,
                email_verified: false,
                requested_email: None,
                display_name,
                preferences: Preferences::default(),
                role,
                is_active: true,
                totp: Totp::Off,
            });
        } else if let Some(account) = &mut self.account {
            account.apply(event);
        }
    }
}

impl Account {
    fn apply(&mut self, event: UserEvent) {
        match event {
            UserEvent::EmailVerified {} => self.email_verified = true,
            UserEvent::EmailChangeRequested { email } => self.requested_email = Some(email),
            UserEvent::EmailChanged { email } => {
                self.email = email;
                self.email_verified = true;
                self.requested_email = None;
            }
            UserEvent::TotpEnrollmentStarted {} => self.totp = Totp::Enrolling,
            UserEvent::TotpEnabled {} => self.totp = Totp::On,
            UserEvent::TotpDisabled {} => self.totp = Totp::Off,
            UserEvent::DisplayNameChanged { display_name } => self.display_name = display_name,
            UserEvent::PreferencesChanged { preferences } => self.preferences = preferences,
            UserEvent::RoleChanged { role } => self.role = role,
            UserEvent::UserDeactivated {} => self.is_active = false,
            UserEvent::UserReactivated {} => self.is_active = true,
            UserEvent::UserRegistered { .. }
            | UserEvent::PasswordChanged {}
            | UserEvent::PasswordReset {}
            | UserEvent::TemporaryPasswordIssued {}
            | UserEvent::BackupCodesReplaced {}
            | UserEvent::ApiTokenCreated { .. }
            | UserEvent::ApiTokenRevoked { .. } => {}
        }
    }
}
