//! Authenticates callers: API keys, their tenants and scopes.

use axum::extract::FromRequestParts;
use axum::http::{header, request::Parts};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::Problem;
use crate::store::keys;

/// What a key may be used for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// To submit clips and to take them back.
    Submit,
    /// To read submissions, reports and certificates.
    Read,
    /// To decide.
    Review,
    /// To make and revoke keys, and to change the corpus where the tenant is the operator.
    Admin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Scope; 4] = [Scope::Submit, Scope::Read, Scope::Review, Scope::Admin];

    /// Name of the scope.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Submit => "submit",
            Scope::Read => "read",
            Scope::Review => "review",
            Scope::Admin => "admin",
        }
    }

    /// The scope with this name.
    pub fn of(name: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// The caller of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Caller {
    /// The tenant.
    pub tenant: String,
    /// The id of the key.
    pub key: String,
    /// Name of the key.
    pub name: String,
    /// Scopes of the key.
    pub scopes: Vec<Scope>,
}

impl Caller {
    /// Fails unless the key has a scope.
    ///
    /// # Errors
    /// 403.
    pub fn needs(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(&scope) {
            return Ok(());
        }
        Err(Problem::forbidden(format!(
            "the key lacks a scope; use a key with the scope {}",
            scope.name()
        )))
    }

    /// Fails unless the key belongs to an administrator of the operator.
    ///
    /// # Errors
    /// 403.
    pub fn needs_operator(&self, app: &App) -> Result<(), Problem> {
        self.needs(Scope::Admin)?;
        if self.tenant == app.config.operator {
            return Ok(());
        }
        Err(Problem::forbidden(
            "only administrators of the operator's tenant may do this; use one of their keys",
        ))
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Caller, Problem> {
        // If a layer has already checked the caller, the request counts only once.
        if let Some(caller) = parts.extensions.get::<Caller>() {
            return Ok(caller.clone());
        }
        let secret = bearer(parts).ok_or_else(Problem::unauthorized)?;
        let digest = digest_of(secret);
        let key = app
            .database
            .read(move |tables| keys::valid(tables, &digest))
            .await?;
        let key = key.ok_or_else(Problem::unauthorized)?;
        app.limits.check(&key.id)?;
        let scopes = key.scopes.split(' ').filter_map(Scope::of).collect();
        let caller = Caller {
            tenant: key.tenant,
            key: key.id,
            name: key.name,
            scopes,
        };
        parts.extensions.insert(caller.clone());
        Ok(caller)
    }
}

fn bearer(parts: &Parts) -> Option<&str> {
    let value = parts.headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, secret) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && secret.len() <= SECRET_MAX).then_some(secret.trim())
}

/// Makes a new key for a tenant. Returns the record to store, and the key itself, which is shown
/// once.
///
/// # Errors
/// 400 for an invalid tenant name, and 500 without random numbers.
pub fn new_key(
    tenant: &str,
    name: &str,
    scopes: &[Scope],
    now_ms: u64,
) -> Result<(keys::Key, String), Problem> {
    if !is_tenant(tenant) {
        return Err(Problem::invalid(format!("tenant: {TENANT_RULE}")));
    }
    if name.trim().is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
        return Err(Problem::invalid("name: give 1 to 100 visible characters"));
    }
    if scopes.is_empty() {
        return Err(Problem::invalid(
            "scopes: name at least one of submit, read, review, admin",
        ));
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random).map_err(|_| Problem::internal())?;
    let secret = format!("uniq_{}", URL_SAFE_NO_PAD.encode(random));
    let mut names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
    names.sort_unstable();
    names.dedup();
    let key = keys::Key {
        id: crate::store::new_id(),
        tenant: tenant.to_owned(),
        name: name.to_owned(),
        sha256: digest_of(&secret),
        scopes: names.join(" "),
        made_ms: now_ms,
        revoked_ms: None,
    };
    Ok((key, secret))
}

/// SHA-256 in hexadecimal, by which a secret is stored. Secrets are 32 random bytes, too many to
/// try.
pub fn digest_of(secret: &str) -> String {
    hex(&Sha256::digest(secret))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a text is a valid tenant name.
pub fn is_tenant(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

/// Rule for tenant names.
pub const TENANT_RULE: &str = "give 1 to 40 characters of a-z, 0-9 and -";

/// Maximum length of a secret in bytes.
const SECRET_MAX: usize = 200;
