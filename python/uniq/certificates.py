"""Signed answers: making, verifying and repeating them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ._native import _uniq
from ._options import CancelEvent, CheckArguments, Control, Decoding, StrPath, Trust
from ._wire import from_json
from .checking import Fingerprint
from .corpus import Index
from .errors import CertificateError, FileError
from .report import Effort, Report

__all__ = ["Certificate", "Certified", "Reproduced", "Signature", "new_key"]

#: Maximum number of bytes read; certificates are far smaller.
_MOST = 64 << 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Signature:
    """Who signed a certificate.

    Attributes
    ----------
    key_id : str
        SHA-256 of the public key.
    key_name : str or None
        The key's name in the keyring.
    timestamps : int
        Number of time stamps in the bundle. They are not checked.
    clip : bool
        Whether a clip was compared, and is the one that was checked.
    """

    key_id: str
    key_name: str | None
    timestamps: int
    clip: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Reproduced:
    """Result of a repeated search.

    Attributes
    ----------
    equal : bool
        Whether the result equals that of the certificate.
    difference : str or None
        The first difference.
    result_digest : str
        Digest of the new result.
    grown : bool
        Whether the index has grown since, and was searched in its old state.
    since_generation : int or None
        Only sources added after this commit were searched, as for the certificate.
    """

    equal: bool
    difference: str | None
    result_digest: str
    grown: bool
    since_generation: int | None


class Certificate:
    """A signed answer about a clip: an in-toto statement in a DSSE envelope.

    Parameters
    ----------
    envelope : bytes
        The envelope, or a Sigstore bundle with one.

    Raises
    ------
    CertificateError
        If the bytes are not a certificate.
    """

    def __init__(self, envelope: bytes) -> None:
        self._envelope = envelope
        self._statement: dict[str, Any] = json.loads(_uniq.claim(envelope))

    @classmethod
    def load(cls, path: StrPath) -> Certificate:
        """Read a certificate.

        Parameters
        ----------
        path : path
            The file.

        Returns
        -------
        Certificate
            The certificate, not yet verified.

        Raises
        ------
        CertificateError
            If it is not a certificate.
        FileError
            If it cannot be read.
        """
        try:
            with open(path, "rb") as file:
                envelope = file.read(_MOST + 1)
        except OSError as error:
            raise FileError(f"{path}: open failed: {error.strerror}", "io") from error
        if len(envelope) > _MOST:
            raise CertificateError(f"{path}: refused: it is not a certificate, because it has too many bytes", "invalid_certificate")
        return cls(envelope)

    @classmethod
    def make(
        cls,
        clip: StrPath,
        *,
        index: Index | StrPath,
        key: StrPath,
        name: str = "",
        policy_uri: str | None = None,
        effort: Effort = "standard",
        search: Literal["auto", "exact", "screened"] = "exact",
        exclude: Iterable[str] = (),
        decoding: Decoding | None = None,
        deadline: float | None = None,
        cancel: CancelEvent | None = None,
    ) -> Certified:
        """Check a clip, and sign what was found.

        Parameters
        ----------
        clip : path
            The clip, with a single picture.
        index : Index or path
            The index.
        key : path
            Private key in PEM, as made by :func:`new_key` or ``uniq key new``.
        name : str
            Name of the collection of sources.
        policy_uri : str, optional
            Address of the policy.
        effort : {"fast", "standard", "thorough"}
            Effort of the search.
        search : {"auto", "exact", "screened"}
            Whether all keys are compared. Only an exact search can be run again on an index that
            has grown.
        exclude : iterable of str
            SHA-256s of sources to leave out.
        decoding : Decoding, optional
            How the clip is decoded.
        deadline : float, optional
            Seconds after which the work stops.
        cancel : object, optional
            The work stops once its ``is_set()`` is true.

        Returns
        -------
        Certified
            The certificate, the fingerprint to keep beside it, and the report.

        Raises
        ------
        CertificateError
            If the key cannot be used.
        ClipError, DecoderError, FileError, CorpusError
            As for :func:`uniq.check`.
        DeadlineExceeded, Cancelled
            If it was stopped.
        """
        if not isinstance(index, Index):
            index = Index.open(index)
        excluded = [bytes.fromhex(sha256) for sha256 in exclude]
        arguments = CheckArguments(effort=effort, search=search, quality=True, exclude=excluded)
        listening = Control(deadline=deadline, cancel=cancel)
        envelope, made, report = _uniq.certify(
            index._native, Path(clip), Path(key), name, policy_uri, arguments, decoding or Decoding(), listening
        )
        return Certified(
            certificate=cls(envelope), fingerprint=Fingerprint(made), report=Report.from_json(report)
        )

    @property
    def statement(self) -> dict[str, Any]:
        """Its claims, as ``docs/certificate.md`` describes them; only :meth:`verify` verifies them."""
        return self._statement

    def to_bytes(self) -> bytes:
        """Return the envelope.

        Returns
        -------
        bytes
            JSON.
        """
        return self._envelope

    def save(self, path: StrPath) -> None:
        """Write the envelope to a new file.

        Parameters
        ----------
        path : path
            The file, which must not exist: certificates are never overwritten.

        Raises
        ------
        FileError
            If the file exists, or cannot be written.
        """
        try:
            with open(path, "xb") as file:
                file.write(self._envelope)
        except OSError as error:
            raise FileError(f"{path}: write failed: {error.strerror}", "io") from error

    def verify(
        self, *, key: StrPath | None = None, keyring: StrPath | None = None, clip: StrPath | None = None
    ) -> Signature:
        """Verify that a trusted key signed it.

        Parameters
        ----------
        key : path, optional
            Public key in PEM.
        keyring : path, optional
            Keyring, if no key is given.
        clip : path, optional
            File that must be the one that was checked, byte for byte.

        Returns
        -------
        Signature
            Who signed it.

        Raises
        ------
        CertificateError
            If it is refused.
        SettingError
            If neither key nor keyring is given.
        FileError
            If the clip cannot be read.
        """
        sha256 = None
        if clip is not None:
            try:
                with open(clip, "rb") as file:
                    digest = hashlib.sha256()
                    while block := file.read(1 << 20):
                        digest.update(block)
            except OSError as error:
                raise FileError(f"{clip}: open failed: {error.strerror}", "io") from error
            sha256 = digest.hexdigest()
        return from_json(Signature, _uniq.verify(self._envelope, Trust(key=key, keyring=keyring), sha256))

    def reproduce(
        self,
        fingerprint: Fingerprint,
        *,
        index: Index | StrPath,
        decoding: Decoding | None = None,
        deadline: float | None = None,
        cancel: CancelEvent | None = None,
    ) -> Reproduced:
        """Run its search again, on the same snapshot of the index.

        Parameters
        ----------
        fingerprint : Fingerprint
            The fingerprint kept beside it, with its pictures.
        index : Index or path
            The index that was searched, which may have grown since.
        decoding : Decoding, optional
            Gives the limits of the search.
        deadline : float, optional
            Seconds after which the work stops.
        cancel : object, optional
            The work stops once its ``is_set()`` is true.

        Returns
        -------
        Reproduced
            Whether the result is the same.

        Raises
        ------
        CertificateError
            If the fingerprint is a different one, or this version decides by other rules.
        CorpusError
            If this index no longer has that snapshot.
        DeadlineExceeded, Cancelled
            If it was stopped.
        """
        if not isinstance(index, Index):
            index = Index.open(index)
        listening = Control(deadline=deadline, cancel=cancel)
        done = _uniq.reproduce(
            self._envelope, fingerprint._native, index._native, decoding or Decoding(), listening
        )
        return from_json(Reproduced, done)


@dataclass(frozen=True, kw_only=True, slots=True)
class Certified:
    """A certificate, the fingerprint that it names, and the report."""

    certificate: Certificate
    fingerprint: Fingerprint
    report: Report


def new_key(path: StrPath) -> Path:
    """Make an Ed25519 key to sign with.

    Parameters
    ----------
    path : path
        New file for the private key, which only its owner can read.

    Returns
    -------
    pathlib.Path
        File of the public key, beside it.

    Raises
    ------
    CertificateError, FileError
        If a file exists, or cannot be written.
    """
    return Path(_uniq.new_key(Path(path)))
