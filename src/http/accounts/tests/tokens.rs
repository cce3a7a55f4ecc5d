use aggregates::Role;
use chrono::TimeDelta;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use crate::auth::api_token;
use crate::fixture::contract::DOCUMENT;
use crate::fixture::{Answer, Person, Vault, eventually};

const NOBODYS: &str = "01900000-0000-7000-8000-000000000000";

fn wish(vault: &Vault, scopes: &[&str], lasts: TimeDelta) -> Value {
    json!({ "name": "backup script", "scopes": scopes, "expires_at": vault.app.clock().now() + lasts })
}

/// Id and token of a new one that lasts an hour.
async fn create(vault: &Vault, person: &Person, scopes: &[&str]) -> (String, String) {
    let created = person.post("/me/tokens", wish(vault, scopes, TimeDelta::hours(1))).await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    let text = |name: &str| created.body[name].as_str().unwrap().to_owned();
    (text("id"), text("token"))
}

/// Sends a request as a script would, with `token`.
async fn by(person: &Person, token: &str, method: Method, path: &str, body: Value) -> Answer {
    let authorization = format!("Bearer {token}");
    person.send_as(&authorization, method, path, &[], body).await
}

async fn me(person: &Person, token: &str) -> StatusCode {
    by(person, token, Method::GET, "/me", Value::Null).await.status
}

#[sqlx::test(migrations = "./migrations")]
async fn a_token_is_shown_once_and_listed_without_itself(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let ana = vault.user().await;
    let expires_at = "2126-01-01T00:00:00.000000Z";
    let late = json!({ "name": "x", "scopes": ["read"], "expires_at": expires_at });
    assert_eq!(ana.post("/me/tokens", late).await.body["errors"][0]["code"], "out_of_range");
    let created = ana.post("/me/tokens", wish(&vault, &["write", "read"], TimeDelta::days(365))).await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    assert_eq!(created.body.as_object().unwrap().len(), 2);
    let token = created.body["token"].as_str().unwrap();
    assert!(token.starts_with("dvp_") && token.len() == 4 + 43, "256 bits in base64");

    let listed = ana.get("/me/tokens").await.body;
    let item = &listed["items"][0];
    assert_eq!((&listed["next_cursor"], listed["items"].as_array().unwrap().len()), (&Value::Null, 1));
    assert_eq!((&item["id"], &item["name"]), (&created.body["id"], &json!("backup script")));
    assert_eq!((&item["scopes"], &item["last_used_at"]), (&json!(["read", "write"]), &Value::Null));
    assert!(item["created_at"].is_string() && item["expires_at"].is_string());
    assert_eq!(item.as_object().unwrap().len(), 6, "nothing else: {item}");

    let stored: Vec<u8> =
        sqlx::query_scalar("SELECT token_hash FROM api_tokens").fetch_one(&pool).await.unwrap();
    assert_eq!(stored, Sha256::digest(token.as_bytes()).to_vec());
    let payload: String =
        sqlx::query_scalar("SELECT payload::text FROM events WHERE event_type = 'ApiTokenCreated'")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert!(!payload.contains(token) && !payload.contains("backup script"), "{payload}");
}

