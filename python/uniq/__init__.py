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
from .certificates import Certificate, Certified, Reproduced, Signature, new_key
from .checking import Fingerprint, Key, check, fingerprint
from .corpus import BuildSummary, Index, IndexState, Progress, Video
from .duplicates import Deduplication, dedup
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
from .ledgers import Entry, Ledger
from .report import Report

__all__ = [
    "BuildSummary",
    "CancelEvent",
    "Cancelled",
    "Certificate",
    "CertificateError",
    "Certified",
    "ClipError",
    "CorpusError",
    "DeadlineExceeded",
    "DecoderError",
    "Decoding",
    "Deduplication",
    "Entry",
    "FileError",
    "Fingerprint",
    "FingerprintError",
    "Index",
    "IndexState",
    "Key",
    "Ledger",
    "LedgerError",
    "ListError",
    "Progress",
    "Report",
    "Reproduced",
    "SettingError",
    "Signature",
    "UniqError",
    "Video",
    "check",
    "dedup",
    "fingerprint",
    "new_key",
]
