//! A PostgreSQL server for tests, if one is installed. The first test that needs it starts it, and
//! it ends with the process.

#![allow(dead_code, unreachable_pub)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A server that ends when the pipe to its shell is closed, at the latest at the end of this
/// process.
struct Server {
    folder: PathBuf,
    _shell: Child,
}

/// The URL of a new database; `None` if no server is installed, which is an error if `CI` is set.
pub fn database() -> Option<String> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(Server::start);
    let Some(server) = server else {
        assert!(
            std::env::var_os("CI").is_none(),
            "no PostgreSQL: scripts/setup installs it"
        );
        eprintln!("no PostgreSQL is installed: what needs one is passed over");
        return None;
    };
    let name = format!("t{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let made = as_owner(&mut Command::new(program("psql")?))
        .args([
            "-q",
            "-h",
            server.folder.to_str()?,
            "-U",
            "postgres",
            "-c",
            &format!("CREATE DATABASE {name}"),
            "postgres",
        ])
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    Some(format!(
        "postgres:///{name}?host={}&user=postgres",
        server.folder.display()
    ))
}

impl Server {
    fn start() -> Option<Server> {
        let (initdb, postgres) = (program("initdb")?, program("postgres")?);
        program("psql")?;
        // A socket's path is limited to about a hundred characters.
        let folder = tempfile::Builder::new()
            .prefix("uniq-pg-")
            .tempdir_in("/tmp")
            .unwrap()
            .keep();
        if let Some((user, group)) = owner() {
            std::os::unix::fs::chown(&folder, Some(user), Some(group)).unwrap();
        }
        let data = folder.join("data");
        let made = as_owner(&mut Command::new(initdb))
            .args(["-A", "trust", "-U", "postgres", "--no-sync", "-D"])
            .arg(&data)
            .current_dir("/")
            .output()
            .unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let script = r#""$1" -D "$2/data" -k "$2" -c listen_addresses= -c fsync=off > "$2/log" 2>&1 &
            server=$!; read _; kill -INT $server; wait $server; rm -rf "$2""#;
        let shell = as_owner(&mut Command::new("sh"))
            .args(["-c", script, "sh"])
            .arg(postgres)
            .arg(&folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let begun = Instant::now();
        while !folder.join(".s.PGSQL.5432").exists() || !is_up(&folder) {
            let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "the server does not start: {}",
                log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(Server {
            folder,
            _shell: shell,
        })
    }
}

fn is_up(folder: &Path) -> bool {
    let Some(psql) = program("psql") else {
        return false;
    };
    let asked = Command::new(psql)
        .args([
            "-q",
            "-h",
            folder.to_str().unwrap(),
            "-U",
            "postgres",
            "-c",
            "SELECT 1",
            "postgres",
        ])
        .output();
    asked.is_ok_and(|answer| answer.status.success())
}

/// A program of PostgreSQL, which Debian keeps outside of PATH.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let folders =
        std::env::split_paths(&path).chain(versions.map(|version| version.path().join("bin")));
    folders
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// The user and group that the server runs as, since it refuses to run as root.
fn owner() -> Option<(u32, u32)> {
    let is_root = fs::metadata("/proc/self")
        .map(|of| std::os::unix::fs::MetadataExt::uid(&of))
        .ok()?
        == 0;
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let of = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    if is_root {
        of("postgres").or_else(|| of("nobody"))
    } else {
        None
    }
}

fn as_owner(command: &mut Command) -> &mut Command {
    if let Some((user, group)) = owner() {
        command.uid(user).gid(group);
    }
    command
}
