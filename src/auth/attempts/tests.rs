use std::net::IpAddr;
use std::time::Duration;

use aggregates::UserId;
use chrono::TimeDelta;
use futures::future::join_all;
use sqlx::PgPool;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Attempts;
use super::place::Place;
use crate::config::{Limit, Limits};
use crate::error::ApiError;
use crate::fixture::Vault;

const ACCOUNT: &[u8] = b"the claim of an address";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Whether an attempt is let through; it fails then.
async fn fails(attempts: &Attempts, account: &[u8], ip: impl Into<Option<IpAddr>>) -> Result<(), ApiError> {
    attempts.at_password(account, ip.into()).await?.failed().await
}

fn is_limited(outcome: &Result<(), ApiError>) -> bool {
    matches!(outcome, Err(ApiError::RateLimited(_)))
}

async fn rows(pool: &PgPool) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM attempts").fetch_one(pool).await.unwrap()
}

/// A03: five failures in fifteen minutes, and whoever comes when it says is let in.
#[sqlx::test(migrations = "./migrations")]
async fn an_account_has_five_failures_in_a_window(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let attempts = &vault.app.attempts;
    for number in 0..5 {
        fails(attempts, ACCOUNT, ip(&format!("192.0.2.{number}"))).await.unwrap();
    }
    let Err(ApiError::RateLimited(pause)) = fails(attempts, ACCOUNT, ip("192.0.2.9")).await else {
        panic!("a sixth was let through")
    };
    assert!((Duration::from_mins(14)..=Duration::from_mins(15)).contains(&pause), "{pause:?}");
    fails(attempts, b"another account", ip("192.0.2.9")).await.unwrap();
    vault.advance(TimeDelta::minutes(15) + TimeDelta::seconds(1));
    fails(attempts, ACCOUNT, None).await.unwrap();
}

/// A success gives back what it took, and the account's failures before it; a network keeps those.
#[sqlx::test(migrations = "./migrations")]
async fn a_success_is_not_counted(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let attempts = &vault.app.attempts;
    for _ in 0..6 {
        for _ in 0..3 {
            fails(attempts, ACCOUNT, ip("192.0.2.1")).await.unwrap();
        }
        attempts.at_password(ACCOUNT, Some(ip("192.0.2.1"))).await.unwrap().succeeded().await.unwrap();
    }
    fails(attempts, b"a", ip("192.0.2.1")).await.unwrap();
    fails(attempts, b"b", ip("192.0.2.1")).await.unwrap();
    assert!(is_limited(&fails(attempts, b"c", ip("192.0.2.1")).await), "twenty failures of the network");
    fails(attempts, ACCOUNT, ip("192.0.2.2")).await.unwrap();
}

/// A04: a customer's whole /64 is one, and so are the two ways to write an IPv4 address.
#[sqlx::test(migrations = "./migrations")]
async fn a_network_has_twenty_failures_whatever_it_tries(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let attempts = &vault.app.attempts;
    for number in 0..20 {
        let account = format!("account {number}");
        fails(attempts, account.as_bytes(), ip(&format!("2001:db8:0:1::{number}"))).await.unwrap();
        fails(attempts, account.as_bytes(), ip("192.0.2.1")).await.unwrap();
    }
    assert!(is_limited(&fails(attempts, b"one more", ip("2001:db8:0:1:ffff::")).await));
    assert!(is_limited(&fails(attempts, b"one more", ip("::ffff:192.0.2.1")).await));
    fails(attempts, b"one more", ip("2001:db8:0:2::1")).await.unwrap();
    assert_eq!(rows(&pool).await, 20 + 2 + 2, "a refused attempt leaves no row of its account");
}

/// A05: counted before anything is looked at, by two processes at once, and after a restart.
#[sqlx::test(migrations = "./migrations")]
async fn fifty_at_once_on_two_instances_are_five(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let stop = CancellationToken::new();
    let other = vault.process(|_| {}, &stop).await;
    let tries = (0..50).map(|number| {
        let attempts = if number % 2 == 0 { &vault.app.attempts } else { &other.attempts };
        async move { fails(attempts, ACCOUNT, ip(&format!("192.0.2.{number}"))).await }
    });
    let outcomes = join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 5);
    assert!(outcomes.iter().all(|outcome| outcome.is_ok() || is_limited(outcome)), "{outcomes:?}");
    let restarted = vault.process(|_| {}, &stop).await;
    assert!(is_limited(&fails(&restarted.attempts, ACCOUNT, None).await));
}

