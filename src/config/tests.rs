use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use chrono::TimeDelta;
use secrecy::ExposeSecret;
use tempfile::TempDir;

use super::{
    Config, ConfigError, DatabaseUrl, Environment, Limit, Limits, MailRoute, SmtpEncryption, log_filter,
};

/// A complete environment, with a master key file in `directory`.
fn complete(directory: &Path) -> Environment {
    let key = directory.join("master.key");
    std::fs::write(&key, "1 key\n").unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    [
        ("DATABASE_URL", "postgres://docuvault_app:s3cret@127.0.0.1:5433/docuvault"),
        ("DATABASE_MIGRATE_URL", "postgres://docuvault_migrate:s3cret@127.0.0.1:5433/docuvault"),
        ("S3_ENDPOINT", "http://127.0.0.1:9000"),
        ("S3_REGION", "us-east-1"),
        ("S3_BUCKET", "docuvault"),
        ("S3_ACCESS_KEY_ID", "key id"),
        ("S3_SECRET_ACCESS_KEY", "s3cret"),
        ("DOCUVAULT_MASTER_KEY_FILE", key.to_str().unwrap()),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into_iter()
    .collect()
}

fn with(name: &str, value: &str) -> Result<Config, ConfigError> {
    let directory = TempDir::new().unwrap();
    let mut environment = complete(directory.path());
    environment.set(name, value);
    Config::from_env(&environment)
}

#[test]
fn defaults_are_those_of_the_contract() {
    let directory = TempDir::new().unwrap();
    let config = Config::from_env(&complete(directory.path())).unwrap();
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.http.public_url.as_str(), "http://127.0.0.1:8080/");
    assert!(config.http.metrics_listen.ip().is_loopback());
    assert!(config.http.cors_origins.is_empty());
    assert_eq!(config.s3.public_endpoint, config.s3.endpoint);
    assert_eq!(config.vault.default_quota, 10_737_418_240);
    assert!(!config.vault.registration_is_open);
}

#[test]
fn a_missing_variable_is_named() {
    let directory = TempDir::new().unwrap();
    let complete = complete(directory.path());
    for name in [
        "DATABASE_URL",
        "S3_ENDPOINT",
        "S3_REGION",
        "S3_BUCKET",
        "S3_ACCESS_KEY_ID",
        "S3_SECRET_ACCESS_KEY",
        "DOCUVAULT_MASTER_KEY_FILE",
    ] {
        for absent in [complete.clone().without(|other| other == name), {
            let mut empty = complete.clone();
            empty.set(name, "");
            empty
        }] {
            let error = Config::from_env(&absent).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name} is not set")), "{error}");
        }
    }
    let without = complete.without(|name| name == "DATABASE_MIGRATE_URL");
    let error = DatabaseUrl::migrations(&without).unwrap_err().to_string();
    assert!(error.starts_with("DATABASE_MIGRATE_URL is not set"), "{error}");
}

#[test]
fn a_wrong_value_names_its_variable() {
    for (name, value) in [
        ("DATABASE_URL", "mysql://root@localhost/db"),
        ("DATABASE_URL", "postgres://a:b@host:notaport/db"),
        ("S3_ENDPOINT", "ftp://127.0.0.1"),
        ("S3_ENDPOINT", "127.0.0.1:9000"),
        ("S3_PUBLIC_ENDPOINT", "http://user:password@127.0.0.1"),
        ("S3_PUBLIC_ENDPOINT", "http://s3.example.com"),
        ("DOCUVAULT_LISTEN", "8080"),
        ("DOCUVAULT_LISTEN", "127.0.0.1:99999"),
        ("DOCUVAULT_METRICS_LISTEN", "everywhere"),
        ("DOCUVAULT_PUBLIC_URL", "vault.example.com"),
        ("DOCUVAULT_PUBLIC_URL", "http://vault.example.com"),
        ("DOCUVAULT_PUBLIC_URL", "https://vault.example.com/path"),
        ("DOCUVAULT_CORS_ORIGINS", "*"),
        ("DOCUVAULT_CORS_ORIGINS", "https://a.example,https://b.example/path"),
        ("DOCUVAULT_DEFAULT_QUOTA", "-1"),
        ("DOCUVAULT_DEFAULT_QUOTA", "10GB"),
        ("DOCUVAULT_DEFAULT_QUOTA", "9223372036854775808"),
        ("DOCUVAULT_DEFAULT_QUOTA", "8388608TiB"),
        ("DOCUVAULT_DEFAULT_QUOTA", "KiB"),
        ("DOCUVAULT_LIMITS", "on"),
        ("DOCUVAULT_LIMITS", "password=5/15m"),
        ("DOCUVAULT_LIMITS", "password-ip"),
        ("DOCUVAULT_LIMITS", "password-ip=5"),
        ("DOCUVAULT_LIMITS", "password-ip=0/15m"),
        ("DOCUVAULT_LIMITS", "password-ip=-1/15m"),
        ("DOCUVAULT_LIMITS", "password-ip=5/15"),
        ("DOCUVAULT_LIMITS", "password-ip=5/0m"),
        ("DOCUVAULT_LIMITS", "password-ip=5/15w"),
        ("DOCUVAULT_LIMITS", "password-ip=5/99999999999999d"),
        ("DOCUVAULT_LIMITS", "password-ip=5/15m,password-ip=off"),
        ("DOCUVAULT_LIMITS", "off,password-ip=5/15m"),
        ("DOCUVAULT_TRUSTED_PROXIES", "proxy.example.com"),
        ("DOCUVAULT_TRUSTED_PROXIES", "10.0.0.0/8,10.0.0.0/33"),
        ("DOCUVAULT_TRUSTED_PROXIES", "10.1.2.3/8"),
        ("HIBP_URL", "api.pwnedpasswords.com"),
        ("HIBP_URL", "ftp://api.pwnedpasswords.com"),
        ("DOCUVAULT_REGISTRATION", "yes"),
        ("DOCUVAULT_REGISTRATION", "Open"),
        ("DOCUVAULT_MASTER_KEY_FILE", "/no/such/file"),
        ("DOCUVAULT_MASTER_KEY_FILE", "/"),
        ("S3_SECRET_ACCESS_KEY_FILE", "/no/such/file"),
    ] {
        let error = with(name, value).expect_err(value).to_string();
        assert!(error.starts_with(&format!("{name} is wrong: ")), "{name}={value}: {error}");
    }
}

