//! The arguments of `uniq key`, `uniq certify` and `uniq certificate`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};
use uniq::certificate::KeyKind;

use super::{Effort, Guard, IndexOption, Lang, Search};

/// The commands of `uniq key`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key to sign certificates with
    #[command(after_help = "\
Example:
  uniq key new checks.key

It writes the private key (PKCS#8 in PEM, readable only by its owner) to FILE and the public key to FILE.pub, and \
prints the key's identifier: the SHA-256 of the public key in DER. Neither file may exist. Give away FILE.pub, never \
FILE. openssl and other programs read both.")]
    New {
        /// The kind of key
        #[arg(long = "type", value_enum, default_value = "ed25519")]
        kind: KeyType,
        /// The file for the private key
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Show a key's identifier, type and public key
    #[command(after_help = "\
Example:
  uniq key show checks.key.pub

FILE is a public or a private key; nothing secret is printed. With --json it prints one object: key_id, type, public_key.")]
    Show {
        /// The file of the key
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
}

/// The kinds of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyType {
    /// Ed25519, the usual one
    Ed25519,
    /// ECDSA on P-256, which hardware and cloud services support
    P256,
}

impl From<KeyType> for KeyKind {
    fn from(kind: KeyType) -> KeyKind {
        match kind {
            KeyType::Ed25519 => KeyKind::Ed25519,
            KeyType::P256 => KeyKind::P256,
        }
    }
}

/// What signs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Signing")]
pub(crate) struct Signing {
    /// Sign with the private key in this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "signer_command")]
    pub(crate) key: Option<PathBuf>,
    /// Let this shell command sign: it reads the bytes on standard input and writes the signature,
    /// raw or in DER
    #[arg(
        long,
        hide_short_help = true,
        value_name = "COMMAND",
        requires = "public_key"
    )]
    pub(crate) signer_command: Option<String>,
    /// The public key for the signatures of --signer-command
    #[arg(long, hide_short_help = true, value_name = "FILE", value_hint = ValueHint::FilePath, requires = "signer_command")]
    pub(crate) public_key: Option<PathBuf>,
    /// Name of the collection of sources in the certificate
    #[arg(
        long,
        hide_short_help = true,
        value_name = "NAME",
        default_value = "unnamed"
    )]
    pub(crate) name: String,
    /// Address of your policy, for the certificate
    #[arg(long, hide_short_help = true, value_name = "URI")]
    pub(crate) policy_uri: Option<String>,
}

/// What is written beside a certificate.
#[derive(Debug, Clone, Args)]
pub(crate) struct Extras {
    /// Also write the certificate as a Sigstore bundle
    #[arg(long, hide_short_help = true)]
    pub(crate) sigstore_bundle: bool,
    /// Let this shell command add a time stamp: it reads the signature on standard input and writes
    /// an RFC 3161 response
    #[arg(long, hide_short_help = true, value_name = "COMMAND")]
    pub(crate) timestamp_command: Option<String>,
}

/// What `certify` takes.
#[derive(Debug, Args)]
pub(crate) struct Certify {
    /// The clips
    #[arg(required = true, value_name = "CLIP", value_hint = ValueHint::FilePath)]
    pub(crate) clips: Vec<PathBuf>,
    /// Write into this folder
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath, default_value = ".")]
    pub(crate) output: PathBuf,
    /// Write only the bytes to sign, for another program to sign
    #[arg(long, hide_short_help = true, conflicts_with_all = ["key", "signer_command", "sigstore_bundle", "timestamp_command"])]
    pub(crate) statement_only: bool,
    /// Print one JSON object a clip, one line each
    #[arg(long)]
    pub(crate) json: bool,
    /// How hard to look
    #[arg(long, value_enum, default_value = "standard")]
    pub(crate) effort: Effort,
    /// How to search a large index
    ///
    /// Only an exact search can be run again on an index that has grown.
    #[arg(long, hide_short_help = true, value_enum, default_value = "exact")]
    pub(crate) search: Search,
    #[command(flatten)]
    pub(crate) index: IndexOption,
    #[command(flatten)]
    pub(crate) extras: Extras,
    #[command(flatten)]
    pub(crate) signing: Signing,
    #[command(flatten)]
    pub(crate) guard: Guard,
}

/// Whom to believe.
#[derive(Debug, Clone, Args)]
#[group(multiple = false)]
pub(crate) struct Trust {
    /// Trust signatures of this public key
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) key: Option<PathBuf>,
    /// Trust signatures of the keys in this keyring, while they were valid
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) keyring: Option<PathBuf>,
}

