//! What signs: a key in a file, or a command that has one somewhere else.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use uniq::Error;
use uniq::certificate::{PrivateKey, PublicKey, Signer, Terms};

use crate::args::Signing;
use crate::text::plain;

/// Makes ready what the options name; `None` if they name nothing.
pub(crate) fn choose(signing: &Signing) -> anyhow::Result<Option<Box<dyn Signer + Sync>>> {
    Ok(
        match (&signing.key, &signing.signer_command, &signing.public_key) {
            (Some(file), _, _) => Some(Box::new(PrivateKey::load(file)?)),
            (None, Some(command), Some(public)) => Some(Box::new(Foreign {
                command: command.clone(),
                public: PublicKey::load(public)?,
            })),
            _ => None,
        },
    )
}

/// As [`choose`]; that nothing is named is an error.
pub(crate) fn required(signing: &Signing) -> anyhow::Result<Box<dyn Signer + Sync>> {
    choose(signing)?.ok_or_else(|| {
        anyhow::anyhow!("no key to sign with; name one with --key FILE (make one with: uniq key new FILE), or give --signer-command and --public-key")
    })
}

/// What the options say of a certificate.
pub(crate) fn terms(signing: &Signing) -> Terms<'_> {
    Terms {
        name: &signing.name,
        policy_uri: signing.policy_uri.as_deref(),
    }
}

/// A command that signs.
struct Foreign {
    command: String,
    public: PublicKey,
}

impl Signer for Foreign {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> uniq::Result<Vec<u8>> {
        let refuse = |reason: String| Error::NotSigned {
            reason: format!("--signer-command {reason}"),
        };
        let given = piped(&self.command, message).map_err(refuse)?;
        let normal = self.public.normal_form(&given);
        normal.ok_or_else(|| {
            refuse(format!(
                "wrote {} bytes that are not a signature of the key in --public-key",
                given.len()
            ))
        })
    }
}

/// Runs a shell command with these bytes on standard input; gives what it writes, or what went
/// wrong.
pub(crate) fn piped(command: &str, input: &[u8]) -> Result<Vec<u8>, String> {
    let child = Command::new("/bin/sh")
        .arg("-c")
        .arg(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|error| format!("cannot be run: {error}"))?;
    let stdin = child.stdin.take();
    let output = thread::scope(|scope| {
        // One that does not read all of it says what it says all the same.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output()
    });
    let output = output.map_err(|error| format!("cannot be read: {error}"))?;
    if !output.status.success() {
        return Err(format!("ended with {} ({})", output.status, plain(command)));
    }
    Ok(output.stdout)
}
