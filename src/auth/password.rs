//! Passwords: Argon2id, then HMAC with a pepper that the database does not hold. Hashing is meant to be slow and big,
//! so a few at a time run beside the requests and a bounded number wait: hundreds of logins at once cost time, not
//! memory (attack A06).

use std::sync::Arc;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Params, Version};
use rand::TryRng;
use rand::rngs::SysRng;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::password_hash::{PasswordHash, SALT};
use super::{Key, keyed_hash};

/// Hashes that wait or run, at most.
const PLACES: usize = 256;
/// Who has not been hashed by then is turned away.
const PATIENCE: Duration = Duration::from_secs(20);

/// What a hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Parameters {
    /// 64 MiB, 3 passes: 100 to 300 ms of one core.
    pub const PRODUCT: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 1 };
}

/// A new password, 12 to 1,024 bytes, exactly as typed.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

/// Why a text is not taken as a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    #[error("A password has at least 12 bytes.")]
    TooShort,
    #[error("A password has at most 1024 bytes.")]
    TooLong,
}

/// A password could not be hashed.
#[derive(Debug, thiserror::Error)]
pub enum HashError {
    #[error("too many passwords are being checked")]
    Busy,
    #[error("hashing failed: {0}")]
    Argon2(argon2::Error),
    #[error("the system's random source failed")]
    Randomness,
    #[error("hashing ended early")]
    Ended,
}

/// Hashes and checks passwords.
pub struct Passwords {
    parameters: Parameters,
    pepper: Arc<Key>,
    places: Arc<Semaphore>,
    running: Arc<Semaphore>,
    /// Checked in the place of an account that does not exist; no password fits it.
    nobody: PasswordHash,
}

impl Password {
    pub fn parse(text: Zeroizing<String>) -> Result<Self, PasswordError> {
        match text.len() {
            ..12 => Err(PasswordError::TooShort),
            12..=1024 => Ok(Self(text)),
            _ => Err(PasswordError::TooLong),
        }
    }

    /// 128 random bits, readable aloud.
    pub fn random() -> Result<Self, HashError> {
        Ok(Self(Zeroizing::new(hex::encode(random::<16>()?))))
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Passwords {
    /// As many hashes at a time as there are cores.
    pub fn new(parameters: Parameters, pepper: Key) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            parameters,
            pepper: Arc::new(pepper),
            places: Arc::new(Semaphore::new(PLACES)),
            running: Arc::new(Semaphore::new(cores)),
            nobody: PasswordHash { parameters, salt: [0; SALT], hash: [0; 32] },
        }
    }

    pub async fn hash(&self, password: Password) -> Result<PasswordHash, HashError> {
        let (parameters, salt) = (self.parameters, random()?);
        let hash = self.run(password.0, parameters, salt).await?;
        Ok(PasswordHash { parameters, salt, hash })
    }

    /// Whether `text` is the password of `stored`. Without an account it takes as long, and says no.
    pub async fn verify(
        &self,
        text: Zeroizing<String>,
        stored: Option<&PasswordHash>,
    ) -> Result<bool, HashError> {
        let against = stored.unwrap_or(&self.nobody);
        let hash = self.run(text, against.parameters, against.salt).await?;
        Ok(bool::from(hash.ct_eq(&against.hash)) && stored.is_some())
    }

    /// Whether a hash is cheaper than one made now.
    pub const fn is_outdated(&self, stored: &PasswordHash) -> bool {
        let (old, new) = (stored.parameters, self.parameters);
        old.memory_kib < new.memory_kib || old.passes < new.passes
    }

    /// Waits for a turn. A caller that goes away leaves its hash to finish, and its turn taken until then.
    async fn run(
        &self,
        text: Zeroizing<String>,
        parameters: Parameters,
        salt: [u8; SALT],
    ) -> Result<[u8; 32], HashError> {
        let place = self.places.clone().try_acquire_owned().map_err(|_| HashError::Busy)?;
        let turn = timeout(PATIENCE, self.running.clone().acquire_owned()).await;
        let turn = turn.map_err(|_| HashError::Busy)?.map_err(|_| HashError::Ended)?;
        let pepper = self.pepper.clone();
        let hashing = tokio::task::spawn_blocking(move || {
            let _held = (place, turn);
            peppered(&text, parameters, &salt, &pepper).map_err(HashError::Argon2)
        });
        hashing.await.map_err(|_| HashError::Ended)?
    }
}

fn peppered(
    text: &str,
    parameters: Parameters,
    salt: &[u8; SALT],
    pepper: &Key,
) -> Result<[u8; 32], argon2::Error> {
    let Parameters { memory_kib, passes, lanes } = parameters;
    let params = Params::new(memory_kib, passes, lanes, Some(32))?;
    let mut hash = Zeroizing::new([0; 32]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(text.as_bytes(), salt, hash.as_mut())?;
    Ok(keyed_hash(pepper, &[hash.as_ref()]))
}

pub(super) fn random<const N: usize>() -> Result<[u8; N], HashError> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).map_err(|_| HashError::Randomness)?;
    Ok(bytes)
}
