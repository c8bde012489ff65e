//! Edits of footage as publishers make them: a table with FFmpeg filters and parameters.
//!
//! In a filter, `{w}` and `{h}` are the even size of the excerpt in pixels, `{cx}` and `{cy}` the
//! factors 0 or 1 of the corner drawn for the clip, `{disc}` the diameter of a disc with a quarter
//! of the frame's area, and `{fade}` the second at which a fade-out begins.

/// One way to change an excerpt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Edit {
    /// The kind of change. The power of a second is reported by family.
    pub(crate) family: &'static str,
    /// The short name, on command lines and in tables.
    pub(crate) name: &'static str,
    /// A description for people.
    pub(crate) about: &'static str,
    /// How the frames are made.
    pub(crate) picture: Picture,
    /// Change of time.
    pub(crate) time: Time,
    /// How it is encoded.
    pub(crate) encoding: &'static str,
    /// Whether only the thorough effort looks for this edit.
    pub(crate) thorough: bool,
}

/// How the frames of an edit are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Picture {
    /// A chain of filters.
    Chain(&'static str),
    /// A graph of filters from `[0:v]`, the excerpt, to an unnamed output.
    Graph(&'static str),
    /// A graph of filters from `[it]`, the excerpt, and `[other]`, footage of the same size, to an
    /// unnamed output.
    Mixed(&'static str),
}

/// An edit's change of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Time {
    /// None.
    Kept,
    /// Plays it this many times as fast.
    Speed(f64),
    /// Plays it backwards.
    Reversed,
    /// Puts [`INSIDE_S`] of it into [`AROUND_S`] of other footage.
    Inside,
    /// Cuts it into [`ORDER`] equal pieces and plays them in that order.
    Shuffled,
}

/// Length of the excerpt in [`Time::Inside`], in seconds.
pub(crate) const INSIDE_S: f64 = 3.0;
/// Total length in [`Time::Inside`], in seconds.
pub(crate) const AROUND_S: f64 = 12.0;
/// Order of the fifths of the excerpt in [`Time::Shuffled`]. None follows its predecessor, so that
/// each is a separate piece.
pub(crate) const ORDER: [usize; 5] = [3, 0, 4, 2, 1];

/// The families.
const ENCODING: &str = "encoding and frame rate";
const GRADE: &str = "brightness and colour";
const TEXTURE: &str = "texture";
const OVERLAY: &str = "overlays and fades";
const FRAME: &str = "borders and mirror";
const CROP: &str = "crops";
const MIX: &str = "with other footage, and cuts";
const TURN: &str = "turned and tilted";
const PACE: &str = "speed and direction";
const MANY: &str = "several at once";

const GOOD: &str = "-c:v libx264 -preset veryfast -crf 23";
const STRONG: &str = "-c:v libx264 -preset veryfast -crf 38";
const VP9: &str = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -b:v 0 -crf 45";
const MPEG4: &str = "-c:v mpeg4 -q:v 12";

const fn chain(
    family: &'static str,
    name: &'static str,
    about: &'static str,
    filter: &'static str,
) -> Edit {
    Edit {
        family,
        name,
        about,
        picture: Picture::Chain(filter),
        time: Time::Kept,
        encoding: GOOD,
        thorough: false,
    }
}

const fn graph(
    family: &'static str,
    name: &'static str,
    about: &'static str,
    filter: &'static str,
) -> Edit {
    Edit {
        picture: Picture::Graph(filter),
        ..chain(family, name, about, "")
    }
}

const fn mixed(
    family: &'static str,
    name: &'static str,
    about: &'static str,
    filter: &'static str,
) -> Edit {
    Edit {
        picture: Picture::Mixed(filter),
        ..chain(family, name, about, "")
    }
}

const fn timed(
    family: &'static str,
    name: &'static str,
    about: &'static str,
    time: Time,
    filter: &'static str,
) -> Edit {
    Edit {
        time,
        ..chain(family, name, about, filter)
    }
}

/// All edits, in the order of tables.
pub(crate) const EDITS: &[Edit] = &[
    chain(ENCODING, "cut", "cut out, and encoded in good quality", ""),
    Edit {
        encoding: STRONG,
        ..chain(
            ENCODING,
            "reencode",
            "half the size, crf 38",
            "scale=iw/2:ih/2",
        )
    },
    Edit {
        encoding: VP9,
        ..chain(ENCODING, "vp9", "VP9, crf 45", "")
    },
    Edit {
        encoding: MPEG4,
        ..chain(ENCODING, "mpeg4", "MPEG-4 part 2, quantiser 12", "")
    },
    chain(GRADE, "brightness", "15 % brighter", "eq=brightness=0.15"),
    chain(GRADE, "contrast", "contrast 1.5", "eq=contrast=1.5"),
    chain(GRADE, "gamma", "gamma 1.6", "eq=gamma=1.6"),
    chain(GRADE, "saturation", "saturation 2", "eq=saturation=2"),
    chain(GRADE, "grey", "without colours", "hue=s=0"),
    chain(
        TEXTURE,
        "noise",
        "noise of strength 25",
        "noise=all_seed=7:alls=25:allf=t+u",
    ),
    chain(
        TEXTURE,
        "blur",
        "Gaussian blur, sigma 0.6 % of the height",
        "gblur=sigma={h}*0.006",
    ),
    chain(
        TEXTURE,
        "sharpen",
        "unsharp mask 5x5, 1.5",
        "unsharp=5:5:1.5",
    ),
    chain(
        OVERLAY,
        "caption",
        "bar with words over the lower fifth",
        "drawbox=y=ih*0.8:h=ih*0.2:c=black:t=fill,drawbox=x=iw*0.1:y=ih*0.86:w=iw*0.18:h=ih*0.08:c=white:t=fill,\
         drawbox=x=iw*0.32:y=ih*0.86:w=iw*0.3:h=ih*0.08:c=white:t=fill,\
         drawbox=x=iw*0.66:y=ih*0.86:w=iw*0.22:h=ih*0.08:c=white:t=fill",
    ),
    chain(
        OVERLAY,
        "logo5",
        "logo of 5 % of the area in a corner",
        "drawbox=x=iw*(0.03+0.716*{cx}):y=ih*(0.03+0.716*{cy}):w=iw*0.224:h=ih*0.224:c=red:t=fill,\
         drawbox=x=iw*(0.07+0.716*{cx}):y=ih*(0.08+0.716*{cy}):w=iw*0.08:h=ih*0.12:c=white:t=fill",
    ),
    chain(
        OVERLAY,
        "logo13",
        "logo of 13 % of the area in a corner",
        "drawbox=x=iw*(0.03+0.58*{cx}):y=ih*(0.03+0.58*{cy}):w=iw*0.36:h=ih*0.36:c=red:t=fill,\
         drawbox=x=iw*(0.10+0.58*{cx}):y=ih*(0.12+0.58*{cy}):w=iw*0.13:h=ih*0.18:c=white:t=fill",
    ),
    graph(
        OVERLAY,
        "emoji",
        "a face over 25 % of the area",
        "color=c=yellow:s={disc}x{disc}:d=0.04:r=25,format=rgba,\
         geq=r='if(lt(hypot(abs(X-W/2)-W/6,Y-H/3),W/12),40,250)':g='if(lt(hypot(abs(X-W/2)-W/6,Y-H/3),W/12),30,210)':\
         b=40:a='255*lt(hypot(X-W/2,Y-H/2),W/2)'[face];\
         [0:v]null[it];[it][face]overlay=x=(W-w)*(0.3+0.4*{cx}):y=(H-h)*(0.3+0.4*{cy}):eof_action=repeat",
    ),
    chain(
        FRAME,
        "letterbox",
        "black bars above and below, a quarter of the whole",
        "pad=iw:ih*4/3:0:(oh-ih)/2",
    ),
    chain(
        FRAME,
        "pillarbox",
        "black bars left and right, a quarter of the whole",
        "pad=iw*4/3:ih:(ow-iw)/2:0",
    ),
    chain(FRAME, "mirror", "left and right exchanged", "hflip"),
    chain(
        CROP,
        "crop95",
        "the middle 95 % of width and height",
        "crop=iw*0.95:ih*0.95",
    ),
    chain(
        CROP,
        "crop90",
        "the middle 90 % of width and height",
        "crop=iw*0.9:ih*0.9",
    ),
    chain(
        CROP,
        "corner80",
        "80 % of width and height at a corner",
        "crop=iw*0.8:ih*0.8:(iw-ow)*{cx}:(ih-oh)*{cy}",
    ),
    chain(
        CROP,
        "crop60",
        "the middle 60 % of width and height",
        "crop=iw*0.6:ih*0.6",
    ),
    chain(
        CROP,
        "crop40",
        "the middle 40 % of width and height",
        "crop=iw*0.4:ih*0.4",
    ),
    chain(
        CROP,
        "vertical",
        "16:9 to 9:16, the middle",
        "crop=min(iw\\,ih*9/16):ih",
    ),
    chain(
        CROP,
        "vertical-left",
        "16:9 to 9:16, from the left third",
        "crop=min(iw\\,ih*9/16):ih:(iw-ow)/3:0",
    ),
    graph(
        FRAME,
        "blurred-wide",
        "9:16 within 16:9, blurred sides",
        "[0:v]crop=min(iw\\,ih*9/16):ih,split[a][b];[a]scale={h}*16/9:-2,crop=iw:{h},gblur=sigma=20[back];\
         [back][b]overlay=(W-w)/2:0",
    ),
    graph(
        FRAME,
        "blurred-tall",
        "16:9 within 9:16, blurred above and below",
        "[0:v]split[a][b];[a]scale=-2:{w}*16/9,crop={w}:ih,gblur=sigma=20[back];[back][b]overlay=0:(H-h)/2",
    ),
    mixed(
        MIX,
        "pip50",
        "picture in picture, half the width and height",
        "[it]scale={w}/2:{h}/2[small];[other][small]overlay=x=(W-w)*(0.15+0.7*{cx}):y=(H-h)*(0.15+0.7*{cy}):shortest=1",
    ),
    mixed(
        MIX,
        "pip33",
        "picture in picture, a third of the width and height",
        "[it]scale={w}/3:{h}/3[small];[other][small]overlay=x=(W-w)*(0.1+0.8*{cx}):y=(H-h)*(0.1+0.8*{cy}):shortest=1",
    ),
    mixed(
        MIX,
        "side",
        "side by side with another clip",
        "[it][other]hstack=shortest=1",
    ),
    mixed(
        MIX,
        "stack",
        "above another clip",
        "[it][other]vstack=shortest=1",
    ),
    chain(
        TURN,
        "rotate3",
        "turned by 3 degrees",
        "rotate=3*PI/180:fillcolor=black",
    ),
    chain(
        TURN,
        "rotate6",
        "turned by 6 degrees",
        "rotate=6*PI/180:fillcolor=black",
    ),
    chain(
        TURN,
        "rotate10",
        "turned by 10 degrees",
        "rotate=10*PI/180:fillcolor=black",
    ),
    Edit {
        thorough: true,
        ..chain(TURN, "rotate90", "turned by 90 degrees", "transpose=1")
    },
    Edit {
        thorough: true,
        ..chain(TURN, "rotate180", "upside down", "hflip,vflip")
    },
    chain(
        TURN,
        "perspective",
        "seen from the side",
        "perspective=x0=W*0.06:y0=H*0.1:x1=W:y1=0:x2=W*0.06:y2=H*0.92:x3=W:y3=H:sense=destination",
    ),
    timed(PACE, "speed0.5", "half as fast", Time::Speed(0.5), ""),
    timed(PACE, "speed0.8", "0.8 times as fast", Time::Speed(0.8), ""),
    timed(
        PACE,
        "speed1.25",
        "1.25 times as fast",
        Time::Speed(1.25),
        "",
    ),
    timed(PACE, "speed2", "twice as fast", Time::Speed(2.0), ""),
    chain(ENCODING, "fps10", "10 frames a second", "fps=10"),
    chain(
        ENCODING,
        "drops",
        "30 % of the frames dropped",
        "select='gte(random(7)\\,0.3)'",
    ),
    timed(PACE, "reversed", "backwards", Time::Reversed, "reverse"),
    chain(
        OVERLAY,
        "fade",
        "fade in and out, 1.5 s each",
        "fade=t=in:d=1.5,fade=t=out:st={fade}:d=1.5",
    ),
    Edit {
        time: Time::Inside,
        ..mixed(MIX, "inside", "3 s within 12 s of other footage", "")
    },
    timed(
        MIX,
        "shuffled",
        "five cuts in another order",
        Time::Shuffled,
        "",
    ),
    timed(
        MANY,
        "uniquified",
        "mirrored, off-centre zoom, graded, 2 % faster",
        Time::Speed(1.02),
        "hflip,crop=iw*0.88:ih*0.88:iw*0.1:ih*0.03,eq=contrast=1.1:brightness=0.04:saturation=1.3",
    ),
    timed(
        MANY,
        "short-form",
        "9:16, captions, speed 1.1",
        Time::Speed(1.1),
        "crop=min(iw\\,ih*9/16):ih,drawbox=x=iw*0.1:y=ih*0.66:w=iw*0.8:h=ih*0.07:c=white:t=fill,\
         drawbox=x=iw*0.2:y=ih*0.75:w=iw*0.6:h=ih*0.07:c=yellow:t=fill",
    ),
    chain(
        MANY,
        "filmed",
        "a screen filmed at an angle: perspective, blur, noise, gamma",
        "perspective=x0=W*0.05:y0=H*0.08:x1=W*0.97:y1=H*0.02:x2=W*0.08:y2=H*0.93:x3=W*0.95:y3=H:sense=destination,\
         gblur=sigma={h}*0.004,noise=all_seed=9:alls=12:allf=t+u,eq=gamma=1.3",
    ),
];

impl Edit {
    /// The edit with this name.
    pub(crate) fn named(name: &str) -> Option<Edit> {
        EDITS.iter().copied().find(|edit| edit.name == name)
    }

    /// Whether it needs other footage.
    pub(crate) fn mixes(&self) -> bool {
        matches!(self.picture, Picture::Mixed(_))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_distinct_and_found() {
        let names: BTreeSet<&str> = EDITS.iter().map(|edit| edit.name).collect();
        assert_eq!(names.len(), EDITS.len());
        for edit in EDITS {
            assert_eq!(Edit::named(edit.name), Some(*edit));
        }
        assert_eq!(Edit::named("nothing"), None);
    }

    #[test]
    fn the_order_of_the_cuts_moves_each() {
        let mut sorted = ORDER;
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3, 4]);
        assert!(ORDER.iter().enumerate().all(|(place, part)| place != *part));
        assert!(
            ORDER.windows(2).all(|pair| pair[1] != pair[0] + 1),
            "one would go on where the other ended"
        );
    }
}
