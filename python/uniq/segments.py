"""Checks of an index whose segments are open in several processes.

Each process opens a :class:`Shard` and searches it for the question of a :class:`Request`; one of
them merges the results. The report is that of :func:`uniq.check` against the whole index.
``uniq.ray`` does this on a Ray cluster. What goes from one process to another is bytes with a
digest, for processes of one version.

Examples
--------
>>> from uniq import segments
>>> shards = [segments.Shard("index", [part.number]) for part in segments.parts("index")]  # doctest: +SKIP
>>> state = segments.state_of_shards("index", [shard.holdings() for shard in shards])  # doctest: +SKIP
>>> request = segments.Request("clip.mp4")  # doctest: +SKIP
>>> found = [shard.search(request.question(), state) for shard in shards]  # doctest: +SKIP
>>> report, needs = request.merge(state, found)  # doctest: +SKIP
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ._native import _uniq
from ._options import CancelEvent, CheckArguments, Control, Decoding, StrPath
from ._wire import from_json
from .checking import Fingerprint
from .corpus import Index, IndexState
from .report import Effort, Report

__all__ = ["Part", "Request", "Shard", "describe_state", "parts", "state_of_index", "state_of_shards"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A segment of an index.

    Attributes
    ----------
    number : int
        Number of the segment, which names its file.
    sha256 : str
        SHA-256 of its file, in hexadecimal.
    bytes : int
        Bytes of its file.
    keys, videos : int
        Number of its keys and videos, removed ones among them.
    role : {"source", "benign", "submission"}
        The role of its videos. Every shard holds the benign segments, which are small.
    """

    number: int
    sha256: str
    bytes: int
    keys: int
    videos: int
    role: Literal["source", "benign", "submission"]


def parts(index: StrPath) -> tuple[Part, ...]:
    """Return the segments to search, in the order of the manifest. Only the manifest is read.

    Parameters
    ----------
    index : path
        Folder of the index.

    Returns
    -------
    tuple of Part
        The segments, without benign ones.

    Raises
    ------
    CorpusError
        If there is no index, or its manifest is damaged or an older one.
    """
    return tuple(part for part in from_json(tuple[Part, ...], _uniq.parts(Path(index))) if part.role != "benign")


class Shard:
    """Some segments of an index, opened for searching.

    Parameters
    ----------
    index : path
        Folder with the manifest and at least the files of these segments and of benign ones.
    numbers : iterable of int
        Numbers of the segments.

    Raises
    ------
    CorpusError
        If a file is missing or damaged, or the index has no such segment.
    """

    def __init__(self, index: StrPath, numbers: Iterable[int]) -> None:
        self._native = _uniq.Shard(Path(index), list(numbers))

    def holdings(self) -> bytes:
        """Return its contents, for :func:`state_of_shards`.

        Returns
        -------
        bytes
            Sealed bytes.
        """
        return self._native.holdings()

    def search(
        self,
        question: bytes,
        state: bytes,
        needs: bytes | None = None,
        *,
        decoding: Decoding | None = None,
        deadline: float | None = None,
        cancel: CancelEvent | None = None,
    ) -> bytes:
        """Read what a check needs from these segments.

        Parameters
        ----------
        question : bytes
            Of :meth:`Request.question`.
        state : bytes
            Of :func:`state_of_shards`.
        needs : bytes, optional
            What :meth:`Request.merge` asked for after the first search.
        decoding : Decoding, optional
            Gives the limits of the search.
        deadline : float, optional
            Seconds after which the search stops.
        cancel : object, optional
            The search stops once its ``is_set()`` is true.

        Returns
        -------
        bytes
            Candidates, for :meth:`Request.merge`.

        Raises
        ------
        CorpusError
            If these segments are of another commit than the state, or damaged.
        DeadlineExceeded, Cancelled
            If it was stopped.
        """
        control = Control(deadline=deadline, cancel=cancel)
        return self._native.search(question, state, needs, decoding or Decoding(), control)


