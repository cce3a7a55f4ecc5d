//! Sessions against a simple model: whatever order people and thieves do things in, a family of refresh tokens has one live
//! token, and is over when one that was used up comes back (attacks A10 to A12).

mod model;

use std::cell::RefCell;
use std::sync::atomic::Ordering;

use aggregates::SessionId;
use chrono::TimeDelta;
use http::StatusCode;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use proptest_state_machine::ReferenceStateMachine;
use serde_json::json;
use sqlx::PgPool;
use tokio::runtime::Handle;

use model::{Model, Outcome, Transition};

use super::{Browser, PASSWORD};
use crate::auth::refresh_token::RefreshToken;
use crate::fixture::Vault;

const CASES: u32 = 40;

/// The real thing: one person's families.
struct Real<'a> {
    vault: &'a Vault,
    email: String,
    browser: Browser,
    families: Vec<SessionId>,
}

impl Real<'_> {
    /// A browser with the refresh token of `family` that is of this generation.
    fn with_token(&self, family: usize, generation: i64) -> Browser {
        let token = RefreshToken { session_id: self.families[family], generation };
        let mut browser = self.browser.clone();
        browser.token = None;
        browser.cookie = Some(self.vault.app.refresh_tokens.write(token));
        browser
    }

    async fn refresh(&self, family: usize, generation: i64) -> Outcome {
        let mut browser = self.with_token(family, generation);
        match browser.refresh().await.status {
            StatusCode::OK => {
                let token = self.vault.app.refresh_tokens.read(&browser.cookie.unwrap()).unwrap();
                assert_eq!(token.session_id, self.families[family]);
                Outcome::Successor(token.generation)
            }
            StatusCode::UNAUTHORIZED => Outcome::Refused,
            other => panic!("{other}"),
        }
    }

    /// A browser that has just been given an access token of `family`.
    async fn signed_in(&self, family: usize) -> Browser {
        let app = &self.vault.app;
        let user_id = sqlx::query_scalar("SELECT user_id FROM sessions WHERE session_id = $1")
            .bind(self.families[family].0)
            .fetch_one(app.store.pool())
            .await
            .unwrap();
        let token = app.tokens.access(aggregates::UserId(user_id), self.families[family], 1, app.clock());
        let mut browser = self.browser.clone();
        browser.token = Some(token.unwrap());
        browser.cookie = None;
        browser
    }

    async fn apply(&mut self, before: &Model, transition: Transition) -> Vec<Outcome> {
        let delete =
            async |mut browser: Browser, path: String| browser.send("DELETE", &path, &[], None).await.status;
        match transition {
            Transition::Login => {
                let mut browser = Browser::new(self.vault);
                assert_eq!(browser.login(&self.email, PASSWORD).await.status, StatusCode::OK);
                let token = self.vault.app.refresh_tokens.read(&browser.cookie.unwrap()).unwrap();
                self.families.push(token.session_id);
                vec![Outcome::Done]
            }
            Transition::Refresh { family, age } => {
                vec![self.refresh(family, before.families[family].generation - age).await]
            }
            Transition::RefreshTwice { family } => {
                let generation = before.families[family].generation;
                let (one, two) =
                    tokio::join!(self.refresh(family, generation), self.refresh(family, generation));
                vec![one, two]
            }
            Transition::Logout { family } => {
                let mut browser = self.with_token(family, before.families[family].generation);
                let status = browser.post("/auth/logout", json!({})).await.status;
                assert_eq!(status, StatusCode::NO_CONTENT);
                vec![Outcome::Done]
            }
            Transition::Revoke { family } => {
                let asking = before.families.iter().position(|one| one.goes_on(before.now)).unwrap();
                let path = format!("/sessions/{}", self.families[family]);
                let status = delete(self.signed_in(asking).await, path).await;
                if before.families[family].goes_on(before.now) {
                    assert_eq!(status, StatusCode::NO_CONTENT);
                }
                vec![]
            }
            Transition::RevokeOthers { family } => {
                let status = delete(self.signed_in(family).await, "/sessions".into()).await;
                assert_eq!(status, StatusCode::NO_CONTENT);
                vec![Outcome::Done]
            }
            Transition::Pause { seconds } => {
                self.vault.advance(TimeDelta::seconds(seconds));
                vec![]
            }
        }
    }

    /// The list is what the model says goes on.
    async fn check(&self, model: &Model) {
        let live = |number: &usize| model.families[*number].goes_on(model.now);
        let mut live: Vec<_> =
            (0..model.families.len()).filter(live).map(|number| self.families[number].to_string()).collect();
        if live.is_empty() {
            return;
        }
        let asking = self.families.iter().position(|id| id.to_string() == live[0]).unwrap();
        let list = self.signed_in(asking).await.get("/sessions").await;
        let items = list.body["items"].as_array().unwrap().iter();
        let mut listed: Vec<_> = items.map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        live.sort();
        listed.sort();
        assert_eq!(listed, live);
    }
}

async fn run(vault: &Vault, email: String, transitions: &[Transition], mut seen: impl FnMut()) {
    let mut browser = Browser::user(vault, &email).await;
    // The fixture's own login is not in the model.
    browser.post("/auth/logout", json!({})).await;
    let mut real = Real { vault, email, browser, families: Vec::new() };
    let mut model = Model::default();
    for transition in transitions {
        seen();
        let before = model.clone();
        model = Model::apply(model, transition);
        let answered = real.apply(&before, *transition).await;
        assert_eq!(answered, model.expected, "{transition:?} after {before:?}");
        real.check(&model).await;
    }
}

/// A10, A11, A12
#[sqlx::test(migrations = "./migrations")]
async fn families_do_what_the_model_says(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    vault.freeze();
    let runtime = Handle::current();
    let cases = tokio::task::spawn_blocking(move || {
        let mut runner =
            TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
        let number = RefCell::new(0);
        runner.run(&Model::sequential_strategy(1..30), |(_, transitions, seen)| {
            *number.borrow_mut() += 1;
            let email = format!("person{}@example.org", number.borrow());
            let counted = || {
                if let Some(seen) = &seen {
                    seen.fetch_add(1, Ordering::SeqCst);
                }
            };
            let one =
                std::panic::AssertUnwindSafe(|| runtime.block_on(run(&vault, email, &transitions, counted)));
            std::panic::catch_unwind(one).map_err(|panic| {
                let text = panic.downcast_ref::<String>().cloned().unwrap_or_default();
                TestCaseError::fail(text)
            })
        })
    });
    cases.await.unwrap().unwrap();
}
