//! An authenticator app, of an implementation that is not ours (attacks A13 to A15).

use chrono::TimeDelta;
use http::StatusCode;
use serde_json::{Value, json};
use totp_lite::{Sha1, totp_custom};

use super::{Browser, PASSWORD};
use crate::fixture::{Answer, Vault};

pub(super) struct Authenticator {
    seed: Vec<u8>,
}

impl Authenticator {
    /// Reads what a person would type.
    pub(super) fn read(secret: &str) -> Self {
        let value =
            |digit: u8| "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".bytes().position(|one| one == digit).unwrap();
        let bits: Vec<bool> = secret
            .bytes()
            .flat_map(|digit| (0..5).rev().map(move |bit| value(digit) >> bit & 1 == 1))
            .collect();
        let byte = |bits: &[bool]| bits.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
        Self { seed: bits.chunks_exact(8).map(byte).collect() }
    }

    /// The code of now, or of so many steps later.
    pub(super) fn code(&self, vault: &Vault, later: i64) -> String {
        let at = vault.app.clock().now() + TimeDelta::seconds(30 * later);
        totp_custom::<Sha1>(30, 6, &self.seed, u64::try_from(at.timestamp()).unwrap())
    }

    /// The code of the next step, when it has come.
    pub(super) fn wait(&self, vault: &Vault) -> String {
        vault.advance(TimeDelta::seconds(30));
        self.code(vault, 0)
    }

    /// A code that is not of any step near now.
    pub(super) fn wrong(&self, vault: &Vault) -> String {
        let near: Vec<_> = (-3..=3).map(|later| self.code(vault, later)).collect();
        (0..1_000_000).map(|code| format!("{code:06}")).find(|code| !near.contains(code)).unwrap()
    }

    pub(super) fn is_in(&self, bytes: &[u8]) -> bool {
        bytes.windows(self.seed.len()).any(|window| window == self.seed)
    }

    /// Turns the second factor of `email` on, who is signed in then, and answers the backup codes.
    pub(super) async fn of(vault: &Vault, email: &str) -> (Browser, Self, Vec<String>) {
        let mut browser = Browser::user(vault, email).await;
        let enrolled = browser.post("/auth/totp/enroll", json!({ "password": PASSWORD })).await;
        assert_eq!(enrolled.status, StatusCode::OK, "{:?}", enrolled.body);
        let authenticator = Self::read(enrolled.body["secret"].as_str().unwrap());
        let code = authenticator.code(vault, 0);
        let activated = browser.post("/auth/totp/activate", json!({ "code": code })).await;
        assert_eq!(activated.status, StatusCode::OK, "{:?}", activated.body);
        (browser, authenticator, codes(&activated))
    }
}

/// The backup codes of an answer.
pub(super) fn codes(answer: &Answer) -> Vec<String> {
    serde_json::from_value(answer.body["backup_codes"].clone()).unwrap()
}

/// What the password of `email` opens when there is a second factor.
pub(super) async fn mfa_token(browser: &mut Browser, email: &str) -> Value {
    let login = browser.login(email, PASSWORD).await;
    assert_eq!(
        (login.status, &login.body["mfa_required"]),
        (StatusCode::OK, &json!(true)),
        "{:?}",
        login.body
    );
    login.body["mfa_token"].clone()
}