#[sqlx::test(migrations = "./migrations")]
async fn a_token_does_what_its_scopes_say(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let ana = vault.user().await;
    let document = ana.upload("Mine.txt", b"mine").await;
    let path = format!("/documents/{}", document["document_id"].as_str().unwrap());
    let rename = json!({ "name": "Renamed.txt" });
    let (_, reads) = create(&vault, &ana, &["read"]).await;
    let (_, writes) = create(&vault, &ana, &["write"]).await;
    for query in ["/me", "/documents", "/quota", &path] {
        assert_eq!(by(&ana, &reads, Method::GET, query, Value::Null).await.status, StatusCode::OK, "{query}");
        let refused = by(&ana, &writes, Method::GET, query, Value::Null).await;
        assert_eq!(
            (refused.status, &refused.body["type"]),
            (StatusCode::FORBIDDEN, &json!("/problems/forbidden"))
        );
    }
    assert_eq!(by(&ana, &reads, Method::PATCH, &path, rename.clone()).await.status, StatusCode::FORBIDDEN);
    let renamed = by(&ana, &writes, Method::PATCH, &path, rename).await;
    assert_eq!((renamed.status, &renamed.body["name"]), (StatusCode::OK, &json!("Renamed.txt")));
    let actor: String = sqlx::query_scalar(
        "SELECT metadata->>'actor' FROM events WHERE event_type = 'DocumentRenamed' ORDER BY position DESC LIMIT 1",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(actor, format!("user:{}", ana.id));
}

/// The document says which operations a token opens, with which scope, and it is right about every one.
#[sqlx::test(migrations = "./migrations")]
async fn a_token_opens_what_the_document_says_and_nothing_else(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let admin = vault.person(Role::Admin, 1 << 30).await;
    let (_, both) = create(&vault, &admin, &["read", "write"]).await;
    let (_, reads) = create(&vault, &admin, &["read"]).await;
    let (_, writes) = create(&vault, &admin, &["write"]).await;
    let mut refused = 0;
    for (path, item) in DOCUMENT["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let Some(requirements) = operation["security"].as_array() else { continue };
            let Some(path) = path.strip_prefix("/api/v1") else { continue };
            let path = path.replace("{id}", NOBODYS).replace("{name}", "none");
            let method: Method = method.to_uppercase().parse().unwrap();
            let scope = requirements.iter().find_map(|requirement| requirement["api_token"][0].as_str());
            let status = async |token| by(&admin, token, method.clone(), &path, json!({})).await.status;
            let opened = status(&both).await;
            let Some(scope) = scope else {
                // The refresh cookie is nothing that a token could stand for.
                assert!([401, 403].contains(&opened.as_u16()), "{method} {path}: {opened}");
                refused += 1;
                continue;
            };
            assert_eq!(scope, if method == Method::GET { "read" } else { "write" });
            assert!(![401, 403].contains(&opened.as_u16()), "{method} {path}: {opened}");
            let other = if scope == "read" { &writes } else { &reads };
            assert_eq!(status(other).await, StatusCode::FORBIDDEN, "{method} {path}");
        }
    }
    assert!(refused >= 8, "only {refused} operations are closed to tokens");
}

/// A24
#[sqlx::test(migrations = "./migrations")]
async fn a_token_ends_with_its_time_its_revocation_and_its_owner(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let ana = vault.user().await;
    for wrong in ["dvp_", "dvp_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "dvp"] {
        assert_eq!(me(&ana, wrong).await, StatusCode::UNAUTHORIZED, "{wrong}");
    }
    let (id, token) = create(&vault, &ana, &["read"]).await;
    let (_, other) = create(&vault, &ana, &["read"]).await;
    assert_eq!(me(&ana, &token).await, StatusCode::OK);
    assert_eq!(me(&ana, &token.to_lowercase()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(ana.delete(&format!("/me/tokens/{id}")).await.status, StatusCode::NO_CONTENT);
    assert_eq!(me(&ana, &token).await, StatusCode::UNAUTHORIZED);
    assert_eq!(ana.delete(&format!("/me/tokens/{id}")).await.status, StatusCode::NOT_FOUND);

    sqlx::query("UPDATE credentials SET is_active = false").execute(&pool).await.unwrap();
    assert_eq!(me(&ana, &other).await, StatusCode::UNAUTHORIZED);
    sqlx::query("UPDATE credentials SET is_active = true, temporary_until = now() + interval '1 day'")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(me(&ana, &other).await, StatusCode::UNAUTHORIZED, "the temporary password comes first");
    sqlx::query("UPDATE credentials SET temporary_until = NULL").execute(&pool).await.unwrap();
    assert_eq!(me(&ana, &other).await, StatusCode::OK);
    vault.advance(TimeDelta::hours(1));
    assert_eq!(me(&ana, &other).await, StatusCode::UNAUTHORIZED);
}

/// Z03: whoever is not the owner finds nothing, and the owner every one.
#[sqlx::test(migrations = "./migrations")]
async fn every_token_is_its_owners_to_see_and_to_end(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let (ana, eve) = (vault.user().await, vault.user().await);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.insert(0, create(&vault, &ana, &["read"]).await.0);
    }
    assert_eq!(eve.get("/me/tokens").await.body["items"], json!([]));
    let foreign = eve.delete(&format!("/me/tokens/{}", ids[0])).await;
    let absent = eve.delete(&format!("/me/tokens/{NOBODYS}")).await;
    assert_eq!((foreign.status, absent.status), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND));
    vault.advance(TimeDelta::hours(2));
    let first = ana.get("/me/tokens?limit=2").await.body;
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = ana.get(&format!("/me/tokens?limit=2&cursor={cursor}")).await.body;
    let pages = [&first, &second].into_iter().flat_map(|page| page["items"].as_array().unwrap());
    let listed: Vec<_> = pages.map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, ids, "expired ones, too");
    assert_eq!(ana.delete(&format!("/me/tokens/{}", ids[0])).await.status, StatusCode::NO_CONTENT);
}

