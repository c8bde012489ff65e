//! Verifies ID tokens (pure): they must be signed by the provider, for this service and this
//! log-in, and be valid now.
//!
//! A token is a JSON Web Signature of three parts. Only RS256 and ES256 are accepted, each with its
//! own kind of key, so that a token cannot choose its verification. `ring` verifies the signatures;
//! the connections to the provider use it too. Crates for whole tokens depend on the crate `rsa`,
//! which has a timing leak (RUSTSEC-2023-0071).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A public key of a provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Key {
    id: Option<String>,
    numbers: Numbers,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Numbers {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// A point, uncompressed.
    P256(Vec<u8>),
}

impl Key {
    /// Parses a key; `None` if its kind or use is not accepted here.
    pub fn of(json: &Value) -> Option<Key> {
        let text = |name: &str| json.get(name).and_then(Value::as_str);
        let bytes = |name: &str| URL_SAFE_NO_PAD.decode(text(name)?).ok();
        if text("use").is_some_and(|usage| usage != "sig") {
            return None;
        }
        let numbers = match (text("kty")?, text("alg")) {
            ("RSA", None | Some("RS256")) => Numbers::Rsa {
                n: bytes("n")?,
                e: bytes("e")?,
            },
            ("EC", None | Some("ES256")) if text("crv") == Some("P-256") => {
                let (x, y) = (bytes("x")?, bytes("y")?);
                if x.len() != 32 || y.len() != 32 {
                    return None;
                }
                Numbers::P256([vec![4], x, y].concat())
            }
            _ => return None,
        };
        Some(Key {
            id: text("kid").map(str::to_owned),
            numbers,
        })
    }

    fn has_signed(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        match (&self.numbers, algorithm) {
            (Numbers::Rsa { n, e }, Algorithm::Rs256) => RsaPublicKeyComponents { n, e }
                .verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
                .is_ok(),
            (Numbers::P256(point), Algorithm::Es256) => {
                UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
                    .verify(message, signature)
                    .is_ok()
            }
            _ => false,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
enum Algorithm {
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "ES256")]
    Es256,
}

#[derive(Debug, Deserialize)]
struct Header {
    alg: Algorithm,
    kid: Option<String>,
    crit: Option<Value>,
}

/// Required claims of a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expected<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// The client that it is for.
    pub client: &'a str,
    /// The nonce of the log-in.
    pub nonce: &'a str,
    /// The time in seconds since 1970.
    pub now_s: u64,
}

/// Why a token is invalid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Invalid {
    /// It is not a token, or uses an unsupported feature.
    Form,
    /// No known key has its key id.
    UnknownKey,
    /// Its signature is not by that key.
    Signature,
    /// A claim is missing or wrong.
    Claim(&'static str),
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Invalid::Form => f.write_str("it is not a token of a known kind"),
            Invalid::UnknownKey => f.write_str("its key is unknown"),
            Invalid::Signature => f.write_str("its signature is not valid"),
            Invalid::Claim(name) => write!(f, "its claim {name} is not valid"),
        }
    }
}

/// Verifies a token and returns its claims.
///
/// # Errors
/// Why it is invalid.
pub fn verify(
    token: &str,
    keys: &[Key],
    expected: &Expected<'_>,
) -> Result<Map<String, Value>, Invalid> {
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Invalid::Form);
    };
    let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Invalid::Form);
    let said: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| Invalid::Form)?;
    if said.crit.is_some() {
        return Err(Invalid::Form);
    }
    let signature = decoded(signature)?;
    let message = &token.as_bytes()[..header.len() + 1 + payload.len()];
    let named: Vec<&Key> = keys
        .iter()
        .filter(|key| said.kid.is_none() || key.id == said.kid)
        .collect();
    if named.is_empty() {
        return Err(Invalid::UnknownKey);
    }
    if !named
        .iter()
        .any(|key| key.has_signed(said.alg, message, &signature))
    {
        // Without a key id, it may be signed by a newer key.
        return Err(if said.kid.is_none() {
            Invalid::UnknownKey
        } else {
            Invalid::Signature
        });
    }
    let claims: Map<String, Value> =
        serde_json::from_slice(&decoded(payload)?).map_err(|_| Invalid::Form)?;
    check(&claims, expected)?;
    Ok(claims)
}

fn check(claims: &Map<String, Value>, expected: &Expected<'_>) -> Result<(), Invalid> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let seconds = |name: &str| claims.get(name).and_then(Value::as_f64);
    let must = |is_so: bool, name| {
        if is_so {
            Ok(())
        } else {
            Err(Invalid::Claim(name))
        }
    };
    let now = expected.now_s as f64;
    must(text("iss") == Some(expected.issuer), "iss")?;
    let (is_for_us, is_for_others) = match claims.get("aud") {
        Some(Value::String(aud)) => (aud == expected.client, false),
        Some(Value::Array(all)) => (
            all.iter().any(|aud| aud.as_str() == Some(expected.client)),
            all.len() > 1,
        ),
        _ => (false, false),
    };
    must(is_for_us, "aud")?;
    must(
        !is_for_others && !claims.contains_key("azp") || text("azp") == Some(expected.client),
        "azp",
    )?;
    must(
        seconds("exp").is_some_and(|exp| now < exp + LEEWAY_S),
        "exp",
    )?;
    let has_begun = |name: &str| {
        !claims.contains_key(name) || seconds(name).is_some_and(|at| at <= now + LEEWAY_S)
    };
    must(has_begun("iat"), "iat")?;
    must(has_begun("nbf"), "nbf")?;
    must(text("nonce") == Some(expected.nonce), "nonce")?;
    must(text("sub").is_some_and(|sub| !sub.is_empty()), "sub")
}

