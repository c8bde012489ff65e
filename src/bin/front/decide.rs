//! Decides whether a call is for this program, for coreutils' `uniq`, or for neither.
//!
//! A call goes to coreutils only if it is unmistakably meant for it: no arguments and no terminal,
//! or only options of coreutils and files that are texts, pipes or devices. Every other call is an
//! error with this program's error code, because the codes 0 and 1 of coreutils would read as
//! verdicts.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileType};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::commands::{COMMANDS, INDEX_COMMANDS};

use crate::sniff::{self, HEAD_BYTES, VIDEO_EXTENSIONS};
use crate::typed;

/// Which program a call is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// For this program.
    Ours,
    /// For coreutils.
    Theirs,
    /// For neither; the message says what to call instead.
    Wrong(String),
}

/// First argument of a decoding process, which this program starts itself.
const DECODING_PROCESS: &str = "decode-for-uniq";
/// Our options that may precede the command; coreutils has none of them.
pub(crate) const LEADING_OPTIONS: [&str; 2] = ["--quiet", "-q"];
/// Arguments that ask this program about itself.
const QUESTIONS: [&str; 5] = ["help", "--help", "-h", "--version", "-V"];
/// Maximum number of letters added, lost, changed or swapped in a mistyped command.
const SLIPS: usize = 2;
/// Minimum number of letters of a name that counts as the beginning of a command.
const BEGINNING: usize = 3;
/// Extensions of files that can be checked in place of a clip.
const OTHER_EXTENSIONS: [&str; 1] = ["uniq"];

/// Decides which program the call is for. `terminal` says whether standard input is a terminal.
pub(crate) fn decide(args: &[OsString], terminal: bool) -> Call {
    let Some(first) = args
        .iter()
        .find(|arg| !LEADING_OPTIONS.iter().any(|option| arg == option))
    else {
        return if args.is_empty() && !terminal {
            Call::Theirs
        } else {
            Call::Ours
        };
    };
    let is = |names: &[&str]| names.iter().any(|name| first == name);
    if is(&QUESTIONS) || is(COMMANDS) || is(&[DECODING_PROCESS]) {
        return Call::Ours;
    }
    if let Some(command) = command_meant(first) {
        return Call::Wrong(command);
    }
    if first != &args[0] {
        let files = args
            .iter()
            .filter(|arg| !arg.to_string_lossy().starts_with('-'))
            .map(PathBuf::from)
            .collect();
        let call = Foreign { files, zero: false };
        let remedy = if call.files.iter().any(|file| is_for_us(file)) {
            call.remedy()
        } else {
            HELP.to_owned()
        };
        return Call::Wrong(format!(
            "{}: unknown command; {remedy}",
            first.to_string_lossy()
        ));
    }
    match of_coreutils(args).and_then(|call| call.check()) {
        Ok(()) => Call::Theirs,
        Err(message) => Call::Wrong(message),
    }
}

const HELP: &str = "for the commands see: uniq --help";

