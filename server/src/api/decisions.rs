//! People's decisions about submissions, and the pages for them.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use uniq::ledger::Mode;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::body::{self, Query};
use super::page::{Page, PageQuery};
use super::submissions::found;
use crate::app::{App, blocking};
use crate::auth::{Caller, Scope};
use crate::database::moment;
use crate::problem::Problem;
use crate::review::decide::{self, Actor, Wish};
use crate::review::log::{Stand, Verb};
use crate::store::reviews::{self, Review};
use crate::store::submissions::Listed;

/// The routes.
pub fn router() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(decide_so, list))
        .routes(routes!(sale))
        .routes(routes!(page))
}

/// What can be decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionName {
    /// A match is the same recording: its seconds are public.
    Copy,
    /// A match is another take of the scene, and withholds nothing.
    SameScene,
    /// A match is the creator's own publication, or licensed, and withholds nothing.
    Allowed,
    /// Two submissions are the same recording.
    Same,
    /// Two submissions are different recordings.
    Distinct,
    /// The submission is kept out of sale.
    Dispute,
    /// A person has looked, and agrees.
    Accept,
    /// The submission is taken back for good.
    Withdraw,
    /// What it offers was bought.
    Sold,
    /// Another decision holds no more.
    Undo,
    /// A decision of another person that waits is to hold.
    Confirm,
    /// A decision that waits is not to hold.
    Refuse,
}

impl From<DecisionName> for Verb {
    fn from(name: DecisionName) -> Verb {
        match name {
            DecisionName::Copy => Verb::Copy,
            DecisionName::SameScene => Verb::SameScene,
            DecisionName::Allowed => Verb::Allowed,
            DecisionName::Same => Verb::Same,
            DecisionName::Distinct => Verb::Distinct,
            DecisionName::Dispute => Verb::Dispute,
            DecisionName::Accept => Verb::Accept,
            DecisionName::Withdraw => Verb::Withdraw,
            DecisionName::Sold => Verb::Sold,
            DecisionName::Undo => Verb::Undo,
            DecisionName::Confirm => Verb::Confirm,
            DecisionName::Refuse => Verb::Refuse,
        }
    }
}

/// A match of a submission: as in its report.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MatchName {
    /// SHA-256 of the source, in hexadecimal.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub source_sha256: String,
    /// Start in the clip, in seconds.
    #[schema(minimum = 0)]
    pub start_s: f64,
    /// End in the clip, in seconds.
    #[schema(minimum = 0)]
    pub end_s: f64,
}

/// A decision that is wanted.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDecision {
    /// The decision.
    pub decision: DecisionName,
    /// The match, for `copy`, `same_scene` and `allowed`.
    #[serde(rename = "match")]
    pub of_match: Option<MatchName>,
    /// The other submission, for `same` and `distinct`.
    pub other: Option<String>,
    /// The decision that this one is about, for `undo`, `confirm` and `refuse`.
    pub about: Option<String>,
    /// The reason.
    #[schema(min_length = 1, max_length = 500)]
    pub reason: String,
}

/// How a decision stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionState {
    /// It has been done, or holds.
    Holds,
    /// It waits for another person.
    Waits,
    /// It was undone, refused, or decided otherwise.
    NoMore,
}

/// A decision.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Decision {
    /// Its id.
    pub id: String,
    /// The submission.
    pub submission: String,
    /// What was decided.
    pub decision: String,
    /// The match that it is about.
    #[serde(rename = "match")]
    pub of_match: Option<MatchName>,
    /// The number of the other submission of the pair that it is about.
    pub other_number: Option<u64>,
    /// The decision that it is about.
    pub about: Option<String>,
    /// How it stands now.
    pub state: DecisionState,
    /// Who decided.
    pub by: String,
    /// The reason.
    pub reason: String,
    /// When, in RFC 3339.
    pub at: String,
}

impl Decision {
    fn of(row: Review, stand: &Stand<'_>) -> Decision {
        let is_about = Verb::of(&row.verb).is_some_and(Verb::is_of_row);
        let state = if stand.waiting.iter().any(|of| of.id == row.id) {
            DecisionState::Waits
        } else if is_about && !row.waits || stand.holding.iter().any(|of| of.id == row.id) {
            DecisionState::Holds
        } else {
            DecisionState::NoMore
        };
        let of_match = row
            .source
            .zip(row.here)
            .map(|(source_sha256, (start_ms, end_ms))| MatchName {
                source_sha256,
                start_s: start_ms as f64 / 1e3,
                end_s: end_ms as f64 / 1e3,
            });
        Decision {
            id: row.id,
            submission: row.submission,
            decision: row.verb,
            of_match,
            other_number: row.other,
            about: row.about,
            state,
            by: row.name,
            reason: row.why,
            at: moment(row.at_ms),
        }
    }
}

