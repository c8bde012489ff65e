//! The settings: a TOML file, overridden by environment variables.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Deserialize;
use uniq::ledger::Place;

/// All settings.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address to listen on; by default the loopback interface.
    pub listen: SocketAddr,
    /// The folder with everything that the service stores.
    pub data: PathBuf,
    /// External address of the service, such as `https://intake.example`. Without it, links are
    /// relative.
    pub public_url: Option<String>,
    /// A SQLite file or a PostgreSQL URL that replaces `ledger.db` in the data folder.
    pub ledger: Option<String>,
    /// The index of submissions that replaces `ledger.db.index` in the data folder.
    pub submissions: Option<PathBuf>,
    /// The index of public videos that replaces `index` in the data folder.
    pub index: Option<PathBuf>,
    /// A rate card.
    pub rates: Option<PathBuf>,
    /// Number of clips decoded at a time; by default one per core.
    pub workers: Option<usize>,
    /// The tenant whose administrators may change the corpus and make keys for other tenants.
    pub operator: String,
    /// Certificates.
    pub certificate: CertificateConfig,
    /// Limits of uploads.
    pub uploads: UploadsConfig,
    /// Limits of clients.
    pub limits: LimitsConfig,
    /// Limits of decoding.
    pub decoding: DecodingConfig,
    /// Sources of the corpus.
    pub corpus: CorpusConfig,
    /// Webhooks.
    pub webhooks: WebhooksConfig,
    /// Rechecks of submissions against new public videos.
    pub recheck: RecheckConfig,
    /// Review by people.
    pub review: ReviewConfig,
    /// Log-in of reviewers by OpenID Connect.
    pub oidc: Option<OidcConfig>,
    /// The Ray cluster that searches the index; without one, this process does.
    pub ray: Option<RayConfig>,
}

/// A Ray cluster that searches the index.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RayConfig {
    /// Its address as for `ray.init`; `auto` for the one that this host belongs to.
    pub address: String,
    /// A Python interpreter with the packages `uniq` and `ray`.
    pub python: PathBuf,
    /// Number of actors that share the segments; by default one for each processor of the cluster.
    pub holders: Option<u32>,
    /// Number of actors that hold each segment.
    pub copies: u32,
    /// Seconds to wait for an answer; afterwards the check is tried again.
    pub time_out_seconds: u64,
}

impl Default for RayConfig {
    fn default() -> RayConfig {
        RayConfig {
            address: "auto".to_owned(),
            python: "python3".into(),
            holders: None,
            copies: 1,
            time_out_seconds: 600,
        }
    }
}

impl RayConfig {
    fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.address.is_empty(),
            "ray.address: give the address of a Ray cluster, or auto"
        );
        anyhow::ensure!(
            (1..=100).contains(&self.copies),
            "ray.copies: give 1 to 100"
        );
        anyhow::ensure!(self.holders != Some(0), "ray.holders: give at least 1");
        anyhow::ensure!(
            (1..=86_400).contains(&self.time_out_seconds),
            "ray.time_out_seconds: give 1 to 86400"
        );
        Ok(())
    }
}

/// Review by people.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReviewConfig {
    /// Which decisions a second person must confirm.
    pub second: Second,
    /// Minutes for which a submission belongs to the reviewer who has opened it.
    pub open_minutes: u64,
    /// Minutes without a request after which a session ends.
    pub idle_minutes: u64,
    /// Hours after which a session always ends.
    pub session_hours: u64,
}

/// Which decisions a second person must confirm.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Second {
    /// None.
    #[default]
    Never,
    /// Those that make seconds payable.
    Payable,
    /// All except disputes.
    Always,
}

/// Log-in of reviewers by OpenID Connect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcConfig {
    /// The provider, as its tokens name it.
    pub issuer: String,
    /// Id of this service at the provider.
    pub client_id: String,
    /// The secret of this service at the provider; none for a public client.
    pub client_secret: Option<String>,
    /// Scopes to request; by default `openid profile`.
    #[serde(default = "openid_profile")]
    pub scopes: String,
    /// The tenant of all reviewers.
    pub tenant: Option<String>,
    /// The claim that names a reviewer's tenant, in place of `tenant`.
    pub tenant_claim: Option<String>,
    /// The claim that must contain `role`: a text, or a list of texts.
    pub role_claim: Option<String>,
    /// Required content of `role_claim`; by default `reviewer`.
    #[serde(default = "reviewer")]
    pub role: String,
}

fn openid_profile() -> String {
    "openid profile".to_owned()
}

