"""Checks of clips, and their fingerprints."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ._native import _uniq
from ._options import CancelEvent, CheckArguments, Control, Decoding, StrPath
from ._wire import from_json
from .corpus import Index
from .report import Effort, Report

__all__ = ["Fingerprint", "Key", "check", "fingerprint"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """A key of a keyframe.

    Attributes
    ----------
    time_s : float
        When the keyframe is shown, in seconds.
    kind : {"whole", "region"}
        Whether the key describes the whole frame, or a square in it.
    x, y : float
        Centre of that area, from the left and the upper edge, in heights of the frame.
    size : float
        Height of that area.
    key : str
        256 bits in hexadecimal. Two keys match if at most 72 bits differ.
    """

    time_s: float
    kind: Literal["whole", "region"]
    x: float
    y: float
    size: float
    key: str


class Fingerprint:
    """All that a search needs from a clip, without the clip itself.

    Made by :func:`fingerprint`, or read from a file or bytes.
    """

    def __init__(self, native: _uniq.Fingerprint) -> None:
        self._native = native

    @classmethod
    def load(
        cls,
        path: StrPath,
        *,
        decoding: Decoding | None = None,
        deadline: float | None = None,
        cancel: CancelEvent | None = None,
    ) -> Fingerprint:
        """Read a fingerprint file in a decoding process, under the limits of a clip.

        Parameters
        ----------
        path : path
            The file.
        decoding : Decoding, optional
            Where it is read, and with which limits.
        deadline : float, optional
            Seconds after which the work stops.
        cancel : object, optional
            The work stops once its ``is_set()`` is true.

        Returns
        -------
        Fingerprint
            The fingerprint.

        Raises
        ------
        FingerprintError
            If it is damaged, of another version, or impossible for a clip.
        ClipError, DecoderError, FileError
            If it cannot be read.
        """
        listening = Control(deadline=deadline, cancel=cancel)
        return cls(_uniq.load_fingerprint(Path(path), decoding or Decoding(), listening))

    @classmethod
    def from_bytes(cls, data: bytes) -> Fingerprint:
        """Read the bytes of a fingerprint file in this process.

        Parameters
        ----------
        data : bytes
            Result of :meth:`to_bytes`. Write bytes from strangers to a file and :meth:`load` it.

        Returns
        -------
        Fingerprint
            The fingerprint.

        Raises
        ------
        FingerprintError
            If they are damaged or of another version.
        """
        return cls(_uniq.fingerprint_of_bytes(data))

    def to_bytes(self, *, pictures: bool = False) -> bytes:
        """Return the bytes of its file.

        Parameters
        ----------
        pictures : bool
            Whether to include the small pictures, which show what the clip shows.

        Returns
        -------
        bytes
            The bytes.
        """
        return self._native.to_bytes(pictures)

    def save(self, path: StrPath, *, pictures: bool = False) -> None:
        """Write its file; an existing one is replaced as a whole or not at all.

        Parameters
        ----------
        path : path
            The file.
        pictures : bool
            Whether to include the small pictures, which show what the clip shows.

        Raises
        ------
        FileError
            If it cannot be written.
        """
        self._native.save(Path(path), pictures)

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys of the keyframes, in order of time."""
        return from_json(tuple[Key, ...], self._native.keys())

    @property
    def clip_sha256(self) -> str:
        """SHA-256 of the clip, as the fingerprint says."""
        return self._native.sha256()

    @property
    def digest(self) -> str:
        """What names the fingerprint: the digest of its file without pictures, in hexadecimal."""
        return self._native.digest().hex()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Fingerprint) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<uniq.Fingerprint {self.digest[:16]}>"


def fingerprint(
    path: StrPath,
    *,
    decoding: Decoding | None = None,
    deadline: float | None = None,
    cancel: CancelEvent | None = None,
) -> Fingerprint:
    """Make the fingerprint of a clip that has one picture.

    Parameters
    ----------
    path : path
        The clip.
    decoding : Decoding, optional
        How it is decoded.
    deadline : float, optional
        Seconds after which the work stops.
    cancel : object, optional
        The work stops once its ``is_set()`` is true.

    Returns
    -------
    Fingerprint
        The fingerprint, with small pictures, which its file contains only on request.

    Raises
    ------
    ClipError, DecoderError, FileError
        If the clip cannot be read.
    DeadlineExceeded, Cancelled
        If it was stopped.
    """
    return Fingerprint(_uniq.fingerprint(Path(path), decoding or Decoding(), Control(deadline=deadline, cancel=cancel)))


def check(
    clip: StrPath | bytes | Fingerprint,
    *,
    index: Index | StrPath,
    effort: Effort = "standard",
    search: Literal["auto", "exact", "screened"] = "auto",
    quality: bool = True,
    exclude: Iterable[str] = (),
    decoding: Decoding | None = None,
    deadline: float | None = None,
    cancel: CancelEvent | None = None,
) -> Report:
    """Tell whether any second of a clip is in an index of public videos.

    Parameters
    ----------
    clip : path, bytes or Fingerprint
        The clip: a file, the bytes of one (which are written to a temporary file), or its
        fingerprint. Nothing is payable for a fingerprint, since nothing proves what it was made from.
    index : Index or path
        The index.
    effort : {"fast", "standard", "thorough"}
        Effort of the search.
    search : {"auto", "exact", "screened"}
        Whether all keys are compared, or only those of videos that a quick look nominates.
    quality : bool
        Whether the clip is measured for its price; never with ``fast``.
    exclude : iterable of str
        SHA-256s of sources to leave out: a clip that is in the index is a copy of itself.
    decoding : Decoding, optional
        How the clip is decoded.
    deadline : float, optional
        Seconds after which the check stops.
    cancel : object, optional
        The check stops once its ``is_set()`` is true.

    Returns
    -------
    Report
        The answer. A clip that can be read but not judged is ``inconclusive``, not an error.

    Raises
    ------
    ClipError, DecoderError, FileError
        If the clip cannot be read.
    CorpusError
        If there is no index, or the part that the check reads is damaged.
    SettingError
        If an argument is outside its range.
    DeadlineExceeded, Cancelled
        If it was stopped.
    """
    if not isinstance(index, Index):
        index = Index.open(index)
    arguments = CheckArguments(
        effort=effort,
        search=search,
        quality=quality,
        exclude=[bytes.fromhex(sha256) for sha256 in exclude],
    )
    listening = Control(deadline=deadline, cancel=cancel)
    decoding = decoding or Decoding()

    def ask(what: Path | _uniq.Fingerprint, name: str | None) -> Report:
        return Report.from_json(_uniq.check(index._native, what, name, arguments, decoding, listening))

    if isinstance(clip, Fingerprint):
        return ask(clip._native, None)
    if isinstance(clip, bytes):
        with tempfile.NamedTemporaryFile(prefix="uniq-") as file:
            file.write(clip)
            file.flush()
            return ask(Path(file.name), "")
    return ask(Path(clip), os.fspath(clip))
