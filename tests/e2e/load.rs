//! A06: many logins at once and passwords that are far too long exhaust nothing, and others are answered meanwhile.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use nix::sys::signal::Signal;
use serde_json::json;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::client::{Client, PASSWORD, base, http};
use crate::standalone::vault::{Vault, standalone};

const LOGINS: usize = 200;
/// What one hash takes (`m` of Argon2id).
const HASH_MIB: u64 = 64;
/// The process itself, its connections and requests; a debug build holds more than a release does.
const REST_MIB: u64 = 200;

/// The most memory that the process ever had resident.
fn peak_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
}

#[tokio::test]
async fn two_hundred_logins_at_once_exhaust_nothing() {
    let directory = TempDir::new().unwrap();
    // Limits would keep most of them from being hashed, which is what this is about.
    let mut command = standalone(directory.path());
    command.env("DOCUVAULT_LIMITS", "off");
    let vault = Vault::spawn(directory.path(), command).await;
    let client = Client::first_administrator(&vault).await;
    let url = format!("{}/auth/login", client.base);
    let login = async |number: usize| {
        // Every fourth is right, every fourth far too long, the others are wrong.
        let password = match number % 4 {
            0 => PASSWORD.to_owned(),
            1 => "x".repeat(1 << 20),
            _ => format!("wrong password {number}"),
        };
        let body = json!({ "email": "ana@example.org", "password": password });
        (number, http().post(&url).json(&body).send().await.unwrap())
    };
    let mut pending: FuturesUnordered<_> = (0..LOGINS).map(login).collect();
    let health = base(&vault).replace("/api/v1", "/healthz");
    let mut quickest = Duration::MAX;
    let mut signed_in = 0;
    while let Some((number, answer)) = pending.next().await {
        let status = answer.status().as_u16();
        let allowed: &[u16] = match number % 4 {
            0 => &[200, 503],
            1 => &[413],
            _ => &[401, 503],
        };
        assert!(allowed.contains(&status), "login {number}: {status}");
        assert_eq!(answer.headers().contains_key("retry-after"), status == 503);
        signed_in += usize::from(status == 200);
        // While others still wait. Whether the machine is busy otherwise shows in the slowest, not in the quickest.
        if pending.len() > 20 {
            let asked = Instant::now();
            assert_eq!(reqwest::get(&health).await.unwrap().status(), 200);
            quickest = quickest.min(asked.elapsed());
        }
    }
    assert!(signed_in > 0, "nobody got in");
    assert!(quickest < Duration::from_millis(100), "{quickest:?}");
    let at_once = std::thread::available_parallelism().unwrap().get() as u64;
    let (peak, bound) = (peak_mib(vault.pid()), HASH_MIB * at_once + REST_MIB);
    assert!(peak < bound, "{peak} MiB of {bound}");
    assert_eq!(vault.end_by(Signal::SIGTERM).await.code(), Some(0));
}
