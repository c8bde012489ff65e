//! The evidence page of a submission, made once for each state of ledger and index, and stored.

use std::fs;
use std::path::PathBuf;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;
use uniq::evidence_page::{self, Lang, Options, SourceNames};

use crate::answer;
use crate::app::{App, blocking};
use crate::problem::Problem;
use crate::store::submissions::Listed;

/// The page of a submission as its tenant may see it.
///
/// # Errors
/// 409 if there is no answer, and those of the ledger and the index.
pub(crate) async fn page(app: &App, of: &Listed, lang: Lang) -> Result<Response, Problem> {
    // Frames are decoded for it, so only one page is made at a time.
    let _turn = MAKING.acquire().await;
    let (making, of) = (app.clone(), of.clone());
    let html = blocking(move || made(&making, &of, lang)).await?;
    let policy = policy(&html).ok_or_else(Problem::internal)?;
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (header::CONTENT_SECURITY_POLICY, policy),
        (
            HeaderName::from_static("x-frame-options"),
            HeaderValue::from_static("SAMEORIGIN"),
        ),
    ];
    Ok((headers, html).into_response())
}

fn made(app: &App, of: &Listed, lang: Lang) -> Result<String, Problem> {
    let report = app
        .database
        .with(|ledger| answer::report(app, ledger, &of.tenant, &of.id, of.number))?;
    let report =
        report.ok_or_else(|| Problem::conflict("the submission has no answer; see its state"))?;
    let index = app.corpus.current()?;
    let text = serde_json::to_vec(&report).map_err(|_| Problem::internal())?;
    let state = Sha256::new()
        .chain_update(text)
        .chain_update(index.state().root.as_bytes())
        .finalize();
    let mark = format!(
        "<!-- {} {} -->\n",
        env!("CARGO_PKG_VERSION"),
        crate::auth::hex(&state)
    );
    let file = file(app, &of.id, lang);
    if let Ok(kept) = fs::read_to_string(&file)
        && kept.ends_with(&mark)
    {
        return Ok(kept);
    }
    let clip = app.clip(&of.id);
    let clip = (of.kind == "clip" && clip.exists()).then_some(clip);
    let sources = SourceNames::FileNames;
    let options = Options {
        lang,
        decoding: &app.decoding,
        cancel: Some(&app.stopping),
        sources,
    };
    let page = evidence_page::of_report(&report, clip.as_deref(), Some(&index), &options)?;
    let page = format!("{page}{mark}");
    crate::worker::write(&file, page.as_bytes())?;
    Ok(page)
}

/// The page's own content security policy, plus rules against framing and scripts.
fn policy(html: &str) -> Option<HeaderValue> {
    let (_, rest) = html.split_once("Content-Security-Policy\" content=\"")?;
    let (own, _) = rest.split_once('"')?;
    HeaderValue::from_str(&format!("{own}; frame-ancestors 'self'; sandbox")).ok()
}

/// Removes the pages, the clip and the fingerprint of a submission.
pub(crate) fn forget(app: &App, id: &str) {
    let fingerprint = app.config.certificates().join(format!("{id}.uniq"));
    for path in [
        file(app, id, Lang::En),
        file(app, id, Lang::Ar),
        app.clip(id),
        fingerprint,
    ] {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(%error, "a file of a withdrawn submission cannot be removed");
            }
            _ => {}
        }
    }
}

fn file(app: &App, id: &str, lang: Lang) -> PathBuf {
    app.config.pages().join(format!(
        "{id}.{}.html",
        if lang == Lang::Ar { "ar" } else { "en" }
    ))
}

/// Limits pages that are made at a time.
static MAKING: Semaphore = Semaphore::const_new(1);
