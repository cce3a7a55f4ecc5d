//! Mails that commit with the event that they tell of, and with the link that one of them carries: whoever is promised a
//! mail gets it, however the process ends.

use std::sync::Arc;

use aggregates::{AccessEvent, UserId};
use chrono::{DateTime, Utc};
use event_store::{Context, ExecuteError, Executed};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use super::link::{self, Links, Purpose};
use super::password_hash::PasswordHash;
use crate::app::App;
use crate::error::ApiError;
use crate::mail::Kind;

/// What goes out to an account with an event.
pub struct Delivery {
    pub user_id: UserId,
    /// At most one of them carries a link.
    pub mails: &'static [Kind],
    /// Of whoever registers again before the address is verified: it counts if their link comes back.
    pub password: Option<PasswordHash>,
}

/// What is written beside the event.
pub(super) struct Rows {
    /// The first of the append: what the mails are about, and what the token is made of.
    pub(super) event_id: Uuid,
    pub(super) kinds: Vec<String>,
    pub(super) purpose: Option<&'static str>,
    pub(super) token_hash: Option<Vec<u8>>,
    pub(super) expires_at: Option<DateTime<Utc>>,
}

impl Rows {
    /// Of `mails` about what `append` tells, which happened at `at`.
    pub(super) fn of(
        append: &Value,
        mails: &[Kind],
        links: &Links,
        at: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        let event_id = append["events"][0]["event_id"].as_str().and_then(|id| id.parse().ok());
        let event_id = event_id.ok_or_else(|| sqlx::Error::Protocol("an append has no event".into()))?;
        let purpose = mails.iter().find_map(|kind| kind.purpose());
        Ok(Self {
            event_id,
            kinds: mails.iter().map(|kind| kind.as_str().to_owned()).collect(),
            purpose: purpose.map(Purpose::as_str),
            token_hash: purpose.map(|_| link::hash(&links.token(event_id))),
            expires_at: purpose.map(|purpose| at + purpose.time()),
        })
    }
}

/// Records that somebody asked for mails, and has them sent; not to an account that is deactivated.
pub async fn deliver(
    app: &App,
    context: Context,
    asked: AccessEvent,
    delivery: Delivery,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let (user_id, at, asked) = (delivery.user_id, context.metadata.occurred_at, asked);
    let (pool, links, delivery) = (app.store.pool().clone(), app.links.clone(), Arc::new(delivery));
    let delivered = app.store.execute_with(
        context,
        move |unit| std::future::ready(unit.record(user_id, &asked).map_err(ApiError::from)).boxed(),
        move |append| write(pool.clone(), links.clone(), delivery.clone(), at, append).boxed(),
    );
    match delivered.await {
        Err(ExecuteError::Precondition) => Ok(Executed { value: (), position: None }),
        delivered => delivered,
    }
}

/// The newest link of its purpose is the one that is good; those that verify an address are all good, until one has.
pub(super) async fn write(
    pool: PgPool,
    links: Links,
    delivery: Arc<Delivery>,
    at: DateTime<Utc>,
    append: Value,
) -> Result<Option<i64>, sqlx::Error> {
    let rows = Rows::of(&append, delivery.mails, &links, at)?;
    let position = sqlx::query_scalar!(
        "WITH account AS (
             SELECT session_version FROM credentials WHERE user_id = $2 AND is_active
         ), link AS (
             INSERT INTO link_tokens (token_hash, user_id, purpose, session_version, created_at, expires_at, password_hash)
             SELECT $3, $2, $4, session_version, $5, $6, $9 FROM account WHERE $3::bytea IS NOT NULL
             ON CONFLICT (user_id, purpose) WHERE purpose <> 'verify_email' DO UPDATE SET
                 token_hash = excluded.token_hash, session_version = excluded.session_version,
                 created_at = excluded.created_at, expires_at = excluded.expires_at
             RETURNING 1
         ), mail AS (
             INSERT INTO outbox (event_id, recipient, kind, at)
             SELECT $7, $2, kind, $5 FROM account, unnest($8::text[]) kind RETURNING 1
         )
         SELECT append_or_fail($1) FROM account, (SELECT count(*) FROM link) l, (SELECT count(*) FROM mail) m",
        append,
        delivery.user_id.0,
        rows.token_hash,
        rows.purpose,
        at,
        rows.expires_at,
        rows.event_id,
        &rows.kinds,
        delivery.password.as_ref().map(ToString::to_string)
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
