"""Exceptions: one class for each family of errors, each error with a code of its own."""

from __future__ import annotations

__all__ = [
    "Cancelled",
    "CertificateError",
    "ClipError",
    "CorpusError",
    "DeadlineExceeded",
    "DecoderError",
    "FileError",
    "FingerprintError",
    "LedgerError",
    "ListError",
    "SettingError",
    "UniqError",
]


class UniqError(Exception):
    """Base class of all errors of uniq.

    Parameters
    ----------
    message : str
        What is wrong with what, and what to do.
    code : str
        Name of the error for programs.

    Attributes
    ----------
    code : str
        Name of the error for programs, which stays the same: that of ``uniq check --json``, such as
        ``not_media``.
    """

    code: str

    def __init__(self, message: str, code: str = "error") -> None:
        super().__init__(message, code)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])


class ClipError(UniqError):
    """A video cannot be read, or takes more of the machine than it may."""


class DecoderError(UniqError):
    """The process that decodes could not be started, or came to a bad end."""


class FileError(UniqError):
    """A file or folder could not be read or written."""


class CorpusError(UniqError):
    """The index is not there, damaged, of another version, in use, or refuses a video."""


class ListError(UniqError):
    """A list of sources has lines that cannot be read, or names files where it may not reach."""


class FingerprintError(UniqError):
    """A fingerprint is damaged, or of another version."""


class CertificateError(UniqError):
    """A certificate or a key cannot be believed or used."""


class SettingError(UniqError, ValueError):
    """An argument is outside its range."""


class LedgerError(UniqError):
    """A ledger is not there, damaged, in use, or its rules do not allow what was asked for."""


class Cancelled(UniqError):
    """The caller asked to stop."""


class DeadlineExceeded(Cancelled):
    """The work took longer than its deadline allows."""