fn reviewer() -> String {
    "reviewer".to_owned()
}

impl OidcConfig {
    fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.tenant.is_some() != self.tenant_claim.is_some(),
            "oidc: give either tenant or tenant_claim"
        );
        let tenant = self.tenant.as_deref();
        anyhow::ensure!(
            tenant.is_none_or(crate::auth::is_tenant),
            "oidc.tenant: {}",
            crate::auth::TENANT_RULE
        );
        anyhow::ensure!(
            self.scopes.split(' ').any(|scope| scope == "openid"),
            "oidc.scopes: include openid"
        );
        anyhow::ensure!(
            crate::oidc::may_call(&self.issuer),
            "oidc.issuer: give an address that begins with https://, or one on this host"
        );
        Ok(())
    }
}

impl Default for ReviewConfig {
    fn default() -> ReviewConfig {
        ReviewConfig {
            second: Second::Never,
            open_minutes: 15,
            idle_minutes: 60,
            session_hours: 12,
        }
    }
}

/// Certificates.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CertificateConfig {
    /// A private key in PEM. Without one, no certificates are issued.
    pub key: Option<PathBuf>,
    /// Name of the collection of public sources.
    pub name: String,
    /// Address of the written policy.
    pub policy_uri: Option<String>,
}

/// Limits of uploads.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UploadsConfig {
    /// Maximum length of a file in bytes.
    pub max_bytes: u64,
    /// Maximum number of unfinished uploads of one tenant.
    pub max_open: u64,
    /// Maximum number of submissions that wait for their answers. Beyond it, uploads are refused
    /// for a while.
    pub max_queue: u64,
    /// Free space in bytes below which uploads are refused.
    pub min_free_bytes: u64,
    /// Hours without a byte after which an unfinished upload is removed.
    pub expire_hours: u64,
}

/// Limits of clients.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitsConfig {
    /// Requests a second for one key.
    pub requests_per_second: u32,
    /// Requests that one key may make at once after a pause.
    pub burst: u32,
    /// Seconds within which the head of a request must arrive.
    pub header_seconds: u64,
    /// Seconds after which a stalled body is given up.
    pub idle_seconds: u64,
    /// Maximum number of connections at a time.
    pub connections: usize,
}

/// Limits of decoding.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecodingConfig {
    /// Refuse to decode if the system lacks a part of the sandbox.
    pub require_sandbox: bool,
}

/// Sources of the corpus.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CorpusConfig {
    /// Folders of this machine below which sources can be added by path; by default none.
    pub folders: Vec<PathBuf>,
}

/// Webhooks.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WebhooksConfig {
    /// Also send to `http:` addresses, where anybody on the way can read and change the messages.
    pub allow_http: bool,
    /// Also send to addresses that are not public, such as those of this machine. For tests and for
    /// receivers next to the service; it lets tenants reach your own network.
    pub allow_private: bool,
    /// Ports that messages may be sent to.
    pub ports: Vec<u16>,
    /// Maximum number of endpoints of one tenant.
    pub max_endpoints: u64,
    /// Seconds for an attempt, from the name look-up to the end of the answer.
    pub time_out_seconds: u64,
    /// Seconds until the first retry of a failed delivery; later pauses are longer.
    pub first_retry_seconds: u64,
}

/// Rechecks of submissions against new public videos.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecheckConfig {
    /// Minimum number of hours between two rechecks. Without a change of the index there is none.
    pub every_hours: f64,
    /// Maximum number of submissions in one recheck; the next one continues.
    pub at_most: u64,
}

impl Default for WebhooksConfig {
    fn default() -> WebhooksConfig {
        WebhooksConfig {
            allow_http: false,
            allow_private: false,
            ports: vec![80, 443],
            max_endpoints: 20,
            time_out_seconds: 15,
            first_retry_seconds: 5,
        }
    }
}

