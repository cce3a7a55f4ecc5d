use std::sync::Arc;

use aggregates::Role;
use axum::Json;
use axum::extract::State;
use projections::user_directory::{self, PeopleQuery};
use serde::Deserialize;

use super::person::Person;
use crate::app::App;
use crate::error::ApiError;
use crate::http::extract::{Admin, Params};
use crate::http::page::{Limit, Page, from_cursor, to_cursor};

/// Which accounts, by all of what is given.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// A part of the address or the name, in any case
    q: Option<String>,
    /// `user`, `admin` or `auditor`
    #[param(value_type = Option<String>)]
    role: Option<Role>,
    active: Option<bool>,
    /// 1 to 200, default 50
    #[serde(default)]
    #[param(value_type = Option<u16>)]
    limit: Limit,
    cursor: Option<String>,
}

/// Who has an account and how much they keep, the newest first.
#[utoipa::path(get, path = "/admin/users", tag = "administration", params(Filter),
    security(("access_token" = ["admin"])), responses((status = 200, body = Page<Person>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    admin: Admin,
    Params(filter): Params<Filter>,
) -> Result<Json<Page<Person>>, ApiError> {
    let Filter { q, role, active, limit, cursor } = filter;
    let list = format!("users {q:?} {role:?} {active:?}");
    let before = from_cursor(admin.lineage, &list, cursor.as_deref())?;
    let role = role.map(Role::as_str);
    let query = PeopleQuery { text: q, role, is_active: active, before, limit: limit.0 };
    let page = user_directory::list(app.store.pool(), &query).await?;
    let next_cursor = to_cursor(admin.lineage, &list, page.next)?;
    Ok(Json(Page { items: page.rows.into_iter().map(Person::from).collect(), next_cursor }))
}
