//! The module `uniq._uniq`, by which the Python package `uniq` calls the library.
//!
//! Values pass as JSON, in the library's wire formats, and the package converts them into
//! dataclasses. Work runs in separate threads, without the interpreter's lock.
//!
//! A new part needs its own module, an entry in the list below, and one in `uniq/_uniq.pyi`.

mod certificate;
mod check;
mod decoding;
mod dedup;
mod errors;
mod index;
mod ledger;
mod sample;
mod segments;
mod work;

use pyo3::prelude::*;

#[pymodule]
mod _uniq {
    #[pymodule_export]
    use crate::certificate::{certify, claim, new_key, reproduce, verify};
    #[pymodule_export]
    use crate::check::Fingerprint;
    #[pymodule_export]
    use crate::check::{check, fingerprint, fingerprint_of_bytes, load_fingerprint};
    #[pymodule_export]
    use crate::dedup::dedup;
    #[pymodule_export]
    use crate::index::{Index, build};
    #[pymodule_export]
    use crate::ledger::Ledger;
    #[pymodule_export]
    use crate::sample::_every_field;
    #[pymodule_export]
    use crate::segments::{Request, Shard, describe_state, parts, state_of_index, state_of_shards};
}
