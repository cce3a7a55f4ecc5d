use aggregates::{Role, UserId};

use crate::app::App;
use crate::auth::email::Email;
use crate::cli::output;
use crate::people::by_operator;
use crate::people::create_user::{NewUser, create_user};

/// Makes an account and prints its temporary password.
pub(super) async fn create(app: &App, email: &str, role: Role) -> anyhow::Result<()> {
    let user = NewUser { email: Email::parse(email)?, display_name: None, role, quota_limit: None };
    let context = by_operator(UserId(app.clock().new_id()), app.clock());
    let created = create_user(app, context, user).await?.value;
    Ok(output::line(&format!("temporary password, good for 24 hours: {}", created.password.expose()))?)
}
