//! Checks the order of the modules and the library's independence of its surroundings, from the
//! source text.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A module may name only itself and modules to its left.
const ORDER: [&str; 21] = [
    "error",
    "media",
    "sample",
    "sandbox",
    "facts",
    "fingerprint",
    "index",
    "remote",
    "evidence",
    "search",
    "align",
    "verdict",
    "report",
    "rates",
    "ingest",
    "check",
    "scatter",
    "dedup",
    "certificate",
    "ledger",
    "evidence_page",
];

/// Foreign crates that only one file or folder may name, so that replacing one changes only that
/// place.
const PLACES: [(&str, &[&str], &str); 15] = [
    (
        "ffmpeg-next",
        &["ffmpeg_next", "ffmpeg_sys_next", "ffmpeg"],
        "src/media/",
    ),
    ("image_hasher", &["image_hasher"], "src/fingerprint/hash.rs"),
    ("hnsw_rs", &["hnsw_rs"], "src/index/cells/graph.rs"),
    ("bincode", &["bincode"], "src/index/format.rs"),
    ("bytemuck", &["bytemuck"], "src/index/format.rs"),
    ("memmap2", &["memmap2"], "src/index/files.rs"),
    ("object_store", &["object_store"], "src/remote/"),
    ("ed25519-dalek", &["ed25519_dalek"], "src/certificate/keys"),
    ("p256", &["p256"], "src/certificate/keys"),
    ("landlock", &["landlock"], "src/sandbox/"),
    ("seccompiler", &["seccompiler"], "src/sandbox/"),
    ("libc", &["libc"], "src/sandbox/"),
    ("rusqlite", &["rusqlite"], "src/ledger/store/sqlite.rs"),
    (
        "postgres",
        &["tokio_postgres", "NoTls"],
        "src/ledger/store/postgres.rs",
    ),
    ("bytes", &["BytesMut"], "src/ledger/store/postgres.rs"),
];

/// The exception: this file is compiled only for fuzzing.
const OF_THE_FUZZER: &str = "src/index/fuzz.rs";
const OF_THE_PROGRAM: [&str; 7] = [
    "anyhow",
    "clap",
    "clap_complete",
    "clap_mangen",
    "ctrlc",
    "etcetera",
    "indicatif",
];

