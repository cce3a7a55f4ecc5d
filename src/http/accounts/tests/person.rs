//! A browser in front of the router: keeps the refresh cookie and the access token of one person.

use aggregates::Role;
use axum::Router;
use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE, HOST, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::auth::create_user::create_user;
use crate::auth::setup;
use crate::fixture::{Answer, Vault, contract};

pub(super) const PASSWORD: &str = "correct horse battery staple";

#[derive(Clone)]
pub(super) struct Browser {
    router: Router,
    pub(super) cookie: Option<String>,
    pub(super) token: Option<String>,
}

impl Browser {
    pub(super) fn new(vault: &Vault) -> Self {
        Self { router: vault.router.clone(), cookie: None, token: None }
    }

    /// In front of another instance.
    pub(super) fn at(router: Router) -> Self {
        Self { router, cookie: None, token: None }
    }

    /// The first administrator, not signed in.
    pub(super) async fn set_up(vault: &Vault) -> Self {
        let link = setup::new_link(&vault.app).await.unwrap().unwrap();
        let token = link.split_once("#token=").unwrap().1;
        let mut browser = Self::new(vault);
        let body = json!({ "token": token, "email": "ana@example.org", "password": PASSWORD });
        assert_eq!(browser.post("/setup", body).await.status, StatusCode::CREATED);
        browser
    }

    /// A signed-in user.
    pub(super) async fn user(vault: &Vault, email: &str) -> Self {
        let temporary: Zeroizing<String> =
            create_user(&vault.app, email, Role::User).await.unwrap().expose().to_owned().into();
        let mut browser = Self::new(vault);
        let login = browser.login(email, &temporary).await;
        let change = json!({ "change_token": login.body["change_token"], "new_password": PASSWORD });
        assert_eq!(browser.post("/auth/password/change", change).await.status, StatusCode::NO_CONTENT);
        assert_eq!(browser.login(email, PASSWORD).await.status, StatusCode::OK);
        browser
    }

    pub(super) async fn login(&mut self, email: &str, password: &str) -> Answer {
        let answer = self.post("/auth/login", json!({ "email": email, "password": password })).await;
        self.keep_token(&answer);
        answer
    }

    pub(super) async fn refresh(&mut self) -> Answer {
        let answer = self.post("/auth/refresh", json!({})).await;
        self.keep_token(&answer);
        answer
    }

    pub(super) async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, &[], None).await
    }

    pub(super) async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.send("POST", path, &[("sec-fetch-site", "same-origin")], Some(body)).await
    }

    /// Sends what a browser would, with these headers of its own.
    pub(super) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("/api/v1{path}"));
        request = request.header(HOST, "127.0.0.1:8080").header("x-request-id", "the-same");
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, format!("theme=dark; dv_rt={cookie}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = match body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let answer = contract::send(&self.router, request.body(body).unwrap()).await;
        self.keep_cookie(&answer.headers);
        answer
    }

    fn keep_cookie(&mut self, headers: &HeaderMap<HeaderValue>) {
        if let Some(cookie) = headers.get(SET_COOKIE) {
            let value = cookie.to_str().unwrap().strip_prefix("dv_rt=").unwrap().split(';').next().unwrap();
            self.cookie = (!value.is_empty()).then(|| value.to_owned());
        }
    }

    fn keep_token(&mut self, answer: &Answer) {
        if let Some(token) = answer.body["access_token"].as_str() {
            self.token = Some(token.to_owned());
        }
    }
}
