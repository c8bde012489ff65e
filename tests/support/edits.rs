//! Excerpts of known clips and what publishers do to them, through the `ffmpeg` command, with the true times.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::clips::Clip;
use super::paint::Random;
use super::scenes::{edited, words};

/// One way to change an excerpt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edit {
    /// Cut out and encoded again in good quality, nothing else.
    Cut,
    /// Half the width and height, at crf 38.
    Reencode,
    /// Left and right exchanged.
    Mirror,
    /// Black bars of a third of the height in all, above and below.
    Letterbox,
    /// 80 % of the width and of the height, at one of the corners.
    CornerCrop,
    /// The middle 60 % of the width and of the height.
    CentreCrop,
    /// The middle, 9 wide and 16 high.
    Vertical,
    /// Half the width and height, over other footage.
    PictureInPicture,
    /// Played 1.25 times as fast.
    Faster,
    /// 3 s of it within 12 s of other footage.
    Inside,
}

impl Edit {
    /// All edits, in the order of reports.
    pub const ALL: [Edit; 10] = [
        Edit::Cut,
        Edit::Reencode,
        Edit::Mirror,
        Edit::Letterbox,
        Edit::CornerCrop,
        Edit::CentreCrop,
        Edit::Vertical,
        Edit::PictureInPicture,
        Edit::Faster,
        Edit::Inside,
    ];

    /// The short name used on command lines and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Edit::Cut => "cut",
            Edit::Reencode => "reencode",
            Edit::Mirror => "mirror",
            Edit::Letterbox => "letterbox",
            Edit::CornerCrop => "corner80",
            Edit::CentreCrop => "centre60",
            Edit::Vertical => "vertical",
            Edit::PictureInPicture => "pip",
            Edit::Faster => "speed1.25",
            Edit::Inside => "inside",
        }
    }

    /// Whether other footage is needed.
    pub fn mixes(self) -> bool {
        matches!(self, Edit::PictureInPicture | Edit::Inside)
    }
}

/// Longest excerpt in seconds; shorter clips are taken whole.
pub const EXCERPT_S: f64 = 10.0;
/// Shortest excerpt in seconds; shorter clips are left out.
pub const SHORTEST_S: f64 = 3.0;
/// Seconds of other footage around an excerpt of [`SHORTEST_S`] in [`Edit::Inside`].
const AROUND_S: f64 = 12.0;
const SPEED: f64 = 1.25;

/// A part of a clip, changed, and where it truly comes from.
#[derive(Clone, Debug)]
pub struct Excerpt {
    /// The clip that it was cut from.
    pub clip: Clip,
    /// What was done to it.
    pub edit: Edit,
    /// The footage that was mixed with it.
    pub other: Option<Clip>,
    /// The result of the edit, a file; empty until [`Excerpt::make`] or [`make_all`] was called.
    pub path: PathBuf,
    /// Where the excerpt lies in the result, in seconds.
    pub within_s: (f64, f64),
    /// Where the excerpt starts and ends in its clip, in seconds.
    pub reference_s: (f64, f64),
    corner: usize,
}

impl Excerpt {
    /// Chooses the part of `clip` by its bytes and `round`; `None` if it is too short, or if other footage is needed
    /// and `others` holds none of another group.
    pub fn plan(clip: &Clip, edit: Edit, others: &[Clip], round: u64) -> Option<Excerpt> {
        if clip.duration_s < SHORTEST_S {
            return None;
        }
        let mut random = Random::new(fold(&clip.sha256) ^ round);
        let whole = if edit == Edit::Inside { SHORTEST_S } else { EXCERPT_S };
        let length = whole.min(clip.duration_s);
        let position = f64::from(random.between(0.0, 1.0));
        let start = (position * (clip.duration_s - length) * 1000.0).floor() / 1000.0;
        let corner = random.below(4);
        let before = f64::from(random.between(0.25, 0.75)) * AROUND_S;
        let before = (before * 100.0).round() / 100.0;
        // Ranking by both keeps the pairing when the set of candidates changes, and with it the edited files.
        let other = others
            .iter()
            .filter(|other| edit.mixes() && other.group != clip.group && other.duration_s >= SHORTEST_S)
            .min_by_key(|other| Random::new(fold(&clip.sha256) ^ fold(&other.sha256)).bits())
            .cloned();
        if edit.mixes() && other.is_none() {
            return None;
        }
        let within_s = match edit {
            Edit::Faster => (0.0, length / SPEED),
            Edit::Inside => (before, before + length),
            _ => (0.0, length),
        };
        Some(Excerpt {
            clip: clip.clone(),
            edit,
            other,
            path: PathBuf::new(),
            within_s,
            reference_s: (start, start + length),
            corner,
        })
    }

