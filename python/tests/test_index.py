"""The index: building, adding, removing, merging, progress."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import uniq
from conftest import Footage


def test_a_build_tells_how_far_it_is_and_what_failed(footage: Footage, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    shutil.copytree(footage.videos, folder)
    shutil.copy(footage.broken, folder / "broken.mp4")
    (folder / "notes.txt").write_text("nothing")
    news: list[uniq.Progress] = []
    index, summary = uniq.Index.build(tmp_path / "index", folder, progress=news.append)
    assert (summary.added, summary.cancelled) == (1, False)
    assert [(failure.path, failure.code) for failure in summary.failed] == [
        (str(folder / "broken.mp4"), "not_media")
    ]
    assert summary.no_videos == (str(folder / "notes.txt"),)
    assert summary.index.root == index.state.root
    assert news[0].kind == "started" and news[0].videos == 2
    finished = {one.path: one.outcome for one in news if one.kind == "finished"}
    assert finished == {str(folder / "film.mp4"): "added", str(folder / "broken.mp4"): "failed"}
    assert sum(one.video_s or 0 for one in news if one.kind == "advanced") == pytest.approx(12, abs=1)
    again = index.add(folder)
    assert (again.added, again.already_there, len(again.failed_before)) == (0, 1, 1)


def test_what_the_callback_raises_stops_the_build(footage: Footage, tmp_path: Path) -> None:
    def stop(news: uniq.Progress) -> None:
        raise RuntimeError(f"enough of {news.kind}")

    with pytest.raises(RuntimeError, match="enough of started"):
        uniq.Index.build(tmp_path / "index", footage.videos, progress=stop)


def test_nothing_to_index_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(uniq.SettingError, match="the sources"):
        uniq.Index.build(tmp_path / "index", tmp_path)


def test_videos_are_added_removed_and_merged(footage: Footage, tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"path,title\n{footage.other},Other\n")
    index, _ = uniq.Index.build(tmp_path / "index", footage.film)
    before = index.state
    # Open before it is added, and up to date after.
    assert index.add(tmp_path / "list.csv", list_root=footage.other.parent).added == 1
    assert index.state.generation > before.generation
    titles = {Path(video.path).name: video.title for video in index.videos()}
    assert titles == {"film.mp4": None, "other.mp4": "Other"}
    assert uniq.check(footage.other, index=index, effort="fast").verdict == "published"
    (removed,) = index.remove(footage.other).removed
    assert removed.path == str(footage.other)
    assert uniq.check(footage.other, index=index, effort="fast").verdict == "unpublished"
    with pytest.raises(uniq.CorpusError) as caught:
        index.remove("nothing.mp4")
    assert caught.value.code == "not_there"
    merged = index.merge()
    assert (merged.index.tombstones, merged.taken_over) == (0, 0)

    elsewhere, _ = uniq.Index.build(tmp_path / "elsewhere", footage.other)
    joined = index.merge(elsewhere.dir)
    assert (joined.taken_over, joined.already_there, joined.conflicts) == (1, 0, ())
    assert len(index.videos()) == 2


def test_benign_material_counts_for_nothing(footage: Footage, tmp_path: Path) -> None:
    index, _ = uniq.Index.build(tmp_path / "index", footage.film)
    assert index.add(footage.other, role="benign").added == 1
    assert [Path(video.path).name for video in index.videos("benign")] == ["other.mp4"]
    report = uniq.check(footage.other, index=index, effort="fast")
    assert report.verdict == "inconclusive"
    assert report.seconds.benign > 3


def test_state_tells_what_the_program_tells(index: uniq.Index) -> None:
    state = index.state
    assert (state.videos, state.benign_videos, state.segments) == (1, 0, 1)
    assert state.committed_at is not None
    (video,) = index.videos()
    assert (video.width, video.height, video.role, video.added_generation) == (426, 240, "source", 1)
    assert video.id == video.sha256[:16]