/// The command that was probably meant by a first argument that is no command.
fn command_meant(first: &OsStr) -> Option<String> {
    let name = first.to_str()?;
    if INDEX_COMMANDS.contains(&name) {
        let hint = if Path::new(name).exists() {
            format!("; for the file of this name: uniq ./{name}")
        } else {
            String::new()
        };
        return Some(format!(
            "{name}: unknown command; perhaps you mean: uniq index {name}{hint}"
        ));
    }
    // A file of that name is probably meant as a file.
    if name.starts_with(['-', '+']) || name.contains('/') || Path::new(name).exists() {
        return None;
    }
    let slip = |command: &&str| {
        let begins = name.len() >= BEGINNING && command.starts_with(&name.to_lowercase());
        let slips = if begins { 0 } else { distance(name, command) };
        (slips <= SLIPS && 2 * slips < command.len() && !has_ending(Path::new(name)))
            .then_some(slips)
    };
    let of = |commands: &[&'static str], before: &'static str| {
        commands
            .iter()
            .filter_map(|command| Some((slip(command)?, before, *command)))
            .min()
    };
    let (_, before, command) = of(COMMANDS, "uniq")
        .into_iter()
        .chain(of(INDEX_COMMANDS, "uniq index"))
        .min()?;
    Some(format!(
        "{name}: unknown command; perhaps you mean: {before} {command}"
    ))
}

/// Number of letters to add, omit, change or swap with a neighbour to turn one word into the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.chars().collect());
    // A long name is no typing error, and comparing it would take long.
    if a.len() > b.len() + SLIPS {
        return a.len();
    }
    let mut rows = vec![(0..=b.len()).collect::<Vec<usize>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

/// A call as coreutils parses it.
#[derive(Debug, Default)]
struct Foreign {
    /// The input and the output, if given.
    files: Vec<PathBuf>,
    /// Whether lines end with NUL.
    zero: bool,
}

/// Long options of coreutils, and whether they take a number.
const LONG: [(&str, bool); 12] = [
    ("count", false),
    ("repeated", false),
    ("all-repeated", false),
    ("skip-fields", true),
    ("group", false),
    ("ignore-case", false),
    ("skip-chars", true),
    ("unique", false),
    ("zero-terminated", false),
    ("check-chars", true),
    ("help", false),
    ("version", false),
];

/// Parses arguments as coreutils does; the error names the first argument that coreutils would not
/// know.
fn of_coreutils(args: &[OsString]) -> Result<Foreign, String> {
    let mut call = Foreign::default();
    let mut args = args.iter();
    let mut options = true;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    while let Some(arg) = args.next() {
        let text = arg.to_string_lossy();
        let unknown = || format!("{text}: unknown option, or no command before it; {HELP}");
        if options && arg == "--" {
            options = false;
        } else if let Some(long) = text.strip_prefix("--").filter(|_| options) {
            let (name, value) = long
                .split_once('=')
                .map_or((long, None), |(name, value)| (name, Some(value)));
            let fits = |(option, _): &&(&str, bool)| option.starts_with(name);
            let (option, needs) = LONG
                .iter()
                .find(|(option, _)| *option == name)
                .or(LONG.iter().find(fits))
                .ok_or_else(unknown)?;
            if *needs {
                let next = if value.is_none() {
                    args.next().map(|next| next.to_string_lossy())
                } else {
                    None
                };
                if !value.or(next.as_deref()).is_some_and(is_number) {
                    return Err(unknown());
                }
            }
            call.zero |= *option == "zero-terminated";
        } else if let Some(short) = text
            .strip_prefix('-')
            .filter(|short| options && !short.is_empty())
        {
            let mut letters = short.chars();
            while let Some(letter) = letters.next() {
                match letter {
                    'c' | 'd' | 'D' | 'u' | 'i' => {}
                    'z' => call.zero = true,
                    '0'..='9' if is_number(letters.as_str()) || letters.as_str().is_empty() => {
                        break;
                    }
                    'f' | 's' | 'w' => {
                        let next = if letters.as_str().is_empty() {
                            args.next()
                        } else {
                            None
                        };
                        let next = next.map(|next| next.to_string_lossy().into_owned());
                        if !is_number(next.as_deref().unwrap_or(letters.as_str())) {
                            return Err(unknown());
                        }
                        break;
                    }
                    _ => return Err(unknown()),
                }
            }
        } else if options && text.strip_prefix('+').is_some_and(is_number) {
            // An obsolete way to skip characters.
        } else {
            call.files.push(PathBuf::from(arg));
        }
    }
    Ok(call)
}

impl Foreign {
    /// Whether its files can be for coreutils.
    fn check(&self) -> Result<(), String> {
        if let Some((word, rest)) = self.files.split_first()
            && !has_ending(word)
            && word.components().count() == 1
            && word != Path::new("-")
            && !word.exists()
            && rest.iter().any(|file| is_for_us(file))
        {
            let rest = Foreign {
                files: rest.to_vec(),
                zero: false,
            };
            return Err(format!(
                "{}: no such command or file; {}",
                word.display(),
                rest.remedy()
            ));
        }
        if let Some(file) = self.files.iter().find(|file| has_ending(file)) {
            return Err(format!(
                "{}: a video without a command; {}",
                file.display(),
                self.remedy()
            ));
        }
        if self.files.len() > 2 {
            return Err(format!(
                "{}: unknown command; {}",
                self.files[0].display(),
                self.remedy()
            ));
        }
        if let Some(input) = self.files.first().filter(|file| *file != Path::new("-")) {
            self.check_file(input)?;
        }
        match self
            .files
            .get(1)
            .map(|output| (output, fs::metadata(output)))
        {
            Some((output, Ok(_))) if output != Path::new("-") => self.check_file(output)?,
            // A missing output file will be created.
            _ => {}
        }
        Ok(())
    }

    fn check_file(&self, path: &Path) -> Result<(), String> {
        let wrong = |what: &str| format!("{}: {what}; {}", path.display(), self.remedy());
        let meta = fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                format!("{}: no such command or file; {HELP}", path.display())
            }
            _ => wrong(&format!("cannot be read: {error}")),
        })?;
        if meta.is_dir() {
            return Err(wrong("a folder without a command"));
        }
        if !is_plain(meta.file_type()) {
            // Reading from a pipe or a device would take data from it.
            return Ok(());
        }
        let mut head = Vec::new();
        let read =
            File::open(path).and_then(|file| file.take(HEAD_BYTES as u64).read_to_end(&mut head));
        read.map_err(|error| wrong(&format!("cannot be read: {error}")))?;
        if sniff::is_video(&head) {
            return Err(wrong("a video without a command"));
        }
        if head.contains(&0) && !self.zero {
            return Err(wrong("not a text file, and no command given"));
        }
        Ok(())
    }

    /// What to call instead.
    fn remedy(&self) -> String {
        let files: Vec<String> = self
            .files
            .iter()
            .take(NAMED)
            .map(|file| typed(file))
            .collect();
        let more = if self.files.len() > NAMED { " ..." } else { "" };
        format!("to check it: uniq check {}{more}", files.join(" "))
    }
}

