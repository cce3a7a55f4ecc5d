//! Time-based one-time passwords (RFC 6238) as every authenticator app makes them: SHA-1, six digits, steps of 30 seconds. The
//! step before and the one after count, too, for clocks that differ a little (attack A15).

use anyhow::Context;
use chrono::{DateTime, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use qrcode::QrCode;
use qrcode::render::svg;
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

/// RFC 4226 §4: as long as the hash.
pub(super) const SEED: usize = 20;
/// What authenticator apps show over the code.
const ISSUER: &str = "DocuVault";
/// Pixels on each side of a QR code, at least.
const QR_SIZE: u32 = 240;

/// The step whose code this is, if it is one of the three that count now.
pub(super) fn step_of(seed: &[u8], code: &str, now: DateTime<Utc>) -> anyhow::Result<Option<i64>> {
    let step = totp(seed)?.check(code, u64::try_from(now.timestamp())?);
    Ok(step.map(i64::try_from).transpose()?)
}

/// As people type it.
pub(super) fn base32(seed: &[u8]) -> anyhow::Result<Zeroizing<String>> {
    Ok(Zeroizing::new(totp(seed)?.secret().to_base32()))
}

/// As authenticator apps read it.
pub(super) fn otpauth_url(secret: &str, email: &str) -> Zeroizing<String> {
    let account = utf8_percent_encode(email, NON_ALPHANUMERIC);
    Zeroizing::new(format!(
        "otpauth://totp/{ISSUER}:{account}?secret={secret}&issuer={ISSUER}&algorithm=SHA1&digits=6&period=30"
    ))
}

/// A picture of `url` to hold a phone in front of.
pub(super) fn qr_svg(url: &str) -> anyhow::Result<Zeroizing<String>> {
    let code = QrCode::new(url).context("this does not fit into a QR code")?;
    Ok(Zeroizing::new(code.render::<svg::Color<'_>>().min_dimensions(QR_SIZE, QR_SIZE).build()))
}

fn totp(seed: &[u8]) -> anyhow::Result<Totp> {
    Builder::new().with_secret(seed).with_skew(1).build().map_err(|error| anyhow::anyhow!("{error}"))
}