/// Maximum difference between the clocks of provider and service, in seconds.
const LEEWAY_S: f64 = 60.0;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use ring::rand::SystemRandom;
    use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
    use serde_json::json;

    use super::*;

    const EXPECTED: Expected<'_> = Expected {
        issuer: "https://id.example",
        client: "uniq",
        nonce: "n",
        now_s: 1_000,
    };

    struct Signer(EcdsaKeyPair);

    impl Signer {
        fn new() -> Signer {
            let random = SystemRandom::new();
            let pkcs8 =
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            let key =
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
                    .unwrap();
            Signer(key)
        }

        fn key(&self) -> Key {
            let point = self.0.public_key().as_ref();
            let part = |range| URL_SAFE_NO_PAD.encode(&point[range]);
            let json = json!({"kty": "EC", "crv": "P-256", "kid": "a", "x": part(1..33), "y": part(33..65)});
            Key::of(&json).unwrap()
        }

        fn token(&self, header: &Value, claims: &Value) -> String {
            let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
            let message = format!("{}.{}", part(header), part(claims));
            let signature = self
                .0
                .sign(&SystemRandom::new(), message.as_bytes())
                .unwrap();
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
        }
    }

    fn claims() -> Value {
        json!({"iss": "https://id.example", "aud": "uniq", "exp": 1_100, "iat": 990, "nonce": "n", "sub": "ada"})
    }

    #[test]
    fn a_token_with_one_claim_that_is_wrong_is_refused() {
        let signer = Signer::new();
        let (header, keys) = (json!({"alg": "ES256", "kid": "a"}), [signer.key()]);
        assert!(verify(&signer.token(&header, &claims()), &keys, &EXPECTED).is_ok());
        let wrong = [
            ("iss", json!("https://id.example/")),
            ("aud", json!("other")),
            ("aud", json!(["other"])),
            ("aud", json!(["uniq", "other"])),
            ("azp", json!("other")),
            ("exp", json!(940)),
            ("exp", json!("1100")),
            ("iat", json!(1_100)),
            ("nbf", json!(1_100)),
            ("nonce", json!("m")),
            ("sub", json!("")),
        ];
        for (name, value) in wrong {
            let mut claims = claims();
            claims[name] = value.clone();
            let said = verify(&signer.token(&header, &claims), &keys, &EXPECTED);
            assert!(
                matches!(said, Err(Invalid::Claim(_))),
                "{name}: {value}: {said:?}"
            );
        }
        for name in ["iss", "aud", "exp", "nonce", "sub"] {
            let mut claims = claims();
            claims.as_object_mut().unwrap().remove(name);
            assert!(
                verify(&signer.token(&header, &claims), &keys, &EXPECTED).is_err(),
                "without {name}"
            );
        }
    }

    #[test]
    fn no_token_chooses_how_it_is_verified() {
        let (signer, other) = (Signer::new(), Signer::new());
        let keys = [signer.key()];
        let token = |header: &Value| signer.token(header, &claims());
        for header in [
            json!({"alg": "none"}),
            json!({"alg": "HS256", "kid": "a"}),
            json!({"alg": "RS256", "kid": "a"}),
            json!({"alg": "ES256", "kid": "a", "crit": ["b64"]}),
            json!({"kid": "a"}),
        ] {
            assert!(
                verify(&token(&header), &keys, &EXPECTED).is_err(),
                "{header}"
            );
        }
        let forged = other.token(&json!({"alg": "ES256", "kid": "a"}), &claims());
        assert_eq!(verify(&forged, &keys, &EXPECTED), Err(Invalid::Signature));
        let unknown = other.token(&json!({"alg": "ES256", "kid": "b"}), &claims());
        assert_eq!(verify(&unknown, &keys, &EXPECTED), Err(Invalid::UnknownKey));
        let fine = token(&json!({"alg": "ES256", "kid": "a"}));
        let (unsigned, _) = fine.rsplit_once('.').unwrap();
        for token in [
            unsigned.to_owned(),
            format!("{unsigned}."),
            format!("{fine}."),
            String::new(),
            "..".to_owned(),
        ] {
            assert!(verify(&token, &keys, &EXPECTED).is_err(), "{token}");
        }
    }

    /// The example of RFC 7515, appendix A.2.
    #[test]
    fn a_signature_by_rsa_is_verified_and_one_bit_less_is_not() {
        let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-\
                 pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg\
                 665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW\
                 yuXpoQ";
        let token = "eyJhbGciOiJSUzI1NiJ9.\
                     eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
                     cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CU\
                     Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO\
                     --xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN\
                     _IoypGlUPQGe77Rw";
        let key =
            |id: &str| Key::of(&json!({"kty": "RSA", "kid": id, "n": n, "e": "AQAB"})).unwrap();
        let expected = Expected {
            issuer: "joe",
            client: "uniq",
            nonce: "n",
            now_s: 1_300_819_000,
        };
        assert_eq!(
            verify(token, &[key("a")], &expected),
            Err(Invalid::Claim("aud")),
            "signed, and for nobody"
        );
        let changed = token.replace("LA0KICJleHAi", "LA0KICJleHAj");
        assert_eq!(
            verify(&changed, &[key("a")], &expected),
            Err(Invalid::UnknownKey)
        );
    }
}
