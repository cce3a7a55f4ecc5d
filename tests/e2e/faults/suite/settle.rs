//! After the faults: every open question is asked again, with its idempotency key, until the vault answers it.

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;
use tokio::time::Instant;

use super::call::{Answer, Call};
use super::document::Stage;
use super::person::Person;

const PATIENCE: Duration = Duration::from_secs(40);
/// A client that resumes its upload.
const TRIES: usize = 5;

impl Person {
    /// Leaves nothing unknown. Some uploads stay pending: their reservations must be in the figures.
    pub(super) async fn settle(&mut self) {
        for index in 0..self.documents.len() {
            if let Some((change, call)) = self.documents[index].open.take() {
                let answer = self.until_known(&call).await;
                self.conclude(index, change, call, answer);
            }
            if self.documents[index].stage == Stage::Pending && index % 2 == 0 {
                self.finish_upload(index).await;
            }
        }
    }

    async fn until_known(&mut self, call: &Call) -> Answer {
        let until = Instant::now() + PATIENCE;
        loop {
            let answer = self.insist(call, 2).await;
            let known = !matches!(answer, Answer::Unknown(_) | Answer::Refused { status: 401, .. });
            if known || Instant::now() > until {
                if !known {
                    self.world
                        .history
                        .violation(format!("{}: no answer to {call:?}: {answer:?}", self.email));
                }
                return answer;
            }
        }
    }

    async fn finish_upload(&mut self, index: usize) {
        if !self.documents[index].stored {
            let path = format!("/documents/{}/upload", self.documents[index].id);
            let call = Call { key: None, ..Call::command(Method::POST, path, None, String::new()) };
            match self.insist(&call, TRIES).await {
                Answer::Done { body, .. } => self.documents[index].upload = body["upload"].clone(),
                Answer::Refused { status: 410, .. } => return self.documents[index].expired(),
                other => return self.world.history.violation(format!("resume: {other:?}")),
            }
        }
        self.store_and_confirm(index).await;
    }

    /// I1 and I3 as the API shows them: every document, its bytes, the list and the figures.
    pub(super) async fn inspect(&mut self) {
        for index in 0..self.documents.len() {
            if !self.documents[index].is_settled() || self.documents[index].id.is_empty() {
                continue;
            }
            let mut right = self.read_document(index, TRIES).await;
            if right && self.documents[index].stage == Stage::Active {
                right = self.download(index, TRIES).await;
            }
            if !right {
                let document = super::person::document_name(&self.documents[index]);
                self.world.history.violation(format!("after healing: {document} is not as acknowledged"));
            }
        }
        let right = self.read_list(TRIES).await;
        self.world.history.require(right, || format!("{}: the list is wrong after healing", self.email));
        self.inspect_quota().await;
    }

    async fn inspect_quota(&mut self) {
        let sum = |stages: &[Stage]| -> usize {
            let documents = self.documents.iter().filter(|document| stages.contains(&document.stage));
            documents.map(|document| document.content.len()).sum()
        };
        let meant = (sum(&[Stage::Active, Stage::Trashed]), sum(&[Stage::Pending]));
        let answer = self.insist(&Call::query("/quota", self.seen), TRIES).await;
        let right = match &answer {
            Answer::Done { body, .. } => figures(body) == meant,
            _ => false,
        };
        self.world.history.require(right, || format!("{}: quota {meant:?} expected, {answer:?}", self.email));
    }

    /// Events that each of its documents must have, and no more.
    pub(super) fn expected_events(&self) -> Vec<(String, &'static str, i64)> {
        let documents = self.documents.iter().filter(|document| !document.id.is_empty());
        let mut events: Vec<_> = documents
            .flat_map(|document| {
                document.events.iter().map(|(event, count)| (document.id.clone(), *event, *count))
            })
            .collect();
        events.sort();
        events
    }
}

fn figures(body: &Value) -> (usize, usize) {
    let figure = |name: &str| usize::try_from(body[name].as_u64().unwrap()).unwrap();
    (figure("used"), figure("reserved"))
}
