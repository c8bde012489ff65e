//! Tests certificates with foreign programs: other verifiers, keys in hardware, and timestamp
//! authorities.
//!
//! `scripts/test` installs what it can and names the folder in `UNIQ_FOREIGN`. A missing tool skips
//! the test on a personal machine and fails it in CI.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;

/// Whether a tool that a test needs is available. In CI it must be.
fn have(what: &str, there: bool) -> bool {
    assert!(
        there || std::env::var_os("CI").is_none(),
        "{what} is missing; scripts/test installs it"
    );
    there
}

fn have_command(name: &str) -> bool {
    let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
        .any(|dir| dir.join(name).is_file());
    have(name, found)
}

/// The folder with packages of another language.
fn packages(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("UNIQ_FOREIGN").map(|folder| PathBuf::from(folder).join(name));
    let folder = folder.filter(|folder| folder.is_dir());
    have(
        &format!("the folder {name} of UNIQ_FOREIGN"),
        folder.is_some(),
    );
    folder
}

/// 200 envelopes whose payload, signature or type differs from a good one.
fn mutations(certificate: &Path) -> Vec<Value> {
    let good: Value = serde_json::from_slice(&fs::read(certificate).unwrap()).unwrap();
    let decode = |text: &Value| STANDARD.decode(text.as_str().unwrap()).unwrap();
    let (payload, signature) = (
        decode(&good["payload"]),
        decode(&good["signatures"][0]["sig"]),
    );
    (0..200_usize)
        .map(|number| {
            let (mut payload, mut signature) = (payload.clone(), signature.clone());
            let mut changed = good.clone();
            match number {
                ..100 => {
                    let at = number * 7919 % payload.len();
                    payload[at] ^= 1 << (number % 8);
                }
                100..180 => {
                    let at = (number - 100) % signature.len();
                    signature[at] ^= 1 << (number % 8);
                }
                180..190 => payload.truncate(payload.len() - 1 - number % 180),
                190..195 => payload.push(b' '),
                195..198 => signature.truncate(number % 195 * 20),
                _ => changed["payloadType"] = "application/vnd.in-toto.json".into(),
            }
            changed["payload"] = STANDARD.encode(payload).into();
            changed["signatures"][0]["sig"] = STANDARD.encode(signature).into();
            changed
        })
        .collect()
}

/// Writes the good certificate and then its mutations, each as `wrap` makes it.
fn written(dir: &Path, certificate: &Path, wrap: &dyn Fn(Value) -> Value) -> Vec<PathBuf> {
    let good: Value = serde_json::from_slice(&fs::read(certificate).unwrap()).unwrap();
    let all = [good]
        .into_iter()
        .chain(mutations(certificate))
        .map(wrap)
        .enumerate();
    all.map(|(number, value)| {
        let path = dir.join(format!("{number}.json"));
        fs::write(&path, value.to_string()).unwrap();
        path
    })
    .collect()
}

/// Fails unless the first answer is yes and all others are no.
fn judged(who: &str, answers: &[bool]) {
    assert_eq!(answers.len(), 201, "{who}");
    assert!(answers[0], "{who} refuses a good certificate");
    let accepted: Vec<usize> = (1..201).filter(|number| answers[*number]).collect();
    assert!(
        accepted.is_empty(),
        "{who} accepts the mutations {accepted:?}"
    );
}

fn answers(output: &Output) -> Vec<bool> {
    assert!(output.status.success(), "{}", stderr(output));
    stdout(output).lines().map(|line| line == "yes").collect()
}

#[test]
fn we_refuse_what_others_refuse() {
    let (world, dir) = (world(), TempDir::new().unwrap());
    for kind in ["ed25519", "p256"] {
        let key = uniq::certificate::PublicKey::load(&world.path(&format!("{kind}.pub"))).unwrap();
        let judge = |path: &PathBuf| {
            let envelope = uniq::certificate::Envelope::load(path);
            envelope.is_ok_and(|envelope| envelope.check_signature(&key).is_ok())
        };
        let files = written(dir.path(), &world.certificate(kind), &|value| value);
        judged("uniq", &files.iter().map(judge).collect::<Vec<_>>());
    }
}

/// The documented command lines with which anybody can verify a certificate.
fn lines_of_openssl() -> String {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/certificate.md"))
            .unwrap();
    let block = page
        .split("```sh\n")
        .find(|block| block.contains("DSSEv1"))
        .expect("the page has these lines");
    block.split("```").next().unwrap().to_owned()
}