#[test]
fn a_wrong_log_filter_names_its_variable() {
    let environment = [("DOCUVAULT_LOG".to_owned(), "docuvault=loudly".to_owned())].into_iter().collect();
    let error = log_filter(&environment).unwrap_err().to_string();
    assert!(error.starts_with("DOCUVAULT_LOG is wrong: "), "{error}");
}

#[test]
fn limits_are_overridden_one_by_one() {
    let limits = |text| with("DOCUVAULT_LIMITS", text).unwrap().vault.limits;
    let default = Limits::default();
    assert_eq!(limits(""), default);
    let defaults =
        "password-account=5/15m,password-ip=20/15m,code-account=5/15m,reset-account=3/1h,reset-ip=10/1h";
    assert_eq!(limits(defaults), default);
    let changed = limits("code-account=7/90s, password-ip=off,");
    let code_account = Some(Limit { failures: 7, within: TimeDelta::seconds(90) });
    assert_eq!(changed, Limits { code_account, password_ip: None, ..default });
    assert_eq!(limits("reset-ip=1/2d").reset_ip, Some(Limit { failures: 1, within: TimeDelta::days(2) }));
    assert_eq!(limits("off"), Limits::NONE);
}

#[test]
fn a_wrong_limit_shows_the_form() {
    let error = with("DOCUVAULT_LIMITS", "password-ip=5").unwrap_err().to_string();
    assert!(error.contains("\"password-ip=5\"") && error.contains("password-ip=20/15m"), "{error}");
}

#[test]
fn proxies_are_addresses_or_networks() {
    let proxies =
        with("DOCUVAULT_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,fd00::/8").unwrap().http.trusted_proxies;
    let expected = ["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"].map(|network| network.parse().unwrap());
    assert_eq!(proxies, expected);
    assert!(with("DOCUVAULT_TRUSTED_PROXIES", "").unwrap().http.trusted_proxies.is_empty());
}

#[test]
fn sizes_have_binary_units() {
    for (text, bytes) in [
        ("0", 0),
        ("4096", 4096),
        ("1KiB", 1024),
        ("3 MiB", 3 << 20),
        ("10GiB", 10 << 30),
        ("2TiB", 2 << 40),
        ("9223372036854775807", (1 << 63) - 1),
    ] {
        assert_eq!(with("DOCUVAULT_DEFAULT_QUOTA", text).unwrap().vault.default_quota, bytes, "{text}");
    }
}

#[test]
fn registration_is_opened_by_its_word() {
    assert!(with("DOCUVAULT_REGISTRATION", "open").unwrap().vault.registration_is_open);
    assert!(!with("DOCUVAULT_REGISTRATION", "closed").unwrap().vault.registration_is_open);
}

#[test]
fn plain_http_is_for_loopback_hosts() {
    for url in ["http://localhost:8080", "http://127.0.0.5", "http://[::1]:8080", "https://vault.example.com"]
    {
        assert!(with("DOCUVAULT_PUBLIC_URL", url).is_ok(), "{url}");
    }
    let error = with("DOCUVAULT_LISTEN", "0.0.0.0:8080").unwrap_err().to_string();
    assert!(error.contains("set DOCUVAULT_PUBLIC_URL"), "{error}");
}

