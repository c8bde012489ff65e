//! Feeds the index readers files with every kind of fault. Each file must be refused or readable.
//!
//! `scripts/soak` runs it for a minute. It begins with files of a real writer, which are put into
//! the corpus at the start, so that they always have the present format.
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
