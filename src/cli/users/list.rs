use projections::user_directory::{self, PeopleQuery, PersonRow};
use serde_json::{Value, json};

use crate::app::App;
use crate::cli::output::{self, Format};

/// Accounts that are read at a time.
const PAGE: u16 = 1000;

/// Every account, with what it keeps.
pub(super) async fn list(app: &App, format: Format) -> anyhow::Result<()> {
    let mut people = Vec::new();
    let mut query = PeopleQuery { limit: PAGE, ..PeopleQuery::default() };
    loop {
        let page = user_directory::list(app.store.pool(), &query).await?;
        people.extend(page.rows);
        query.before = page.next;
        if page.next.is_none() {
            break;
        }
    }
    if format != Format::Table {
        return output::values(format, &people.iter().map(value).collect::<Vec<_>>());
    }
    output::line(&format!(
        "{:<36}  {:<8} {:<11} {:>10} {:>10}  EMAIL",
        "ID", "ROLE", "STATE", "USED", "LIMIT"
    ))?;
    for PersonRow { user, limit, used, .. } in &people {
        let state = if user.is_active { "active" } else { "deactivated" };
        let (used, limit) = (size(*used), size(*limit));
        output::line(&format!(
            "{}  {:<8} {state:<11} {used:>10} {limit:>10}  {}",
            user.user_id, user.role, user.email
        ))?;
    }
    Ok(())
}

fn value(PersonRow { user, limit, used, reserved }: &PersonRow) -> Value {
    json!({
        "user_id": user.user_id, "email": user.email, "display_name": user.display_name, "role": user.role,
        "active": user.is_active, "totp_enabled": user.totp_enabled, "created_at": user.created_at,
        "quota": { "limit": limit, "used": used, "reserved": reserved },
    })
}

/// As people read sizes.
fn size(bytes: i64) -> String {
    indicatif::BinaryBytes(u64::try_from(bytes).unwrap_or(0)).to_string()
}