/// Maximum number of files named in a message.
const NAMED: usize = 3;

/// Whether a name has the extension of a video or a fingerprint.
fn has_ending(path: &Path) -> bool {
    let ending = path
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase());
    ending.is_some_and(|ending| {
        VIDEO_EXTENSIONS.contains(&ending.as_str()) || OTHER_EXTENSIONS.contains(&ending.as_str())
    })
}

/// Whether a path has such an extension or is a folder, which coreutils cannot read.
fn is_for_us(path: &Path) -> bool {
    has_ending(path) || path.is_dir()
}

fn is_plain(kind: FileType) -> bool {
    kind.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decided(args: &[&str]) -> Call {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        decide(&args, false)
    }

    #[test]
    fn commands_and_questions_are_ours() {
        for own in [
            &["index"][..],
            &["check", "a"],
            &["help"],
            &["-h"],
            &["--version"],
            &["-q", "check", "a"],
            &["-q"],
        ] {
            assert_eq!(decided(own), Call::Ours, "{own:?}");
        }
        assert_eq!(decide(&[], true), Call::Ours);
    }

    #[test]
    fn no_argument_options_of_coreutils_and_texts_are_theirs() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (text, zeros, empty) = (
            file("in", b"a\na\n\xff\n"),
            file("zeros", b"a\0a\0"),
            file("empty", b""),
        );
        let new = folder.path().join("new").to_str().unwrap().to_owned();
        for other in [
            &[][..],
            &["-c"],
            &["-cd"],
            &["-f1", "-s", "2", "-w3"],
            &[
                "--count",
                "--skip-fields=3",
                "--check-ch",
                "4",
                "--all-repeated=prepend",
            ],
            &["-5", "+3"],
            &["-"],
            &["--", "-"],
            &[&text],
            &["-u", "-f", "1", &text, &new],
            &[&text, "-"],
            &[&empty],
            &["-z", &zeros],
            &["/dev/null", "/dev/null"],
        ] {
            assert_eq!(decided(other), Call::Theirs, "{other:?}");
        }
    }

    #[test]
    fn what_may_be_meant_for_us_is_refused_and_the_right_command_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let text = file("in", b"a\n");
        let (video, bare) = (
            file("a.webm", b"\x1aE\xdf\xa3"),
            file("bare", b"\0\0\0\x20ftypisom"),
        );
        let (page, zeros) = (file("page.mp4", b"<html>"), file("zeros", b"a\0a\0"));
        let dir = folder.path().to_str().unwrap();
        for (args, right) in [
            (&[&*video][..], "uniq check /"),
            (&[&bare], "uniq check /"),
            (&[&page], "uniq check /"),
            (&[&zeros], "uniq check /"),
            (&[dir], "uniq check /"),
            (&["gone.mp4"], "uniq check gone.mp4"),
            (&["a gone.MOV"], "uniq check 'a gone.MOV'"),
            (&["-c", &video], "uniq check /"),
            (&[&video, &video], "uniq check /"),
            (&[&text, &bare], "uniq check /"),
            (&[&text, "new.mkv"], "uniq check /"),
            (&["a", "b", "c"], "uniq check a b c"),
            (&["chekc", "x"], "uniq check"),
            (&["cehck"], "uniq check"),
            (&["Check"], "uniq check"),
            (&["idnex", "stats"], "uniq index"),
            (&["fingreprint", "x"], "uniq fingerprint"),
            (&["stats"], "uniq index stats"),
            (&["add", "x.mp4"], "uniq index add"),
            (&["verfy"], "uniq index verify"),
            (&["gone"], "uniq --help"),
            (&["--json", &video], "uniq --help"),
            (&["-x"], "uniq --help"),
            (&["-f", &text], "uniq --help"),
            (&["-q", "chekc"], "uniq check"),
            (&["-q", &text], "uniq --help"),
            (&["-q", &video], "uniq check /"),
            (&["scan", "x.mp4"], "uniq check x.mp4"),
            (&["finger", "x.mp4"], "uniq fingerprint"),
            (&["ver"], "uniq index verify"),
            (&["COMP"], "uniq completions"),
        ] {
            match decided(args) {
                Call::Wrong(message) => assert!(message.contains(right), "{args:?}: {message}"),
                call => panic!("{args:?}: {call:?}"),
            }
        }
    }
}
