//! Corrects what an index knows of its videos, without decoding them again.
//!
//! A segment never changes, so that the segment of a corrected video is written anew with the same keys, and its graph
//! with it.

use super::assemble::Merge;
use super::manifest::{self, GraphEntry, Manifest, SegmentEntry};
use super::video::{Publication, Video};
use super::writer::Writer;
use crate::error::Result;

impl Writer {
    /// Says another path or publication of a committed video from the next commit on; `false` if there is no such video, or
    /// nothing differs.
    pub fn update(&mut self, sha256: &[u8; 32], path: Option<&str>, publication: &Publication) -> bool {
        let Some(index) = &self.index else { return false };
        let Some(reference) = index.by_sha256(sha256) else { return false };
        let known = self.corrected.get(&reference).unwrap_or_else(|| index.video(reference));
        let corrected =
            Video { path: path.unwrap_or(&known.path).to_owned(), publication: publication.clone(), ..known.clone() };
        if corrected == *known {
            return false;
        }
        self.corrected.insert(reference, corrected);
        true
    }

    /// Writes the segments of corrected videos anew, and names them in the manifest of the next commit.
    pub(super) fn correct(&mut self, manifest: &mut Manifest) -> Result<()> {
        let segments: Vec<u32> = self.corrected.keys().map(|video| video.segment).collect();
        for number in segments.chunk_by(|a, b| a == b).map(|same| same[0]) {
            let Some(index) = &self.index else { break };
            let live = &index.segments[number as usize];
            let (role, segment, graph) = (live.role, live.segment.clone(), live.graph.clone());
            let corrected = self.corrected.iter().filter(|(video, _)| video.segment == number);
            let merge = Merge::corrected(&segment, corrected.map(|(reference, video)| (reference.video, video)));
            let written = self.write_segment(&merge, role)?;
            let entry = &mut manifest.segments[number as usize];
            let graph = match (&entry.graph, graph) {
                (GraphEntry::Built { recall, .. }, Some(graph)) => {
                    let path = manifest::graph_path(&self.dir, written.number);
                    // A damaged one is an aid less, and no reason to keep what is wrong of a video.
                    match graph.rewrite(&*self.storage, &path, &segment, written.file.checksum) {
                        Ok(file) => GraphEntry::Built { file, recall: *recall },
                        Err(crate::Error::CorruptIndex { .. }) => GraphEntry::None,
                        Err(error) => return Err(error),
                    }
                }
                (GraphEntry::Refused { recall }, _) => GraphEntry::Refused { recall: *recall },
                _ => GraphEntry::None,
            };
            *entry = SegmentEntry { tombstones: std::mem::take(&mut entry.tombstones), graph, ..written };
        }
        Ok(())
    }
}
