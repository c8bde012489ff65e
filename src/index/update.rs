//! Corrects what an index knows of its videos, without decoding them again.
//!
//! A segment never changes, so the segment of a corrected video is rewritten with the same keys.

use super::assemble::{Correction, Merge};
use super::manifest::{Manifest, SegmentEntry};
use super::upkeep::Work;
use super::video::{Publication, Video};
use super::writer::Writer;
use crate::error::Result;

impl Writer {
    /// Changes the path or publication of a committed video with the next commit. Returns `false`
    /// if there is no such video or nothing differs.
    pub fn update(
        &mut self,
        sha256: &[u8; 32],
        path: Option<&str>,
        publication: &Publication,
    ) -> bool {
        let Some(index) = &self.index else {
            return false;
        };
        let Some(reference) = index.by_sha256(sha256) else {
            return false;
        };
        let earlier = self.corrected.get(&reference);
        let known = earlier.map_or_else(|| index.video(reference), |earlier| &earlier.video);
        let video = Video {
            path: path.unwrap_or(&known.path).to_owned(),
            publication: publication.clone(),
            ..known.clone()
        };
        if video == *known {
            return false;
        }
        let pictures = earlier.and_then(|earlier| earlier.pictures.clone());
        self.corrected
            .insert(reference, Correction { video, pictures });
        true
    }

    /// Stores pictures of a committed video with the next commit. Returns `false` if there is no
    /// such video or it already has pictures.
    pub fn set_pictures(&mut self, sha256: &[u8; 32], pictures: Vec<u8>) -> bool {
        let Some(index) = &self.index else {
            return false;
        };
        let Some(reference) = index.by_sha256(sha256) else {
            return false;
        };
        if pictures.is_empty() || index.has_pictures(reference) {
            return false;
        }
        let known = self.corrected.get(&reference).map_or_else(
            || index.video(reference).clone(),
            |known| known.video.clone(),
        );
        self.corrected.insert(
            reference,
            Correction {
                video: known,
                pictures: Some(pictures),
            },
        );
        true
    }

    /// Rewrites the segments of corrected videos, and names them in the manifest of the next
    /// commit.
    pub(super) fn correct(&mut self, manifest: &mut Manifest) -> Result<()> {
        let segments: Vec<u32> = self.corrected.keys().map(|video| video.segment).collect();
        for number in segments.chunk_by(|a, b| a == b).map(|same| same[0]) {
            let Some(index) = &self.index else { break };
            let live = &index.segments[number as usize];
            let (role, segment, cells) = (
                live.role,
                live.segment.clone(),
                index.cells_of(live).clone(),
            );
            let corrected = self
                .corrected
                .iter()
                .filter(|(video, _)| video.segment == number);
            let merge = Merge::corrected(
                &segment,
                corrected.map(|(reference, correction)| (reference.video, correction)),
            );
            let written = self.write_segment(&merge, role, &cells, &Work::unwatched())?;
            let entry = &mut manifest.segments[number as usize];
            *entry = SegmentEntry {
                tombstones: std::mem::take(&mut entry.tombstones),
                ..written
            };
        }
        Ok(())
    }
}
