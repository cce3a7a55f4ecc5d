use aggregates::{Actor, Role, User, UserCommand, UserId};
use event_store::Context;
use futures::FutureExt;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use crate::auth::setup;
use crate::error::ApiError;
use crate::fixture::{Browser, PASSWORD, Person, Vault};

fn path(person: &Person) -> String {
    format!("/admin/users/{}", person.id)
}

async fn put(admin: &Person, path: &str, body: Value) -> crate::fixture::Answer {
    admin.send(Method::PUT, path, &[], body).await
}

#[sqlx::test(migrations = "./migrations")]
async fn an_account_is_made_with_a_password_that_must_be_changed(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let admin = vault.person(Role::Admin, 1).await;
    let body =
        json!({ "email": "Bo@example.org", "display_name": "Bo", "role": "auditor", "quota_limit": 7 });
    let key = [("idempotency-key", "once")];
    let created = admin.send(Method::POST, "/admin/users", &key, body.clone()).await;
    assert_eq!(created.status, StatusCode::CREATED, "{created:?}");
    let again = admin.send(Method::POST, "/admin/users", &key, body.clone()).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "an answer with a secret is not kept");
    let taken = admin.post("/admin/users", json!({ "email": "bo@EXAMPLE.org" })).await;
    assert_eq!((taken.status, &taken.body["type"]), (StatusCode::CONFLICT, &json!("/problems/conflict")));

    let id = created.body["user_id"].as_str().unwrap();
    let found = admin.get(&format!("/admin/users/{id}")).await;
    assert_eq!((&found.body["email"], &found.body["role"]), (&json!("Bo@example.org"), &json!("auditor")));
    assert_eq!(found.body["quota"], json!({ "limit": 7, "used": 0, "reserved": 0 }));
    let temporary = created.body["temporary_password"].as_str().unwrap();
    let mut bo = Browser::new(&vault);
    let login = bo.login("bo@example.org", temporary).await;
    assert_eq!((login.status, &login.body["password_change_required"]), (StatusCode::OK, &json!(true)));
    assert!(bo.token.is_none() && bo.cookie.is_none());
}