#[test]
fn a_module_names_only_what_stands_to_its_left() {
    let root = tokens(&read(Path::new("src/lib.rs")));
    let names = root_names(&root);
    let mut faults = Vec::new();
    let mut links = 0;
    for (file, code) in library() {
        let Some(module) = module_of(&file) else {
            continue;
        };
        let place = position(&module)
            .unwrap_or_else(|| panic!("{} is in no module of the order", file.display()));
        for named in paths_from_root(&code, depth(&file)) {
            let target = names.get(named.as_str()).unwrap_or(&named);
            match position(target) {
                Some(at) if at <= place => links += usize::from(at < place),
                Some(_) => faults.push(format!(
                    "{} names {named}, which stands to the right",
                    file.display()
                )),
                None => faults.push(format!(
                    "{} names crate::{named}, which is in no module",
                    file.display()
                )),
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(
        !library()
            .iter()
            .any(|(file, _)| slashed(file) == "src/index/forged.rs"),
        "this file is for tests only"
    );
    assert!(
        links > ORDER.len(),
        "only {links} links between modules were seen: the reader of the source is broken"
    );
}

#[test]
fn the_order_is_that_of_the_crate_and_of_its_documentation() {
    let text = read(Path::new("src/lib.rs"));
    let code = tokens(&text);
    let declared: BTreeSet<&str> = code
        .windows(3)
        .filter(|w| w[0] == "mod" && w[2] == ";")
        .map(|w| w[1].as_str())
        .collect();
    assert_eq!(declared, ORDER.into_iter().collect());
    let documented = ORDER.join(" < ");
    assert!(
        text.contains(&documented),
        "the crate's documentation does not give the order: {documented}"
    );
}

#[test]
fn foreign_crates_are_named_in_their_places_only() {
    let manifest = read(Path::new("Cargo.toml"));
    let files: Vec<_> = rust_files(Path::new("src"))
        .into_iter()
        .map(|file| (tokens(&read(&file)), file))
        .collect();
    for (package, names, place) in PLACES {
        assert!(
            manifest.contains(&format!("\n{package} = ")),
            "{package} is not a dependency any more"
        );
        let naming: Vec<&Path> = files
            .iter()
            .filter(|(code, _)| code.iter().any(|token| names.contains(&token.as_str())))
            .map(|(_, file)| file.as_path())
            .collect();
        assert!(!naming.is_empty(), "{package} is named nowhere");
        for file in naming {
            assert!(
                slashed(file).starts_with(place),
                "{} names {package}, which belongs to {place}",
                file.display()
            );
        }
    }
}

#[test]
fn the_library_does_not_know_what_belongs_to_the_program() {
    let manifest = read(Path::new("Cargo.toml"));
    for name in OF_THE_PROGRAM {
        assert!(
            manifest.contains(&format!("\n{name} = ")),
            "{name} is not a dependency any more"
        );
        for (file, code) in library() {
            assert!(
                !code.iter().any(|token| token == name),
                "{} names {name}",
                file.display()
            );
        }
    }
}

#[test]
fn what_serves_the_fuzzer_is_compiled_for_it_alone() {
    let code = read(Path::new("src/index/mod.rs"));
    assert!(
        code.contains("#[cfg(fuzzing)]\npub mod fuzz;")
            || code.contains("#[cfg(fuzzing)]\n#[doc(hidden)]\npub mod fuzz;")
    );
    assert!(Path::new(OF_THE_FUZZER).is_file());
}

#[test]
fn the_library_does_not_print_exit_or_read_the_environment() {
    for (file, code) in library() {
        let fault = forbidden(&code);
        assert_eq!(fault, None, "{}", file.display());
    }
}

#[test]
fn the_reader_of_the_source_sees_what_is_forbidden() {
    let sees = |text: &str| forbidden(&without_tests(tokens(text)));
    for text in [
        "fn f() { println!(\"x\") }",
        "fn f() { eprint! {\"x\"} }",
        "fn f() { std::env::var(\"X\"); }",
        "use std::{env, fs};",
        "use std::process; fn f() { process::exit(1) }",
        "use std::process::exit as leave;",
        "fn f() { std::process::abort() }",
        "fn f() { io::stdout().write_all(b\"x\") }",
        "fn f() { std::env::temp_dir(); }",
        "fn f() { tempfile::tempdir(); }",
        "fn f(c: char) { if c == '\"' { dbg!(c); } }",
        "fn f() -> &'static str { r#\"\"\"#; std::env::args() }",
    ] {
        assert!(sees(text).is_some(), "{text}");
    }
    for text in [
        "/// println!(\"x\")\nfn f() {}",
        "/* std::env /* nested */ exit() */ fn f() {}",
        "const A: &str = \"println!(std::env)\";",
        "const A: &str = r#\"say \"exit()\" \"#; const B: char = '\\''; const C: &str = \"\\\"env\";",
        "const V: &str = env!(\"CARGO_PKG_VERSION\");",
        "fn f() { std::process::id(); }",
        "fn f(c: Command) { c.stdin(file).stdout(pipe); }",
        "#[cfg(test)]\nmod tests { fn f() { println!(\"{}\", '}'); } }",
        "#[cfg(test)]\n#[allow(unused)]\nuse std::env;",
    ] {
        assert_eq!(sees(text), None, "{text}");
    }
}

#[test]
fn the_reader_of_the_source_sees_every_path_to_another_module() {
    let text = "use crate::{Error, align::{self, Span}, media};\nuse crate::index::Index;\n\
        fn f() { crate::check::check(); super::super::report::x(); } // crate::ingest\n\
        pub(crate) fn g() { super::near(); } use super::super::{verdict::{A, B}, sample};\n\
        mod inner { use super::super::super::search::Hit; use super::super::local; }";
    let found: BTreeSet<String> = paths_from_root(&tokens(text), 2).into_iter().collect();
    let wanted = [
        "Error", "align", "media", "index", "check", "report", "verdict", "sample", "search",
    ];
    assert_eq!(found, wanted.into_iter().map(str::to_owned).collect());
    assert_eq!(paths_from_root(&tokens("use crate::*;"), 1), ["*"]);
    assert_eq!(
        paths_from_root(&tokens("use super::report;"), 1),
        ["report"]
    );
}

/// The tokens that mark an item as test-only.
const TEST_MARK: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];

fn position(module: &str) -> Option<usize> {
    ORDER.iter().position(|name| *name == module)
}

/// The files of the library without tests, each with its tokens.
fn library() -> Vec<(PathBuf, Vec<String>)> {
    let files = rust_files(Path::new("src"))
        .into_iter()
        .filter(|file| !slashed(file).starts_with("src/bin/"));
    let all: Vec<(PathBuf, Vec<String>)> = files
        .map(|file| (file.clone(), tokens(&read(&file))))
        .collect();
    let of_tests: BTreeSet<PathBuf> = all
        .iter()
        .flat_map(|(file, code)| test_files(file, code))
        .collect();
    let kept = all
        .into_iter()
        .filter(|(file, _)| !of_tests.contains(file) && slashed(file) != OF_THE_FUZZER);
    kept.map(|(file, code)| (file, without_tests(code)))
        .collect()
}

/// The files of modules that `file` declares only for tests.
fn test_files(file: &Path, code: &[String]) -> Vec<PathBuf> {
    let is_folder = file
        .file_name()
        .is_some_and(|name| name == "mod.rs" || name == "lib.rs");
    let folder = if is_folder {
        file.parent().unwrap().to_owned()
    } else {
        file.with_extension("")
    };
    let length = TEST_MARK.len();
    let declared = code
        .windows(length + 3)
        .filter(|w| w[..length] == TEST_MARK && w[length] == "mod");
    declared
        .filter(|w| w[length + 2] == ";")
        .map(|w| folder.join(format!("{}.rs", w[length + 1])))
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(&folder)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| {
            path.strip_prefix(env!("CARGO_MANIFEST_DIR"))
                .unwrap()
                .to_owned()
        })
        .collect();
    files.sort();
    assert!(files.len() > ORDER.len(), "{}: {files:?}", folder.display());
    files
}

fn read(file: &Path) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

fn slashed(file: &Path) -> String {
    file.components()
        .map(|part| part.as_os_str().to_string_lossy())
        .collect::<Vec<_>>()
        .join("/")
}

/// The top-level module of a file; `None` for the root itself.
fn module_of(file: &Path) -> Option<String> {
    let first = file
        .components()
        .nth(1)?
        .as_os_str()
        .to_string_lossy()
        .into_owned();
    let name = first.strip_suffix(".rs").unwrap_or(&first);
    (name != "lib").then(|| name.to_owned())
}

/// Number of modules above a file, which is how many `super` lead to the root.
fn depth(file: &Path) -> usize {
    let below = file.components().count() - 1;
    if file.file_name().is_some_and(|name| name == "mod.rs") {
        below - 1
    } else {
        below
    }
}

/// The modules behind the root's re-exports: `Error` is in `error`, and so on.
fn root_names(root: &[String]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for (at, _) in root
        .windows(2)
        .enumerate()
        .filter(|(_, w)| w[0] == "pub" && w[1] == "use")
    {
        let statement: Vec<&str> = root[at + 2..]
            .iter()
            .map(String::as_str)
            .take_while(|token| *token != ";")
            .collect();
        for name in statement
            .iter()
            .filter(|token| token.chars().next().is_some_and(char::is_alphabetic))
        {
            // A module may have the same name as its function, as `check` does; that is the same
            // module.
            names.insert((*name).to_owned(), statement[0].to_owned());
        }
    }
    // A name like `of_clip as fingerprint` must not hide the module, and `self` means none.
    for module in ORDER {
        names.insert(module.to_owned(), module.to_owned());
    }
    names
}

/// The names that follow `crate::`, or as many `super::` as lead to the root, in a file that is
/// `depth` modules deep.
fn paths_from_root(code: &[String], depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    // Counts the inline modules around a token, by the braces that end them.
    let (mut braces, mut inline) = (0_usize, Vec::new());
    let mut at = 0;
    while at < code.len() {
        match code[at].as_str() {
            "{" => {
                braces += 1;
                if at >= 2 && code[at - 2] == "mod" {
                    inline.push(braces);
                }
            }
            "}" => {
                if inline.last() == Some(&braces) {
                    inline.pop();
                }
                braces -= 1;
            }
            word @ ("crate" | "super") => {
                let mut left = if word == "crate" {
                    0
                } else {
                    depth + inline.len() - 1
                };
                let mut next = at + 1;
                while left > 0
                    && follows(code, next)
                    && code.get(next + 2).is_some_and(|token| token == "super")
                {
                    left -= 1;
                    next += 3;
                }
                if left == 0 && follows(code, next) {
                    found.extend(heads(&code[next + 2..]));
                }
                at = next;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn follows(code: &[String], at: usize) -> bool {
    code.get(at..at + 2).is_some_and(|pair| pair == [":", ":"])
}

/// The first name of a path, or the first names of a group of paths.
fn heads(code: &[String]) -> Vec<String> {
    if code[0] != "{" {
        return vec![code[0].clone()];
    }
    let (mut braces, mut heads, mut fresh) = (0_usize, Vec::new(), true);
    for token in code {
        match token.as_str() {
            "{" => braces += 1,
            "}" => braces -= 1,
            "," if braces == 1 => fresh = true,
            name if braces == 1 && fresh => {
                heads.push(name.to_owned());
                fresh = false;
            }
            _ => {}
        }
        if braces == 0 {
            break;
        }
    }
    heads
}

/// The first use of something that a library must leave to its caller.
fn forbidden(code: &[String]) -> Option<String> {
    let next = |at: usize| code.get(at + 1).map(String::as_str);
    let fault = code
        .iter()
        .enumerate()
        .find(|(at, token)| match token.as_str() {
            "print" | "println" | "eprint" | "eprintln" | "dbg" => next(*at) == Some("!"),
            // `env!` is read when the crate is built.
            "env" => next(*at) != Some("!"),
            "exit" | "abort" => *at >= 3 && code[at - 3] == "process",
            // After a dot it configures another process.
            "stdout" | "stderr" | "stdin" => *at == 0 || code[at - 1] != ".",
            // The environment names their folder; not so for `new_in` and `tempdir_in`.
            "tempdir" | "temp_dir" => true,
            _ => false,
        });
    fault.map(|(at, _)| code[at.saturating_sub(3)..code.len().min(at + 2)].join(" "))
}

/// Drops the items that are compiled only for tests.
fn without_tests(code: Vec<String>) -> Vec<String> {
    let mut kept = Vec::with_capacity(code.len());
    let mut at = 0;
    while at < code.len() {
        if !code[at..].starts_with(&TEST_MARK.map(str::to_owned)) {
            kept.push(code[at].clone());
            at += 1;
            continue;
        }
        let mut braces = 0_usize;
        while at < code.len() {
            let token = code[at].as_str();
            at += 1;
            match token {
                "{" => braces += 1,
                "}" => braces -= 1,
                _ => {}
            }
            if braces == 0 && (token == "}" || token == ";") {
                break;
            }
        }
    }
    kept
}

/// Splits source text into words and single signs, without whitespace, comments and the contents of
/// literals.
fn tokens(text: &str) -> Vec<String> {
    let text: Vec<char> = text.chars().collect();
    let sign = |at: usize| text.get(at).copied().unwrap_or('\0');
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let c = text[at];
        if c == '/' && sign(at + 1) == '/' {
            while at < text.len() && text[at] != '\n' {
                at += 1;
            }
        } else if c == '/' && sign(at + 1) == '*' {
            let mut open = 0;
            while at < text.len() {
                match (sign(at), sign(at + 1)) {
                    ('/', '*') => (open, at) = (open + 1, at + 2),
                    ('*', '/') => (open, at) = (open - 1, at + 2),
                    _ => at += 1,
                }
                if open == 0 {
                    break;
                }
            }
        } else if c == '"' {
            at = after_quoted(&text, at, '"');
        } else if c == '\'' {
            // A lifetime has no closing quote after its first character.
            at = if sign(at + 1) == '\\' || sign(at + 2) == '\'' {
                after_quoted(&text, at, '\'')
            } else {
                at + 1
            };
        } else if is_word(c) {
            let start = at;
            while is_word(sign(at)) {
                at += 1;
            }
            let word: String = text[start..at].iter().collect();
            let hashes = text[at..].iter().take_while(|c| **c == '#').count();
            if matches!(word.as_str(), "r" | "br" | "cr") && sign(at + hashes) == '"' {
                at += hashes + 1;
                while at < text.len()
                    && !(text[at] == '"' && (1..=hashes).all(|i| sign(at + i) == '#'))
                {
                    at += 1;
                }
                at += hashes + 1;
            } else {
                tokens.push(word);
            }
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            at += 1;
        }
    }
    tokens
}

/// The position after a literal that begins at `at`.
fn after_quoted(text: &[char], at: usize, quote: char) -> usize {
    let mut at = at + 1;
    while at < text.len() && text[at] != quote {
        at += if text[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}
