//! Searching the index on a cluster. A stand-in for the helper really searches it, and misbehaves
//! where a test wants it to.

mod stand_in;

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde_json::Value;
use uniq::ingest::{self, BuildOptions};
use uniq::{Decoding, Index};

use crate::footage::scenes::{edit, excerpt, moving, tripod};
use crate::support::{Service, problem};
use stand_in::StandIn;

/// Adds videos to the index of a service.
fn add(service: &Service, videos: &[PathBuf]) {
    let options = BuildOptions::new(Decoding::in_process());
    let sources = ingest::sources(videos).unwrap();
    let index = service.data().join("index");
    ingest::build(&index, sources, &options, &|_| {}, &AtomicBool::new(false)).unwrap();
}

/// A report without the parts that differ between submissions.
fn told(service: &Service, key: &str, id: &str) -> Value {
    let mut report = service.get(key, &format!("/v1/submissions/{id}/report"));
    report["clip"]["path"] = Value::Null;
    report["checked_at"] = Value::Null;
    report["submission"]["received_at"] = Value::Null;
    report
}

/// The faults that `/readyz` reports.
fn lacking(service: &Service) -> Vec<Value> {
    let answer = service.request("GET", "/readyz").send().unwrap();
    let status = answer.status();
    let body: Value = answer.json().unwrap();
    assert_eq!(status == 200, body["ready"] == true);
    body["lacking"].as_array().unwrap().clone()
}

/// Time for what a cluster does, on a machine that does other things too.
const PATIENCE: Duration = Duration::from_secs(120);

