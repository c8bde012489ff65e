//! The corpus of public videos: the operator lists, adds and removes sources.

use std::path::{Component, Path as FilePath, PathBuf};

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::json;
use uniq::index::{Publication, Role, Video};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{self, Query};
use super::jobs::{Job, accepted};
use super::page::Page;
use crate::app::{App, blocking};
use crate::auth::{Caller, hex};
use crate::database::now_ms;
use crate::problem::Problem;
use crate::store::jobs::{self, Kind};
use crate::uploads::receive;

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, add))
        .routes(routes!(upload))
        .routes(routes!(show, remove))
}

/// Where a video was published.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Address of the published video.
    #[schema(max_length = 2000)]
    #[param(max_length = 2000)]
    pub url: Option<String>,
    /// Its title.
    #[schema(max_length = 2000)]
    #[param(max_length = 2000)]
    pub title: Option<String>,
    /// Who published it.
    #[schema(max_length = 2000)]
    #[param(max_length = 2000)]
    pub uploader: Option<String>,
    /// The site or service.
    #[schema(max_length = 2000)]
    #[param(max_length = 2000)]
    pub platform: Option<String>,
    /// The day (`YYYY-MM-DD`) or moment (RFC 3339) of publication.
    #[schema(max_length = 40)]
    #[param(max_length = 40)]
    pub published_at: Option<String>,
}

impl Published {
    fn checked(self) -> Result<Published, Problem> {
        let texts = [
            ("url", &self.url),
            ("title", &self.title),
            ("uploader", &self.uploader),
            ("platform", &self.platform),
            ("published_at", &self.published_at),
        ];
        for (name, text) in texts {
            let is_fit = |text: &String| {
                !text.trim().is_empty()
                    && text.chars().count() <= 2_000
                    && !text.chars().any(char::is_control)
            };
            if text.as_ref().is_some_and(|text| !is_fit(text)) {
                return Err(Problem::invalid(format!(
                    "{name}: give 1 to 2000 visible characters, or leave it out"
                )));
            }
        }
        let is_time = |text: &String| {
            (text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok())
                || text.parse::<jiff::Timestamp>().is_ok()
        };
        if self
            .published_at
            .as_ref()
            .is_some_and(|text| !is_time(text))
        {
            return Err(Problem::invalid(
                "published_at: give YYYY-MM-DD, or a time as in RFC 3339",
            ));
        }
        Ok(self)
    }
}

impl From<Published> for Publication {
    fn from(of: Published) -> Publication {
        Publication {
            url: of.url,
            title: of.title,
            uploader: of.uploader,
            platform: of.platform,
            published_at: of.published_at,
        }
    }
}

/// A source that is wanted.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSource {
    /// A video, or a folder of videos, on the machine of the service, below a folder that its
    /// configuration names.
    #[schema(min_length = 1, max_length = 4000)]
    pub path: String,
    /// Where it was published; not for folders.
    #[serde(default)]
    pub published: Published,
}

/// A public video in the corpus.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Source {
    /// SHA-256 of the file, which names it.
    pub sha256: String,
    /// Its length in seconds.
    pub duration_s: f64,
    /// Width as displayed, in pixels.
    pub width: u32,
    /// Height as displayed, in pixels.
    pub height: u32,
    /// Seconds that could not be decoded, so that copies of them are not found.
    pub undecoded_s: f64,
    /// Where it was published.
    pub published: Published,
}

impl From<&Video> for Source {
    fn from(of: &Video) -> Source {
        let publication = of.publication.clone();
        Source {
            sha256: hex(&of.sha256),
            duration_s: of.duration.as_secs_f64(),
            width: of.width,
            height: of.height,
            undecoded_s: of.undecoded.as_secs_f64(),
            published: Published {
                url: publication.url,
                title: publication.title,
                uploader: publication.uploader,
                platform: publication.platform,
                published_at: publication.published_at,
            },
        }
    }
}

/// Which page of the sources is wanted.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SourcesQuery {
    /// The cursor that the page before gave as `next`.
    after: Option<String>,
    /// Maximum number of items, 1 to 200; 50 unless told otherwise.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u64>,
}

