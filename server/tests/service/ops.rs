//! For operators and clients: documentation, health, backups, crashes, and the examples.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::footage::scenes::{moving, tripod};
use crate::support::{Service, problem};

/// The folder of foreign programs, if installed; with `CI` set it must be.
fn foreign(name: &str) -> Option<PathBuf> {
    let found = std::env::var_os("UNIQ_FOREIGN")
        .map(|home| Path::new(&home).join(name))
        .filter(|path| path.exists());
    assert!(
        found.is_some() || std::env::var_os("CI").is_none(),
        "{name}: not installed; run the tests with scripts/test"
    );
    found
}

#[test]
fn the_committed_description_is_that_of_the_program() {
    let made = Command::new(env!("CARGO_BIN_EXE_uniq-serve"))
        .arg("openapi")
        .output()
        .unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        made.status.success() && committed == String::from_utf8(made.stdout).unwrap(),
        "make it anew: uniq serve openapi > server/openapi.json"
    );
}

#[test]
fn health_and_figures_name_nobody() {
    let service = Service::start("", &[tripod(79, 1, 6)]);
    assert_eq!(
        service.request("GET", "/healthz").send().unwrap().status(),
        200
    );
    assert_eq!(
        service.request("GET", "/readyz").send().unwrap().status(),
        200
    );
    let key = service.key("acme", "submit,read");
    let id = service.submit(&key, "lovelace", &moving(701, 8))["id"]
        .as_str()
        .unwrap()
        .to_owned();
    service.answer(&key, &id);
    let figures = service
        .request("GET", "/metrics")
        .send()
        .unwrap()
        .text()
        .unwrap();
    for line in [
        "uniq_answers_total{verdict=\"unpublished\"} 1",
        "uniq_index_videos 1",
        "uniq_submissions{state=\"decided\"} 1",
    ] {
        assert!(figures.contains(line), "{line}\n{figures}");
    }
    for secret in ["lovelace", "acme", &id] {
        assert!(!figures.contains(secret), "{secret}\n{figures}");
        assert!(
            !service.log().contains(secret),
            "{secret}\n{}",
            service.log()
        );
    }
    // If the service is reachable from outside, they need a key.
    let public = Service::start_empty("public_url = \"https://intake.example\"\n");
    problem(401, public.request("GET", "/metrics").send().unwrap());
    problem(
        403,
        public
            .with_key(&public.key("acme", "admin"), "GET", "/metrics")
            .send()
            .unwrap(),
    );
    let operator = public
        .with_key(&public.key("operator", "admin"), "GET", "/metrics")
        .send()
        .unwrap();
    assert_eq!(operator.status(), 200);
    assert_eq!(
        public.request("GET", "/readyz").send().unwrap().status(),
        503,
        "it has no index"
    );
}

#[test]
fn a_backup_of_a_running_service_can_take_its_place() {
    let service = Service::start("", &[tripod(79, 1, 6)]);
    let key = service.key("acme", "submit,read");
    let ids: Vec<String> = (0..3)
        .map(|seed| {
            service.submit(&key, "lovelace", &moving(720 + seed, 8))["id"]
                .as_str()
                .unwrap()
                .to_owned()
        })
        .collect();
    service.answer(&key, &ids[0]);
    let copy = service.folder().join("copy");
    let backup = |target: &Path| service.tool(&["backup", target.to_str().unwrap()]);
    assert!(backup(&copy).status.success());
    let again = backup(&copy);
    assert!(
        !again.status.success()
            && String::from_utf8_lossy(&again.stderr).contains("the folder exists")
    );
    let restored = Service::on(&copy);
    drop(service);
    for id in &ids {
        assert_eq!(restored.answer(&key, id)["state"], "checked");
    }
    // The order of submissions stays.
    let second = restored.submit(&key, "bob", &moving(720, 8));
    assert_eq!(
        restored.answer(&key, second["id"].as_str().unwrap())["payable_s"],
        0.0
    );
}

