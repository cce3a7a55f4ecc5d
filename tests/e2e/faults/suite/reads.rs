//! What a client reads: its own writes on every node (or word that the node is behind), its bytes, and nothing of
//! anybody else's.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::RngExt;
use rand::seq::IndexedRandom;

use super::call::{Answer, Call};
use super::document::{Document, Stage};
use super::history::Outcome;
use super::person::{Person, document_name};
use crate::faults::cluster::base;

/// The largest page.
const PAGE: usize = 200;

impl Person {
    pub(super) async fn read_something(&mut self) {
        match self.random.random_range(0..4) {
            0 => drop(self.read_list(1).await),
            1 => self.download_one().await,
            _ => {
                let settled = self.documents.iter().enumerate().filter(|(_, document)| document.is_settled());
                let settled: Vec<usize> = settled.map(|(index, _)| index).collect();
                let Some(index) = settled.choose(&mut self.random).copied() else { return };
                self.read_document(index, 1).await;
            }
        }
    }

    /// True: it is as it should be.
    pub(super) async fn read_document(&mut self, index: usize, tries: usize) -> bool {
        let call = Call::query(format!("/documents/{}", self.documents[index].id), self.seen);
        let answer = self.insist(&call, tries).await;
        let what = format!("read {}", document_name(&self.documents[index]));
        if matches!(answer, Answer::Refused { status: 404, stale: false, .. })
            && self.documents[index].stage == Stage::Pending
        {
            // The log is asked later whether it really has.
            self.documents[index].expired();
        }
        let document = &self.documents[index];
        let (outcome, right) = match &answer {
            Answer::Unknown(_) => (Outcome::Unknown, false),
            Answer::Done { stale: true, .. } | Answer::Refused { stale: true, .. } => (Outcome::Ok, false),
            Answer::Refused { status: 401, .. } => (Outcome::Fail, false),
            Answer::Done { body, .. } => (Outcome::Ok, shows(body, document)),
            Answer::Refused { status, .. } => (Outcome::Ok, *status == 404 && document.status().is_none()),
        };
        if outcome == Outcome::Ok && !right && !is_stale(&answer) {
            self.world.history.violation(format!("{what}: {answer:?}"));
        }
        self.world.history.ended(&self.email, &what, outcome, "");
        right
    }

    /// The active documents. True: they are those that should be there.
    pub(super) async fn read_list(&mut self, tries: usize) -> bool {
        let call = Call::query(format!("/documents?limit={PAGE}&sort=name"), self.seen);
        let answer = self.insist(&call, tries).await;
        let (outcome, body) = match &answer {
            Answer::Done { stale: false, body, .. } if body["next_cursor"].is_null() => (Outcome::Ok, body),
            Answer::Done { .. } => return true,
            Answer::Refused { .. } => (Outcome::Fail, &serde_json::Value::Null),
            Answer::Unknown(_) => (Outcome::Unknown, &serde_json::Value::Null),
        };
        self.world.history.ended(&self.email, "list", outcome, "");
        if outcome != Outcome::Ok {
            return false;
        }
        let of = |wanted: fn(&Document) -> bool| -> BTreeSet<&str> {
            self.documents.iter().filter(|one| wanted(one)).map(|one| one.id.as_str()).collect()
        };
        let open = of(|document| !document.is_settled());
        let listed =
            body["items"].as_array().unwrap().iter().map(|item| item["document_id"].as_str().unwrap());
        let listed: BTreeSet<&str> = listed.filter(|id| !open.contains(id)).collect();
        let meant = of(|document| document.is_settled() && document.stage == Stage::Active);
        // One that was asked for without an answer is not known by its id.
        let nameless =
            self.documents.iter().any(|document| document.id.is_empty() && document.open.is_some());
        let right = if nameless { listed.is_superset(&meant) } else { listed == meant };
        self.world.history.require(right, || {
            let (more, less) = (listed.difference(&meant), meant.difference(&listed));
            format!(
                "{}: list has {:?} too many and lacks {:?}",
                self.email,
                more.collect::<Vec<_>>(),
                less.collect::<Vec<_>>()
            )
        });
        right
    }

    async fn download_one(&mut self) {
        let active = |document: &Document| document.is_settled() && document.stage == Stage::Active;
        let active: Vec<usize> =
            (0..self.documents.len()).filter(|index| active(&self.documents[*index])).collect();
        let Some(index) = active.choose(&mut self.random).copied() else { return };
        self.download(index, 1).await;
    }

    /// True: the bytes are those that were sent.
    pub(super) async fn download(&mut self, index: usize, tries: usize) -> bool {
        let history = self.world.history.clone();
        let what = format!("download {}", document_name(&self.documents[index]));
        let path = format!("/documents/{}/content?disposition=attachment", self.documents[index].id);
        let call = Call::query(path, self.seen);
        let Answer::Done { body, .. } = self.insist(&call, tries).await else {
            history.ended(&self.email, &what, Outcome::Unknown, "no URL");
            return false;
        };
        let get = self.world.nodes[0].get(body["url"].as_str().unwrap()).timeout(Duration::from_secs(5));
        let Ok(answer) = get.send().await else {
            history.ended(&self.email, &what, Outcome::Unknown, "no answer");
            return false;
        };
        // 403: the URL was signed by a process whose clock is wrong.
        let status = answer.status().as_u16();
        history.require(status != 404, || format!("{what}: the bytes are gone"));
        let Ok(content) = answer.bytes().await else {
            history.ended(&self.email, &what, Outcome::Unknown, "broken off");
            return false;
        };
        let right = content == self.documents[index].content;
        history.require(status != 200 || right, || format!("{what}: other bytes"));
        history.ended(&self.email, &what, if status == 200 { Outcome::Ok } else { Outcome::Unknown }, "");
        right
    }

    /// I7: without a token, or for somebody else's document, no fault opens a door.
    pub(super) async fn look_where_it_may_not(&mut self) {
        let node = self.random.random_range(0..self.world.nodes.len());
        let foreign: Vec<String> = {
            let known = self.world.known.lock().unwrap();
            known.iter().filter(|(owner, _)| *owner != self.email).map(|(_, id)| id.clone()).collect()
        };
        let Some(id) = foreign.choose(&mut self.random) else { return };
        let call = Call::query(format!("/documents/{id}"), 0);
        let anonymous = call.send(&self.world.nodes[node], &base(), None).await;
        let refused = |answer: &Answer, with: [u16; 2]| match answer {
            Answer::Done { .. } => false,
            Answer::Refused { status, .. } => with.contains(status),
            Answer::Unknown(_) => true,
        };
        self.world.history.require(refused(&anonymous, [401, 401]), || format!("anonymously: {anonymous:?}"));
        let other = self.insist(&call, 1).await;
        self.world.history.require(refused(&other, [404, 401]), || format!("somebody else's: {other:?}"));
    }
}

fn is_stale(answer: &Answer) -> bool {
    matches!(answer, Answer::Done { stale: true, .. } | Answer::Refused { stale: true, .. })
}

fn shows(body: &serde_json::Value, document: &Document) -> bool {
    (body["name"].as_str(), body["status"].as_str()) == (Some(document.name.as_str()), document.status())
        && body["size"] == document.content.len()
}
