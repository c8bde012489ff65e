"""Checks, fingerprints and errors."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import pytest

import uniq
from conftest import Footage


def program() -> str:
    return str(Path(sysconfig.get_path("scripts")) / "uniq")


def test_a_copy_is_found_where_it_is(index: uniq.Index, footage: Footage) -> None:
    report = uniq.check(footage.copy, index=index, effort="fast")
    assert report.verdict == "published"
    (match,) = report.matches
    assert match.kind == "copy"
    assert match.mirrored
    assert abs(match.reference.start_s - 3.0) < 1.0
    assert match.source.path == str(footage.film)
    assert report.clip.path == str(footage.copy)
    assert report.index.root == index.state.root


def test_the_report_is_that_of_the_program(index: uniq.Index, footage: Footage) -> None:
    command = [program(), "check", "--json", "--effort", "fast", "--index", str(index.dir), str(footage.copy)]
    printed = subprocess.run(command, stdout=subprocess.PIPE).stdout
    theirs = uniq.Report.from_json(printed)
    assert theirs.to_json() + b"\n" == printed
    ours = json.loads(uniq.check(footage.copy, index=index, effort="fast").to_json())
    ours["checked_at"] = theirs.checked_at
    assert ours == json.loads(printed)


def test_what_is_not_in_the_index_is_not_published(index: uniq.Index, footage: Footage) -> None:
    report = uniq.check(footage.other, index=index, effort="fast")
    assert report.verdict == "unpublished"
    assert report.payable_minutes > 0
    assert not report.matches


def test_nothing_can_be_said_of_black(index: uniq.Index, footage: Footage) -> None:
    report = uniq.check(footage.black, index=str(index.dir), effort="fast")
    assert report.verdict == "inconclusive"
    assert report.payable_minutes == 0
    assert "black" in {reason.code for reason in report.reasons}


def test_bytes_are_a_clip(index: uniq.Index, footage: Footage) -> None:
    report = uniq.check(footage.copy.read_bytes(), index=index, effort="fast")
    assert (report.verdict, report.clip.path) == ("published", "")


def test_a_fingerprint_is_checked_in_place_of_the_clip(
    index: uniq.Index, footage: Footage, tmp_path: Path
) -> None:
    made = uniq.fingerprint(footage.other)
    file = tmp_path / "other.uniq"
    made.save(file)
    loaded = uniq.Fingerprint.load(file)
    again = uniq.Fingerprint.from_bytes(made.to_bytes())
    assert made == loaded == again
    assert made.digest == loaded.digest
    assert file.read_bytes() == made.to_bytes()
    assert len(made.to_bytes(pictures=True)) > len(made.to_bytes())
    report = uniq.check(loaded, index=index, effort="fast")
    assert report.clip.from_fingerprint
    assert report.verdict == "unpublished"
    assert (report.payable_minutes, report.provisional_minutes > 0) == (0.0, True)
    with pytest.raises(uniq.FingerprintError) as caught:
        uniq.Fingerprint.from_bytes(made.to_bytes()[:-1])
    assert caught.value.code == "invalid_fingerprint"


def test_a_source_can_be_left_out(index: uniq.Index, footage: Footage) -> None:
    (video,) = index.videos()
    report = uniq.check(footage.copy, index=index, effort="fast", exclude=[video.sha256])
    assert report.verdict == "unpublished"


@pytest.mark.parametrize("sandbox", ["available", "required", "off"])
def test_decoding_gives_the_same_wherever_it_happens(footage: Footage, sandbox: str) -> None:
    made = uniq.fingerprint(footage.copy, decoding=uniq.Decoding(sandbox=sandbox))  # type: ignore[arg-type]
    assert made == uniq.fingerprint(footage.copy)


def test_errors_have_a_family_and_a_code(index: uniq.Index, footage: Footage, tmp_path: Path) -> None:
    with pytest.raises(uniq.ClipError) as media:
        uniq.check(footage.broken, index=index)
    assert media.value.code == "not_media"
    assert str(footage.broken) in str(media.value)
    with pytest.raises(uniq.FileError) as gone:
        uniq.check(tmp_path / "gone.mp4", index=index)
    assert gone.value.code == "io"
    with pytest.raises(uniq.CorpusError) as nothing:
        uniq.Index.open(tmp_path)
    assert nothing.value.code == "no_index"
    with pytest.raises(uniq.SettingError, match="effort is") as effort:
        uniq.check(footage.copy, index=index, effort="all")  # type: ignore[arg-type]
    assert isinstance(effort.value, ValueError)
    with pytest.raises(uniq.ClipError) as limit:
        uniq.check(footage.copy, index=index, decoding=uniq.Decoding(max_pixels=100))
    assert limit.value.code == "limit_exceeded"
    with pytest.raises(uniq.DecoderError) as program_gone:
        uniq.check(footage.copy, index=index, decoding=uniq.Decoding(program=tmp_path / "gone"))
    assert program_gone.value.code == "no_worker"
    for caught in (media, gone, nothing, effort, limit, program_gone):
        assert isinstance(caught.value, uniq.UniqError)


def test_a_deadline_is_kept(index: uniq.Index, footage: Footage) -> None:
    begun = time.monotonic()
    with pytest.raises(uniq.DeadlineExceeded) as caught:
        uniq.check(footage.copy, index=index, effort="thorough", deadline=0.2)
    assert caught.value.code == "deadline_exceeded"
    assert time.monotonic() - begun < 10
    with pytest.raises(uniq.SettingError):
        uniq.check(footage.copy, index=index, deadline=-1)


def test_another_thread_can_cancel_and_python_goes_on(index: uniq.Index, footage: Footage) -> None:
    event = threading.Event()
    outcome: list[BaseException] = []

    def ask() -> None:
        try:
            uniq.check(footage.copy, index=index, effort="thorough", cancel=event)
        except uniq.UniqError as error:
            outcome.append(error)

    worker = threading.Thread(target=ask)
    worker.start()
    # With the interpreter's lock kept, this would last until the check is over.
    for _ in range(10):
        time.sleep(0.01)
    assert worker.is_alive()
    event.set()
    worker.join(20)
    assert [type(error) for error in outcome] == [uniq.Cancelled]


def test_an_interrupt_stops_a_check(index: uniq.Index, footage: Footage) -> None:
    code = f"""
