//! Makes an account: its events, key, e-mail claim and credentials, in one statement or not at all; with the link that
//! verifies the address, if nobody vouches for it.

use std::sync::Arc;

use aggregates::{Name, Personal, Quota, QuotaCommand, Role, User, UserCommand, UserId};
use chrono::{DateTime, Utc};
use event_store::{Context, ExecuteError, Executed, NewUserKey, StoreError, Unit};
use futures::FutureExt;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::deliver::Rows as DeliveryRows;
use super::email::Email;
use super::link::Links;
use super::password_hash::PasswordHash;
use crate::app::App;
use crate::error::ApiError;
use crate::mail::Kind;

/// A person who is about to have an account.
pub struct Newcomer {
    pub email: Email,
    pub display_name: Option<Name>,
    pub role: Role,
    pub password: PasswordHash,
    /// Set when the server made the password.
    pub temporary_until: Option<DateTime<Utc>>,
    /// Bytes.
    pub quota_limit: u64,
    /// Given when the setup link is what permits the registration: its token's hash. It is used up.
    pub setup_token: Option<Vec<u8>>,
    /// Nobody vouches for the address: a link goes there, and nobody signs in before it comes back.
    pub unverified: bool,
}

/// Why there is no new account.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    #[error("this e-mail address already has an account")]
    EmailTaken,
    #[error("the setup link is used up")]
    SetUp,
    #[error(transparent)]
    Other(#[from] ApiError),
}

/// What is written beside the events.
struct Rows {
    newcomer: Newcomer,
    key: NewUserKey,
    email_hash: Vec<u8>,
    now: DateTime<Utc>,
}

/// Registers `newcomer` as the owner of the context, with the default quota.
pub async fn register(
    app: &App,
    newcomer: Newcomer,
    context: Context,
) -> Result<Executed<UserId>, RegisterError> {
    let user_id = context.owner_id;
    let key = app.store.keyring().new_user_key(user_id, app.clock().new_id());
    let rows = Arc::new(Rows {
        email_hash: app.emails.hash(newcomer.email.as_str()),
        key: key.map_err(|error| ApiError::from(StoreError::from(error)))?,
        now: context.metadata.occurred_at,
        newcomer,
    });
    let (pool, links) = (app.store.pool().clone(), app.links.clone());
    let deciding = rows.clone();
    let registered = app.store.execute_with(
        context,
        move |unit| decide(unit, deciding.clone()).boxed(),
        move |append| write(pool.clone(), rows.clone(), links.clone(), append).boxed(),
    );
    registered.await.map_err(|error| match error {
        ExecuteError::Precondition => RegisterError::SetUp,
        ExecuteError::Store(StoreError::Database(sqlx::Error::Database(refusal)))
            if refusal.constraint() == Some("email_claims_pkey") =>
        {
            RegisterError::EmailTaken
        }
        error => RegisterError::Other(error.into()),
    })
}

async fn decide(unit: &mut Unit, rows: Arc<Rows>) -> Result<UserId, ApiError> {
    let (user_id, newcomer) = (rows.key.user_id, &rows.newcomer);
    unit.with_new_key(rows.key.clone());
    let mut user = unit.load::<User>(user_id.0).await?;
    let register = UserCommand::Register {
        email: Personal::new(user_id, newcomer.email.as_str().to_owned()),
        display_name: newcomer
            .display_name
            .as_ref()
            .map(|name| Personal::new(user_id, name.as_str().to_owned())),
        role: newcomer.role,
    };
    unit.handle(&mut user, register).await?;
    let mut quota = unit.load::<Quota>(user_id.0).await?;
    unit.handle(&mut quota, QuotaCommand::Open { limit: newcomer.quota_limit }).await?;
    unit.answer(json!(user_id));
    Ok(user_id)
}

/// The setup link permits one registration, and only while there is no administrator.
async fn write(
    pool: PgPool,
    rows: Arc<Rows>,
    links: Links,
    append: Value,
) -> Result<Option<i64>, sqlx::Error> {
    let Rows { newcomer, key, email_hash, now } = &*rows;
    let mails: &[Kind] = if newcomer.unverified { &[Kind::VerifyEmail] } else { &[] };
    let delivery = DeliveryRows::of(&append, mails, &links, *now)?;
    let position = sqlx::query_scalar!(
        "WITH taken AS (
             DELETE FROM setup_token WHERE token_hash = $2 AND expires_at > $3
                 AND NOT EXISTS (SELECT FROM credentials WHERE role = 'admin') RETURNING 1
         ), permitted AS (
             SELECT FROM taken UNION ALL SELECT WHERE $2::bytea IS NULL
         ), key AS (
             INSERT INTO user_keys (user_id, key_id, master_version, wrapped) SELECT $4, $5, $6, $7 FROM permitted
             RETURNING 1
         ), claim AS (
             INSERT INTO email_claims (email_hash, user_id) SELECT $8, $4 FROM permitted RETURNING 1
         ), credential AS (
             INSERT INTO credentials (user_id, password_hash, role, temporary_until, unverified, created_at)
             SELECT $4, $9, $10, $11, $12, $3 FROM permitted RETURNING session_version
         ), link AS (
             INSERT INTO link_tokens (token_hash, user_id, purpose, session_version, created_at, expires_at)
             SELECT $13, $4, $14, session_version, $3, $15 FROM credential WHERE $13::bytea IS NOT NULL RETURNING 1
         ), mail AS (
             INSERT INTO outbox (event_id, recipient, kind, at)
             SELECT $16, $4, kind, $3 FROM credential, unnest($17::text[]) kind RETURNING 1
         )
         SELECT append_or_fail($1) FROM key, claim, credential, (SELECT count(*) FROM link) l, (SELECT count(*) FROM mail) m",
        append,
        newcomer.setup_token,
        now,
        key.user_id.0,
        key.key_id,
        key.master_version,
        key.wrapped,
        email_hash,
        newcomer.password.to_string(),
        newcomer.role.as_str(),
        newcomer.temporary_until,
        newcomer.unverified,
        delivery.token_hash,
        delivery.purpose,
        delivery.expires_at,
        delivery.event_id,
        &delivery.kinds
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
