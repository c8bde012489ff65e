//! The one error type of the crate: a variant for each thing that a caller can do about it.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Result of every fallible call of the crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed. Each variant names the file; [`std::error::Error::source`] gives the cause.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file is empty.
    #[error("{}: empty file; copy or download it again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The file is in no known container format.
    #[error("{}: not a media file: {reason}", path.display())]
    NotMedia {
        /// The file.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
    /// A container without video: only audio, subtitles, or a cover.
    #[error("{}: no video stream ({found}); give a file that has one", path.display())]
    NoVideo {
        /// The file.
        path: PathBuf,
        /// What the file contains instead.
        found: String,
    },
    /// FFmpeg at run time has no decoder for the video's codec.
    #[error("{}: no decoder for codec {codec}; convert the file to H.264 or install an FFmpeg that has this decoder", path.display())]
    NoDecoder {
        /// The file.
        path: PathBuf,
        /// The codec's name, or its four-character tag if it has none.
        codec: String,
    },
    /// The video's codec is not among the accepted ones.
    #[error("{}: codec {codec} is not accepted, to keep rarely used decoders away from foreign files; convert the file to H.264", path.display())]
    NotAccepted {
        /// The file.
        path: PathBuf,
        /// The codec's name.
        codec: String,
    },
    /// The file exceeds a limit.
    #[error("{}: limit exceeded, {limit}: {found}; allowed: {allowed}; raise it with {option} if you trust the file", path.display())]
    LimitExceeded {
        /// The file.
        path: PathBuf,
        /// The limit's name.
        limit: &'static str,
        /// What the file has or needs.
        found: String,
        /// The value of the limit.
        allowed: String,
        /// The option of the program that raises the limit; the field of [`crate::media::Limits`]
        /// has a similar name.
        option: &'static str,
    },
    /// The path is a symbolic link, which could lead anywhere.
    #[error("{}: a symbolic link, which could lead to any file; name the file itself, or allow links with --follow-links where the command has it", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// The file was changed while it was read.
    #[error("{}: the file changed while it was read; wait until it is complete, then try again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The process that decoded the file died by itself.
    #[error("{}: its decoding process {how}, {:.1} s of video decoded; the file may be malicious: get it again, or leave it out{}", path.display(), reached.as_secs_f64(), if unnoted.is_some() { "; this could not be written to the journal" } else { "" })]
    WorkerDied {
        /// The file.
        path: PathBuf,
        /// How it ended: `was killed by signal 11 (SIGSEGV)`.
        how: String,
        /// Time in the video up to which it reported progress.
        reached: Duration,
        /// Why the journal could not record this death, if so. The file may then be tried once more
        /// than it should be.
        #[source]
        unnoted: Option<Box<Error>>,
    },
    /// The process that decoded the file was repeatedly killed from outside; this does not count
    /// against the file.
    #[error("{}: its decoding process {how}, {:.1} s of video decoded, {times} times; the file is not at fault: free some memory or find out what ends the process, then try again", path.display(), reached.as_secs_f64())]
    WorkerKilled {
        /// The file.
        path: PathBuf,
        /// How it ended the last time: `was killed from outside by signal 9 (SIGKILL)`.
        how: String,
        /// Time in the video up to which it reported progress the last time.
        reached: Duration,
        /// How often it was started.
        times: u32,
    },
    /// The file killed its decoding process more than once and is not tried again.
    #[error("{}: quarantined, because {deaths} decoding processes died on it and the last one {how}; try again with --retry-quarantined", path.display())]
    Quarantined {
        /// The file.
        path: PathBuf,
        /// Number of deaths.
        deaths: u32,
        /// How it ended the last time.
        how: String,
    },
    /// No decoding process can be started, for any file.
    #[error("{}: no decoding process can be started with this program: {reason}", program.display())]
    NoWorker {
        /// The program that was started.
        program: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// This system lacks protections that the caller requires.
    #[error(
        "the decoding process is not fully protected here: {lacking}; run uniq doctor to see what to do, or leave out --require-sandbox"
    )]
    Unprotected {
        /// What is missing.
        lacking: String,
    },
    /// No frame of the video stream could be decoded.
    #[error("{}: no frame could be decoded: {reason}; get the file again", path.display())]
    Undecodable {
        /// The file.
        path: PathBuf,
        /// The stage, and the decoder's last message.
        reason: String,
    },
    /// The clip has several pictures, but a fingerprint holds one.
    #[error("{}: a player could show any of its {streams} video streams, but a fingerprint holds only one; check the clip itself, or remove the other streams", path.display())]
    SeveralPictures {
        /// The file.
        path: PathBuf,
        /// Number of pictures.
        streams: usize,
    },
    /// A file or folder could not be read or written.
    #[error("{}: {doing} failed{}", path.display(), advice(path, doing, source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The operation that failed, such as `open`.
        doing: &'static str,
        /// The operating system's error.
        #[source]
        source: std::io::Error,
    },
    /// The folder contains no index.
    #[error("no index in {}; build one with: uniq index build DIR --index {}", path.display(), path.display())]
    NoIndex {
        /// The folder.
        path: PathBuf,
    },
    /// An answer does not cover the whole index, so nothing can be said about the clip.
    #[error("{}: no complete answer: {reason}", path.display())]
    IncompleteAnswer {
        /// The folder of the index, or what was received.
        path: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
    /// The index was made by another version or with another configuration.
    #[error("{}: {what} is {found}, this program needs {expected}; {remedy}", path.display())]
    IncompatibleIndex {
        /// The file of the index that differs.
        path: PathBuf,
        /// The property that differs.
        what: &'static str,
        /// Its value in the file.
        found: String,
        /// The readable value or range.
        expected: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A file of the index has other bytes than were written.
    #[error("{}: damaged: {what} is {found}, expected {expected}; {remedy}", path.display())]
    CorruptIndex {
        /// The damaged file.
        path: PathBuf,
        /// The property that is wrong.
        what: &'static str,
        /// Its value in the file.
        found: String,
        /// The correct value.
        expected: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The index is intact, but not in the state that the caller requires.
    #[error("{}: {what} is {found}, expected {expected}; use the intended index, or expect what uniq index stats --json prints for this one", path.display())]
    UnexpectedIndex {
        /// The manifest.
        path: PathBuf,
        /// The property that differs.
        what: &'static str,
        /// Its value in the index.
        found: String,
        /// The value or range that was expected.
        expected: String,
    },
    /// Another process is writing to the index.
    #[error("{}: another process{} is writing to this index; wait for it or stop it", path.display(), owner.map(|pid| format!(" (pid {pid})")).unwrap_or_default())]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Process number of the writer, if known.
        owner: Option<u32>,
    },
    /// The file cannot become benign material, because it is in the index as a source.
    #[error("{}: already in the index as a source; remove it first with: uniq index remove {id}", path.display())]
    IsSource {
        /// The file.
        path: PathBuf,
        /// First 16 hexadecimal digits of its SHA-256.
        id: String,
    },
    /// The index holds videos of another role than those to add or to search.
    #[error("{}: this index holds {role}; published videos and submissions need separate indexes: name another one with --index", path.display())]
    OtherRole {
        /// The folder of the index.
        path: PathBuf,
        /// The role of its videos.
        role: &'static str,
    },
    /// The file cannot become benign material, because nothing in it could be recognised.
    #[error("{}: shows nothing that could be recognised, because it is black, flat or plain; leave it out: clips that show it are unsearchable there anyway", path.display())]
    NothingBenign {
        /// The file.
        path: PathBuf,
    },
    /// A line of a list of sources cannot be read.
    #[error("{}:{line}: {reason}", path.display())]
    InvalidList {
        /// The list.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// A list of sources names files outside the folder in which it may name files.
    #[error("{}:{line}: {reason}", path.display())]
    OutsideList {
        /// The list.
        path: PathBuf,
        /// Line of the first such file, counted from 1.
        line: u64,
        /// Number of such files.
        files: u64,
        /// Which files, and how to allow them.
        reason: String,
    },
    /// A fingerprint file is damaged or of another version.
    #[error("{}: not a usable fingerprint: {reason}; make it again with: uniq fingerprint CLIP -o FILE", path.display())]
    InvalidFingerprint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A certificate, a proof or a checkpoint is not valid.
    #[error("{}: refused: {reason}", path.display())]
    InvalidCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do if something can be done.
        reason: String,
    },
    /// A key or a keyring cannot be used.
    #[error("{}: not a usable key: {reason}", path.display())]
    InvalidKey {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A signature could not be made.
    #[error("no signature: {reason}")]
    NotSigned {
        /// Why, and what to do.
        reason: String,
    },
    /// A past state of the index can no longer be searched.
    #[error("{}: generation {generation} cannot be searched: {reason}", path.display())]
    NoPast {
        /// The index.
        path: PathBuf,
        /// The requested commit.
        generation: u64,
        /// Why, and what to do.
        reason: String,
    },
    /// The file is, or claims to be, a fingerprint, but a clip was expected.
    #[error("{}: a fingerprint, not a clip; check it with: uniq check --fingerprint FILE", path.display())]
    IsFingerprint {
        /// The file.
        path: PathBuf,
    },
    /// A setting is outside its range.
    #[error("{name} is {found}; it must be {expected}")]
    InvalidSetting {
        /// The setting.
        name: &'static str,
        /// The value given.
        found: String,
        /// The range.
        expected: &'static str,
    },
    /// There is no ledger of this name.
    #[error(
        "{ledger}: no ledger; name another one with --ledger, or make one with: uniq intake add CLIP --by CREATOR"
    )]
    NoLedger {
        /// The ledger.
        ledger: String,
    },
    /// The ledger was made by another version, or this is no ledger.
    #[error("{ledger}: is {found}, this program needs {expected}; {remedy}")]
    IncompatibleLedger {
        /// The ledger.
        ledger: String,
        /// What was found.
        found: String,
        /// The readable version.
        expected: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Rows of the ledger were changed.
    #[error(
        "{ledger}: damaged or altered: {what}: {found}; keep this file as evidence, and restore a backup that passes: uniq intake verify"
    )]
    CorruptLedger {
        /// The ledger.
        ledger: String,
        /// The row or table that is wrong.
        what: String,
        /// What is wrong with it.
        found: String,
    },
    /// Another process is using the ledger.
    #[error("{ledger}: another program has locked it for more than {} s; find out which one (a backup, an open shell?), end it and try again", waited.as_secs())]
    LedgerBusy {
        /// The ledger.
        ledger: String,
        /// Time waited for it.
        waited: Duration,
    },
    /// The ledger could not be read or written.
    #[error("{ledger}: {doing} failed{}", ledger_advice(source.as_ref()))]
    Ledger {
        /// The ledger.
        ledger: String,
        /// The operation that failed, such as `commit`.
        doing: &'static str,
        /// The database's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The ledger and the index of its submissions are in different states.
    #[error("{ledger} and {}: out of step: {found}; {remedy}", index.display())]
    LedgerOutOfStep {
        /// The ledger.
        ledger: String,
        /// The index of its submissions.
        index: PathBuf,
        /// What one has and the other lacks.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// The rules of the ledger do not allow it.
    #[error("{reason}")]
    LedgerRefused {
        /// Why, and what to do.
        reason: String,
    },
    /// The file is not a valid rate card.
    #[error("{path}: not a valid rate card: {reason}", path = path.display())]
    InvalidRates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with the line if known.
        reason: String,
    },
    /// The address names no place in object storage.
    #[error("{address}: not an address of object storage: {reason}")]
    InvalidStore {
        /// The address, without credentials.
        address: String,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// There is no index in the object storage.
    #[error("no index in {store}; put one there with: uniq index push {store} --index DIR")]
    NoRemoteIndex {
        /// The address.
        store: String,
    },
    /// The object storage could not be read or written.
    #[error("{object}: {doing} failed{}", store_advice(source.as_ref()))]
    Store {
        /// The object, or the address.
        object: String,
        /// The operation that failed, such as `read`.
        doing: &'static str,
        /// The storage's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An object in the storage has other content than was written.
    #[error("{object}: damaged: {what} is {found}, expected {expected}; {remedy}")]
    CorruptStore {
        /// The object.
        object: String,
        /// The property that is wrong.
        what: &'static str,
        /// Its value.
        found: String,
        /// The correct value.
        expected: String,
        /// What to do.
        remedy: String,
    },
    /// Another process committed to the object storage first.
    #[error(
        "{store}: {winner} committed generation {generation} first; nothing of this push is visible; {remedy}"
    )]
    StoreConflict {
        /// The address.
        store: String,
        /// The commit that is now there.
        generation: u64,
        /// Host, process and time of that commit.
        winner: String,
        /// What to do.
        remedy: String,
    },
    /// Neither index, in the folder or in the object storage, is an earlier state of the other.
    #[error("{} and {store}: {found}; {remedy}", path.display())]
    NotDescended {
        /// The folder.
        path: PathBuf,
        /// The address.
        store: String,
        /// How their states relate.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// The local copies of an index in object storage would exceed the limit of the cache.
    #[error("{}: the cache may take {limit} bytes, but this index needs {needed} beside what is in use; raise the limit with --cache-max or UNIQ_CACHE_MAX, or end the programs that use other indexes of the cache", path.display())]
    CacheFull {
        /// The folder of the cache.
        path: PathBuf,
        /// Maximum size in bytes.
        limit: u64,
        /// Required size in bytes.
        needed: u64,
    },
    /// The caller cancelled the call.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// A stable name for programs: the variant's, such as `not_media`.
    pub fn code(&self) -> String {
        let text = format!("{self:?}");
        let name = text
            .split(|c: char| !c.is_ascii_alphanumeric())
            .next()
            .unwrap_or_default();
        let mut code = String::new();
        for c in name.chars() {
            if c.is_ascii_uppercase() && !code.is_empty() {
                code.push('_');
            }
            code.push(c.to_ascii_lowercase());
        }
        code
    }

    /// Wraps an operating-system error with its path, for use in `map_err`.
    pub(crate) fn io(path: &Path, doing: &'static str) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io {
            path,
            doing,
            source: bare(source),
        }
    }
}

