//! A real `docuvault` that answers requests, with its first administrator.

use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::node::Node;
use crate::stack::{Stack, free_address};

pub(crate) const EMAIL: &str = "bench@example.org";
pub(crate) const PASSWORD: &str = "a-long-benchmark-passphrase";

/// What works beside the API: all that needs no object.
const ROLES: &str = "api,projector,relay,audit";

pub(crate) struct Vault {
    pub url: String,
    pub client: reqwest::Client,
    pub token: String,
    pub user_id: String,
    pub node: Node,
}

impl Vault {
    /// All in one, with its data in a directory below `directory`.
    pub(crate) async fn standalone(
        binary: &Path,
        directory: &Path,
        settings: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let (listen, data) = (free_address()?, directory.join("data"));
        let data = data.to_str().context("a path")?;
        let arguments = ["standalone", "--listen", &listen, "--data", data];
        let environment: Vec<_> =
            settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let node = Node::start(binary, &arguments, &environment).await?;
        Self::set_up(node, &listen).await
    }

    /// On a stack of ours.
    pub(crate) async fn served(stack: &Stack) -> anyhow::Result<Self> {
        let (node, listen) = stack.node(ROLES).await?;
        Self::set_up(node, &listen).await
    }

    async fn set_up(node: Node, listen: &str) -> anyhow::Result<Self> {
        let token = node.greeting.iter().find_map(|line| line.split_once("/setup#token="));
        let (_, token) = token.context("no setup link")?;
        let url = format!("http://{listen}/api/v1");
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
        let setup = json!({ "token": token.trim(), "email": EMAIL, "password": PASSWORD });
        let response = client.post(format!("{url}/setup")).json(&setup).send().await?;
        ensure!(response.status() == 201, "setup: {}", response.text().await?);
        let mut vault = Self { url, client, token: String::new(), user_id: String::new(), node };
        vault.sign_in().await?;
        Ok(vault)
    }

    /// Anew: a token does not last for all cells.
    pub(crate) async fn sign_in(&mut self) -> anyhow::Result<()> {
        let credentials = json!({ "email": EMAIL, "password": PASSWORD });
        let login = self.client.post(format!("{}/auth/login", self.url)).json(&credentials);
        let login: Value = login.send().await?.json().await?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("login");
        (self.token, self.user_id) = (text(&login["access_token"])?, text(&login["user"]["user_id"])?);
        Ok(())
    }

    /// A GET of a path of the API, or of one beside it.
    pub(crate) fn at(&self, path: &str) -> reqwest::RequestBuilder {
        match path {
            "/healthz" => self.client.get(format!("{}{path}", self.url.trim_end_matches("/api/v1"))),
            path => self.get(path),
        }
    }

    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    pub(crate) fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.post(format!("{}{path}", self.url)).bearer_auth(&self.token)
    }

    pub(crate) fn patch(&self, path: &str) -> reqwest::RequestBuilder {
        self.client.patch(format!("{}{path}", self.url)).bearer_auth(&self.token)
    }
}
