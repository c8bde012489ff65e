"""A cluster of three nodes on this machine: the report of one process, or an error."""

from __future__ import annotations

import dataclasses
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import FLIGHT, OTHER, Footage, ffmpeg

import uniq
from uniq import segments

ray = pytest.importorskip("ray")
from ray.cluster_utils import Cluster  # noqa: E402

import uniq.ray  # noqa: E402

#: Films of the corpus: parts of the flights, in other tints.
FILMS = 6
KILLS = 20


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    for _ in range(2):
        made.add_node(num_cpus=1)
    ray.init(address=made.address, log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("films")
    made = []
    for number in range(FILMS):
        film = folder / f"film-{number}.mp4"
        look = f"{FLIGHT if number % 2 else OTHER},hue=h={40 * number},trim=start={number // 2},setpts=PTS-STARTPTS"
        ffmpeg("-f", "lavfi", "-i", look, "-t", "8", "-pix_fmt", "yuv420p", film)
        made.append(film)
    return made


@pytest.fixture(scope="module")
def corpus_dir(films: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of three segments."""
    dir = tmp_path_factory.mktemp("corpus") / "index"
    for at in range(0, FILMS, 2):
        uniq.Index.build(dir, films[at : at + 2])
    assert len(segments.parts(dir)) == 3
    return dir


@pytest.fixture(scope="module")
def clips(films: list[Path], footage: Footage, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    made = [footage.black, films[0]]
    for number, edit in enumerate(["hflip,scale=320:180", "crop=iw*0.8:ih*0.8", "eq=brightness=0.1", "scale=212:120"]):
        clip = folder / f"clip-{number}.mp4"
        ffmpeg("-ss", "2", "-t", "5", "-i", films[number + 1], "-vf", edit, "-pix_fmt", "yuv420p", clip)
        made.append(clip)
    return made


def told(report: uniq.Report) -> bytes:
    """A report without the time of the check."""
    return dataclasses.replace(report, checked_at=None).to_json()


@pytest.fixture(scope="module")
def expected(corpus_dir: Path, clips: list[Path]) -> dict[Path, bytes]:
    index = uniq.Index.open(corpus_dir)
    reports = {clip: uniq.check(clip, index=index, effort="fast") for clip in clips}
    assert {report.verdict for report in reports.values()} >= {"published", "inconclusive"}
    return {clip: told(report) for clip, report in reports.items()}


@pytest.fixture
def corpus(cluster: Cluster, corpus_dir: Path) -> Iterator[uniq.ray.Corpus]:
    made = uniq.ray.Corpus(corpus_dir, holders=3, copies=2)
    yield made
    made.close()


def test_reports_are_those_of_one_process(corpus: Any, clips: list[Path], expected: dict[Path, bytes]) -> None:
    assert len(corpus.holders()) == 3
    for clip in clips:
        assert told(corpus.check(clip, effort="fast")) == expected[clip], clip
    exact = uniq.check(clips[-1], index=corpus.index, search="exact")
    assert told(corpus.check(clips[-1], search="exact")) == told(exact)
    fingerprint = uniq.fingerprint(clips[-1])
    assert told(corpus.check(fingerprint)) == told(uniq.check(fingerprint, index=corpus.index))


def test_actors_that_are_killed_are_replaced(corpus: Any, clips: list[Path], expected: dict[Path, bytes]) -> None:
    for kill in range(KILLS):
        group = corpus.holders()[kill % 3]
        ray.kill(group[kill % 2], no_restart=False)
        clip = clips[kill % len(clips)]
        assert told(corpus.check(clip, effort="fast")) == expected[clip], clip


def test_a_node_that_dies_during_checks_changes_nothing(
    cluster: Cluster, corpus: Any, clips: list[Path], expected: dict[Path, bytes]
) -> None:
    node = cluster.add_node(num_cpus=1)
    spread = uniq.ray.Corpus(corpus.index, holders=3, copies=2)
    killer = threading.Timer(1.0, cluster.remove_node, args=(node,), kwargs={"allow_graceful": False})
    killer.start()
    try:
        for clip in [*clips, *clips]:
            assert told(spread.check(clip, effort="fast")) == expected[clip], clip
    finally:
        killer.join()
        spread.close()


def test_a_segment_that_is_damaged_or_gone_gives_no_verdict(
    cluster: Cluster, corpus_dir: Path, clips: list[Path], expected: dict[Path, bytes], tmp_path: Path
) -> None:
    dir = tmp_path / "index"
    shutil.copytree(corpus_dir, dir)
    number = segments.parts(dir)[0].number
    file = dir / "segments" / f"{number:08}.seg"
    sound = file.read_bytes()
    copy = clips[2]

    file.write_bytes(bytes(byte ^ (at % 64 == 7) for at, byte in enumerate(sound[:-4096])) + sound[-4096:])
    with pytest.raises(uniq.CorpusError):
        uniq.ray.Corpus(dir, holders=3, patience=5).check(copy, effort="fast")
    file.write_bytes(sound)
    made = uniq.ray.Corpus(dir, holders=3)
    assert told(made.check(copy, effort="fast")) == expected[copy]
    made.close()

    file.unlink()
    with pytest.raises(uniq.CorpusError):
        uniq.ray.Corpus(dir, holders=3, patience=5)


def test_an_old_manifest_and_shards_of_an_old_commit_are_refused(
    cluster: Cluster, corpus_dir: Path, films: list[Path], footage: Footage, clips: list[Path], tmp_path: Path
) -> None:
    dir = tmp_path / "index"
    shutil.copytree(corpus_dir, dir)
    old = (dir / "manifest").read_bytes()
    made = uniq.ray.Corpus(dir, holders=3)
    index = uniq.Index.open(dir)
    index.add(footage.other)
    # The corpus answers for the commit that it holds, until it is opened again.
    assert made.check(clips[2], effort="fast").index.generation == index.state.generation - 1
    made.refresh()
    report = made.check(footage.other, effort="fast")
    assert (report.verdict, report.index.generation) == ("published", index.state.generation)
    made.close()
    (dir / "manifest").write_bytes(old)
    with pytest.raises(uniq.CorpusError):
        uniq.ray.Corpus(dir, holders=3, patience=5)


def test_candidates_have_to_be_whole(corpus_dir: Path, clips: list[Path], expected: dict[Path, bytes]) -> None:
    shards = [segments.Shard(corpus_dir, [part.number]) for part in segments.parts(corpus_dir)]
    state = segments.state_of_shards(corpus_dir, [shard.holdings() for shard in shards])
    whole = dataclasses.replace(uniq.Index.open(corpus_dir).state, committed_at=None)
    assert segments.describe_state(state) == whole
    request = segments.Request(clips[3], effort="fast")
    found = [shard.search(request.question(), state) for shard in shards]
    report, needs = request.merge(state, reversed(found))
    assert report is not None and needs is None
    assert told(report) == expected[clips[3]]
    for wrong in (found[1:], [], [*found, found[0]]):
        with pytest.raises(uniq.CorpusError) as raised:
            request.merge(state, wrong)
        assert raised.value.code == "incomplete_answer"
    damaged = bytearray(found[0])
    damaged[len(damaged) // 2] ^= 1
    with pytest.raises(uniq.CorpusError):
        request.merge(state, [bytes(damaged), *found[1:]])


def test_a_build_is_that_of_one_process_and_goes_on(
    cluster: Cluster, films: list[Path], footage: Footage, tmp_path: Path
) -> None:
    alone, _ = uniq.Index.build(tmp_path / "alone", films)
    dir = tmp_path / "index"
    seen: list[tuple[int, int]] = []
    built = uniq.ray.build(
        [*films[:3], footage.broken], dir, batch=1, commit=2, progress=lambda done, of: seen.append((done, of))
    )
    assert (built.added, built.already_there, list(built.failed)) == (3, 0, [str(footage.broken)])
    assert seen[-1] == (4, 4)
    built = uniq.ray.build([films[0], f"file://{films[1]}", *films[2:]], dir, batch=2)
    assert (built.added, built.already_there, built.failed) == (3, 3, {})
    state = uniq.Index.open(dir).state
    assert (state.sources_root, state.keys) == (alone.state.sources_root, alone.state.keys)
