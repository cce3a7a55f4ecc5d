//! Which new passwords are taken (ASVS 5.0 V6.2, NIST SP 800-63B-4 §3.1.1.2): long ones that nobody would guess soon,
//! that few others use, and that no breach has made known. No rule about characters, and no password is asked about
//! again once it was taken: a login waits for none of this.

mod breaches;
mod common;
mod strength;
#[cfg(test)]
mod tests;

use aggregates::{User, UserId};
use event_store::EventStore;
use tokio::sync::Semaphore;
use url::Url;

use super::password::Password;
use crate::error::ApiError;
use breaches::Breaches;

/// Judges new passwords.
pub struct PasswordPolicy {
    breaches: Option<Breaches>,
    /// Estimating takes some milliseconds of a core: as many at a time as there are.
    estimating: Semaphore,
}

impl PasswordPolicy {
    /// `breaches` is the address of Have I Been Pwned's range API, or of a mirror of it.
    pub fn new(breaches: Option<&Url>) -> anyhow::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self { breaches: breaches.map(Breaches::new).transpose()?, estimating: Semaphore::new(cores) })
    }

    /// Refuses, naming `field`, a password that is `common`, `too_weak` or `breached`. `own` is what a guesser would know
    /// of the person: the e-mail address, the name. Nothing else decides, so the answer tells nothing of accounts.
    pub async fn check(&self, field: &str, password: &Password, own: &[String]) -> Result<(), ApiError> {
        if common::is_common(password.expose()) {
            let message =
                "Many people use this password, so it is among the first that are tried. Choose another.";
            return Err(ApiError::field(field, "common", message));
        }
        if let Some(weakness) = self.weakness(password.clone(), own.to_vec()).await? {
            return Err(ApiError::field(field, "too_weak", weakness));
        }
        if let Some(breaches) = &self.breaches
            && breaches.know(password.expose()).await
        {
            let message = "This password is known from a breach of some other service. Choose another, and change it \
                           wherever else you use it.";
            return Err(ApiError::field(field, "breached", message));
        }
        Ok(())
    }

    async fn weakness(&self, password: Password, own: Vec<String>) -> Result<Option<String>, ApiError> {
        let _turn = self.estimating.acquire().await.map_err(anyhow::Error::from)?;
        let estimating = tokio::task::spawn_blocking(move || strength::weakness(password.expose(), &own));
        Ok(estimating.await.map_err(anyhow::Error::from)?)
    }
}

/// What a guesser would know of a person who has an account.
pub async fn own_words(store: &EventStore, user: UserId) -> Result<Vec<String>, ApiError> {
    let (user, _) = store.load::<User>(&user.to_string()).await?;
    let words = [user.email(), user.display_name()];
    Ok(words.into_iter().flatten().filter_map(|word| word.open().cloned()).collect())
}