#[test]
fn openssl_alone_accepts_a_certificate_and_refuses_every_mutation() {
    if !have_command("openssl") {
        return;
    }
    let (world, dir) = (world(), TempDir::new().unwrap());
    let lines = lines_of_openssl();
    assert!(lines.lines().count() <= 10, "{lines}");
    fs::copy(&world.clip, dir.path().join("clip.mp4")).unwrap();
    for kind in ["ed25519", "p256"] {
        let key = world.path(&format!("{kind}.pub"));
        let files = written(dir.path(), &world.certificate(kind), &|value| value);
        let judge = |file: &PathBuf| {
            let script = lines
                .replace("certs/clip.mp4.certificate.json", text(file))
                .replace("checks.key.pub", text(&key));
            let judged = Command::new("sh")
                .args(["-c", &script])
                .current_dir(dir.path())
                .output()
                .unwrap();
            judged.status.success()
        };
        judged("openssl", &files.iter().map(judge).collect::<Vec<_>>());

        // The last line refuses a certificate of another file.
        fs::write(dir.path().join("clip.mp4"), "another file").unwrap();
        assert!(!judge(&files[0]));
        fs::copy(&world.clip, dir.path().join("clip.mp4")).unwrap();
    }
}

#[test]
fn openssl_reads_our_keys_and_we_read_its() {
    if !have_command("openssl") {
        return;
    }
    let (world, dir) = (world(), TempDir::new().unwrap());
    let openssl = |args: &[&str]| {
        let output = Command::new("openssl")
            .args(args)
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {}", stderr(&output));
        output.stdout
    };
    for kind in ["ed25519", "p256"] {
        let public = openssl(&["pkey", "-in", text(&world.path(kind)), "-pubout"]);
        assert_eq!(
            public,
            fs::read(world.path(&format!("{kind}.pub"))).unwrap()
        );
        match kind {
            "ed25519" => openssl(&["genpkey", "-algorithm", "ed25519", "-out", "theirs"]),
            _ => openssl(&[
                "genpkey",
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-out",
                "theirs",
            ]),
        };
        let key = uniq::certificate::PrivateKey::load(&dir.path().join("theirs")).unwrap();
        let ours = uniq::certificate::Signer::public_key(&key).to_pem();
        assert_eq!(
            ours.into_bytes(),
            openssl(&["pkey", "-in", "theirs", "-pubout"])
        );
    }
}

#[test]
fn securesystemslib_accepts_a_certificate_and_refuses_every_mutation() {
    let Some(folder) = packages("python") else {
        return;
    };
    let (world, dir) = (world(), TempDir::new().unwrap());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificate/verify.py");
    for kind in ["ed25519", "p256"] {
        let files = written(dir.path(), &world.certificate(kind), &|value| value);
        let mut python = Command::new("python3");
        python
            .arg(&script)
            .arg(world.path(&format!("{kind}.pub")))
            .args(files)
            .env("PYTHONPATH", &folder);
        judged("securesystemslib", &answers(&python.output().unwrap()));
    }
}

#[test]
fn sigstore_accepts_a_bundle_and_refuses_every_mutation() {
    let Some(folder) = packages("node") else {
        return;
    };
    let (world, dir) = (world(), TempDir::new().unwrap());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificate/verify.mjs");
    for kind in ["ed25519", "p256"] {
        let bundle = text(&world.certificate(kind)).replace(".certificate.json", ".sigstore.json");
        let bundle: Value = serde_json::from_slice(&fs::read(bundle).unwrap()).unwrap();
        let wrap = |envelope: Value| {
            let mut bundle = bundle.clone();
            bundle["dsseEnvelope"] = envelope;
            bundle
        };
        let files = written(dir.path(), &world.certificate(kind), &wrap);
        let mut node = Command::new("node");
        node.arg(&script)
            .arg(&folder)
            .arg(world.path(&format!("{kind}.pub")))
            .args(files);
        judged("@sigstore/verify", &answers(&node.output().unwrap()));
    }
}

/// Runs a shell script and returns its output.
fn shell(dir: &Path, script: &str) -> Vec<u8> {
    let output = Command::new("sh")
        .args(["-ec", script])
        .current_dir(dir)
        .env("SOFTHSM2_CONF", dir.join("softhsm.conf"))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{script}\n{}{}",
        stdout(&output),
        stderr(&output)
    );
    output.stdout
}

