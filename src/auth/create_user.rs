//! `docuvault users create`: an account by whoever holds the command line, with a password that the server made.

use aggregates::{Actor, Metadata, Role, UserId};
use chrono::TimeDelta;
use event_store::Context;

use super::email::Email;
use super::password::Password;
use super::register::{Newcomer, register};
use crate::app::App;

/// How long a temporary password is good.
pub const TEMPORARY_TIME: TimeDelta = TimeDelta::hours(24);

/// Registers `email` and answers the temporary password, to be shown once.
pub async fn create_user(app: &App, email: &str, role: Role) -> anyhow::Result<Password> {
    let email = Email::parse(email)?;
    let (password, now) = (Password::random()?, app.clock().now());
    let newcomer = Newcomer {
        email,
        display_name: None,
        role,
        password: app.passwords.hash(password.clone()).await?,
        temporary_until: Some(now + TEMPORARY_TIME),
        setup_token: None,
        unverified: false,
    };
    let metadata = Metadata {
        actor: Actor::Operator,
        correlation_id: app.clock().new_id(),
        causation_id: None,
        occurred_at: now,
        ip: None,
    };
    let context = Context { owner_id: UserId(app.clock().new_id()), metadata, idempotency: None };
    register(app, newcomer, context).await?;
    Ok(password)
}