#[sqlx::test(migrations = "./migrations")]
async fn wrong_fields_are_named(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let ana = vault.user().await;
    let good = wish(&vault, &["read"], TimeDelta::hours(1));
    let past = json!(vault.app.clock().now() - TimeDelta::seconds(1));
    let late = json!(vault.app.clock().now() + TimeDelta::days(3_654));
    for (field, value) in [
        ("name", json!("a\u{202e}b")),
        ("name", json!("")),
        ("name", json!("x".repeat(256))),
        ("scopes", json!([])),
        ("scopes", json!(["read", "read"])),
        ("expires_at", past),
        ("expires_at", late),
        ("expires_at", json!("tomorrow")),
        ("role", json!("admin")),
    ] {
        let mut body = good.clone();
        body[field] = value;
        let refused = ana.post("/me/tokens", body).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{field}: {refused:?}");
        assert_eq!(refused.body["errors"][0]["field"], field);
    }
    for scope in ["admin", "READ", ""] {
        let refused = ana.post("/me/tokens", wish(&vault, &[scope], TimeDelta::hours(1))).await;
        assert_eq!(refused.body["errors"][0]["field"], "scopes[0]", "{refused:?}");
    }
    for field in ["name", "scopes", "expires_at"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        assert_eq!(ana.post("/me/tokens", body).await.body["errors"][0]["code"], "missing", "{field}");
    }
}

/// The hundredth and the hundred-and-first at once, on whichever of two streams of requests.
#[sqlx::test(migrations = "./migrations")]
async fn a_person_has_a_hundred_at_most(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let ana = vault.user().await;
    sqlx::query(
        "INSERT INTO api_tokens (token_id, user_id, token_hash, name, scopes, created_at, expires_at)
         SELECT gen_random_uuid(), $1, sha256(n::text::bytea), 'x', '{read}', now(),
                now() + CASE WHEN n <= 99 THEN interval '1 day' ELSE interval '-1 day' END
         FROM generate_series(1, 120) n",
    )
    .bind(ana.id.0)
    .execute(&pool)
    .await
    .unwrap();
    let create = || ana.post("/me/tokens", wish(&vault, &["read"], TimeDelta::hours(1)));
    let (one, other) = tokio::join!(create(), create());
    let mut both = [one.status, other.status];
    both.sort();
    assert_eq!(both, [StatusCode::CREATED, StatusCode::CONFLICT]);
    vault.advance(TimeDelta::hours(2));
    assert_eq!(create().await.status, StatusCode::CREATED, "one has expired");
}

/// An answer that holds a token is not kept.
#[sqlx::test(migrations = "./migrations")]
async fn a_creation_is_not_repeated(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let ana = vault.user().await;
    let body = wish(&vault, &["read"], TimeDelta::hours(1));
    let create = || ana.send(Method::POST, "/me/tokens", &[("idempotency-key", "once")], body.clone());
    assert_eq!(create().await.status, StatusCode::CREATED);
    assert_eq!(create().await.status, StatusCode::CONFLICT);
    assert_eq!(ana.get("/me/tokens").await.body["items"].as_array().unwrap().len(), 1);
    let outcomes: String =
        sqlx::query_scalar("SELECT coalesce(string_agg(c::text, ''), '') FROM command_outcomes c")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert!(!outcomes.contains("dvp_"), "{outcomes}");
}

#[sqlx::test(migrations = "./migrations")]
async fn its_last_use_is_known_to_the_minute(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let ana = vault.user().await;
    let (_, token) = create(&vault, &ana, &["read"]).await;
    let last_used = async || {
        let at: Option<chrono::DateTime<chrono::Utc>> =
            sqlx::query_scalar("SELECT last_used_at FROM api_tokens").fetch_one(&pool).await.unwrap();
        at
    };
    assert_eq!(me(&ana, &token).await, StatusCode::OK);
    eventually("the use is noted", async || last_used().await.is_some()).await;
    let first = last_used().await;
    vault.advance(TimeDelta::seconds(30));
    assert_eq!(me(&ana, &token).await, StatusCode::OK);
    vault.app.afterwards.close();
    vault.app.afterwards.wait().await;
    assert_eq!(last_used().await, first, "half a minute is not worth a write");
    vault.advance(TimeDelta::seconds(31));
    assert_eq!(me(&ana, &token).await, StatusCode::OK);
    vault.app.afterwards.wait().await;
    assert!(last_used().await > first);
}

#[sqlx::test(migrations = "./migrations")]
async fn an_expired_token_is_forgotten_after_a_month(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let ana = vault.user().await;
    create(&vault, &ana, &["read"]).await;
    let sweep = async || api_token::sweep(&pool, vault.app.clock().now()).await.unwrap();
    vault.advance(TimeDelta::days(30));
    assert_eq!(sweep().await, 0);
    vault.advance(TimeDelta::hours(2));
    assert_eq!(sweep().await, 1);
    assert_eq!(ana.get("/me/tokens").await.body["items"], json!([]));
}
