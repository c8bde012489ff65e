//! Names of the commands, and the version of JSON objects, for code without the program that
//! implements them (pure).

/// The commands.
pub(crate) const COMMANDS: &[&str] = &[
    "index",
    "check",
    "dedup",
    "fingerprint",
    "key",
    "certify",
    "certificate",
    "intake",
    #[cfg(feature = "serve")]
    SERVE,
    "doctor",
    "completions",
    "man",
];

/// The command that runs in a separate program.
#[cfg(feature = "serve")]
pub(crate) const SERVE: &str = "serve";

/// The commands of `uniq index`.
pub(crate) const INDEX_COMMANDS: &[&str] = &[
    "build",
    "add",
    "update",
    "refresh",
    "remove",
    "benign",
    "merge",
    "upgrade",
    "canaries",
    "verify",
    "log",
    "snapshot",
    "prove",
    "checkpoint",
    #[cfg(feature = "remote")]
    "push",
    #[cfg(feature = "remote")]
    "pull",
    #[cfg(feature = "remote")]
    "open",
    "list",
    "stats",
];

/// Format version of JSON objects.
pub(crate) const SCHEMA: u32 = 4;
