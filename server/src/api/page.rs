//! Pages of lists; a cursor says where the next page begins.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;

/// Which page of a list is wanted.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// The cursor that the page before gave as `next`.
    pub after: Option<String>,
    /// Maximum number of items, 1 to 200; 50 unless told otherwise.
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u64>,
}

impl PageQuery {
    /// The cursor and the number of items.
    ///
    /// # Errors
    /// 400.
    pub fn checked(&self) -> Result<(String, u64), Problem> {
        let limit = self.limit.unwrap_or(50);
        if !(1..=200).contains(&limit) {
            return Err(Problem::invalid("limit: give 1 to 200"));
        }
        let after = self.after.clone().unwrap_or_default();
        if !after.is_empty() && !is_id(&after) {
            return Err(Problem::invalid(
                "after: give the cursor that the previous page gave as next",
            ));
        }
        Ok((after, limit))
    }
}

/// A part of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T: ToSchema> {
    /// The items, in the order in which they were made.
    pub items: Vec<T>,
    /// The cursor of the next page; none at the end.
    pub next: Option<String>,
}

impl<T: ToSchema> Page<T> {
    /// A page of the items that were asked for, and one more if there is.
    pub fn of<S>(
        mut found: Vec<S>,
        limit: u64,
        id: impl Fn(&S) -> String,
        item: impl Fn(S) -> T,
    ) -> Page<T> {
        let limit = limit as usize;
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next = found.last().filter(|_| has_more).map(id);
        Page {
            items: found.into_iter().map(item).collect(),
            next,
        }
    }
}

/// Whether a text can be an id.
pub fn is_id(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}
