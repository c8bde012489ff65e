//! The one error type of the crate: a variant for each thing that a caller can do about it.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// What every fallible call of the crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call failed; each variant names the file and leaves the cause to
/// [`std::error::Error::source`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file holds nothing at all.
    #[error("{}: empty file; copy or download it again", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The bytes are no container that is understood.
    #[error("{}: not a media file; give a video such as .mp4, .mov, .mkv or .webm", path.display())]
    NotMedia {
        /// The file.
        path: PathBuf,
        /// What the demuxer said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A container without moving pictures: audio, subtitles, or only a cover.
    #[error("{}: no video stream ({found}); give a file that has one", path.display())]
    NoVideo {
        /// The file.
        path: PathBuf,
        /// What is in the file instead.
        found: String,
    },
    /// The video's codec has no decoder in the FFmpeg that this program runs with.
    #[error("{}: no decoder for codec {codec}; convert the file to H.264 or install an FFmpeg that has this decoder", path.display())]
    NoDecoder {
        /// The file.
        path: PathBuf,
        /// The codec's name, or its four-character tag when it has no name.
        codec: String,
    },
    /// The video's codec is not among those that are accepted.
    #[error("{}: codec {codec} is not accepted, to keep rarely used decoders away from foreign files; convert the file to H.264", path.display())]
    NotAccepted {
        /// The file.
        path: PathBuf,
        /// The codec's name.
        codec: String,
    },
    /// The file takes more of the machine than it may.
    #[error("{}: limit exceeded, {limit}: {found}; allowed: {allowed}; raise it with {option} if you trust the file", path.display())]
    LimitExceeded {
        /// The file.
        path: PathBuf,
        /// The limit's name.
        limit: &'static str,
        /// What the file has or asks for.
        found: String,
        /// What the limit is.
        allowed: String,
        /// The option of the program that raises it; the field of [`crate::media::Limits`] has a
        /// like name.
        option: &'static str,
    },
    /// The name is that of a symbolic link, which could lead anywhere.
    #[error("{}: a symbolic link, which could lead to any file; name the file itself, or allow links with --follow-links where the command has it", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
    /// Somebody wrote to the file while it was read.
    #[error("{}: the file changed while it was read; wait until it is complete, then try again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// The process that decoded the file came to a bad end of its own making.
    #[error("{}: its decoding process {how}, {:.1} s of video decoded; the file may be malicious: get it again, or leave it out{}", path.display(), reached.as_secs_f64(), if unnoted.is_some() { "; this could not be written to the journal" } else { "" })]
    WorkerDied {
        /// The file.
        path: PathBuf,
        /// How it ended: `was killed by signal 11 (SIGSEGV)`.
        how: String,
        /// The time in the video up to which it had told of progress.
        reached: Duration,
        /// Why the journal could not take it in, if it could not: the file is then tried once more
        /// than it should be.
        #[source]
        unnoted: Option<Box<Error>>,
    },
    /// The process that decoded the file was ended from outside, again and again; nothing is held
    /// against the file.
    #[error("{}: its decoding process {how}, {:.1} s of video decoded, {times} times; the file is not at fault: free some memory or find out what ends the process, then try again", path.display(), reached.as_secs_f64())]
    WorkerKilled {
        /// The file.
        path: PathBuf,
        /// How it ended the last time: `was killed from outside by signal 9 (SIGKILL)`.
        how: String,
        /// The time in the video up to which it had told of progress the last time.
        reached: Duration,
        /// How often it was started.
        times: u32,
    },
    /// The file killed its decoding process more than once and is not tried again.
    #[error("{}: quarantined, because {deaths} decoding processes died on it and the last one {how}; try again with --retry-quarantined", path.display())]
    Quarantined {
        /// The file.
        path: PathBuf,
        /// How often.
        deaths: u32,
        /// How it ended the last time.
        how: String,
    },
    /// No decoding process can be had, whatever the file.
    #[error("{}: no decoding process can be started with this program: {reason}", program.display())]
    NoWorker {
        /// The program that was started.
        program: PathBuf,
        /// Why, and what to do.
        reason: String,
    },
    /// This system lacks protections that the caller insists on.
    #[error(
        "the decoding process is not fully protected here: {lacking}; run uniq doctor to see what to do, or leave out --require-sandbox"
    )]
    Unprotected {
        /// What is missing.
        lacking: String,
    },
    /// A video stream of which not one frame could be decoded.
    #[error("{}: no frame could be decoded: {reason}; get the file again", path.display())]
    Undecodable {
        /// The file.
        path: PathBuf,
        /// The stage, and the decoder's last message.
        reason: String,
    },
    /// A clip that has more than one picture, of which a fingerprint holds one.
    #[error("{}: a player could show any of its {streams} video streams, but a fingerprint holds only one; check the clip itself, or remove the other streams", path.display())]
    SeveralPictures {
        /// The file.
        path: PathBuf,
        /// How many.
        streams: usize,
    },
    /// A file or folder could not be read or written.
    #[error("{}: {doing} failed{}", path.display(), advice(path, doing, source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, such as `open`.
        doing: &'static str,
        /// The operating system's answer.
        #[source]
        source: std::io::Error,
    },
    /// There is no index where one was looked for.
    #[error("no index in {}; build one with: uniq index build DIR --index {}", path.display(), path.display())]
    NoIndex {
        /// The folder.
        path: PathBuf,
    },
    /// An answer does not cover the whole index, so that nothing can be said of the clip.
    #[error("{}: no complete answer: {reason}", path.display())]
    IncompleteAnswer {
        /// The folder of the index, or what was sent.
        path: PathBuf,
        /// What is missing or wrong.
        reason: String,
    },
    /// The index was made by another version or with another configuration.
    #[error("{}: {what} is {found}, this program needs {expected}; {remedy}", path.display())]
    IncompatibleIndex {
        /// The file that says so.
        path: PathBuf,
        /// The property that differs.
        what: &'static str,
        /// Its value in the file.
        found: String,
        /// The value or range that can be read.
        expected: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The index's bytes are not those that were written.
    #[error("{}: damaged: {what} is {found}, expected {expected}; {remedy}", path.display())]
    CorruptIndex {
        /// The damaged file.
        path: PathBuf,
        /// The property that is wrong.
        what: &'static str,
        /// Its value in the file.
        found: String,
        /// What it has to be.
        expected: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The index is whole, and not in the state that the caller insists on.
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
        /// The writer, when it is known.
        owner: Option<u32>,
    },
    /// The file is to be benign material, and is in the index as a source.
    #[error("{}: already in the index as a source; remove it first with: uniq index remove {id}", path.display())]
    IsSource {
        /// The file.
        path: PathBuf,
        /// First 16 hexadecimal digits of its SHA-256.
        id: String,
    },
    /// The index holds videos of another role than what is to be added to it or searched in it.
    #[error("{}: this index holds {role}; published videos and submissions need separate indexes: name another one with --index", path.display())]
    OtherRole {
        /// The folder of the index.
        path: PathBuf,
        /// What it holds.
        role: &'static str,
    },
    /// The file is to be benign material, and nothing that it shows could be recognised.
    #[error("{}: shows nothing that could be recognised, because it is black, flat or plain; leave it out: clips that show it are unsearchable there anyway", path.display())]
    NothingBenign {
        /// The file.
        path: PathBuf,
    },
    /// A list of sources has a line that cannot be read.
    #[error("{}:{line}: {reason}", path.display())]
    InvalidList {
        /// The list.
        path: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// A list of sources names files where it may not reach.
    #[error("{}:{line}: {reason}", path.display())]
    OutsideList {
        /// The list.
        path: PathBuf,
        /// The line of the first, counted from 1.
        line: u64,
        /// How many files.
        files: u64,
        /// Which, and how to allow it.
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
    /// A certificate, a proof or a checkpoint that cannot be believed.
    #[error("{}: refused: {reason}", path.display())]
    InvalidCertificate {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do where something can be done.
        reason: String,
    },
    /// A key or a keyring that cannot be used.
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
    /// A past state of the index cannot be searched any more.
    #[error("{}: generation {generation} cannot be searched: {reason}", path.display())]
    NoPast {
        /// The index.
        path: PathBuf,
        /// The commit that was asked for.
        generation: u64,
        /// Why, and what to do.
        reason: String,
    },
    /// A clip was expected, and the file is, or pretends to be, the fingerprint of one.
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
    /// There is no ledger where one was looked for.
    #[error(
        "{ledger}: no ledger; name another one with --ledger, or make one with: uniq intake add CLIP --by CREATOR"
    )]
    NoLedger {
        /// The ledger.
        ledger: String,
    },
    /// The ledger was made by another version or is something else.
    #[error("{ledger}: is {found}, this program needs {expected}; {remedy}")]
    IncompatibleLedger {
        /// The ledger.
        ledger: String,
        /// What it is.
        found: String,
        /// What can be read.
        expected: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The ledger's rows are not those that were written.
    #[error(
        "{ledger}: damaged or altered: {what}: {found}; keep this file as evidence, and restore a backup that passes: uniq intake verify"
    )]
    CorruptLedger {
        /// The ledger.
        ledger: String,
        /// The row or table that does not fit.
        what: String,
        /// What is wrong with it.
        found: String,
    },
    /// Somebody else has the ledger.
    #[error("{ledger}: another program has locked it for more than {} s; find out which one (a backup, an open shell?), end it and try again", waited.as_secs())]
    LedgerBusy {
        /// The ledger.
        ledger: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The ledger could not be read or written.
    #[error("{ledger}: {doing} failed{}", ledger_advice(source.as_ref()))]
    Ledger {
        /// The ledger.
        ledger: String,
        /// What was tried, such as `commit`.
        doing: &'static str,
        /// The database's answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The ledger and the index of its submissions are not of the same time.
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
    /// A file is no rate card.
    #[error("{path}: not a valid rate card: {reason}", path = path.display())]
    InvalidRates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, with the line where there is one.
        reason: String,
    },
    /// An address that names no place in object storage.
    #[error("{address}: not an address of object storage: {reason}")]
    InvalidStore {
        /// The address, without what it should not have had in it.
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
        /// What was tried, such as `read`.
        doing: &'static str,
        /// Its answer.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is in the object storage is not what was put there.
    #[error("{object}: damaged: {what} is {found}, expected {expected}; {remedy}")]
    CorruptStore {
        /// The object.
        object: String,
        /// The property that is wrong.
        what: &'static str,
        /// Its value.
        found: String,
        /// What it has to be.
        expected: String,
        /// What to do.
        remedy: String,
    },
    /// Somebody else committed to the object storage first.
    #[error(
        "{store}: {winner} committed generation {generation} first; nothing of this push is visible; {remedy}"
    )]
    StoreConflict {
        /// The address.
        store: String,
        /// The commit that is there now.
        generation: u64,
        /// Host, process and time of who made it.
        winner: String,
        /// What to do.
        remedy: String,
    },
    /// The index in the folder and that in the object storage did not grow from one another.
    #[error("{} and {store}: {found}; {remedy}", path.display())]
    NotDescended {
        /// The folder.
        path: PathBuf,
        /// The address.
        store: String,
        /// How they stand to each other.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// The local copies of an index in object storage take more room than they may.
    #[error("{}: the cache may take {limit} bytes, but this index needs {needed} beside what is in use; raise the limit with --cache-max or UNIQ_CACHE_MAX, or end the programs that use other indexes of the cache", path.display())]
    CacheFull {
        /// The folder of the cache.
        path: PathBuf,
        /// Bytes that it may take.
        limit: u64,
        /// Bytes that it would take.
        needed: u64,
    },
    /// The caller asked to stop.
    #[error("cancelled")]
    Cancelled,
}

impl Error {
    /// A name for programs, which stays the same: that of the variant, such as `not_media`.
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

/// The system's own answer, without the name of a temporary file that somebody has put around it.
fn bare(error: std::io::Error) -> std::io::Error {
    let inner = error.get_ref().and_then(|around| {
        around
            .source()?
            .downcast_ref::<std::io::Error>()?
            .raw_os_error()
    });
    inner.map_or(error, std::io::Error::from_raw_os_error)
}

/// What to do about an answer of the operating system, where that is known.
fn advice(path: &Path, doing: &str, cause: &std::io::Error) -> &'static str {
    use std::io::ErrorKind;
    match cause.kind() {
        ErrorKind::NotFound if path == Path::new("-") => {
            "; this command does not read standard input: name a file"
        }
        ErrorKind::NotFound if doing == "create" => {
            "; its folder does not exist: make it first, or name another one"
        }
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
        // No kind of its own yet.
        _ if cause.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
            "; a large index has many files: allow more open files with: ulimit -n"
        }
        _ => "",
    }
}

/// What to do about an answer of a database, where that is known.
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

/// What to do about an answer of object storage, where that is known.
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