#[test]
fn origins_are_listed_with_commas() {
    let config = with("DOCUVAULT_CORS_ORIGINS", "https://a.example, http://localhost:5173,").unwrap();
    assert_eq!(config.http.cors_origins, ["https://a.example", "http://localhost:5173"]);
}

#[test]
fn a_secret_may_be_in_a_file() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("secret");
    std::fs::write(&file, "from a file\n").unwrap();
    let config = with("S3_SECRET_ACCESS_KEY_FILE", file.to_str().unwrap()).unwrap();
    assert_eq!(config.s3.secret_access_key.expose_secret(), "from a file");
}

#[test]
fn a_master_key_that_others_can_read_is_refused() {
    let directory = TempDir::new().unwrap();
    let environment = complete(directory.path());
    let key = directory.path().join("master.key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = Config::from_env(&environment).unwrap_err().to_string();
    assert!(error.contains("DOCUVAULT_MASTER_KEY_FILE") && error.contains("chmod 600"), "{error}");
}

#[test]
fn secrets_stay_out_of_debug_output() {
    let directory = TempDir::new().unwrap();
    let shown = format!("{:?}", Config::from_env(&complete(directory.path())).unwrap());
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn an_env_file_wins_over_the_environment() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("env");
    std::fs::write(&path, "# a comment\n\nS3_BUCKET=from=file\nS3_SECRET_ACCESS_KEY=inline\n").unwrap();
    let mut outer = complete(directory.path());
    outer.set("S3_SECRET_ACCESS_KEY_FILE", "/no/such/file");
    let environment = outer.overlaid_with(&Environment::read_file(&path).unwrap());
    let config = Config::from_env(&environment).unwrap();
    assert_eq!(config.s3.bucket, "from=file");
    assert_eq!(config.s3.secret_access_key.expose_secret(), "inline");
}

#[test]
fn a_broken_env_file_is_refused_by_line() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("env");
    std::fs::write(&path, "S3_BUCKET=docuvault\nnonsense\n").unwrap();
    let error = Environment::read_file(&path).err().unwrap().to_string();
    assert!(error.contains("line 2"), "{error}");
}

type Login = Option<(String, String)>;

/// Route, port and login of an `SMTP_URL`.
fn smtp(url: &str) -> Option<(SmtpEncryption, u16, Login)> {
    let config = with("SMTP_URL", url).ok()?;
    let MailRoute::Smtp(server) = config.mail.route else { return None };
    let login = server.login.map(|login| (login.user, login.password.expose_secret().to_owned()));
    Some((server.encryption, server.port, login))
}

#[test]
fn a_password_for_the_mail_server_travels_encrypted() {
    let login = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
    for (url, expected) in [
        ("smtps://ana:p%40ss@mail.example.org", (SmtpEncryption::Implicit, 465, login("ana", "p@ss"))),
        ("smtp://a%40b.org:pass@mail.example.org", (SmtpEncryption::Required, 587, login("a@b.org", "pass"))),
        ("smtp://mail.example.org:2525", (SmtpEncryption::Offered, 2525, None)),
        ("smtp://127.0.0.1", (SmtpEncryption::None, 25, None)),
        ("smtp://[::1]:1025", (SmtpEncryption::None, 1025, None)),
    ] {
        assert_eq!(smtp(url), Some(expected), "{url}");
    }
    for wrong in
        ["http://mail.example.org", "smtp://", "smtp://ana@mail.example.org", "smtp://host/path", "nonsense"]
    {
        let message = with("SMTP_URL", wrong).unwrap_err().to_string();
        assert!(message.starts_with("SMTP_URL is wrong"), "{message}");
    }
}

#[test]
fn mails_are_from_the_host_of_the_public_url_unless_somebody_says_otherwise() {
    let from = |name, value| with(name, value).unwrap().mail.from.to_string();
    assert_eq!(
        from("DOCUVAULT_PUBLIC_URL", "https://vault.example.org"),
        "DocuVault <docuvault@vault.example.org>"
    );
    assert_eq!(from("DOCUVAULT_LISTEN", "127.0.0.1:9000"), "DocuVault <docuvault@localhost>");
    assert_eq!(from("DOCUVAULT_MAIL_FROM", "Papers <papers@example.org>"), "Papers <papers@example.org>");
    let message = with("DOCUVAULT_MAIL_FROM", "papers").unwrap_err().to_string();
    assert!(message.starts_with("DOCUVAULT_MAIL_FROM is wrong"), "{message}");
}
