//! The settings: a TOML file, and environment variables that go before it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use uniq::ledger::Place;

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the service listens; the loopback interface unless told otherwise.
    pub listen: SocketAddr,
    /// The folder that holds all that the service keeps.
    pub data: PathBuf,
    /// How the service is reached from outside, such as `https://intake.example`; without it links
    /// are relative.
    pub public_url: Option<String>,
    /// A SQLite file or a PostgreSQL URL in place of `ledger.db` in the data folder.
    pub ledger: Option<String>,
    /// The index of submissions in place of `ledger.db.index` in the data folder.
    pub submissions: Option<PathBuf>,
    /// The index of what is public in place of `index` in the data folder.
    pub index: Option<PathBuf>,
    /// A rate card.
    pub rates: Option<PathBuf>,
    /// Clips that are decoded at a time; one a core unless told otherwise.
    pub workers: Option<usize>,
    /// The tenant whose administrators may change the corpus and make keys for other tenants.
    pub operator: String,
    /// How certificates are signed.
    pub certificate: CertificateConfig,
    /// What may be uploaded.
    pub uploads: UploadsConfig,
    /// How much a client may ask for.
    pub limits: LimitsConfig,
    /// How decoding is bounded.
    pub decoding: DecodingConfig,
}

/// How certificates are signed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CertificateConfig {
    /// A private key in PEM; without one no certificates are issued.
    pub key: Option<PathBuf>,
    /// What the collection of public sources is called.
    pub name: String,
    /// Where the policy is written down.
    pub policy_uri: Option<String>,
}

/// What may be uploaded.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UploadsConfig {
    /// Maximum length of a file in bytes.
    pub max_bytes: u64,
    /// Maximum number of unfinished uploads of one tenant.
    pub max_open: u64,
    /// Maximum number of submissions that wait for their answers; beyond it uploads are refused for a
    /// while.
    pub max_queue: u64,
    /// Free space in bytes below which uploads are refused.
    pub min_free_bytes: u64,
    /// After so many hours without a byte an unfinished upload is removed.
    pub expire_hours: u64,
}

/// How much a client may ask for.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Requests a second that one key may make.
    pub requests_per_second: u32,
    /// Requests that one key may make at once after a pause.
    pub burst: u32,
    /// Seconds within which the head of a request has to arrive.
    pub header_seconds: u64,
    /// Seconds after which a body that stands still is given up.
    pub idle_seconds: u64,
    /// Maximum number of connections at a time.
    pub connections: usize,
}

/// How decoding is bounded.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecodingConfig {
    /// Refuse to decode where the system lacks a part of the sandbox.
    pub require_sandbox: bool,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            data: "uniq-data".into(),
            public_url: None,
            ledger: None,
            submissions: None,
            index: None,
            rates: None,
            workers: None,
            operator: "operator".to_owned(),
            certificate: CertificateConfig::default(),
            uploads: UploadsConfig::default(),
            limits: LimitsConfig::default(),
            decoding: DecodingConfig::default(),
        }
    }
}

impl Default for UploadsConfig {
    fn default() -> UploadsConfig {
        UploadsConfig {
            max_bytes: 64 << 30,
            max_open: 100,
            max_queue: 10_000,
            min_free_bytes: 2 << 30,
            expire_hours: 24,
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> LimitsConfig {
        LimitsConfig {
            requests_per_second: 2_000,
            burst: 4_000,
            header_seconds: 10,
            idle_seconds: 60,
            connections: 1_024,
        }
    }
}

impl Config {
    /// Reads the file, if one is named, and the variables.
    ///
    /// # Errors
    /// What is wrong with the file or a variable, by name.
    pub fn load(file: Option<&Path>, variables: impl Iterator<Item = (String, String)>) -> anyhow::Result<Config> {
        let mut table = match file {
            Some(path) => {
                let text =
                    std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?;
                text.parse::<toml::Table>().with_context(|| format!("{}: is no TOML", path.display()))?
            }
            None => toml::Table::new(),
        };
        for (name, value) in variables {
            if let Some(setting) = name.strip_prefix(PREFIX) {
                set(&mut table, setting, &value).with_context(|| format!("{name}: names no setting"))?;
            }
        }
        let from = file.map_or_else(|| "the environment".to_owned(), |path| path.display().to_string());
        let config: Config = table.try_into().with_context(|| format!("{from}: a setting cannot be understood"))?;
        anyhow::ensure!(crate::auth::is_tenant(&config.operator), "operator: {}", crate::auth::TENANT_RULE);
        Ok(config)
    }

    /// Where the ledger is.
    pub fn ledger(&self) -> Place {
        match &self.ledger {
            Some(text) => Place::parse(text),
            None => Place::File(self.data.join("ledger.db")),
        }
    }

    /// The folder of the index of submissions.
    pub fn submissions(&self) -> PathBuf {
        self.submissions.clone().unwrap_or_else(|| self.data.join("ledger.db.index"))
    }

    /// The folder of the index of what is public.
    pub fn index(&self) -> PathBuf {
        self.index.clone().unwrap_or_else(|| self.data.join("index"))
    }

    /// The folder of clips, by the ids of their submissions.
    pub fn clips(&self) -> PathBuf {
        self.data.join("clips")
    }

    /// The folder of certificates and their fingerprints.
    pub fn certificates(&self) -> PathBuf {
        self.data.join("certificates")
    }
}

/// Sets `SECTION__NAME` to a value: TOML if it is some, or else a text.
fn set(table: &mut toml::Table, setting: &str, value: &str) -> anyhow::Result<()> {
    let setting = setting.to_lowercase();
    let parsed = format!("value = {value}").parse::<toml::Table>().ok().and_then(|mut parsed| parsed.remove("value"));
    let value = parsed.unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let (section, name) = match setting.split_once("__") {
        Some((section, name)) => (Some(section), name),
        None => (None, setting.as_str()),
    };
    let table = match section {
        None => table,
        Some(section) => table
            .entry(section)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .context("it is no section")?,
    };
    table.insert(name.to_owned(), value);
    Ok(())
}

/// What the names of variables begin with.
const PREFIX: &str = "UNIQ_SERVE_";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn variables_go_before_the_file_and_a_slip_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("serve.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\n[uploads]\nmax_bytes = 7\n").unwrap();
        let variables = [("UNIQ_SERVE_LISTEN", "127.0.0.1:2"), ("UNIQ_SERVE_UPLOADS__MAX_OPEN", "3"), ("HOME", "/")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter();
        let config = Config::load(Some(&file), variables).unwrap();
        assert_eq!((config.listen.port(), config.uploads.max_bytes, config.uploads.max_open), (2, 7, 3));
        let slip = [("UNIQ_SERVE_UPLOADS__MAX_BYTE".to_owned(), "3".to_owned())].into_iter();
        let error = format!("{:#}", Config::load(Some(&file), slip).unwrap_err());
        assert!(error.contains("max_byte"), "{error}");
    }
}
