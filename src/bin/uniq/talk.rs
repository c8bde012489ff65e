//! Prints messages on standard error, and ignores a closed or full one.

use std::error::Error;
use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use crate::text::{chain, plain};

/// Prints one line under the program's name, with control characters escaped.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "uniq: {}", plain(line));
}

/// As [`say`], in place of a progress bar's line; the bar reappears below it.
pub(crate) fn say_over(line: &str) {
    let mut err = io::stderr().lock();
    if err.is_terminal() {
        let _ = write!(err, "\r\x1b[K");
    }
    drop(err);
    say(line);
}

/// Prints an error and its causes.
pub(crate) fn fail(error: &(dyn Error + 'static)) {
    say(&chain(error));
}

/// Prints an error that belongs to a file.
pub(crate) fn fail_about(path: &Path, error: &uniq::Error) {
    say(&about(path, error));
}

/// An error and its causes on one line that names the file exactly once.
pub(crate) fn about(path: &Path, error: &uniq::Error) -> String {
    let line = chain(error);
    let name = path.display().to_string();
    if line.contains(plain(&name).as_ref()) {
        line
    } else {
        format!("{name}: {line}")
    }
}
