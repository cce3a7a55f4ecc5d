//! A client at work: uploads, renames, trashes, restores, purges and reads, one step after the other, on any node.
//! Every choice comes from the seed; which choices there are depends on what the vault has answered.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use reqwest::Method;

use super::call::{Answer, Call};
use super::document::{Change, Document, Stage};
use super::history::{History, Outcome};
use crate::client::Client;
use crate::faults::cluster::base;

/// Tries of a command before its client leaves it for later.
const TRIES: usize = 3;
const LARGEST: usize = 4096;

/// What all clients of a run share.
#[derive(Clone)]
pub(super) struct World {
    /// One HTTP client for each API node.
    pub(super) nodes: Vec<reqwest::Client>,
    pub(super) history: History,
    /// Documents with their owners: nobody else may see them.
    pub(super) known: Arc<Mutex<Vec<(String, String)>>>,
}

pub(super) struct Person {
    pub(super) email: String,
    pub(super) user_id: String,
    pub(super) world: World,
    pub(super) random: StdRng,
    pub(super) documents: Vec<Document>,
    /// The newest position that was acknowledged to this client.
    pub(super) seen: i64,
    token: String,
    keys: usize,
}

impl Person {
    pub(super) async fn new(client: Client, email: &str, world: World, random: StdRng) -> Self {
        let user_id = client.get("/me").await["user_id"].as_str().unwrap().to_owned();
        Self {
            email: email.to_owned(),
            user_id,
            world,
            random,
            documents: Vec::new(),
            seen: 0,
            token: client.token,
            keys: 0,
        }
    }

