//! How often somebody may fail at a secret.

use chrono::TimeDelta;

use super::{ConfigError, Environment};

const NAME: &str = "DOCUVAULT_LIMITS";
const EXPECTED: &str = "write off, or any of password-account=5/15m, password-ip=20/15m, code-account=5/15m, \
                        reset-account=3/1h, reset-ip=10/1h and register-ip=100/1h, joined by commas: so many (1 or more) within so many s, m, \
                        h or d; name=off takes one limit away";

/// So many failures within so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    pub failures: i32,
    pub within: TimeDelta,
}

/// `DOCUVAULT_LIMITS`: what is limited. `None`: it is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub password_account: Option<Limit>,
    pub password_ip: Option<Limit>,
    pub code_account: Option<Limit>,
    /// Mails about one account that anybody can ask for.
    pub reset_account: Option<Limit>,
    pub reset_ip: Option<Limit>,
    pub register_ip: Option<Limit>,
}

impl Default for Limits {
    fn default() -> Self {
        let within = |failures, minutes| Some(Limit { failures, within: TimeDelta::minutes(minutes) });
        Self {
            password_account: within(5, 15),
            password_ip: within(20, 15),
            code_account: within(5, 15),
            reset_account: within(3, 60),
            reset_ip: within(10, 60),
            register_ip: within(100, 60),
        }
    }
}

impl Limits {
    pub const NONE: Self = Self {
        password_account: None,
        password_ip: None,
        code_account: None,
        reset_account: None,
        reset_ip: None,
        register_ip: None,
    };

    pub(super) fn from_env(environment: &Environment) -> Result<Self, ConfigError> {
        let text = environment.text(NAME).unwrap_or_default();
        if text.trim() == "off" {
            return Ok(Self::NONE);
        }
        let mut limits = Self::default();
        let mut named = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let wrong = || ConfigError::wrong(NAME, format!("{item:?} is not a limit: {EXPECTED}"));
            let (name, value) = item.split_once('=').ok_or_else(wrong)?;
            let limit = limits.named(name).ok_or_else(wrong)?;
            *limit = if value == "off" { None } else { Some(Limit::parse(value).ok_or_else(wrong)?) };
            if named.contains(&name) {
                return Err(ConfigError::wrong(NAME, format!("{name} is there twice")));
            }
            named.push(name);
        }
        Ok(limits)
    }

    fn named(&mut self, name: &str) -> Option<&mut Option<Limit>> {
        Some(match name {
            "password-account" => &mut self.password_account,
            "password-ip" => &mut self.password_ip,
            "code-account" => &mut self.code_account,
            "reset-account" => &mut self.reset_account,
            "reset-ip" => &mut self.reset_ip,
            "register-ip" => &mut self.register_ip,
            _ => return None,
        })
    }
}

impl Limit {
    /// `5/15m`
    fn parse(text: &str) -> Option<Self> {
        let (failures, within) = text.split_once('/')?;
        let (number, unit) = within.split_at_checked(within.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 60 * 60,
            "d" => 24 * 60 * 60,
            _ => return None,
        };
        let failures = failures.parse().ok().filter(|failures| *failures > 0)?;
        let seconds = number
            .parse::<u32>()
            .ok()
            .filter(|number| *number > 0)
            .map(|number| i64::from(number) * seconds)?;
        // Ten years, so that adding it to a time never fails.
        let within = TimeDelta::try_seconds(seconds).filter(|within| *within <= TimeDelta::days(3_650))?;
        Some(Self { failures, within })
    }
}
