"""A cluster of three nodes on this machine: the report of one process, or an error."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
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


def test_an_actor_opens_its_files_again_once_after_an_error(corpus: Any) -> None:
    class Damaged:
        """An actor that reads damage until it has opened its files so often."""

        def __init__(self, heals_after: int) -> None:
            self._opened, self._heals_after = 0, heals_after

        def search(self) -> bytes:
            if self._opened < self._heals_after:
                raise uniq.CorpusError("damaged", "corrupt_index")
            return b"sound"

        def open_again(self) -> None:
            self._opened += 1

    damaged = ray.remote(num_cpus=0)(Damaged)

    def ask(holder: Any) -> Any:
        return holder.search.remote()

    assert corpus._of_group([damaged.remote(1)], ask, None) == b"sound"
    with pytest.raises(uniq.CorpusError):
        corpus._of_group([damaged.remote(2)], ask, None)


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
    assert segments.describe_state(state) == uniq.Index.open(corpus_dir).state
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


# The intake service


SERVE = Path(os.environ.get("UNIQ_SERVE", Path(__file__).resolve().parents[2] / "target" / "debug" / "uniq-serve"))
#: Seconds in which the service has to answer, on a machine that does other things too.
ANSWER_S = 240
#: Another flight, which no film shows.
UNSEEN = (
    "mandelbrot=s=480x480:r=12:start_scale=0.03:end_scale=0.0006:end_pts=336"
    ":start_x=-1.2561:start_y=0.3805,rotate=0.1*t,crop=426:240,hue=h=260"
)


class Service:
    """The intake service, in a data folder of its own."""

    def __init__(self, folder: Path, index: Path, *arguments: str) -> None:
        folder.mkdir()
        settings = folder / "serve.toml"
        by_ray = f'[ray]\npython = "{sys.executable}"\n' if arguments else ""
        settings.write_text(f'listen = "127.0.0.1:0"\ndata = "{folder}/data"\nindex = "{index}"\n{by_ray}')
        config = ["--config", str(settings)]
        key = ["key", "--tenant", "acme", "--name", "tests", "--scopes", "submit,read"]
        made = subprocess.run([SERVE, *config, *key], check=True, capture_output=True, text=True)
        self._key = made.stdout.strip()
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen([SERVE, *config, *arguments], stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), self.log()
        self._address = line.removeprefix("listening on ").strip()

    def log(self) -> str:
        return self._log.read_text()

    def ask(self, path: str, body: bytes | None = None) -> tuple[int, Any]:
        request = urllib.request.Request(self._address + path, data=body, headers={"Authorization": f"Bearer {self._key}"})
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def lacking(self) -> Any:
        return self.ask("/readyz")[1]["lacking"]

    def submit(self, clip: Path) -> str:
        status, submission = self.ask("/v1/submissions?creator=ada", clip.read_bytes())
        assert status in (200, 202), submission
        return str(submission["id"])

    def report(self, id: str) -> Any:
        """Wait for the report, and return it without what is another one for each submission."""
        until = time.monotonic() + ANSWER_S
        while (submission := self.ask(f"/v1/submissions/{id}")[1])["state"] in ("queued", "checking"):
            assert time.monotonic() < until, self.log()
            time.sleep(0.1)
        assert submission["state"] == "checked", submission
        report = self.ask(f"/v1/submissions/{id}/report")[1]
        report["clip"]["path"] = report["checked_at"] = report["submission"]["received_at"] = None
        return report

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(60) == 0, self.log()


def holders_alive() -> set[str]:
    actors = ray._private.state.actors().items()
    return {id for id, actor in actors if actor["ActorClassName"] == "_Holder" and actor["State"] == "ALIVE"}


def test_the_service_answers_by_a_cluster_what_it_answers_alone(
    cluster: Cluster, corpus_dir: Path, clips: list[Path], footage: Footage, tmp_path: Path
) -> None:
    index = tmp_path / "index"
    shutil.copytree(corpus_dir, index)
    unseen = tmp_path / "unseen.mp4"
    ffmpeg("-f", "lavfi", "-i", UNSEEN, "-t", "6", "-pix_fmt", "yuv420p", unseen)
    before = holders_alive()
    alone = Service(tmp_path / "alone", index)
    by_cluster = Service(tmp_path / "cluster", index, "--ray", cluster.address)
    try:
        for clip, verdict in ((clips[2], "published"), (unseen, "unpublished")):
            expected, found = (service.report(service.submit(clip)) for service in (alone, by_cluster))
            assert expected["verdict"] == verdict
            assert found == expected
        # It is the cluster that has searched.
        assert len(holders_alive() - before) == 3
        # The index grows while the service runs.
        grown = uniq.Index.open(index)
        grown.add(unseen)
        again = tmp_path / "again.mp4"
        ffmpeg("-ss", "1", "-i", unseen, "-vf", "hflip", "-pix_fmt", "yuv420p", again)
        expected, found = (service.report(service.submit(again)) for service in (alone, by_cluster))
        assert (found["verdict"], found["index"]["generation"]) == ("published", grown.state.generation)
        assert found == expected
        assert by_cluster.lacking() == []
    finally:
        by_cluster.stop()
        alone.stop()
    # Nothing of it stays.
    until = time.monotonic() + 30
    while not holders_alive() <= before and time.monotonic() < until:
        time.sleep(0.2)
    assert holders_alive() <= before


def test_the_service_does_not_start_without_a_cluster(tmp_path: Path) -> None:
    settings = tmp_path / "serve.toml"
    settings.write_text(f'data = "{tmp_path}/data"\n[ray]\npython = "{sys.executable}"\n')
    command = [str(SERVE), "--config", str(settings), "--ray", "127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 2
    assert "uniq: ray: 127.0.0.1:1: no Ray cluster can be reached" in done.stderr.splitlines()[-1], done.stderr
