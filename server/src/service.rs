//! Starts the service, and stops it without losing anything.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::SystemTime;

use anyhow::Context as _;
use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use uniq::certificate::PrivateKey;
use uniq::ledger::{Mode, Slots};
use uniq::media::Links;
use uniq::rates::RateCard;
use uniq::sandbox::{Decoding, Demand, Journal, Place, Quarantine, Worker};

use crate::app::{App, Parts};
use crate::config::Config;
use crate::corpus::Corpus;
use crate::database::Database;
use crate::events::Outbox;
use crate::limits::Limits;
use crate::oidc::Oidc;
use crate::problem::Problem;
use crate::ray::Ray;
use crate::store::{idempotency, jobs};
use crate::{api, body, connections, health, review, webhooks, worker};

/// Opens everything that the service needs.
///
/// # Errors
/// A message that names what is missing or broken.
pub fn open(config: Config) -> anyhow::Result<App> {
    health::prepare();
    for folder in [
        "",
        "clips",
        "uploads",
        "pages",
        "certificates",
        "sources",
        "snapshots",
    ] {
        let folder = config.data.join(folder);
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("{}: cannot be made", folder.display()))?;
    }
    let database = Database::open(config.ledger(), config.submissions(), Arc::new(Outbox))?;
    let corpus = Corpus::new(config.index());
    let ray = config
        .ray
        .clone()
        .map(|ray| Arc::new(Ray::new(ray, corpus.dir())));
    // Logs why there is none.
    let _ = corpus.current();
    let signer = config
        .certificate
        .key
        .as_deref()
        .map(PrivateKey::load)
        .transpose()?;
    let workers = config.workers.unwrap_or_else(worker::cores);
    Ok(App::new(Parts {
        database,
        corpus,
        ray,
        decoding: decoding(&config)?,
        slots: Slots::new(workers),
        card: config.rates.as_deref().map(RateCard::open).transpose()?,
        signer: signer.map(|key| Box::new(key) as Box<dyn uniq::certificate::Signer + Send + Sync>),
        oidc: config.oidc.clone().map(Oidc::new).transpose()?,
        limits: Limits::new(config.limits.requests_per_second, config.limits.burst),
        uploads: Default::default(),
        answers: Default::default(),
        stopping: Arc::new(AtomicBool::new(false)),
        changed: broadcast::channel(16).0,
        streams: api::stream::Streams::default(),
        instance: instance(&config)?,
        config,
    }))
}

/// Clips are decoded in unprivileged processes of this program.
fn decoding(config: &Config) -> anyhow::Result<Decoding> {
    let demand = if config.decoding.require_sandbox {
        Demand::Everything
    } else {
        Demand::WhatThereIs
    };
    let kept = ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"];
    let environment = kept
        .iter()
        .filter_map(|name| Some((name.into(), std::env::var_os(name)?)))
        .collect();
    let running = std::path::PathBuf::from("/proc/self/exe");
    let program = if running.exists() {
        running
    } else {
        std::env::current_exe()?
    };
    let worker = Worker {
        program,
        environment,
        demand,
    };
    let lacking = worker.start()?.lacking();
    if !lacking.is_empty() {
        tracing::warn!(
            missing = lacking.join(", "),
            "decoding is not fully protected here; run uniq doctor to see what to do"
        );
    }
    let journal = Journal::open(
        &config.data.join("quarantine.jsonl"),
        Quarantine::Keep,
        SystemTime::now,
    )?;
    Ok(Decoding {
        place: Place::Worker(worker),
        links: Links::Refuse,
        journal: Some(Arc::new(journal)),
        ..Decoding::in_process()
    })
}

/// A name of this service that stays the same over restarts: one for each data folder and host.
fn instance(config: &Config) -> anyhow::Result<String> {
    let file = config.data.join("instance");
    if let Ok(text) = std::fs::read_to_string(&file)
        && crate::api::page::is_id(text.trim())
    {
        return Ok(format!("{}.{}", text.trim(), host()));
    }
    let id = crate::store::new_id();
    worker::write(&file, id.as_bytes())?;
    Ok(format!("{id}.{}", host()))
}

/// This host's name, without characters that are special in SQL patterns.
fn host() -> String {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' {
                c
            } else {
                '-'
            }
        })
        .collect()
}

/// Makes this the only service of this host on its data folder, until the lock is dropped or the
/// process ends.
///
/// # Errors
/// If there is another one.
pub fn alone(config: &Config) -> anyhow::Result<std::fs::File> {
    let path = config.data.join(format!("serve.{}.lock", host()));
    let file = std::fs::File::create(&path)
        .with_context(|| format!("{}: cannot be made", path.display()))?;
    let taken = file.try_lock();
    let folder = config.data.display();
    taken.map_err(|_| {
        anyhow::anyhow!(
            "{folder}: another service uses this folder; stop it, or set another `data`"
        )
    })?;
    Ok(file)
}

/// Connects to the Ray cluster, if there is one to search the index.
///
/// # Errors
/// A message with the fault and the remedy.
pub fn reach(app: &App) -> anyhow::Result<Option<JoinHandle<()>>> {
    let start = |ray: &Arc<Ray>| ray.start(Arc::clone(&app.stopping));
    app.ray.as_ref().map(start).transpose()
}

/// All routes.
pub fn router(app: &App) -> Router {
    let (router, _) = api::router().split_for_parts();
    let fixed = |name: &'static str, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    };
    router
        .route(
            "/",
            axum::routing::get(|| async { axum::response::Redirect::to("/review") }),
        )
        .route("/docs", axum::routing::get(api::docs::page))
        .merge(review::router())
        .fallback(|| async { Problem::not_found("address") })
        .method_not_allowed_fallback(|| async {
            let title = "The method is not allowed here";
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                title,
                "see /v1/openapi.json",
            )
        })
        .layer(from_fn_with_state(
            app.clone(),
            crate::idempotency::answered_once,
        ))
        .layer(from_fn_with_state(app.clone(), body::watched))
        .layer(CatchPanicLayer::custom(|_| {
            tracing::error!("a request panicked");
            axum::response::IntoResponse::into_response(Problem::internal())
        }))
        .layer(fixed("x-content-type-options", "nosniff"))
        .layer(fixed("referrer-policy", "no-referrer"))
        .layer(fixed("cache-control", "no-store"))
        .layer(axum::middleware::from_fn(health::measured))
        .with_state(app.clone())
}

/// Serves until `stop` completes, and then ends running work.
///
/// # Errors
/// If the service cannot listen or ends by itself.
pub async fn serve(
    app: App,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> anyhow::Result<()> {
    let starting = app.clone();
    let threads = tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
        let released = starting.database.with(|ledger| {
            ledger.transaction(Mode::Write, |tables| {
                idempotency::release_all(tables, &starting.instance)?;
                jobs::release_all(tables, &starting.instance)
            })
        })?;
        if released > 0 {
            tracing::info!(jobs = released, "continuing unfinished work");
        }
        Ok(worker::start(&starting)?)
    })
    .await??;
    let sending = tokio::spawn(webhooks::run(app.clone()));
    let stopping = app.clone();
    let graceful = async move {
        stop.await;
        tracing::info!("stopping");
        stopping.stopping.store(true, Ordering::SeqCst);
        stopping.uploads.stop();
    };
    connections::serve(listener, router(&app), &app.config.limits, graceful).await;
    app.stopping.store(true, Ordering::SeqCst);
    let _ = sending.await;
    tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())))
        .await?;
    Ok(())
}
