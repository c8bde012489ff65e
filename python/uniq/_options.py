"""Settings, in the form that the compiled module reads."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from ._programs import decoder

__all__ = [
    "BuildArguments",
    "CancelEvent",
    "CheckArguments",
    "Control",
    "Decoding",
    "DedupArguments",
    "StrPath",
    "Trust",
]

StrPath = str | os.PathLike[str]


class CancelEvent(Protocol):
    """Tells the work to stop, such as :class:`threading.Event`."""

    def is_set(self) -> bool:
        """Whether the work should stop."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoding:
    """How files are decoded: where, and with which limits.

    Attributes
    ----------
    sandbox : {"available", "required", "off"}
        Each file is decoded in a separate process that gives up the file system, the network and other programs,
        as far as this system allows. With ``required`` it is an error if it does not.
        ``off`` decodes in this process, without protection: for files of your own only.
    follow_links : bool
        Whether symbolic links are followed.
    journal : path, optional
        File that records which files crashed their decoding process, so that they are not tried
        again and again. Without it nothing is recorded.
    retry_quarantined : bool
        Whether files in the journal are tried again.
    max_pixels : int, optional
        Pixels of a frame as it is stored.
    max_frames : int, optional
        Frames of the video stream.
    max_duration : float, optional
        Length of the video in seconds.
    max_bytes : int, optional
        Length of the file in bytes.
    min_time, max_time : float, optional
        Minimum and maximum of seconds for decoding a file.
    time_ratio : int, optional
        Further seconds for each second of video, beyond ``min_time``.
    max_stall : float, optional
        Seconds without progress after which the decoding process is ended.
    max_memory : int, optional
        Bytes of memory that a decoding process may map.
    program : path
        The program that decodes: ``uniq-media``, which is part of the wheel.

    Notes
    -----
    ``None`` stands for the default in ``uniq check --help``.
    """

    sandbox: Literal["available", "required", "off"] = "available"
    follow_links: bool = False
    journal: StrPath | None = None
    retry_quarantined: bool = False
    max_pixels: int | None = None
    max_frames: int | None = None
    max_duration: float | None = None
    max_bytes: int | None = None
    min_time: float | None = None
    time_ratio: int | None = None
    max_time: float | None = None
    max_stall: float | None = None
    max_memory: int | None = None
    program: Path = field(default_factory=decoder)


@dataclass(frozen=True, kw_only=True, slots=True)
class Control:
    """How the caller takes part in work; ``progress`` is given JSON."""

    deadline: float | None = None
    cancel: CancelEvent | None = None
    progress: Callable[[str], object] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckArguments:
    """Settings of a check."""

    effort: str
    search: str
    quality: bool
    exclude: list[bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildArguments:
    """Settings of a build."""

    role: str
    take: str
    interval: float | None
    threads: int | None
    commit_every: float
    list_root: StrPath | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DedupArguments:
    """Settings of a search for duplicates."""

    effort: str
    keep: str
    threads: int | None
    work: StrPath


@dataclass(frozen=True, kw_only=True, slots=True)
class Trust:
    """Whose signatures are trusted: those of a public key, or of a keyring."""

    key: StrPath | None = None
    keyring: StrPath | None = None
