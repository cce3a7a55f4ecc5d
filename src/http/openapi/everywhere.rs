//! What layers and extractors do alike to many operations, said once.

use std::collections::BTreeMap;

use http::StatusCode;
use utoipa::PartialSchema;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::{Content, Header, OpenApi, Ref, RefOr, Required, Response};

/// The errors there are, and the slugs of their `type`.
const ERRORS: [(&str, &str); 14] = [
    (
        "400",
        "`bad-request`: broken JSON, or a request that cannot be read; `invalid-token`: a link that is not good any more",
    ),
    ("401", "`unauthenticated`: no valid credentials"),
    (
        "403",
        "`forbidden`: not for this role, not for this API token, or not from this origin; `email-not-verified`",
    ),
    ("404", "`not-found`: not there, or not yours"),
    ("409", "`conflict`, or `upload-mismatch`: the bytes are not there or not those that were announced"),
    ("410", "`gone`: cancelled, expired or deleted permanently; a cursor from before the log was restored"),
    ("412", "`precondition-failed`: changed since the version in If-Match"),
    ("413", "`payload-too-large`: a body over 64 KiB; or `quota-exceeded`, with figures in bytes"),
    ("415", "`unsupported-media-type`: a body that is not JSON"),
    ("421", "`misdirected`: another host's request"),
    ("422", "`validation`: `errors` names each field, query parameter or header"),
    ("429", "`rate-limited`: too many failed attempts, or mails asked for; try again after Retry-After"),
    ("500", "`internal`: a failure of the server"),
    ("503", "`unavailable`: try again after Retry-After"),
];

/// Completes every operation of the document.
pub(in crate::http) fn complete(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        for (is_query, operation) in operations(item) {
            let parameters = operation.parameters.get_or_insert_default();
            if is_query && path.starts_with("/api/v1") {
                parameters.push(RefOr::T(min_position()));
            }
            for status in errors(path, is_query, operation) {
                operation
                    .responses
                    .responses
                    .entry(status.to_owned())
                    .or_insert_with(|| Response::new("").into());
            }
            for (status, response) in &mut operation.responses.responses {
                if let RefOr::T(response) = response {
                    describe(response, status);
                    add_headers(response, status, is_query);
                }
            }
        }
    }
}

/// With whether it only asks.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    let PathItem { get, put, post, patch, delete, .. } = item;
    let commands = [put, post, patch, delete].into_iter().flatten();
    get.iter_mut().map(|operation| (true, operation)).chain(commands.map(|operation| (false, operation)))
}

/// What may happen to an operation beside what it says itself.
fn errors(path: &str, is_query: bool, operation: &Operation) -> Vec<&'static str> {
    let takes = |name: &str| {
        let mut parameters = operation.parameters.iter().flatten();
        parameters.any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == name))
    };
    let is_for_some = operation.security.is_some();
    let applies = [
        ("400", true),
        ("401", is_for_some),
        ("403", is_for_some),
        ("404", path.contains("{id}")),
        ("409", takes("Idempotency-Key")),
        ("410", takes("cursor")),
        ("412", takes("If-Match")),
        ("413", !is_query),
        ("415", !is_query),
        ("421", path.starts_with("/api")),
        ("422", true),
        ("500", true),
        ("503", true),
    ];
    applies.into_iter().filter(|(_, applies)| *applies).map(|(status, _)| status).collect()
}

fn describe(response: &mut Response, status: &str) {
    if let Some((_, what)) = ERRORS.iter().find(|(known, _)| *known == status) {
        (*what).clone_into(&mut response.description);
        response.content.clear();
        let problem = Content::new(Some(Ref::from_schema_name("Problem")));
        response.content.insert("application/problem+json".into(), problem.into());
    } else if response.description.is_empty() {
        let reason =
            status.parse().ok().and_then(|code: u16| StatusCode::from_u16(code).ok()?.canonical_reason());
        reason.unwrap_or(status).clone_into(&mut response.description);
    }
}

fn add_headers(response: &mut Response, status: &str, is_query: bool) {
    let is_success = status.starts_with('2');
    let shows_resource = response.content.values().any(|content| {
        let RefOr::T(Content { schema: Some(RefOr::Ref(schema)), .. }) = content else { return false };
        ["/Document", "/Account", "/Person"].iter().any(|resource| schema.ref_location.ends_with(resource))
    });
    let headers = [
        (true, "X-Request-Id", text("Names the request; the client's own, if it sent a valid one")),
        (status == "401", "WWW-Authenticate", text("`Bearer`")),
        (["429", "503"].contains(&status), "Retry-After", number("Seconds")),
        (is_success && shows_resource, "ETag", text("The version, for If-Match")),
        (
            is_success && !is_query,
            "Docuvault-Position",
            number("Of the last event that this appended, if it did"),
        ),
        (is_success, "Docuvault-Stale", text("Read models that were not waited for any longer")),
    ];
    let headers: BTreeMap<_, _> = headers
        .into_iter()
        .filter(|(applies, ..)| *applies)
        .map(|(_, name, header)| (name, header))
        .collect();
    response.headers.extend(headers.into_iter().map(|(name, header)| (name.to_owned(), header.into())));
}

fn text(what: &str) -> Header {
    HeaderBuilder::new().schema(Some(String::schema())).description(Some(what)).build()
}

fn number(what: &str) -> Header {
    HeaderBuilder::new().schema(Some(i64::schema())).description(Some(what)).build()
}

/// Read by a layer, whatever is asked.
fn min_position() -> Parameter {
    header_parameter(
        "Docuvault-Min-Position",
        "Waits, for a while, until the answer holds this position",
        i64::schema(),
    )
}

/// A header that a request may carry.
pub(in crate::http) fn header_parameter(
    name: &str,
    what: &str,
    schema: RefOr<utoipa::openapi::Schema>,
) -> Parameter {
    let mut parameter = Parameter::new(name);
    parameter.parameter_in = ParameterIn::Header;
    parameter.required = Required::False;
    parameter.description = Some(what.into());
    parameter.schema = Some(schema);
    parameter
}