/// Z07
#[sqlx::test(migrations = "./migrations")]
async fn wrong_and_unknown_fields_are_named(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let admin = vault.person(Role::Admin, 1).await;
    let user = vault.user().await;
    for (body, field) in [
        (json!({ "email": "nonsense" }), "email"),
        (json!({ "email": "a@b.example", "role": "root" }), "role"),
        (json!({ "email": "a@b.example", "quota_limit": -1 }), "quota_limit"),
        (json!({ "email": "a@b.example", "quota_limit": 1_u64 << 63 }), "quota_limit"),
        (json!({ "email": "a@b.example", "display_name": "a/b" }), "display_name"),
        (json!({ "email": "a@b.example", "password": "of my own choosing" }), "password"),
        (json!({ "email": "a@b.example", "user_id": user.id }), "user_id"),
    ] {
        let refused = admin.post("/admin/users", body.clone()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(refused.body["errors"][0]["field"], field, "{body}");
    }
    for (body, field) in [
        (json!({ "email": "c@d.example" }), "email"),
        (json!({ "role": null }), "role"),
        (json!({ "active": "no" }), "active"),
        (json!({ "quota": { "limit": 5 } }), "quota"),
    ] {
        let refused = admin.patch(&path(&user), body.clone()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(refused.body["errors"][0]["field"], field, "{body}");
    }
    for (path, body) in [
        (format!("{}/reset-password", path(&user)), json!({ "password": PASSWORD })),
        ("/me".to_owned(), json!({ "role": "admin" })),
    ] {
        let method = if path == "/me" { Method::PATCH } else { Method::POST };
        let refused = user.send(method.clone(), &path, &[], body.clone()).await;
        let by_admin = admin.send(method, &path, &[], body).await;
        assert!(refused.status == StatusCode::FORBIDDEN || refused.status == by_admin.status, "{path}");
        assert_eq!(by_admin.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
    }
}

#[sqlx::test(migrations = "./migrations")]
async fn people_are_listed_with_what_they_keep_and_found_again(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let admin = vault.person(Role::Admin, 100).await;
    let keeper = vault.person(Role::User, 100).await;
    let auditor = vault.person(Role::Auditor, 100).await;
    keeper.upload("Secret name.txt", b"hello").await;
    keeper.request("Secret plan.txt", b"later").await;
    assert_eq!(admin.patch(&path(&auditor), json!({ "active": false })).await.status, StatusCode::OK);

    let listed = async |query: &str| {
        let answer = admin.get(&format!("/admin/users{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let ids = answer.body["items"].as_array().unwrap().iter().map(|one| one["user_id"].clone());
        (ids.collect::<Vec<_>>(), answer.body)
    };
    let (all, body) = listed("").await;
    assert_eq!(all, [json!(auditor.id), json!(keeper.id), json!(admin.id)], "the newest first");
    assert_eq!(body["items"][1]["quota"], json!({ "limit": 100, "used": 5, "reserved": 5 }));
    assert!(!body.to_string().contains("Secret"), "names of documents are nobody else's business");
    assert_eq!(listed("?role=user").await.0, [json!(keeper.id)]);
    assert_eq!(listed("?active=false").await.0, [json!(auditor.id)]);
    assert_eq!(listed("?active=true&role=auditor").await.0, [] as [Value; 0]);
    let some = keeper.id.to_string()[20..].to_uppercase();
    assert_eq!(listed(&format!("?q={some}")).await.0, [json!(keeper.id)]);
    assert_eq!(listed("?q=%25").await.0, [] as [Value; 0], "a percent sign is just one");

    let (first, body) = listed("?limit=2").await;
    let cursor = body["next_cursor"].as_str().unwrap();
    let (rest, body) = listed(&format!("?limit=2&cursor={cursor}")).await;
    assert_eq!(([first, rest].concat(), &body["next_cursor"]), (all, &Value::Null));
    let foreign = admin.get(&format!("/admin/users?role=user&cursor={cursor}")).await;
    assert_eq!(foreign.status, StatusCode::UNPROCESSABLE_ENTITY);
}

/// A21: at the next request, on every instance.
#[sqlx::test(migrations = "./migrations")]
async fn another_role_and_deactivation_end_what_was_open(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let admin = vault.person(Role::Admin, 1).await;
    let mut bo = Browser::user(&vault, "bo@example.org").await;
    let person = bo.get("/me").await.body["user_id"].as_str().unwrap().to_owned();
    let change = async |body: Value| {
        let changed = admin.patch(&format!("/admin/users/{person}"), body).await;
        assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
        changed.body
    };
    assert_eq!(change(json!({ "role": "auditor" })).await["role"], "auditor");
    assert_eq!(bo.get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bo.refresh().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bo.login("bo@example.org", PASSWORD).await.status, StatusCode::OK);
    assert_eq!(bo.get("/documents").await.status, StatusCode::FORBIDDEN, "auditors have none");

    assert_eq!(change(json!({ "active": false })).await["active"], false);
    let refused = bo.get("/me").await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bo.refresh().await.status, StatusCode::UNAUTHORIZED);
    let mut nobody = Browser::new(&vault);
    let unknown = nobody.login("nobody@example.org", PASSWORD).await;
    let deactivated = nobody.login("bo@example.org", PASSWORD).await;
    assert_eq!((deactivated.status, deactivated.body), (unknown.status, unknown.body));
    change(json!({ "active": true, "role": "user" })).await;
    assert_eq!(bo.login("bo@example.org", PASSWORD).await.status, StatusCode::OK);
    assert_eq!(bo.get("/documents").await.status, StatusCode::OK);
    assert_eq!(change(json!({ "role": "user" })).await["active"], true);
    assert_eq!(bo.get("/me").await.status, StatusCode::OK, "what was so already ends nothing");

    let rows = sqlx::query_scalar::<_, String>(
        "SELECT payload->'SessionRevoked'->>'reason' FROM events
         WHERE event_type = 'SessionRevoked' AND metadata->>'actor' = $1 ORDER BY position",
    );
    let by_admin = Actor::User(admin.id).to_string();
    assert_eq!(rows.bind(by_admin).fetch_all(&pool).await.unwrap(), ["role_changed", "deactivated"]);
}

#[sqlx::test(migrations = "./migrations")]
async fn the_last_active_administrator_stays_one(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let ana = vault.person(Role::Admin, 1).await;
    let bo = vault.person(Role::Admin, 1).await;
    assert_eq!(bo.patch(&path(&bo), json!({ "active": false })).await.status, StatusCode::OK);
    for body in [json!({ "role": "user" }), json!({ "active": false }), json!({ "role": "auditor" })] {
        let refused = ana.patch(&path(&ana), body.clone()).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{body}: {refused:?}");
    }
    assert_eq!(ana.get("/me").await.body["role"], "admin");
    assert_eq!(ana.patch(&path(&ana), json!({ "role": "admin" })).await.status, StatusCode::OK);
}

/// Two who take the role from each other at once, at two instances: one is left.
#[sqlx::test(migrations = "./migrations")]
async fn two_administrators_cannot_remove_each_other(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    let elsewhere = crate::http::router(&vault.process(|_| {}, &stop).await);
    for round in 0..8 {
        let ana = vault.person(Role::Admin, 1).await;
        let bo = vault.person(Role::Admin, 1).await;
        let bo = bo.at(elsewhere.clone());
        let (paths, body) = ((path(&ana), path(&bo)), json!({ "role": "user" }));
        let (one, other) =
            tokio::join!(ana.patch(&paths.1, body), bo.patch(&paths.0, json!({ "active": false })),);
        let done = [one.status, other.status].iter().filter(|status| status.is_success()).count();
        let left: Vec<uuid::Uuid> =
            sqlx::query_scalar("SELECT user_id FROM credentials WHERE role = 'admin' AND is_active")
                .fetch_all(&pool)
                .await
                .unwrap();
        assert_eq!((done, left.len()), (1, 1), "round {round}: {one:?} {other:?}");
        // The next round's pair is to be alone.
        sqlx::query("UPDATE credentials SET role = 'user'").execute(&pool).await.unwrap();
    }
    assert!(setup::is_needed(&pool).await.unwrap());
}

#[sqlx::test(migrations = "./migrations")]
async fn a_lost_password_is_replaced_and_ends_what_was_open(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let admin = vault.person(Role::Admin, 1).await;
    let mut bo = Browser::user(&vault, "bo@example.org").await;
    let id = bo.get("/me").await.body["user_id"].as_str().unwrap().to_owned();
    let path = format!("/admin/users/{id}/reset-password");
    let reset = admin.post(&path, Value::Null).await;
    assert_eq!(reset.status, StatusCode::OK, "{reset:?}");
    let temporary = reset.body["temporary_password"].as_str().unwrap();
    assert_eq!(bo.get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bo.refresh().await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(bo.login("bo@example.org", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    let login = bo.login("bo@example.org", temporary).await;
    assert_eq!(login.body["password_change_required"], true);
    let change =
        json!({ "change_token": login.body["change_token"], "new_password": "another battery staple" });
    assert_eq!(bo.post("/auth/password/change", change).await.status, StatusCode::NO_CONTENT);
    assert_eq!(bo.login("bo@example.org", "another battery staple").await.status, StatusCode::OK);
    let rows = sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM events WHERE event_type = 'TemporaryPasswordIssued' AND metadata->>'actor' = $1",
    );
    let rows = rows.bind(Actor::User(admin.id).to_string());
    assert_eq!(rows.fetch_one(&pool).await.unwrap(), 1);
}

#[sqlx::test(migrations = "./migrations")]
async fn a_lost_factor_is_taken_away_and_sessions_end(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let admin = vault.person(Role::Admin, 1).await;
    let user = vault.user().await;
    let disable = format!("{}/disable-totp", path(&user));
    assert_eq!(admin.post(&disable, Value::Null).await.status, StatusCode::CONFLICT, "there is none");
    turn_factor_on(&vault, user.id).await;
    assert_eq!(user.get("/me").await.body["totp_enabled"], true);
    assert_eq!(admin.post(&disable, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(user.get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(admin.get(&path(&user)).await.body["totp_enabled"], false);

    let other = vault.user().await;
    let end = format!("{}/end-sessions", path(&other));
    assert_eq!(admin.post(&end, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(other.get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(admin.post(&end, Value::Null).await.status, StatusCode::NO_CONTENT, "there is none any more");
}

/// The events of an account whose second factor is on; no seed is needed here.
async fn turn_factor_on(vault: &Vault, user: UserId) {
    let context = Context { owner_id: user, ..crate::people::by_operator(user, vault.app.clock()) };
    let done = vault.app.store.execute(context, move |unit| {
        async move {
            let mut account = unit.load::<User>(user.0).await?;
            unit.handle(&mut account, UserCommand::StartTotpEnrollment).await?;
            unit.handle(&mut account, UserCommand::EnableTotp).await?;
            Ok::<_, ApiError>(())
        }
        .boxed()
    });
    let position = done.await.unwrap().position.unwrap();
    vault.app.freshness.wait(position, std::time::Duration::from_secs(10)).await;
}

#[sqlx::test(migrations = "./migrations")]
async fn a_quota_below_use_is_applied_and_warned_of(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let admin = vault.person(Role::Admin, 1).await;
    let user = vault.person(Role::User, 100).await;
    let document = user.upload("a.txt", b"hello").await;
    let quota = format!("{}/quota", path(&user));
    let before = json!({ "limit": 100, "used": 5, "reserved": 0, "warning": false });
    assert_eq!(admin.get(&quota).await.body, before);
    let lowered = put(&admin, &quota, json!({ "limit": 4 })).await;
    let figures = json!({ "limit": 4, "used": 5, "reserved": 0, "warning": true });
    assert_eq!((lowered.status, &lowered.body), (StatusCode::OK, &figures));
    assert!(lowered.headers.contains_key("docuvault-position"));
    assert_eq!(admin.get(&quota).await.body, figures);
    assert_eq!(user.request("b.txt", b"x").await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let id = document["document_id"].as_str().unwrap();
    assert_eq!(user.get(&format!("/documents/{id}")).await.status, StatusCode::OK, "nothing goes");
    let raised = put(&admin, &quota, json!({ "limit": 6 })).await;
    assert_eq!(raised.body["warning"], false);
    assert_eq!(user.request("b.txt", b"x").await.status, StatusCode::CREATED);
    for body in [json!({}), json!({ "limit": -1 }), json!({ "limit": 1_u64 << 63 }), json!({ "limit": "1" })]
    {
        let refused = put(&admin, &quota, body.clone()).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert_eq!(refused.body["errors"][0]["field"], "limit", "{body}");
    }
}

#[sqlx::test(migrations = "./migrations")]
async fn nobody_is_not_found_and_others_are_refused(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let admin = vault.person(Role::Admin, 1).await;
    let nobody = "/admin/users/01900000-0000-7000-8000-000000000000";
    let calls = [
        (Method::GET, "", Value::Null),
        (Method::PATCH, "", json!({ "active": false })),
        (Method::POST, "/reset-password", Value::Null),
        (Method::POST, "/disable-totp", Value::Null),
        (Method::POST, "/end-sessions", Value::Null),
        (Method::GET, "/quota", Value::Null),
        (Method::PUT, "/quota", json!({ "limit": 1 })),
    ];
    for (method, rest, body) in calls {
        let path = format!("{nobody}{rest}");
        let missed = admin.send(method.clone(), &path, &[], body.clone()).await;
        assert_eq!(missed.status, StatusCode::NOT_FOUND, "{method} {path}");
        for role in [Role::User, Role::Auditor] {
            let other = vault.person(role, 1).await;
            let refused = other.send(method.clone(), &path, &[], body.clone()).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{method} {path}");
        }
    }
    let stale = [("if-match", "\"0\"")];
    let refused = admin.send(Method::PATCH, &path(&admin), &stale, json!({ "role": "admin" })).await;
    assert_eq!(refused.status, StatusCode::PRECONDITION_FAILED);
}