def state_of_shards(index: StrPath, holdings: Iterable[bytes]) -> bytes:
    """Return the state of an index from what its shards hold.

    Parameters
    ----------
    index : path
        Folder of the index. Only its manifest is read.
    holdings : iterable of bytes
        Of :meth:`Shard.holdings`; together the shards must hold all segments.

    Returns
    -------
    bytes
        Sealed bytes.

    Raises
    ------
    CorpusError
        If a segment is missing, or a shard is of another commit.
    """
    return _uniq.state_of_shards(Path(index), list(holdings))


def state_of_index(index: Index) -> bytes:
    """Return the state of an index that is open as a whole.

    Parameters
    ----------
    index : Index
        The index.

    Returns
    -------
    bytes
        Sealed bytes.

    Raises
    ------
    CorpusError
        If its newest commit cannot be opened.
    """
    return _uniq.state_of_index(index._native)


def describe_state(state: bytes) -> IndexState:
    """Describe the index of a state.

    Parameters
    ----------
    state : bytes
        Of :func:`state_of_shards`.

    Returns
    -------
    IndexState
        Size and condition.

    Raises
    ------
    CorpusError
        If the bytes are damaged, or of another version.
    """
    return from_json(IndexState, _uniq.describe_state(state))


class Request:
    """A decoded clip or a fingerprint, to be checked.

    Parameters
    ----------
    clip : path or Fingerprint
        The clip.
    effort, search, quality, exclude, decoding, deadline, cancel
        As for :func:`uniq.check`.

    Raises
    ------
    ClipError, DecoderError, FileError
        If the clip cannot be read.
    SettingError
        If an argument is outside its range.
    DeadlineExceeded, Cancelled
        If it was stopped.
    """

    def __init__(
        self,
        clip: StrPath | Fingerprint,
        *,
        effort: Effort = "standard",
        search: Literal["auto", "exact", "screened"] = "auto",
        quality: bool = True,
        exclude: Iterable[str] = (),
        decoding: Decoding | None = None,
        deadline: float | None = None,
        cancel: CancelEvent | None = None,
    ) -> None:
        arguments = CheckArguments(
            effort=effort,
            search=search,
            quality=quality,
            exclude=[bytes.fromhex(sha256) for sha256 in exclude],
        )
        control = Control(deadline=deadline, cancel=cancel)
        self._decoding = decoding or Decoding()
        is_fingerprint = isinstance(clip, Fingerprint)
        what = clip._native if isinstance(clip, Fingerprint) else Path(clip)
        name = None if is_fingerprint else os.fspath(clip)  # type: ignore[arg-type]
        self._native = _uniq.Request(what, name, arguments, self._decoding, control)

    def question(self) -> bytes:
        """Return what to send to the shards.

        Returns
        -------
        bytes
            Sealed bytes.
        """
        return self._native.question()

    def merge(
        self,
        state: bytes,
        candidates: Iterable[bytes],
        *,
        deadline: float | None = None,
        cancel: CancelEvent | None = None,
    ) -> tuple[Report | None, bytes | None]:
        """Merge the results of all shards.

        Parameters
        ----------
        state : bytes
            Of :func:`state_of_shards`.
        candidates : iterable of bytes
            Results of :meth:`Shard.search`, for each segment once; after further searches, the results
            of all searches.
        deadline : float, optional
            Seconds after which the merge stops.
        cancel : object, optional
            The merge stops once its ``is_set()`` is true.

        Returns
        -------
        report : Report or None
            The report, if nothing is missing.
        needs : bytes or None
            What all shards have to be searched for besides, which happens where many similar
            videos match.

        Raises
        ------
        CorpusError
            With the code ``incomplete_answer`` if a segment is missing or occurs twice, or if
            something is of another commit or question. There is no verdict then.
        DeadlineExceeded, Cancelled
            If it was stopped.
        """
        control = Control(deadline=deadline, cancel=cancel)
        report, needs = self._native.merge(state, list(candidates), self._decoding, control)
        return (None if report is None else Report.from_json(report)), needs