fn state_of(service: &Service, key: &str, id: &str) -> String {
    let submission = service.get(key, &format!("/v1/submissions/{id}"));
    submission["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_report_by_a_cluster_is_that_of_the_service_alone() {
    let alone = Service::start("", &[tripod(79, 1, 4), moving(780, 4)]);
    add(&alone, &[moving(781, 8)]);
    let stand_in = StandIn::new("well");
    let cluster = Service::start_empty(&stand_in.settings());
    let copied = cluster.data().join("index");
    Index::open(&alone.data().join("index"))
        .unwrap()
        .copy_to(&copied)
        .unwrap();
    let copy = edit(&excerpt(&moving(781, 8), 1.0, 4.0), "hflip", &[], "mp4");
    let clips = [
        (copy, "published"),
        (moving(782, 5), "unpublished"),
        (moving(783, 5), "unpublished"),
    ];
    let keys = [&alone, &cluster].map(|service| service.key("acme", "submit,read"));
    let submit = |service: &Service, key: &str, clip| {
        let sent = service.submit(key, "ada", clip);
        let id = sent["id"].as_str().unwrap().to_owned();
        let answer = service.answer(key, &id);
        (told(service, key, &id), answer["verdict"].clone())
    };
    for (clip, verdict) in &clips[..2] {
        let (here, expected) = submit(&alone, &keys[0], clip);
        let (there, found) = submit(&cluster, &keys[1], clip);
        assert_eq!(
            (&expected, &found),
            (&(*verdict).into(), &(*verdict).into())
        );
        assert_eq!(there, here);
    }
    assert_eq!(stand_in.asked(), 2);
    // The index grows.
    let (clip, _) = &clips[2];
    add(&cluster, std::slice::from_ref(clip));
    let (report, verdict) = submit(&cluster, &keys[1], clip);
    assert_eq!(verdict, "published");
    assert_eq!(report["index"]["videos"], 4);
    assert!(lacking(&cluster).is_empty());
}

#[test]
fn an_answer_that_is_not_whole_leaves_a_submission_waiting() {
    let film = moving(784, 8);
    let stand_in = StandIn::new("well");
    let service = Service::start(&stand_in.settings(), &[tripod(79, 1, 4)]);
    let index = service.data().join("index");
    Index::open(&index)
        .unwrap()
        .copy_to(&stand_in.folder().join("old"))
        .unwrap();
    add(&service, std::slice::from_ref(&film));
    let key = service.key("acme", "submit,read");
    let copy = edit(&excerpt(&film, 1.0, 4.0), "hflip", &[], "mp4");
    let mut ids = Vec::new();
    let wrongs = [
        ("drops", "was not searched"),
        ("doubles", "was searched 2 times"),
        ("is old", "another commit of the index"),
        ("damages", "damaged in transit"),
        ("refuses", "the stand-in refuses"),
        ("cuts", "it is truncated"),
        ("dies", "it has ended"),
        ("makes noise", "an invalid frame"),
    ];
    for (mode, said) in wrongs {
        service.wait_until("it can be asked", PATIENCE, || lacking(&service).is_empty());
        stand_in.set(mode);
        let sent = service.submit(&key, &format!("ada {mode}"), &copy);
        ids.push(sent["id"].as_str().unwrap().to_owned());
        service.wait_until(mode, PATIENCE, || service.log().contains(said));
        for id in &ids {
            let state = state_of(&service, &key, id);
            assert!(matches!(&*state, "queued" | "checking"), "{mode}: {state}");
        }
    }
    stand_in.set("well");
    for id in &ids {
        let answer = service.answer(&key, id);
        assert_eq!(
            (&answer["state"], &answer["verdict"], &answer["payable_s"]),
            (&"checked".into(), &"published".into(), &0.0.into()),
            "{answer}"
        );
    }
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for_for_ever() {
    let stand_in = StandIn::new("is silent");
    let settings = format!("{}time_out_seconds = 2\n", stand_in.settings());
    let service = Service::start(&settings, &[tripod(79, 1, 4)]);
    let key = service.key("acme", "submit,read");
    let sent = service.submit(&key, "ada", &moving(785, 5));
    let id = sent["id"].as_str().unwrap();
    service.wait_until("it is late", PATIENCE, || {
        service.log().contains("no answer after 2 s")
    });
    assert!(matches!(
        &*state_of(&service, &key, id),
        "queued" | "checking"
    ));
    // The question is repeated.
    service.wait_until("it is asked again", PATIENCE, || stand_in.asked() > 1);
    // Otherwise the cluster works.
    assert!(lacking(&service).is_empty());
}

#[test]
fn without_a_cluster_submissions_wait_and_with_one_they_are_answered() {
    let stand_in = StandIn::new("well");
    let mut service = Service::start(&stand_in.settings(), &[tripod(79, 1, 4)]);
    let key = service.key("acme", "submit,read");
    for mode in ["has no cluster", "hangs"] {
        stand_in.set(mode);
        service.wait_until(mode, PATIENCE, || lacking(&service) == ["ray"]);
        let asked = stand_in.asked();
        let sent = service.submit(&key, mode, &moving(785, 5));
        let id = sent["id"].as_str().unwrap();
        std::thread::sleep(Duration::from_secs(1));
        assert_eq!(state_of(&service, &key, id), "queued", "{mode}");
        assert_eq!(stand_in.asked(), asked, "{mode}: a check has begun");
        stand_in.set("well");
        assert_eq!(service.answer(&key, id)["verdict"], "unpublished");
        assert!(lacking(&service).is_empty());
    }
    assert!(service.stop(), "{}", service.log());
    service.wait_until("its helper has ended", PATIENCE, || !stand_in.runs());
}

#[test]
fn what_cannot_be_searched_in_time_is_the_clips_fault_and_fails() {
    let stand_in = StandIn::new("takes too long");
    let service = Service::start(&stand_in.settings(), &[tripod(79, 1, 4)]);
    let key = service.key("acme", "submit,read");
    let sent = service.submit(&key, "ada", &moving(785, 5));
    let answer = service.answer(&key, sent["id"].as_str().unwrap());
    assert_eq!(answer["state"], "failed", "{answer}");
    problem(
        409,
        service
            .with_key(
                &key,
                "GET",
                &format!("/v1/submissions/{}/report", answer["id"].as_str().unwrap()),
            )
            .send()
            .unwrap(),
    );
}

#[test]
fn a_service_that_cannot_reach_its_cluster_does_not_start() {
    let stand_in = StandIn::new("well");
    let run = |settings: &str, args: &[&str]| {
        let file = stand_in.folder().join("serve.toml");
        let data = stand_in.folder().join("data");
        let text = format!("listen = \"127.0.0.1:0\"\ndata = {data:?}\n{settings}");
        std::fs::write(&file, text).unwrap();
        let done = Command::new(env!("CARGO_BIN_EXE_uniq-serve"))
            .arg("--config")
            .arg(&file)
            .args(args)
            .output()
            .unwrap();
        assert_eq!(done.status.code(), Some(2));
        assert!(done.stdout.is_empty());
        let said = String::from_utf8(done.stderr).unwrap();
        said.lines().last().unwrap_or_default().to_owned()
    };
    let said = run("[ray]\npython = \"/nowhere/python3\"\n", &[]);
    assert!(
        said.starts_with("uniq: ray: /nowhere/python3: cannot be started")
            && said.contains("ray.python"),
        "{said}"
    );
    let with_stand_in = format!("[ray]\npython = {:?}\n", stand_in.program());
    for (mode, what, remedy) in [
        ("lacks the package", "No module named uniq", "install"),
        ("finds no cluster", "no Ray cluster", "ray start"),
        ("is of another version", "0.0.0", "install the same"),
    ] {
        stand_in.set(mode);
        // The option overrides the file.
        let said = run(&with_stand_in, &["--ray", "there:6379"]);
        assert!(said.starts_with("uniq: ray: "), "{mode}: {said}");
        assert!(
            said.contains(what) && said.contains(remedy),
            "{mode}: {said}"
        );
        assert_eq!(stand_in.address().as_deref(), Some("there:6379"));
    }
}
