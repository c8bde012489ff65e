"""Build an index, and check clips against one, on a Ray cluster.

`build` fingerprints videos on all machines and commits them from one. A `Corpus` holds the segments
of an index in actors; a check asks all of them and merges what they have read. The report is that
of one process on the same index, byte for byte (but for the time of the check), and an answer that
lacks a segment is an error.

Machines come and go by Ray's own autoscaling.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import ray as _ray
from ray.exceptions import GetTimeoutError, RayActorError, RayError, RayTaskError

from . import segments
from .checking import Fingerprint
from .corpus import Index
from .errors import CorpusError, ListError, UniqError
from .report import Report

__all__ = ["Built", "Corpus", "build"]

# Ray has types for only some of its functions, and for few of their arguments.
ray: Any = _ray

#: Maximum time, in seconds, that a check waits for dead actors while Ray restarts them.
PATIENCE_S = 120.0
#: Number of videos that one task fingerprints.
BATCH = 8
#: Number of tasks whose parts are added in one commit.
COMMIT = 8


# Building


@dataclass
class Built:
    """Result of a build.

    Attributes
    ----------
    added : int
        Videos that are new in the index.
    already_there : int
        Videos that the index had.
    failed : dict of str to str
        Errors, by URI.
    """

    added: int = 0
    already_there: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def _source(uri: str, folder: Path) -> Path:
    """What to give to `Index.build`: the file, or a list that gives the address of its copy."""
    if "://" not in uri:
        return Path(uri)
    if uri.startswith("file://"):
        return Path(unquote(urlsplit(uri).path))
    try:
        fsspec: Any = importlib.import_module("fsspec")
    except ImportError as error:
        raise ListError(f"{uri}: without fsspec only local files can be read; pip install fsspec") from error
    copy = folder / (Path(urlsplit(uri).path).name or "video")
    with fsspec.open(uri, "rb") as source, copy.open("wb") as target:
        shutil.copyfileobj(source, target)
    listed = folder / "source.jsonl"
    listed.write_text(json.dumps({"path": copy.name, "url": uri}) + "\n")
    return listed


def _pack(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def _unpack(files: dict[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _fingerprint(uris: list[str], options: dict[str, Any]) -> tuple[dict[str, bytes], dict[str, str]]:
    """An index of some videos, and the errors of the others."""
    with tempfile.TemporaryDirectory(prefix="uniq-") as name:
        folder, part = Path(name), Path(name) / "part"
        failed: dict[str, str] = {}
        for number, uri in enumerate(uris):
            here = folder / str(number)
            here.mkdir()
            try:
                _, built = Index.build(part, [_source(uri, here)], **options)
                failed.update({uri: failure.message for failure in built.failed})
            except (UniqError, OSError) as error:
                failed[uri] = str(error)
            shutil.rmtree(here)
        return (_pack(part) if part.exists() else {}), failed


_fingerprint_task: Any = ray.remote(max_retries=4, retry_exceptions=False)(_fingerprint)


def build(
    uris: Iterable[str | os.PathLike[str]],
    index: str | os.PathLike[str],
    *,
    batch: int = BATCH,
    commit: int = COMMIT,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Built:
    """Fingerprint videos on the cluster and add them to an index.

    A build that was interrupted goes on where the last commit was: videos whose path the index has
    are not read again.

    Parameters
    ----------
    uris : iterable of str or path
        Videos: files that all machines see, or addresses that `fsspec` can open.
    index : str or path
        Folder of the index, made if there is none. Only this process writes to it.
    batch : int
        Videos that one task fingerprints.
    commit : int
        Tasks whose results are committed together.
    progress : callable, optional
        Called with the number of videos that are done and of all.
    **options
        Those of `Index.build`, except the place of the decoder.

    Returns
    -------
    Built

    Raises
    ------
    UniqError
        If the index cannot be written. Errors of single videos are in `Built.failed`.
    """
    target = Path(index)
    wanted = list(dict.fromkeys(str(uri) for uri in uris))
    known: set[str] = set()
    if (target / "manifest").exists():
        for video in Index.open(target).videos():
            known.update(name for name in (video.path, video.url) if name)
    todo = [uri for uri in wanted if uri not in known and uri.removeprefix("file://") not in known]
    result = Built(already_there=len(wanted) - len(todo))
    done = len(wanted) - len(todo)
    batches: Iterator[list[str]] = (todo[at : at + batch] for at in range(0, len(todo), batch))
    running: dict[Any, int] = {}
    parts: list[dict[str, bytes]] = []
    # Two tasks per processor, so that no processor waits for this process.
    limit = max(2, 2 * int(ray.cluster_resources().get("CPU", 1)))

    def start() -> None:
        while len(running) < limit and (uris := next(batches, None)) is not None:
            running[_fingerprint_task.remote(uris, options)] = len(uris)

    def take_over() -> None:
        if not parts:
            return
        with tempfile.TemporaryDirectory(prefix="uniq-") as name:
            folders = []
            for number, files in enumerate(parts):
                _unpack(files, Path(name) / str(number))
                folders.append(Path(name) / str(number))
            if not (target / "manifest").exists():
                target.mkdir(parents=True, exist_ok=True)
                first = folders.pop(0)
                result.added += Index.open(first).state.videos
                shutil.copytree(first, target, dirs_exist_ok=True)
            if folders:
                joined = Index.open(target).merge(*folders)
                result.added += joined.taken_over
                result.already_there += joined.already_there
        parts.clear()

    start()
    while running:
        (ready, *_), _ = ray.wait(list(running), num_returns=1)
        done += running.pop(ready)
        files, failed = ray.get(ready)
        result.failed.update(failed)
        parts.extend([files] if files else [])
        start()
        if len(parts) >= commit:
            take_over()
        if progress is not None:
            progress(done, len(wanted))
    take_over()
    return result


# Checking


class _Holder:
    """Some segments of an index, open on one machine."""

    def __init__(self, index: str, numbers: list[int]) -> None:
        self._index, self._numbers = index, numbers
        self._shard = segments.Shard(index, numbers)

    def holdings(self) -> bytes:
        return self._shard.holdings()

    def open_again(self) -> bytes:
        """Drop what is open: a file may have been damaged, or replaced, since."""
        self._shard = segments.Shard(self._index, self._numbers)
        return self._shard.holdings()

    @ray.method(concurrency_group="looks")  # type: ignore[untyped-decorator]
    def is_there(self) -> bool:
        return True

    def search(self, question: bytes, state: bytes, needs: bytes | None, deadline: float | None) -> bytes:
        return self._shard.search(question, state, needs, deadline=deadline)


# Questions about the state need not wait for searches.
_HolderActor: Any = ray.remote(
    max_restarts=-1, max_task_retries=2, max_concurrency=4, concurrency_groups={"looks": 1}
)(_Holder)


def _place(parts: Sequence[segments.Part], holders: int) -> list[list[int]]:
    """Segment numbers for each holder, so that the largest sum of bytes is small: the largest
    segment first, each to the holder that has least (Graham 1969, LPT)."""
    loads: list[tuple[int, list[int]]] = [(0, []) for _ in range(max(1, min(holders, len(parts))))]
    for part in sorted(parts, key=lambda part: (-part.bytes, part.number)):
        at = min(range(len(loads)), key=lambda at: (loads[at][0], at))
        loads[at] = (loads[at][0] + part.bytes, [*loads[at][1], part.number])
    return [sorted(numbers) for _, numbers in loads]


class Corpus:
    """An index whose segments are held by actors.

    Parameters
    ----------
    index : str or path
        Folder of the index, as every machine sees it.
    holders : int, optional
        Number of actors that share the segments; by default one for each processor of the cluster.
    copies : int
        Number of actors that hold each segment. With two, on different machines where there are
        several, a check goes on while one of them is down.
    patience : float
        Seconds to wait for actors that Ray starts anew.

    Raises
    ------
    UniqError
        If the index cannot be opened whole.
    """

    def __init__(
        self,
        index: str | os.PathLike[str],
        *,
        holders: int | None = None,
        copies: int = 1,
        patience: float = PATIENCE_S,
    ) -> None:
        self._index = str(Path(index).absolute())
        self._patience = patience
        if copies < 1:
            raise ValueError(f"copies is {copies}; it must be at least 1")
        self._wanted = holders if holders is not None else int(ray.cluster_resources().get("CPU", 1))
        self._copies = copies
        self._groups: list[list[Any]] = []
        self._state = b""
        self.refresh()

    def refresh(self) -> None:
        """Open the newest commit of the index, in new actors; the old ones end."""
        groups = [
            [
                _HolderActor.options(num_cpus=0, scheduling_strategy="SPREAD").remote(self._index, numbers)
                for _ in range(self._copies)
            ]
            for numbers in _place(segments.parts(self._index), self._wanted)
        ]
        holdings = [self._of_group(group, lambda holder: holder.holdings.remote(), None) for group in groups]
        self._state = segments.state_of_shards(self._index, holdings)
        for holder in (holder for group in self._groups for holder in group):
            ray.kill(holder)
        self._groups = groups

    @property
    def index(self) -> Path:
        """Folder of the index."""
        return Path(self._index)

    @property
    def state(self) -> bytes:
        """State of the index that it answers for, as `segments.state_of_shards` gives it."""
        return self._state

    def holders(self) -> list[list[Any]]:
        """The actors, those that hold the same segments together."""
        return [list(group) for group in self._groups]

    def close(self) -> None:
        """End the actors."""
        for holder in (holder for group in self._groups for holder in group):
            ray.kill(holder)
        self._groups = []

    def check(
        self,
        clip: str | os.PathLike[str] | Fingerprint,
        *,
        deadline: float | None = None,
        **options: Any,
    ) -> Report:
        """Check a clip, which this process decodes, against all segments.

        Parameters
        ----------
        clip : str, path or Fingerprint
            A video, or the fingerprint of one.
        deadline : float, optional
            Seconds after which the check stops.
        **options
            Those of `uniq.check`: effort, search and so on.

        Returns
        -------
        Report
            That of `uniq.check` against the whole index.

        Raises
        ------
        CorpusError
            If some segment could not be searched (code ``incomplete_answer``), or is damaged. There
            is no verdict then.
        UniqError
            As `uniq.check` does.
        """
        end = None if deadline is None else time.monotonic() + deadline
        request = segments.Request(clip, deadline=deadline, **options)
        question = request.question()
        candidates: list[bytes] = []
        needs: bytes | None = None
        while True:
            candidates += self.ask(question, needs, deadline=_left(end))
            report, needs = request.merge(self._state, candidates, deadline=_left(end))
            if report is not None:
                return report

    def ask(
        self,
        question: bytes,
        needs: bytes | None = None,
        *,
        state: bytes | None = None,
        deadline: float | None = None,
    ) -> list[bytes]:
        """Ask all segments, for who merges the answers itself.

        Parameters
        ----------
        question : bytes
            Of `segments.Request.question`.
        needs : bytes, optional
            What `segments.Request.merge` asked for after the first search.
        state : bytes, optional
            State of the same commit of the index, if the caller has one of its own.
        deadline : float, optional
            Seconds after which the work stops.

        Returns
        -------
        list of bytes
            Candidates, in which each segment occurs once.

        Raises
        ------
        CorpusError
            If some segment could not be searched (code ``incomplete_answer``), or is damaged.
        DeadlineExceeded
            If it was stopped.
        """
        end = None if deadline is None else time.monotonic() + deadline
        # ``ray.put`` sends each of them to a machine only once.
        asked, about = ray.put(question), ray.put(state or self._state)

        def ask(holder: Any) -> Any:
            return holder.search.remote(asked, about, needs, _left(end))

        # Send all questions before waiting for the first answer.
        first = [ask(group[0]) for group in self._groups]
        return [
            self._of_group(group, ask, end, answer) for group, answer in zip(self._groups, first, strict=True)
        ]

    def lacking(self, wait: float) -> int:
        """Tell how many groups of segments have no actor that answers.

        Parameters
        ----------
        wait : float
            Seconds to wait for their answers.

        Returns
        -------
        int
            Groups of which no actor has answered; 0 if a check can be made now.
        """
        asked = [[holder.is_there.remote() for holder in group] for group in self._groups]
        of_all = [answer for group in asked for answer in group]
        if not of_all:
            return 0
        ray.wait(of_all, num_returns=len(of_all), timeout=wait)
        return sum(not any(_is_true(answer) for answer in group) for group in asked)

    def _of_group(self, group: list[Any], ask: Callable[[Any], Any], end: float | None, asked: Any = None) -> bytes:
        """The answer of one of the actors that hold the same segments."""
        patience = time.monotonic() + self._patience
        wrong: Exception | None = None
        opened: set[int] = set()
        while True:
            for number, holder in enumerate(group):
                try:
                    answer = asked if asked is not None else ask(holder)
                    asked = None
                    return bytes(ray.get(answer, timeout=_least(end, patience)))
                except GetTimeoutError as error:
                    wrong = error
                except RayActorError as error:
                    # Ray restarts the actor; another one may answer meanwhile.
                    wrong = error
                except RayTaskError as error:
                    cause = error.cause if isinstance(error.cause, UniqError) else error
                    if not isinstance(cause, UniqError):
                        raise
                    wrong = cause
                    if number in opened or not _may_heal(cause):
                        continue
                    opened.add(number)
                    try:
                        ray.get(holder.open_again.remote(), timeout=_least(end, patience))
                        return bytes(ray.get(ask(holder), timeout=_least(end, patience)))
                    except (GetTimeoutError, RayActorError, RayTaskError):
                        pass
            if isinstance(wrong, UniqError):
                raise wrong
            now = time.monotonic()
            if now > patience or (end is not None and now > end):
                message = f"{self._index}: no complete answer: {len(group)} actors of a segment do not answer: {wrong}"
                raise CorpusError(message, "incomplete_answer") from wrong
            time.sleep(0.2)


def _is_true(answer: Any) -> bool:
    """Whether an answer has come and is not an error."""
    try:
        return bool(ray.get(answer, timeout=0))
    except (GetTimeoutError, RayError):
        return False


def _may_heal(error: UniqError) -> bool:
    """Whether opening the segments again can help."""
    return error.code in ("corrupt_index", "io")


def _left(end: float | None) -> float | None:
    return None if end is None else max(0.0, end - time.monotonic())


def _least(end: float | None, patience: float) -> float:
    until = patience if end is None else min(end, patience)
    return max(0.0, until - time.monotonic())
