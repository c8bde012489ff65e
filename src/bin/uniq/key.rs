//! `uniq key`: makes and shows keys.

use std::path::Path;

use serde_json::json;
use uniq::certificate::{KeyKind, PrivateKey, PublicKey, Signer as _};
use uniq::sandbox::json_line;

use crate::args::KeyCommand;
use crate::exit::Exit;
use crate::output;
use crate::text::plain;

/// Runs one of the commands.
pub(crate) fn run(command: &KeyCommand) -> anyhow::Result<Exit> {
    match command {
        KeyCommand::New { kind, file } => {
            let key = PrivateKey::generate((*kind).into())?;
            let public = key.save(file)?;
            let (file, public) = (file.display().to_string(), public.display().to_string());
            let text = format!(
                "key id       {}\nprivate key  {}, keep it secret\npublic key   {}, give it to others\n",
                key.public_key().key_id(),
                plain(&file),
                plain(&public)
            );
            output::print(text.as_bytes())?;
        }
        KeyCommand::Show { file, json } => {
            let key = either(file)?;
            let kind = match key.kind() {
                KeyKind::Ed25519 => "ed25519",
                KeyKind::P256 => "p256",
            };
            let text = if *json {
                json_line(
                    &json!({ "key_id": key.key_id(), "type": kind, "public_key": key.to_pem() }),
                )? + "\n"
            } else {
                format!("key id  {}\ntype    {kind}\n{}", key.key_id(), key.to_pem())
            };
            output::print(text.as_bytes())?;
        }
    }
    Ok(Exit::Success)
}

/// The public key in a file that holds it, or holds its private key.
fn either(file: &Path) -> uniq::Result<PublicKey> {
    let text = uniq::certificate::read(file, 1 << 16)?;
    if String::from_utf8_lossy(&text).contains("PRIVATE KEY-----") {
        PrivateKey::load(file).map(|key| key.public_key().clone())
    } else {
        PublicKey::load(file)
    }
}