/// Lists the sources, in order of their digests. For administrators of the operator.
#[utoipa::path(get, path = "/v1/sources", tag = "sources", params(SourcesQuery),
    responses(
        (status = 200, body = Page<Source>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<SourcesQuery>,
) -> Result<Json<Page<Source>>, Problem> {
    caller.needs_operator(&app)?;
    let limit = query.limit.unwrap_or(50);
    if !(1..=200).contains(&limit) {
        return Err(Problem::invalid("limit: give 1 to 200"));
    }
    let after = match query.after.as_deref().filter(|after| !after.is_empty()) {
        None => None,
        Some(text) => {
            let cursor = "after: give the cursor that the previous page gave as next";
            Some(digest(text).ok_or_else(|| Problem::invalid(cursor))?)
        }
    };
    blocking(move || {
        let index = app.corpus.current()?;
        let is_beyond = |of: &&Video| after.is_none_or(|after| of.sha256 > after);
        let mut videos: Vec<&Video> = index
            .in_role(Role::Source)
            .map(|(_, video)| video)
            .filter(is_beyond)
            .collect();
        let most = limit as usize + 1;
        if videos.len() > most {
            videos.select_nth_unstable_by_key(most - 1, |video| video.sha256);
            videos.truncate(most);
        }
        videos.sort_unstable_by_key(|video| video.sha256);
        Ok(Json(Page::of(
            videos,
            limit,
            |video| hex(&video.sha256),
            Source::from,
        )))
    })
    .await
}

/// Shows a source. For administrators of the operator.
#[utoipa::path(get, path = "/v1/sources/{sha256}", tag = "sources",
    params(("sha256" = String, Path, description = "SHA-256 of the file")),
    responses(
        (status = 200, body = Source),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn show(
    State(app): State<App>,
    caller: Caller,
    Path(sha256): Path<String>,
) -> Result<Json<Source>, Problem> {
    caller.needs_operator(&app)?;
    blocking(move || {
        let index = app.corpus.current()?;
        let found = digest(&sha256).and_then(|_| index.find(&sha256).first().copied());
        Ok(Json(Source::from(index.video(
            found.ok_or_else(|| Problem::not_found("source"))?,
        ))))
    })
    .await
}

/// Adds a video, or a folder of videos, that lies on the machine of the service. For administrators
/// of the operator.
#[utoipa::path(post, path = "/v1/sources", tag = "sources", request_body = NewSource,
    responses(
        (status = 202, description = "A job adds it; the header `Location` names the job", body = Job),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn add(
    State(app): State<App>,
    caller: Caller,
    body::Json(wanted): body::Json<NewSource>,
) -> Result<Response, Problem> {
    caller.needs_operator(&app)?;
    let published = wanted.published.checked()?;
    let (looking, is_told) = (app.clone(), published != Published::default());
    let path = blocking(move || {
        let path = within(&looking.config.corpus.folders, FilePath::new(&wanted.path))
            .map_err(Problem::invalid)?;
        if uniq::ingest::is_list(&path) {
            return Err(Problem::invalid(
                "path: a list, which the service does not read; name a video or a folder",
            ));
        }
        if is_told && path.is_dir() {
            return Err(Problem::invalid(
                "path: a folder, to which url, title and the like cannot apply; add its videos one by one",
            ));
        }
        Ok(path)
    })
    .await?;
    let Some(path) = path.to_str() else {
        return Err(Problem::invalid(
            "path: not valid text; give a path in UTF-8",
        ));
    };
    let work = json!({ "path": path, "upload": false, "published": published }).to_string();
    made(&app, caller, Kind::AddSource, path.to_owned(), work).await
}

/// Adds a video that is uploaded as the body. For administrators of the operator.
#[utoipa::path(post, path = "/v1/sources/upload", tag = "sources", params(Published),
    request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "The video"),
    responses(
        (status = 202, description = "A job adds it; the header `Location` names the job", body = Job),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 408, body = Problem, content_type = "application/problem+json"),
        (status = 413, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
        (status = 507, body = Problem, content_type = "application/problem+json"),
    ))]
async fn upload(
    State(app): State<App>,
    caller: Caller,
    Query(published): Query<Published>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    caller.needs_operator(&app)?;
    let published = published.checked()?;
    let (file, _ticket) = receive::whole(&app, &caller.tenant, &headers, body).await?;
    let id = crate::store::new_id();
    let target = std::path::absolute(app.config.sources().join(&id))
        .unwrap_or_else(|_| app.config.sources().join(&id));
    let path = target.clone();
    blocking(move || {
        let failed = |source| uniq::Error::Io {
            path: "a source".into(),
            doing: "keep",
            source,
        };
        std::fs::File::open(&file)
            .and_then(|file| file.sync_all())
            .map_err(failed)?;
        file.persist(&path).map_err(|error| failed(error.error))?;
        let folder = path.parent().unwrap_or(FilePath::new("."));
        std::fs::File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed)?;
        Ok(())
    })
    .await?;
    let work = json!({ "path": target, "upload": true, "published": published }).to_string();
    made(&app, caller, Kind::AddSource, id, work).await
}

