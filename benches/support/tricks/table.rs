//! The tricks, one per line.
//!
//! A recipe is an FFmpeg filter graph. Without labels it is applied to the film. With labels,
//! `[film]` is the published excerpt, `[own]` moving footage that is not in the index, `[photo]`
//! one frame of that, and `[other]` another published film; all have the film's size, frame rate
//! and length. `{w}`, `{h}` and `{fps}` are those of the film. `{px8}` is 8 pixels of a frame with
//! 360 rows. `{shuffle1}` and `{halves0.5}` reorder pieces of that many seconds.

use super::recipe::{Shown, Trick};

/// A trick with the usual encoding that always shows the film.
const fn trick(name: &'static str, graph: &'static str) -> Trick {
    Trick {
        name,
        graph,
        encoding: "",
        shown: Shown::Always,
    }
}

const fn encoded(trick: Trick, encoding: &'static str) -> Trick {
    Trick { encoding, ..trick }
}

/// The film is visible only in the second half of each period of `period_s` seconds.
const fn by_turns(trick: Trick, period_s: f64) -> Trick {
    Trick {
        shown: Shown::SecondHalves { period_s },
        ..trick
    }
}

/// All tricks, in display order.
#[rustfmt::skip]
pub const TRICKS: &[Trick] = &[
    trick("re-encoded", "null"),
    encoded(trick("compressed", "scale=-2:240"), "-crf 45"),
    // Orientation.
    trick("mirrored", "hflip"),
    trick("upside-down", "vflip"),
    trick("turned-180", "hflip,vflip"),
    trick("turned-90", "transpose=1"),
    trick("turned-270", "transpose=2"),
    trick("transposed", "transpose=0"),
    // Tone and colour.
    trick("negative", "negate"),
    trick("solarised", "lutyuv=y='if(lt(val,128),val,255-val)'"),
    trick("posterised", "format=gbrp,lutrgb=r='85*round(val/85)':g='85*round(val/85)':b='85*round(val/85)'"),
    trick("black-white", "lutyuv=y='if(gt(val,110),235,16)':u=128:v=128"),
    trick("luma-flat", "lutyuv=y=128"),
    trick("chroma-only", "format=yuv444p,extractplanes=y,split=3[a][b][c];[a]lut=c0=128[d];[c]negate[e];[d][b][e]mergeplanes=0x001020:yuv444p"),
    trick("grey", "hue=s=0"),
    trick("sepia", "colorchannelmixer=.393:.769:.189:0:.349:.686:.168:0:.272:.534:.131"),
    trick("graded", "eq=contrast=1.5:brightness=0.06:saturation=1.8:gamma=0.9,colorbalance=rs=.3:bs=-.3:gm=.1"),
    trick("hue-turned", "hue=h=140"),
    trick("gamma-0.4", "eq=gamma=0.4"),
    trick("gamma-2.2", "eq=gamma=2.2"),
    trick("channels-swapped", "colorchannelmixer=0:1:0:0:0:0:1:0:1:0:0"),
    trick("duotone", "hue=s=0,format=gbrp,lutrgb=r='40+val*0.8':g='val*0.6':b='120+val*0.4'"),
    trick("thermal", "format=gray,format=yuv444p,pseudocolor=preset=turbo"),
    trick("night-vision", "hue=s=0,colorchannelmixer=rr=0.1:gg=1:bb=0.1,noise=alls=30:allf=t,vignette=PI/4"),
    trick("half-negative", "split[a][b];[b]crop=iw/2:ih:iw/2:0,negate[c];[a][c]overlay=W/2:0"),
    trick("vignette", "vignette=PI/2.5"),
    // Detail.
    trick("edges", "edgedetect=low=0.05:high=0.15"),
    trick("edges-colour", "edgedetect=mode=colormix:high=0"),
    trick("sobel", "sobel=scale=2"),
    trick("sketch", "edgedetect=low=0.05:high=0.12,negate"),
    trick("sketch-pencil", "hue=s=0,split[a][b];[b]negate,gblur=sigma={px8}[c];[a][c]blend=c0_mode=dodge"),
    trick("emboss", "hue=s=0,convolution=0m='-2 -1 0 -1 0 1 0 1 2':0rdiv=1:0bias=128"),
    trick("high-pass", "split[a][b];[b]gblur=sigma={px6}[c];[a][c]blend=c0_mode=grainextract"),
    trick("blurred", "gblur=sigma={px8}"),
    trick("pixelated", "scale=iw/16:-1:flags=area,scale={w}:{h}:flags=neighbor"),
    trick("oil", "median=radius=7"),
    trick("halftone", "lutyuv=u=128:v=128[a];color=gray:s={w}x{h}:r={fps},trim=end_frame=1,geq=lum='128+110*sin(X*0.8)*sin(Y*0.8)':cb=128:cr=128,loop=-1:1[b];[a][b]blend=c0_expr='if(gt(A,B),235,16)':shortest=1"),
    trick("noise", "noise=alls=60:allf=t"),
    trick("grain", "noise=alls=20:allf=t+u"),
    trick("scan-lines", "drawgrid=w=0:h=4:t=2:color=black"),
    trick("glitch", "rgbashift=rh={px12}:bh=-{px12}:gv={px4}"),
    trick("vhs", "scale=iw/2:ih,gblur=sigma=1.5:sigmaV=0.1,scale={w}:{h},chromashift=cbh=6:crh=-6,eq=saturation=1.4:contrast=0.85,noise=alls=25:allf=t,drawgrid=w=0:h=4:t=1:color=black@0.4"),
    trick("old-film", "eq=brightness='0.08*sin(n*1.9)':contrast=1.3:eval=frame,colorchannelmixer=.393:.769:.189:0:.349:.686:.168:0:.272:.534:.131,noise=alls=30:allf=t,vignette=PI/4"),
    trick("motion-only", "tblend=all_mode=difference,eq=contrast=3:brightness=0.3"),
    trick("trails", "lagfun=decay=0.95"),
    // Parts of the frame.
    trick("crop-80-centre", "crop=iw*0.8:ih*0.8"),
    trick("crop-80-corner", "crop=iw*0.8:ih*0.8:0:0"),
    trick("crop-60-centre", "crop=iw*0.6:ih*0.6"),
    trick("crop-60-corner", "crop=iw*0.6:ih*0.6:0:0"),
    trick("crop-50-centre", "crop=iw*0.5:ih*0.5"),
    trick("crop-50-corner", "crop=iw*0.5:ih*0.5:0:0"),
    trick("crop-40-centre", "crop=iw*0.4:ih*0.4"),
    trick("crop-40-corner", "crop=iw*0.4:ih*0.4:0:0"),
    trick("crop-30-centre", "crop=iw*0.3:ih*0.3"),
    trick("crop-30-corner", "crop=iw*0.3:ih*0.3:0:0"),
    trick("vertical", "crop='min(iw,ih*9/16)':ih"),
    trick("vertical-blurred", "split[a][b];[a]scale=360:640:force_original_aspect_ratio=increase,crop=360:640,gblur=sigma=20[c];[b]scale=360:640:force_original_aspect_ratio=decrease[d];[c][d]overlay=(W-w)/2:(H-h)/2"),
    // Other material next to it and over it.
    trick("letterbox", "crop=iw:ih*0.75,pad=iw:{h}:0:(oh-ih)/2"),
    trick("border", "scale=iw/2:ih/2,pad={w}:{h}:iw/2:ih/2:color=0x204060"),
    trick("pip-50", "[film]scale=iw*0.5:-2[a];[own][a]overlay=W*0.4:H*0.1"),
    trick("pip-40", "[film]scale=iw*0.4:-2[a];[own][a]overlay=W*0.5:H*0.5"),
    trick("pip-33", "[film]scale=iw*0.33:-2[a];[own][a]overlay=W*0.1:H*0.1"),
    trick("pip-50-blurred", "split[a][b];[a]gblur=sigma={px16}[c];[b]scale=iw*0.5:-2[d];[c][d]overlay=W*0.25:H*0.25"),
    trick("pip-40-blurred", "split[a][b];[a]gblur=sigma={px16}[c];[b]scale=iw*0.4:-2[d];[c][d]overlay=W*0.3:H*0.3"),
    trick("pip-33-blurred", "split[a][b];[a]gblur=sigma={px16}[c];[b]scale=iw*0.33:-2[d];[c][d]overlay=W*0.33:H*0.33"),
    trick("pip-40-moving", "[film]scale=iw*0.4:-2[a];[own][a]overlay='(W-w)*(0.5+0.5*sin(t))':'(H-h)*(0.5+0.5*cos(1.3*t))'"),
    trick("covered-70-photo", "[photo]crop=iw*0.7:ih:0:0[a];[film][a]overlay=0:0"),
    trick("covered-70-own", "[own]crop=iw*0.7:ih:0:0[a];[film][a]overlay=0:0"),
    trick("covered-70-photo-corner", "[film]crop=iw*0.55:ih*0.55:0:0[a];[photo][a]overlay=0:0"),
    trick("covered-70-own-corner", "[film]crop=iw*0.55:ih*0.55:iw*0.45:ih*0.45[a];[own][a]overlay=W-w:H-h"),
    trick("covered-50-photo", "[photo]crop=iw*0.5:ih:0:0[a];[film][a]overlay=0:0"),
    trick("covered-50-own", "[own]crop=iw*0.5:ih:0:0[a];[film][a]overlay=0:0"),
    trick("caption", "drawbox=0:ih*0.75:iw:ih*0.25:black:fill,drawtext=text='WAIT FOR IT':fontcolor=white:fontsize=h*0.13:x=(w-tw)/2:y=h*0.81"),
    trick("logo-wall", "[photo]scale={w}/6:{h}/6,format=rgba,pad={w}/4:{h}/4:0:0:color=black@0,tile=4x4:color=black@0[a];[film][a]overlay"),
    trick("grid", "drawgrid=w=iw/8:h=ih/6:t={px6}:color=white"),
    trick("overlay-photo-50", "[film][photo]blend=all_mode=average"),
    trick("overlay-own-50", "[film][own]blend=all_mode=average"),
    // Geometry.
    trick("tilt-5", "rotate=5*PI/180"),
    trick("tilt-12", "rotate=12*PI/180"),
    trick("tilt-20", "rotate=20*PI/180"),
    trick("tilt-30", "rotate=30*PI/180"),
    trick("turning", "rotate=0.15*t"),
    trick("perspective-left", "perspective=0:0:W:H*0.25:0:H:W:H*0.75:sense=destination"),
    trick("perspective-top", "perspective=W*0.25:0:W*0.75:0:0:H:W:H:sense=destination"),
    trick("perspective-corner", "perspective=W*0.2:H*0.15:W:0:0:H:W*0.85:H*0.8:sense=destination"),
    trick("perspective-filled", "perspective=W*0.2:H*0.1:W:0:0:H:W*0.85:H*0.75"),
    trick("waves-mild", "[film]null[f];color=gray:s={w}x{h}:r={fps},trim=end_frame=1,split[m][n];[m]geq=lum='128+{px3}*sin(Y/{px20})':cb='128+{px1.5}*sin(Y/{px10})':cr='128+{px1.5}*sin(Y/{px10})',loop=-1:1[x];[n]geq=lum='128+{px3}*sin(X/{px20})':cb='128+{px1.5}*sin(X/{px10})':cr='128+{px1.5}*sin(X/{px10})',loop=-1:1[y];[f][x][y]displace=edge=mirror"),
    trick("waves-strong", "[film]null[f];color=gray:s={w}x{h}:r={fps},trim=end_frame=1,split[m][n];[m]geq=lum='128+{px12}*sin(Y/{px20})':cb='128+{px6}*sin(Y/{px10})':cr='128+{px6}*sin(Y/{px10})',loop=-1:1[x];[n]geq=lum='128+{px12}*sin(X/{px20})':cb='128+{px6}*sin(X/{px10})':cr='128+{px6}*sin(X/{px10})',loop=-1:1[y];[f][x][y]displace=edge=mirror"),
    trick("waves-moving", "geq=lum='lum(X+{px8}*sin(Y/{px24}+6*T),Y)':cb='cb(X+{px4}*sin(Y/{px12}+6*T),Y)':cr='cr(X+{px4}*sin(Y/{px12}+6*T),Y)'"),
    trick("lens-barrel", "lenscorrection=k1=-0.5:k2=-0.2:i=bilinear"),
    trick("lens-pincushion", "lenscorrection=k1=0.4:k2=0.2:i=bilinear"),
    trick("fisheye", "v360=input=flat:output=fisheye:ih_fov=100:iv_fov=70:h_fov=130:v_fov=100:w={w}:h={h}"),
    trick("zoom-pulsing", "zoompan=z='1.3+0.25*sin(2*in_time)':d=1:x='iw/2-iw/zoom/2':y='ih/2-ih/zoom/2':s={w}x{h}:fps={fps}"),
    trick("shaking", "crop=iw*0.85:ih*0.85:'(iw-ow)/2*(1+sin(n*1.7))':'(ih-oh)/2*(1+cos(n*2.3))'"),
    trick("stretch-1.2", "scale=iw/1.2:ih"),
    trick("stretch-1.33", "scale=iw/1.333:ih"),
    trick("stretch-1.33-wide", "scale=iw:ih/1.333"),
    trick("stretch-1.5", "scale=iw/1.5:ih"),
    trick("stretch-1.8", "scale=iw/1.8:ih"),
    trick("stretch-1.2-crop", "crop=iw*0.9:ih*0.9,scale=iw/1.2:ih"),
    trick("stretch-1.33-crop", "crop=iw*0.9:ih*0.9,scale=iw/1.333:ih"),
    trick("stretch-1.5-crop", "crop=iw*0.9:ih*0.9,scale=iw:ih/1.5"),
    trick("stretch-1.8-crop", "crop=iw*0.9:ih*0.9,scale=iw/1.8:ih"),
    trick("stretch-1.2-border", "scale=iw/1.2:ih,pad=iw*1.25:ih*1.25:(ow-iw)/2:(oh-ih)/2"),
    trick("stretch-1.5-border", "scale=iw/1.5:ih,pad=iw*1.25:ih*1.25:(ow-iw)/2:(oh-ih)/2"),
    trick("stretch-1.8-border", "scale=iw:ih/1.8,pad=iw*1.25:ih*1.25:(ow-iw)/2:(oh-ih)/2"),
    trick("3d-side-by-side", "split[a][b];[a]scale=iw/2:ih[c];[b]scale=iw/2:ih[d];[c][d]hstack"),
    trick("3d-top-bottom", "split[a][b];[a]scale=iw:ih/2[c];[b]scale=iw:ih/2[d];[c][d]vstack"),
    trick("three-in-a-row", "crop=iw/3:ih,split=3[a][b][c];[a][b][c]hstack=3"),
    trick("kaleidoscope", "crop=trunc(iw/4)*2:trunc(ih/4)*2,split[a][b];[b]hflip[c];[a][c]hstack,split[d][e];[e]vflip[f];[d][f]vstack"),
    trick("half-mirrored", "crop=trunc(iw/4)*2:ih:0:0,split[a][b];[b]hflip[c];[a][c]hstack"),
    trick("halves-swapped", "split[a][b];[a]crop=trunc(iw/4)*2:ih:0:0[c];[b]crop=trunc(iw/4)*2:ih:trunc(iw/4)*2:0[d];[d][c]hstack"),
    trick("blocks-shuffled", "shufflepixels=mode=block:width={w}/4:height={h}/4:seed=7"),
    // Time.
    trick("speed-0.5", "setpts=2*PTS,fps={fps}"),
    trick("speed-0.8", "setpts=1.25*PTS,fps={fps}"),
    trick("speed-1.25", "setpts=0.8*PTS,fps={fps}"),
    trick("speed-2", "setpts=0.5*PTS,fps={fps}"),
    trick("reversed", "reverse"),
    trick("boomerang", "split[a][b];[b]reverse[c];[a][c]concat"),
    trick("fps-5", "fps=5"),
    trick("frames-blended", "tmix=frames=5"),
    trick("shuffled-1s", "{shuffle1}"),
    trick("shuffled-0.5s", "{shuffle0.5}"),
    trick("halves-interleaved", "{halves0.5}"),
    by_turns(trick("intercut-1s", "[film][own]overlay=enable='lt(mod(t,2),1)'"), 2.0),
    // Inserted frames.
    trick("third-frame-own", "[film][own]overlay=enable='eq(mod(n,3),1)'"),
    trick("third-frame-negative", "negate=enable='eq(mod(n,3),1)'"),
    trick("sixth-frame-negative", "negate=enable='eq(mod(n,6),3)'"),
    encoded(trick("own-1ms-each-262ms", "[film]split[a][b];[b]fps=1/0.262,settb=1/1000,setpts=PTS+1[c];[own]fps=1/0.262,settb=1/1000[d];[a]settb=1/1000[e];[e][d][c]interleave=nb_inputs=3"), "-fps_mode passthrough -enc_time_base 1/1000"),
    trick("alternating-published", "[film][other]overlay=enable='mod(n,2)'"),
    trick("alternating-own", "[film][own]overlay=enable='mod(n,2)'"),
    trick("fourth-frame-black", "drawbox=0:0:iw:ih:black:fill:enable='eq(mod(n,4),2)'"),
    trick("strobe-white", "drawbox=0:0:iw:ih:white:fill:enable='lt(mod(n,6),2)'"),
    // Several at once.
    trick("mirror-crop-grade-speed", "hflip,crop=iw*0.88:ih*0.88,eq=contrast=1.3:saturation=1.5,colorbalance=rs=.2:bs=-.2,setpts=PTS/1.02,fps={fps}"),
    trick("crop-mirror-caption", "crop=iw*0.6:ih*0.6,hflip,drawbox=0:ih*0.75:iw:ih*0.25:black:fill,drawtext=text='WAIT FOR IT':fontcolor=white:fontsize=h*0.13:x=(w-tw)/2:y=h*0.81"),
    trick("tilt-12-negative", "rotate=12*PI/180,negate"),
    trick("stretch-crop-mirror", "crop=iw*0.9:ih*0.9,scale=iw/1.333:ih,hflip"),
    trick("upside-down-negative", "vflip,negate"),
];
