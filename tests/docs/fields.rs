//! docs/report.md describes exactly the fields of the report's types.
//!
//! The types are read from their source text, with the field names that serde uses.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::{markdown, root};

/// Where the types of the report are.
const SOURCES: [&str; 4] = [
    "src/report.rs",
    "src/facts/mod.rs",
    "src/index/video.rs",
    "src/verdict/reason.rs",
];
/// Headings of docs/report.md, each with the type that the tables below it describe.
const SECTIONS: [(&str, &str); 6] = [
    ("The report", "Report"),
    ("A match", "Match"),
    ("A stream", "Stream"),
    ("Quality", "Quality"),
    ("The amount", "Amount"),
    ("The submission", "Submission"),
];

#[derive(Debug, PartialEq)]
struct Field {
    name: String,
    kind: String,
    flat: bool,
}

#[test]
fn the_fields_of_the_report_are_described() {
    let mut types = BTreeMap::new();
    for source in SOURCES {
        types.extend(structs(&fs::read_to_string(root().join(source)).unwrap()));
    }
    let page = markdown::read(Path::new("docs/report.md"));
    let mut fields = 0;
    for (heading, kind) in SECTIONS {
        let described = described(&page, heading);
        let mut there = BTreeSet::new();
        paths(&types, kind, "", &mut there);
        fields += there.len();
        let missing: Vec<_> = there.difference(&described).collect();
        let unknown: Vec<_> = described.difference(&there).collect();
        assert!(
            missing.is_empty() && unknown.is_empty(),
            "docs/report.md, {heading}: not described: {missing:?}; not there: {unknown:?}"
        );
    }
    assert!(fields > 150, "only {fields} fields were found");
}

/// The structs in a source text with their public fields.
fn structs(source: &str) -> BTreeMap<String, Vec<Field>> {
    let mut structs = BTreeMap::new();
    let mut open: Option<(String, Vec<Field>)> = None;
    let (mut rename, mut flat) = (None, false);
    for line in source.lines() {
        if let Some(name) = line
            .strip_prefix("pub struct ")
            .and_then(|rest| rest.strip_suffix(" {"))
        {
            open = Some((name.to_owned(), Vec::new()));
        } else if line == "}" {
            structs.extend(open.take());
        } else if let Some((_, fields)) = &mut open {
            let line = line.trim();
            if line.starts_with("#[serde(") {
                flat |= line.contains("flatten");
                if let Some((_, rest)) = line.split_once("rename = \"") {
                    rename = rest.split('"').next().map(str::to_owned);
                }
            } else if let Some((name, kind)) = line
                .strip_prefix("pub ")
                .and_then(|rest| rest.strip_suffix(','))
                .and_then(|rest| rest.split_once(": "))
            {
                fields.push(Field {
                    name: rename.take().unwrap_or_else(|| name.to_owned()),
                    kind: kind.to_owned(),
                    flat: std::mem::take(&mut flat),
                });
            }
        }
    }
    structs
}

/// The type within `Option<…>` and `Vec<…>`.
fn inner(kind: &str) -> &str {
    let mut kind = kind;
    for outer in ["Option<", "Vec<", "Box<"] {
        kind = kind
            .strip_prefix(outer)
            .map_or(kind, |rest| &rest[..rest.len() - 1]);
    }
    kind
}

/// Adds the dotted names of the values in a type, without the brackets of lists.
fn paths(
    types: &BTreeMap<String, Vec<Field>>,
    kind: &str,
    prefix: &str,
    found: &mut BTreeSet<String>,
) {
    for field in &types[kind] {
        let path = if prefix.is_empty() {
            field.name.clone()
        } else {
            format!("{prefix}.{}", field.name)
        };
        let inner = inner(&field.kind);
        if field.flat {
            paths(types, inner, prefix, found);
        } else if types.contains_key(inner) && !is_described_once(inner) {
            paths(types, inner, &path, found);
        } else {
            found.insert(path);
        }
    }
}

/// Whether a type has a table of its own, or is described above the tables.
fn is_described_once(kind: &str) -> bool {
    ["NonMatch", "Rectangle", "Area", "Reason"].contains(&kind)
        || SECTIONS.iter().any(|(_, other)| *other == kind)
}

/// The names in the first column of the tables below a heading, without the brackets of lists.
fn described(page: &str, heading: &str) -> BTreeSet<String> {
    let mut inside = false;
    let mut names = BTreeSet::new();
    for (_, line) in markdown::prose(page) {
        if let Some(name) = line.strip_prefix("## ") {
            inside = name.trim() == heading;
        } else if let Some(rest) = line.strip_prefix("| ").filter(|_| inside) {
            let first = rest.split(" | ").next().unwrap();
            let quoted = first.split('`').skip(1).step_by(2);
            names.extend(quoted.map(|name| name.replace("[]", "")));
        }
    }
    assert!(
        !names.is_empty(),
        "docs/report.md has no table below {heading}"
    );
    names
}

#[test]
fn the_reason_codes_are_described() {
    let source = fs::read_to_string(root().join("src/verdict/reason.rs")).unwrap();
    let (_, rest) = source.split_once("pub enum ReasonCode {").unwrap();
    let (body, _) = rest.split_once("\n}").unwrap();
    let codes: BTreeSet<String> = body
        .lines()
        .filter_map(|line| line.strip_prefix("    ")?.strip_suffix(','))
        .map(|variant| {
            let mut code = String::new();
            for char in variant.chars() {
                if char.is_uppercase() && !code.is_empty() {
                    code.push('_');
                }
                code.extend(char.to_lowercase());
            }
            code
        })
        .collect();
    let page = markdown::read(Path::new("docs/report.md"));
    assert_eq!(described(&page, "Reason codes"), codes);
}

#[test]
fn structs_are_read() {
    let source = "pub struct A {\n    /// Doc.\n    #[serde(rename = \"c\")]\n    pub b: Option<Vec<D>>,\n    #[serde(flatten)]\n    pub e: F,\n}\n";
    let fields = &structs(source)["A"];
    assert_eq!(fields[0].name, "c");
    assert_eq!(inner(&fields[0].kind), "D");
    assert!(fields[1].flat && !fields[0].flat);
}
