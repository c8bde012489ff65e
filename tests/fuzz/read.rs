//! Gives the readers of an index files that are wrong in every way: refused or readable, and
//! nothing else.
//!
//! `scripts/soak` runs it for a minute. Begins with files that a writer wrote; they are put into
//! the corpus at the start, so that they are always of the present format.
#![no_main]

use std::fs;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use uniq::index::fuzz;

fuzz_target!(
    init: {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/read");
        fs::create_dir_all(&corpus).expect("the corpus can be made");
        for (number, seed) in fuzz::seeds().iter().enumerate() {
            fs::write(corpus.join(format!("written-{number}")), seed).expect("the corpus can be written");
        }
    },
    |data: &[u8]| fuzz::read(data)
);
