//! Opens, adds to, removes from and commits an index of immutable segments.
