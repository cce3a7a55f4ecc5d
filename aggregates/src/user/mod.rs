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
pub use event::{Role, UserEvent};

use crate::Personal;

/// State of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    registration: Option<Registration>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Registration {
    email: Personal<String>,
    display_name: Option<Personal<String>>,
    role: Role,
}

impl User {
    pub fn role(&self) -> Option<Role> {
        self.registration.as_ref().map(|registration| registration.role)
    }

    /// The address of the account, if there is one.
    pub fn email(&self) -> Option<&Personal<String>> {
        self.registration.as_ref().map(|registration| &registration.email)
    }

    /// The events that `command` causes, or why it is refused.
    pub fn decide(&self, command: UserCommand) -> Result<Vec<UserEvent>, UserError> {
        match (command, &self.registration) {
            (UserCommand::Register { .. }, Some(_)) => Err(UserError::AlreadyRegistered),
            (UserCommand::Register { email, display_name, role }, None) => {
                Ok(vec![UserEvent::UserRegistered { email, display_name, role }])
            }
            (UserCommand::ChangePassword, None) => Err(UserError::NotRegistered),
            (UserCommand::ChangePassword, Some(_)) => Ok(vec![UserEvent::PasswordChanged {}]),
        }
    }
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
        match event {
            UserEvent::UserRegistered { email, display_name, role } => {
                self.registration = Some(Registration { email, display_name, role });
            }
            UserEvent::PasswordChanged {} => {}
        }
    }
}
