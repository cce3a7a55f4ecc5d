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
        description = "A self-hosted document vault. An operation's security requirement names the roles it is for; \
                       one without is public. Errors are problem details (RFC 9457)."
    ),
    components(schemas(crate::error::Problem)),
    modifiers(&Schemes)
)]
struct Document;

struct Schemes;

impl Modify for Schemes {
    fn modify(&self, document: &mut OpenApi) {
        let components = document.components.get_or_insert_default();
        let bearer = Http::builder().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
        components.add_security_scheme("access_token", SecurityScheme::Http(bearer));
        let cookie = ApiKey::Cookie(ApiKeyValue::new("__Host-dv_rt"));
        components.add_security_scheme("refresh_cookie", SecurityScheme::ApiKey(cookie));
    }
}

/// Before the routes are in it.
pub(super) fn frame() -> OpenApi {
    Document::openapi()
}
