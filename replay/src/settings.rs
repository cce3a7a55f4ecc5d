//! Where the database and the keys are: the environment, and an `--env-file` that wins over it.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, bail};

/// Variables by name.
#[derive(Default)]
pub struct Settings(HashMap<String, String>);

impl Settings {
    /// The environment of this process, with the `NAME=value` lines of `env_file` over it.
    pub fn read(env_file: Option<&Path>) -> anyhow::Result<Self> {
        let mut settings = Self(std::env::vars().collect());
        if let Some(path) = env_file {
            let text =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            settings.overlay(&text).with_context(|| format!("in {}", path.display()))?;
        }
        Ok(settings)
    }

    fn overlay(&mut self, text: &str) -> anyhow::Result<()> {
        for (line, number) in text.lines().zip(1..) {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let Some((name, value)) = line.split_once('=') else {
                bail!("line {number} is not `NAME=value`");
            };
            // `NAME` and `NAME_FILE` say the same thing: the file's word counts, whichever it uses.
            self.0.remove(&format!("{}_FILE", name.trim()));
            self.0.insert(name.trim().into(), value.trim().into());
        }
        Ok(())
    }

    /// The value of `name`, unless it is empty or missing.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// As [`Self::get`], or else the content of the file that `<name>_FILE` names.
    pub fn secret(&self, name: &str) -> anyhow::Result<Option<String>> {
        if let Some(value) = self.get(name) {
            return Ok(Some(value.into()));
        }
        let Some(path) = self.get(&format!("{name}_FILE")) else { return Ok(None) };
        let text =
            std::fs::read_to_string(path).with_context(|| format!("{name}_FILE: cannot read {path}"))?;
        Ok(Some(text.trim_end().into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_wins_over_the_environment() {
        let mut settings = Settings(HashMap::from([
            ("DATABASE_URL".into(), "postgres://environment".into()),
            ("S3_BUCKET_FILE".into(), "/nowhere".into()),
        ]));
        settings
            .overlay("# comment\n\nDATABASE_URL = postgres://file?a=b\nS3_BUCKET=inline\nEMPTY=\n")
            .unwrap();
        assert_eq!(settings.get("DATABASE_URL"), Some("postgres://file?a=b"));
        assert_eq!(settings.secret("S3_BUCKET").unwrap().as_deref(), Some("inline"));
        assert_eq!(settings.get("EMPTY"), None);
        assert_eq!(settings.secret("MISSING").unwrap(), None);
        assert!(settings.overlay("no equals sign").is_err());
    }
}
