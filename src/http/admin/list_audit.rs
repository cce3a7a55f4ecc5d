use std::sync::Arc;

use aggregates::DocumentId;
use axum::extract::State;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use projections::audit_trail::{self, AuditQuery, AuditRow};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::error::ApiError;
use crate::http::done::{MinPosition, Stale};
use crate::http::extract::{Auditing, Params};
use crate::http::page::{Limit, Page, from_cursor, to_cursor};

/// Which events, by all of what is given.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// `user:<id>` or just the id, `system:<name>`, or `operator`
    actor: Option<String>,
    /// Such as `session_started`
    r#type: Option<String>,
    #[param(value_type = Option<Uuid>)]
    document_id: Option<DocumentId>,
    /// From this time on
    from: Option<DateTime<Utc>>,
    /// Before this time
    to: Option<DateTime<Utc>>,
    /// 1 to 200, default 50
    #[serde(default)]
    #[param(value_type = Option<u16>)]
    limit: Limit,
    cursor: Option<String>,
}

/// One event of the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct Entry {
    position: i64,
    event_id: Uuid,
    at: DateTime<Utc>,
    /// `user:<id>`, `system:<name>` or `operator`
    actor: String,
    /// Such as `session_started`
    r#type: String,
    /// `document:<id>`, `user:<id>`, `quota:<id>` or `log`
    subject: String,
    ip: Option<String>,
    /// What else the event says, without anything personal.
    details: Value,
}

/// Who did what, when and from where, the newest first: every event of the log, without names or contents of documents.
#[utoipa::path(get, path = "/admin/audit", tag = "administration", params(Filter),
    security(("access_token" = ["admin", "auditor"])),
    responses((status = 200, body = Page<Entry>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    auditing: Auditing,
    min_position: Option<Extension<MinPosition>>,
    Params(filter): Params<Filter>,
) -> Result<(Extension<Stale>, Json<Page<Entry>>), ApiError> {
    let stale = match min_position {
        Some(Extension(min_position)) => min_position.wait(&app.audit_freshness).await,
        None => Stale::default(),
    };
    let (list, cursor) = (filter.name(), filter.cursor.clone());
    let before = from_cursor(auditing.lineage, &list, cursor.as_deref())?;
    let page = audit_trail::list(app.store.pool(), &AuditQuery { before, ..filter.into() }).await?;
    let next_cursor = to_cursor(auditing.lineage, &list, page.next)?;
    let items = page.rows.into_iter().map(Entry::from).collect();
    Ok((Extension(stale), Json(Page { items, next_cursor })))
}

impl Filter {
    /// What a cursor is bound to.
    fn name(&self) -> String {
        let Self { actor, r#type, document_id, from, to, .. } = self;
        format!("audit {actor:?} {type:?} {document_id:?} {from:?} {to:?}")
    }
}

impl From<Filter> for AuditQuery {
    fn from(filter: Filter) -> Self {
        let actor = filter.actor.map(|actor| match actor.parse::<Uuid>() {
            Ok(id) => format!("user:{id}"),
            Err(_) => actor,
        });
        Self {
            actor,
            r#type: filter.r#type,
            document_id: filter.document_id.map(|id| id.0),
            from: filter.from,
            to: filter.to,
            before: None,
            limit: filter.limit.0,
        }
    }
}

impl From<AuditRow> for Entry {
    fn from(row: AuditRow) -> Self {
        let AuditRow { position, event_id, at, actor, r#type, subject, ip, details } = row;
        Self { position, event_id, at, actor, r#type, subject, ip, details }
    }
}
