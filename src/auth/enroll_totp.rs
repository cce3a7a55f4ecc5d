//! Makes a seed for a second factor. It is shown once, and counts for nothing until a code of it has come back.

use std::sync::Arc;

use aggregates::{Personal, User, UserCommand, UserId};
use chrono::{DateTime, Utc};
use event_store::{Context, Executed, Unit};
use futures::FutureExt;
use serde_json::Value;
use sqlx::PgPool;
use zeroize::Zeroizing;

use super::password::random;
use super::totp;
use crate::app::App;
use crate::error::ApiError;

/// A seed for an authenticator app, in three forms.
pub struct Enrolment {
    /// In base32.
    pub secret: Zeroizing<String>,
    pub otpauth_url: Zeroizing<String>,
    pub qr_svg: Zeroizing<String>,
}

/// Enrols the context's owner, in the place of an enrolment that was never finished. Refused while a factor is on.
pub async fn enroll_totp(app: &App, context: Context) -> Result<Executed<Enrolment>, ApiError> {
    let (user_id, now) = (context.owner_id, context.metadata.occurred_at);
    let seed: Zeroizing<[u8; totp::SEED]> = Zeroizing::new(random()?);
    let sealed: Arc<[u8]> = app.store.keyring().seal_seed(user_id, &*seed).await?.into();
    let pool = app.store.pool().clone();
    let enrolled = app.store.execute_with(
        context,
        move |unit| decide(unit, user_id).boxed(),
        move |append| write(pool.clone(), append, user_id, sealed.clone(), now).boxed(),
    );
    let Executed { value: email, position } = enrolled.await?;
    let secret = totp::base32(&*seed)?;
    let otpauth_url = totp::otpauth_url(&secret, &email);
    let qr_svg = totp::qr_svg(&otpauth_url)?;
    Ok(Executed { value: Enrolment { secret, otpauth_url, qr_svg }, position })
}

/// Answers the address, which authenticator apps show beside the code.
async fn decide(unit: &mut Unit, user_id: UserId) -> Result<String, ApiError> {
    let mut user = unit.load::<User>(user_id.0).await?;
    unit.handle(&mut user, UserCommand::StartTotpEnrollment).await?;
    unit.answer(Value::Null);
    user.email().and_then(Personal::open).cloned().ok_or(ApiError::NotFound)
}

async fn write(
    pool: PgPool,
    append: Value,
    user_id: UserId,
    seed: Arc<[u8]>,
    now: DateTime<Utc>,
) -> Result<Option<i64>, sqlx::Error> {
    let position = sqlx::query_scalar!(
        "WITH enrolled AS (
             INSERT INTO second_factors AS old (user_id, seed, created_at) VALUES ($2, $3, $4)
             ON CONFLICT (user_id) DO UPDATE SET seed = $3, last_step = 0, created_at = $4 WHERE NOT old.is_on
             RETURNING 1
         )
         SELECT append_or_fail($1) FROM enrolled",
        append,
        user_id.0,
        &*seed,
        now
    );
    Ok(position.fetch_optional(&pool).await?.flatten())
}
