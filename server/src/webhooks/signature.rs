//! Signs messages as Standard Webhooks 1.0.0 says (pure).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A new secret; `None` if the system has no random numbers.
pub fn new_secret() -> Option<String> {
    let mut random = [0; SECRET_BYTES];
    getrandom::fill(&mut random).ok()?;
    Some(format!("{PREFIX}{}", STANDARD.encode(random)))
}

/// The header `webhook-signature`: a signature by each secret, separated by blanks.
pub fn sign<'a>(
    secrets: impl Iterator<Item = &'a str>,
    id: &str,
    timestamp_s: u64,
    body: &str,
) -> String {
    let signatures = secrets.filter_map(|secret| {
        let key = STANDARD.decode(secret.strip_prefix(PREFIX)?).ok()?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
        mac.update(format!("{id}.{timestamp_s}.{body}").as_bytes());
        Some(format!(
            "v1,{}",
            STANDARD.encode(mac.finalize().into_bytes())
        ))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

/// Length of a secret in bytes, 24 to 64 by the specification.
const SECRET_BYTES: usize = 32;

/// Prefix of secrets.
const PREFIX: &str = "whsec_";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_the_specification() {
        // The example of the specification's reference libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = sign(
            [secret].into_iter(),
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn two_secrets_give_two_signatures_and_a_new_one_is_another_each_time() {
        let secrets = [
            new_secret().unwrap_or_default(),
            new_secret().unwrap_or_default(),
        ];
        assert_ne!(secrets[0], secrets[1]);
        let signed = sign(secrets.iter().map(String::as_str), "a", 1, "{}");
        assert_eq!(
            signed
                .split(' ')
                .filter(|one| one.starts_with("v1,") && one.len() == 47)
                .count(),
            2,
            "{signed}"
        );
    }
}