#[test]
fn a_key_that_never_leaves_its_device_signs_through_a_command() {
    let module = [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib64/softhsm/libsofthsm2.so",
    ];
    let module = module
        .into_iter()
        .find(|module| Path::new(module).is_file());
    if !(have_command("softhsm2-util")
        && have_command("pkcs11-tool")
        && have("the module of softhsm2", module.is_some()))
    {
        return;
    }
    let (world, dir) = (world(), TempDir::new().unwrap());
    let (dir, module) = (dir.path(), module.unwrap());
    fs::create_dir(dir.join("tokens")).unwrap();
    fs::write(
        dir.join("softhsm.conf"),
        format!("directories.tokendir = {}\n", dir.join("tokens").display()),
    )
    .unwrap();
    let tool = format!("pkcs11-tool --module {module} --login --pin 1234");
    shell(
        dir,
        "softhsm2-util --init-token --free --label checks --pin 1234 --so-pin 1234",
    );
    shell(
        dir,
        &format!("{tool} --keypairgen --key-type EC:prime256v1 --id 01 --label checks"),
    );
    shell(
        dir,
        &format!(
            "{tool} --read-object --type pubkey --id 01 --output-file pub.der && openssl pkey -pubin -inform DER -in pub.der -out device.pub"
        ),
    );
    let sign = format!(
        "cd {0} && export SOFTHSM2_CONF={0}/softhsm.conf && openssl dgst -sha256 -binary > hash && \
         {tool} --sign --mechanism ECDSA --id 01 --input-file hash --output-file signature >&2 && cat signature",
        dir.display()
    );
    // A device may give either of the two forms of a signature.
    for number in 0..4 {
        let folder = dir.join(number.to_string());
        let public = dir.join("device.pub");
        let output = world.uniq(&[
            "certify",
            text(&world.clip),
            "--index",
            "index",
            "-o",
            text(&folder),
            "--signer-command",
            &sign,
            "--public-key",
            text(&public),
        ]);
        good(&output);
        let certificate = folder.join(world.certificate("p256").file_name().unwrap());
        good(&world.uniq(&[
            "certificate",
            "verify",
            text(&certificate),
            "--key",
            text(&public),
        ]));
    }
    let public = world.path("p256.pub");
    let wrong = world.uniq(&[
        "certify",
        text(&world.clip),
        "--index",
        "index",
        "-o",
        text(&dir.join("wrong")),
        "--signer-command",
        &sign,
        "--public-key",
        text(&public),
    ]);
    refused(&wrong, "no signature");
}

#[test]
fn an_authority_stamps_the_time_of_a_signature() {
    if !have_command("openssl") {
        return;
    }
    let (world, dir) = (world(), TempDir::new().unwrap());
    let dir = dir.path();
    fs::write(
        dir.join("tsa.cnf"),
        "[tsa]\ndefault_tsa = one\n[one]\nserial = serial\nsigner_cert = tsa.pem\ncerts = ca.pem\nsigner_key = tsa.key\n\
         signer_digest = sha256\ndefault_policy = 1.2.3.4\ndigests = sha256\naccuracy = secs:1\n[ext]\nextendedKeyUsage = critical,timeStamping\n",
    )
    .unwrap();
    shell(
        dir,
        "echo 01 > serial
         openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca -days 2 2>/dev/null
         openssl req -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /CN=tsa 2>/dev/null
         openssl x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out tsa.pem -days 2 -extfile tsa.cnf -extensions ext 2>/dev/null",
    );
    let stamp = format!(
        "cd {} && cat > given && openssl ts -query -data given -sha256 -cert -out query >&2 && \
         openssl ts -reply -queryfile query -config tsa.cnf -section one -out reply >&2 && cat reply",
        dir.display()
    );
    let output = world.uniq(&[
        "certify",
        text(&world.clip),
        "--key",
        "ed25519",
        "--index",
        "index",
        "-o",
        text(&dir.join("c")),
        "--timestamp-command",
        &stamp,
        "--sigstore-bundle",
    ]);
    good(&output);
    let certificate = dir
        .join("c")
        .join(world.certificate("p256").file_name().unwrap());
    let envelope: Value = serde_json::from_slice(&fs::read(&certificate).unwrap()).unwrap();
    fs::write(
        dir.join("signature"),
        STANDARD
            .decode(envelope["signatures"][0]["sig"].as_str().unwrap())
            .unwrap(),
    )
    .unwrap();
    let stamp_file = text(&certificate).replace(".certificate.json", ".tsr");
    shell(
        dir,
        &format!(
            "openssl ts -verify -data signature -in {stamp_file} -CAfile ca.pem -untrusted tsa.pem"
        ),
    );
    let bundle = text(&certificate).replace(".certificate.json", ".sigstore.json");
    let verified = world.uniq(&["certificate", "verify", &bundle, "--key", "ed25519.pub"]);
    good(&verified);
    assert!(
        stdout(&verified).contains("1 time stamp in the bundle, not checked"),
        "{}",
        stdout(&verified)
    );
    // A timestamp of something else is not accepted.
    let other = "openssl ts -query -data /dev/null -sha256";
    let refused_stamp = world.uniq(&[
        "certify",
        text(&world.clip),
        "--key",
        "ed25519",
        "--index",
        "index",
        "-o",
        text(&dir.join("d")),
        "--timestamp-command",
        other,
    ]);
    refused(&refused_stamp, "not a time stamp of the signature");
}
