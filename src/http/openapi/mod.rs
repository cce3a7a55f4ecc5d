//! The frame of the OpenAPI document; the routes fill it, and [`complete`] adds what the layers and extractors do
//! alike to many of them.

mod everywhere;

use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi as _};

pub(super) use everywhere::{complete, header_parameter};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "DocuVault",
        description = "A self-hosted document vault. An operation's security requirement names the roles it is for, and the \
                       scope of an API token that opens it, too; one without is public. Errors are problem details (RFC 9457)."
    ),
    components(schemas(crate::error::Problem)),
    modifiers(&Schemes)
)]
struct Document;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = |format: &str, description: &str| {
            let http = Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format(format);
            SecurityScheme::Http(http.description(Some(description)).build())
        };
        let access = bearer("JWT", "Of a session, from a login or a refresh. A requirement names the roles.");
        components.add_security_scheme("access_token", access);
        let api = bearer("dvp_…", "For scripts, from `POST /me/tokens`. A requirement names the scope.");
        components.add_security_scheme("api_token", api);
        let cookie = ApiKey::Cookie(ApiKeyValue::new("__Host-dv_rt"));
        components.add_security_scheme("refresh_cookie", SecurityScheme::ApiKey(cookie));
    }
}

/// Before the routes are in it.
pub(super) fn frame() -> OpenApi {
    Document::openapi()
}
