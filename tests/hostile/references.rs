//! Files that name other files and addresses, none of which may be opened.

use std::ffi::CString;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};

use crate::{canary, check, index, media_files, refusal, shared, uniq};

/// Detects whether anybody opens a file.
struct Trap {
    inotify: rustix::fd::OwnedFd,
}

impl Trap {
    fn on(file: &Path) -> Trap {
        let inotify = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        let path = CString::new(file.to_str().unwrap()).unwrap();
        inotify::add_watch(&inotify, &path, WatchFlags::OPEN | WatchFlags::ACCESS).unwrap();
        Trap { inotify }
    }

    fn events(&self) -> usize {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = Reader::new(&self.inotify, &mut buffer);
        let mut events = 0;
        while reader.next().is_ok_and(|event| {
            event
                .events()
                .intersects(ReadFlags::OPEN | ReadFlags::ACCESS)
        }) {
            events += 1;
        }
        events
    }
}

/// A folder with a copy of the canary that only the trap watches.
fn bait(name: &str) -> (PathBuf, PathBuf) {
    let folder = shared(name);
    let bait = folder.join("bait.ts");
    std::fs::copy(canary(), &bait).unwrap();
    (folder, bait)
}

#[test]
fn no_file_makes_another_one_be_read_or_a_socket_be_opened() {
    let (folder, bait) = bait("references");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let http = format!("http://{}/bait.ts", listener.local_addr().unwrap());
    let path = bait.to_str().unwrap();
    let hls = |target: &str| {
        format!("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:6.0,\n{target}\n#EXT-X-ENDLIST\n")
    };
    let dash = |target: &str| {
        format!(
            "<?xml version=\"1.0\"?><MPD profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\" \
             xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\"><Period><AdaptationSet>\
             <Representation id=\"1\"><BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>"
        )
    };
    let (file_url, relative) = (format!("file:{path}"), "bait.ts".to_owned());
    let mut files = Vec::new();
    let mut write = |name: String, bytes: &[u8]| {
        let file = folder.join(name);
        std::fs::write(&file, bytes).unwrap();
        files.push(file);
    };
    for (number, target) in [path, &file_url, &relative, &http].into_iter().enumerate() {
        for extension in ["mp4", "m3u8", "mkv"] {
            write(format!("hls{number}.{extension}"), hls(target).as_bytes());
        }
        write(
            format!("concat{number}.mp4"),
            format!("ffconcat version 1.0\nfile '{target}'\n").as_bytes(),
        );
        write(format!("dash{number}.mp4"), dash(target).as_bytes());
        write(
            format!("external{number}.mov"),
            &external_mov(&folder, target),
        );
    }
    let sdp =
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n";
    write("stream.mp4".to_owned(), sdp.as_bytes());
    write(
        "subtitles.mp4".to_owned(),
        format!("1\n00:00:00,000 --> 00:00:09,000\n{path}\n").as_bytes(),
    );
    write(
        "script.mp4".to_owned(),
        format!("[Script Info]\nVideo File: {path}\n").as_bytes(),
    );
    let link = folder.join("link.mp4");
    let _ = std::fs::remove_file(&link);
    symlink(&bait, &link).unwrap();
    files.push(link.clone());
    // Names that FFmpeg would take for protocols, devices or patterns.
    for name in [
        &http,
        &file_url,
        &format!("concat:{path}"),
        &format!("subfile,,start,0,end,0,,:{path}"),
    ] {
        files.push(PathBuf::from(name));
    }
    files.push(folder.join("bait%02d.ts"));
    files.push(folder.join("*.ts"));

    let trap = Trap::on(&bait);
    let answers = check(&files, &["--require-sandbox"], Duration::from_secs(60));
    assert_eq!(trap.events(), 0, "somebody opened the bait");
    assert!(listener.accept().is_err(), "somebody called");
    for file in &files {
        assert!(!refusal(&answers, file).is_empty());
    }
    assert!(refusal(&answers, &link).contains("symbolic link"));

    // Proves that the trap works, and that the playlist would work if allowed.
    let ffmpeg = [
        "-nostdin",
        "-v",
        "quiet",
        "-allowed_extensions",
        "ALL",
        "-i",
    ];
    let mut player = std::process::Command::new("ffmpeg");
    player
        .args(ffmpeg)
        .arg(folder.join("hls0.m3u8"))
        .args(["-f", "null", "-"]);
    let _ = player.status().unwrap();
    assert!(trap.events() > 0, "the trap hears nothing");
}

