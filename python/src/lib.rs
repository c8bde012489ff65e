//! The module `uniq._uniq`: the library as the Python package `uniq` calls it.
//!
//! Values go over as JSON, in the library's own wire formats, and the package makes dataclasses of
//! them. Work runs in threads of its own, without the interpreter's lock.
//!
//! What is new here goes into a module of its own, into the list below, and into `uniq/_uniq.pyi`.

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
