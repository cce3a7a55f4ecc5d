//! API tokens: what a script signs in with, for its owner and within its scopes. A token is 256 random bits, shown once;
//! what is kept is its hash, which tells nothing of it.

use std::sync::Arc;

use aggregates::{ApiTokenId, Name, Personal, Role, Scope, SessionId, User, UserCommand, UserId};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use chrono::{DateTime, TimeDelta, Utc};
use event_store::{Context, ExecuteError, Executed, Loaded, Unit};
use futures::FutureExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::PgPool;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::password::random;
use crate::app::App;
use crate::error::ApiError;

/// How every token begins, so that people and scanners of leaks know one when they see it.
pub const PREFIX: &str = "dvp_";
/// How many a person may have that have not expired.
const LIVE: i64 = 100;
/// `last_used_at` is this exact.
const USE: TimeDelta = TimeDelta::minutes(1);
/// How long an expired one is still shown.
const SHOWN: TimeDelta = TimeDelta::days(30);

/// A token that somebody asks for.
pub struct Wish {
    pub name: Name,
    pub scopes: Vec<Scope>,
    pub expires_at: DateTime<Utc>,
    /// The session that asks. It has to go on when the token is made.
    pub session_id: SessionId,
}

/// A new token. It is shown once.
pub struct Made {
    pub token_id: ApiTokenId,
    pub token: Zeroizing<String>,
}

/// A token as its owner sees it.
pub struct Listed {
    pub token_id: Uuid,
    pub name: String,
    pub scopes: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub last_used_at: Option<DateTime<Utc>>,
}

/// What a request with a good token is told.
pub struct Bearer {
    pub token_id: ApiTokenId,
    pub user_id: UserId,
    pub role: Role,
    pub scopes: Vec<Scope>,
    /// Of the log.
    pub lineage: Uuid,
    last_used_at: Option<DateTime<Utc>>,
}

/// Makes a token of the owner of `context`.
pub async fn create(app: &App, context: Context, wish: Wish) -> Result<Executed<Made>, ApiError> {
    let bytes: Zeroizing<[u8; 32]> = Zeroizing::new(random()?);
    let token = Zeroizing::new(format!("{PREFIX}{}", BASE64.encode(*bytes)));
    let (token_id, pool) = (ApiTokenId(app.clock().new_id()), app.store.pool().clone());
    let row = Arc::new(Row {
        token_id,
        user_id: context.owner_id,
        hash: hash(&token),
        now: context.metadata.occurred_at,
        wish,
    });
    let (deciding, reading) = (row.clone(), pool.clone());
    let created = app.store.execute_with(
        context,
        move |unit| decide(unit, deciding.clone(), reading.clone()).boxed(),
        move |append| insert(pool.clone(), append, row.clone()).boxed(),
    );
    match created.await {
        Ok(created) => Ok(Executed { value: Made { token_id, token }, position: created.position }),
        Err(ExecuteError::Precondition) => Err(ApiError::Unauthenticated),
        Err(error) => Err(error.into()),
    }
}

struct Row {
    token_id: ApiTokenId,
    user_id: UserId,
    hash: Vec<u8>,
    now: DateTime<Utc>,
    wish: Wish,
}

/// Counts once the account is loaded: whoever makes one meanwhile moves the account on, and this is decided again.
async fn decide(unit: &mut Unit, row: Arc<Row>, pool: PgPool) -> Result<(), ApiError> {
    let mut user = unit.load::<User>(row.user_id.0).await?;
    let live = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM api_tokens WHERE user_id = $1 AND expires_at > $2"#,
        row.user_id.0,
        row.now
    );
    if live.fetch_one(&pool).await? >= LIVE {
        return Err(ApiError::Conflict(format!("A person has at most {LIVE} API tokens: revoke one first.")));
    }
    let command = UserCommand::CreateApiToken {
        token_id: row.token_id,
        name: Personal::new(row.user_id, row.wish.name.as_str().to_owned()),
        scopes: row.wish.scopes.clone(),
        expires_at: row.wish.expires_at,
    };
    unit.answer(Value::Null);
    unit.handle(&mut user, command).await?;
    Ok(())
}

/// Only while the session goes on: what ends every session of a person leaves no token behind.
async fn insert(pool: PgPool, append: Value, row: Arc<Row>) -> Result<Option<i64>, sqlx::Error> {
    let scopes: Vec<_> = row.wish.scopes.iter().map(|scope| scope.as_str().to_owned()).collect();
    let position = sqlx::query_scalar!(
        "WITH created AS (
             INSERT INTO api_tokens (token_id, user_id, token_hash, name, scopes, created_at, expires_at)
             SELECT $2, c.user_id, $4, $5, $6, $7, $8
             FROM credentials c JOIN sessions s USING (user_id, session_version)
             WHERE c.user_id = $3 AND s.session_id = $9 AND c.is_active RETURNING 1
         )
         SELECT append_or_fail($1) FROM created",
        append,
        row.token_id.0,
        row.user_id.0,
        row.hash,
        row.wish.name.as_str(),
        &scopes,
        row.now,
        row.wish.expires_at,
        row.wish.session_id.0
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}

