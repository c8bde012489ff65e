"""The index: building, changing and reading it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ._native import _uniq
from ._options import BuildArguments, CancelEvent, Control, Decoding, StrPath
from ._wire import from_json

__all__ = [
    "BuildSummary",
    "Conflict",
    "Damaged",
    "Failure",
    "Index",
    "IndexState",
    "Merged",
    "Progress",
    "Removed",
    "RemovedVideo",
    "Role",
    "Video",
]

Role = Literal["source", "benign", "submission"]


@dataclass(frozen=True, kw_only=True, slots=True)
class IndexState:
    """Size and condition of an index, as ``uniq index stats --json`` tells them.

    Attributes
    ----------
    root, sources_root, allowlist_root, history_root : str
        SHA-256s that commit to the state, its sources, its benign material, and its history.
    history_commits, generation : int
        Number of commits that the history has, and of all commits.
    videos, hours, keys : int, float, int
        Sources, their length, and their keys.
    without_pictures : int
        Sources without small pictures.
    benign_videos, benign_hours, benign_keys : int, float, int
        The same of benign material.
    segments, tombstones, bytes : int
        Files, removed videos that still take room, and bytes on disk.
    bytes_per_key, bytes_per_hour : float or None
        Bytes for each key and for each hour of sources.
    interval_s : float
        Maximum time between two keyframes of a source, in seconds.
    fingerprint_version, format_version : int
        Versions of the method and of the format.
    written_by : str
        Version of the program that wrote it.
    cells : int
        Cells that a search may look into.
    cells_recall : float
        How many of the keys' nearest cells the graph over them finds, 0 to 1.
    screening_recall : float or None
        Share of changed excerpts that a search by cells finds, if it was measured.
    committed_at : str or None
        Time of the last commit in RFC 3339, if known.
    """

    root: str
    sources_root: str
    allowlist_root: str
    history_root: str
    history_commits: int
    generation: int
    videos: int
    hours: float
    keys: int
    without_pictures: int
    benign_videos: int
    benign_hours: float
    benign_keys: int
    segments: int
    tombstones: int
    bytes: int
    bytes_per_key: float | None
    bytes_per_hour: float | None
    interval_s: float
    fingerprint_version: int
    format_version: int
    written_by: str
    cells: int
    cells_recall: float
    screening_recall: float | None
    committed_at: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Video:
    """A video of an index.

    Attributes
    ----------
    id : str
        First 16 digits of its SHA-256.
    sha256 : str
        SHA-256 of the file.
    path : str
        Path at the time of indexing.
    duration_s, undecoded_s : float
        Length, and how much of it could not be decoded, in seconds.
    width, height : int
        Displayed size in pixels.
    keyframes : int
        Frames that were looked at.
    url, title, uploader, platform, published_at : str or None
        What is known about its publication.
    role : str
        ``source``, ``benign`` or ``submission``.
    added_generation : int
        The commit that added it.
    added_at : str or None
        When that was, in RFC 3339, if known.
    """

    id: str
    sha256: str
    path: str
    duration_s: float
    undecoded_s: float
    width: int
    height: int
    keyframes: int
    url: str | None
    title: str | None
    uploader: str | None
    platform: str | None
    published_at: str | None
    role: Role
    added_generation: int
    added_at: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A source that could not be added: the code of the error, and what is wrong."""

    path: str
    code: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Damaged:
    """A source that was added without the seconds that could not be decoded."""

    path: str
    undecoded_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildSummary:
    """What became of the sources.

    Attributes
    ----------
    added, corrected, refreshed, already_there, benign : int
        Videos that were added, of which more is known now, of which small pictures were made, that
        were there, and that were left out as benign material.
    not_there, no_videos : tuple of str
        Files that are not in the index and were not to be added, and files of folders that are no
        videos.
    failed, failed_before : tuple of Failure
        Sources that could not be added, now and in an earlier build as well.
    damaged : tuple of Damaged
        Sources that could be decoded only in part.
    video_s : float
        Length of the added videos, in seconds.
    cancelled : bool
        Whether it was stopped; finished videos are in the index.
    index : IndexState
        The index as it is now.
    """

    added: int
    corrected: int
    refreshed: int
    already_there: int
    benign: int
    not_there: tuple[str, ...]
    no_videos: tuple[str, ...]
    failed: tuple[Failure, ...]
    failed_before: tuple[Failure, ...]
    damaged: tuple[Damaged, ...]
    video_s: float
    cancelled: bool
    index: IndexState


