use std::sync::Arc;

use aggregates::{Name, Personal, Preferences, User, UserCommand, UserId};
use axum::extract::State;
use chrono_tz::Tz;
use event_store::{Context, ExecuteError, Executed};
use futures::FutureExt;
use icu_locale_core::subtags::{Language, Region, Script};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::user::{self, Account};
use crate::app::App;
use crate::error::ApiError;
use crate::http::done::{Done, Versioned};
use crate::http::extract::{Body, IdempotencyKey, IfMatch, NoParams, Patch, Session, once, present};
use crate::http::layers::read_your_writes;

/// What may change; `null` takes away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeProfile {
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    display_name: Patch<String>,
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = ChangePreferences, required = false)]
    preferences: Option<ChangePreferences>,
}

/// What may change; `null` takes away.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePreferences {
    /// A language identifier (BCP 47), such as `de-AT`
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    language: Patch<String>,
    /// A name of the IANA time zone database, such as `Europe/Vienna`
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    time_zone: Patch<String>,
}

/// A change whose values are fine.
#[derive(Clone)]
struct Profile {
    display_name: Patch<Personal<String>>,
    language: Patch<Personal<String>>,
    time_zone: Patch<Personal<String>>,
}

/// Changes what is given of the caller's profile and leaves the rest.
#[utoipa::path(patch, path = "/me", tag = "accounts", params(IdempotencyKey, IfMatch),
    security(("access_token" = ["user", "admin", "auditor"])), request_body = ChangeProfile,
    responses((status = 200, body = Account)))]
pub async fn change_profile(
    State(app): State<Arc<App>>,
    session: Session,
    _: NoParams,
    if_match: IfMatch,
    key: IdempotencyKey,
    body: Body<ChangeProfile>,
) -> Result<Done<Versioned<Account>>, ApiError> {
    let user_id = session.user_id;
    if_match.check(user::find(&app, user_id).await?.0)?;
    let key = key.of(&session, &body.raw, &app);
    let profile = body.value.check(user_id)?;
    let changed = once(&app, key, |idempotency| {
        let context = Context { idempotency, ..session.context(app.clock()) };
        carry_out(&app, context, profile)
    });
    let position = changed.await?.position;
    if let Some(position) = position {
        read_your_writes(&app, position).await;
    }
    Ok(Done::ok(position, user::find(&app, user_id).await?))
}

async fn carry_out(
    app: &App,
    context: Context,
    profile: Profile,
) -> Result<Executed<()>, ExecuteError<ApiError>> {
    let user_id = context.owner_id.0;
    let changed = app.store.execute(context, move |unit| {
        let profile = profile.clone();
        async move {
            let mut user = unit.load::<User>(user_id).await?;
            unit.answer(Value::Null);
            let Profile { display_name, language, time_zone } = profile;
            let display_name = display_name.over(user.display_name().cloned());
            unit.handle(&mut user, UserCommand::ChangeDisplayName { display_name }).await?;
            let Preferences { language: old_language, time_zone: old_zone } =
                user.preferences().cloned().unwrap_or_default();
            let preferences =
                Preferences { language: language.over(old_language), time_zone: time_zone.over(old_zone) };
            unit.handle(&mut user, UserCommand::ChangePreferences { preferences }).await?;
            Ok(())
        }
        .boxed()
    });
    changed.await
}

impl ChangeProfile {
    fn check(self, user_id: UserId) -> Result<Profile, ApiError> {
        let personal = |text: String| Personal::new(user_id, text);
        let ChangePreferences { language, time_zone } = self.preferences.unwrap_or_default();
        let display_name = self.display_name.check(|text| {
            let name = Name::parse(&text);
            let name = name.map_err(|error| ApiError::field("display_name", "invalid", error.to_string()))?;
            Ok(personal(name.as_str().to_owned()))
        })?;
        let language =
            language.check(|text| Ok(personal(language_identifier(&text).ok_or_else(wrong_language)?)))?;
        let time_zone = time_zone.check(|text| {
            let zone = text.parse::<Tz>().map_err(|_| wrong_time_zone())?;
            Ok(personal(zone.name().to_owned()))
        })?;
        Ok(Profile { display_name, language, time_zone })
    }
}

/// Language, then perhaps script and region (BCP 47), in their usual case: `zh-Hant-TW`.
fn language_identifier(text: &str) -> Option<String> {
    let language = |subtag| Some(Language::try_from_str(subtag).ok()?.to_string());
    let script = |subtag| Some(Script::try_from_str(subtag).ok()?.to_string());
    let region = |subtag| Some(Region::try_from_str(subtag).ok()?.to_string());
    let subtags: Vec<_> = text.split('-').collect();
    Some(match *subtags {
        [one] => language(one)?,
        [one, two] => format!("{}-{}", language(one)?, script(two).or_else(|| region(two))?),
        [one, two, three] => format!("{}-{}-{}", language(one)?, script(two)?, region(three)?),
        _ => return None,
    })
}

fn wrong_language() -> ApiError {
    let message = "This is not a language identifier such as en or de-AT.";
    ApiError::field("preferences.language", "invalid", message)
}

fn wrong_time_zone() -> ApiError {
    let message = "This is not a time zone such as Europe/Vienna.";
    ApiError::field("preferences.time_zone", "invalid", message)
}