/// The system's own error, without the name of a temporary file that a wrapper added.
fn bare(error: std::io::Error) -> std::io::Error {
    let inner = error.get_ref().and_then(|around| {
        around
            .source()?
            .downcast_ref::<std::io::Error>()?
            .raw_os_error()
    });
    inner.map_or(error, std::io::Error::from_raw_os_error)
}

/// What to do about an error of the operating system, if known.
fn advice(path: &Path, doing: &str, cause: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match cause.kind() {
        ErrorKind::NotFound if path == Path::new("-") => {
            "; this command does not read standard input: name a file"
        }
        ErrorKind::NotFound if doing == "create" => {
            "; its folder does not exist: make it first, or name another one"
        }
        ErrorKind::NotFound if doing == "open" => "; check the name",
        ErrorKind::NotADirectory => "; a file is there: name a folder",
        ErrorKind::AlreadyExists if doing == "create folder" => "; a file is there: name a folder",
        ErrorKind::IsADirectory => "; a folder is there: name a file",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            "; free some space and try again: finished work is kept"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "; the file system is read-only: remount it, or use another folder"
        }
        ErrorKind::PermissionDenied => {
            "; you lack permission for this file or its folder: get it, or use another folder"
        }
        // The standard library has no kind for it yet.
        _ if cause.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
            "; a large index has many files: allow more open files with: ulimit -n"
        }
        _ => "",
    }
}

