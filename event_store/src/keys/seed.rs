//! Seeds of second factors, sealed under a key of their owner's: they go with the person, and open in no other place.

use aggregates::UserId;
use zeroize::Zeroizing;

use super::Keyring;
use crate::{SealError, StoreError, seal};

const PLACE: &str = "second_factors.seed";

impl Keyring {
    /// Seals the seed of `user`'s second factor.
    pub async fn seal_seed(&self, user: UserId, seed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let keys = self.user_keys(&[user]).await?;
        let (_, key) = keys.first().ok_or(SealError::NoKey(user))?;
        let aad = seal::aad("totp", PLACE, user.0, user.0, key.key_id);
        Ok(seal::encrypt(&key.totp, key.key_id, seed, &aad)?)
    }

    /// Opens what [`Self::seal_seed`] sealed; `None` when the person's key is gone.
    pub async fn open_seed(
        &self,
        user: UserId,
        sealed: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let keys = self.user_keys(&[user]).await?;
        let Some((_, key)) = keys.first() else { return Ok(None) };
        let aad = seal::aad("totp", PLACE, user.0, user.0, key.key_id);
        Ok(Some(seal::decrypt(&key.totp, sealed, &aad)?))
    }
}
