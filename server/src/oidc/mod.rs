//! Log-in of reviewers at a provider: OpenID Connect, authorization code flow with PKCE.
//!
//! The operator names the provider. Its endpoints and keys come from its own metadata. An ID token
//! counts only if [`token::verify`] accepts it.

mod http;
pub mod token;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;

use self::http::Http;
use self::token::{Expected, Invalid, Key};
use crate::config::OidcConfig;
use crate::problem::Problem;

pub use self::http::may_call;

/// A provider; clones share its cached metadata.
#[derive(Clone)]
pub struct Oidc(Arc<Inner>);

struct Inner {
    config: OidcConfig,
    http: Http,
    known: Mutex<Option<Known>>,
}

impl std::fmt::Debug for Oidc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Oidc").field(&self.0.config.issuer).finish()
    }
}

/// The provider's metadata and keys.
#[derive(Clone, Debug)]
struct Known {
    provider: Provider,
    keys: Vec<Key>,
    at: Instant,
}

#[derive(Clone, Debug, Deserialize)]
struct Provider {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
}

#[derive(Debug, Deserialize)]
struct Keys {
    keys: Vec<Value>,
}

#[derive(Debug, Deserialize)]
struct Tokens {
    id_token: String,
}

/// What the browser brings back from the provider.
#[derive(Clone, Debug, Deserialize)]
pub struct Answer {
    /// The code to be exchanged for tokens.
    pub code: Option<String>,
    /// The state with which the browser was sent away.
    pub state: Option<String>,
    /// Why there is no code.
    pub error: Option<String>,
    /// The issuer, from providers that send it.
    pub iss: Option<String>,
}

/// The person who logged in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Person {
    /// The provider's permanent id of the person.
    pub subject: String,
    /// Display name.
    pub name: String,
    /// The tenant.
    pub tenant: String,
}

impl Oidc {
    /// The provider in the settings.
    ///
    /// # Errors
    /// If this host has no root certificates.
    pub fn new(config: OidcConfig) -> anyhow::Result<Oidc> {
        Ok(Oidc(Arc::new(Inner {
            http: Http::new(),
            config,
            known: Mutex::default(),
        })))
    }