/// Removes a source from the corpus, and its file if it was uploaded. For administrators of the
/// operator.
#[utoipa::path(delete, path = "/v1/sources/{sha256}", tag = "sources",
    params(("sha256" = String, Path, description = "SHA-256 of the file")),
    responses(
        (status = 202, description = "A job removes it; the header `Location` names the job", body = Job),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn remove(
    State(app): State<App>,
    caller: Caller,
    Path(sha256): Path<String>,
) -> Result<Response, Problem> {
    caller.needs_operator(&app)?;
    let (looking, wanted) = (app.clone(), sha256.clone());
    blocking(move || {
        let index = looking.corpus.current()?;
        let is_there = digest(&wanted).is_some_and(|_| !index.find(&wanted).is_empty());
        if is_there {
            Ok(())
        } else {
            Err(Problem::not_found("source"))
        }
    })
    .await?;
    made(&app, caller, Kind::RemoveSource, sha256, "{}".to_owned()).await
}

/// Creates a job and returns it.
pub(crate) async fn made(
    app: &App,
    caller: Caller,
    kind: Kind,
    subject: String,
    body: String,
) -> Result<Response, Problem> {
    let job = app.database.write(move |tables| {
        let id = jobs::add(tables, kind, &caller.tenant, &subject, &body, 0, now_ms())?;
        jobs::find(tables, &caller.tenant, &id)
    });
    let job = job.await?.ok_or_else(Problem::internal)?;
    Ok(accepted(job.into()))
}

/// The path of a file or folder below one of these folders, without symbolic links on the way.
///
/// # Errors
/// A message that reveals nothing else about this machine.
pub(crate) fn within(folders: &[PathBuf], path: &FilePath) -> Result<PathBuf, String> {
    let outside = || {
        "path: outside the configured folders; name a path below one of corpus.folders".to_owned()
    };
    for folder in folders {
        let Ok(real) = folder.canonicalize() else {
            continue;
        };
        let rest = path
            .strip_prefix(folder)
            .or_else(|_| path.strip_prefix(&real));
        let Ok(rest) = rest else { continue };
        if !rest
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
        {
            return Err(outside());
        }
        let wanted = real.join(rest);
        let found = wanted.canonicalize().map_err(|_| {
            "path: nothing is there, or it cannot be read; name a readable file or folder"
                .to_owned()
        })?;
        if found != wanted.components().collect::<PathBuf>() {
            return Err(
                "path: a symbolic link, which could lead anywhere; name the file itself".to_owned(),
            );
        }
        return match found.metadata() {
            Ok(of) if of.is_file() || of.is_dir() => Ok(found),
            _ => Err("path: name a file or a folder".to_owned()),
        };
    }
    Err(outside())
}

fn digest(text: &str) -> Option<[u8; 32]> {
    let is_one = text.len() == 64
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let mut bytes = [0; 32];
    for (byte, place) in bytes.iter_mut().zip(0..) {
        *byte =
            u8::from_str_radix(text.get(2 * place..2 * place + 2).filter(|_| is_one)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out_of_the_folders_that_are_named() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        let (open, closed) = (root.join("open"), root.join("closed"));
        for folder in [&open, &closed, &open.join("in")] {
            std::fs::create_dir(folder).unwrap();
        }
        for file in [
            open.join("a.mp4"),
            open.join("in/b.mp4"),
            closed.join("secret"),
        ] {
            std::fs::write(file, "x").unwrap();
        }
        std::os::unix::fs::symlink(&closed, open.join("door")).unwrap();
        std::os::unix::fs::symlink(closed.join("secret"), open.join("in/c.mp4")).unwrap();
        std::os::unix::fs::symlink(open.join("a.mp4"), open.join("d.mp4")).unwrap();
        let folders = [open.clone()];
        let of = |path: &str| within(&folders, FilePath::new(path));
        let inside = |rest: &str| format!("{}/{rest}", open.display());
        assert_eq!(of(&inside("a.mp4")), Ok(open.join("a.mp4")));
        assert_eq!(of(&inside("in/b.mp4")), Ok(open.join("in/b.mp4")));
        assert_eq!(of(&inside("")), Ok(open.clone()));
        for refused in [
            inside("../closed/secret"),
            inside("in/../../closed/secret"),
            inside("in/../a.mp4"),
            inside("door/secret"),
            inside("in/c.mp4"),
            inside("d.mp4"),
            inside("missing.mp4"),
            format!("{}x/a.mp4", open.display()),
            closed.join("secret").display().to_string(),
            "/etc/passwd".to_owned(),
            "a.mp4".to_owned(),
            String::new(),
            "/".to_owned(),
            "/proc/self/root/etc/passwd".to_owned(),
        ] {
            assert!(of(&refused).is_err(), "{refused}");
        }
        assert!(within(&[], FilePath::new(&inside("a.mp4"))).is_err());
    }
}
