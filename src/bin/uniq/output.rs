//! Writes to standard output: decides once about colours, and treats a closed pipe as no error.

use std::env;
use std::io::{self, IsTerminal, StdoutLock, Write};

use clap::builder::styling::Style;
use uniq::report::SCHEMA;
use uniq::sandbox::json_line;

/// Locks standard output behind a buffer; flush it before the process ends.
pub(crate) fn stdout() -> io::BufWriter<StdoutLock<'static>> {
    io::BufWriter::new(io::stdout().lock())
}

/// Writes `bytes` to standard output.
pub(crate) fn print(bytes: &[u8]) -> io::Result<()> {
    let mut out = stdout();
    out.write_all(bytes)?;
    out.flush()
}

/// Prints the JSON object of an error that concerns no single clip.
pub(crate) fn error_object(code: &str, message: &str) -> anyhow::Result<()> {
    let object = serde_json::json!({ "schema": SCHEMA, "code": code, "message": message });
    print(format!("{}\n", json_line(&object)?).as_bytes())?;
    Ok(())
}

/// Whether an error only means that the reader closed the pipe.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        // serde_json hides the I/O error and reports only its kind.
        let json = cause
            .downcast_ref::<serde_json::Error>()
            .and_then(serde_json::Error::io_error_kind);
        json.or(cause.downcast_ref::<io::Error>().map(io::Error::kind))
            == Some(io::ErrorKind::BrokenPipe)
    })
}

/// Whether to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// With colour escape sequences.
    Colour,
    /// Without.
    Plain,
}

impl Paint {
    /// Uses colours only if the terminal supports them and the user has not refused them
    /// (`NO_COLOR`).
    pub(crate) fn for_stdout() -> Paint {
        let refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = env::var_os("TERM").is_some_and(|value| value == "dumb");
        if io::stdout().is_terminal() && !refused && !dumb {
            Paint::Colour
        } else {
            Paint::Plain
        }
    }

    /// The text in this style, or unchanged.
    pub(crate) fn style(self, style: Style, text: &str) -> String {
        match self {
            Paint::Colour => format!("{style}{text}{style:#}"),
            Paint::Plain => text.to_owned(),
        }
    }
}
