//! A place in object storage, with blocking calls.

use std::fmt;
use std::future::Future;
use std::io::Read;
use std::ops::Range;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::local::LocalFileSystem;
use object_store::path::Path as Name;
use object_store::{
    ClientOptions, MultipartUpload, ObjectStore, ObjectStoreExt as _, PutMode, PutOptions,
    PutPayload, RetryConfig,
};
use tokio::runtime::{Handle, Runtime};

use crate::error::{Error, Result};

/// Returns whether the caller wants to stop.
pub(super) type Cancel<'a> = &'a (dyn Fn() -> bool + Sync);

/// A bucket and prefix, or a folder, for one index.
///
/// It can be shared between threads. Its address is shown, its credentials never.
pub struct Store {
    address: String,
    place: Arc<dyn ObjectStore>,
    prefix: Name,
    /// `None` only during drop.
    runtime: Option<Runtime>,
    /// Values that no message may contain.
    secrets: Vec<String>,
}

/// An object in a listing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Object {
    /// The last part of its name.
    pub(super) name: String,
    /// Length in bytes.
    pub(super) length: u64,
    /// Time of writing, by the clock of the store.
    pub(super) modified: SystemTime,
}

/// Whether a text is an address of object storage and not a folder: it begins with `s3://` or
/// `file://`.
pub fn is_address(text: &str) -> bool {
    ["s3://", "file://"]
        .iter()
        .any(|scheme| text.starts_with(scheme))
}