impl Default for RecheckConfig {
    fn default() -> RecheckConfig {
        RecheckConfig {
            every_hours: 0.02,
            at_most: 10_000,
        }
    }
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
            corpus: CorpusConfig::default(),
            webhooks: WebhooksConfig::default(),
            recheck: RecheckConfig::default(),
            review: ReviewConfig::default(),
            oidc: None,
            ray: None,
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
    /// Reads the file, if one is given, and the variables.
    ///
    /// # Errors
    /// A message that names the faulty file or variable.
    pub fn load(
        file: Option<&Path>,
        variables: impl Iterator<Item = (String, String)>,
    ) -> anyhow::Result<Config> {
        let mut table = match file {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("{}: cannot be read", path.display()))?;
                text.parse::<toml::Table>()
                    .with_context(|| format!("{}: not valid TOML", path.display()))?
            }
            None => toml::Table::new(),
        };
        for (name, value) in variables {
            if let Some(setting) = name.strip_prefix(PREFIX) {
                set(&mut table, setting, &value)
                    .with_context(|| format!("{name}: not a setting; see docs/service.md"))?;
            }
        }
        let from = file.map_or_else(
            || "the environment".to_owned(),
            |path| path.display().to_string(),
        );
        let config: Config = table
            .try_into()
            .with_context(|| format!("{from}: a setting is not valid"))?;
        anyhow::ensure!(
            crate::auth::is_tenant(&config.operator),
            "operator: {}",
            crate::auth::TENANT_RULE
        );
        anyhow::ensure!(
            config.recheck.every_hours >= 0.0 && config.recheck.every_hours <= 24.0 * 365.0,
            "recheck.every_hours: give 0 to 8760"
        );
        anyhow::ensure!(
            (1..=60).contains(&config.webhooks.time_out_seconds),
            "webhooks.time_out_seconds: give 1 to 60"
        );
        if let Some(oidc) = &config.oidc {
            oidc.check()?;
        }
        if let Some(ray) = &config.ray {
            ray.check()?;
        }
        Ok(config)
    }

    /// Location of the ledger.
    pub fn ledger(&self) -> Place {
        match &self.ledger {
            Some(text) => Place::parse(text),
            None => Place::File(self.data.join("ledger.db")),
        }
    }

    /// The folder of the index of submissions.
    pub fn submissions(&self) -> PathBuf {
        self.submissions
            .clone()
            .unwrap_or_else(|| self.data.join("ledger.db.index"))
    }

    /// The folder of the index of public videos.
    pub fn index(&self) -> PathBuf {
        self.index
            .clone()
            .unwrap_or_else(|| self.data.join("index"))
    }

    /// The folder of clips, by the ids of their submissions.
    pub fn clips(&self) -> PathBuf {
        self.data.join("clips")
    }

    /// The folder of uploaded sources.
    pub fn sources(&self) -> PathBuf {
        self.data.join("sources")
    }

    /// The folder of snapshots of the index, by their generations.
    pub fn snapshots(&self) -> PathBuf {
        self.data.join("snapshots")
    }

    /// The folder of evidence pages, by the ids of their submissions.
    pub fn pages(&self) -> PathBuf {
        self.data.join("pages")
    }

    /// The folder of certificates and their fingerprints.
    pub fn certificates(&self) -> PathBuf {
        self.data.join("certificates")
    }
}

/// Sets `SECTION__NAME` to a value: parsed as TOML if possible, or else a text.
fn set(table: &mut toml::Table, setting: &str, value: &str) -> anyhow::Result<()> {
    let setting = setting.to_lowercase();
    let parsed = format!("value = {value}")
        .parse::<toml::Table>()
        .ok()
        .and_then(|mut parsed| parsed.remove("value"));
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

/// Prefix of the variables' names.
const PREFIX: &str = "UNIQ_SERVE_";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_example_has_all_settings_with_their_defaults() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/serve.toml");
        let example = format!(
            "{:?}",
            Config::load(Some(&file), std::iter::empty()).unwrap()
        );
        assert_eq!(
            example,
            format!("{:?}", Config::load(None, std::iter::empty()).unwrap())
        );
    }

    #[test]
    fn variables_go_before_the_file_and_a_slip_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("serve.toml");
        std::fs::write(
            &file,
            "listen = \"127.0.0.1:1\"\n[uploads]\nmax_bytes = 7\n",
        )
        .unwrap();
        let variables = [
            ("UNIQ_SERVE_LISTEN", "127.0.0.1:2"),
            ("UNIQ_SERVE_UPLOADS__MAX_OPEN", "3"),
            ("HOME", "/"),
        ];
        let variables = variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter();
        let config = Config::load(Some(&file), variables).unwrap();
        assert_eq!(
            (
                config.listen.port(),
                config.uploads.max_bytes,
                config.uploads.max_open
            ),
            (2, 7, 3)
        );
        let slip = [("UNIQ_SERVE_UPLOADS__MAX_BYTE".to_owned(), "3".to_owned())].into_iter();
        let error = format!("{:#}", Config::load(Some(&file), slip).unwrap_err());
        assert!(error.contains("max_byte"), "{error}");
    }
}