#[test]
fn kills_in_the_middle_lose_nothing_and_pay_nothing_twice() {
    let kills = std::env::var("UNIQ_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(12);
    let mut service = Service::start("", &[tripod(79, 1, 6)]);
    let key = service.key("acme", "submit,read");
    let clips: Vec<PathBuf> = (0..4).map(|seed| moving(730 + seed, 8)).collect();
    let mut ids = Vec::new();
    for round in 0..kills {
        // The same clips by new creators each time: only the first of each is paid.
        let creator = format!("creator-{}", round / clips.len());
        ids.push(
            service.submit(&key, &creator, &clips[round % clips.len()])["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
        // At a different moment of the work each time.
        std::thread::sleep(Duration::from_millis(37 * (round as u64 * 7 % 40)));
        service.kill();
        service.run();
    }
    let mut paid = vec![0.0; clips.len()];
    for (round, id) in ids.iter().enumerate() {
        let answer = service.answer(&key, id);
        assert_eq!(answer["state"], "checked", "{answer}");
        paid[round % clips.len()] += answer["payable_s"].as_f64().unwrap();
    }
    assert!(
        paid.iter()
            .take(kills)
            .all(|seconds| *seconds > 4.0 && *seconds <= 8.1),
        "{paid:?}"
    );
    assert!(service.stop());
    let mut ledger = uniq::ledger::Ledger::open(
        &uniq::ledger::Place::File(service.data().join("ledger.db")),
        Duration::from_secs(5),
        std::time::SystemTime::now,
        false,
    )
    .unwrap();
    uniq::ledger::verify(&mut ledger, None).unwrap();
}

#[test]
fn the_examples_submit_a_clip() {
    let service = Service::start("", &[tripod(79, 1, 6)]);
    let key = service.key("acme", "submit,read");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let clip = moving(740, 8);
    let run = |command: &mut Command| {
        let output = command
            .env("UNIQ_URL", &service.address)
            .env("UNIQ_KEY", &key)
            .stderr(Stdio::inherit())
            .output()
            .unwrap();
        assert!(output.status.success(), "{command:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = run(Command::new(examples.join("submit.sh"))
        .arg(&clip)
        .arg("ada lovelace"));
    assert!(
        shown.contains("\"state\": \"checked\"") && shown.contains("ada lovelace"),
        "{shown}"
    );
    if let Some(python) = foreign("requests") {
        let shown = run(Command::new("python3")
            .env("PYTHONPATH", python)
            .arg(examples.join("submit.py"))
            .arg(&clip)
            .arg("bob"));
        assert!(shown.contains("\"state\": \"checked\""), "{shown}");
    }
    if let Some(tus) = foreign("tus") {
        // Node looks for modules next to the script.
        let script = tus.join("submit.mjs");
        std::fs::copy(examples.join("submit.mjs"), &script).unwrap();
        let shown = run(Command::new("node").arg(script).arg(&clip).arg("eve"));
        assert!(shown.contains("\"state\": \"checked\""), "{shown}");
    }
    let folder = service.folder().join("incoming");
    std::fs::create_dir_all(folder.join("ivy")).unwrap();
    for (name, content) in [
        ("clip.mp4", std::fs::read(moving(741, 8)).unwrap()),
        ("notes.txt", b"not a clip".to_vec()),
    ] {
        let file = folder.join("ivy").join(name);
        std::fs::write(&file, content).unwrap();
        let then = std::time::SystemTime::now() - Duration::from_secs(60);
        std::fs::File::options()
            .write(true)
            .open(file)
            .unwrap()
            .set_modified(then)
            .unwrap();
    }
    run(Command::new(examples.join("watch.sh"))
        .arg(&folder)
        .arg("once"));
    assert!(folder.join(".done/ivy/clip.mp4").exists());
}

#[test]
fn no_request_of_schemathesis_finds_a_failure_or_an_answer_that_is_not_described() {
    let Some(python) = foreign("schemathesis") else {
        return;
    };
    let settings = "operator = \"acme\"\n[limits]\nidle_seconds = 2\n";
    let service = Service::start(settings, &[tripod(79, 1, 6)]);
    let key = service.key("acme", "submit,read,review,admin");
    let examples = std::env::var("UNIQ_EXAMPLES").unwrap_or_else(|_| "15".to_owned());
    let output = Command::new("python3")
        .env("PYTHONPATH", python)
        .env("SCHEMATHESIS_HOOKS", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/service/hooks_of_schemathesis.py"))
        .args([
            "-m",
            "schemathesis.cli",
            "run",
            "--max-examples",
            &examples,
            "--seed",
            "7",
            "--phases",
            "examples,coverage,fuzzing",
        ])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        .args(["--exclude-path", "/v1/events", "--request-timeout", "30", "--no-color"])
        .args(["-H", &format!("Authorization: Bearer {key}")])
        .arg(format!("{}/v1/openapi.json", service.address))
        .current_dir(service.folder())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}\n{}",
        &shown[shown.len().saturating_sub(12_000)..],
        String::from_utf8_lossy(&output.stderr)
    );
}
