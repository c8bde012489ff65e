//! Copies everything that the service stores, while it runs.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use uniq::Index;

use crate::config::Config;
use crate::database::Database;
use crate::events::Outbox;

/// Copies the data folder into a new one, which can replace it: first the ledger with the index of
/// its submissions at one moment, then clips, certificates and the index of public videos. Files
/// that never change are linked where possible.
///
/// # Errors
/// If the folder is not empty or something cannot be copied; the message names it.
pub fn backup(config: &Config, folder: &Path) -> anyhow::Result<()> {
    ensure!(
        fs::symlink_metadata(folder).is_err(),
        "{}: the folder exists; name a new one",
        folder.display()
    );
    let is_file = matches!(config.ledger(), uniq::ledger::Place::File(_));
    ensure!(
        is_file,
        "uniq does not back up PostgreSQL; use pg_dump, and copy the data folder yourself"
    );
    fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
    let database = Database::open(config.ledger(), config.submissions(), Arc::new(Outbox))?;
    database.with(|ledger| uniq::ledger::backup(ledger, &database.books(), folder))?;
    // The copied ledger does not know files that came after it, which does no harm.
    for name in ["clips", "certificates", "sources"] {
        copy(&config.data.join(name), &folder.join(name))?;
    }
    if Index::exists(&config.index()) {
        Index::open(&config.index())?.copy_to(&folder.join("index"))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    if !from.exists() {
        return Ok(());
    }
    fs::create_dir_all(to).with_context(|| format!("{}: cannot be made", to.display()))?;
    for entry in
        fs::read_dir(from).with_context(|| format!("{}: cannot be read", from.display()))?
    {
        let file = entry?.path();
        let copy = to.join(file.file_name().unwrap_or_default());
        match fs::hard_link(&file, &copy).or_else(|_| fs::copy(&file, &copy).map(drop)) {
            // It was withdrawn meanwhile or was not finished.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            other => other.with_context(|| format!("{}: cannot be copied", file.display()))?,
        }
    }
    Ok(())
}