@dataclass(frozen=True, kw_only=True, slots=True)
class RemovedVideo:
    """A video that was removed."""

    id: str
    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Removed:
    """Result of a removal."""

    removed: tuple[RemovedVideo, ...]
    index: IndexState


@dataclass(frozen=True, kw_only=True, slots=True)
class Conflict:
    """A video that is a source in one index and benign in another, left as it is here."""

    id: str
    path: str
    here: Role
    there: Role


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """Result of a merge: videos taken over, videos that were there, and conflicts."""

    taken_over: int
    already_there: int
    conflicts: tuple[Conflict, ...]
    index: IndexState


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far work is.

    Attributes
    ----------
    kind : str
        ``started`` (with ``videos`` and ``bytes``), ``advanced`` (``video_s`` more seconds were
        decoded), ``finished`` (a file is done with: ``path``, ``bytes``, ``outcome``, ``video_s``,
        ``undecoded_s``, and of one that failed ``code`` and ``message``), ``committed`` (the index
        has ``videos`` and ``keys`` now), ``maintaining`` (``what`` is being done, ``share`` of it
        is), or for duplicates ``stage`` (``what``, ``done`` of ``total``).
    """

    kind: str
    videos: int | None = None
    keys: int | None = None
    bytes: int | None = None
    path: str | None = None
    outcome: str | None = None
    video_s: float | None = None
    undecoded_s: float | None = None
    code: str | None = None
    message: str | None = None
    what: str | None = None
    share: float | None = None
    done: int | None = None
    total: int | None = None


def control(
    deadline: float | None,
    cancel: CancelEvent | None,
    progress: Callable[[Progress], object] | None,
) -> Control:
    """Make the callbacks that the compiled module calls while it works."""
    if progress is None:
        return Control(deadline=deadline, cancel=cancel)
    tell = progress
    return Control(deadline=deadline, cancel=cancel, progress=lambda news: tell(from_json(Progress, news)))


def paths(given: StrPath | Iterable[StrPath]) -> list[Path]:
    """Make a list of paths of one or several."""
    if isinstance(given, (str, os.PathLike)):
        return [Path(given)]
    return [Path(path) for path in given]


class Index:
    """An index of public videos, always at its newest commit.

    It may be shared by threads. Other processes may add to it meanwhile; each check sees one whole
    commit, the newest when it began.

    Examples
    --------
    >>> index, summary = Index.build("index", "videos")  # doctest: +SKIP
    >>> index = Index.open("index")  # doctest: +SKIP
    """

    def __init__(self, native: _uniq.Index) -> None:
        self._native = native

    @classmethod
    def open(cls, dir: StrPath) -> Index:
        """Open an index.

        Parameters
        ----------
        dir : path
            Its folder.

        Returns
        -------
        Index
            The index.

        Raises
        ------
        CorpusError
            If there is none, or it is damaged or of another version.
        """
        return cls(_uniq.Index.open(Path(dir)))

    @classmethod
    def build(
        cls,
        dir: StrPath,
        sources: StrPath | Iterable[StrPath],
        *,
        interval: float | None = None,
        threads: int | None = None,
        commit_every: float = 120.0,
        list_root: StrPath | None = None,
        decoding: Decoding | None = None,
        progress: Callable[[Progress], object] | None = None,
        deadline: float | None = None,
        cancel: CancelEvent | None = None,
    ) -> tuple[Index, BuildSummary]:
        """Build an index, or go on with one.

        What is there already is skipped, by SHA-256. A source that fails is told in the summary,
        and the rest goes on.

        Parameters
        ----------
        dir : path
            Folder of the index, which is made if it is not there.
        sources : path or iterable of paths
            Video files, folders (searched to the bottom), and lists (``.csv`` with a header,
            ``.jsonl``).
        interval : float, optional
            Maximum time between two keyframes of a source, 0.1 to 60 s, of a new index.
        threads : int, optional
            Videos decoded at a time; one a core if it is not given.
        commit_every : float
            Seconds for which finished videos wait for their commit at most.
        list_root : path, optional
            Folder in which all files that lists name must lie; else the folder of each list.
        decoding : Decoding, optional
            How files are decoded.
        progress : callable, optional
            Called in this thread with a :class:`Progress`; an exception in it stops the build.
        deadline : float, optional
            Seconds after which the build stops. Finished videos are kept.
        cancel : object, optional
            The build stops once its ``is_set()`` is true.

        Returns
        -------
        tuple of Index and BuildSummary
            The index, opened, and what became of the sources.

        Raises
        ------
        CorpusError, FileError, ListError, SettingError
            What concerns the index itself, or all sources.
        DeadlineExceeded, Cancelled
            If it was stopped.
        """
        arguments = BuildArguments(
            role="source",
            take="all",
            interval=interval,
            threads=threads,
            commit_every=commit_every,
            list_root=list_root,
        )
        listening = control(deadline, cancel, progress)
        built = _uniq.build(Path(dir), paths(sources), arguments, decoding or Decoding(), listening)
        return cls.open(dir), from_json(BuildSummary, built)

    @property
    def dir(self) -> Path:
        """Folder of the index."""
        return Path(self._native.dir())

    @property
    def state(self) -> IndexState:
        """Size and condition at the newest commit."""
        return from_json(IndexState, self._native.state())

    def videos(self, role: Role = "source") -> tuple[Video, ...]:
        """List the videos that have not been removed, sorted by path.

        Parameters
        ----------
        role : {"source", "benign", "submission"}
            Their role in the index.

        Returns
        -------
        tuple of Video
            The videos.
        """
        return from_json(tuple[Video, ...], self._native.videos(role))

    def add(
        self,
        sources: StrPath | Iterable[StrPath],
        *,
        role: Role = "source",
        take: Literal["all", "known", "pictures"] = "all",
        threads: int | None = None,
        commit_every: float = 120.0,
        list_root: StrPath | None = None,
        decoding: Decoding | None = None,
        progress: Callable[[Progress], object] | None = None,
        deadline: float | None = None,
        cancel: CancelEvent | None = None,
    ) -> BuildSummary:
        """Add videos; they count from the next check on.

        Parameters
        ----------
        sources : path or iterable of paths
            As in :meth:`build`.
        role : {"source", "benign", "submission"}
            Their role in the index. Benign material (intros, logos, slates) never counts as a copy.
        take : {"all", "known", "pictures"}
            Whether all are taken, or only what is known of those that are there is corrected, or
            small pictures are made of those that lack them as well.
        threads : int, optional
            Videos decoded at a time; one a core if it is not given.
        commit_every : float
            Seconds for which finished videos wait for their commit at most.
        list_root : path, optional
            Folder in which all files that lists name must lie; else the folder of each list.
        decoding : Decoding, optional
            How files are decoded.
        progress : callable, optional
            Called in this thread with a :class:`Progress`; an exception in it stops the work.
        deadline : float, optional
            Seconds after which the work stops. Finished work is kept.
        cancel : object, optional
            The work stops once its ``is_set()`` is true.

        Returns
        -------
        BuildSummary
            What became of them.

        Raises
        ------
        CorpusError, FileError, ListError, SettingError
            What concerns the index itself, or all sources.
        DeadlineExceeded, Cancelled
            If it was stopped.
        """
        arguments = BuildArguments(
            role=role,
            take=take,
            interval=None,
            threads=threads,
            commit_every=commit_every,
            list_root=list_root,
        )
        listening = control(deadline, cancel, progress)
        built = _uniq.build(self.dir, paths(sources), arguments, decoding or Decoding(), listening)
        return from_json(BuildSummary, built)

    def remove(self, *videos: str | os.PathLike[str], role: Role = "source") -> Removed:
        """Remove videos; all of them, or none if one name means none or several.

        Parameters
        ----------
        *videos : str or path
            Each the path as it was added, the id or SHA-256, the address, or the file's name.
        role : {"source", "benign", "submission"}
            Their role in the index.

        Returns
        -------
        Removed
            The removed videos, and the new state of the index.

        Raises
        ------
        CorpusError
            With the code ``not_there`` or ``ambiguous`` for a name that means no video or several.
        """
        return from_json(Removed, self._native.remove([os.fspath(video) for video in videos], role))

    def merge(
        self,
        *others: StrPath,
        progress: Callable[[Progress], object] | None = None,
        deadline: float | None = None,
        cancel: CancelEvent | None = None,
    ) -> Merged:
        """Drop removed videos and merge small segments, after taking over other indexes.

        Parameters
        ----------
        *others : path
            Folders of indexes whose videos are taken over, each once.
        progress : callable, optional
            Called in this thread with a :class:`Progress`; an exception in it stops the work.
        deadline : float, optional
            Seconds after which the work stops. Finished steps are kept.
        cancel : object, optional
            The work stops once its ``is_set()`` is true.

        Returns
        -------
        Merged
            The videos taken over, and the new state of the index.

        Raises
        ------
        CorpusError, FileError
            If an index cannot be read or written.
        DeadlineExceeded, Cancelled
            If it was stopped.
        """
        listening = control(deadline, cancel, progress)
        return from_json(Merged, self._native.merge(paths(others), listening))

    def __repr__(self) -> str:
        return f"Index({str(self.dir)!r})"
