//! A02: does the time of an answer tell whether an address has an account? Of each route that is asked about one, two samples
//! drawn in random order from one vault, compared by the Mann-Whitney test: what is the probability of a difference like
//! this by chance?

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use rand::RngExt;
use serde_json::{Value, json};

use crate::report::{Report, progress};
use crate::vault::{EMAIL, Vault};

/// Below it, the difference is taken for real.
const SIGNIFICANCE: f64 = 0.01;
/// Nobody is turned away for asking too often: the answers themselves are timed.
const SETTINGS: [(&str, &str); 2] = [("DOCUVAULT_REGISTRATION", "open"), ("DOCUVAULT_LIMITS", "off")];

/// A route that is asked about an address.
struct Route {
    name: &'static str,
    path: &'static str,
    status: u16,
    body: fn(&str) -> Value,
}

const ROUTES: [Route; 4] = [
    Route {
        name: "login",
        path: "/auth/login",
        status: 401,
        body: |email| json!({ "email": email, "password": "not the password at all" }),
    },
    Route {
        name: "register",
        path: "/auth/register",
        status: 202,
        body: |email| json!({ "email": email, "password": "a-long-benchmark-passphrase" }),
    },
    Route {
        name: "forgot",
        path: "/auth/password/forgot",
        status: 202,
        body: |email| json!({ "email": email }),
    },
    Route {
        name: "resend",
        path: "/auth/verify-email/resend",
        status: 202,
        body: |email| json!({ "email": email }),
    },
];

/// Times `samples` requests of each route about an account that exists, and as many about none.
pub(crate) async fn run(binary: &Path, samples: usize, report: &mut Report) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let vault = Vault::standalone(binary, directory.path(), &SETTINGS).await?;
    // Waits to be verified: what another verification link is sent to.
    let unverified = json!({ "email": "unverified@example.org", "password": "a-long-benchmark-passphrase" });
    let registered =
        vault.client.post(format!("{}/auth/register", vault.url)).json(&unverified).send().await?;
    ensure!(registered.status() == 202, "register: {}", registered.text().await?);
    for route in &ROUTES {
        let known = if route.name == "resend" { "unverified@example.org" } else { EMAIL };
        let (mut known, mut unknown) = sample(&vault, route, known, samples).await?;
        let p = mann_whitney(&known, &unknown);
        let verdict = if p > SIGNIFICANCE { "indistinguishable" } else { "TELLS ACCOUNTS APART" };
        report.note(format!(
            "{} timing (A02): median {:.2} ms with an account, {:.2} ms without; {samples} samples each, \
             Mann-Whitney p = {p:.3}: {verdict}",
            route.name,
            median_ms(&mut known),
            median_ms(&mut unknown)
        ));
    }
    Ok(())
}

/// The times with the `known` address, and with addresses that nobody has; each is new, for one that registers has an account then.
async fn sample(
    vault: &Vault,
    route: &Route,
    known: &str,
    samples: usize,
) -> anyhow::Result<(Vec<Duration>, Vec<Duration>)> {
    let (mut of_known, mut of_unknown) = (Vec::new(), Vec::new());
    while of_known.len() < samples || of_unknown.len() < samples {
        let asked = of_known.len() + of_unknown.len();
        let unknown = format!("nobody-{}-{asked}@example.org", route.name);
        let is_known = rand::rng().random::<bool>();
        let (email, times) =
            if is_known { (known, &mut of_known) } else { (unknown.as_str(), &mut of_unknown) };
        let request = vault.client.post(format!("{}{}", vault.url, route.path)).json(&(route.body)(email));
        let begun = Instant::now();
        let answer = request.send().await?;
        times.push(begun.elapsed());
        ensure!(answer.status() == route.status, "{}: {}", route.name, answer.text().await?);
        if asked % 200 == 199 {
            progress(&format!("  {}: {} answers timed", route.name, asked + 1));
        }
    }
    // Both arms alike: the first ones of each.
    of_known.truncate(samples);
    of_unknown.truncate(samples);
    Ok((of_known, of_unknown))
}

fn median_ms(times: &mut [Duration]) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

/// Two-sided p by the normal approximation, good for large samples. Ties are too rare to matter: times are nanoseconds.
fn mann_whitney(one: &[Duration], other: &[Duration]) -> f64 {
    let mut all: Vec<(Duration, bool)> =
        one.iter().map(|time| (*time, true)).chain(other.iter().map(|time| (*time, false))).collect();
    all.sort_unstable();
    let ranks: f64 =
        (1_u32..).zip(&all).filter(|(_, (_, of_one))| *of_one).map(|(rank, _)| f64::from(rank)).sum();
    let count = |sample: &[Duration]| f64::from(u32::try_from(sample.len()).unwrap_or(u32::MAX));
    let (n, m) = (count(one), count(other));
    let u = ranks - n * (n + 1.0) / 2.0;
    let z = (u - n * m / 2.0) / (n * m * (n + m + 1.0) / 12.0).sqrt();
    complementary_error(z.abs() / std::f64::consts::SQRT_2)
}

/// erfc of a value that is not negative, to 1.5e-7 (Abramowitz and Stegun 7.1.26).
fn complementary_error(x: f64) -> f64 {
    let t = 1.0 / 0.327_591_1_f64.mul_add(x, 1.0);
    let coefficients = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    coefficients.iter().fold(0.0_f64, |sum, coefficient| sum.mul_add(t, *coefficient)) * t * (-x * x).exp()
}
