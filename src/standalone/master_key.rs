//! The master key of a new vault. An existing vault without its key is beyond reading: a new key would only
//! hide that, so none is made.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::config::{Environment, VaultConfig};
use crate::failure::Failure;
use crate::private_file;

use super::data_directory::DataDirectory;
use super::env_file::Settings;

const NAME: &str = "DOCUVAULT_MASTER_KEY_FILE";
const HEADER: &str = "# The master key of this vault: VERSION BASE64(32 bytes). Without it no name or e-mail can be read.\n\
                      # Keep a copy in a safe place, apart from backups of the data.\n";

/// Makes DATA/keys/master.key at the first start and checks it at every one. A `DOCUVAULT_MASTER_KEY_FILE` of
/// the environment takes its place and is never made here.
pub(super) fn provide(
    data: &DataDirectory,
    environment: &Environment,
    settings: &mut Settings,
) -> anyhow::Result<()> {
    if let Some(path) = environment.text(NAME) {
        settings.set(NAME, &std::path::absolute(path)?.to_string_lossy());
    } else {
        let path = data.master_key();
        if !path.exists() {
            generate(data)?;
        }
        settings.set(NAME, &path.to_string_lossy());
    }
    VaultConfig::from_env(&environment.clone().overlaid_with(settings.environment()))?;
    Ok(())
}

fn generate(data: &DataDirectory) -> anyhow::Result<()> {
    let path = data.master_key();
    if data.postgres().exists() {
        let problem =
            format!("the master key {} is gone, and the vault cannot be read without it", path.display());
        return Err(Failure::new(problem, "put the file back from its copy (mode 0600)").into());
    }
    let mut key = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *key)?;
    let line = Zeroizing::new(format!("{HEADER}1 {}\n", STANDARD.encode(*key)));
    if let Some(directory) = path.parent() {
        private_file::make_directory(directory)?;
    }
    Ok(private_file::create(&path, &line)?)
}