    /// The URL at the provider where a person logs in.
    ///
    /// # Errors
    /// 503 if the provider does not answer properly.
    pub async fn address(
        &self,
        redirect: &str,
        state: &str,
        nonce: &str,
        verifier: &str,
    ) -> Result<String, Problem> {
        let provider = self.known(KNOWN).await?.provider;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        let query = [
            ("response_type", "code"),
            ("client_id", &self.0.config.client_id),
            ("redirect_uri", redirect),
            ("scope", &self.0.config.scopes),
            ("state", state),
            ("nonce", nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let query = serde_urlencoded::to_string(query).map_err(|_| Problem::internal())?;
        let joint = if provider.authorization_endpoint.contains('?') {
            '&'
        } else {
            '?'
        };
        Ok(format!("{}{joint}{query}", provider.authorization_endpoint))
    }

    /// The person who has logged in, from the answer that the browser brought back.
    ///
    /// # Errors
    /// 403 if the token is invalid or the person is no reviewer; 503 if the provider does not
    /// answer properly.
    pub async fn person(
        &self,
        answer: &Answer,
        redirect: &str,
        nonce: &str,
        verifier: &str,
        now_ms: u64,
    ) -> Result<Person, Problem> {
        let config = &self.0.config;
        if answer.iss.as_ref().is_some_and(|iss| *iss != config.issuer) {
            return Err(refused("the answer comes from another provider"));
        }
        let Some(code) = answer.code.as_deref().filter(|_| answer.error.is_none()) else {
            return Err(refused("the provider did not let you in"));
        };
        let provider = self.known(KNOWN).await?.provider;
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("code_verifier", verifier),
            ("client_id", &config.client_id),
        ];
        let form = serde_urlencoded::to_string(form).map_err(|_| Problem::internal())?;
        let basic = config.client_secret.as_ref().map(|secret| {
            let quoted = |text: &str| {
                serde_urlencoded::to_string([("", text)]).unwrap_or_default()[1..].to_owned()
            };
            let pair = format!("{}:{}", quoted(&config.client_id), quoted(secret));
            format!("Basic {}", STANDARD.encode(pair))
        });
        let answered = self
            .0
            .http
            .post(&provider.token_endpoint, form, basic)
            .await
            .map_err(unreachable)?;
        let tokens: Tokens =
            serde_json::from_slice(&answered).map_err(|error| unreachable(error.into()))?;
        let expected = Expected {
            issuer: &config.issuer,
            client: &config.client_id,
            nonce,
            now_s: now_ms / 1_000,
        };
        let mut claims = token::verify(&tokens.id_token, &self.known(KNOWN).await?.keys, &expected);
        if matches!(claims, Err(Invalid::UnknownKey)) {
            // The provider may have new keys.
            claims = token::verify(&tokens.id_token, &self.known(ANEW).await?.keys, &expected);
        }
        let claims = claims.map_err(|invalid| {
            tracing::warn!(%invalid, "an ID token was refused");
            refused("the provider's token is not valid")
        })?;
        self.reviewer(&claims)
    }

    fn reviewer(&self, claims: &Map<String, Value>) -> Result<Person, Problem> {
        let config = &self.0.config;
        let text = |name: &str| {
            claims
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| !text.trim().is_empty())
        };
        if let Some(claim) = &config.role_claim {
            let holds = match claims.get(claim) {
                Some(Value::String(role)) => *role == config.role,
                Some(Value::Array(roles)) => {
                    roles.iter().any(|role| role.as_str() == Some(&config.role))
                }
                _ => false,
            };
            if !holds {
                return Err(refused("your account does not have the role of a reviewer"));
            }
        }
        let tenant = config
            .tenant
            .as_deref()
            .or_else(|| text(config.tenant_claim.as_deref()?));
        let tenant = tenant.filter(|tenant| crate::auth::is_tenant(tenant));
        let tenant = tenant
            .ok_or_else(|| refused("your account does not belong to a tenant of this service"))?;
        let subject = text("sub").ok_or_else(|| refused("the provider's token names no person"))?;
        let name = ["name", "preferred_username", "email", "sub"]
            .into_iter()
            .find_map(text)
            .unwrap_or(subject);
        Ok(Person {
            subject: subject.to_owned(),
            name: name.to_owned(),
            tenant: tenant.to_owned(),
        })
    }

    /// The provider's metadata, at most this old.
    async fn known(&self, at_most: Duration) -> Result<Known, Problem> {
        let mut known = self.0.known.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.at.elapsed() < at_most) {
            return Ok(known.clone());
        }
        let asked = self.ask().await.map_err(unreachable)?;
        *known = Some(asked.clone());
        Ok(asked)
    }

    async fn ask(&self) -> anyhow::Result<Known> {
        let issuer = &self.0.config.issuer;
        let address = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        let provider: Provider = serde_json::from_slice(&self.0.http.get(&address).await?)?;
        anyhow::ensure!(
            provider.issuer == *issuer,
            "it calls itself {}",
            provider.issuer
        );
        for address in [
            &provider.authorization_endpoint,
            &provider.token_endpoint,
            &provider.jwks_uri,
        ] {
            anyhow::ensure!(may_call(address), "{address}: not encrypted; use https://");
        }
        let keys: Keys = serde_json::from_slice(&self.0.http.get(&provider.jwks_uri).await?)?;
        let keys = keys.keys.iter().filter_map(Key::of).collect();
        Ok(Known {
            provider,
            keys,
            at: Instant::now(),
        })
    }
}

fn refused(why: &str) -> Problem {
    let detail = format!("{why}; log in again, or with a key");
    Problem::new(
        StatusCode::FORBIDDEN,
        "not_let_in",
        "You cannot be logged in",
        detail,
    )
}

#[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
fn unreachable(error: anyhow::Error) -> Problem {
    tracing::warn!(
        error = format!("{error:#}"),
        "the reviewers' identity provider gave no valid answer"
    );
    Problem::unavailable(
        "the identity provider gave no valid answer; try again, or log in with a key",
        30,
    )
}

/// How long the provider's metadata are cached.
const KNOWN: Duration = Duration::from_secs(3_600);

/// Minimum age of cached metadata before an unknown key makes us request them again.
const ANEW: Duration = Duration::from_secs(1);
