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
        The thing, what is wrong with it, and what to do.
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
    """A video cannot be read, or exceeds a limit."""


class DecoderError(UniqError):
    """The decoding process could not be started, or crashed."""


class FileError(UniqError):
    """A file or folder could not be read or written."""


class CorpusError(UniqError):
    """The index is missing, damaged, of another version, in use, or refuses a video."""


class ListError(UniqError):
    """A list of sources has invalid lines, or names files outside its folder."""


class FingerprintError(UniqError):
    """A fingerprint is damaged, or of another version."""


class CertificateError(UniqError):
    """A certificate cannot be trusted, or a key cannot be used."""


class SettingError(UniqError, ValueError):
    """An argument is outside its range."""


class LedgerError(UniqError):
    """A ledger is missing, damaged, in use, or its rules do not allow the request."""


class Cancelled(UniqError):
    """The caller asked to stop."""


class DeadlineExceeded(Cancelled):
    """The work took longer than its deadline allows."""
