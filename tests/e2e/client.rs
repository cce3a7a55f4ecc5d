//! A client of the HTTP API, as anybody could write one.

use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::standalone::vault::{Vault, docuvault};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Somebody who is signed in.
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    pub(crate) base: String,
    pub(crate) token: String,
}

/// The address of the API behind a vault.
pub(crate) fn base(vault: &Vault) -> String {
    format!("{}/api/v1", vault.ready_line.trim_start_matches("docuvault ready at "))
}

/// Forgets idle connections before the server closes them, which it does after ten seconds.
pub(crate) fn http() -> reqwest::Client {
    let idle = std::time::Duration::from_secs(5);
    reqwest::Client::builder()
        .pool_idle_timeout(idle)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

impl Client {
    /// Takes the setup link.
    pub(crate) async fn first_administrator(vault: &Vault) -> Self {
        let (http, base) = (http(), base(vault));
        let token = vault.setup_token.as_ref().expect("a setup link");
        let setup = json!({ "token": token, "email": "ana@example.org", "password": PASSWORD });
        let response = http.post(format!("{base}/setup")).json(&setup).send().await.unwrap();
        assert_eq!(response.status(), 201, "{}", response.text().await.unwrap());
        Self::sign_in(vault, "ana@example.org").await
    }

    pub(crate) async fn sign_in(vault: &Vault, email: &str) -> Self {
        Self::sign_in_at(http(), base(vault), email).await
    }

    /// By way of `http`, which knows where `base` is.
    pub(crate) async fn sign_in_at(http: reqwest::Client, base: String, email: &str) -> Self {
        let credentials = json!({ "email": email, "password": PASSWORD });
        let response = http.post(format!("{base}/auth/login")).json(&credentials).send().await.unwrap();
        let login = expect(response, 200).await;
        Self { http, base, token: login["access_token"].as_str().unwrap().to_owned() }
    }

    /// `docuvault users create`, then the change of the temporary password.
    pub(crate) async fn another(vault: &Vault, email: &str, role: &str) -> Self {
        let mut create: Command = docuvault();
        create.args(["users", "create", email, "--role", role, "--env-file"]).arg(vault.env_file());
        let output = create.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed = String::from_utf8(output.stdout).unwrap();
        let temporary = printed.split_whitespace().last().expect("a temporary password");
        Self::with_new_password(http(), base(vault), email, temporary).await
    }

    /// Signs in with a temporary password, changes it, and signs in again.
    pub(crate) async fn with_new_password(
        http: reqwest::Client,
        base: String,
        email: &str,
        temporary: &str,
    ) -> Self {
        let credentials = json!({ "email": email, "password": temporary });
        let response = http.post(format!("{base}/auth/login")).json(&credentials).send().await.unwrap();
        let login = expect(response, 200).await;
        assert_eq!(login["password_change_required"], true, "{login}");
        let change = json!({ "change_token": login["change_token"], "new_password": PASSWORD });
        let response = http.post(format!("{base}/auth/password/change")).json(&change).send().await.unwrap();
        assert_eq!(response.status(), 204);
        Self::sign_in_at(http, base, email).await
    }

    /// Scheme, host and port of the vault.
    pub(crate) fn origin(&self) -> &str {
        self.base.trim_end_matches("/api/v1")
    }

    /// The same person at another process of the vault, as behind a load balancer: the host is the public one.
    pub(crate) fn at(&self, origin: &str) -> Self {
        let public = self.origin().trim_start_matches("http://").parse().unwrap();
        let headers = [(reqwest::header::HOST, public)].into_iter().collect();
        let http = reqwest::Client::builder().default_headers(headers).build().unwrap();
        Self { http, base: format!("{origin}/api/v1"), token: self.token.clone() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        expect(self.request(Method::GET, path).send().await.unwrap(), 200).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value, status: u16) -> Value {
        expect(self.request(Method::POST, path).json(body).send().await.unwrap(), status).await
    }

    pub(crate) async fn delete(&self, path: &str) {
        let response = self.request(Method::DELETE, path).send().await.unwrap();
        assert_eq!(response.status(), 204, "{path}: {}", response.text().await.unwrap());
    }

    /// Sends the bytes to the presigned URL.
    pub(crate) async fn put(&self, upload: &Value, content: Vec<u8>) -> StatusCode {
        let mut put = self.http.put(upload["url"].as_str().unwrap()).body(content);
        for (name, value) in upload["headers"].as_object().unwrap() {
            put = put.header(name, value.as_str().unwrap());
        }
        put.send().await.unwrap().status()
    }

    /// Request, PUT, confirm: the confirmed document.
    pub(crate) async fn upload(&self, name: &str, content_type: &str, content: &[u8]) -> Value {
        let requested = self.post("/documents", &announcement(name, content_type, content), 201).await;
        assert_eq!(self.put(&requested["upload"], content.to_vec()).await, 200);
        let id = requested["document_id"].as_str().unwrap();
        self.post(&format!("/documents/{id}/confirm"), &json!({}), 200).await
    }

    /// What the presigned GET of a document gives.
    pub(crate) async fn download(&self, id: &str) -> Vec<u8> {
        let path = format!("/documents/{id}/content");
        let response = self.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), 302);
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        let content = self.http.get(location).send().await.unwrap();
        assert_eq!(content.status(), 200);
        content.bytes().await.unwrap().to_vec()
    }
}

/// The body of `POST /documents` for `content`.
pub(crate) fn announcement(name: &str, content_type: &str, content: &[u8]) -> Value {
    let sha256 = hex::encode(Sha256::digest(content));
    json!({ "name": name, "content_type": content_type, "size": content.len(), "sha256": sha256 })
}

/// The JSON of a response that should have `status`.
pub(crate) async fn expect(response: Response, status: u16) -> Value {
    let found = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(found, status, "{text}");
    if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
}
