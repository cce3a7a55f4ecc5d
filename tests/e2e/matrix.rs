//! Z01: every route of the OpenAPI document × every role. What belongs to somebody else is not there.

use nix::sys::signal::Signal;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, base, http};
use crate::standalone::vault::Vault;

const NOBODYS: &str = "01900000-0000-7000-8000-000000000000";

struct Route {
    method: Method,
    path: String,
    /// Whose access token opens it; nobody's: it is public.
    roles: Vec<String>,
    /// The statuses that the document names.
    declared: Vec<String>,
}

async fn routes(vault: &Vault) -> Vec<Route> {
    let url = base(vault).replace("/api/v1", "/api/openapi.json");
    let document: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse() else { continue };
            let roles = operation["security"][0]["access_token"].as_array().into_iter().flatten();
            let roles = roles.map(|role| role.as_str().unwrap().to_owned()).collect();
            let declared = operation["responses"].as_object().unwrap().keys().cloned().collect();
            routes.push(Route { method, path: path.clone(), roles, declared });
        }
    }
    routes
}

/// Status and body of a call, without what differs between any two calls.
async fn call(vault: &Vault, route: &Route, token: Option<&str>, id: &str) -> (StatusCode, Value) {
    let root = base(vault).replace("/api/v1", "");
    let path = route.path.replace("{id}", id);
    let mut request = http().request(route.method.clone(), format!("{root}{path}"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if route.method != Method::GET {
        let body = match (&route.method, route.path.contains("/admin/")) {
            (&Method::PATCH, false) => json!({ "name": "Mine now" }),
            (&Method::PATCH, true) => json!({ "role": "admin" }),
            (&Method::PUT, _) => json!({ "limit": 1 }),
            _ => json!({}),
        };
        request = request.json(&body);
    }
    let response = request.send().await.unwrap();
    let status = response.status();
    let is_declared = route.declared.iter().any(|declared| declared == status.as_str());
    assert!(is_declared, "{} {} answered {status}, which is not documented", route.method, route.path);
    let mut body: Value = response.json().await.unwrap_or(Value::Null);
    if let Some(fields) = body.as_object_mut() {
        fields.remove("instance");
        fields.remove("request_id");
    }
    (status, body)
}

#[tokio::test]
async fn every_route_refuses_whoever_has_no_business_there() {
    let directory = TempDir::new().unwrap();
    let vault = Vault::start(directory.path()).await;
    let admin = Client::first_administrator(&vault).await;
    let owner = Client::another(&vault, "bo@example.org", "user").await;
    let stranger = Client::another(&vault, "cy@example.org", "user").await;
    let auditor = Client::another(&vault, "di@example.org", "auditor").await;
    let document = owner.upload("Secret.txt", "text/plain", b"mine").await;
    let id = document["document_id"].as_str().unwrap();
    let before = owner.get(&format!("/documents/{id}")).await;

    let routes = routes(&vault).await;
    assert!(routes.len() >= 18, "only {} routes are documented", routes.len());
    for route in &routes {
        let name = format!("{} {}", route.method, route.path);
        if !route.roles.is_empty() {
            let (status, body) = call(&vault, route, None, id).await;
            assert_eq!(
                (status.as_u16(), &body["type"]),
                (401, &json!("/problems/unauthenticated")),
                "{name}"
            );
        }
        for (role, other) in [("user", &stranger), ("admin", &admin), ("auditor", &auditor)] {
            let is_for_role = route.roles.iter().any(|permitted| permitted == role);
            if !route.roles.is_empty() && !is_for_role {
                let (status, _) = call(&vault, route, Some(&other.token), id).await;
                assert_eq!(status, 403, "{name} as {role}");
            } else if is_for_role && route.path.contains("{id}") {
                let foreign = call(&vault, route, Some(&other.token), id).await;
                let absent = call(&vault, route, Some(&other.token), NOBODYS).await;
                assert_eq!(foreign.0, 404, "{name}");
                assert_eq!(foreign, absent, "{name}");
            }
        }
    }
    assert_eq!(owner.get(&format!("/documents/{id}")).await, before, "somebody else changed it");
    assert_eq!(stranger.get("/documents").await["items"], json!([]));
    vault.end_by(Signal::SIGTERM).await;
}
