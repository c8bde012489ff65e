//! Every `uniq` command line in the documentation uses existing commands and options.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use super::{UNIQ, markdown, pages};

#[test]
fn commands_and_options_exist() {
    let mut helps = BTreeMap::new();
    let (mut lines, mut faults) = (0, BTreeSet::new());
    for page in pages() {
        let text = markdown::read(&page);
        for line in shell_lines(&text) {
            for words in calls(&line) {
                lines += 1;
                if let Err(fault) = judge(&words, &mut helps) {
                    faults.insert(format!("{}: {}: {fault}", page.display(), line.trim()));
                }
            }
        }
    }
    let faults: Vec<String> = faults.into_iter().collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(lines > 80, "only {lines} command lines were found");
}

/// The lines of shell blocks and of indented blocks.
fn shell_lines(text: &str) -> Vec<String> {
    let fenced = markdown::blocks(text)
        .into_iter()
        .filter(|block| ["sh", "bash", "console"].contains(&block.language.as_str()))
        .map(|block| block.text);
    let indented = markdown::prose(text)
        .into_iter()
        .filter_map(|(_, line)| line.strip_prefix("    ").map(str::to_owned));
    let all: Vec<String> = fenced.chain(indented).collect();
    let joined = all.join("\n").replace("\\\n", " ");
    joined.lines().map(str::to_owned).collect()
}

/// The calls of `uniq` in a line, each as words without the program's name.
fn calls(line: &str) -> Vec<Vec<String>> {
    let code = line.split(" #").next().unwrap_or_default();
    let parts = code.split(['|', ';', '&', '(', ')', '"']);
    parts
        .filter_map(|part| {
            let mut words = part
                .split_whitespace()
                .skip_while(|word| ["$", "if", "then", "do"].contains(word) || word.contains('='));
            (words.next() == Some("uniq")).then(|| words.map(str::to_owned).collect())
        })
        .filter(|words: &Vec<String>| !words.is_empty())
        .collect()
}

/// The fault of a call, if any.
fn judge(words: &[String], helps: &mut BTreeMap<Vec<String>, String>) -> Result<(), String> {
    // A separate program, which tests of this crate alone do not build.
    if words[0] == "serve" && !Path::new(UNIQ).with_file_name("uniq-serve").exists() {
        return Ok(());
    }
    let mut command: Vec<String> = Vec::new();
    let mut help = help_of(&command, helps)?;
    for word in words {
        let listed = |help: &str| {
            let mut inside = false;
            help.lines().any(|line| {
                inside = line == "Commands:" || (inside && line.starts_with(' '));
                inside && line.split_whitespace().next() == Some(word.as_str())
            })
        };
        if word.starts_with('-') || !listed(&help) {
            break;
        }
        command.push(word.clone());
        help = help_of(&command, helps)?;
    }
    if help.lines().any(|line| line == "Commands:")
        && !words[command.len()..]
            .iter()
            .any(|word| word.starts_with('-'))
    {
        let next = words.get(command.len());
        // A call of coreutils has only options. `uniq serve` has commands but needs none.
        if command.is_empty() || help.contains("<COMMAND>") {
            return Err(format!("no command {}", next.map_or("", String::as_str)));
        }
    }
    if command.is_empty() {
        return Ok(());
    }
    for word in words {
        let name = word.split('=').next().unwrap();
        let is_option = name.len() > 1 && name.starts_with('-');
        let known = help
            .split([' ', ',', '\n', '[', ']'])
            .any(|other| other == name);
        if is_option && !known && name != "--" {
            return Err(format!("no option {name}"));
        }
    }
    Ok(())
}

fn help_of(
    command: &[String],
    helps: &mut BTreeMap<Vec<String>, String>,
) -> Result<String, String> {
    if let Some(help) = helps.get(command) {
        return Ok(help.clone());
    }
    let output = Command::new(UNIQ)
        .args(command)
        .arg("--help")
        .output()
        .unwrap();
    if !output.status.success() {
        return Err(format!("uniq {} --help fails", command.join(" ")));
    }
    let help = String::from_utf8(output.stdout).unwrap();
    helps.insert(command.to_owned(), help.clone());
    Ok(help)
}

#[test]
fn a_wrong_command_is_noticed() {
    let mut helps = BTreeMap::new();
    let mut judge = |line: &str| judge(&calls(line)[0], &mut helps);
    assert_eq!(judge("uniq check --json clip.mp4 # well"), Ok(()));
    assert_eq!(judge("uniq index benign add intro.mp4"), Ok(()));
    assert_eq!(judge("sort names | uniq -c"), Ok(()));
    assert_eq!(judge("uniq chekc clip.mp4"), Err("no command chekc".into()));
    assert_eq!(judge("uniq index bild x"), Err("no command bild".into()));
    assert_eq!(
        judge("A=b uniq check --loud"),
        Err("no option --loud".into())
    );
}