import os, signal, threading, time, uniq
threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    uniq.check({str(footage.copy)!r}, index={str(index.dir)!r}, effort="thorough")
except KeyboardInterrupt:
    print("interrupted")
"""
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "interrupted\n", done.stderr
    assert time.monotonic() - begun < 30


def test_many_threads_share_an_index(index: uniq.Index, footage: Footage) -> None:
    verdicts: list[str] = []

    def ask() -> None:
        verdicts.append(uniq.check(footage.copy, index=index, effort="fast").verdict)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert verdicts == ["published"] * 4


def test_keys_have_times_and_places(footage: Footage) -> None:
    made = uniq.fingerprint(footage.copy)
    assert len({key.time_s for key in made.keys if key.kind == "whole"}) > 10
    assert all(len(key.key) == 64 and 0 <= key.time_s <= 6.1 for key in made.keys)


def test_without_ffmpeg_the_import_says_what_to_install(tmp_path: Path) -> None:
    # As the loader says it, which cannot be without the libraries here.
    code = """
import builtins, sys
real = builtins.__import__
def missing(name, globals=None, locals=None, fromlist=(), level=0):
    if not name and "_uniq" in (fromlist or ()) and level == 1:
        raise ImportError("libavcodec.so.59: cannot open shared object file: No such file or directory")
    return real(name, globals, locals, fromlist, level)
builtins.__import__ = missing
try:
    import uniq
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert "libavcodec.so.59" in done.stdout and "apt-get install" in done.stdout, done


def test_the_command_is_the_program() -> None:
    done = subprocess.run([program(), "--version"], capture_output=True, text=True)
    assert done.stdout.startswith("uniq 0.")