    /// Makes the file in `folder`, or finds it there.
    pub fn make(mut self, folder: &Path) -> Excerpt {
        let (start, end) = self.reference_s;
        let mut args: Vec<OsString> =
            ["-ss", &format!("{start:.3}"), "-t", &format!("{:.3}", end - start)].map(OsString::from).to_vec();
        args.extend(["-i".into(), self.clip.path.clone().into()]);
        let mut inputs = vec![self.clip.path.as_path()];
        if let Some(other) = &self.other {
            let length = format!("{:.3}", AROUND_S.max(end - start));
            args.extend(["-stream_loop", "-1", "-t", &length, "-i"].map(OsString::from));
            args.push(other.path.clone().into());
            inputs.push(&other.path);
        }
        let option = if self.other.is_some() { "-filter_complex" } else { "-vf" };
        args.extend([option.into(), self.filter().into()]);
        let crf = if self.edit == Edit::Reencode { "38" } else { "23" };
        let encoder = "-an -sn -dn -c:v libx264 -preset veryfast -pix_fmt yuv420p -threads 1 -crf";
        args.extend(words(encoder).iter().map(OsString::from));
        args.push(crf.into());
        self.path = edited(folder, &inputs, &args, "mp4");
        self
    }

    /// The filter chain; sizes are kept even, as the encoder wants them.
    fn filter(&self) -> String {
        let even = "scale=trunc(iw/2)*2:trunc(ih/2)*2,setsar=1";
        let (width, height) = (self.clip.size.0 / 2 * 2, self.clip.size.1 / 2 * 2);
        let (half_width, half_height) = (width / 4 * 2, height / 4 * 2);
        // Other footage fills the frame and is cropped, not squeezed.
        let fit = format!(
            "fps=25,scale={width}:{height}:force_original_aspect_ratio=increase,crop={width}:{height},\
             setsar=1,format=yuv420p"
        );
        let square = if self.clip.square { "" } else { "scale=trunc(iw*sar/2)*2:ih,setsar=1," };
        let chain = match self.edit {
            Edit::Cut => String::new(),
            Edit::Reencode => "scale=iw/2:ih/2,".to_owned(),
            Edit::Mirror => "hflip,".to_owned(),
            Edit::Letterbox => "pad=iw:trunc(ih*2/3)*2:0:(oh-ih)/2,".to_owned(),
            Edit::CornerCrop => {
                let x = ["0", "iw-ow"][self.corner & 1];
                let y = ["0", "ih-oh"][self.corner >> 1];
                format!("crop=trunc(iw*0.4)*2:trunc(ih*0.4)*2:{x}:{y},")
            }
            Edit::CentreCrop => "crop=trunc(iw*0.3)*2:trunc(ih*0.3)*2,".to_owned(),
            Edit::Vertical => "crop=trunc(min(iw\\,ih*9/16)/2)*2:ih,".to_owned(),
            Edit::Faster => format!("setpts=PTS/{SPEED},"),
            Edit::PictureInPicture => {
                let x = (width - half_width) * [1, 3][self.corner & 1] / 4;
                let y = (height - half_height) * [1, 3][self.corner >> 1] / 4;
                return format!(
                    "[1:v]{fit}[back];\
                     [0:v]fps=25,scale={half_width}:{half_height},setsar=1,format=yuv420p[front];\
                     [back][front]overlay={x}:{y}:shortest=1"
                );
            }
            Edit::Inside => {
                let before = self.within_s.0;
                return format!(
                    "[1:v]{fit},split[x][y];[x]trim=0:{before},setpts=PTS-STARTPTS[before];\
                     [y]trim={before}:{AROUND_S},setpts=PTS-STARTPTS[after];\
                     [0:v]{square}{fit},trim=0:{SHORTEST_S},setpts=PTS-STARTPTS[it];\
                     [before][it][after]concat=n=3:v=1:a=0"
                );
            }
        };
        format!("{square}{chain}{even}")
    }
}

/// Makes all files, two at a time, telling `progress` how many are done.
pub fn make_all(planned: Vec<Excerpt>, folder: &Path, progress: &(dyn Fn(usize) + Sync)) -> Vec<Excerpt> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let slots: Vec<Mutex<Excerpt>> = planned.into_iter().map(Mutex::new).collect();
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(slot) = slots.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let mut excerpt = slot.lock().unwrap_or_else(PoisonError::into_inner);
                    *excerpt = excerpt.clone().make(folder);
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                }
            });
        }
    });
    let open = |slot: Mutex<Excerpt>| slot.into_inner().unwrap_or_else(PoisonError::into_inner);
    slots.into_iter().map(open).collect()
}

/// The first 64 bits of a digest.
fn fold(digest: &str) -> u64 {
    digest.get(..16).and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or_default()
}
