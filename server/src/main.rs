//! The program `uniq-serve`, which `uniq serve` executes.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::LazyLock;

use anyhow::Context as _;
use clap::builder::NonEmptyStringValueParser;
use clap::{Parser, Subcommand};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use uniq::ledger::Mode;
use uniq_server::auth::Scope;
use uniq_server::database::now_ms;
use uniq_server::store::keys;
use uniq_server::{Config, auth, service};

const EXAMPLE: &str = "\
Example:
  uniq serve --demo                                        try it with generated footage
  uniq serve key --tenant acme --name uploader             make an API key, printed once
  uniq serve --config uniq.toml                            run it
  uniq serve --config uniq.toml --ray auto                 search with the Ray cluster of this host

The settings and the interface are described in docs/service.md.";

/// Output of `uniq serve --version`: version, commit and the FFmpeg of this computer.
static VERSION: LazyLock<String> = LazyLock::new(|| uniq::report::Tool::this().to_string());

/// Run the intake service
#[derive(Debug, Parser)]
#[command(name = "uniq serve", bin_name = "uniq serve", version = VERSION.as_str(), after_help = EXAMPLE)]
struct Args {
    /// File with the settings, in TOML
    #[arg(long, value_name = "FILE", global = true, env = "UNIQ_SERVE_CONFIG")]
    config: Option<PathBuf>,
    /// Try it with generated footage, in a temporary folder
    #[arg(long)]
    demo: bool,
    /// Search with the Ray cluster at this address; auto: the one of this host
    ///
    /// This starts a helper in a Python that has the packages uniq and ray.
    #[arg(long, value_name = "ADDRESS", value_parser = NonEmptyStringValueParser::new())]
    ray: Option<String>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an API key and print it
    Key {
        /// The tenant that owns the key
        #[arg(long)]
        tenant: String,
        /// A name that tells who or what holds it
        #[arg(long)]
        name: String,
        /// What it allows: submit, read, review, admin
        #[arg(long, value_delimiter = ',', default_value = "submit,read")]
        scopes: Vec<String>,
    },
    /// Copy all data of the service into a new folder, while it runs
    Backup {
        /// The folder; to restore, set `data` to it
        folder: PathBuf,
    },
    /// Print the description of the HTTP interface
    Openapi,
}

fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    // Before anything else, so that this process gives up its rights at once.
    if args
        .get(1)
        .is_some_and(|first| first == uniq::sandbox::SUBCOMMAND)
    {
        return decode(&args);
    }
    // The command `uniq` passes on all its arguments.
    if args.get(1).is_some_and(|first| first == "serve") {
        args.remove(1);
    }
    match run(Args::parse_from(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr().lock(), "uniq: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Decodes the file on standard input for the parent process.
fn decode(args: &[OsString]) -> ExitCode {
    use std::os::fd::AsFd as _;
    let job = args.get(2).and_then(|job| job.to_str()).unwrap_or_default();
    let input = std::io::stdin().as_fd().try_clone_to_owned();
    let output = std::io::stdout().as_fd().try_clone_to_owned();
    match (input, output) {
        (Ok(input), Ok(output)) => {
            uniq::serve(job, input, output).map_or(ExitCode::from(2), |()| ExitCode::SUCCESS)
        }
        _ => ExitCode::from(2),
    }
}

fn run(args: Args) -> anyhow::Result<()> {
    if let Some(Command::Openapi) = args.command {
        return print(&uniq_server::api::document()?);
    }
    allow_many_files();
    let mut config = Config::load(args.config.as_deref(), std::env::vars())?;
    if let Some(address) = args.ray {
        config.ray.get_or_insert_default().address = address;
    }
    match args.command {
        Some(Command::Key {
            tenant,
            name,
            scopes,
        }) => make_key(config, &tenant, &name, &scopes),
        Some(Command::Backup { folder }) => uniq_server::backup::backup(&config, &folder),
        _ if args.demo => demo(config),
        _ => serve(config, false),
    }
}

/// Raises the limit of open files: connections and files of the index stay open.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    // If this fails, opening a very large index reports what to do.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    );
}

fn make_key(config: Config, tenant: &str, name: &str, scopes: &[String]) -> anyhow::Result<()> {
    let scopes = scopes
        .iter()
        .map(|name| {
            Scope::of(name).with_context(|| {
                format!("{name}: not a scope; give some of submit, read, review, admin")
            })
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    let (key, secret) = auth::new_key(tenant, name, &scopes, now_ms())
        .map_err(|problem| anyhow::anyhow!(problem.detail))?;
    let app = service::open(config)?;
    app.database
        .with(|ledger| ledger.transaction(Mode::Write, |tables| keys::add(tables, &key)))?;
    let data = std::path::absolute(&app.config.data).unwrap_or_else(|_| app.config.data.clone());
    let _ = writeln!(
        std::io::stderr().lock(),
        "key {} of {tenant}, named {name}, for {}; stored in {}",
        key.id,
        key.scopes,
        data.display()
    );
    print(&format!("{secret}\n"))
}

/// Serves made footage from a temporary folder.
fn demo(config: Config) -> anyhow::Result<()> {
    let folder = tempfile::Builder::new().prefix("uniq-demo-").tempdir()?;
    let operator = uniq_server::demo::TENANT.to_owned();
    let certificate = uniq_server::demo::signing(folder.path())?;
    let data = folder.path().to_owned();
    let config = Config {
        data,
        ledger: None,
        submissions: None,
        index: None,
        operator,
        certificate,
        ..config
    };
    serve(config, true)
}

fn serve(config: Config, is_demo: bool) -> anyhow::Result<()> {
    let filter =
        tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let address = config.listen;
        let app = tokio::task::spawn_blocking(move || service::open(config)).await??;
        let _alone = service::alone(&app.config)?;
        let reaching = app.clone();
        let ray = tokio::task::spawn_blocking(move || service::reach(&reaching)).await??;
        let listener = TcpListener::bind(address)
            .await
            .with_context(|| format!("{address}: cannot listen there; set another `listen`"))?;
        print(&format!("listening on http://{}\n", listener.local_addr()?))?;
        if is_demo {
            show(&app, listener.local_addr()?)?;
        }
        let (mut interrupt, mut terminate) = (
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
        );
        let stop = async move {
            tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
        };
        let served = service::serve(app, listener, stop).await;
        if let Some(ray) = ray {
            tokio::task::spawn_blocking(move || drop(ray.join())).await?;
        }
        served
    })
}

/// Prints how to log in, and makes the footage while the service runs.
fn show(app: &uniq_server::app::App, address: std::net::SocketAddr) -> anyhow::Result<()> {
    let secret = uniq_server::demo::key(app)?;
    print(&format!(
        "log in at http://{address}/review with the key {secret}\n\
         making footage now; four submissions appear one by one\n\
         Ctrl-C stops the demonstration and removes all its files\n"
    ))?;
    let app = app.clone();
    std::thread::spawn(move || match uniq_server::demo::fill(&app) {
        Ok(()) => tracing::info!("submitted the footage of the demonstration"),
        Err(error) => tracing::error!("{error:#}"),
    });
    Ok(())
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()?;
    Ok(())
}
