//! What would go out by mail.

use uuid::Uuid;

use crate::fixture::Vault;
use crate::mail::Kind;

/// The kinds of the mails that wait, oldest first.
pub(super) async fn mails(vault: &Vault) -> Vec<String> {
    vault.settle().await;
    let kinds = sqlx::query_scalar("SELECT kind FROM outbox ORDER BY event_id, kind");
    kinds.fetch_all(vault.app.store.pool()).await.unwrap()
}

/// The token in the newest mail of this kind, as whoever reads it finds it there.
pub(super) async fn token(vault: &Vault, kind: Kind) -> String {
    vault.settle().await;
    let newest = "SELECT event_id FROM outbox WHERE kind = $1 ORDER BY event_id DESC LIMIT 1";
    let event_id: Uuid =
        sqlx::query_scalar(newest).bind(kind.as_str()).fetch_one(vault.app.store.pool()).await.unwrap();
    vault.app.links.token(event_id)
}