/// Records that every token of `person` that is still good ends; the statement of the append deletes their rows.
pub async fn record_revoked(
    unit: &mut Unit,
    user: &mut Loaded<User>,
    pool: &PgPool,
    person: UserId,
) -> Result<(), ApiError> {
    let live = sqlx::query_scalar!(
        "SELECT token_id FROM api_tokens WHERE user_id = $1 AND expires_at > $2",
        person.0,
        unit.metadata().occurred_at
    );
    for token_id in live.fetch_all(pool).await?.into_iter().map(ApiTokenId) {
        unit.handle(user, UserCommand::RevokeApiToken { token_id }).await?;
    }
    Ok(())
}

/// Ends a token of the owner of `context`.
pub async fn revoke(
    app: &App,
    context: Context,
    token_id: ApiTokenId,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let (user_id, pool) = (context.owner_id, app.store.pool().clone());
    let revoked = app.store.execute_with(
        context,
        move |unit| {
            async move {
                let mut user = unit.load::<User>(user_id.0).await?;
                unit.answer(Value::Null);
                unit.handle(&mut user, UserCommand::RevokeApiToken { token_id }).await?;
                Ok(())
            }
            .boxed()
        },
        move |append| delete(pool.clone(), append, user_id, token_id).boxed(),
    );
    revoked.await.map_err(|error| match error {
        ExecuteError::Precondition => ExecuteError::Refused(ApiError::NotFound),
        error => error,
    })
}

async fn delete(
    pool: PgPool,
    append: Value,
    user_id: UserId,
    token_id: ApiTokenId,
) -> Result<Option<i64>, sqlx::Error> {
    let position = sqlx::query_scalar!(
        "WITH gone AS (DELETE FROM api_tokens WHERE token_id = $2 AND user_id = $3 RETURNING 1)
         SELECT append_or_fail($1) FROM gone",
        append,
        token_id.0,
        user_id.0
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}

/// The tokens of `user`, the newest first, from before `before`.
pub async fn list(
    pool: &PgPool,
    user: UserId,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Listed>, sqlx::Error> {
    let tokens = sqlx::query_as!(
        Listed,
        "SELECT token_id, name, scopes, created_at, expires_at, last_used_at FROM api_tokens
         WHERE user_id = $1 AND ($2::uuid IS NULL OR token_id < $2) ORDER BY token_id DESC LIMIT $3",
        user.0,
        before,
        limit
    );
    tokens.fetch_all(pool).await
}

/// Who acts by `token`, if it is good now. A temporary password has to be changed before anything else works.
pub async fn check(pool: &PgPool, token: &str, now: DateTime<Utc>) -> Result<Option<Bearer>, ApiError> {
    let row = sqlx::query!(
        "SELECT t.token_id, t.user_id, t.scopes, t.last_used_at, c.role, lineage
         FROM api_tokens t JOIN credentials c USING (user_id) CROSS JOIN log_identity
         WHERE t.token_hash = $1 AND t.expires_at > $2 AND c.is_active AND c.temporary_until IS NULL",
        hash(token),
        now
    );
    let Some(row) = row.fetch_optional(pool).await? else { return Ok(None) };
    let scopes = row.scopes.iter().map(|scope| scope.parse()).collect::<Result<_, String>>();
    Ok(Some(Bearer {
        token_id: ApiTokenId(row.token_id),
        user_id: UserId(row.user_id),
        role: row.role.parse().map_err(anyhow::Error::msg)?,
        scopes: scopes.map_err(anyhow::Error::msg)?,
        lineage: row.lineage,
        last_used_at: row.last_used_at,
    }))
}

/// Writes down that a token was used, beside the request and once a minute at most.
pub fn note_use(app: &App, bearer: &Bearer) {
    let (now, pool, token_id) = (app.clock().now(), app.store.pool().clone(), bearer.token_id);
    if bearer.last_used_at.is_some_and(|at| now < at + USE) {
        return;
    }
    app.afterwards.spawn(async move {
        let noted = sqlx::query!(
            "UPDATE api_tokens SET last_used_at = $2
             WHERE token_id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)",
            token_id.0,
            now,
            now - USE
        );
        if let Err(error) = noted.execute(&pool).await {
            tracing::warn!(%error, "the use of an API token was not noted");
        }
    });
}

/// Forgets tokens that expired long ago.
pub async fn sweep(pool: &PgPool, now: DateTime<Utc>) -> Result<u64, sqlx::Error> {
    let swept = sqlx::query!("DELETE FROM api_tokens WHERE expires_at <= $1", now - SHOWN);
    Ok(swept.execute(pool).await?.rows_affected())
}

fn hash(token: &str) -> Vec<u8> {
    Sha256::digest(token.as_bytes()).to_vec()
}
