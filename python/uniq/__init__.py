"""Tells whether any second of a video clip is already public.

``Index`` holds public videos, ``check`` asks about a clip and returns a ``Report``.

Examples
--------
>>> import uniq
>>> index, summary = uniq.Index.build("index", "videos")  # doctest: +SKIP
>>> report = uniq.check("clip.mp4", index=index)  # doctest: +SKIP
>>> report.verdict  # doctest: +SKIP
'unpublished'
"""

from __future__ import annotations

from ._options import CancelEvent, Decoding
from .checking import Fingerprint, check, fingerprint
from .corpus import BuildSummary, Index, IndexState, Progress, Video
from .errors import (
    Cancelled,
    CertificateError,
    ClipError,
    CorpusError,
    DeadlineExceeded,
    DecoderError,
    FileError,
    FingerprintError,
    LedgerError,
    ListError,
    SettingError,
    UniqError,
)
from .report import Report

__all__ = [
    "BuildSummary",
    "CancelEvent",
    "Cancelled",
    "CertificateError",
    "ClipError",
    "CorpusError",
    "DeadlineExceeded",
    "Decoding",
    "DecoderError",
    "FileError",
    "Fingerprint",
    "FingerprintError",
    "Index",
    "IndexState",
    "LedgerError",
    "ListError",
    "Progress",
    "Report",
    "SettingError",
    "UniqError",
    "Video",
    "check",
    "fingerprint",
]