/// What to do about an error of a database, if known.
fn ledger_advice(cause: &(dyn std::error::Error + 'static)) -> &'static str {
    let text = cause.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&[
        "disk is full",
        "No space left",
        "disk I/O error",
        "could not extend file",
    ]) {
        "; nothing was recorded: free some space and try again"
    } else if says(&["readonly", "read-only"]) {
        "; the file or its folder is not writable: get write permission, or remount it"
    } else if says(&["unable to open"]) {
        "; its folder is missing or not readable: make it, or get permission"
    } else {
        ""
    }
}

/// What to do about an error of object storage, if known.
fn store_advice(cause: &(dyn std::error::Error + 'static)) -> &'static str {
    let text = cause.to_string();
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if says(&["NoSuchBucket"]) {
        "; the bucket does not exist: make it, or correct the address"
    } else if says(&[
        "http is not allowed",
        "URL scheme is not allowed",
        "builder error",
    ]) {
        "; the endpoint has no TLS: allow that with AWS_ALLOW_HTTP=true"
    } else if says(&[
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "AccessDenied",
        "403 Forbidden",
        "401 Unauthorized",
    ]) {
        "; the store refused the credentials: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the rights of that key"
    } else if says(&["169.254.169.254"]) {
        "; there are no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    } else {
        "; finished transfers are kept: try again when the store can be reached"
    }
}

/// Rounds a duration to whole milliseconds, the resolution of every stored time (saturating at 49.7
/// days).
pub(crate) fn millis(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn codes_are_the_names_of_the_variants() {
        assert_eq!(Error::Cancelled.code(), "cancelled");
        assert_eq!(
            Error::NoIndex {
                path: "Not { a }".into()
            }
            .code(),
            "no_index"
        );
    }
}