impl Store {
    /// Opens a place such as `s3://bucket/prefix` or `file:///folder`; sends no request yet.
    ///
    /// `variables` are names and values, as from the environment. The usual `AWS_` variables among
    /// them are used: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`,
    /// `AWS_REGION`, `AWS_ENDPOINT_URL`, and `AWS_ALLOW_HTTP=true` for an endpoint without TLS.
    /// Profile files are not read.
    ///
    /// # Errors
    /// [`Error::InvalidStore`] for an address or a variable that cannot be used, and [`Error::Io`].
    pub fn open(
        address: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Store> {
        let invalid = |reason: &str| Error::InvalidStore {
            address: without_user(address),
            reason: reason.to_owned(),
        };
        let shape = "give s3://BUCKET/PREFIX, or file:///FOLDER";
        if address.contains(['?', '#', '@', '\\']) || address.chars().any(char::is_control) {
            return Err(invalid(
                "an address has no user, no question mark and no #; give credentials in AWS_* \
                variables",
            ));
        }
        let trimmed = address.trim_end_matches('/');
        let mut secrets = Vec::new();
        let (place, prefix): (Arc<dyn ObjectStore>, Name) = if let Some(rest) =
            trimmed.strip_prefix("s3://")
        {
            let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
            if bucket.is_empty() || prefix.starts_with('/') {
                return Err(invalid(shape));
            }
            let prefix = Name::parse(prefix).map_err(|_| invalid(shape))?;
            let (place, known) = s3(bucket, variables).map_err(|reason| invalid(&reason))?;
            secrets = known;
            (place, prefix)
        } else if let Some(folder) = trimmed
            .strip_prefix("file://")
            .filter(|folder| folder.starts_with('/'))
        {
            let prefix = Name::from_absolute_path(Path::new(folder)).map_err(|_| invalid(shape))?;
            (Arc::new(LocalFileSystem::new().with_fsync(true)), prefix)
        } else {
            return Err(invalid(shape));
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("uniq-store")
            .enable_all()
            .build()
            .map_err(Error::io(Path::new(trimmed), "start threads"))?;
        Ok(Store {
            address: trimmed.to_owned(),
            place,
            prefix,
            runtime: Some(runtime),
            secrets,
        })
    }

    /// The address, without a slash at its end.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The full name of an object, for messages.
    pub(super) fn full(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// The objects directly in a folder.
    pub(super) fn list(&self, folder: &str, cancel: Cancel<'_>) -> Result<Vec<Object>> {
        let prefix = self.name(folder);
        let listed = self.wait(cancel, async {
            self.place.list_with_delimiter(Some(&prefix)).await
        })?;
        let listed = match listed {
            Err(object_store::Error::NotFound { .. }) => return Ok(Vec::new()),
            other => other.map_err(|cause| self.failed(folder, "list", cause))?,
        };
        let object = |meta: object_store::ObjectMeta| {
            let name = meta.location.filename()?.to_owned();
            Some(Object {
                name,
                length: meta.size,
                modified: meta.last_modified.into(),
            })
        };
        Ok(listed.objects.into_iter().filter_map(object).collect())
    }

    /// Length and time of an object; `None` if there is none.
    pub(super) fn head(&self, name: &str, cancel: Cancel<'_>) -> Result<Option<Object>> {
        let location = self.name(name);
        match self.wait(cancel, async { self.place.head(&location).await })? {
            Ok(meta) => Ok(Some(Object {
                name: name.to_owned(),
                length: meta.size,
                modified: meta.last_modified.into(),
            })),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(cause) => Err(self.failed(name, "inspect", cause)),
        }
    }

    /// All bytes of an object, at most `most`; `None` if there is no such object.
    pub(super) fn get(&self, name: &str, most: u64, cancel: Cancel<'_>) -> Result<Option<Vec<u8>>> {
        let location = self.name(name);
        let read = async {
            let found = self.place.get(&location).await?;
            let length = found.meta.size;
            if length > most {
                Ok(Err(length))
            } else {
                found.bytes().await.map(|bytes| Ok(bytes.to_vec()))
            }
        };
        match self.wait(cancel, read)? {
            Ok(Ok(bytes)) => Ok(Some(bytes)),
            Ok(Err(length)) => Err(Error::CorruptStore {
                object: self.full(name),
                what: "length",
                found: length.to_string(),
                expected: format!("at most {most}"),
                remedy: "delete it, and push the index again".to_owned(),
            }),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(cause) => Err(self.failed(name, "read", cause)),
        }
    }

    /// A range of bytes of an object; `None` if the object is gone.
    pub(super) fn get_part(
        &self,
        name: &str,
        range: Range<u64>,
        cancel: Cancel<'_>,
    ) -> Result<Option<Vec<u8>>> {
        let location = self.name(name);
        match self.wait(cancel, async {
            self.place.get_range(&location, range).await
        })? {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(cause) => Err(self.failed(name, "read", cause)),
        }
    }

    /// Puts an object unless one has this name. Returns `false` if one does.
    ///
    /// After a transport error, the object may be there nevertheless.
    pub(super) fn put_new(&self, name: &str, bytes: Vec<u8>, cancel: Cancel<'_>) -> Result<bool> {
        self.put_as(name, bytes, PutMode::Create, cancel)
    }

    /// Puts an object, and replaces any of the same name.
    pub(super) fn put_over(&self, name: &str, bytes: Vec<u8>, cancel: Cancel<'_>) -> Result<()> {
        self.put_as(name, bytes, PutMode::Overwrite, cancel)
            .map(drop)
    }

    fn put_as(
        &self,
        name: &str,
        bytes: Vec<u8>,
        mode: PutMode,
        cancel: Cancel<'_>,
    ) -> Result<bool> {
        let location = self.name(name);
        let options = PutOptions {
            mode,
            ..PutOptions::default()
        };
        let put = self.wait(cancel, async {
            self.place.put_opts(&location, bytes.into(), options).await
        })?;
        match put {
            Ok(_) => Ok(true),
            Err(object_store::Error::AlreadyExists { .. }) => Ok(false),
            Err(cause) => Err(self.failed(name, "write", cause)),
        }
    }

    /// Puts a large object in parts. It appears after the last part, if `check` succeeds.
    pub(super) fn put_parts(
        &self,
        name: &str,
        mut content: impl Read,
        (part_length, from): (usize, &Path),
        sent: &mut dyn FnMut(&[u8]),
        check: &mut dyn FnMut() -> Result<()>,
        cancel: Cancel<'_>,
    ) -> Result<()> {
        let location = self.name(name);
        let failed = |cause| self.failed(name, "write", cause);
        let mut upload = self
            .wait(cancel, async { self.place.put_multipart(&location).await })?
            .map_err(failed)?;
        let mut send = |upload: &mut dyn MultipartUpload| {
            loop {
                let mut part = Vec::with_capacity(part_length);
                let read = (&mut content)
                    .take(part_length as u64)
                    .read_to_end(&mut part);
                if read.map_err(Error::io(from, "read"))? == 0 {
                    break;
                }
                let payload = PutPayload::from(part);
                let put = upload.put_part(payload.clone());
                self.wait(cancel, put)?.map_err(failed)?;
                payload.iter().for_each(|bytes| sent(bytes));
            }
            check()?;
            self.wait(cancel, upload.complete())?
                .map_err(failed)
                .map(drop)
        };
        let result = send(upload.as_mut());
        if result.is_err() {
            // Leftover parts only cost money, and a rule of the bucket should delete them.
            let _ = self.wait(&|| false, upload.abort());
        }
        result
    }

    /// Deletes an object if it exists.
    pub(super) fn delete(&self, name: &str, cancel: Cancel<'_>) -> Result<()> {
        let location = self.name(name);
        match self.wait(cancel, async { self.place.delete(&location).await })? {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(cause) => Err(self.failed(name, "delete", cause)),
        }
    }

    fn name(&self, name: &str) -> Name {
        name.split('/')
            .fold(self.prefix.clone(), |name, part| name.join(part))
    }

    /// Runs one request, and regularly checks for cancellation.
    fn wait<T: Send>(
        &self,
        cancel: Cancel<'_>,
        request: impl Future<Output = T> + Send,
    ) -> Result<T> {
        let unfit = || {
            Error::io(Path::new(&self.address), "use threads")(std::io::Error::other(
                "the threads have ended",
            ))
        };
        let runtime = self.runtime.as_ref().ok_or_else(unfit)?;
        let watched = async {
            let mut request = pin!(request);
            loop {
                if cancel() {
                    return Err(Error::Cancelled);
                }
                if let Ok(answer) = tokio::time::timeout(LOOK_EVERY, &mut request).await {
                    return Ok(answer);
                }
            }
        };
        if Handle::try_current().is_err() {
            return runtime.block_on(watched);
        }
        // A thread that runs asynchronous code must not block on other asynchronous code.
        std::thread::scope(|scope| {
            scope
                .spawn(|| runtime.block_on(watched))
                .join()
                .unwrap_or_else(|_| Err(unfit()))
        })
    }

    fn failed(&self, name: &str, doing: &'static str, cause: object_store::Error) -> Error {
        let mut text = String::new();
        let mut error: Option<&dyn std::error::Error> = Some(&cause);
        while let Some(next) = error {
            let line = next.to_string();
            // Most errors already include the text of their cause.
            if !text.contains(&line) {
                text.push_str(if text.is_empty() { "" } else { ": " });
                text.push_str(&line);
            }
            error = next.source();
        }
        for secret in &self.secrets {
            text = text.replace(secret, "***");
        }
        let one_line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = one_line.chars().take(MESSAGE_MAX).collect();
        Error::Store {
            object: self.full(name),
            doing,
            source: short.into(),
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // Waiting for the runtime's threads would panic in asynchronous code.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// A bucket, and the secrets to keep out of messages.
fn s3(
    bucket: &str,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<(Arc<dyn ObjectStore>, Vec<String>), String> {
    // Keeps the provider that the program has already chosen.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = ClientOptions::new()
        .with_timeout(REQUEST_MAX)
        .with_connect_timeout(CONNECT_MAX);
    let mut builder = AmazonS3Builder::new().with_client_options(client);
    let mut secrets = Vec::new();
    for (name, value) in variables {
        let lower = name.to_ascii_lowercase();
        let Some(key) = lower
            .strip_prefix("aws_")
            .and_then(|_| lower.parse::<AmazonS3ConfigKey>().ok())
        else {
            continue;
        };
        // The address names the bucket.
        if key == AmazonS3ConfigKey::Bucket {
            continue;
        }
        if ["key", "token"].iter().any(|word| lower.contains(word)) && value.len() >= SECRET_MIN {
            secrets.push(value.clone());
        }
        builder = builder.with_config(key, value);
    }
    let retries = RetryConfig {
        max_retries: RETRIES,
        retry_timeout: RETRY_FOR,
        ..RetryConfig::default()
    };
    let built = builder.with_bucket_name(bucket).with_retry(retries).build();
    match built {
        Ok(place) => Ok((Arc::new(place), secrets)),
        Err(cause) => Err(secrets.iter().fold(cause.to_string(), |text, secret| {
            text.replace(secret, "***")
        })),
    }
}

/// An address without user and password.
fn without_user(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((user, place)) => {
            let scheme = user.split_once("://").map_or("", |(scheme, _)| scheme);
            format!("{scheme}://***@{place}")
        }
        None => address.to_owned(),
    }
}

/// Time between two checks for cancellation.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Maximum time of a request, which carries at most one part of a file.
const REQUEST_MAX: Duration = Duration::from_secs(180);
/// Maximum time to establish a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Maximum number of retries after an answer such as 503, and their maximum total time.
const RETRIES: usize = 6;
const RETRY_FOR: Duration = Duration::from_secs(60);
/// Maximum length of an answer in a message, in characters.
const MESSAGE_MAX: usize = 500;
/// Minimum length of a value that is searched for in messages, in characters.
const SECRET_MIN: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(address: &str) -> String {
        Store::open(address, []).unwrap_err().to_string()
    }

    #[test]
    fn addresses_have_a_bucket_or_a_folder_and_no_credentials() {
        for wrong in [
            "s3://",
            "s3:///x",
            "file://relative",
            "http://x/y",
            "/folder",
            "s3://b//x",
            "s3://b/x?y",
            "s3://b/\n",
        ] {
            assert!(
                refused(wrong).contains("not an address of object storage"),
                "{wrong}"
            );
        }
        let text = refused("s3://AKIDEXAMPLE:hidden-word@bucket/x");
        assert!(
            text.starts_with("s3://***@bucket/x: ") && !text.contains("hidden-word"),
            "{text}"
        );
        assert_eq!(
            Store::open("file:///tmp/x///", []).unwrap().address(),
            "file:///tmp/x"
        );
        assert_eq!(
            (
                is_address("s3://b"),
                is_address("file:///x"),
                is_address("./s3:")
            ),
            (true, true, false)
        );
    }

    #[test]
    fn what_is_shown_of_a_store_has_no_credentials() {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let variables = [
            variable("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
            variable("AWS_SECRET_ACCESS_KEY", "hidden-word"),
            variable("AWS_SESSION_TOKEN", "hidden-token"),
            variable("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            variable("AWS_ALLOW_HTTP", "true"),
            variable("AWS_BUCKET", "another"),
        ];
        let store = Store::open("s3://bucket/x", variables).unwrap();
        let cause = object_store::Error::Generic {
            store: "S3",
            source: "hidden-word AKIDEXAMPLE hidden-token".into(),
        };
        let error = store.failed("manifests", "list", cause);
        let texts = [
            format!("{store:?}"),
            format!("{error:?}"),
            error.to_string(),
        ];
        for hidden in ["hidden", "AKIDEXAMPLE"] {
            assert!(texts.iter().all(|text| !text.contains(hidden)), "{texts:?}");
        }
    }

    #[test]
    fn blocking_calls_work_inside_an_asynchronous_runtime_too() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        runtime.block_on(async {
            let store = Store::open(&format!("file://{}/s", folder.path().display()), []).unwrap();
            assert!(store.put_new("a/b", b"one".to_vec(), &|| false).unwrap());
            assert!(!store.put_new("a/b", b"two".to_vec(), &|| false).unwrap());
            assert_eq!(store.get("a/b", 3, &|| false).unwrap().unwrap(), b"one");
            assert!(
                store
                    .get("a/b", 2, &|| false)
                    .unwrap_err()
                    .to_string()
                    .contains("length is 3")
            );
            assert!(matches!(store.list("a", &|| true), Err(Error::Cancelled)));
        });
    }
}
