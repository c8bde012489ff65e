"""Duplicates among clips."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import report
from ._native import _uniq
from ._options import CancelEvent, Decoding, DedupArguments, StrPath
from ._wire import from_json, to_json
from .corpus import Progress, control, paths
from .report import Effort, MatchKind, Span, Tool

__all__ = [
    "Clip",
    "Cost",
    "Deduplication",
    "Failure",
    "File",
    "Group",
    "Kept",
    "Member",
    "Pair",
    "PairMatch",
    "Search",
    "Side",
    "dedup",
]


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A file, and whether it is only compared with."""

    path: str
    reference: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """A clip: all files of the same bytes, and how much of it could be compared."""

    path: str
    sha256: str
    bytes: int
    files: tuple[File, ...]
    reference: bool
    video: report.Clip | None
    pictures: int
    searchable_s: float
    unsearchable: tuple[Span, ...]
    not_compared: tuple[str, ...]
    more_candidates: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One of the two clips of a pair, and how many of its seconds the other has."""

    path: str
    sha256: str
    reference: bool
    copied_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class PairMatch(report.Match):
    """A match of a pair, as in a report."""

    reference_stream: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two clips that share footage, or show the same scene."""

    kind: MatchKind
    identical: bool
    clip: Side
    other: Side
    probability: float
    evidence_bits: float
    matches: tuple[PairMatch, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """The file that a group keeps."""

    path: str
    sha256: str
    reference: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """A file that matches the one that is kept; ``pair`` is the number of its pair, from 0."""

    path: str
    sha256: str
    pair: int
    extent: Literal["identical", "whole", "part"]
    copied_s: float
    rest_s: float
    redundant: bool
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """A file to keep, why, and those that match it."""

    keep: Kept
    why: str
    members: tuple[Member, ...]
    probability: float
    evidence_bits: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A file or folder that could not be read: the code of the error, and what is wrong."""

    path: str
    reference: bool
    code: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Search:
    """How copies were looked for."""

    candidates: Effort
    effort: Effort
    exact: bool
    clips: int
    pairs_compared: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """Cost of the search; differs from run to run."""

    decoded_hours: float
    decoded_clips: int
    reused_clips: int
    elapsed_s: float
    processor_s: float | None
    work_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Deduplication:
    """Duplicates among clips, as ``uniq dedup --json`` tells them. Nothing is deleted."""

    schema: int
    duplicates: bool
    clips: tuple[Clip, ...]
    pairs: tuple[Pair, ...]
    groups: tuple[Group, ...]
    failed: tuple[Failure, ...]
    keep: Literal["first", "longest", "quality"]
    search: Search
    cost: Cost
    tool: Tool
    checked_at: str | None = None

    @classmethod
    def from_json(cls, data: str | bytes) -> Deduplication:
        """Read what ``uniq dedup --json`` has printed.

        Parameters
        ----------
        data : str or bytes
            JSON.

        Returns
        -------
        Deduplication
            The duplicates.

        Raises
        ------
        ValueError
            If it is something else, or of a later version with fields that are not known here.
        """
        return from_json(cls, data)

    def to_json(self) -> bytes:
        """Write it as ``uniq dedup --json`` does, without a line feed.

        Returns
        -------
        bytes
            JSON in UTF-8.
        """
        return to_json(self)


def dedup(
    clips: StrPath | Iterable[StrPath],
    *,
    references: StrPath | Iterable[StrPath] = (),
    keep: Literal["first", "longest", "quality"] = "first",
    effort: Effort = "standard",
    threads: int | None = None,
    work: StrPath | None = None,
    decoding: Decoding | None = None,
    progress: Callable[[Progress], object] | None = None,
    deadline: float | None = None,
    cancel: CancelEvent | None = None,
) -> Deduplication:
    """Find clips that share footage, and group them around one to keep.

    Parameters
    ----------
    clips : path or iterable of paths
        Files, folders and lists.
    references : path or iterable of paths
        Clips to compare with, which are always kept.
    keep : {"first", "longest", "quality"}
        Which clip of a group is kept.
    effort : {"fast", "standard", "thorough"}
        Effort of the search.
    threads : int, optional
        Clips worked on at a time; one a core if it is not given.
    work : path, optional
        Folder for decoded clips, with which a stopped run continues; else one in the system's
        folder for temporary files, which is deleted at the end.
    decoding : Decoding, optional
        How clips are decoded.
    progress : callable, optional
        Called in this thread with a :class:`Progress`; an exception in it stops the work.
    deadline : float, optional
        Seconds after which the work stops.
    cancel : object, optional
        The work stops once its ``is_set()`` is true.

    Returns
    -------
    Deduplication
        Pairs, groups, and files that could not be read.

    Raises
    ------
    SettingError, FileError
        If the work folder cannot be used.
    DeadlineExceeded, Cancelled
        If it was stopped.
    """

    def search(folder: Path) -> Deduplication:
        arguments = DedupArguments(effort=effort, keep=keep, threads=threads, work=folder)
        listening = control(deadline, cancel, progress)
        found = _uniq.dedup(paths(clips), paths(references), arguments, decoding or Decoding(), listening)
        return from_json(Deduplication, found)

    if work is not None:
        return search(Path(work))
    with tempfile.TemporaryDirectory(prefix="uniq-dedup-") as folder:
        return search(Path(folder))