/// An office that signs in at nine: nobody who is right is refused, however many come at once.
#[sqlx::test(migrations = "./migrations")]
async fn two_hundred_right_ones_at_once_wait_for_each_other(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let attempts = &vault.app.attempts;
    let tries = (0..200).map(|number: u8| async move {
        attempts.at_password(&[number], Some(ip("192.0.2.1"))).await?.succeeded().await
    });
    for outcome in join_all(tries).await {
        outcome.unwrap();
    }
    let left: i64 = sqlx::query_scalar("SELECT sum(taken + pending + consecutive) FROM attempts")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
}

/// The outcome of the fifth was open; as soon as it is known, the sixth is refused.
#[sqlx::test(migrations = "./migrations")]
async fn what_is_under_way_is_waited_for_and_then_counts(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let attempts = &vault.app.attempts;
    for _ in 0..4 {
        fails(attempts, ACCOUNT, None).await.unwrap();
    }
    let fifth = attempts.at_password(ACCOUNT, None).await.unwrap();
    let (sixth, ()) = tokio::join!(fails(attempts, ACCOUNT, None), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        fifth.failed().await.unwrap();
    });
    assert!(is_limited(&sixth), "{sixth:?}");
}

/// A process died with attempts under way: they are failures, and nobody waits for them once that is sure.
#[sqlx::test(migrations = "./migrations")]
async fn what_a_crash_left_counts_as_failed(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let attempts = &vault.app.attempts;
    for _ in 0..5 {
        drop(attempts.at_password(ACCOUNT, None).await.unwrap());
    }
    vault.advance(TimeDelta::seconds(46));
    let asked = Instant::now();
    assert!(is_limited(&fails(attempts, ACCOUNT, None).await));
    assert!(asked.elapsed() < Duration::from_secs(5), "it was waited for");
    vault.advance(TimeDelta::minutes(15));
    fails(attempts, ACCOUNT, None).await.unwrap();
}

/// One that outlives its window takes nothing from the next.
#[sqlx::test(migrations = "./migrations")]
async fn a_late_outcome_is_of_its_own_window(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let attempts = &vault.app.attempts;
    let late = [
        attempts.at_password(ACCOUNT, None).await.unwrap(),
        attempts.at_password(ACCOUNT, None).await.unwrap(),
    ];
    vault.advance(TimeDelta::minutes(16));
    for _ in 0..5 {
        fails(attempts, ACCOUNT, None).await.unwrap();
    }
    for attempt in late {
        attempt.withdraw().await.unwrap();
    }
    assert!(is_limited(&fails(attempts, ACCOUNT, None).await));
}

/// A03: a hundred failures in a row, over however many windows, and only a reset opens the account again.
#[sqlx::test(migrations = "./migrations")]
async fn a_hundred_failures_in_a_row_are_the_last(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let person = vault.user().await;
    let attempts = &vault.app.attempts;
    let claim: Vec<u8> =
        sqlx::query_scalar("SELECT email_hash FROM email_claims").fetch_one(&pool).await.unwrap();
    let unknown = UserId(Uuid::from_u128(1)).0.into_bytes();
    for account in [&claim[..], &unknown] {
        for number in 0..100 {
            if number % 5 == 0 {
                vault.advance(TimeDelta::minutes(16));
            }
            fails(attempts, account, None).await.unwrap();
        }
        vault.advance(TimeDelta::days(60));
        assert!(matches!(fails(attempts, account, None).await, Err(ApiError::LockedOut(..))), "known or not");
    }
    let now = vault.app.clock().now();
    Attempts::sweep(&pool, now).await.unwrap();
    assert_eq!(rows(&pool).await, 2, "locked accounts stay so");
    let forgotten: Option<i64> =
        sqlx::query_scalar("SELECT forget_attempts($1)").bind(person.id.0).fetch_one(&pool).await.unwrap();
    assert_eq!(forgotten, Some(1));
    fails(attempts, &claim, None).await.unwrap();
    assert!(matches!(fails(attempts, &unknown, None).await, Err(ApiError::LockedOut(..))));
}