/// Decides about a submission.
///
/// Where another person has to confirm the decision, it waits, and the answer is 202.
#[utoipa::path(post, path = "/v1/submissions/{id}/decisions", tag = "review", request_body = NewDecision,
    params(("id" = String, Path, description = "The submission")),
    responses(
        (status = 201, description = "It holds", body = Decision),
        (status = 202, description = "It waits for another person", body = Decision),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The submission's state does not allow this decision", body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn decide_so(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body::Json(wanted): body::Json<NewDecision>,
) -> Result<(StatusCode, Json<Decision>), Problem> {
    caller.needs(Scope::Review)?;
    let listed = found(&app, &caller, &id).await?;
    let verb = Verb::from(wanted.decision);
    let has = (
        wanted.of_match.is_some(),
        wanted.other.is_some(),
        wanted.about.is_some(),
    );
    if has != (verb.is_of_match(), verb.is_of_pair(), verb.is_of_row()) {
        return Err(Problem::invalid(
            "give match with copy, same_scene and allowed, other with same and distinct, about with undo, confirm and refuse, \
             and none of them with another decision",
        ));
    }
    let other = match &wanted.other {
        Some(other) => Some(found(&app, &caller, other).await?.number),
        None => None,
    };
    let of_match = wanted.of_match.map(|of| {
        let here = uniq::report::Interval {
            start_s: of.start_s,
            end_s: of.end_s,
        };
        (of.source_sha256, decide::millis(&here))
    });
    let wish = Wish {
        verb,
        of_match,
        other,
        about: wanted.about,
        why: wanted.reason,
    };
    decided(app, caller, listed, wish).await
}

/// A sale.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSale {
    /// The reference of the sale, for the ledger.
    #[schema(min_length = 1, max_length = 500)]
    pub reference: String,
}

/// Records that what a submission offers was bought.
///
/// What is disputed by a reviewer is not sold. A sale cannot be undone.
#[utoipa::path(post, path = "/v1/submissions/{id}/sale", tag = "review", request_body = NewSale,
    params(("id" = String, Path, description = "The submission")),
    responses(
        (status = 201, description = "It is sold", body = Decision),
        (status = 202, description = "The sale waits for another person", body = Decision),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It offers nothing, is provisional, or is disputed", body = Problem, content_type = "application/problem+json"),
        (status = 415, body = Problem, content_type = "application/problem+json"),
        (status = 422, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn sale(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    body::Json(wanted): body::Json<NewSale>,
) -> Result<(StatusCode, Json<Decision>), Problem> {
    caller.needs(Scope::Review)?;
    let listed = found(&app, &caller, &id).await?;
    let wish = Wish {
        verb: Verb::Sold,
        of_match: None,
        other: None,
        about: None,
        why: wanted.reference,
    };
    decided(app, caller, listed, wish).await
}

async fn decided(
    app: App,
    caller: Caller,
    listed: Listed,
    wish: Wish,
) -> Result<(StatusCode, Json<Decision>), Problem> {
    let actor = Actor::new(format!("key:{}", caller.key), &caller.name);
    let deciding = blocking(move || {
        let row = decide::decide(&app, &actor, &listed, &wish)?;
        let log = app.database.with(|ledger| {
            ledger.transaction(Mode::Read, |tables| {
                reviews::of_submission(tables, &row.submission)
            })
        })?;
        Ok((row.waits, Decision::of(row, &Stand::of(&log))))
    });
    let (waits, decision) = deciding.await?;
    Ok((
        if waits {
            StatusCode::ACCEPTED
        } else {
            StatusCode::CREATED
        },
        Json(decision),
    ))
}

/// Lists the decisions about a submission, in their order. None is ever removed.
#[utoipa::path(get, path = "/v1/submissions/{id}/decisions", tag = "review",
    params(("id" = String, Path, description = "The submission"), PageQuery),
    responses(
        (status = 200, body = Page<Decision>),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        super::Refusals,
    ))]
async fn list(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<Decision>>, Problem> {
    caller.needs(Scope::Review)?;
    let (after, limit) = query.checked()?;
    let listed = found(&app, &caller, &id).await?;
    let log = app
        .database
        .read(move |tables| reviews::of_submission(tables, &listed.id))
        .await?;
    let stand = Stand::of(&log);
    let rest: Vec<Review> = log
        .iter()
        .filter(|row| row.id > after)
        .take(limit as usize + 1)
        .cloned()
        .collect();
    Ok(Json(Page::of(
        rest,
        limit,
        |row| row.id.clone(),
        |row| Decision::of(row, &stand),
    )))
}

/// In which language a page is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LangName {
    /// English.
    #[default]
    En,
    /// Arabic.
    Ar,
}

#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct LangQuery {
    /// The language: `en` unless told otherwise.
    lang: Option<LangName>,
}

/// The evidence page of a submission: the verdict, and the frames that it rests on, as one HTML
/// file.
#[utoipa::path(get, path = "/v1/submissions/{id}/page", tag = "review",
    params(("id" = String, Path, description = "The submission"), LangQuery),
    responses(
        (status = 200, description = "The page", content_type = "text/html", body = String),
        (status = 400, body = Problem, content_type = "application/problem+json"),
        (status = 404, body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is no answer yet, or no longer one", body = Problem, content_type = "application/problem+json"),
        super::Refusals,
        (status = 507, body = Problem, content_type = "application/problem+json"),
    ))]
async fn page(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Query(query): Query<LangQuery>,
) -> Result<Response, Problem> {
    caller.needs(Scope::Read)?;
    let listed = found(&app, &caller, &id).await?;
    let lang = match query.lang.unwrap_or_default() {
        LangName::En => uniq::evidence_page::Lang::En,
        LangName::Ar => uniq::evidence_page::Lang::Ar,
    };
    crate::review::evidence::page(&app, &listed, lang).await
}