    /// Takes steps until the future is dropped or the time is up.
    pub(super) async fn work(&mut self, until: tokio::time::Instant) {
        while tokio::time::Instant::now() < until {
            self.step().await;
            let pause = self.random.random_range(0..40);
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
    }

    async fn step(&mut self) {
        match self.random.random_range(0..100) {
            0..30 => self.upload().await,
            30..34 => self.look_where_it_may_not().await,
            34..60 => self.read_something().await,
            _ => {
                let Some((index, change)) = self.some_change() else { return self.upload().await };
                self.change(index, change).await;
            }
        }
    }

    /// A new document, as far as its upload comes.
    async fn upload(&mut self) {
        let name = self.unique("txt");
        let length = self.random.random_range(1..LARGEST);
        let text = format!("{name} ").into_bytes();
        let content = text.into_iter().cycle().take(length).collect();
        self.documents.push(Document::wanted(name, content));
        let index = self.documents.len() - 1;
        self.change(index, Change::Request).await;
        if self.documents[index].stage == Stage::Pending && self.random.random_bool(0.9) {
            self.store_and_confirm(index).await;
        }
    }

    pub(super) async fn store_and_confirm(&mut self, index: usize) {
        if self.store(index).await {
            self.change(index, Change::Confirm).await;
        }
    }

    /// Sends the bytes. False: perhaps they are there, perhaps not.
    async fn store(&mut self, index: usize) -> bool {
        let document = &self.documents[index];
        for _ in 0..TRIES {
            let mut put = self.world.nodes[0].put(document.upload["url"].as_str().unwrap());
            for (name, value) in document.upload["headers"].as_object().unwrap() {
                put = put.header(name, value.as_str().unwrap());
            }
            let put = put.timeout(Duration::from_secs(5)).body(document.content.clone()).send().await;
            let status = put.map_or(0, |answer| answer.status().as_u16());
            // 412: an earlier try came through.
            if status == 200 || status == 412 {
                self.documents[index].stored = true;
                self.world.history.ended(
                    &self.email,
                    "put",
                    Outcome::Ok,
                    &document_name(&self.documents[index]),
                );
                return true;
            }
        }
        self.world.history.ended(&self.email, "put", Outcome::Unknown, &document_name(document));
        false
    }

    /// A settled document, and something that may be done to it now.
    fn some_change(&mut self) -> Option<(usize, Change)> {
        let free: Vec<usize> = (0..self.documents.len())
            .filter(|index| {
                self.documents[*index].is_settled() && self.documents[*index].stage != Stage::Gone
            })
            .collect();
        let index = *free.choose(&mut self.random)?;
        let dice = self.random.random_range(0..10);
        let change = match self.documents[index].stage {
            Stage::Pending if dice < 3 => Change::Cancel,
            Stage::Pending if self.documents[index].stored => Change::Confirm,
            Stage::Trashed if dice < 4 => Change::Restore,
            Stage::Trashed if dice < 8 => Change::Purge,
            Stage::Active if dice < 3 => Change::Trash,
            Stage::Active if dice < 4 => Change::Purge,
            _ => Change::Rename(self.unique("md")),
        };
        Some((index, change))
    }

    /// Makes a change, and writes down what is known afterwards.
    pub(super) async fn change(&mut self, index: usize, change: Change) {
        let key = self.unique("key");
        let call = self.documents[index].call(&change, key);
        let answer = self.insist(&call, TRIES).await;
        self.conclude(index, change, call, answer);
    }

    pub(super) fn conclude(&mut self, index: usize, change: Change, call: Call, answer: Answer) {
        let history = self.world.history.clone();
        let what = format!("{change:?} of {}", document_name(&self.documents[index]));
        let document = &mut self.documents[index];
        match answer {
            Answer::Done { position, stale, body } => {
                document.happened(change.clone(), &body);
                self.seen = self.seen.max(position.unwrap_or_default());
                if !stale && body["name"].is_string() {
                    let shown = (body["name"].as_str(), body["status"].as_str());
                    let meant = (Some(document.name.as_str()), document.status());
                    history
                        .require(shown == meant, || format!("{what}: answered {shown:?}, meant {meant:?}"));
                }
                if change == Change::Request {
                    self.world.known.lock().unwrap().push((self.email.clone(), document.id.clone()));
                }
                history.ended(&self.email, &what, Outcome::Ok, &format!("at {position:?}"));
            }
            Answer::Refused { status, body, .. } => {
                match (status, &change) {
                    // Not signed in: some clock is wrong. It changed nothing, and neither did a request that came before.
                    (401, Change::Request) => document.stage = Stage::Gone,
                    (401, _) => {}
                    (410, _) if document.stage == Stage::Pending => document.expired(),
                    _ => history.violation(format!("{what}: refused with {status}: {}", body["detail"])),
                }
                history.ended(&self.email, &what, Outcome::Fail, &status.to_string());
            }
            Answer::Unknown(why) => {
                history.ended(&self.email, &what, Outcome::Unknown, &why);
                document.open = Some((change, call));
            }
        }
    }

    /// Sends a call until its outcome is known or `tries` are used up, each time to another node.
    pub(super) async fn insist(&mut self, call: &Call, tries: usize) -> Answer {
        let first = self.random.random_range(0..self.world.nodes.len());
        let mut doubt = None;
        let mut last = Answer::Unknown("never sent".into());
        for attempt in 0..tries {
            let node = (first + attempt) % self.world.nodes.len();
            last = call.send(&self.world.nodes[node], &base(), Some(&self.token)).await;
            match &last {
                Answer::Unknown(why) => doubt = Some(why.clone()),
                Answer::Refused { status: 401, .. } => self.sign_in(node).await,
                answer if answer.asks_to_wait() => doubt = Some("asked to wait".into()),
                _ => return last,
            }
        }
        // A refusal for want of a valid token says nothing about the tries before.
        doubt.map_or(last, Answer::Unknown)
    }

    async fn sign_in(&mut self, node: usize) {
        let credentials = serde_json::json!({ "email": self.email, "password": crate::client::PASSWORD });
        let call = Call::command(Method::POST, "/auth/login", Some(credentials), String::new());
        let call = Call { key: None, ..call };
        if let Answer::Done { body, .. } = call.send(&self.world.nodes[node], &base(), None).await {
            body["access_token"].as_str().unwrap().clone_into(&mut self.token);
        }
    }

    fn unique(&mut self, kind: &str) -> String {
        self.keys += 1;
        format!("{}-{}.{kind}", self.email.split('@').next().unwrap(), self.keys)
    }
}

pub(super) fn document_name(document: &Document) -> String {
    format!("{} {:?} {}", document.name, document.stage, document.id)
}
