//! A push or pull that is killed at any point leaves the old state or the new one, and the next
//! call continues.

use std::ffi::OsStr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use uniq::index::Index;

use crate::made::{Place, add, assert_same, copy, places, root};

const KILLS: u32 = 10;

fn start(place: &Place, args: &[impl AsRef<OsStr>]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_uniq"));
    command
        .args(["-q", "index"])
        .args(args)
        .env_remove("UNIQ_INDEX")
        .envs(place.variables());
    command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Duration of the program without a kill.
fn duration(place: &Place, args: &[impl AsRef<OsStr>]) -> Duration {
    let begun = Instant::now();
    assert!(start(place, args).wait().unwrap().success());
    begun.elapsed()
}

/// Kills the program after a while. Returns whether it was still running.
fn kill_after(mut child: Child, time: Duration) -> bool {
    std::thread::sleep(time);
    child.kill().unwrap();
    child.wait().unwrap().signal() == Some(9)
}

/// Calls `attempt` until it has killed the program [`KILLS`] times, with delays spread over
/// `within`, which shrinks whenever the program ends earlier.
fn kill_often(mut within: Duration, mut attempt: impl FnMut(Duration) -> bool) {
    let (mut killed, mut attempts) = (0, 0);
    while killed < KILLS {
        assert!(attempts < 10 * KILLS, "only {killed} of {attempts} killed");
        attempts += 1;
        if attempt(within * killed / KILLS) {
            killed += 1;
        } else {
            within = within * 3 / 4;
        }
    }
}

fn index(dir: &Path) {
    add(dir, 0..1, 300_000);
    add(dir, 1..10, 2_000);
}

#[test]
fn a_push_that_is_killed_is_not_seen_or_whole() {
    for (place, trial) in places().zip(places()) {
        let dir = TempDir::new().unwrap();
        add(dir.path(), 90..92, 50);
        place.push(dir.path()).unwrap();
        let mut old = copy(dir.path());
        index(dir.path());
        let path = dir.path().to_str().unwrap();
        let mut next = 100;
        let all = duration(&trial, &["push", &trial.address(), "--index", path]);
        kill_often(all, |time| {
            let child = start(&place, &["push", &place.address(), "--index", path]);
            let killed = kill_after(child, time);
            let (_cache, snapshot) = place.open_elsewhere().unwrap();
            let is_new = snapshot.root() == root(dir.path());
            assert_same(if is_new { dir.path() } else { old.path() }, snapshot.dir());
            if is_new {
                // There is something to push again.
                old = copy(dir.path());
                add(dir.path(), [next], 50_000);
                next += 1;
            }
            killed
        });
        place.push(dir.path()).unwrap();
        let (_cache, snapshot) = place.open_elsewhere().unwrap();
        assert_same(dir.path(), snapshot.dir());
    }
}

#[test]
fn a_pull_that_is_killed_leaves_the_folder_as_it_was_or_whole() {
    for place in places() {
        let dir = TempDir::new().unwrap();
        add(dir.path(), 90..92, 50);
        let old = copy(dir.path());
        place.push(dir.path()).unwrap();
        index(dir.path());
        place.push(dir.path()).unwrap();
        let pull = |folder: &Path| {
            let path = folder.to_str().unwrap().to_owned();
            [
                "pull".to_owned(),
                place.address(),
                "--index".to_owned(),
                path,
            ]
        };
        let fresh = TempDir::new().unwrap();
        let all = duration(&place, &pull(fresh.path()));
        assert_same(dir.path(), fresh.path());
        for has_index in [false, true] {
            let made = || {
                if has_index {
                    copy(old.path())
                } else {
                    TempDir::new().unwrap()
                }
            };
            let mut folder = made();
            kill_often(all, |time| {
                let killed = kill_after(start(&place, &pull(folder.path())), time);
                match Index::open(folder.path()) {
                    Ok(opened) if opened.state().root == root(dir.path()) => {
                        assert_same(dir.path(), folder.path());
                        // There is something to pull again.
                        folder = made();
                    }
                    Ok(opened) => {
                        assert!(has_index);
                        assert_eq!(opened.state(), Index::open(old.path()).unwrap().state());
                    }
                    Err(error) => assert!(!has_index, "{error}"),
                }
                killed
            });
            uniq::remote::pull(&place.store(), folder.path(), uniq::remote::Watch::none()).unwrap();
            assert_same(dir.path(), folder.path());
        }
    }
}

#[test]
fn a_snapshot_whose_making_is_killed_is_made_by_the_next() {
    for place in places() {
        let (dir, cache) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        index(dir.path());
        place.push(dir.path()).unwrap();
        let (address, trial) = (place.address(), TempDir::new().unwrap());
        let open = |cache: &TempDir| {
            let path = cache.path().to_str().unwrap().to_owned();
            [
                "open".to_owned(),
                address.clone(),
                "--cache".to_owned(),
                path,
            ]
        };
        let run = open(&trial);
        let all = duration(&place, &run);
        let run = open(&cache);
        for number in 0..KILLS {
            let child = start(&place, &run);
            kill_after(child, all * number / KILLS);
        }
        let children: Vec<Child> = (0..3).map(|_| start(&place, &run)).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        let snapshot = place.open(cache.path()).unwrap();
        assert_eq!(snapshot.fetched(), (0, 0));
        assert_same(dir.path(), snapshot.dir());
    }
}