#[test]
fn a_link_is_followed_when_it_is_allowed() {
    let (folder, bait) = bait("followed");
    let link = folder.join("allowed.mp4");
    let _ = std::fs::remove_file(&link);
    symlink(&bait, &link).unwrap();
    let answers = check(
        std::slice::from_ref(&link),
        &["--follow-links"],
        Duration::from_secs(30),
    );
    assert_eq!(answers[&link]["verdict"], "published");
}

#[test]
fn a_list_names_no_file_outside_its_folder() {
    let (folder, bait) = bait("lists");
    let lists = folder.join("lists");
    std::fs::create_dir_all(lists.join("x")).unwrap();
    let list = lists.join("list.jsonl");
    let lines = ["../bait.ts", bait.to_str().unwrap(), "x/../../bait.ts"]
        .map(|path| format!("{{\"path\":\"{path}\"}}\n"));
    std::fs::write(&list, lines.concat()).unwrap();
    let other = folder.join("index-of-lists");
    let _ = std::fs::remove_dir_all(&other);
    let trap = Trap::on(&bait);
    let built = uniq(&["index", "build", "--index"], &[&other, &list]);
    let words = String::from_utf8_lossy(&built.stderr);
    assert_eq!(built.status.code(), Some(4), "{words}");
    assert_eq!(
        words.matches("and 2 more files lead out of").count(),
        1,
        "{words}"
    );
    assert_eq!(trap.events(), 0);
    let root = folder.to_str().unwrap();
    let built = uniq(
        &["index", "build", "--list-root", root, "--index"],
        &[&other, &list],
    );
    assert!(
        built.status.success() && trap.events() > 0,
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
    assert!(index().exists());
}

/// A QuickTime file whose samples lie in another file. Its first data reference is an alias with
/// the path `target`, its second the address itself.
fn external_mov(folder: &Path, target: &str) -> Vec<u8> {
    let made = media_files::scene(folder, "plain.mov", 0.2, "-c:v mpeg4 -pix_fmt yuv420p");
    let bytes = std::fs::read(made).unwrap();
    let mut alias = vec![0; 10];
    alias.push(4);
    alias.extend(*b"disk");
    alias.resize(10 + 28 + 12, 0);
    alias.push(7);
    alias.extend(*b"bait.ts");
    alias.resize(10 + 28 + 12 + 64 + 16, 0);
    alias.extend([0, 1, 0, 1]);
    alias.resize(alias.len() + 16, 0);
    for kind in [2_u16, 18] {
        alias.extend(kind.to_be_bytes());
        alias.extend((target.len() as u16).to_be_bytes());
        alias.extend(target.bytes());
        alias.resize(alias.len().next_multiple_of(2), 0);
    }
    alias.extend([0xff; 4]);
    let entry = |kind: &[u8; 4], body: &[u8]| {
        [
            &(12 + body.len() as u32).to_be_bytes()[..],
            kind,
            &[0; 4],
            body,
        ]
        .concat()
    };
    let entries = [entry(b"alis", &alias), entry(b"url ", target.as_bytes())].concat();
    let reference = [&[0, 0, 0, 0, 0, 0, 0, 2][..], &entries].concat();
    replaced(
        &bytes,
        &[b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"],
        &reference,
    )
    .expect("a data reference")
}

/// The boxes with the body of the box at `path` replaced. The index follows the samples, so no
/// offset changes.
fn replaced(boxes: &[u8], path: &[&[u8; 4]], body: &[u8]) -> Option<Vec<u8>> {
    let (mut at, mut out, mut found) = (0, Vec::new(), false);
    while at + 8 <= boxes.len() {
        let length = u32::from_be_bytes(boxes[at..at + 4].try_into().ok()?) as usize;
        let whole = boxes.get(at..at + length.max(8))?;
        let kind = &whole[4..8];
        if !found && kind == path[0].as_slice() {
            let inner = match path {
                [_] => Some(body.to_vec()),
                [_, rest @ ..] => replaced(&whole[8..], rest, body),
                [] => None,
            };
            if let Some(inner) = inner {
                out.extend((8 + inner.len() as u32).to_be_bytes());
                out.extend(kind);
                out.extend(inner);
                at += whole.len();
                found = true;
                continue;
            }
        }
        out.extend(whole);
        at += whole.len();
    }
    found.then_some(out)
}