/// The commands of `uniq certificate`.
#[derive(Debug, Subcommand)]
pub(crate) enum CertificateCommand {
    /// Show what a certificate claims, without verifying it
    #[command(after_help = "\
Example:
  uniq certificate show clip.mp4.certificate.json

It shows only what the file says; verify it with `uniq certificate verify`. With --json it prints the statement on one \
line.

Exit codes: 0 shown, 2 not a valid certificate.")]
    Show {
        /// The certificate
        #[arg(value_name = "CERT", value_hint = ValueHint::FilePath)]
        certificate: PathBuf,
        /// Print the statement
        #[arg(long)]
        json: bool,
        /// Also write a page with what it claims to this file
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        html: Option<PathBuf>,
        /// The language of the page
        #[arg(long, value_enum, default_value = "en", requires = "html")]
        lang: Lang,
    },
    /// Verify a certificate, without the index and without a network
    #[command(after_help = "\
Example:
  uniq certificate verify clip.mp4.certificate.json --key checks.key.pub --clip clip.mp4

A key or a keyring is required. A keyring is a JSON object {\"keys\": [{\"name\", \"publicKey\", \"validFrom\", \
\"validUntil\"}]}. With --clip, the file must be the one that was checked, byte for byte. With --proof, the proof \
(made by `uniq index prove`) must be about the sources that were searched.

With --json it prints one object: schema, level, key_id, key_name, clip (true or null), proof (inclusion, absence or \
null), statement.

Exit codes: 0 verified, 2 refused, with the reason.")]
    Verify {
        /// The certificate, or its Sigstore bundle
        #[arg(value_name = "CERT", value_hint = ValueHint::FilePath)]
        certificate: PathBuf,
        #[command(flatten)]
        trust: Trust,
        /// The delivered file
        #[arg(long, value_name = "CLIP", value_hint = ValueHint::FilePath)]
        clip: Option<PathBuf>,
        /// A proof that a file was, or was not, among the sources
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        proof: Option<PathBuf>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Run the search of a certificate again
    #[command(after_help = "\
Example:
  uniq certificate reproduce clip.mp4.certificate.json --fingerprint clip.mp4.uniq --key checks.key.pub

Give the snapshot of the index that the certificate names, or an index that has grown since. It is searched as it was \
then, which works until a merge drops something that was in it. Without a key the signature is not checked.

With --json it prints one object: schema, level (reproduced or null), signature (verified or not_checked), equal, \
difference, result_digest, grown, since_generation.

Exit codes: 0 the result is equal, 1 it differs, with the first difference, 2 it cannot be run again, with the reason.")]
    Reproduce {
        /// The certificate
        #[arg(value_name = "CERT", value_hint = ValueHint::FilePath)]
        certificate: PathBuf,
        /// The fingerprint that was written with it
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        fingerprint: PathBuf,
        #[command(flatten)]
        trust: Trust,
        #[command(flatten)]
        index: IndexOption,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        guard: Guard,
    },
    /// Check certificates against sources added to the index later
    #[command(after_help = "\
Example:
  uniq certificate recheck certificates/*.certificate.json --key checks.key -o rechecked --revocations revoked.jsonl

Each gets a new certificate that names the old one. Only sources added later are searched, unless the rules or benign \
material changed or sources were removed; then all are searched, and the output says why. The certificates must be \
signed with the key that signs the new ones, or one of --trust-key or --trust-keyring. Their fingerprints (.uniq) must \
lie beside them, or where --fingerprint says.

With --json it prints one object a certificate: schema, certificate, outcome (holds or superseded), added, in_full \
(why, or null), payable_ms_before, payable_ms, new_certificate. --revocations writes such an object for each \
superseded certificate.

Exit codes: 0 all hold, 1 some are superseded, 2 error.")]
    Recheck(Box<RecheckArgs>),
    /// Tell whether a delivered file is the certified clip, encoded anew
    #[command(
        name = "match",
        after_help = "\
Example:
  uniq certificate match clip.mp4.certificate.json delivered.mov --fingerprint clip.mp4.uniq

The file may have another codec, size and bit rate. It must show the same from start to end, at the same speed, and \
nothing else. Without a key the signature is not checked.

With --json it prints one object: schema, same, identical, signature, differences, passages (start_s, end_s, reason each).

Exit codes: 0 it is the same clip, 1 it is not, with the reason, 2 error."
    )]
    Match {
        /// The certificate
        #[arg(value_name = "CERT", value_hint = ValueHint::FilePath)]
        certificate: PathBuf,
        /// The delivered file
        #[arg(value_name = "DELIVERED", value_hint = ValueHint::FilePath)]
        delivered: PathBuf,
        /// The fingerprint that was written with the certificate
        #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
        fingerprint: PathBuf,
        #[command(flatten)]
        trust: Trust,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        guard: Guard,
    },
}

/// What `recheck` takes.
#[derive(Debug, Args)]
pub(crate) struct RecheckArgs {
    /// The certificates
    #[arg(required = true, value_name = "CERT", value_hint = ValueHint::FilePath)]
    pub(crate) certificates: Vec<PathBuf>,
    /// Also look for fingerprints here: files, or folders of them
    #[arg(long, value_name = "PATH", value_hint = ValueHint::AnyPath)]
    pub(crate) fingerprint: Vec<PathBuf>,
    /// Write the new certificates into this folder
    #[arg(short, long, value_name = "DIR", value_hint = ValueHint::DirPath, default_value = ".")]
    pub(crate) output: PathBuf,
    /// Write a line for each superseded certificate to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) revocations: Option<PathBuf>,
    /// Trust old certificates signed with this public key
    #[arg(long, hide_short_help = true, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "trust_keyring")]
    pub(crate) trust_key: Option<PathBuf>,
    /// Trust old certificates signed with the keys in this keyring
    #[arg(long, hide_short_help = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) trust_keyring: Option<PathBuf>,
    /// Print one JSON object a certificate
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) index: IndexOption,
    #[command(flatten)]
    pub(crate) signing: Signing,
}
