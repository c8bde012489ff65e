//! Checks the JSON output against `docs/report.schema.json` with a foreign validator.

use serde_json::Value;

use super::*;

const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/report.schema.json");
const RATES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rates.toml");
/// Prints a line for each fault of the reports on standard input, one report per line.
const VALIDATOR: &str = "
import json, sys
import jsonschema_rs
validator = jsonschema_rs.validator_for(json.load(open(sys.argv[1])))
for number, line in enumerate(sys.stdin):
    for error in validator.iter_errors(json.loads(line)):
        print(number, list(error.instance_path), error.message)
";

/// The faults of the reports; `None` if the validator is missing on a personal machine.
fn faults(reports: &[Value]) -> Option<String> {
    let packages = std::env::var_os("UNIQ_FOREIGN")
        .map(|folder| PathBuf::from(folder).join("schemathesis"))
        .filter(|folder| folder.join("jsonschema_rs").is_dir());
    assert!(
        packages.is_some() || std::env::var_os("CI").is_none(),
        "schemathesis is missing in UNIQ_FOREIGN; scripts/test installs it"
    );
    let mut command = Command::new("python3");
    command
        .args(["-c", VALIDATOR, SCHEMA])
        .env("PYTHONPATH", packages?);
    let lines: String = reports.iter().map(|report| format!("{report}\n")).collect();
    let output = with_input(command, lines.as_bytes());
    assert!(output.status.success(), "{}", stderr(&output));
    Some(stdout(&output))
}

/// A clip of five seconds with moving lights.
fn lights(sandbox: &Sandbox, name: &str) -> PathBuf {
    let path = sandbox.path(name);
    let graph = "life=s=40x24:r=1.5:mold=20:ratio=0.4:seed=7:life_color=white:death_color=0x404040:mold_color=0x101010,\
                 trim=start=4,setpts=PTS-STARTPTS,framerate=fps=25,scale=320:180:flags=bicubic,gblur=3";
    let args = [
        "-f", "lavfi", "-i", graph, "-t", "5", "-c:v", "mpeg4", "-q:v", "3",
    ];
    let made = steady::ffmpeg(args.into_iter().chain([path.to_str().unwrap()]))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", stderr(&made));
    path
}

#[test]
fn reports_are_what_the_committed_schema_allows() {
    let sandbox = Sandbox::new();
    sandbox.video("v/a.mp4");
    lights(&sandbox, "lights.mp4");
    for args in [
        &[
            "-f",
            "lavfi",
            "-i",
            "color=black:s=320x180:r=10",
            "-t",
            "4",
            "black.mp4",
        ][..],
        &["-i", "lights.mp4", "-c", "copy", "again.mkv"],
        &[
            "-i",
            "v/a.mp4",
            "-vf",
            "hflip",
            "-c:v",
            "mpeg4",
            "-q:v",
            "3",
            "edited.mp4",
        ],
    ] {
        let made = steady::ffmpeg(args.iter())
            .current_dir(sandbox.path(""))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", stderr(&made));
    }
    assert_eq!(
        code(&sandbox.uniq(&["index", "build", "v", "--index", "i"])),
        0
    );
    assert_eq!(
        code(&sandbox.uniq(&["fingerprint", "lights.mp4", "-o", "lights.uniq"])),
        0
    );
    let mut reports: Vec<Value> = Vec::new();
    for call in [
        &[
            "check",
            "--json",
            "--index",
            "i",
            "--rates",
            RATES,
            "v/a.mp4",
            "edited.mp4",
            "lights.mp4",
            "black.mp4",
        ][..],
        &[
            "check",
            "--json",
            "--index",
            "i",
            "--fingerprint",
            "lights.uniq",
        ],
        &[
            "intake",
            "add",
            "--json",
            "--index",
            "i",
            "--ledger",
            "l.db",
            "--by",
            "ada",
            "lights.mp4",
        ],
        &[
            "intake",
            "add",
            "--json",
            "--index",
            "i",
            "--ledger",
            "l.db",
            "--by",
            "bob",
            "again.mkv",
        ],
    ] {
        // A busy machine may take longer than the limit.
        let output = sandbox.uniq(&[call, &["--min-time", "1h"]].concat());
        assert!(code(&output) != 2, "{call:?}: {}", stderr(&output));
        let text = stdout(&output);
        reports.extend(
            text.lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap()),
        );
    }
    let has = |pointer: &str| {
        reports.iter().any(|report| {
            report
                .pointer(pointer)
                .is_some_and(|value| !value.is_null())
        })
    };
    for part in [
        "/matches/0/source",
        "/spans/0/reason/code",
        "/quality/resolution",
        "/amount/currency",
        "/submission/deductions/0/reason",
    ] {
        assert!(has(part), "no report has {part}: {reports:#?}");
    }
    for verdict in ["published", "unpublished", "inconclusive"] {
        assert!(
            reports.iter().any(|report| report["verdict"] == verdict),
            "{verdict}: {reports:#?}"
        );
    }

    let Some(found) = faults(&reports) else {
        return;
    };
    assert!(found.is_empty(), "{found}");
    // The validator really finds faults.
    for (pointer, wrong) in [
        ("/verdict", Value::from("perhaps")),
        ("/seconds/published", Value::from("1")),
        ("/schema", Value::from(1)),
        ("/clip", Value::Null),
    ] {
        let mut report = reports[0].clone();
        *report.pointer_mut(pointer).unwrap() = wrong;
        let found = faults(&[report]).unwrap();
        assert!(
            found.starts_with("0 "),
            "{pointer} may be anything: {found}"
        );
    }
}
