//! Standard output as a place for data: colours decided once, a reader that went away is no error.

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

/// Prints the object that stands for an error which concerns no single clip.
pub(crate) fn error_object(code: &str, message: &str) -> anyhow::Result<()> {
    let object = serde_json::json!({ "schema": SCHEMA, "code": code, "message": message });
    print(format!("{}\n", json_line(&object)?).as_bytes())?;
    Ok(())
}

/// Whether an error only says that nobody reads any more.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        // A JSON writer keeps its I/O error to itself and tells only the kind.
        let json = cause
            .downcast_ref::<serde_json::Error>()
            .and_then(serde_json::Error::io_error_kind);
        json.or(cause.downcast_ref::<io::Error>().map(io::Error::kind))
            == Some(io::ErrorKind::BrokenPipe)
    })
}

/// Whether to colour what is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// With escape sequences.
    Colour,
    /// Without.
    Plain,
}

impl Paint {
    /// Colours only for a terminal that can show them and a user who did not refuse them
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

    /// The text in that style, or as it is.
    pub(crate) fn style(self, style: Style, text: &str) -> String {
        match self {
            Paint::Colour => format!("{style}{text}{style:#}"),
            Paint::Plain => text.to_owned(),
        }
    }
}
