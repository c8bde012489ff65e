//! The commands' names and the version of its objects, known without the program that has them
//! (pure).

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

/// The command whose program is one of its own.
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

/// The version of the format of JSON objects.
pub(crate) const SCHEMA: u32 = 4;
