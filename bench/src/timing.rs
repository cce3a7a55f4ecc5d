//! A02: does the time of a refused login tell whether the address has an account? Two samples, drawn in random order
//! from one vault, compared by the Mann-Whitney test: what is the probability of a difference like this by chance?

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use rand::RngExt;
use serde_json::json;

use crate::report::{Report, progress};
use crate::vault::{EMAIL, Vault};

/// Below it, the difference is taken for real.
const SIGNIFICANCE: f64 = 0.01;

/// Times `samples` logins with a wrong password for an account that exists, and as many for none.
pub(crate) async fn run(binary: &Path, samples: usize, report: &mut Report) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let vault = Vault::standalone(binary, directory.path()).await?;
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    while known.len() < samples || unknown.len() < samples {
        let is_known = rand::rng().random::<bool>();
        let (email, times) =
            if is_known { (EMAIL, &mut known) } else { ("nobody@example.org", &mut unknown) };
        let body = json!({ "email": email, "password": "not the password at all" });
        let begun = Instant::now();
        let answer = vault.client.post(format!("{}/auth/login", vault.url)).json(&body).send().await?;
        times.push(begun.elapsed());
        ensure!(answer.status() == 401, "login: {}", answer.text().await?);
        if (known.len() + unknown.len()) % 200 == 0 {
            progress(&format!("  {} logins timed", known.len() + unknown.len()));
        }
    }
    // Both arms alike: the first ones of each.
    known.truncate(samples);
    unknown.truncate(samples);
    let p = mann_whitney(&known, &unknown);
    let verdict = if p > SIGNIFICANCE { "indistinguishable" } else { "TELLS ACCOUNTS APART" };
    report.note(format!(
        "login timing (A02): median {:.2} ms with an account, {:.2} ms without; {samples} samples each, \
         Mann-Whitney p = {p:.3}: {verdict}",
        median_ms(&mut known),
        median_ms(&mut unknown)
    ));
    Ok(())
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
