//! Signers: a key in a file, or a command that signs with a key elsewhere.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;

use uniq::Error;
use uniq::certificate::{PrivateKey, PublicKey, Signer, Terms};

use crate::args::Signing;
use crate::text::plain;

/// The signer that the options name; `None` if they name none.
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

/// As [`choose`], but fails if the options name no signer.
pub(crate) fn required(signing: &Signing) -> anyhow::Result<Box<dyn Signer + Sync>> {
    choose(signing)?.ok_or_else(|| {
        anyhow::anyhow!("no key to sign with; name one with --key FILE (make one with: uniq key new FILE), or give --signer-command and --public-key")
    })
}

/// Terms of a certificate from the options.
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

/// Runs a shell command with these bytes on standard input. Returns its output, or what went wrong.
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
        // A command that does not read all of its input still counts by its output.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input)));
        child.wait_with_output()
    });
    let output = output.map_err(|error| format!("cannot be read: {error}"))?;
    if !output.status.success() {
        return Err(format!("ended with {} ({})", output.status, plain(command)));
    }
    Ok(output.stdout)
}