/// A14: one budget for codes of a person, however many sessions ask.
#[sqlx::test(migrations = "./migrations")]
async fn codes_are_counted_of_the_person(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let (attempts, user) = (&vault.app.attempts, vault.user().await.id);
    for _ in 0..5 {
        attempts.at_code(user, None).await.unwrap().failed().await.unwrap();
    }
    assert!(matches!(attempts.at_code(user, None).await, Err(ApiError::RateLimited(_))));
    attempts.at_code(UserId(Uuid::from_u128(1)), None).await.unwrap().succeeded().await.unwrap();
    sqlx::query("SELECT forget_attempts($1)").bind(user.0).execute(&pool).await.unwrap();
    assert!(attempts.at_code(user, None).await.is_err(), "a reset of the password gives no guesses at codes");
    for number in 0..95 {
        if number % 5 == 0 {
            vault.advance(TimeDelta::minutes(16));
        }
        attempts.at_code(user, None).await.unwrap().failed().await.unwrap();
    }
    vault.advance(TimeDelta::minutes(16));
    let Err(ApiError::LockedOut(detail, _)) = attempts.at_code(user, None).await else {
        panic!("a hundred and first")
    };
    assert!(detail.contains("administrator"), "{detail}");
}

#[sqlx::test(migrations = "./migrations")]
async fn the_operator_decides_the_limits(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let stop = CancellationToken::new();
    let two = Some(Limit { failures: 2, within: TimeDelta::hours(1) });
    let limits = Limits { password_account: two, password_ip: None, ..Limits::default() };
    let strict = vault.process(|config| config.vault.limits = limits, &stop).await;
    for _ in 0..2 {
        fails(&strict.attempts, ACCOUNT, ip("192.0.2.1")).await.unwrap();
    }
    assert!(is_limited(&fails(&strict.attempts, ACCOUNT, ip("192.0.2.1")).await));
    for number in 0..30_u8 {
        fails(&strict.attempts, &[number], ip("192.0.2.1")).await.unwrap();
    }
    let before = rows(&pool).await;
    let lenient = vault.process(|config| config.vault.limits = Limits::NONE, &stop).await;
    for _ in 0..150 {
        fails(&lenient.attempts, ACCOUNT, ip("192.0.2.1")).await.unwrap();
    }
    assert_eq!(rows(&pool).await, before);
}

#[sqlx::test(migrations = "./migrations")]
async fn old_rows_are_swept(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let attempts = &vault.app.attempts;
    fails(attempts, ACCOUNT, ip("192.0.2.1")).await.unwrap();
    attempts.at_password(b"another", None).await.unwrap().succeeded().await.unwrap();
    let sweep = async || Attempts::sweep(&pool, vault.app.clock().now()).await.unwrap();
    assert_eq!(sweep().await, 0, "their windows have not ended");
    vault.advance(TimeDelta::minutes(16));
    assert_eq!(sweep().await, 2, "the network's, and that without failures");
    vault.advance(TimeDelta::days(30));
    assert_eq!(sweep().await, 1);
    assert_eq!(rows(&pool).await, 0);
}

/// A03: whoever fails from elsewhere a hundred times keeps strangers out, and not the owner where they are at home.
#[sqlx::test(migrations = "./migrations")]
async fn nobody_is_locked_out_from_where_they_have_signed_in(pool: PgPool) {
    let vault = Vault::open(&pool).await;
    let (attempts, home, away) = (&vault.app.attempts, Some(ip("2001:db8:0:1::7")), Some(ip("198.51.100.1")));
    attempts.at_password(ACCOUNT, home).await.unwrap().succeeded().await.unwrap();
    for number in 0..100 {
        if number % 5 == 0 {
            vault.advance(TimeDelta::minutes(16));
        }
        fails(attempts, ACCOUNT, None).await.unwrap();
    }
    vault.advance(TimeDelta::minutes(16));
    assert!(matches!(fails(attempts, ACCOUNT, away).await, Err(ApiError::LockedOut(..))));
    assert!(matches!(fails(attempts, ACCOUNT, None).await, Err(ApiError::LockedOut(..))));
    for _ in 0..5 {
        fails(attempts, ACCOUNT, home).await.unwrap();
    }
    assert!(is_limited(&fails(attempts, ACCOUNT, home).await), "a window is one at home, too");
    vault.advance(TimeDelta::minutes(16));
    attempts.at_password(ACCOUNT, Some(ip("2001:db8:0:1::8"))).await.unwrap().succeeded().await.unwrap();
    fails(attempts, ACCOUNT, away).await.unwrap();
    let another = b"the claim of another address";
    for _ in 0..5 {
        fails(attempts, another, home).await.unwrap();
    }
    assert!(is_limited(&fails(attempts, another, home).await), "a place is known to one account");
    vault.advance(TimeDelta::days(91));
    Attempts::sweep(&pool, vault.app.clock().now()).await.unwrap();
    assert!(!Place::of(ACCOUNT, home.unwrap()).is_known(&pool, vault.app.clock().now()).await.unwrap());
    assert!(rows(&pool).await <= 2, "what is not known any more is forgotten");
}
